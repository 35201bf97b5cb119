"""Dropout: the mask, the scaling and what passes in test mode."""

import numpy as np
import pytest
import torch
from arrays import assert_agrees, layouts, seeds, tensors
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from cs231n.gradient_check import eval_numerical_gradient_array
from cs231n.layers import dropout_backward, dropout_forward

sizes = st.integers(1, 5)
ratios = st.floats(0.05, 1.0)


@given(seeds, st.lists(sizes, min_size=1, max_size=4), ratios, layouts)
def test_dropout_agrees_with_a_masked_product_in_pytorch(seed, shape, p, layout):
    rng = np.random.default_rng(seed)
    x, dout = (layout(rng.standard_normal(shape)) for _ in range(2))
    out, cache = dropout_forward(x, {"mode": "train", "p": p, "seed": seed})
    dx = dropout_backward(dout, cache)

    keep = torch.tensor(np.array(np.random.RandomState(seed).rand(*shape) < p, dtype=float))
    (tx,) = tensors(x)
    expected = tx * keep / p
    assert_agrees(out, expected)
    assert_agrees(dx, torch.autograd.grad(expected, tx, tensors(dout)[0])[0])


@given(seeds, st.lists(sizes, min_size=1, max_size=4), ratios)
def test_test_mode_passes_everything_on(seed, shape, p):
    x = np.random.default_rng(seed).standard_normal(shape)
    out, cache = dropout_forward(x, {"mode": "test", "p": p})
    assert_array_equal(out, x)
    assert_array_equal(dropout_backward(3 * x, cache), 3 * x)


def test_dropout_by_hand():
    draws = np.random.RandomState(231).rand(2, 3)
    p = np.sort(draws.ravel())[4]  # four of the six draws are below it
    x = np.arange(1.0, 7).reshape(2, 3)
    out, cache = dropout_forward(x, {"mode": "train", "p": p, "seed": 231})
    assert_array_equal(out == 0, draws >= p)
    assert_allclose(out[draws < p], x[draws < p] / p, rtol=1e-15)
    assert_array_equal(dropout_backward(np.ones((2, 3)), cache), np.where(draws < p, 1 / p, 0))


@pytest.mark.parametrize("p", [0.25, 0.4, 0.7])
def test_dropout_keeps_the_expected_activation(p):
    np.random.seed(0)
    out, _ = dropout_forward(np.full((500, 500), 10.0), {"mode": "train", "p": p})
    share = (out != 0).mean()
    # Five standard deviations of a mean of 250,000 draws.
    assert abs(share - p) < 5 * np.sqrt(p * (1 - p) / out.size)
    assert abs(out.mean() - 10) < 10 / p * 5 * np.sqrt(p * (1 - p) / out.size)
    assert_allclose(out[out != 0], 10 / p, rtol=1e-15)


def test_dropout_matches_the_numerical_gradient():
    rng = np.random.default_rng(1)
    x, dout = rng.standard_normal((5, 6)), rng.standard_normal((5, 6))
    param = {"mode": "train", "p": 0.3, "seed": 123}
    numerical = eval_numerical_gradient_array(lambda x: dropout_forward(x, param)[0], x, dout)
    assert_allclose(dropout_backward(dout, dropout_forward(x, param)[1]), numerical, rtol=1e-7, atol=1e-9)


def test_a_mask_is_drawn_from_the_global_state_and_a_seed_repeats_it():
    x = np.ones((10, 10))
    np.random.seed(5)
    first = dropout_forward(x, {"mode": "train", "p": 0.5})[0]
    assert not np.array_equal(dropout_forward(x, {"mode": "train", "p": 0.5})[0], first)
    np.random.seed(5)
    assert_array_equal(first != 0, np.random.rand(10, 10) < 0.5)
    for _ in range(2):
        assert_array_equal(dropout_forward(x, {"mode": "train", "p": 0.5, "seed": 5})[0], first)


def test_test_mode_draws_nothing():
    before = np.random.get_state()
    dropout_forward(np.ones(4), {"mode": "test", "p": 0.5, "seed": 1})
    for part, same in zip(before, np.random.get_state(), strict=True):
        assert_array_equal(part, same)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_dtype_is_kept(dtype):
    out, cache = dropout_forward(np.ones((20, 20), dtype), {"mode": "train", "p": 0.7, "seed": 0})
    assert out.dtype == dtype
    assert out.max() == dtype(1 / 0.7)
    assert dropout_backward(np.ones((20, 20), dtype), cache).dtype == dtype


def test_nothing_passed_in_is_altered():
    x, param = np.ones((3, 4)), {"mode": "train", "p": 0.5}
    out, cache = dropout_forward(x, param)
    dropout_backward(out, cache)
    assert_array_equal(x, np.ones((3, 4)))
    assert param == {"mode": "train", "p": 0.5}


@pytest.mark.parametrize(
    ("param", "error", "message"),
    [
        (
            {"mode": "train", "p": 0},
            ValueError,
            r"^dropout_param\['p'\] must be a finite number above 0 and at most 1, got 0$",
        ),
        ({"mode": "test", "p": 1.1}, ValueError, r"^dropout_param\['p'\] must be .* got 1.1$"),
        ({"mode": "train", "p": "0.5"}, TypeError, r"^dropout_param\['p'\] must be .* got '0.5'$"),
        ({"mode": "train"}, ValueError, "^dropout_param must have the key 'p', got {'mode': 'train'}"),
        ({"p": 0.5}, ValueError, "^dropout_param must have the key 'mode', got {'p': 0.5}"),
        (
            {"mode": "eval", "p": 0.5},
            ValueError,
            r"^dropout_param\['mode'\] must be one of 'train', 'test', got 'eval'$",
        ),
        (
            {"mode": "train", "p": 0.5, "seed": -1},
            ValueError,
            r"^dropout_param\['seed'\] must be an integer of at least 0",
        ),
        (
            {"mode": "train", "p": 0.5, "keep": 1},
            ValueError,
            "^dropout_param must hold nothing but 'mode', .* got 'keep'",
        ),
        (0.5, TypeError, "^dropout_param must be a dictionary, got float"),
    ],
)
def test_bad_parameters_are_answered_by_their_name(param, error, message):
    with pytest.raises(error, match=message):
        dropout_forward(np.ones((2, 2)), param)


def test_other_bad_input_is_answered_by_the_arguments_name():
    with pytest.raises(TypeError, match="^x must .* complex"):
        dropout_forward(np.ones(2) * 1j, {"mode": "train", "p": 0.5})
    for mode in ("train", "test"):
        _, cache = dropout_forward(np.ones((2, 3)), {"mode": mode, "p": 0.5})
        with pytest.raises(ValueError, match=r"^dout must have shape \(2, 3\)"):
            dropout_backward(np.ones((3, 2)), cache)
