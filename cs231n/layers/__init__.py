"""Layers, forward beside backward, one module per family.

Every layer is a pair of functions: ``layer_forward(x, …) -> (out, cache)`` and
``layer_backward(dout, cache) -> gradients``, the gradients in the order of the inputs. A loss takes scores and labels
and gives ``(loss, dscores)`` at once.
"""

from .activations import relu_backward, relu_forward
from .affine import affine_backward, affine_forward
from .losses import softmax_loss, svm_loss

__all__ = [
    "affine_forward",
    "affine_backward",
    "relu_forward",
    "relu_backward",
    "softmax_loss",
    "svm_loss",
]
