"""Affine layers, ReLU and losses at their edges; beside PyTorch they are held in test_odd_arguments."""

import math
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cs231n.layers import affine_backward, affine_forward, relu_backward, relu_forward, softmax_loss, svm_loss


def test_an_affine_layer_by_hand():
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    w = np.array([[5.0, 6.0, 0.0], [7.0, 8.0, 1.0]])
    out, cache = affine_forward(x, w, np.array([10.0, 20.0, 0.0]))
    assert_array_equal(out, [[29, 42, 2], [53, 70, 4]])
    dx, dw, db = affine_backward(np.array([[1.0, 0.0, 2.0], [0.0, 1.0, 0.0]]), cache)
    assert_array_equal(dx, [[5, 9], [6, 8]])
    assert_array_equal(dw, [[1, 3, 2], [2, 4, 4]])
    assert_array_equal(db, [1, 1, 2])


def test_an_affine_layer_accepts_an_empty_batch():
    out, cache = affine_forward(np.zeros((0, 2, 3)), np.ones((6, 4)), np.ones(4))
    assert out.shape == (0, 4)
    dx, dw, db = affine_backward(np.zeros((0, 4)), cache)
    assert dx.shape == (0, 2, 3)
    assert_array_equal(dw, np.zeros((6, 4)))
    assert_array_equal(db, np.zeros(4))


def test_a_relu_by_hand():
    out, cache = relu_forward(np.array([-1.5, 0.0, 2.0]))
    assert_array_equal(out, [0, 0, 2])
    assert_array_equal(relu_backward(np.array([3.0, 4.0, 5.0]), cache), [0, 0, 5])


def test_svm_loss_does_not_push_a_class_exactly_on_the_margin():
    loss, dx = svm_loss(np.array([[1.0, 0.0]]), np.array([0]))
    assert loss == 0
    assert_array_equal(dx, np.zeros((1, 2)))


@pytest.mark.parametrize(("loss_function", "expected"), [(softmax_loss, math.log(7)), (svm_loss, 6)])
def test_equal_scores_cost_what_a_guess_costs(loss_function, expected):
    loss, _ = loss_function(np.full((4, 7), 3.0), np.array([0, 6, 2, 2]))
    assert_allclose(loss, expected, rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_loss_is_right_for_extreme_scores(dtype):
    x = np.array([[1e4, -1e4, 0.0], [1e4, -1e4, 0.0], [-1e4, -1e4, -1e4]], dtype)
    loss, dx = softmax_loss(x, np.array([1, 0, 2]))
    assert_allclose(loss, (2e4 + 0 + math.log(3)) / 3, rtol=1e-6)
    assert_allclose(dx, [[1 / 3, -1 / 3, 0], [0, 0, 0], [1 / 9, 1 / 9, -2 / 9]], rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
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
