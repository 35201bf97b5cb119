"""The checks of arguments, at the edges of what they let through."""

import math
import sys

import numpy as np
import pytest

from cs231n.layers.arguments import (
    as_float,
    class_labels,
    require_integer,
    require_labels,
    require_number,
    require_number_in,
    require_seed,
)
from cs231n.layers.geometry import conv_geometry


@pytest.mark.parametrize("seed", [0, 1, np.int64(7), 2**32 - 1])
def test_integers_that_seed_numpy_are_seeds(seed):
    require_seed("seed", seed)
    np.random.RandomState(seed)


@pytest.mark.parametrize("seed", [-1, 2**32, 2**32 + 1, True, 1.0, "1", None])
def test_nothing_else_is_a_seed(seed):
    with pytest.raises(ValueError, match=r"^seed must be an integer from 0 to 2\*\*32 - 1, got"):
        require_seed("seed", seed)


@pytest.mark.parametrize("value", [0, -1e300, 1e300, np.float32(2)])
def test_without_bounds_any_finite_number_will_do(value):
    require_number("x", value)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 10**400, -(10**400), "1", None])
def test_without_bounds_a_number_must_be_finite(value):
    with pytest.raises(ValueError, match="^x must be a number"):
        require_number("x", value)


def test_integers_too_large_for_a_float_are_infinite():
    assert as_float(10**400) == math.inf
    assert as_float(-(10**400)) == -math.inf
    assert as_float(-3) == -3.0


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_numbers_up_to_the_largest_of_a_type_fit_it(dtype):
    limits = np.finfo(dtype)
    require_number_in("eps", float(limits.max), np.dtype(dtype))
    require_number_in("eps", float(limits.smallest_subnormal), np.dtype(dtype))
    with pytest.raises(ValueError, match=f"^eps must be a number that {np.dtype(dtype)} tells from 0 and infinity"):
        require_number_in("eps", float(limits.smallest_subnormal) / 4, np.dtype(dtype))


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_a_number_above_the_largest_of_a_type_does_not(dtype):
    with pytest.raises(ValueError, match="^eps must be a number that"):
        require_number_in("eps", 2 * float(np.finfo(dtype).max), np.dtype(dtype))


def test_an_integer_may_be_so_large_that_a_float_still_tells_it_from_the_next():
    require_integer("n", 2**53, least=1)
    with pytest.raises(ValueError, match=f"^n must be an integer of at most {2**53}, got {2**53 + 1}"):
        require_integer("n", 2**53 + 1, least=1)


def test_none_is_an_integer_only_where_it_is_allowed():
    require_integer("n", None, least=1, optional=True)
    with pytest.raises(ValueError, match="^n must be an integer of at least 1, got None"):
        require_integer("n", None, least=1)
    with pytest.raises(ValueError, match="^n must be an integer of at least 1 or None, got 0"):
        require_integer("n", 0, least=1, optional=True)


def test_labels_are_named_after_the_scores_or_inputs_they_belong_to():
    with pytest.raises(ValueError, match=r"for the 3 columns of x, got labels from 0 to 3"):
        class_labels(np.array([0, 3]), np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"for the 3 columns of the scores of X, got labels from 0 to 3"):
        require_labels(np.array([0, 3]), np.zeros((2, 4)), 3)
    with pytest.raises(ValueError, match=r"^X must hold inputs for scores \(N, C\)"):
        require_labels(np.array([], int), np.zeros((0, 4)), 3)


def test_padding_beyond_memory_is_refused_with_the_size_of_the_images():
    x, w, b = np.zeros((1, 1, 4, 5)), np.zeros((1, 1, 3, 3)), np.zeros(1)
    size = (4 + 2 * 10**10) * (5 + 2 * 10**10)
    with pytest.raises(ValueError, match=rf"^conv_param\['pad'\] makes images of {size} values"):
        conv_geometry(x, w, b, {"stride": 1, "pad": 10**10})


@pytest.mark.parametrize(("F", "widest"), [(5, 6), (7, 7)])
def test_the_padding_that_memory_could_hold_is_that_of_all_images_and_the_widest_copy(F, widest):
    N, C, HH, WW = 3, 2, 3, 3
    x, w, b = np.zeros((N, C, 4, 4)), np.zeros((F, C, HH, WW)), np.zeros(F)
    side = math.isqrt(sys.maxsize // 16 // (N * widest))  # of an image with its border
    pad = (side - 4) // 2
    assert conv_geometry(x, w, b, {"stride": 1, "pad": pad})[1] == pad
    with pytest.raises(ValueError, match=r"^conv_param\['pad'\] makes images"):
        conv_geometry(x, w, b, {"stride": 1, "pad": pad + 1})
