"""Pooling, held against PyTorch, numerical gradients and arrays worked by hand."""

import numpy as np
import pytest
import torch
from arrays import assert_agrees, layouts, seeds, tensors
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from cs231n.fast_layers import (
    avg_pool_backward_fast,
    avg_pool_forward_fast,
    max_pool_backward_fast,
    max_pool_forward_fast,
)
from cs231n.gradient_check import eval_numerical_gradient_array
from cs231n.layers import (
    avg_pool_backward_naive,
    avg_pool_forward_naive,
    max_pool_backward_naive,
    max_pool_forward_naive,
)

MAX = {
    "naive": (max_pool_forward_naive, max_pool_backward_naive),
    "fast": (max_pool_forward_fast, max_pool_backward_fast),
}
AVG = {
    "naive": (avg_pool_forward_naive, avg_pool_backward_naive),
    "fast": (avg_pool_forward_fast, avg_pool_backward_fast),
}
ALL = {f"{kind}-{name}": passes for kind, family in (("max", MAX), ("avg", AVG)) for name, passes in family.items()}


@pytest.fixture(params=sorted(MAX))
def max_pool(request):
    """Forward and backward of one implementation."""
    return MAX[request.param]


@pytest.fixture(params=sorted(AVG))
def avg_pool(request):
    """Forward and backward of one implementation."""
    return AVG[request.param]


@pytest.fixture(params=sorted(ALL))
def pool(request):
    """Forward and backward of one kind and implementation."""
    return ALL[request.param]


def pool_param(pool_height, pool_width, stride):
    return {"pool_height": pool_height, "pool_width": pool_width, "stride": stride}


@st.composite
def geometries(draw):
    """Shapes of images and outputs and the pool_param; windows that overlap, touch, and leave gaps."""
    HH, WW, stride, H_out, W_out = (draw(st.integers(1, 4)) for _ in range(5))
    N, C = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    H, W = (H_out - 1) * stride + HH, (W_out - 1) * stride + WW
    return (N, C, H, W), (N, C, H_out, W_out), pool_param(HH, WW, stride)


def assert_equals_pytorch(passes, pytorch_pool, x, dout, param):
    forward, backward = passes
    out, cache = forward(x, param)
    dx = backward(dout, cache)
    (tx,) = tensors(x)
    expected = pytorch_pool(tx, (param["pool_height"], param["pool_width"]), param["stride"])
    assert_agrees(out, expected)
    assert_agrees(dx, torch.autograd.grad(expected, tx, tensors(dout)[0])[0])


@pytest.mark.parametrize("name", sorted(MAX))
@given(seed=seeds, geometry=geometries(), layout=layouts, ties=st.booleans())
def test_max_pooling_agrees_with_pytorch_on_random_geometry(name, seed, geometry, layout, ties):
    x_shape, out_shape, param = geometry
    rng = np.random.default_rng(seed)
    # Of few whole numbers, most windows have several maxima.
    x = rng.integers(0, 3, x_shape).astype(float) if ties else rng.standard_normal(x_shape)
    assert_equals_pytorch(
        MAX[name], torch.nn.functional.max_pool2d, layout(x), layout(rng.standard_normal(out_shape)), param
    )


@pytest.mark.parametrize("name", sorted(AVG))
@given(seed=seeds, geometry=geometries(), layout=layouts)
def test_average_pooling_agrees_with_pytorch_on_random_geometry(name, seed, geometry, layout):
    x_shape, out_shape, param = geometry
    rng = np.random.default_rng(seed)
    x, dout = layout(rng.standard_normal(x_shape)), layout(rng.standard_normal(out_shape))
    assert_equals_pytorch(AVG[name], torch.nn.functional.avg_pool2d, x, dout, param)


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


def test_a_value_that_is_the_maximum_of_several_windows_receives_all_their_gradients(max_pool):
    forward, backward = max_pool
    x = np.array([[[[0.0, 1.0, 2.0], [3.0, 9.0, 4.0], [5.0, 6.0, 7.0]]]])
    out, cache = forward(x, pool_param(2, 2, 1))
    assert_array_equal(out, [[[[9, 9], [9, 9]]]])
    assert_array_equal(backward(DOUT, cache), [[[[0, 0, 0], [0, 10, 0], [0, 0, 0]]]])


def test_overlapping_averages_add_up(avg_pool):
    forward, backward = avg_pool
    _, cache = forward(np.zeros((1, 1, 3, 3)), pool_param(2, 2, 1))
    assert_array_equal(4 * backward(DOUT, cache), [[[[1, 3, 2], [4, 10, 6], [3, 7, 4]]]])


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


def test_a_dead_image_still_passes_each_gradient_on_once(max_pool):
    forward, backward = max_pool
    rng = np.random.default_rng(0)
    _, cache = forward(np.zeros((2, 3, 4, 4)), pool_param(2, 2, 2))
    dout = rng.standard_normal((2, 3, 2, 2))
    dx = backward(dout, cache)
    assert_array_equal(dx[:, :, ::2, ::2], dout)
    assert np.count_nonzero(dx) == dout.size


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


@pytest.mark.parametrize("param", [pool_param(2, 2, 2), pool_param(3, 2, 1), pool_param(1, 3, 3)])
def test_pooling_matches_numerical_gradients(pool, param):
    forward, backward = pool
    rng = np.random.default_rng(1)
    # A permutation, so that no step of the numerical gradient changes which value of a window is the largest.
    x = rng.permutation(2 * 3 * 7 * 6).reshape(2, 3, 7, 6)[:, :, : 6 + param["pool_height"] % 2] / 10
    out, cache = forward(x, param)
    dout = rng.standard_normal(out.shape)
    numerical = eval_numerical_gradient_array(lambda x: forward(x, param)[0], x, dout)
    assert_allclose(backward(dout, cache), numerical, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("shape", [(0, 3), (2, 0)])
def test_pooling_accepts_a_batch_without_images_and_images_without_channels(pool, shape):
    forward, backward = pool
    out, cache = forward(np.ones((*shape, 4, 4)), pool_param(2, 2, 2))
    assert out.shape == (*shape, 2, 2)
    assert backward(np.ones((*shape, 2, 2)), cache).shape == (*shape, 4, 4)


def test_neither_pass_alters_its_inputs(pool):
    forward, backward = pool
    rng = np.random.default_rng(2)
    x, dout, param = rng.standard_normal((2, 3, 5, 5)), rng.standard_normal((2, 3, 2, 2)), pool_param(3, 3, 2)
    before = x.copy(), dout.copy()
    out, cache = forward(x, param)
    dx = backward(dout, cache)
    for array, original in zip((x, dout), before, strict=True):
        assert_array_equal(array, original)
        assert not np.shares_memory(array, out) and not np.shares_memory(array, dx)
    assert param == pool_param(3, 3, 2)


@pytest.mark.parametrize("param", [pool_param(1, 1, 1), pool_param(2, 2, 1)])
def test_the_output_is_an_array_of_its_own(pool, param):
    forward, backward = pool
    x = np.ones((1, 1, 3, 3))
    out, cache = forward(x, param)
    dout = np.ones(out.shape)
    dx = backward(dout, cache)
    out[:], dx[:] = 5, 5
    assert_array_equal(x, np.ones((1, 1, 3, 3)))
    assert_array_equal(dout, np.ones(dout.shape))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_results_keep_the_dtype_of_the_inputs(pool, dtype):
    forward, backward = pool
    x, dout = np.arange(25).reshape(1, 1, 5, 5).astype(dtype), np.arange(4).reshape(1, 1, 2, 2).astype(dtype)
    out, cache = forward(x, pool_param(3, 3, 2))
    dx = backward(dout, cache)
    assert out.dtype == dx.dtype == dtype
    expected_out, cache = forward(x.astype(float), pool_param(3, 3, 2))
    assert_allclose(out, expected_out, rtol=np.finfo(dtype).eps)
    assert_allclose(dx, backward(dout.astype(float), cache), rtol=4 * np.finfo(dtype).eps)


def test_integers_are_promoted_to_float64(pool):
    forward, backward = pool
    out, cache = forward(np.arange(16).reshape(1, 1, 4, 4), pool_param(2, 2, 2))
    dx = backward(np.ones((1, 1, 2, 2), int), cache)
    assert out.dtype == dx.dtype == np.float64
    assert dx.sum() == 4


@pytest.mark.parametrize(
    ("shape", "changes", "error", "message"),
    [
        ((3, 5, 5), {}, ValueError, r"^x must have shape \(N, C, H, W\), got \(3, 5, 5\)"),
        (
            (2, 3, 5, 4),
            {},
            ValueError,
            r"^pool_param\['stride'\] must divide H − pool_height: \(5 − 2\) / 2 = 3/2 is not a whole number$",
        ),
        (
            (2, 3, 4, 5),
            {},
            ValueError,
            r"^pool_param\['stride'\] must divide W − pool_width: \(5 − 2\) / 2 = 3/2 is not a whole number$",
        ),
        (
            (2, 3, 4, 4),
            {"pool_height": 6},
            ValueError,
            r"^pool_param: pool_height must be from 1 to H = 4, got pool_height = 6$",
        ),
        (
            (2, 3, 4, 4),
            {"pool_width": 5},
            ValueError,
            r"^pool_param: pool_width must be from 1 to W = 4, got pool_width = 5$",
        ),
        (
            (2, 3, 4, 4),
            {"pool_width": 0},
            ValueError,
            r"^pool_param\['pool_width'\] must be an integer of at least 1, got 0",
        ),
        (
            (2, 3, 4, 4),
            {"stride": 2.0},
            TypeError,
            r"^pool_param\['stride'\] must be an integer of at least 1, got 2.0",
        ),
        ((2, 3, 4, 4), {"pad": 0}, ValueError, "^pool_param must hold nothing but 'pool_height', .* got 'pad'"),
    ],
)
def test_a_geometry_that_does_not_fit_is_answered_by_the_formula(pool, shape, changes, error, message):
    with pytest.raises(error, match=message):
        pool[0](np.ones(shape), {**pool_param(2, 2, 2), **changes})


@pytest.mark.parametrize(
    ("param", "error", "message"),
    [
        ({"pool_height": 2, "stride": 2}, ValueError, "^pool_param must have the key 'pool_width', got"),
        (2, TypeError, "^pool_param must be a dictionary, got int"),
    ],
)
def test_an_incomplete_pool_param_is_refused(pool, param, error, message):
    with pytest.raises(error, match=message):
        pool[0](np.ones((2, 3, 4, 4)), param)


def test_inputs_that_are_no_real_numbers_are_refused(pool):
    forward, backward = pool
    with pytest.raises(TypeError, match="^x must be an array of real numbers, got dtype complex128"):
        forward(np.ones((2, 3, 4, 4)) * 1j, pool_param(2, 2, 2))
    _, cache = forward(np.ones((2, 3, 4, 4)), pool_param(2, 2, 2))
    with pytest.raises(TypeError, match="^dout must be an array of real numbers, got dtype complex128"):
        backward(np.ones((2, 3, 2, 2)) * 1j, cache)


@pytest.mark.parametrize("shape", [(2, 3, 2, 1), (2, 3, 4), (1, 3, 2, 2)])
def test_an_upstream_gradient_of_the_wrong_shape_is_refused(pool, shape):
    forward, backward = pool
    _, cache = forward(np.ones((2, 3, 4, 4)), pool_param(2, 2, 2))
    with pytest.raises(ValueError, match=r"^dout must have shape \(2, 3, 2, 2\)"):
        backward(np.ones(shape), cache)
