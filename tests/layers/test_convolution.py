"""Convolution, held against PyTorch, numerical gradients and arrays worked by hand."""

import numpy as np
import pytest
import torch
from arrays import assert_agrees, layouts, seeds, tensors
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from cs231n.fast_layers import conv_backward_fast, conv_forward_fast
from cs231n.gradient_check import eval_numerical_gradient_array
from cs231n.layers import conv_backward_naive, conv_forward_naive

IMPLEMENTATIONS = {
    "naive": (conv_forward_naive, conv_backward_naive),
    "fast": (conv_forward_fast, conv_backward_fast),
}


@pytest.fixture(params=sorted(IMPLEMENTATIONS))
def conv(request):
    """Forward and backward of one implementation."""
    return IMPLEMENTATIONS[request.param]


@st.composite
def axes(draw, stride, pad):
    """The sizes of image, filter and output along one axis, where the windows fit."""
    window, positions = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    size = (positions - 1) * stride + window - 2 * pad
    if size < 1:
        window += 1 - size
        size = 1
    return size, window, positions


@st.composite
def geometries(draw):
    stride, pad = draw(st.integers(1, 4)), draw(st.integers(0, 3))
    (H, HH, H_out), (W, WW, W_out) = draw(axes(stride, pad)), draw(axes(stride, pad))
    N, C, F = (draw(st.integers(1, 3)) for _ in range(3))
    return (N, C, H, W), (F, C, HH, WW), (N, F, H_out, W_out), {"stride": stride, "pad": pad}


def random_arguments(seed, x_shape, w_shape, out_shape, layout=np.copy):
    rng = np.random.default_rng(seed)
    return [layout(rng.standard_normal(shape)) for shape in (x_shape, w_shape, w_shape[:1], out_shape)]


@pytest.mark.parametrize("name", sorted(IMPLEMENTATIONS))
@given(seed=seeds, geometry=geometries(), layout=layouts)
def test_convolution_agrees_with_pytorch_on_random_geometry(name, seed, geometry, layout):
    forward, backward = IMPLEMENTATIONS[name]
    *shapes, conv_param = geometry
    x, w, b, dout = random_arguments(seed, *shapes, layout)

    out, cache = forward(x, w, b, conv_param)
    gradients = backward(dout, cache)

    inputs = tensors(x, w, b)
    expected = torch.nn.functional.conv2d(*inputs, stride=conv_param["stride"], padding=conv_param["pad"])
    assert_agrees(out, expected)
    for ours, theirs in zip(gradients, torch.autograd.grad(expected, inputs, tensors(dout)[0]), strict=True):
        assert_agrees(ours, theirs)


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


def test_the_filter_is_not_flipped(conv):
    forward, _ = conv
    w = np.zeros((1, 1, 3, 3))
    w[0, 0, 0, 2] = 1
    x = np.arange(9.0).reshape(1, 1, 3, 3)
    out, _ = forward(x, w, np.zeros(1), {"stride": 1, "pad": 1})
    # out[i, j] = x[i - 1, j + 1]
    assert_array_equal(out, [[[[0, 0, 0], [1, 2, 0], [4, 5, 0]]]])


@pytest.mark.parametrize("conv_param", [{"stride": 1, "pad": 1}, {"stride": 2, "pad": 0}, {"stride": 3, "pad": 2}])
def test_convolution_matches_numerical_gradients(conv, conv_param):
    forward, backward = conv
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal(shape) for shape in ((2, 3, 5, 5), (2, 3, 3, 3), (2,))]
    out, cache = forward(*inputs, conv_param)
    dout = rng.standard_normal(out.shape)
    for array, gradient in zip(inputs, backward(dout, cache), strict=True):
        numerical = eval_numerical_gradient_array(lambda _: forward(*inputs, conv_param)[0], array, dout)
        assert_allclose(gradient, numerical, rtol=1e-7, atol=1e-8)


def test_the_gradient_of_the_images_can_be_left_out(conv):
    forward, backward = conv
    x, w, b, dout = random_arguments(1, (2, 3, 4, 4), (2, 3, 3, 3), (2, 2, 4, 4))
    _, cache = forward(x, w, b, {"stride": 1, "pad": 1})
    _, dw, db = backward(dout, cache)
    none, dw_alone, db_alone = backward(dout, cache, need_dx=False)
    assert none is None
    assert_array_equal(dw_alone, dw)
    assert_array_equal(db_alone, db)


def test_the_cache_holds_what_went_in(conv):
    forward, _ = conv
    conv_param = {"stride": 1, "pad": 0}
    arguments = random_arguments(2, (2, 3, 4, 4), (2, 3, 3, 3), (0,))[:3]
    _, cache = forward(*arguments, conv_param)
    assert all(kept is given for kept, given in zip(cache, (*arguments, conv_param), strict=True))


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


def test_neither_pass_alters_its_inputs(conv):
    forward, backward = conv
    arrays = random_arguments(3, (2, 3, 5, 5), (2, 3, 3, 3), (2, 2, 3, 3))
    before = [array.copy() for array in arrays]
    conv_param = {"stride": 2, "pad": 1}
    x, w, b, dout = arrays
    out, cache = forward(x, w, b, conv_param)
    results = [out, *backward(dout, cache)]
    for array, original in zip(arrays, before, strict=True):
        assert_array_equal(array, original)
        assert not any(np.shares_memory(array, result) for result in results)
    assert conv_param == {"stride": 2, "pad": 1}


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_results_keep_the_dtype_of_the_inputs(conv, dtype):
    forward, backward = conv
    arrays = random_arguments(4, (2, 3, 5, 5), (2, 3, 3, 3), (2, 2, 3, 3))
    conv_param = {"stride": 2, "pad": 1}

    def results(dtype):
        x, w, b, dout = (array.astype(dtype) for array in arrays)
        out, cache = forward(x, w, b, conv_param)
        return [out, *backward(dout, cache)]

    for result, expected in zip(results(dtype), results(np.float64), strict=True):
        assert result.dtype == dtype
        assert_allclose(result, expected, rtol=0, atol=30 * np.finfo(dtype).eps * np.abs(expected).max())


def test_integers_are_promoted_to_float64(conv):
    forward, backward = conv
    x, w, b = np.arange(9).reshape(1, 1, 3, 3), np.array([[[[1, 2], [3, 4]]]]), np.array([5])
    out, cache = forward(x, w, b, {"stride": 1, "pad": 0})
    assert_array_equal(out, [[[[32, 42], [62, 72]]]])
    dx, dw, db = backward(np.ones((1, 1, 2, 2), int), cache)
    assert_array_equal(dx, [[[[1, 3, 2], [4, 10, 6], [3, 7, 4]]]])
    assert_array_equal(dw, [[[[8, 12], [20, 24]]]])
    assert {array.dtype for array in (out, dx, dw, db)} == {np.dtype(np.float64)}


X_SHAPE, W_SHAPE, B_SHAPE = SHAPES = (2, 3, 5, 5), (4, 3, 2, 2), (4,)


@pytest.mark.parametrize(
    ("shapes", "conv_param", "error", "message"),
    [
        (((2, 3, 5), W_SHAPE, B_SHAPE), {}, ValueError, r"^x must have shape \(N, C, H, W\), got \(2, 3, 5\)$"),
        (
            (X_SHAPE, (4, 2, 2, 2), B_SHAPE),
            {},
            ValueError,
            r"^w must have shape \(F, C, HH, WW\) with C = 3, got \(4, 2, 2, 2\)$",
        ),
        ((X_SHAPE, W_SHAPE, (3,)), {}, ValueError, r"^b must have shape \(F,\) with F = 4, got \(3,\)$"),
        (
            ((2, 3, 6, 5), (4, 3, 3, 3), B_SHAPE),
            {"stride": 2},
            ValueError,
            r"^conv_param\['stride'\] must divide H \+ 2·pad − HH: \(6 \+ 2·0 − 3\) / 2 = 3/2 is not a whole number$",
        ),
        (
            ((2, 3, 5, 6), (4, 3, 3, 3), B_SHAPE),
            {"stride": 4, "pad": 1},
            ValueError,
            r"^conv_param\['stride'\] must divide W \+ 2·pad − WW: \(6 \+ 2·1 − 3\) / 4 = 5/4 is not a whole number$",
        ),
        (
            ((2, 3, 3, 9), (4, 3, 6, 2), B_SHAPE),
            {"pad": 1},
            ValueError,
            r"^w: HH must be from 1 to H \+ 2·pad = 3 \+ 2·1 = 5, got HH = 6$",
        ),
        (
            ((2, 3, 9, 3), (4, 3, 2, 4), B_SHAPE),
            {},
            ValueError,
            r"^w: WW must be from 1 to W \+ 2·pad = 3 \+ 2·0 = 3, got WW = 4$",
        ),
        ((X_SHAPE, (4, 3, 0, 2), B_SHAPE), {}, ValueError, r"^w: HH must be from 1 to .* got HH = 0$"),
        (SHAPES, {"stride": 0}, ValueError, r"^conv_param\['stride'\] must be an integer of at least 1, got 0$"),
        (SHAPES, {"pad": -1}, ValueError, r"^conv_param\['pad'\] must be an integer of at least 0, got -1$"),
        (SHAPES, {"pad": 0.5}, TypeError, r"^conv_param\['pad'\] must be an integer of at least 0, got 0.5$"),
        (SHAPES, {"pad": (1, 1)}, TypeError, r"^conv_param\['pad'\] must be an integer"),
        (SHAPES, {"padding": 1}, ValueError, "^conv_param must hold nothing but 'stride', 'pad', got 'padding'$"),
    ],
)
def test_a_geometry_that_does_not_fit_is_answered_by_the_formula(conv, shapes, conv_param, error, message):
    x, w, b = map(np.ones, shapes)
    with pytest.raises(error, match=message):
        conv[0](x, w, b, {"stride": 1, "pad": 0, **conv_param})


@pytest.mark.parametrize(
    ("conv_param", "error", "message"),
    [
        ({"stride": 1}, ValueError, "^conv_param must have the key 'pad', got {'stride': 1}"),
        ({"pad": 0}, ValueError, "^conv_param must have the key 'stride', got {'pad': 0}"),
        (None, TypeError, "^conv_param must be a dictionary, got NoneType"),
    ],
)
def test_an_incomplete_conv_param_is_refused(conv, conv_param, error, message):
    with pytest.raises(error, match=message):
        conv[0](np.ones((2, 3, 5, 5)), np.ones((4, 3, 2, 2)), np.ones(4), conv_param)


def test_numpys_integers_are_integers(conv):
    x, w, b = np.ones((1, 1, 3, 3)), np.ones((1, 1, 3, 3)), np.ones(1)
    out, _ = conv[0](x, w, b, {"stride": np.int64(2), "pad": np.uint8(1)})
    assert_array_equal(out, [[[[5, 5], [5, 5]]]])


@pytest.mark.parametrize(("position", "name"), [(0, "x"), (1, "w"), (2, "b")])
def test_inputs_that_are_no_real_numbers_are_refused(conv, position, name):
    arguments = [np.ones((2, 3, 5, 5)), np.ones((4, 3, 2, 2)), np.ones(4)]
    arguments[position] = arguments[position] * 1j
    with pytest.raises(TypeError, match=f"^{name} must be an array of real numbers, got dtype complex128"):
        conv[0](*arguments, {"stride": 1, "pad": 0})


@pytest.mark.parametrize("shape", [(2, 4, 4, 5), (1, 4, 4, 4), (2, 4, 16), (4, 4, 4)])
def test_an_upstream_gradient_of_the_wrong_shape_is_refused(conv, shape):
    forward, backward = conv
    _, cache = forward(np.ones((2, 3, 5, 5)), np.ones((4, 3, 2, 2)), np.ones(4), {"stride": 1, "pad": 0})
    with pytest.raises(ValueError, match=r"^dout must have shape \(2, 4, 4, 4\)"):
        backward(np.ones(shape), cache)
