"""Fully connected networks."""

import math

from .. import layer_utils
from ..arguments import choice, class_labels, float_array, float_type, integer, number, sizes
from ..arguments import seed as checked_seed
from ..compute.threads import one_blas_thread
from ..layer_utils import *
from .weights import add_penalty, initial_weights

# All layers too: notebooks of the assignment get them from here.
__all__ = ["FullyConnectedNet", *layer_utils.__all__]

NORMALIZATIONS = {
    "batchnorm": (batchnorm_forward, batchnorm_backward_alt),
    "layernorm": (layernorm_forward, layernorm_backward),
}


class FullyConnectedNet:
    """Classifier of L layers: {affine - [normalization] - ReLU - [dropout]} × (L − 1) - affine - softmax.

    ``params`` holds ``W1``, ``b1``, …, ``WL``, ``bL``; Wi has shape (fan_in, fan_out). With normalization, each of the
    first L − 1 layers has ``gammai`` and ``betai`` too, of shape (fan_out,).

    Parameters
    ----------
    hidden_dims : list or tuple of int
        Units of each hidden layer; L = len(hidden_dims) + 1. It may be empty.
    input_dim : int
        Number of values in an input: the product of its dimensions.
    num_classes : int
    dropout_keep_ratio : float
        Probability that a hidden unit is kept in training, above 0; 1 for no dropout.
    normalization : {None, "batchnorm", "layernorm"}
    reg : float
        Strength of the L2 penalty on the weights, 0.5 · reg · Σ W²; biases, gammas and betas have none.
    weight_scale : float or {"xavier", "kaiming"}
        Standard deviation of the Gaussian initial weights, drawn from NumPy's global random state, or the function of
        :mod:`cs231n.initializers` that draws them by each layer's width. Biases and betas start at 0, gammas at 1.
    dtype : floating-point type
        Of the parameters and of all computation; inputs are cast to it.
    seed : int or None
        Seeds NumPy's global random state before every dropout mask is drawn, so that a layer drops the same units in
        every step; for gradient checks.

    Attributes
    ----------
    params : dict of arrays
    bn_params : list of dict
        The bn_param of each batch norm, which keeps its running averages from one loss to the next; they are what
        :class:`~cs231n.solver.Solver` stores and puts back.
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
        hidden_dims = sizes("hidden_dims", hidden_dims)
        dims = [integer("input_dim", input_dim, least=1), *hidden_dims, integer("num_classes", num_classes, least=1)]
        self.num_layers = len(dims) - 1
        self.normalization = choice("normalization", normalization, (None, *NORMALIZATIONS))
        self.reg = number("reg", reg, least=0)
        self.dtype = float_type("dtype", dtype)
        self.use_dropout = dropout_keep_ratio != 1
        self.dropout_param = {"mode": "train", "p": number("dropout_keep_ratio", dropout_keep_ratio, above=0, most=1)}
        if seed is not None:
            self.dropout_param["seed"] = checked_seed("seed", seed)
        self.bn_params = [{"mode": "train"} for _ in hidden_dims] if normalization else []

        self.params = {}
        for i, shape in enumerate(zip(dims[:-1], dims[1:], strict=True), start=1):
            self.params[f"W{i}"] = initial_weights(shape, weight_scale).astype(dtype, copy=False)
            self.params[f"b{i}"] = np.zeros(shape[1], dtype)
            if normalization and i < self.num_layers:
                self.params[f"gamma{i}"] = np.ones(shape[1], dtype)
                self.params[f"beta{i}"] = np.zeros(shape[1], dtype)

    def loss(self, X, y=None):
        """Scores of a batch, or its loss and the gradients.

        Without labels batch norm and dropout are in test mode, with labels in training mode.

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
        out, y = self._checked(X, y)
        for layer_param in (self.dropout_param, *self.bn_params):
            layer_param["mode"] = "test" if y is None else "train"
        L, params = self.num_layers, self.params
        with one_blas_thread():
            caches = {}
            for i in range(1, L):
                out, caches[i] = self._hidden_forward(i, out)
            scores, caches[L] = affine_forward(out, params[f"W{L}"], params[f"b{L}"])
            if y is None:
                return scores

            loss, dout = softmax_loss(scores, y)
            grads = {}
            dout, grads[f"W{L}"], grads[f"b{L}"] = affine_backward(dout, caches.pop(L), need_dx=L > 1)
            for i in range(L - 1, 0, -1):
                dout = self._hidden_backward(i, dout, caches.pop(i), grads)
            return float(loss) + add_penalty(params, grads, self.reg), grads

    def _hidden_forward(self, i, x):
        """Layer i: affine - [normalization] - ReLU - [dropout]."""
        params = self.params
        x, affine_cache = affine_forward(x, params[f"W{i}"], params[f"b{i}"])
        norm_cache = dropout_cache = None
        if self.normalization:
            forward, _ = NORMALIZATIONS[self.normalization]
            x, norm_cache = forward(x, params[f"gamma{i}"], params[f"beta{i}"], self.bn_params[i - 1])
        x, relu_cache = relu_forward(x)
        if self.use_dropout:
            x, dropout_cache = dropout_forward(x, self.dropout_param)
        return x, (affine_cache, norm_cache, relu_cache, dropout_cache)

    def _hidden_backward(self, i, dout, cache, grads):
        """Layer i backward: puts the gradients of its parameters into ``grads`` and returns that of its input."""
        affine_cache, norm_cache, relu_cache, dropout_cache = cache
        if self.use_dropout:
            dout = dropout_backward(dout, dropout_cache)
        dout = relu_backward(dout, relu_cache)
        if self.normalization:
            _, backward = NORMALIZATIONS[self.normalization]
            dout, grads[f"gamma{i}"], grads[f"beta{i}"] = backward(dout, norm_cache)
        # The gradient of the inputs is of no use.
        dout, grads[f"W{i}"], grads[f"b{i}"] = affine_backward(dout, affine_cache, need_dx=i > 1)
        return dout

    def _checked(self, X, y):
        """The inputs in the network's type and their labels, if they fit."""
        D, C = len(self.params["W1"]), len(self.params[f"b{self.num_layers}"])
        X = float_array("X", X).astype(self.dtype, copy=False)
        if X.ndim == 0 or math.prod(X.shape[1:]) != D:
            raise ValueError(f"X must have shape (N, d_1, ..., d_k) with inputs of {D} values, got {X.shape}")
        return X, y if y is None else class_labels(y, (len(X), C), "the scores of X")
