"""Layers, forward beside backward, one module per family.

Every layer is a pair of functions: ``layer_forward(x, …) -> (out, cache)`` and
``layer_backward(dout, cache) -> gradients``, the gradients in the order of the inputs. A loss takes scores and labels
and gives ``(loss, dscores)`` at once.
"""

from .activations import relu_backward, relu_forward
from .affine import affine_backward, affine_forward
from .convolution import conv_backward_naive, conv_forward_naive
from .dropout import dropout_backward, dropout_forward
from .losses import softmax_loss, svm_loss
from .normalization import (
    batchnorm_backward,
    batchnorm_backward_alt,
    batchnorm_forward,
    layernorm_backward,
    layernorm_forward,
    spatial_batchnorm_backward,
    spatial_batchnorm_forward,
    spatial_groupnorm_backward,
    spatial_groupnorm_forward,
)
from .pooling import (
    avg_pool_backward_naive,
    avg_pool_forward_naive,
    max_pool_backward_naive,
    max_pool_forward_naive,
)

__all__ = [
    "affine_forward",
    "affine_backward",
    "relu_forward",
    "relu_backward",
    "batchnorm_forward",
    "batchnorm_backward",
    "batchnorm_backward_alt",
    "layernorm_forward",
    "layernorm_backward",
    "spatial_batchnorm_forward",
    "spatial_batchnorm_backward",
    "spatial_groupnorm_forward",
    "spatial_groupnorm_backward",
    "dropout_forward",
    "dropout_backward",
    "conv_forward_naive",
    "conv_backward_naive",
    "max_pool_forward_naive",
    "max_pool_backward_naive",
    "avg_pool_forward_naive",
    "avg_pool_backward_naive",
    "softmax_loss",
    "svm_loss",
]
