"""Convolutional networks."""

from .. import layer_utils
from ..arguments import class_labels, float_array, float_type, integer, number, require_shape, sizes
from ..compute.threads import one_blas_thread
from ..layer_utils import *
from .weights import add_penalty, initial_weights

# All layers too: notebooks of the assignment get them from here.
__all__ = ["ThreeLayerConvNet", *layer_utils.__all__]

POOL_PARAM = {"pool_height": 2, "pool_width": 2, "stride": 2}


class ThreeLayerConvNet:
    """Classifier of three layers: conv - ReLU - 2×2 max pool - affine - ReLU - affine - softmax.

    The convolution has stride 1, and padding that keeps the size of the image. ``params`` holds ``W1`` (num_filters,
    C, filter_size, filter_size), ``W2`` (num_filters · H/2 · W/2, hidden_dim), ``W3`` (hidden_dim, num_classes), and
    their biases ``b1``, ``b2``, ``b3``.

    Parameters
    ----------
    input_dim : (C, H, W)
        Shape of an image; H and W are even, for the pooling.
    num_filters : int
    filter_size : int
        Height and width of a filter; odd, since no padding keeps the size of an image otherwise.
    hidden_dim : int
        Units of the hidden affine layer.
    num_classes : int
    weight_scale : float or {"xavier", "kaiming"}
        Standard deviation of the Gaussian initial weights, drawn from NumPy's global random state, or the function of
        :mod:`cs231n.initializers` that draws them by each layer's width. Biases start at 0.
    reg : float
        Strength of the L2 penalty on the weights: 0.5 · reg · Σ W².
    dtype : floating-point type
        Of the parameters and of all computation; inputs are cast to it.

    Attributes
    ----------
    params : dict of arrays
    """

    def __init__(
        self,
        input_dim=(3, 32, 32),
        num_filters=32,
        filter_size=7,
        hidden_dim=100,
        num_classes=10,
        weight_scale=1e-3,
        reg=0.0,
        dtype=np.float32,
    ):
        C, H, W = sizes("input_dim", input_dim, length=3)
        num_filters = integer("num_filters", num_filters, least=1)
        filter_size = integer("filter_size", filter_size, least=1)
        hidden_dim = integer("hidden_dim", hidden_dim, least=1)
        num_classes = integer("num_classes", num_classes, least=1)
        if H % 2 or W % 2:
            raise ValueError(f"input_dim must have an even height and width, for 2×2 pooling, got {input_dim!r}")
        if filter_size % 2 == 0:
            raise ValueError(f"filter_size must be odd, for padding that keeps the image's size, got {filter_size}")

        self.reg = number("reg", reg, least=0)
        self.dtype = float_type("dtype", dtype)
        self.input_dim = C, H, W
        self.conv_param = {"stride": 1, "pad": (filter_size - 1) // 2}
        shapes = (
            (num_filters, C, filter_size, filter_size),
            (num_filters * (H // 2) * (W // 2), hidden_dim),
            (hidden_dim, num_classes),
        )
        self.params = {}
        for i, (shape, width) in enumerate(zip(shapes, (num_filters, hidden_dim, num_classes), strict=True), start=1):
            self.params[f"W{i}"] = initial_weights(shape, weight_scale).astype(dtype, copy=False)
            self.params[f"b{i}"] = np.zeros(width, dtype)

    def loss(self, X, y=None):
        """Scores of a batch, or its loss and the gradients.

        Parameters
        ----------
        X : array (N, C, H, W)
            Images of the shape input_dim.
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
        X, y = self._checked(X, y)
        params = self.params
        with one_blas_thread():
            out, conv_cache = conv_relu_pool_forward(X, params["W1"], params["b1"], self.conv_param, POOL_PARAM)
            out, hidden_cache = affine_relu_forward(out, params["W2"], params["b2"])
            scores, cache = affine_forward(out, params["W3"], params["b3"])
            if y is None:
                return scores

            loss, dout = softmax_loss(scores, y)
            grads = {}
            dout, grads["W3"], grads["b3"] = affine_backward(dout, cache)
            dout, grads["W2"], grads["b2"] = affine_relu_backward(dout, hidden_cache)
            # The gradient of the images is of no use.
            _, grads["W1"], grads["b1"] = conv_relu_pool_backward(dout, conv_cache, need_dx=False)
            return float(loss) + add_penalty(params, grads, self.reg), grads

    def _checked(self, X, y):
        """The images in the network's type and their labels, if they fit."""
        X = float_array("X", X).astype(self.dtype, copy=False)
        require_shape("X", X, (*X.shape[:1], *self.input_dim), "images of the shape input_dim")
        return X, y if y is None else class_labels(y, (len(X), len(self.params["b3"])), "the scores of X")
