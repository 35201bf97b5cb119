"""The training loop."""

import copy
import inspect
import math
import re
import warnings
from collections.abc import Mapping

import numpy as np

from . import checkpoints, optim
from .layers.arguments import (
    as_float,
    real_array,
    require_flag,
    require_integer,
    require_number,
    require_path,
    require_shape,
    require_type,
)
from .progress import progress_bar

__all__ = ["Solver", "NonFiniteLossWarning"]


# What a run that is resumed goes on with, and what may be chosen anew.
KEPT = ("lr_decay", "batch_size", "num_train_samples", "num_val_samples")
FREE = ("num_epochs", "print_every", "verbose", "nonfinite")
HISTORIES = ("loss_history", "train_acc_history", "val_acc_history")


class NonFiniteLossWarning(RuntimeWarning):
    """The loss became NaN or infinite."""


class Solver:
    """Trains a classifier by mini-batches and keeps the parameters that did best on the validation set.

    Parameters
    ----------
    model : object
        ``model.params`` is a dictionary of arrays; ``model.loss(X, y)`` gives ``(loss, grads)`` with a gradient
        under each name of ``params``; ``model.loss(X)`` gives scores (N, C). The arrays in ``params`` when
        :meth:`train` is called are copied, then updated in place. Running averages, where the model has any, are in
        the dictionaries of the list ``model.bn_params``.
    data : dict
        ``X_train`` (N_train, d_1, ..., d_k), ``y_train`` (N_train,), ``X_val`` and ``y_val``.
    update_rule : str or callable
        Name of a rule in :mod:`cs231n.optim`, or a function of the same kind. Default "sgd".
    optim_config : dict
        Hyperparameters of the rule. Default: the rule's own.
    lr_decay : float
        The learning rate is multiplied by it after each epoch. Default 1.
    batch_size : int
        Default 100.
    num_epochs : int
        Default 10.
    num_train_samples : int or None
        How many training examples, drawn at random, measure the training accuracy; None for all. Default 1000.
    num_val_samples : int or None
        The same for the validation accuracy. Default None.
    checkpoint_name : str or None
        After each epoch, the run is saved as ``<checkpoint_name>_epoch_<n>.npz``, for :meth:`resume`.
    print_every : int
        Iterations between log lines. Default 10.
    verbose : bool
        Print log lines. Default True.
    nonfinite : {"continue", "stop"}
        What to do after a NaN or infinite loss, which is reported once, as a :class:`NonFiniteLossWarning`.
        Default "continue".

    Attributes
    ----------
    loss_history : list of float
        One a mini-batch.
    train_acc_history, val_acc_history : list of float
        At the first iteration and after each epoch.
    best_val_acc : float
    best_params : dict of arrays
    epoch : int
        Epochs completed.
    interrupted : bool
        Whether the keyboard ended the last call of :meth:`train`.

    Raises
    ------
    ValueError
        If a keyword is unknown or out of range, or the data do not agree.
    """

    def __init__(self, model, data, **kwargs):
        if not isinstance(getattr(model, "params", None), dict) or not callable(getattr(model, "loss", None)):
            raise TypeError(f"model must have a dictionary params and a method loss, got {type(model).__name__}")
        require_type("data", data, Mapping, "a dictionary")
        self.model = model
        self.X_train, self.y_train = _examples(data, "train")
        self.X_val, self.y_val = _examples(data, "val")
        shape = len(self.X_val), *self.X_train.shape[1:]
        require_shape("data['X_val']", self.X_val, shape, "examples of the shape of X_train's")

        self.update_rule = _resolve_rule(kwargs.pop("update_rule", "sgd"))
        self._rule_name = _name_of(self.update_rule)
        self._in_place = _takes_out(self.update_rule)
        self.optim_config = kwargs.pop("optim_config", {})
        self.lr_decay = kwargs.pop("lr_decay", 1.0)
        self.batch_size = kwargs.pop("batch_size", 100)
        self.num_epochs = kwargs.pop("num_epochs", 10)
        self.num_train_samples = kwargs.pop("num_train_samples", 1000)
        self.num_val_samples = kwargs.pop("num_val_samples", None)
        self.checkpoint_name = kwargs.pop("checkpoint_name", None)
        self.print_every = kwargs.pop("print_every", 10)
        self.verbose = kwargs.pop("verbose", True)
        self.nonfinite = kwargs.pop("nonfinite", "continue")
        if kwargs:
            raise ValueError(f"Unrecognized arguments {', '.join(sorted(kwargs))}: see help(Solver)")

        for name, least, optional in (
            ("batch_size", 1, False),
            ("num_epochs", 0, False),
            ("print_every", 1, False),
            ("num_train_samples", 1, True),
            ("num_val_samples", 1, True),
        ):
            require_integer(name, getattr(self, name), least=least, optional=optional)
        require_type("optim_config", self.optim_config, dict, "a dictionary")
        self._try_rule()
        require_number("lr_decay", self.lr_decay, above=0)
        if self.checkpoint_name is not None:
            require_path("checkpoint_name", self.checkpoint_name)
        require_flag("verbose", self.verbose)
        if not isinstance(self.nonfinite, str) or self.nonfinite not in ("continue", "stop"):
            raise ValueError(f'nonfinite must be "continue" or "stop", got {self.nonfinite!r}')
        self._reset()

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
            Made as that of the run was. Its parameters, its running averages and the state of its NumPy generators
            are replaced.
        data : dict
            That of the run.
        **kwargs
            As for :class:`Solver`. What is not given is as in the run, and further checkpoints stand beside ``path``.
            num_epochs, print_every, verbose, nonfinite and checkpoint_name may be others than in the run. An
            update_rule that is not one of :mod:`cs231n.optim` must be given.

        Returns
        -------
        Solver

        Raises
        ------
        OSError
            If the file cannot be read.
        ValueError
            If it is no checkpoint, damaged, or of a run with another model, other data or settings; the model is as it
            was.
        """
        run = checkpoints.load(path)
        rule = run["kept"]["update_rule"]
        if rule not in optim.__all__ and "update_rule" not in kwargs:
            raise ValueError(f"update_rule must be given: the run of {path} had {rule}")
        checkpoint_name = re.sub(r"(_epoch_\d+)?\.npz$", "", str(path))
        solver = cls(model, data, **{"checkpoint_name": checkpoint_name, **run["free"], **run["kept"], **kwargs})
        checkpoints.require_same(path, {**run["kept"], **run["given"]}, {**solver._kept(), **solver._given()})
        solver._restore(run)
        solver._checkpoint = path
        return solver

    def _try_rule(self):
        """Refuse hyperparameters that a rule of the package would refuse at the first step."""
        if getattr(optim, self._rule_name, None) is self.update_rule:
            try:
                self.update_rule(np.zeros(1), np.zeros(1), dict(self.optim_config))
            except NotImplementedError:
                pass
            except (TypeError, ValueError) as error:
                raise type(error)(f"optim_config must suit {self._rule_name}: {error}") from error

    def _reset(self):
        self.epoch = 0
        self.best_val_acc = 0
        self.best_params = {}
        self._best_bn_params = []
        self.loss_history = []
        self.train_acc_history = []
        self.val_acc_history = []
        self.interrupted = False
        self.optim_configs = {name: dict(self.optim_config) for name in self.model.params}
        self._nonfinite_reported = False
        self._iteration = 0  # of the call of train that is under way
        self._random_states = None  # of a checkpoint, until train is called
        self._description = None
        self._checkpoint = None  # the last that was written or resumed

    def _step(self):
        """One mini-batch: loss, gradients, update; False, and no update, where the loss ends the run."""
        batch = np.random.choice(len(self.X_train), self.batch_size)
        loss, grads = self.model.loss(self.X_train[batch], self.y_train[batch])
        self.loss_history.append(loss)
        if not self._finite() and self.nonfinite == "stop":
            return False
        params = self.model.params
        for name, w in params.items():
            options = {"out": w} if self._in_place else {}
            params[name], self.optim_configs[name] = self.update_rule(
                w, grads[name], self.optim_configs[name], **options
            )
        return True

    def check_accuracy(self, X, y, num_samples=None, batch_size=100):
        """Share of examples that the model classifies correctly.

        Parameters
        ----------
        X : array (N, d_1, ..., d_k)
        y : integer array (N,)
        num_samples : int or None
            With fewer samples than examples, that many are drawn at random.
        batch_size : int
            Examples the model sees at a time.

        Returns
        -------
        float
        """
        X, y = _inputs_and_labels("X", X, "y", y)
        require_shape("y", y, X.shape[:1], "one label for each row of X")
        require_integer("num_samples", num_samples, least=1, optional=True)
        require_integer("batch_size", batch_size, least=1)
        if len(X) == 0:
            raise ValueError(f"X must hold at least one example, got shape {X.shape}")
        if num_samples is not None and len(X) > num_samples:
            sample = np.random.choice(len(X), num_samples)
            X, y = X[sample], y[sample]
        starts = range(0, len(X), batch_size)
        predicted = [np.argmax(self.model.loss(X[i : i + batch_size]), axis=1) for i in starts]
        return float(np.mean(np.concatenate(predicted) == y))

    def train(self):
        """Train for ``num_epochs`` epochs and leave the best parameters in the model.

        A resumed run is taken up where its checkpoint was written, with NumPy's random state of that moment.
        Interrupted from the keyboard, the run ends early and the model keeps the best parameters so far.

        Raises
        ------
        OSError
            If a checkpoint cannot be written; earlier ones are as they were.
        """
        iterations_per_epoch = max(len(self.X_train) // self.batch_size, 1)
        num_iterations = self.num_epochs * iterations_per_epoch
        self.interrupted = False
        for name, w in self.model.params.items():
            self.model.params[name] = np.array(w, order="C")
        if self.checkpoint_name is not None:
            checkpoints.prepare(self.checkpoint_name)
            self._description = self._given()
        if self._random_states is not None:
            self._set_random_states()

        # An overflowing run is reported by _finite, once; NumPy would warn at every operation of every step.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            with progress_bar(num_iterations, "training", "it") as bar:
                bar.initial = bar.n = self._iteration
                try:
                    self._iterate(num_iterations, iterations_per_epoch, bar)
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

    def _iterate(self, num_iterations, iterations_per_epoch, bar):
        for t in range(self._iteration, num_iterations):
            going_on = self._step()
            self._iteration = t + 1
            bar.update()
            if self.verbose and t % self.print_every == 0:
                bar.write("(Iteration %d / %d) loss: %f" % (t + 1, num_iterations, self.loss_history[-1]))
            if not going_on:
                return

            epoch_end = (t + 1) % iterations_per_epoch == 0
            if epoch_end:
                self.epoch += 1
                for config in self.optim_configs.values():
                    if "learning_rate" in config:
                        config["learning_rate"] *= as_float(self.lr_decay)
            if t == 0 or epoch_end:
                self._evaluate()
                if self.verbose:
                    accuracies = self.train_acc_history[-1], self.val_acc_history[-1]
                    bar.write("(Epoch %d / %d) train acc: %f; val_acc: %f" % (self.epoch, self.num_epochs, *accuracies))
            if epoch_end and self.checkpoint_name is not None:
                self._save_checkpoint()

    def _evaluate(self):
        """Record both accuracies, and keep the parameters if they are the best yet."""
        train_acc = self.check_accuracy(self.X_train, self.y_train, self.num_train_samples)
        val_acc = self.check_accuracy(self.X_val, self.y_val, self.num_val_samples)
        self.train_acc_history.append(train_acc)
        self.val_acc_history.append(val_acc)
        if val_acc > self.best_val_acc:
            self.best_val_acc = val_acc
            self.best_params = {name: w.copy() for name, w in self.model.params.items()}
            self._best_bn_params = copy.deepcopy(getattr(self.model, "bn_params", []))

    def _finite(self):
        """Whether the last loss is a finite number; the first that is not is reported."""
        loss = self.loss_history[-1]
        if math.isfinite(loss):
            return True
        if not self._nonfinite_reported:
            self._nonfinite_reported = True
            warnings.warn(
                f"the loss became {loss} at iteration {len(self.loss_history)}: usually the learning rate or the "
                "weight scale is too large (try a tenth), or an input is not a finite number",
                NonFiniteLossWarning,
                stacklevel=5,
            )
        return False

    def _save_checkpoint(self):
        """Write ``<checkpoint_name>_epoch_<n>.npz``: all that :meth:`_restore` needs."""
        model = self.model
        run = {
            "epoch": np.int64(self.epoch),
            "iteration": self._iteration,
            "params": model.params,
            "best_params": self.best_params,
            "bn_params": getattr(model, "bn_params", []),
            "best_bn_params": self._best_bn_params,
            "optim_configs": self.optim_configs,
            **{name: np.array(getattr(self, name)) for name in HISTORIES},
            "best_val_acc": self.best_val_acc,
            "nonfinite_reported": self._nonfinite_reported,
            "random_states": self._get_random_states(),
            "kept": self._kept(),
            "free": {name: getattr(self, name) for name in FREE},
            "given": self._description,
        }
        path = f"{self.checkpoint_name}_epoch_{self.epoch}.npz"
        checkpoints.save(path, run)
        self._checkpoint = path

    def _restore(self, run):
        self.epoch, self._iteration = int(run["epoch"]), run["iteration"]
        self.model.params, self.best_params = run["params"], run["best_params"]
        self._best_bn_params = run["best_bn_params"]
        if run["bn_params"]:
            self.model.bn_params = run["bn_params"]
        self.optim_configs = run["optim_configs"]
        for name in HISTORIES:
            setattr(self, name, run[name].tolist())
        self.best_val_acc, self._nonfinite_reported = run["best_val_acc"], run["nonfinite_reported"]
        self._random_states = run["random_states"]

    def _get_random_states(self):
        """Of NumPy's global generator and of those that the model has for itself."""
        own = {name: rng.bit_generator.state for name, rng in _generators(self.model)}
        return {"numpy": np.random.get_state(legacy=False), "model": own}

    def _set_random_states(self):
        np.random.set_state(self._random_states["numpy"])
        for name, rng in _generators(self.model):
            rng.bit_generator.state = self._random_states["model"][name]
        self._random_states = None

    def _kept(self):
        """Settings that a run has from its beginning to its end."""
        settings = {name: getattr(self, name) for name in KEPT}
        return {"update_rule": self._rule_name, "optim_config": self.optim_config, **settings}

    def _given(self):
        """What a run works on, described."""
        data = {"X_train": self.X_train, "y_train": self.y_train, "X_val": self.X_val, "y_val": self.y_val}
        return {"model": checkpoints.describe_model(self.model), "data": checkpoints.describe_data(data)}


def _examples(data, split):
    """Inputs and labels of one split, which must be as many."""
    missing = [name for name in (f"X_{split}", f"y_{split}") if name not in data]
    if missing:
        raise ValueError(f"data must hold X_train, y_train, X_val and y_val; {' and '.join(missing)} missing")
    X, y = _inputs_and_labels(f"data['X_{split}']", data[f"X_{split}"], f"data['y_{split}']", data[f"y_{split}"])
    if len(X) != len(y) or len(X) == 0:
        raise ValueError(f"data must hold as many X_{split} as y_{split}, at least one; got {len(X)} and {len(y)}")
    return X, y


def _inputs_and_labels(X_name, X, y_name, y):
    X, y = real_array(X_name, X), real_array(y_name, y)
    if X.ndim == 0:
        raise ValueError(f"{X_name} must have an example a row, got a number")
    if y.dtype.kind not in "iu" or y.ndim != 1:
        raise ValueError(f"{y_name} must hold integer class labels of shape (N,), got {y.dtype} {y.shape}")
    if y.size and y.min() < 0:
        raise ValueError(f"{y_name} must hold labels from 0 on, got {y.min()}")
    return X, y


def _resolve_rule(rule):
    if callable(rule):
        return rule
    if not isinstance(rule, str) or rule not in optim.__all__:
        raise ValueError(f"update_rule must be a function or one of {', '.join(optim.__all__)}; got {rule!r}")
    return getattr(optim, rule)


def _takes_out(rule):
    """Whether an update rule can write to a given array."""
    try:
        return "out" in inspect.signature(rule).parameters
    except ValueError as error:  # of a built-in function
        raise ValueError(f"update_rule must be called as rule(w, dw, config), got {rule!r}") from error


def _name_of(rule):
    """Name of an update rule; that of a reader's own rule is none of the package's."""
    name = getattr(rule, "__name__", type(rule).__name__)
    return name if getattr(optim, name, None) is rule else f"{name} (not of cs231n.optim)"


def _generators(model):
    return [(name, value) for name, value in vars(model).items() if isinstance(value, np.random.Generator)]
