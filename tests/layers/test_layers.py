"""Layers and losses, held against PyTorch's autograd, numerical gradients and arrays worked by hand."""

import math
import warnings

import numpy as np
import pytest
import torch
from arrays import assert_agrees, layouts, seeds, tensors
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from cs231n.gradient_check import eval_numerical_gradient, eval_numerical_gradient_array
from cs231n.layer_utils import affine_relu_backward, affine_relu_forward
from cs231n.layers import affine_backward, affine_forward, relu_backward, relu_forward, softmax_loss, svm_loss

sizes = st.integers(1, 5)
scales = st.sampled_from([1e-3, 1.0, 30.0, 1e4])


def scores_and_labels(seed, N, C, scale):
    rng = np.random.default_rng(seed)
    return scale * rng.uniform(-1, 1, (N, C)), rng.integers(0, C, N)


# Affine layer


@given(seeds, sizes, st.lists(st.integers(1, 4), max_size=3), sizes, layouts)
def test_affine_agrees_with_pytorch_on_random_shapes(seed, N, dims, M, layout):
    rng = np.random.default_rng(seed)
    x, w, b, dout = (layout(rng.standard_normal(shape)) for shape in ((N, *dims), (math.prod(dims), M), (M,), (N, M)))

    out, cache = affine_forward(x, w, b)
    gradients = affine_backward(dout, cache)

    inputs = tensors(x, w, b)
    expected = inputs[0].reshape(N, -1) @ inputs[1] + inputs[2]
    assert_agrees(out, expected)
    for ours, theirs in zip(gradients, torch.autograd.grad(expected, inputs, tensors(dout)[0]), strict=True):
        assert_agrees(ours, theirs)


def test_affine_forward_by_hand():
    x = np.array([[[1.0, 2.0], [3.0, 4.0]]])
    w = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [2.0, -1.0]])
    out, _ = affine_forward(x, w, np.array([10.0, 20.0]))
    assert_array_equal(out, [[1 + 3 + 8 + 10, 2 + 3 - 4 + 20]])


def test_affine_backward_by_hand():
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    w = np.array([[5.0, 6.0, 0.0], [7.0, 8.0, 1.0]])
    dout = np.array([[1.0, 0.0, 2.0], [0.0, 1.0, 0.0]])
    dx, dw, db = affine_backward(dout, affine_forward(x, w, np.zeros(3))[1])
    assert_array_equal(dx, [[5, 9], [6, 8]])
    assert_array_equal(dw, [[1, 3, 2], [2, 4, 4]])
    assert_array_equal(db, [1, 1, 2])


@pytest.mark.parametrize(
    ("forward", "backward"),
    [
        (affine_forward, affine_backward),
        (affine_relu_forward, affine_relu_backward),
    ],
)
def test_affine_layers_match_numerical_gradients(forward, backward):
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal(shape) for shape in ((4, 2, 3), (6, 5), (5,))]
    dout = rng.standard_normal((4, 5))
    gradients = backward(dout, forward(*inputs)[1])
    for array, gradient in zip(inputs, gradients, strict=True):
        numerical = eval_numerical_gradient_array(lambda _: forward(*inputs)[0], array, dout)
        assert_allclose(gradient, numerical, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(
    ("forward", "backward"),
    [
        (affine_forward, affine_backward),
        (affine_relu_forward, affine_relu_backward),
    ],
)
def test_the_gradient_of_the_input_can_be_left_out(forward, backward):
    rng = np.random.default_rng(1)
    x, w, b, dout = (rng.standard_normal(shape) for shape in ((3, 2, 2), (4, 5), (5,), (3, 5)))
    _, cache = forward(x, w, b)
    _, dw, db = backward(dout, cache)
    none, dw_alone, db_alone = backward(dout, cache, need_dx=False)
    assert none is None
    assert_array_equal(dw_alone, dw)
    assert_array_equal(db_alone, db)


def test_an_affine_layer_accepts_an_empty_batch():
    out, cache = affine_forward(np.zeros((0, 2, 3)), np.ones((6, 4)), np.ones(4))
    assert out.shape == (0, 4)
    dx, dw, db = affine_backward(np.zeros((0, 4)), cache)
    assert dx.shape == (0, 2, 3)
    assert_array_equal(dw, np.zeros((6, 4)))
    assert_array_equal(db, np.zeros(4))


# ReLU


@given(seeds, st.lists(sizes, min_size=1, max_size=4), layouts)
def test_relu_agrees_with_pytorch_on_random_shapes(seed, shape, layout):
    rng = np.random.default_rng(seed)
    # Whole numbers, so that the corner at 0 is among them.
    x = layout(rng.integers(-2, 3, shape).astype(float))
    dout = layout(rng.standard_normal(shape))

    out, cache = relu_forward(x)
    dx = relu_backward(dout, cache)

    (tx,) = tensors(x)
    expected = torch.relu(tx)
    assert_agrees(out, expected)
    assert_agrees(dx, torch.autograd.grad(expected, tx, tensors(dout)[0])[0])


def test_relu_by_hand():
    x = np.array([[-1.5, 0.0, 2.0]])
    out, cache = relu_forward(x)
    assert_array_equal(out, [[0, 0, 2]])
    assert_array_equal(relu_backward(np.array([[3.0, 4.0, 5.0]]), cache), [[0, 0, 5]])


def test_relu_matches_the_numerical_gradient():
    rng = np.random.default_rng(2)
    x, dout = rng.standard_normal((5, 6)), rng.standard_normal((5, 6))
    numerical = eval_numerical_gradient_array(lambda x: relu_forward(x)[0], x, dout)
    assert_allclose(relu_backward(dout, relu_forward(x)[1]), numerical, rtol=1e-7, atol=1e-9)


# Sandwich


@given(seeds, sizes, st.lists(st.integers(1, 4), max_size=3), sizes, layouts)
def test_affine_relu_agrees_with_pytorch_on_random_shapes(seed, N, dims, M, layout):
    rng = np.random.default_rng(seed)
    x, w, b, dout = (layout(rng.standard_normal(shape)) for shape in ((N, *dims), (math.prod(dims), M), (M,), (N, M)))

    out, cache = affine_relu_forward(x, w, b)
    gradients = affine_relu_backward(dout, cache)

    inputs = tensors(x, w, b)
    expected = torch.relu(inputs[0].reshape(N, -1) @ inputs[1] + inputs[2])
    assert_agrees(out, expected)
    for ours, theirs in zip(gradients, torch.autograd.grad(expected, inputs, tensors(dout)[0]), strict=True):
        assert_agrees(ours, theirs)


# Losses


@given(seeds, sizes, sizes, scales, layouts)
def test_softmax_loss_agrees_with_pytorch_on_random_scores(seed, N, C, scale, layout):
    x, y = scores_and_labels(seed, N, C, scale)
    loss, dx = softmax_loss(layout(x), layout(y))
    (tx,) = tensors(x)
    expected = torch.nn.functional.cross_entropy(tx, torch.tensor(y))
    assert_agrees(loss, expected)
    assert_agrees(dx, torch.autograd.grad(expected, tx)[0])


@given(seeds, sizes, sizes, scales, layouts)
def test_svm_loss_agrees_with_pytorch_on_random_scores(seed, N, C, scale, layout):
    x, y = scores_and_labels(seed, N, C, scale)
    loss, dx = svm_loss(layout(x), layout(y))
    (tx,) = tensors(x)
    # PyTorch divides by the number of classes.
    expected = C * torch.nn.functional.multi_margin_loss(tx, torch.tensor(y))
    assert_agrees(loss, expected)
    assert_agrees(dx, torch.autograd.grad(expected, tx)[0])


def test_softmax_loss_by_hand():
    x = np.log([[1.0, 2.0, 5.0], [3.0, 3.0, 2.0]])
    loss, dx = softmax_loss(x, np.array([1, 0]))
    assert_allclose(loss, -(np.log(2 / 8) + np.log(3 / 8)) / 2, rtol=1e-14)
    assert_allclose(dx, [[1 / 16, -6 / 16, 5 / 16], [-5 / 16, 3 / 16, 2 / 16]], rtol=1e-14)


def test_svm_loss_by_hand():
    x = np.array([[3.0, 5.0, 1.0, 2.5], [0.0, 9.0, 0.0, 0.0]])
    loss, dx = svm_loss(x, np.array([0, 1]))
    assert loss == (3 + 0.5) / 2
    assert_array_equal(dx, [[-1, 0.5, 0, 0.5], [0, 0, 0, 0]])


def test_svm_loss_does_not_push_a_class_exactly_on_the_margin():
    loss, dx = svm_loss(np.array([[1.0, 0.0]]), np.array([0]))
    assert loss == 0
    assert_array_equal(dx, np.zeros((1, 2)))


@pytest.mark.parametrize("loss_function", [softmax_loss, svm_loss])
def test_losses_match_the_numerical_gradient(loss_function):
    x, y = scores_and_labels(3, 6, 5, scale=1.0)
    numerical = eval_numerical_gradient(lambda x: loss_function(x, y)[0], x, verbose=False)
    assert_allclose(loss_function(x, y)[1], numerical, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(("loss_function", "expected"), [(softmax_loss, math.log(7)), (svm_loss, 6)])
def test_equal_scores_cost_what_a_guess_costs(loss_function, expected):
    loss, _ = loss_function(np.full((4, 7), 3.0), np.array([0, 6, 2, 2]))
    assert_allclose(loss, expected, rtol=1e-14)


@pytest.mark.parametrize("loss_function", [softmax_loss, svm_loss])
@given(seed=seeds, N=sizes, C=sizes)
def test_losses_see_differences_of_scores_only(loss_function, seed, N, C):
    x, y = scores_and_labels(seed, N, C, scale=3.0)
    loss, dx = loss_function(x, y)
    shifted_loss, shifted_dx = loss_function(x + 10, y)
    assert_allclose(shifted_loss, loss, rtol=1e-10, atol=1e-12)
    assert_allclose(shifted_dx, dx, rtol=1e-10, atol=1e-12)
    assert_allclose(dx.sum(axis=1), 0, atol=1e-12)


@pytest.mark.parametrize("loss_function", [softmax_loss, svm_loss])
def test_losses_are_means_over_the_batch(loss_function):
    x, y = scores_and_labels(4, 3, 5, scale=1.0)
    loss, dx = loss_function(x, y)
    twice_loss, twice_dx = loss_function(np.concatenate([x, x]), np.concatenate([y, y]))
    assert_allclose(twice_loss, loss, rtol=1e-12)
    assert_allclose(twice_dx, np.concatenate([dx, dx]) / 2, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_loss_is_right_for_extreme_scores(dtype):
    x = np.array([[1e4, -1e4, 0.0], [1e4, -1e4, 0.0], [-1e4, -1e4, -1e4]], dtype)
    loss, dx = softmax_loss(x, np.array([1, 0, 2]))
    assert_allclose(loss, (2e4 + 0 + math.log(3)) / 3, rtol=1e-6)
    assert_allclose(dx, [[1 / 3, -1 / 3, 0], [0, 0, 0], [1 / 9, 1 / 9, -2 / 9]], rtol=1e-6)
    assert dx.dtype == dtype


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(
    ("scores", "label", "loss", "dx"),
    [
        ([np.inf, 1, 2], 0, 0, [0, 0, 0]),
        ([np.inf, 1, -np.inf], 1, np.inf, [1, -1, 0]),
        ([np.inf, 1, np.inf], 2, math.log(2), [0.5, 0, -0.5]),
        ([np.inf, np.inf, 7, np.inf], 2, np.inf, [1 / 3, 1 / 3, -1, 1 / 3]),
        ([-np.inf, 3, 3], 1, math.log(2), [0, -0.5, 0.5]),
        ([-np.inf, 3, 3], 0, np.inf, [-1, 0.5, 0.5]),
        ([np.inf, np.nan, 0], 0, np.nan, [np.nan] * 3),
        ([-np.inf, np.nan, 0], 2, np.nan, [np.nan] * 3),
    ],
)
def test_softmax_loss_of_infinite_scores_is_its_limit(scores, label, loss, dx, dtype):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one, gradient = softmax_loss(np.array([scores], dtype), [label])
        batch, _ = softmax_loss(np.array([scores, [0] * len(scores)], dtype), [label, 0])
    assert_allclose(one, loss, rtol=np.finfo(dtype).eps)
    assert_allclose(gradient, [dx], rtol=np.finfo(dtype).eps)
    assert_allclose(batch, (loss + math.log(len(scores))) / 2, rtol=np.finfo(dtype).eps)


@pytest.mark.parametrize("loss_function", [softmax_loss, svm_loss])
@pytest.mark.parametrize("labels", [[0, 2], np.array([0, 2], np.uint8), np.array([0, 2], np.int32), (0, 2)])
def test_labels_may_be_integers_of_any_kind(loss_function, labels):
    x, _ = scores_and_labels(5, 2, 3, scale=1.0)
    loss, dx = loss_function(x, labels)
    expected_loss, expected_dx = loss_function(x, np.array([0, 2]))
    assert loss == expected_loss
    assert_array_equal(dx, expected_dx)


# What all layers share

X = np.array([[1, -2, 3], [-4, 5, 0]])
W = np.array([[1, 0], [-2, 1], [0, 3]])
B = np.array([1, -1])
Y = np.array([2, 0])
DOUT = np.array([[1, -1], [2, 3]])

CALLS = {
    "affine_forward": lambda x, w, b, y, dout: affine_forward(x, w, b)[:1],
    "affine_backward": lambda x, w, b, y, dout: affine_backward(dout, affine_forward(x, w, b)[1]),
    "relu_forward": lambda x, w, b, y, dout: relu_forward(x)[:1],
    "relu_backward": lambda x, w, b, y, dout: [relu_backward(x, relu_forward(x)[1])],
    "affine_relu_forward": lambda x, w, b, y, dout: affine_relu_forward(x, w, b)[:1],
    "affine_relu_backward": lambda x, w, b, y, dout: affine_relu_backward(dout, affine_relu_forward(x, w, b)[1]),
    "softmax_loss": lambda x, w, b, y, dout: softmax_loss(x, y),
    "svm_loss": lambda x, w, b, y, dout: svm_loss(x, y),
}


@pytest.fixture(params=sorted(CALLS))
def call(request):
    return CALLS[request.param]


def test_no_layer_alters_its_inputs(call):
    arrays = [a.astype(float) for a in (X, W, B)] + [Y.copy(), DOUT.astype(float)]
    before = [array.copy() for array in arrays]
    call(*arrays)
    for array, original in zip(arrays, before, strict=True):
        assert_array_equal(array, original)


def test_integers_are_promoted_to_float64(call):
    from_integers = call(X, W, B, Y, DOUT)
    from_floats = call(*(a.astype(float) for a in (X, W, B)), Y, DOUT.astype(float))
    for result, expected in zip(from_integers, from_floats, strict=True):
        assert result.dtype == np.float64
        assert_array_equal(result, expected)


def test_float32_stays_float32(call):
    for result in call(*(a.astype(np.float32) for a in (X, W, B)), Y, DOUT.astype(np.float32)):
        assert result.dtype == np.float32


def test_booleans_count_as_zeros_and_ones():
    out, cache = affine_forward(np.array([[True, False]]), np.array([[2.0], [3.0]]), np.array([False]))
    assert_array_equal(out, [[2.0]])
    assert_array_equal(affine_backward(np.array([[True]]), cache)[1], [[1.0], [0.0]])


@pytest.mark.parametrize(
    ("layer", "arguments", "error", "message"),
    [
        (
            affine_forward,
            (np.ones((2, 3, 2)), np.ones((4, 5)), np.ones(5)),
            ValueError,
            r"^w must have shape \(D, M\) with D = 6, got \(4, 5\)$",
        ),
        (
            affine_relu_forward,
            (np.ones((2, 3)), np.ones((3, 5)), np.ones(4)),
            ValueError,
            r"^b must have shape \(M,\) with M = 5, got \(4,\)$",
        ),
        (affine_forward, (np.ones((2, 3)), np.full((3, 5), None), np.ones(5)), TypeError, "^w must .* object"),
        (relu_forward, ([1j],), TypeError, "^x must .* complex"),
        (softmax_loss, (np.array([["a", "b"]]), [0]), TypeError, "^x must .* <U1"),
        (softmax_loss, (np.ones((2, 3)), [0, 3]), ValueError, "^y must hold labels from 0 to 2"),
        (svm_loss, (np.ones((2, 3)), [0.0, 1.0]), TypeError, "^y must be an array of integer class labels"),
        (svm_loss, (np.ones(2), [0, 1]), ValueError, r"^x must .*\(N, C\).* got .*\(2,\)$"),
    ],
)
def test_bad_input_is_answered_by_the_arguments_name(layer, arguments, error, message):
    with pytest.raises(error, match=message):
        layer(*arguments)


@pytest.mark.parametrize("dout", [np.ones((2, 4)), np.ones((1, 5)), np.ones(5), np.ones((2, 5, 1))])
def test_an_upstream_gradient_of_the_wrong_shape_is_refused(dout):
    x, w, b = np.ones((2, 3)), np.ones((3, 5)), np.ones(5)
    with pytest.raises(ValueError, match=r"^dout must have shape \(2, 5\)"):
        affine_backward(dout, affine_forward(x, w, b)[1])
    with pytest.raises(ValueError, match=r"^dout must have shape \(2, 5\)"):
        relu_backward(dout, relu_forward(np.ones((2, 5)))[1])
