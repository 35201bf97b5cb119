"""Batch, layer and group norm by hand and on hard numbers; beside PyTorch they are held in test_odd_arguments."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cs231n.layers import (
    batchnorm_backward,
    batchnorm_backward_alt,
    batchnorm_forward,
    layernorm_backward,
    layernorm_forward,
    spatial_batchnorm_backward,
    spatial_batchnorm_forward,
    spatial_groupnorm_backward,
    spatial_groupnorm_forward,
)


def train(**entries):
    return {"mode": "train", **entries}


# name: forward pass in training, backward pass, shape of x, shape of gamma and beta
LAYERS = {
    "batchnorm": (lambda *inputs: batchnorm_forward(*inputs, train()), batchnorm_backward, (4, 6), (6,)),
    "batchnorm_alt": (lambda *inputs: batchnorm_forward(*inputs, train()), batchnorm_backward_alt, (4, 6), (6,)),
    "layernorm": (lambda *inputs: layernorm_forward(*inputs, {}), layernorm_backward, (4, 6), (6,)),
    "spatial_batchnorm": (
        lambda *inputs: spatial_batchnorm_forward(*inputs, train()),
        spatial_batchnorm_backward,
        (2, 3, 4, 5),
        (3,),
    ),
    "spatial_groupnorm": (
        lambda *inputs: spatial_groupnorm_forward(*inputs, 2, {}),
        spatial_groupnorm_backward,
        (2, 6, 4, 5),
        (1, 6, 1, 1),
    ),
}
# forward pass in both modes, backward pass, shape of x
BATCHNORMS = [
    (batchnorm_forward, batchnorm_backward, (6, 5)),
    (batchnorm_forward, batchnorm_backward_alt, (6, 5)),
    (spatial_batchnorm_forward, spatial_batchnorm_backward, (2, 5, 4, 3)),
]
# Types, and sizes of data whose squares they cannot hold
LARGE = [(np.float16, 2000, 1e-2), (np.float32, 1e20, 1e-5)]


@pytest.fixture(params=sorted(LAYERS))
def layer(request):
    return LAYERS[request.param]


def random_inputs(x_shape, parameter_shape, size=1, dtype=np.float64):
    """The arguments x, gamma and beta, x of the given size, and dout."""
    rng = np.random.default_rng(0)
    shapes = (x_shape, parameter_shape, parameter_shape, x_shape)
    x, *others = (3 * rng.standard_normal(shape) + 1 for shape in shapes)
    return [array.astype(dtype) for array in (size * x, *others)]


def assert_results(results, expected, dtype, tolerance):
    for ours, exact in zip(results, expected, strict=True):
        assert ours.dtype == dtype
        assert_allclose(ours, exact, rtol=tolerance, atol=tolerance * np.abs(exact).max())


# By hand


def test_batchnorm_by_hand():
    x = np.array([[1.0, 10.0], [3.0, 30.0]])
    bn_param = train(eps=1e-12, running_mean=np.array([1.0, 0.0]), running_var=np.array([2.0, 0.0]))
    out, cache = batchnorm_forward(x, np.array([2.0, 5.0]), np.array([100.0, 0.0]), bn_param)
    assert_allclose(out, [[98, -5], [102, 5]], rtol=1e-10)
    assert_allclose(bn_param["running_mean"], [0.9 + 0.2, 2.0], rtol=1e-14)
    assert_allclose(bn_param["running_var"], [1.8 + 0.1, 10.0], rtol=1e-14)
    # Two examples are always at -1 and 1, wherever they move: dx is 0.
    for backward in (batchnorm_backward, batchnorm_backward_alt):
        dx, dgamma, dbeta = backward(np.array([[1.0, 2.0], [3.0, 7.0]]), cache)
        assert_allclose(dx, 0, atol=1e-9)
        assert_allclose(dgamma, [2, 5], rtol=1e-10)
        assert_array_equal(dbeta, [4, 9])


def test_the_default_epsilon_is_one_hundred_thousandth(layer):
    forward, _, x_shape, parameter_shape = layer
    x = np.indices(x_shape).sum(axis=0) % 2 * 2.0 - 1  # -1 and 1 by turns along each axis: the variance is 1
    out, _ = forward(x, np.ones(parameter_shape), np.zeros(parameter_shape))
    assert_allclose(out, x / np.sqrt(1 + 1e-5), rtol=1e-14)


# The running averages


def test_the_first_batch_moves_running_averages_from_zero_by_a_tenth():
    bn_param = train()
    batchnorm_forward(np.array([[1.0], [3.0]]), np.ones(1), np.zeros(1), bn_param)
    assert_allclose([bn_param["running_mean"], bn_param["running_var"]], [[0.2], [0.1]], rtol=1e-15)


def test_running_averages_of_a_coarser_type_go_on_in_float64():
    bn_param = train(running_mean=np.ones(2, np.float16), running_var=np.ones(2, np.float32))
    batchnorm_forward(np.array([[1.0, 2], [3, 5]]), np.ones(2), np.zeros(2), bn_param)
    assert_allclose(bn_param["running_mean"], [0.9 + 0.1 * 2, 0.9 + 0.1 * 3.5], rtol=1e-15)
    assert bn_param["running_var"].dtype == np.float64


def test_running_averages_are_finer_than_float32_at_an_offset():
    steps = np.random.default_rng(0).integers(-100, 100, (50, 2))
    bn_param = train(momentum=0)
    x = (1e8 + 8.0 * steps).astype(np.float32)  # numbers of float32 at 1e8 are 8 apart
    out, _ = batchnorm_forward(x, np.ones(2, np.float32), np.zeros(2, np.float32), bn_param)
    assert_allclose(bn_param["running_mean"], 1e8 + 8 * steps.mean(axis=0), rtol=0, atol=0.01)
    bn_param["mode"] = "test"
    again, _ = batchnorm_forward(x, np.ones(2, np.float32), np.zeros(2, np.float32), bn_param)
    assert_results([again], [out], np.float32, 1e-5)


# Hard numbers


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("dtype", "size", "tolerance"), LARGE)
def test_small_types_hold_data_of_large_deviation(layer, dtype, size, tolerance):
    forward, backward, *shapes = layer
    arrays = random_inputs(*shapes, size, dtype)

    def results(x, gamma, beta, dout):
        out, cache = forward(x, gamma, beta)
        return [out, *backward(dout, cache)]

    assert_results(results(*arrays), results(*(array.astype(float) for array in arrays)), dtype, tolerance)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("dtype", "size", "tolerance"), LARGE)
@pytest.mark.parametrize(("forward", "backward", "x_shape"), BATCHNORMS)
def test_small_types_hold_data_of_large_deviation_in_test_mode(forward, backward, x_shape, dtype, size, tolerance):
    arrays = random_inputs(x_shape, x_shape[1:2], size, dtype)
    bn_param = train()
    forward(*arrays[:3], bn_param)
    bn_param["mode"] = "test"

    def results(x, gamma, beta, dout):
        out, cache = forward(x, gamma, beta, bn_param)
        return [out, *backward(dout, cache)]

    assert_results(results(*arrays), results(*(array.astype(float) for array in arrays)), dtype, tolerance)


def test_a_constant_feature_becomes_beta(layer):
    forward, backward, x_shape, parameter_shape = layer
    x = np.full(x_shape, 0.1)
    beta = np.arange(float(np.prod(parameter_shape))).reshape(parameter_shape)
    out, cache = forward(x, np.ones(parameter_shape), beta)
    expected = beta if x.ndim == 2 else beta.reshape(1, -1, 1, 1)
    assert_allclose(out, np.broadcast_to(expected, x_shape), atol=1e-11)
    assert all(np.isfinite(gradient).all() for gradient in backward(np.ones(x_shape), cache))


@pytest.mark.parametrize("offset", [1e4, 1e8])
def test_an_offset_does_not_lose_the_answer(layer, offset):
    forward, backward, x_shape, parameter_shape = layer
    # Whole steps of the spacing of float32 numbers at the offset, so that the offset itself rounds nothing away.
    step = float(np.spacing(np.float32(offset)))
    x = np.random.default_rng(0).integers(-100, 100, x_shape) * step
    _, gamma, beta, dout = random_inputs(x_shape, parameter_shape, dtype=np.float32)
    out, cache = forward((offset + x).astype(np.float32), gamma, beta)
    expected, expected_cache = forward(x, gamma.astype(float), beta.astype(float))
    assert_results([out], [expected], np.float32, 1e-5)
    assert_results(backward(dout, cache), backward(dout.astype(float), expected_cache), np.float32, 1e-3)


def test_a_variance_that_float64_cannot_hold_is_refused_beside_an_infinite_value_too(layer):
    forward, _, *shapes = layer
    x, gamma, beta, _ = random_inputs(*shapes)
    words = r"^x must have a variance that float64 can hold, got values up to \d\.\de\+20"
    with pytest.raises(ValueError, match=words):
        forward(1e200 * x, gamma, beta)
    with np.errstate(invalid="ignore"):
        out, _ = forward(np.where(x == x.max(), np.inf, x), gamma, beta)
        assert np.isnan(out).any()
        with pytest.raises(ValueError, match="^x must have a variance that float64 can hold"):
            batchnorm_forward(np.array([[np.inf, 1e200], [0, -1e200]]), np.ones(2), np.zeros(2), train())


# Refusals that the catalogue of mistakes in test_odd_arguments does not have


@pytest.mark.parametrize(("forward", "axes"), [(batchnorm_forward, ()), (spatial_batchnorm_forward, (1, 1))])
@pytest.mark.parametrize("N", [0, 1])
def test_a_batch_of_one_value_has_no_spread(forward, axes, N):
    with pytest.raises(ValueError, match=r"^x must hold at least two values of each feature in training mode .*got"):
        forward(np.ones((N, 3, *axes)), np.ones(3), np.zeros(3), train())


def test_one_image_of_several_pixels_is_enough():
    out, _ = spatial_batchnorm_forward(np.arange(2.0).reshape(1, 1, 1, 2), np.ones(1), np.zeros(1), train())
    assert_allclose(out, [[[[-1, 1]]]], rtol=1e-4)


@pytest.mark.parametrize(
    ("bn_param", "message"),
    [
        ({"mode": "eval"}, r"^bn_param\['mode'\] must be one of 'train', 'test', got 'eval'"),
        (train(momentum=1.5), r"^bn_param\['momentum'\] must be a finite number of at least 0 and at most 1"),
        (train(running_var=np.array([1.0, -1.0])), r"^bn_param\['running_var'\] must hold no negative"),
        ({"mode": "test"}, "^bn_param must hold running_mean in test mode"),
        ({"mode": "test", "running_mean": np.zeros(2)}, "^bn_param must hold running_var in test mode"),
    ],
)
def test_what_batchnorm_cannot_work_with_is_refused_and_left_as_it_is(bn_param, message):
    before = dict(bn_param)
    with pytest.raises(ValueError, match=message):
        batchnorm_forward(np.eye(2), np.ones(2), np.zeros(2), bn_param)
    assert list(bn_param) == list(before)


def test_groups_of_unequal_size_are_refused():
    ones = np.ones((1, 6, 1, 1))
    with pytest.raises(ValueError, match="^G must divide the number of channels, got G = 4 for 6 channels"):
        spatial_groupnorm_forward(np.ones((2, 6, 2, 2)), ones, ones, 4, {})
