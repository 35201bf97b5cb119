"""What PyTorch says of a formula."""

import numpy as np

from ..arguments import array, require_shape

__all__ = ["autograd"]


def autograd(f, *inputs, dout=None):
    """Value and gradients of a function by PyTorch's automatic differentiation, in float64.

    Parameters
    ----------
    f : callable
        ``f(*tensors)`` returns a tensor.
    *inputs : arrays
        Floating-point arrays become float64 tensors with a gradient; others are passed on as they are.
    dout : array of the shape of f's result, optional
        Upstream gradient; not needed where f returns a single number.

    Returns
    -------
    out : array
    gradients : list of arrays
        One for each floating-point input.
    """
    import torch

    inputs = [np.asarray(value) for value in inputs]
    # PyTorch takes neither negative strides nor another byte order.
    types = [np.float64 if value.dtype.kind == "f" else value.dtype.newbyteorder("=") for value in inputs]
    tensors = [torch.tensor(value.astype(dtype, order="C")) for value, dtype in zip(inputs, types)]
    leaves = [tensor.requires_grad_() for tensor in tensors if tensor.is_floating_point()]
    out = f(*tensors)
    if not isinstance(out, torch.Tensor) or not out.requires_grad:
        raise TypeError(f"f must return a tensor that depends on its floating-point inputs, got {type(out).__name__}")
    if dout is None and out.numel() != 1:
        raise ValueError(f"dout must be passed where f returns an array, of its shape {tuple(out.shape)}")
    if dout is not None:
        dout = array("dout", dout)
        require_shape("dout", dout, tuple(out.shape), "that of f's result")
        dout = torch.tensor(dout.astype(np.float64, order="C"))
    out.backward(dout)
    gradients = [torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in leaves]
    return out.detach().numpy(), [gradient.numpy() for gradient in gradients]
