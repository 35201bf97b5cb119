"""Saving and resuming a training run: files written whole or not at all, and read without running anything.

A checkpoint is a NumPy archive (.npz), one file an epoch: ``<checkpoint_name>_epoch_<n>.npz``. Every array of the run
is a member, named by its place ("params/W1", "optim_configs/W1/m"); the member "tree" is a JSON text that holds the
numbers and strings, and says where the arrays belong. No member is a pickle. The archive has a CRC-32 of each member,
which reveals damage.
"""

import errno
import io
import json
import os
import re
import zlib
from itertools import islice
from pathlib import Path
from urllib.parse import quote

import numpy as np

from . import optim
from .arguments import path as checked_path
from .files import replacing

__all__ = ["latest_checkpoint"]

FORMAT = 1
# What a run that is resumed goes on with, and what may be chosen anew.
KEPT = ("lr_decay", "batch_size", "num_train_samples", "num_val_samples", "optim_config")
FREE = ("num_epochs", "print_every", "verbose", "nonfinite")
HISTORIES = ("loss_history", "train_acc_history", "val_acc_history")
MOST_DIFFERENCES = 3  # that a message names


def latest_checkpoint(checkpoint_name):
    """The checkpoint that was written last.

    Parameters
    ----------
    checkpoint_name : str or path
        As given to :class:`~cs231n.solver.Solver`.

    Returns
    -------
    Path or None
        The newest of the files ``<checkpoint_name>_epoch_<n>.npz``; None where there is none.
    """
    checked_path("checkpoint_name", checkpoint_name)
    # Not the one with the largest n, which may have been left by a longer run of the same name.
    files = _files_of(checkpoint_name, ".npz")
    return files[max(files, key=lambda epoch: (files[epoch].stat().st_mtime_ns, epoch))] if files else None


def prepare(checkpoint_name):
    """Raise ``OSError`` unless checkpoints can be written, and remove what a killed run has left half written."""
    folder = Path(f"{checkpoint_name}_epoch_1.npz").parent
    if not folder.is_dir():
        raise FileNotFoundError(
            errno.ENOENT, f"checkpoint_name is {str(checkpoint_name)!r}, but there is no folder {folder}: make it first"
        )
    if not os.access(folder, os.W_OK):
        raise PermissionError(
            errno.EACCES,
            f"checkpoint_name is {str(checkpoint_name)!r}, but the folder {folder} cannot be written: "
            "change its permissions or choose another",
        )
    for part in _files_of(checkpoint_name, ".npz.part").values():
        part.unlink(missing_ok=True)


def save(path, run):
    """Write a checkpoint, whole or not at all; the run is a dictionary that :func:`load` returns as it was."""
    path, arrays = Path(path), {}
    tree = _pack({"format": FORMAT, **run}, (), arrays)
    try:
        with replacing(path) as file:
            np.savez(file, tree=np.array(json.dumps(tree)), **arrays)
    except OSError as error:
        raise OSError(
            error.errno,
            f"the checkpoint {path} cannot be written ({error.strerror or error}); earlier ones are as they were. "
            "Put that right, then go on from the last one with Solver.resume",
        ) from error


def load(path):
    """Read a run that :func:`save` has written.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    dict

    Raises
    ------
    OSError
        If there is no such file or it cannot be read.
    ValueError
        If it is not a checkpoint, or damaged.
    """
    try:
        content = Path(checked_path("path", path)).read_bytes()
    except FileNotFoundError as error:
        raise FileNotFoundError(
            errno.ENOENT,
            f"there is no checkpoint {path}: name a file <checkpoint_name>_epoch_<n>.npz; "
            "cs231n.checkpoints.latest_checkpoint(checkpoint_name) finds the last one",
        ) from error
    try:
        if not content.startswith(b"PK"):
            raise ValueError("it is not an .npz archive")
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            members = {name: archive[name] for name in archive.files}
        if "tree" not in members:
            raise ValueError("it holds no training run")
        run = _unpack(json.loads(members["tree"].item()), members)
        if run.pop("format") != FORMAT:
            raise ValueError("another version of the workbook wrote it")
    except Exception as error:  # a damaged archive may raise anything
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(
            f"{path} is not a checkpoint, or damaged ({reason}): resume from an earlier epoch's, or train anew"
        ) from error
    return run


def save_run(solver):
    """Write ``<checkpoint_name>_epoch_<n>.npz``, all that a run needs to go on, and return its path."""
    run = {
        "epoch": np.int64(solver.epoch),
        "iteration": solver._iteration,
        "params": solver.model.params,
        "best_params": solver.best_params,
        "bn_params": getattr(solver.model, "bn_params", []),
        "best_bn_params": solver._best_bn_params,
        "optim_configs": solver.optim_configs,
        **{name: np.array(getattr(solver, name)) for name in HISTORIES},
        "best_val_acc": solver.best_val_acc,
        "nonfinite_reported": solver._nonfinite_reported,
        "random_states": _random_states(solver.model),
        "kept": _kept(solver),
        "free": {name: getattr(solver, name) for name in FREE},
        "given": solver._description,
    }
    path = f"{solver.checkpoint_name}_epoch_{solver.epoch}.npz"
    save(path, run)
    return path


def resume_run(solver_class, path, model, data, **kwargs):
    """See :meth:`Solver.resume <cs231n.solver.Solver.resume>`."""
    run = load(path)
    rule = run["kept"].pop("update_rule")
    if "update_rule" not in kwargs:
        if rule not in optim.RULES:
            raise ValueError(f"update_rule must be passed: the run of {path} had {rule}")
        kwargs["update_rule"] = rule
    checkpoint_name = re.sub(r"(_epoch_\d+)?\.npz$", "", str(path))
    solver = solver_class(model, data, **{"checkpoint_name": checkpoint_name, **run["free"], **run["kept"], **kwargs})
    was, now = {"update_rule": rule, **run["kept"], **run["given"]}, {**_kept(solver), **describe(solver)}
    if differences := list(islice(_differences(was, now, ""), MOST_DIFFERENCES)):
        raise ValueError(
            f"{path} belongs to another run: {'; '.join(differences)}. Pass what that run was passed, or train anew"
        )

    model.params = run["params"]
    if run["bn_params"]:
        model.bn_params = run["bn_params"]
    solver.epoch = int(run["epoch"])
    for name in ("best_params", "optim_configs", "best_val_acc"):
        setattr(solver, name, run[name])
    for name in HISTORIES:
        setattr(solver, name, run[name].tolist())
    for name in ("iteration", "best_bn_params", "nonfinite_reported", "random_states"):
        setattr(solver, f"_{name}", run[name])
    solver._checkpoint = path
    return solver


def describe(solver):
    """What must be the same for a run to go on: the data by their checksums, the model by its settings.

    These are its class, the type and shape of its parameters, and its other attributes that are numbers, strings, None,
    NumPy generators, or tuples and dictionaries of them, but for a layer's mode, which changes all the time.
    """
    model = solver.model
    return {
        "model": {
            "class": type(model).__name__,
            "params": {name: f"{np.asarray(w).dtype} {np.shape(w)}" for name, w in model.params.items()},
            **{
                name: _setting(value)
                for name, value in vars(model).items()
                if name not in ("params", "bn_params") and not name.startswith("_") and _is_setting(value)
            },
        },
        "data": {
            name: f"{array.dtype} {array.shape} of CRC-32 {zlib.crc32(np.ascontiguousarray(array)):08x}"
            for name, array in vars(solver).items()
            if name in ("X_train", "y_train", "X_val", "y_val")
        },
    }


def name_of_rule(rule):
    """Name of an update rule of :mod:`cs231n.optim`; that of any other rule says that it is from elsewhere."""
    name = getattr(rule, "__name__", type(rule).__name__)
    return name if getattr(optim, name, None) is rule else f"{name} (not of cs231n.optim)"


def set_random_states(model, states):
    """Restore NumPy's global random state, and those of the model's own generators, from a checkpoint."""
    np.random.set_state(states["numpy"])
    for name, rng in _generators(model):
        rng.bit_generator.state = states["model"][name]


def _random_states(model):
    own = {name: rng.bit_generator.state for name, rng in _generators(model)}
    return {"numpy": np.random.get_state(legacy=False), "model": own}


def _generators(model):
    return [(name, value) for name, value in vars(model).items() if isinstance(value, np.random.Generator)]


def _kept(solver):
    """Settings that a run has from its beginning to its end."""
    return {"update_rule": name_of_rule(solver.update_rule), **{name: getattr(solver, name) for name in KEPT}}


def _files_of(checkpoint_name, suffix):
    """The files of a run by their epoch."""
    start = Path(f"{checkpoint_name}_epoch_")
    pattern = re.compile(re.escape(start.name) + r"(\d+)" + re.escape(suffix))
    names = os.listdir(start.parent) if start.parent.is_dir() else []
    return {int(match[1]): start.with_name(match[0]) for match in map(pattern.fullmatch, names) if match}


def _pack(value, place, arrays):
    """A JSON tree of a value; its arrays, and NumPy's numbers with their type, go into ``arrays``."""
    if isinstance(value, (np.ndarray, np.generic)) and not value.dtype.hasobject:
        name = "/".join(quote(str(step), safe="") for step in place)
        arrays[name] = value
        return {"array" if isinstance(value, np.ndarray) else "number": name}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"dict": {key: _pack(item, (*place, key), arrays) for key, item in value.items()}}
    if isinstance(value, (list, tuple)):
        items = [_pack(item, (*place, i), arrays) for i, item in enumerate(value)]
        return items if isinstance(value, list) else {"tuple": items}
    raise TypeError(
        f"{'/'.join(map(str, place)) or 'run'} must be an array, number, string or None, or a list, tuple or "
        f"dictionary of them, to be kept in a checkpoint, got {type(value).__name__}"
    )


def _unpack(tree, arrays):
    if isinstance(tree, list):
        return [_unpack(item, arrays) for item in tree]
    if not isinstance(tree, dict):
        return tree
    ((kind, content),) = tree.items()
    if kind == "dict":
        return {key: _unpack(item, arrays) for key, item in content.items()}
    if kind == "tuple":
        return tuple(_unpack(item, arrays) for item in content)
    return arrays[content] if kind == "array" else arrays[content][()]


def _is_setting(value):
    if isinstance(value, dict):
        return all(isinstance(key, str) for key in value) and all(map(_is_setting, value.values()))
    if isinstance(value, tuple):
        return all(map(_is_setting, value))
    return value is None or isinstance(value, (bool, int, float, str, np.number, np.bool_, np.random.Generator))


def _setting(value):
    if isinstance(value, dict):
        return {key: _setting(item) for key, item in value.items() if key != "mode"}
    if isinstance(value, tuple):
        return tuple(map(_setting, value))
    return type(value.bit_generator).__name__ if isinstance(value, np.random.Generator) else value


def _differences(was, now, name):
    """Sentences on where two trees differ."""
    if isinstance(was, dict) and isinstance(now, dict):
        for key in {**was, **now}:
            inner = f"{name}.{key}" if name else key
            if key not in now:
                yield f"{inner} is missing"
            elif key not in was:
                yield f"{inner} is new"
            else:
                yield from _differences(was[key], now[key], inner)
    elif not np.array_equal(was, now):
        yield f"{name} was {was} and is {now}"
