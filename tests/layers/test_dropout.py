"""Dropout: the mask, the scaling and what passes in test mode; more in test_odd_arguments."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cs231n.layers import dropout_backward, dropout_forward


def test_dropout_by_hand():
    draws = np.random.RandomState(231).rand(2, 3)
    p = np.sort(draws.ravel())[4]  # four of the six draws are below it
    x = np.arange(1.0, 7).reshape(2, 3)
    out, cache = dropout_forward(x, {"mode": "train", "p": p, "seed": 231})
    assert_array_equal(out == 0, draws >= p)
    assert_allclose(out[draws < p], x[draws < p] / p, rtol=1e-15)
    assert_array_equal(dropout_backward(np.ones((2, 3)), cache), np.where(draws < p, 1 / p, 0))


@pytest.mark.parametrize("p", [0.25, 0.7])
def test_dropout_keeps_the_expected_activation(p):
    np.random.seed(0)
    out, _ = dropout_forward(np.full((500, 500), 10.0), {"mode": "train", "p": p})
    share = (out != 0).mean()
    # Five standard deviations of a mean of 250,000 draws.
    assert abs(share - p) < 5 * np.sqrt(p * (1 - p) / out.size)
    assert abs(out.mean() - 10) < 10 / p * 5 * np.sqrt(p * (1 - p) / out.size)


def test_a_mask_is_drawn_from_the_global_state_and_a_seed_repeats_it():
    x = np.ones((10, 10))
    np.random.seed(5)
    first = dropout_forward(x, {"mode": "train", "p": 0.5})[0]
    assert not np.array_equal(dropout_forward(x, {"mode": "train", "p": 0.5})[0], first)
    np.random.seed(5)
    assert_array_equal(first != 0, np.random.rand(10, 10) < 0.5)
    for _ in range(2):
        assert_array_equal(dropout_forward(x, {"mode": "train", "p": 0.5, "seed": 5})[0], first)


def test_test_mode_draws_nothing_and_passes_everything_on():
    x, before = np.arange(4.0), np.random.get_state()
    out, cache = dropout_forward(x, {"mode": "test", "p": 0.5, "seed": 1})
    assert_array_equal(out, x)
    assert_array_equal(dropout_backward(3 * x, cache), 3 * x)
    for part, same in zip(before, np.random.get_state(), strict=True):
        assert_array_equal(part, same)


@pytest.mark.parametrize("seed", [0, None])
def test_all_may_be_kept_and_a_seed_may_be_zero_or_none(seed):
    out, _ = dropout_forward(np.ones(9), {"mode": "train", "p": 1, "seed": seed})
    assert_array_equal(out, np.ones(9))


def test_no_more_than_all_can_be_kept():
    with pytest.raises(ValueError, match=r"^dropout_param\['p'\] must be .* at most 1, got 1.1$"):
        dropout_forward(np.ones(2), {"mode": "test", "p": 1.1})
