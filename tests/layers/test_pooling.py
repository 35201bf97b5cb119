"""Pooling by hand, on values that do not compare like others, and of windows that do not fit.

Beside PyTorch it is held in test_odd_arguments.
"""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from cs231n.fast_layers import (
    avg_pool_backward_fast,
    avg_pool_forward_fast,
    max_pool_backward_fast,
    max_pool_forward_fast,
)
from cs231n.layers import (
    avg_pool_backward_naive,
    avg_pool_forward_naive,
    max_pool_backward_naive,
    max_pool_forward_naive,
)

MAX = [(max_pool_forward_naive, max_pool_backward_naive), (max_pool_forward_fast, max_pool_backward_fast)]
AVG = [(avg_pool_forward_naive, avg_pool_backward_naive), (avg_pool_forward_fast, avg_pool_backward_fast)]


@pytest.fixture(params=MAX, ids=["naive", "fast"])
def max_pool(request):
    """Forward and backward of one implementation."""
    return request.param


@pytest.fixture(params=AVG, ids=["naive", "fast"])
def avg_pool(request):
    """Forward and backward of one implementation."""
    return request.param


@pytest.fixture(params=MAX + AVG, ids=["max-naive", "max-fast", "avg-naive", "avg-fast"])
def pool(request):
    """Forward and backward of one kind and implementation."""
    return request.param


def pool_param(pool_height, pool_width, stride):
    return {"pool_height": pool_height, "pool_width": pool_width, "stride": stride}


X = np.array([[[[1.0, 5.0, 2.0, 0.0], [3.0, 4.0, 8.0, 6.0], [-1.0, -2.0, 0.0, 7.0], [-4.0, -3.0, 9.0, 0.0]]]])
DOUT = np.array([[[[1.0, 2.0], [3.0, 4.0]]]])


def test_max_pooling_by_hand(max_pool):
    forward, backward = max_pool
    out, cache = forward(X, pool_param(2, 2, 2))
    assert_array_equal(out, [[[[5, 8], [-1, 9]]]])
    assert_array_equal(backward(DOUT, cache), [[[[0, 1, 0, 0], [0, 0, 2, 0], [3, 0, 0, 0], [0, 0, 4, 0]]]])


def test_average_pooling_by_hand(avg_pool):
    forward, backward = avg_pool
    out, cache = forward(X, pool_param(2, 2, 2))
    assert_array_equal(out, [[[[13 / 4, 4], [-2.5, 4]]]])
    quarter = [[0.25, 0.25, 0.5, 0.5], [0.25, 0.25, 0.5, 0.5], [0.75, 0.75, 1, 1], [0.75, 0.75, 1, 1]]
    assert_array_equal(backward(DOUT, cache), [[quarter]])


def test_values_in_several_windows_receive_all_their_gradients(max_pool, avg_pool):
    x = np.array([[[[0.0, 1.0, 2.0], [3.0, 9.0, 4.0], [5.0, 6.0, 7.0]]]])
    for (forward, backward), dx in (
        (max_pool, [[0, 0, 0], [0, 10, 0], [0, 0, 0]]),
        (avg_pool, [[0.25, 0.75, 0.5], [1, 2.5, 1.5], [0.75, 1.75, 1]]),
    ):
        _, cache = forward(x, pool_param(2, 2, 1))
        assert_array_equal(backward(DOUT, cache), [[dx]])


def test_values_between_windows_have_no_part(max_pool, avg_pool):
    x = np.array([[[[1.0, 9.0, 2.0], [9.0, 9.0, 9.0], [3.0, 9.0, 4.0]]]])
    for forward, backward in (max_pool, avg_pool):
        out, cache = forward(x, pool_param(1, 1, 2))
        assert_array_equal(out, [[[[1, 2], [3, 4]]]])
        assert_array_equal(backward(DOUT, cache), [[[[1, 0, 2], [0, 0, 0], [3, 0, 4]]]])


def test_of_equal_maxima_the_first_row_by_row_receives_the_gradient(max_pool):
    forward, backward = max_pool
    x = np.array([[[[0.0, 7.0, 0.0], [7.0, 7.0, 0.0]], [[0.0, 0.0, 0.0], [7.0, 0.0, 7.0]], [[-1.0] * 3, [-1.0] * 3]]])
    _, cache = forward(x, pool_param(2, 3, 1))
    dx = backward(np.array([[[[5.0]], [[6.0]], [[8.0]]]]), cache)
    assert_array_equal(dx, [[[[0, 5, 0], [0, 0, 0]], [[0, 0, 0], [6, 0, 0]], [[8, 0, 0], [0, 0, 0]]]])


def test_zeros_of_either_sign_are_equal(max_pool):
    forward, backward = max_pool
    _, cache = forward(np.array([[[[-0.0, 0.0], [0.0, -0.0]]]]), pool_param(2, 2, 1))
    assert_array_equal(backward(np.array([[[[3.0]]]]), cache), [[[[3, 0], [0, 0]]]])


def test_infinite_maxima_are_found(max_pool):
    forward, backward = max_pool
    x = np.array([[[[-np.inf, -np.inf, 1.0, np.inf], [-np.inf, -np.inf, np.inf, 0.0]]]])
    out, cache = forward(x, pool_param(2, 2, 2))
    assert_array_equal(out, [[[[-np.inf, np.inf]]]])
    assert_array_equal(backward(np.array([[[[3.0, 4.0]]]]), cache), [[[[3, 0, 0, 4], [0, 0, 0, 0]]]])


def test_not_a_number_is_passed_on_never_hidden(pool):
    forward, _ = pool
    x = np.ones((1, 1, 4, 4))
    x[0, 0, 1, 2] = np.nan
    out, _ = forward(x, pool_param(2, 2, 2))
    assert_array_equal(np.isnan(out), [[[[False, True], [False, False]]]])


@pytest.mark.parametrize("place", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_the_first_that_is_not_a_number_is_the_maximum_of_its_window(max_pool, place):
    forward, backward = max_pool
    x, dx = np.ones((2, 1, 1, 2, 2))
    x[0, 0][place], x[0, 0, 1, 1], dx[0, 0] = np.nan, np.nan, 0
    dx[0, 0][place] = 3
    _, cache = forward(x, pool_param(2, 2, 1))
    assert_array_equal(backward(np.full((1, 1, 1, 1), 3.0), cache), dx)


@pytest.mark.parametrize("shape", [(0, 3), (2, 0)])
def test_pooling_accepts_a_batch_without_images_and_images_without_channels(pool, shape):
    forward, backward = pool
    out, cache = forward(np.ones((*shape, 4, 4)), pool_param(2, 2, 2))
    assert out.shape == (*shape, 2, 2)
    assert backward(np.ones((*shape, 2, 2)), cache).shape == (*shape, 4, 4)


@pytest.mark.parametrize(
    ("shape", "window", "message"),
    [
        (
            (2, 3, 5, 4),
            (2, 2, 2),
            r"^pool_param\['stride'\] must divide H − pool_height: \(5 − 2\) / 2 = 3/2 is not a whole number$",
        ),
        (
            (2, 3, 4, 5),
            (2, 2, 2),
            r"^pool_param\['stride'\] must divide W − pool_width: \(5 − 2\) / 2 = 3/2 is not a whole number$",
        ),
        ((2, 3, 4, 4), (5, 2, 1), r"^pool_param: pool_height must be from 1 to H = 4, got pool_height = 5$"),
        ((2, 3, 4, 4), (2, 5, 1), r"^pool_param: pool_width must be from 1 to W = 4, got pool_width = 5$"),
    ],
)
def test_a_geometry_that_does_not_fit_is_answered_by_the_formula(shape, window, message):
    with pytest.raises(ValueError, match=message):
        max_pool_forward_naive(np.ones(shape), pool_param(*window))


@pytest.mark.parametrize("dtypes", [(np.float32, np.float64), (np.float64, np.float32)])
@pytest.mark.parametrize(("forward", "backward"), MAX + AVG)
def test_the_wider_type_is_that_of_the_gradient(forward, backward, dtypes):
    out, cache = forward(np.ones((1, 1, 2, 2), dtypes[0]), {"pool_height": 2, "pool_width": 2, "stride": 2})
    assert out.dtype == dtypes[0]
    assert backward(out.astype(dtypes[1]), cache).dtype == np.float64
