"""Initial weights: their spread, their source of randomness and their shapes."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cs231n.initializers import kaiming, normal, xavier, zeros

FANS = {(8, 4): (8, 4), (4, 6, 5, 7): (6 * 5 * 7, 4 * 5 * 7)}


def test_zeros_are_zero():
    assert_array_equal(zeros((2, 3)), [[0, 0, 0], [0, 0, 0]])
    assert zeros((2, 3)).dtype == np.float64


@pytest.mark.parametrize("shape", FANS)
@pytest.mark.parametrize(
    ("initializer", "variance"),
    [
        (normal, lambda fan_in, fan_out: 1e-4),
        (xavier, lambda fan_in, fan_out: 2 / (fan_in + fan_out)),
        (kaiming, lambda fan_in, fan_out: 2 / fan_in),
    ],
)
def test_weights_have_the_variance_of_their_rule(initializer, variance, shape):
    weights = initializer(shape, rng=np.random.default_rng(0))
    standard = np.random.default_rng(0).standard_normal(shape)
    assert weights.dtype == np.float64
    assert_allclose(weights, np.sqrt(variance(*FANS[shape])) * standard, rtol=1e-14)


@pytest.mark.parametrize("initializer", [normal, xavier, kaiming])
def test_weights_come_from_the_global_state_or_the_generator_passed(initializer):
    np.random.seed(0)
    from_global = initializer((3, 2))
    state = np.random.get_state()[2]
    assert_array_equal(initializer((3, 2), rng=np.random.RandomState(0)), from_global)
    initializer((3, 2), rng=np.random.default_rng(0))
    assert np.random.get_state()[2] == state


@pytest.mark.parametrize("initializer", [xavier, kaiming])
@pytest.mark.parametrize("shape", [(3,), (2, 3, 4), 3])
def test_shapes_without_fans_are_refused(initializer, shape):
    with pytest.raises(ValueError, match=r"^shape must be \(fan_in, fan_out\) or \(F, C, HH, WW\), got "):
        initializer(shape)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kaiming((0, 3)), "^shape must be an integer of at least 1, got 0"),
        (lambda: normal((2, 3), -1), "^weight_scale must be a finite number of at least 0, got -1"),
        (lambda: xavier((2, 3), 231), "^rng must be a numpy.random.Generator or RandomState, got int"),
    ],
)
def test_sizes_spreads_and_generators_are_checked(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()
    assert not normal((2, 3), 0).any() and xavier((1, 1)).shape == (1, 1)
