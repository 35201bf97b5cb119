"""Convolution by hand, without images and of windows that do not fit; beside PyTorch it is in test_odd_arguments."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from cs231n.fast_layers import conv_backward_fast, conv_forward_fast
from cs231n.layers import conv_backward_naive, conv_forward_naive

IMPLEMENTATIONS = [(conv_forward_naive, conv_backward_naive), (conv_forward_fast, conv_backward_fast)]


@pytest.fixture(params=IMPLEMENTATIONS, ids=["naive", "fast"])
def conv(request):
    """Forward and backward of one implementation."""
    return request.param


def test_convolution_by_hand(conv):
    forward, backward = conv
    x = np.array([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]]])
    w = np.array([[[[1.0, 0.0], [0.0, -1.0]]], [[[0.0, 2.0], [1.0, 0.0]]]])
    out, cache = forward(x, w, np.array([10.0, 0.0]), {"stride": 1, "pad": 0})
    assert_array_equal(out, [[[[6, 6], [6, 6]], [[2 * 2 + 4, 2 * 3 + 5], [2 * 5 + 7, 2 * 6 + 8]]]])

    dout = np.array([[[[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [3.0, 0.0]]]])
    dx, dw, db = backward(dout, cache)
    assert_array_equal(dx, [[[[1, 0, 0], [0, -1 + 6, 0], [3, 0, 0]]]])
    assert_array_equal(dw, [[[[1, 2], [4, 5]]], [[[12, 15], [21, 24]]]])
    assert_array_equal(db, [1, 3])


def test_channels_add_up_and_padding_is_zero(conv):
    forward, backward = conv
    x = np.array([[[[1.0]], [[10.0]]]])
    w = np.arange(1.0, 19.0).reshape(1, 2, 3, 3)
    out, cache = forward(x, w, np.zeros(1), {"stride": 2, "pad": 2})
    # Each corner of the filter meets the one pixel once.
    assert_array_equal(out, [[[[9 + 10 * 18, 7 + 10 * 16], [3 + 10 * 12, 1 + 10 * 10]]]])
    dx, dw, _ = backward(np.array([[[[1.0, 2.0], [3.0, 4.0]]]]), cache)
    assert_array_equal(dx, [[[[9 + 14 + 9 + 4]], [[18 + 32 + 36 + 40]]]])
    assert_array_equal(dw, [[[[4, 0, 3], [0, 0, 0], [2, 0, 1]], [[40, 0, 30], [0, 0, 0], [20, 0, 10]]]])


@pytest.mark.parametrize("N", [0, 1])
@pytest.mark.parametrize("F", [0, 2])
def test_a_convolution_accepts_an_empty_batch_and_an_empty_bank_of_filters(conv, N, F):
    forward, backward = conv
    out, cache = forward(np.ones((N, 3, 4, 5)), np.ones((F, 3, 2, 2)), np.ones(F), {"stride": 1, "pad": 0})
    assert out.shape == (N, F, 3, 4)
    dx, dw, db = backward(np.ones((N, F, 3, 4)), cache)
    assert dx.shape == (N, 3, 4, 5)
    assert_array_equal(dw, np.full((F, 3, 2, 2), 12.0 * N))
    assert_array_equal(db, np.full(F, 12.0 * N))


@pytest.mark.parametrize(
    ("x_shape", "window", "conv_param", "message"),
    [
        (
            (2, 3, 6, 5),
            (3, 3),
            {"stride": 2, "pad": 0},
            r"^conv_param\['stride'\] must divide H \+ 2·pad − HH: \(6 \+ 2·0 − 3\) / 2 = 3/2 is not a whole number$",
        ),
        (
            (2, 3, 5, 6),
            (3, 3),
            {"stride": 4, "pad": 1},
            r"^conv_param\['stride'\] must divide W \+ 2·pad − WW: \(6 \+ 2·1 − 3\) / 4 = 5/4 is not a whole number$",
        ),
        (
            (2, 3, 3, 9),
            (6, 2),
            {"stride": 1, "pad": 1},
            r"^w: HH must be from 1 to H \+ 2·pad = 3 \+ 2·1 = 5, got HH = 6$",
        ),
        (
            (2, 3, 9, 3),
            (2, 4),
            {"stride": 1, "pad": 0},
            r"^w: WW must be from 1 to W \+ 2·pad = 3 \+ 2·0 = 3, got WW = 4$",
        ),
        ((2, 3, 5, 5), (0, 2), {"stride": 1, "pad": 0}, r"^w: HH must be from 1 to .* got HH = 0$"),
    ],
)
def test_a_geometry_that_does_not_fit_is_answered_by_the_formula(x_shape, window, conv_param, message):
    with pytest.raises(ValueError, match=message):
        conv_forward_naive(np.ones(x_shape), np.ones((4, 3, *window)), np.ones(4), conv_param)


@pytest.mark.parametrize("wide", range(4))
def test_the_widest_type_is_that_of_the_results(conv, wide):
    forward, backward = conv
    x, w, b = np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)), np.ones(1)
    dtypes = [np.float64 if i == wide else np.float32 for i in range(4)]
    arrays = [array.astype(dtype) for array, dtype in zip((x, w, b), dtypes)]
    out, cache = forward(*arrays, {"stride": 1, "pad": 0})
    assert out.dtype == (np.float32 if wide == 3 else np.float64)
    dx, dw, _ = backward(np.ones_like(out, dtypes[3]), cache)
    assert dx.dtype == dw.dtype == (np.float32 if wide == 2 else np.float64)
