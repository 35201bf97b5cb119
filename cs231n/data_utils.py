"""The data under the assignment's names.

Two environment variables choose between CIFAR-10 and Shapes-10: see :mod:`cs231n.data.lesson_data`.
"""

import numpy as np

from .data.cifar10 import load_CIFAR10, load_CIFAR_batch
from .data.lesson_data import class_names, data_set_name, get_CIFAR10_data, get_images

__all__ = ["np", "class_names", "data_set_name", "get_CIFAR10_data", "get_images", "load_CIFAR10", "load_CIFAR_batch"]
