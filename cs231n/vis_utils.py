"""Every picture of the lessons, under the assignment's name for the module; the code is in :mod:`cs231n.pictures`."""

import numpy as np

from .pictures import charts, classification, convolution, dropout, networks, normalization, pixels, style, training
from .pictures.charts import *
from .pictures.classification import *
from .pictures.convolution import *
from .pictures.dropout import *
from .pictures.networks import *
from .pictures.normalization import *
from .pictures.pixels import *
from .pictures.style import *
from .pictures.training import *

_ROOMS = charts, classification, convolution, dropout, networks, normalization, pixels, style, training
__all__ = ["np", *(name for room in _ROOMS for name in room.__all__)]
