"""The training loop."""

import copy
import inspect
import math
import numbers
import os
import warnings
from pathlib import Path

import numpy as np

from . import optim
from .progress import progress_bar

__all__ = ["Solver", "NonFiniteLossWarning"]


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
        After each epoch, parameters and histories are saved as ``<checkpoint_name>_epoch_<n>.npz``.
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
        self.model = model
        self.X_train, self.y_train = _examples(data, "train")
        self.X_val, self.y_val = _examples(data, "val")

        self.update_rule = _resolve_rule(kwargs.pop("update_rule", "sgd"))
        self._in_place = "out" in inspect.signature(self.update_rule).parameters
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
            _require_integer(name, getattr(self, name), least, optional)
        if not isinstance(self.optim_config, dict):
            raise TypeError(f"optim_config must be a dictionary, got {self.optim_config!r}")
        if not isinstance(self.lr_decay, numbers.Real) or not 0 < self.lr_decay < math.inf:
            raise ValueError(f"lr_decay must be a number above 0, got {self.lr_decay!r}")
        if self.nonfinite not in ("continue", "stop"):
            raise ValueError(f'nonfinite must be "continue" or "stop", got {self.nonfinite!r}')
        self._reset()

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
        if num_samples is not None and len(X) > num_samples:
            sample = np.random.choice(len(X), num_samples)
            X, y = X[sample], y[sample]
        starts = range(0, len(X), batch_size)
        predicted = [np.argmax(self.model.loss(X[i : i + batch_size]), axis=1) for i in starts]
        return float(np.mean(np.concatenate(predicted) == y))

    def train(self):
        """Train for ``num_epochs`` epochs and leave the best parameters in the model.

        Interrupted from the keyboard, the run ends early and the model keeps the best parameters so far.
        """
        iterations_per_epoch = max(len(self.X_train) // self.batch_size, 1)
        num_iterations = self.num_epochs * iterations_per_epoch
        self.interrupted = False
        for name, w in self.model.params.items():
            self.model.params[name] = np.array(w, order="C")

        # An overflowing run is reported by _finite, once; NumPy would warn at every operation of every step.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            with progress_bar(num_iterations, "training", "it") as bar:
                try:
                    self._iterate(num_iterations, iterations_per_epoch, bar)
                except KeyboardInterrupt:
                    self.interrupted = True
                    bar.write(
                        f"Interrupted after {len(self.loss_history)} iterations: the model keeps the best parameters "
                        f"so far (val_acc {self.best_val_acc:f})"
                    )
        if self.best_params:
            self.model.params = {name: w.copy() for name, w in self.best_params.items()}
            if self._best_bn_params:
                self.model.bn_params = copy.deepcopy(self._best_bn_params)

    def _iterate(self, num_iterations, iterations_per_epoch, bar):
        for t in range(num_iterations):
            going_on = self._step()
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
                        config["learning_rate"] *= self.lr_decay
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
        """Write ``<checkpoint_name>_epoch_<n>.npz``, whole or not at all."""
        path = Path(f"{self.checkpoint_name}_epoch_{self.epoch}.npz")
        part = path.with_name(path.name + ".part")
        arrays = {f"params/{name}": w for name, w in self.model.params.items()}
        for history in ("loss_history", "train_acc_history", "val_acc_history"):
            arrays[history] = np.array(getattr(self, history))
        try:
            with open(part, "wb") as file:
                np.savez(file, epoch=self.epoch, **arrays)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)


def _examples(data, split):
    """Inputs and labels of one split, which must be as many."""
    missing = [name for name in (f"X_{split}", f"y_{split}") if name not in data]
    if missing:
        raise ValueError(f"data must hold X_train, y_train, X_val and y_val; {' and '.join(missing)} missing")
    X, y = data[f"X_{split}"], data[f"y_{split}"]
    if len(X) != len(y) or len(X) == 0:
        raise ValueError(f"data must hold as many X_{split} as y_{split}, at least one; got {len(X)} and {len(y)}")
    return X, y


def _resolve_rule(rule):
    if callable(rule):
        return rule
    if not isinstance(rule, str) or rule not in optim.__all__:
        raise ValueError(f"update_rule must be a function or one of {', '.join(optim.__all__)}; got {rule!r}")
    return getattr(optim, rule)


def _require_integer(name, value, least, optional):
    if optional and value is None:
        return
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}{' or None' * optional}, got {value!r}")
