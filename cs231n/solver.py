"""The training loop."""

import contextlib
import copy
import inspect
import math
import warnings
from collections.abc import Mapping

import numpy as np

from . import checkpoints, optim
from .arguments import array, choice, flag, instance, integer, number, path, require_shape
from .progress import progress_bar

__all__ = ["np", "optim", "Solver", "NonFiniteLossWarning"]


class NonFiniteLossWarning(RuntimeWarning):
    """The loss became NaN or infinite."""


class Solver:
    """Trains a classifier by mini-batches and keeps the parameters that did best on the validation set.

    Parameters
    ----------
    model : object
        ``model.params`` is a dictionary of arrays; ``model.loss(X, y)`` returns ``(loss, grads)`` with a gradient
        under each name of ``params``; ``model.loss(X)`` returns scores (N, C). :meth:`train` copies the arrays in
        ``params`` first and leaves the originals as they are. Running averages, where the model has any, are in the
        dictionaries of the list ``model.bn_params``.
    data : dict
        ``X_train`` (N_train, d_1, ..., d_k), ``y_train`` (N_train,), ``X_val`` and ``y_val``.
    update_rule : str or callable
        Name of a rule in :mod:`cs231n.optim`, or a function called like them: ``rule(w, dw, config)`` returns
        ``(next_w, config)``. If it takes ``out`` as well, it is called with ``out=w`` to update w in place.
    optim_config : dict, optional
        Hyperparameters of the rule. Default: the rule's own.
    lr_decay : float
        The learning rate is multiplied by it after each epoch.
    batch_size, num_epochs : int
    num_train_samples : int or None
        How many training examples, drawn at random, measure the training accuracy; None for all.
    num_val_samples : int or None
        The same for the validation accuracy.
    checkpoint_name : str or path, optional
        After each epoch, the run is saved as ``<checkpoint_name>_epoch_<n>.npz``, for :meth:`resume`.
    print_every : int
        Iterations between log lines.
    verbose : bool
        Print log lines.
    nonfinite : {"continue", "stop"}
        What to do after a NaN or infinite loss, which is reported once, as a :class:`NonFiniteLossWarning`.

    Attributes
    ----------
    loss_history : list of float
        The loss of each mini-batch.
    train_acc_history, val_acc_history : list of float
        After the first iteration and after each epoch.
    best_val_acc : float
    best_params : dict of arrays
    epoch : int
        Epochs completed.
    interrupted : bool
        Whether the last call of :meth:`train` was interrupted from the keyboard.

    Raises
    ------
    ValueError, TypeError
        If a keyword is out of its range, or the data do not agree.
    """

    def train(self):
        """Train for ``num_epochs`` epochs and leave the best parameters in the model.

        A resumed run goes on from where its checkpoint was written, with NumPy's random state of that moment.
        Interrupted from the keyboard, the run ends early and the model keeps the best parameters so far.

        Raises
        ------
        OSError
            If a checkpoint cannot be written; earlier ones are as they were.
        ValueError, TypeError
            If the update rule does not return ``(next_w, config)``, or its first step changes nothing.
        """
        iterations_per_epoch = max(len(self.X_train) // self.batch_size, 1)
        num_iterations = self.num_epochs * iterations_per_epoch
        with self._running(num_iterations) as bar:
            for t in range(self._iteration, num_iterations):
                loss = self._step()
                self._iteration = t + 1
                bar.update()
                if self.verbose and t % self.print_every == 0:
                    bar.write("(Iteration %d / %d) loss: %f" % (t + 1, num_iterations, loss))
                if self.nonfinite == "stop" and not math.isfinite(loss):
                    break
                epoch_end = (t + 1) % iterations_per_epoch == 0
                if epoch_end:
                    self.epoch += 1
                    self._decay_learning_rates()
                if t == 0 or epoch_end:
                    accuracies = self._evaluate()
                    if self.verbose:
                        progress = self.epoch, self.num_epochs, *accuracies
                        bar.write("(Epoch %d / %d) train acc: %f; val_acc: %f" % progress)
                if epoch_end and self.checkpoint_name is not None:
                    self._checkpoint = checkpoints.save_run(self)

    def _step(self):
        """One mini-batch: its loss, the gradients, and an update of each parameter."""
        batch = np.random.choice(len(self.X_train), self.batch_size)
        loss, grads = self.model.loss(self.X_train[batch], self.y_train[batch])
        self.loss_history.append(loss)
        if not math.isfinite(loss):
            self._report_nonfinite(loss)
            if self.nonfinite == "stop":
                return loss
        for name, w in self.model.params.items():
            next_w, config = self._update(w, grads[name], self.optim_configs[name])
            self.model.params[name], self.optim_configs[name] = next_w, config
        self._require_change(loss, grads)
        return loss

    def _update(self, w, dw, config):
        """What the update rule returns, if that is ``(next_w, config)``."""
        result = self.update_rule(w, dw, config, **({"out": w} if self._in_place else {}))
        if not isinstance(result, tuple | list) or len(result) != 2 or not isinstance(result[1], dict):
            raise TypeError(f"update_rule must return (next_w, config), with config a dictionary, got {result!r}")
        if np.shape(result[0]) != w.shape:
            raise ValueError(f"update_rule must return next_w of the shape of w, {w.shape}, got {np.shape(result[0])}")
        return result

    def __init__(
        self,
        model,
        data,
        *,
        update_rule="sgd",
        optim_config=None,
        lr_decay=1.0,
        batch_size=100,
        num_epochs=10,
        num_train_samples=1000,
        num_val_samples=None,
        checkpoint_name=None,
        print_every=10,
        verbose=True,
        nonfinite="continue",
    ):
        if not isinstance(getattr(model, "params", None), dict) or not callable(getattr(model, "loss", None)):
            raise TypeError(f"model must have a dictionary params and a method loss, got {type(model).__name__}")
        instance("data", data, Mapping, "a dictionary")
        self.model = model
        self.X_train, self.y_train = _examples(data, "train")
        self.X_val, self.y_val = _examples(data, "val")
        shape = len(self.X_val), *self.X_train.shape[1:]
        require_shape("data['X_val']", self.X_val, shape, "examples of the shape of X_train's")

        self.update_rule = _resolve_rule(update_rule)
        self.optim_config = instance("optim_config", {} if optim_config is None else optim_config, dict, "a dictionary")
        self.lr_decay = number("lr_decay", lr_decay, above=0)
        self.batch_size = integer("batch_size", batch_size, least=1)
        self.num_epochs = integer("num_epochs", num_epochs, least=0)
        self.num_train_samples = _count_or_none("num_train_samples", num_train_samples)
        self.num_val_samples = _count_or_none("num_val_samples", num_val_samples)
        self.checkpoint_name = None if checkpoint_name is None else path("checkpoint_name", checkpoint_name)
        self.print_every = integer("print_every", print_every, least=1)
        self.verbose = flag("verbose", verbose)
        self.nonfinite = choice("nonfinite", nonfinite, ("continue", "stop"))

        self._in_place = "out" in inspect.signature(self.update_rule).parameters
        self._try_rule()
        self.epoch = 0
        self.best_val_acc = 0
        self.best_params = {}
        self.loss_history = []
        self.train_acc_history = []
        self.val_acc_history = []
        self.interrupted = False
        self.optim_configs = {name: dict(self.optim_config) for name in model.params}
        # What a checkpoint holds besides: see checkpoints.save_run.
        self._best_bn_params = []
        self._nonfinite_reported = False
        self._iteration = 0  # of the call of train that is under way
        self._random_states = None  # of a checkpoint, until train is called
        self._description = None  # of model and data
        self._checkpoint = None  # the last that was written or resumed
        self._initial_params = None  # until the first step has changed them

    @classmethod
    def resume(cls, path, model, data, **kwargs):
        """The solver of an earlier run, as it was when it wrote a checkpoint; its :meth:`train` goes on from there.

        The run then ends with the same bits as one that was never interrupted, on the same machine with the same
        number of threads. :func:`cs231n.checkpoints.latest_checkpoint` finds the last checkpoint.

        Parameters
        ----------
        path : str or path
            A file ``<checkpoint_name>_epoch_<n>.npz``.
        model : object
            Made in the same way as the model of the run. Its parameters, its running averages and the state of its
            NumPy generators are replaced.
        data : dict
            The same data as in the run.
        **kwargs
            As for :class:`Solver`. What is left out is as in the run, and further checkpoints are written beside
            ``path``. num_epochs, print_every, verbose, nonfinite and checkpoint_name may differ from the run's. An
            update_rule from outside :mod:`cs231n.optim` must be passed again.

        Returns
        -------
        Solver

        Raises
        ------
        OSError
            If the file cannot be read.
        ValueError
            If it is not a checkpoint, is damaged, or belongs to a run with another model, other data or settings; the
            model is as it was.
        """
        return checkpoints.resume_run(cls, path, model, data, **kwargs)

    def check_accuracy(self, X, y, num_samples=None, batch_size=100):
        """Share of examples that the model classifies correctly.

        Parameters
        ----------
        X : array (N, d_1, ..., d_k)
        y : integer array (N,)
        num_samples : int or None
            With fewer samples than examples, that many are drawn at random, with replacement.
        batch_size : int
            Examples the model sees at a time.

        Returns
        -------
        float
        """
        X, y = _inputs_and_labels("X", X, "y", y)
        num_samples, batch_size = _count_or_none("num_samples", num_samples), integer("batch_size", batch_size, least=1)
        if num_samples is not None and len(X) > num_samples:
            sample = np.random.choice(len(X), num_samples)
            X, y = X[sample], y[sample]
        starts = range(0, len(X), batch_size)
        predicted = [np.argmax(self.model.loss(X[i : i + batch_size]), axis=1) for i in starts]
        return float(np.mean(np.concatenate(predicted) == y))

    def _evaluate(self):
        """Record both accuracies and return them; keep the parameters if they are the best yet."""
        train_acc = self.check_accuracy(self.X_train, self.y_train, self.num_train_samples)
        val_acc = self.check_accuracy(self.X_val, self.y_val, self.num_val_samples)
        self.train_acc_history.append(train_acc)
        self.val_acc_history.append(val_acc)
        if val_acc > self.best_val_acc:
            self.best_val_acc = val_acc
            self.best_params = {name: w.copy() for name, w in self.model.params.items()}
            self._best_bn_params = copy.deepcopy(getattr(self.model, "bn_params", []))
        return train_acc, val_acc

    def _decay_learning_rates(self):
        for config in self.optim_configs.values():
            if "learning_rate" in config:
                config["learning_rate"] *= self.lr_decay

    @contextlib.contextmanager
    def _running(self, num_iterations):
        """What goes before and after the loop, also when the keyboard ends it; yields the progress bar."""
        self.interrupted = False
        self._initial_params = None if self.loss_history else dict(self.model.params)
        for name, w in self.model.params.items():
            self.model.params[name] = np.array(w, order="C")
        if self.checkpoint_name is not None:
            checkpoints.prepare(self.checkpoint_name)
            self._description = checkpoints.describe(self)
        if self._random_states is not None:
            checkpoints.set_random_states(self.model, self._random_states)
            self._random_states = None

        # An overflowing run is reported by _report_nonfinite, once; NumPy would warn at every operation of every step.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            with progress_bar(num_iterations, "training", "it") as bar:
                bar.initial = bar.n = self._iteration
                try:
                    yield bar
                except KeyboardInterrupt:
                    self.interrupted = True
                    way_on = f"; Solver.resume goes on from {self._checkpoint}" if self._checkpoint else ""
                    bar.write(
                        f"Interrupted after {len(self.loss_history)} iterations: the model keeps the best parameters "
                        f"so far (val_acc {self.best_val_acc:f}){way_on}"
                    )
                finally:
                    self._iteration = 0
        if self.best_params:
            self.model.params = {name: w.copy() for name, w in self.best_params.items()}
            if self._best_bn_params:
                self.model.bn_params = copy.deepcopy(self._best_bn_params)

    def _report_nonfinite(self, loss):
        if not self._nonfinite_reported:
            self._nonfinite_reported = True
            warnings.warn(
                f"the loss became {loss} at iteration {len(self.loss_history)}: usually the learning rate or the "
                "weight scale is too large (try a tenth), or an input is not a finite number",
                NonFiniteLossWarning,
                stacklevel=4,
            )

    def _try_rule(self):
        """Refuse hyperparameters that a rule of the package would refuse at the first step."""
        if checkpoints.name_of_rule(self.update_rule) in optim.RULES:
            try:
                self.update_rule(np.zeros(1), np.zeros(1), dict(self.optim_config))
            except (TypeError, ValueError) as error:
                raise type(error)(f"optim_config must suit {self.update_rule.__name__}: {error}") from error

    def _require_change(self, loss, grads):
        """Raise ``ValueError`` if the first step of all has left every parameter as it was, although it should not."""
        before, self._initial_params = self._initial_params, None
        if before is None or not math.isfinite(loss) or not any(np.any(dw) for dw in grads.values()):
            return
        rates = {config.get("learning_rate") for config in self.optim_configs.values()}
        if 0 not in rates and all(np.array_equal(w, before[name]) for name, w in self.model.params.items()):
            raise ValueError(
                "update_rule must change the parameters: after its first step all are as they were, although their "
                f"gradients are not 0 (learning rate: {rates.pop()}). Does it return the new weights?"
            )


def _resolve_rule(rule):
    if callable(rule):
        return rule
    if rule not in optim.RULES:
        raise ValueError(f"update_rule must be a function or one of {', '.join(optim.RULES)}, got {rule!r}")
    return getattr(optim, rule)


def _count_or_none(name, value):
    return None if value is None else integer(f"{name}, unless None,", value, least=1)


def _examples(data, split):
    """Inputs and labels of one split."""
    missing = [name for name in (f"X_{split}", f"y_{split}") if name not in data]
    if missing:
        raise ValueError(f"data must hold X_train, y_train, X_val and y_val; {' and '.join(missing)} missing")
    return _inputs_and_labels(f"data['X_{split}']", data[f"X_{split}"], f"data['y_{split}']", data[f"y_{split}"])


def _inputs_and_labels(X_name, X, y_name, y):
    X, y = array(X_name, X), array(y_name, y, "iu", "integer class labels")
    if X.ndim == 0 or len(X) == 0:
        raise ValueError(f"{X_name} must hold at least one example, got shape {X.shape}")
    require_shape(y_name, y, X.shape[:1], f"one label for each example of {X_name}")
    if y.min() < 0:
        raise ValueError(f"{y_name} must hold labels of at least 0, got {y.min()}")
    return X, y
