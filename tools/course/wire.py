"""Values as bytes between the judge and the process that runs a learner's code.

JSON, and no pickle: reading what a learner's process has written runs nothing. An array goes as its bytes, a PyTorch
tensor as an array, and whatever else there is stays where it is and goes as a number, its handle.
"""

import base64
import json
import struct

import numpy as np

__all__ = ["Handle", "decode", "encode", "receive", "send"]

LENGTH = struct.Struct(">I")


class Handle:
    """Stands for an object of the learner's process.

    Parameters
    ----------
    number : int
    kinds : list of str
        Names of its class and of the classes that it is derived from.
    """

    def __init__(self, number, kinds):
        self.number, self.kinds = number, kinds


def encode(value, keep):
    """A value as what JSON knows; ``keep(object)`` returns the handle of any other object."""
    if value is None or isinstance(value, (bool, int, float, str)) and not isinstance(value, np.generic):
        return value
    if isinstance(value, Handle):
        return {"handle": value.number}
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "fiubc":
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        is_number = isinstance(value, np.generic)
        is_fixed = not is_number and not value.flags.writeable
        return {"array": [value.dtype.str, list(value.shape), data, is_number, is_fixed]}
    if {"Tensor", "Parameter"} & {kind.__name__ for kind in type(value).__mro__} and hasattr(value, "requires_grad"):
        return {"tensor": [encode(value.detach().cpu().numpy(), keep), value.requires_grad]}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"dict": {key: encode(item, keep) for key, item in value.items()}}
    if type(value) in (list, tuple):
        return {type(value).__name__: [encode(item, keep) for item in value]}
    return keep(value)


def decode(tree, find):
    """The value that :func:`encode` was given; ``find(number, kinds)`` returns the object of a handle."""
    if not isinstance(tree, dict):
        return tree
    ((kind, content), *_) = tree.items()
    if kind == "handle":
        return find(content, tree.get("kinds"))
    if kind == "array":
        dtype, shape, data, is_number, is_fixed = content
        array = np.frombuffer(base64.b64decode(data), dtype).reshape(shape)
        if is_number:
            return array[()]
        return array if is_fixed else array.copy()
    if kind == "tensor":
        import torch

        array, requires_grad = content
        return torch.tensor(decode(array, find)).requires_grad_(requires_grad)
    if kind == "dict":
        return {key: decode(item, find) for key, item in content.items()}
    return {"list": list, "tuple": tuple}[kind](decode(item, find) for item in content)


def send(file, message):
    data = json.dumps(message).encode()
    file.write(LENGTH.pack(len(data)) + data)
    file.flush()


def receive(file):
    """The next message; None at the end."""
    head = file.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    data = file.read(length)
    return json.loads(data) if len(data) == length else None
