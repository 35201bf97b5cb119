"""Arrays in every memory layout, and PyTorch's copies of them: what the tests share."""

import numpy as np
import torch
from hypothesis import strategies as st


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


LAYOUTS = {
    "contiguous": np.copy,
    "Fortran": np.asfortranarray,
    "strided": lambda array: np.repeat(array, 2, axis=-1)[..., ::2],
    "reversed": lambda array: array[::-1].copy()[::-1],
    "read-only": read_only,
}

seeds = st.integers(0, 2**32 - 1)
layouts = st.sampled_from(sorted(LAYOUTS)).map(LAYOUTS.get)


def tensors(*arrays):
    return [torch.tensor(np.array(array, np.float64), requires_grad=True) for array in arrays]
