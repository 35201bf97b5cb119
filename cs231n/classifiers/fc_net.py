"""Fully connected networks."""

import numbers

import numpy as np

from .. import initializers
from ..blocks import in_blocks
from ..layer_utils import affine_relu_backward, affine_relu_forward
from ..layers import affine_backward, affine_forward, softmax_loss
from ..layers.arguments import float_array

__all__ = ["FullyConnectedNet"]


def _require_positive_integer(name, value):
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1, got {value!r}")


def _require_not_negative(name, value):
    if not isinstance(value, numbers.Real) or not 0 <= value < np.inf:
        raise ValueError(f"{name} must be a number of at least 0, got {value!r}")


class FullyConnectedNet:
    """Classifier of L layers: {affine - ReLU} × (L − 1) - affine - softmax.

    ``params`` holds ``W1``, ``b1``, …, ``WL``, ``bL``; Wi has shape (fan_in, fan_out).

    Parameters
    ----------
    hidden_dims : sequence of int
        Units of each hidden layer; L = len(hidden_dims) + 1.
    input_dim : int
        Values of an input, all dimensions multiplied.
    num_classes : int
    dropout_keep_ratio : float
        1: no dropout. Smaller ratios need a dropout layer, which the package does not have yet.
    normalization : None
        "batchnorm" and "layernorm" need normalization layers, which the package does not have yet.
    reg : float
        Strength of the L2 penalty on the weights: 0.5 · reg · Σ W².
    weight_scale : float or {"xavier", "kaiming"}
        Standard deviation of the Gaussian initial weights, or the initializer that derives it from each layer's
        width. Biases start at 0.
    dtype : floating-point type
        Of the parameters and of all computation; inputs are cast to it.
    seed : int or None
        Of the dropout masks.

    Raises
    ------
    ValueError
        If an argument is out of its range.
    NotImplementedError
        If normalization or dropout is asked for.
    """

    def __init__(
        self,
        hidden_dims,
        input_dim=3 * 32 * 32,
        num_classes=10,
        dropout_keep_ratio=1,
        normalization=None,
        reg=0.0,
        weight_scale=1e-2,
        dtype=np.float32,
        seed=None,
    ):
        if np.ndim(hidden_dims) != 1:
            raise ValueError(f"hidden_dims must be a sequence of integers, got {hidden_dims!r}")
        dims = [input_dim, *hidden_dims, num_classes]
        for name, dim in zip(["input_dim", *["hidden_dims"] * len(hidden_dims), "num_classes"], dims, strict=True):
            _require_positive_integer(name, dim)
        _require_not_negative("reg", reg)
        if normalization not in (None, "batchnorm", "layernorm"):
            raise ValueError(f'normalization must be None, "batchnorm" or "layernorm", got {normalization!r}')
        if not isinstance(dropout_keep_ratio, numbers.Real) or not 0 < dropout_keep_ratio <= 1:
            raise ValueError(f"dropout_keep_ratio must be above 0 and at most 1, got {dropout_keep_ratio!r}")
        if np.dtype(dtype).kind != "f":
            raise ValueError(f"dtype must be a floating-point type, got {dtype!r}")
        if normalization is not None:
            raise NotImplementedError(f"normalization={normalization!r}: cs231n.layers has no such layer yet")
        if dropout_keep_ratio != 1:
            raise NotImplementedError(f"dropout_keep_ratio={dropout_keep_ratio!r}: cs231n.layers has no dropout yet")

        self.normalization = normalization
        self.use_dropout = dropout_keep_ratio != 1
        self.reg = reg
        self.num_layers = len(dims) - 1
        self.dtype = dtype
        self.params = {}
        for i, shape in enumerate(zip(dims[:-1], dims[1:], strict=True), start=1):
            self.params[f"W{i}"] = _initial_weights(shape, weight_scale).astype(dtype, copy=False)
            self.params[f"b{i}"] = np.zeros(shape[1], dtype)

    def loss(self, X, y=None):
        """Scores of a batch, or its loss and the gradients.

        Parameters
        ----------
        X : array (N, d_1, ..., d_k)
            Inputs, d_1 · … · d_k = input_dim.
        y : integer array (N,), optional
            Labels.

        Returns
        -------
        scores : array (N, num_classes)
            Without labels.
        loss : float
            With labels: the mean softmax loss plus the penalty.
        grads : dict of arrays
            With labels: the gradient of the loss for each of ``params``, under the same names.
        """
        out = float_array("X", X).astype(self.dtype, copy=False)
        params, L = self.params, self.num_layers
        caches = {}
        for i in range(1, L):
            out, caches[i] = affine_relu_forward(out, params[f"W{i}"], params[f"b{i}"])
        scores, caches[L] = affine_forward(out, params[f"W{L}"], params[f"b{L}"])
        if y is None:
            return scores

        loss, dout = softmax_loss(scores, y)
        grads = {}
        dout, grads[f"W{L}"], grads[f"b{L}"] = affine_backward(dout, caches.pop(L), need_dx=L > 1)
        for i in range(L - 1, 0, -1):
            dout, grads[f"W{i}"], grads[f"b{i}"] = affine_relu_backward(dout, caches.pop(i), need_dx=i > 1)
        return float(loss) + self._regularize(grads), grads

    def _regularize(self, grads):
        """Add the penalty's gradient to those of the weights, and give the penalty."""
        if self.reg == 0:
            return 0.0

        def add_decay(dW, W):
            dW += self.reg * W

        penalty = 0.0
        for i in range(1, self.num_layers + 1):
            W = self.params[f"W{i}"]
            in_blocks(add_decay, grads[f"W{i}"], np.ascontiguousarray(W))
            penalty += 0.5 * self.reg * float(np.vdot(W, W))
        return penalty


def _initial_weights(shape, weight_scale):
    if isinstance(weight_scale, str):
        if weight_scale not in ("xavier", "kaiming"):
            raise ValueError(f'weight_scale must be a number, "xavier" or "kaiming", got {weight_scale!r}')
        return getattr(initializers, weight_scale)(shape)
    _require_not_negative("weight_scale", weight_scale)
    return initializers.normal(shape, weight_scale)
