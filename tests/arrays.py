"""Arrays in every memory layout, and comparison with PyTorch's: what the tests of layers share."""

import numpy as np
import torch
from hypothesis import strategies as st
from numpy.testing import assert_allclose


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


def assert_agrees(ours, theirs):
    assert_allclose(ours, theirs.detach().numpy(), rtol=1e-10, atol=1e-12)
    assert ours.shape == tuple(theirs.shape)
