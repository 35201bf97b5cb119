"""Checkpoints: files that hold a training run, written whole or not at all, and read without running anything.

A checkpoint is a NumPy archive (.npz), one file an epoch: ``<checkpoint_name>_epoch_<n>.npz``. Every array of the run
is a member, named by its place ("params/W1", "optim_configs/W1/m"); the member "tree" is a JSON text that holds the
numbers and strings, and says where the arrays belong. No member is a pickle. The archive has a CRC-32 of each member,
by which damage is noticed.
"""

import contextlib
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

from .layers.arguments import real_array, require_path, require_type

__all__ = ["describe_data", "describe_model", "latest_checkpoint", "load", "prepare", "require_same", "save"]

FORMAT = 1
OWN_NAMES = ("format", "tree", "file", "allow_pickle")  # of the tree, its member, and the parameters of np.savez
ROWS_AT_ONCE = 1000
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
    require_path("checkpoint_name", checkpoint_name)
    # Not the one with the largest n, which may have been left by a longer run of the same name.
    files = _files_of(checkpoint_name, ".npz")
    return files[max(files, key=lambda epoch: (files[epoch].stat().st_mtime_ns, epoch))] if files else None


def prepare(checkpoint_name):
    """Make sure that checkpoints can be written, and remove what a killed run has left half written.

    Parameters
    ----------
    checkpoint_name : str or path

    Raises
    ------
    OSError
        If there is no such folder or it cannot be written.
    """
    require_path("checkpoint_name", checkpoint_name)
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
    """Write a checkpoint, whole or not at all.

    Parameters
    ----------
    path : str or path
        A file that is there is replaced when the new one is complete.
    run : dict
        Of arrays, numbers, strings, None, and dictionaries, lists and tuples of them.

    Raises
    ------
    OSError
        If the file cannot be written; what was there is as it was.
    TypeError
        If the run holds anything else.
    """
    require_path("path", path)
    require_type("run", run, dict, "a dictionary")
    if names := [name for name in OWN_NAMES if name in run]:
        raise ValueError(f"run must not hold {names[0]!r}, a name that checkpoints have for themselves")
    path, arrays = Path(path), {}
    tree = _pack({"format": FORMAT, **run}, (), arrays)
    part = path.with_name(path.name + ".part")
    try:
        with open(part, "wb") as file:
            np.savez(file, tree=np.array(json.dumps(tree)), **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        raise OSError(
            error.errno,
            f"the checkpoint {path} cannot be written ({error.strerror or error}); earlier ones are as they were. "
            "Put that right, then go on from the last one with Solver.resume",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def load(path):
    """Read a checkpoint.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    run : dict
        As given to :func:`save`.

    Raises
    ------
    OSError
        If there is no such file or it cannot be read.
    ValueError
        If it is not a checkpoint, or damaged.
    """
    require_path("path", path)
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise FileNotFoundError(
            errno.ENOENT,
            f"there is no checkpoint {path}: name a file <checkpoint_name>_epoch_<n>.npz; "
            "cs231n.checkpoints.latest_checkpoint(checkpoint_name) finds the last one",
        ) from error
    try:
        if not content.startswith(b"PK"):
            raise ValueError("it is no .npz archive")
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
            f"{path} is no checkpoint, or a damaged one ({reason}): resume from that of an earlier epoch, or train anew"
        ) from error
    return run


def describe_model(model):
    """What must be the same in a model for a run to go on with it.

    Parameters
    ----------
    model : object

    Returns
    -------
    dict
        Its class, the type and shape of its parameters, and those of its other attributes that are numbers, strings,
        None, NumPy generators, or tuples and dictionaries of them; a layer's mode changes all the time and is left
        out.
    """
    require_type("model.params", getattr(model, "params", None), dict, "a dictionary of arrays")
    return {
        "class": type(model).__name__,
        "params": {name: f"{np.asarray(w).dtype} {np.shape(w)}" for name, w in model.params.items()},
        **{
            name: _setting(value)
            for name, value in vars(model).items()
            if name not in ("params", "bn_params") and not name.startswith("_") and _is_setting(value)
        },
    }


def describe_data(data):
    """What must be the same in the data for a run to go on with them.

    Parameters
    ----------
    data : dict of arrays

    Returns
    -------
    dict of str
        Type, shape and checksum of each array.
    """
    require_type("data", data, dict, "a dictionary")
    data = {name: np.atleast_1d(real_array(f"data[{name!r}]", array)) for name, array in data.items()}
    return {name: f"{array.dtype} {array.shape} of CRC-32 {_checksum(array):08x}" for name, array in data.items()}


def require_same(path, was, now):
    """Make sure that a run goes on with what it began with.

    Parameters
    ----------
    path : str or path
        The checkpoint, for the message.
    was, now : dict
        Of dictionaries, numbers, strings and arrays.

    Raises
    ------
    ValueError
        Naming what differs.
    """
    require_type("was", was, dict, "a dictionary")
    require_type("now", now, dict, "a dictionary")
    differences = list(islice(_differences(was, now, ""), MOST_DIFFERENCES))
    if differences:
        raise ValueError(
            f"{path} is of another run: {'; '.join(differences)}. Give what that run was given, or train anew"
        )


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


def _checksum(array):
    """CRC-32 of the values in C order, without a copy of all of them."""
    checksum = 0
    for start in range(0, len(array), ROWS_AT_ONCE):
        checksum = zlib.crc32(np.ascontiguousarray(array[start : start + ROWS_AT_ONCE]), checksum)
    return checksum


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
