"""Layers, forward beside backward, one module per family.

Every layer is a pair of functions: ``layer_forward(x, …) -> (out, cache)`` and
``layer_backward(dout, cache) -> gradients``, the gradients in the order of the inputs. A loss takes scores and labels
and returns ``(loss, dscores)`` at once.
"""

import numpy as np

from . import activations, affine, convolution, dropout, losses, normalization, pooling
from .activations import *
from .affine import *
from .convolution import *
from .dropout import *
from .losses import *
from .normalization import *
from .pooling import *

_FAMILIES = affine, activations, normalization, dropout, convolution, pooling, losses
# Notebooks of the assignment get np from here too.
__all__ = ["np", *(name for family in _FAMILIES for name in family.__all__)]
