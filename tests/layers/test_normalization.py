"""Batch, layer and group norm, held against PyTorch, numerical gradients and arrays worked by hand."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from arrays import assert_agrees, layouts, seeds, tensors
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from cs231n.gradient_check import eval_numerical_gradient_array
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

sizes = st.integers(1, 5)
epsilons = st.sampled_from([1e-5, 1e-3, 0.1])


def train(**entries):
    return {"mode": "train", **entries}


# name: forward pass in training, backward pass, shape of x, shape of gamma and beta
LAYERS = {
    "batchnorm": (lambda x, gamma, beta: batchnorm_forward(x, gamma, beta, train()), batchnorm_backward, (4, 5), (5,)),
    "batchnorm_alt": (
        lambda x, gamma, beta: batchnorm_forward(x, gamma, beta, train()),
        batchnorm_backward_alt,
        (4, 5),
        (5,),
    ),
    "layernorm": (lambda x, gamma, beta: layernorm_forward(x, gamma, beta, {}), layernorm_backward, (4, 5), (5,)),
    "spatial_batchnorm": (
        lambda x, gamma, beta: spatial_batchnorm_forward(x, gamma, beta, train()),
        spatial_batchnorm_backward,
        (2, 3, 4, 5),
        (3,),
    ),
    "spatial_groupnorm": (
        lambda x, gamma, beta: spatial_groupnorm_forward(x, gamma, beta, 2, {}),
        spatial_groupnorm_backward,
        (2, 6, 4, 5),
        (1, 6, 1, 1),
    ),
}


@pytest.fixture(params=sorted(LAYERS))
def layer(request):
    return LAYERS[request.param]


def random_inputs(layer, dtype=np.float64):
    _, _, x_shape, parameter_shape = layer
    rng = np.random.default_rng(0)
    shapes = (x_shape, parameter_shape, parameter_shape, x_shape)
    return [(3 * rng.standard_normal(shape) + 1).astype(dtype) for shape in shapes]


# Against PyTorch


TOLERANCES = {np.float16: 1e-2, np.float32: 1e-5, np.float64: 1e-10}


def assert_close(ours, theirs, dtype, size):
    """Within the rounding errors of a type; of data of another size than 1, gradients too have another."""
    for array, expected in zip(ours, theirs, strict=True):
        expected, tolerance = expected.detach().numpy(), TOLERANCES[dtype]
        scale = np.abs(expected).max(initial=1 if size == 1 else 0)
        assert array.shape == expected.shape
        assert_allclose(array, expected, rtol=tolerance, atol=tolerance * scale)


def check_batchnorm(forward, backwards, shape, seed, eps, momentum, layout=np.copy, dtype=np.float64, size=1):
    """Two batches in training, then one in test mode: outputs, gradients and running averages."""
    rng = np.random.default_rng(seed)
    D = shape[1]
    bn_param = train(eps=eps, momentum=momentum)
    module = torch.nn.BatchNorm1d if len(shape) == 2 else torch.nn.BatchNorm2d
    module = module(D, eps, momentum=1 - momentum, dtype=torch.float64)
    module.running_var.zero_()
    n = np.prod(shape) // D
    for mode in ("train", "train", "test"):
        x = layout((size * rng.standard_normal(shape)).astype(dtype))
        gamma, beta, dout = (layout(rng.standard_normal(shape).astype(dtype)) for shape in (D, D, shape))
        bn_param["mode"] = mode
        out, cache = forward(x, gamma, beta, bn_param)

        module.train(mode == "train")
        if mode == "test":
            module.running_var *= (n - 1) / n  # PyTorch's running variance divides by n - 1
        tx, tgamma, tbeta = tensors(x, gamma, beta)
        module.weight.data, module.bias.data = tgamma, tbeta
        expected = module(tx)
        gradients = torch.autograd.grad(expected, (tx, module.weight, module.bias), tensors(dout)[0])
        assert_close([out], [expected], dtype, size)
        for backward in backwards:
            assert_close(backward(dout, cache), gradients, dtype, size)
        running_var = module.running_var * ((n - 1) / n if mode == "train" else 1)
        ours = bn_param["running_mean"], bn_param["running_var"]
        assert_close(ours, (module.running_mean, running_var), dtype, size)


def check_layernorm(N, D, seed, eps, layout=np.copy, dtype=np.float64, size=1):
    rng = np.random.default_rng(seed)
    x = layout((size * rng.standard_normal((N, D))).astype(dtype))
    gamma, beta, dout = (layout(rng.standard_normal(shape).astype(dtype)) for shape in (D, D, (N, D)))
    out, cache = layernorm_forward(x, gamma, beta, {"eps": eps})
    inputs = tensors(x, gamma, beta)
    expected = F.layer_norm(inputs[0], (D,), *inputs[1:], eps)
    gradients = torch.autograd.grad(expected, inputs, tensors(dout)[0])
    assert_close([out, *layernorm_backward(dout, cache)], [expected, *gradients], dtype, size)


def check_groupnorm(shape, G, seed, eps, layout=np.copy, dtype=np.float64, size=1):
    rng = np.random.default_rng(seed)
    x = layout((size * rng.standard_normal(shape)).astype(dtype))
    per_channel = (1, shape[1], 1, 1)
    gamma, beta, dout = (layout(rng.standard_normal(s).astype(dtype)) for s in (per_channel, per_channel, shape))
    out, cache = spatial_groupnorm_forward(x, gamma, beta, G, {"eps": eps})
    inputs = tensors(x, gamma, beta)
    expected = F.group_norm(inputs[0], G, inputs[1].flatten(), inputs[2].flatten(), eps)
    gradients = torch.autograd.grad(expected, inputs, tensors(dout)[0])
    assert_close([out, *spatial_groupnorm_backward(dout, cache)], [expected, *gradients], dtype, size)


@given(seeds, st.integers(2, 6), sizes, epsilons, st.sampled_from([0.0, 0.5, 0.9]), layouts)
def test_batchnorm_agrees_with_pytorch_in_training_and_in_test_mode(seed, N, D, eps, momentum, layout):
    backwards = (batchnorm_backward, batchnorm_backward_alt)
    check_batchnorm(batchnorm_forward, backwards, (N, D), seed, eps, momentum, layout)


@given(seeds, sizes, sizes, sizes, sizes, epsilons, st.sampled_from([0.0, 0.9]), layouts)
def test_spatial_batchnorm_agrees_with_pytorch(seed, N, C, H, W, eps, momentum, layout):
    assume(N * H * W > 1)
    backwards = (spatial_batchnorm_backward,)
    check_batchnorm(spatial_batchnorm_forward, backwards, (N, C, H, W), seed, eps, momentum, layout)


@given(seeds, st.integers(0, 5), sizes, epsilons, layouts)
def test_layernorm_agrees_with_pytorch(seed, N, D, eps, layout):
    check_layernorm(N, D, seed, eps, layout)


@given(seeds, sizes, sizes, sizes, sizes, sizes, epsilons, layouts)
def test_groupnorm_agrees_with_pytorch(seed, N, G, per_group, H, W, eps, layout):
    assume(per_group * H * W > 1)  # PyTorch refuses a group of one value
    check_groupnorm((N, G * per_group, H, W), G, seed, eps, layout)


# Beyond the squares that the type can hold.
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("dtype", "size"), [(np.float16, 300), (np.float32, 1e20)])
@pytest.mark.parametrize(
    "check",
    [
        lambda **data: check_batchnorm(batchnorm_forward, [batchnorm_backward], (8, 5), 0, 1e-5, 0.9, **data),
        lambda **data: check_batchnorm(batchnorm_forward, [batchnorm_backward_alt], (8, 5), 1, 1e-5, 0.9, **data),
        lambda **data: check_batchnorm(
            spatial_batchnorm_forward, [spatial_batchnorm_backward], (3, 2, 4, 5), 2, 1e-5, 0.9, **data
        ),
        lambda **data: check_layernorm(6, 7, 3, 1e-5, **data),
        lambda **data: check_groupnorm((2, 6, 3, 4), 2, 4, 1e-5, **data),
    ],
    ids=["batchnorm", "batchnorm_alt", "spatial_batchnorm", "layernorm", "spatial_groupnorm"],
)
def test_small_types_hold_data_of_large_deviation(check, dtype, size):
    check(dtype=dtype, size=size)


def test_instance_norm_is_group_norm_with_a_channel_to_each_group():
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5))
    ones, zeros = np.ones((1, 3, 1, 1)), np.zeros((1, 3, 1, 1))
    assert_agrees(spatial_groupnorm_forward(x, ones, zeros, 3, {})[0], F.instance_norm(torch.tensor(x)))


# By hand and by definition


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


def test_batchnorm_in_test_mode_by_hand():
    bn_param = {
        "mode": "test",
        "eps": 1e-12,
        "running_mean": np.array([1.0, 2.0]),
        "running_var": np.array([4.0, 0.25]),
    }
    out, cache = batchnorm_forward(np.array([[3.0, 3.0]]), np.array([10.0, 1.0]), np.array([0.5, 0.0]), bn_param)
    assert_allclose(out, [[10.5, 2]], rtol=1e-10)
    for backward in (batchnorm_backward, batchnorm_backward_alt):
        dx, dgamma, dbeta = backward(np.array([[2.0, 3.0]]), cache)
        assert_allclose(dx, [[10, 6]], rtol=1e-10)
        assert_allclose(dgamma, [2, 6], rtol=1e-10)
        assert_array_equal(dbeta, [2, 3])


def test_layernorm_by_hand():
    out, _ = layernorm_forward(
        np.array([[1.0, 3.0], [30.0, 10.0]]), np.array([2.0, 5.0]), np.array([100.0, 0.0]), {"eps": 1e-12}
    )
    assert_allclose(out, [[98, 5], [102, -5]], rtol=1e-10)


def test_layernorm_is_batchnorm_of_the_transposed_input():
    x = np.random.default_rng(0).standard_normal((4, 5))
    rows, _ = layernorm_forward(x, np.ones(5), np.zeros(5), {})
    columns, _ = batchnorm_forward(x.T, np.ones(4), np.zeros(4), train())
    assert_allclose(rows, columns.T, rtol=1e-12)


def test_spatial_batchnorm_is_batchnorm_of_all_places_as_examples():
    rng = np.random.default_rng(0)
    x, gamma, beta = rng.standard_normal((2, 3, 4, 5)), rng.standard_normal(3), rng.standard_normal(3)
    spatial, flat = train(), train()
    out, _ = spatial_batchnorm_forward(x, gamma, beta, spatial)
    expected, _ = batchnorm_forward(x.transpose(0, 2, 3, 1).reshape(-1, 3), gamma, beta, flat)
    assert_allclose(out, expected.reshape(2, 4, 5, 3).transpose(0, 3, 1, 2), rtol=1e-12)
    for name in ("running_mean", "running_var"):
        assert_allclose(spatial[name], flat[name], rtol=1e-12)


def test_gradients_match_numerical_ones(layer):
    forward, backward, _, _ = layer
    *inputs, dout = random_inputs(layer)
    gradients = backward(dout, forward(*inputs)[1])
    for array, gradient in zip(inputs, gradients, strict=True):
        numerical = eval_numerical_gradient_array(lambda _: forward(*inputs)[0], array, dout)
        assert_allclose(gradient, numerical, rtol=1e-6, atol=1e-8)


# The running averages


def test_running_averages_converge_to_mean_and_variance():
    rng = np.random.default_rng(0)
    bn_param = train()
    for _ in range(200):
        batchnorm_forward(5 * rng.standard_normal((500, 2)) + 12, np.ones(2), np.zeros(2), bn_param)
    assert_allclose(bn_param["running_mean"], 12, rtol=0.01)
    assert_allclose(bn_param["running_var"], 25, rtol=0.05)
    bn_param["mode"] = "test"
    out, _ = batchnorm_forward(5 * rng.standard_normal((500, 2)) + 12, np.ones(2), np.zeros(2), bn_param)
    assert_allclose(out.mean(axis=0), 0, atol=0.2)
    assert_allclose(out.std(axis=0), 1, atol=0.1)


def test_test_mode_changes_nothing():
    bn_param = train()
    x = np.random.default_rng(0).standard_normal((4, 3))
    batchnorm_forward(x, np.ones(3), np.zeros(3), bn_param)
    bn_param["mode"] = "test"
    before = {name: np.copy(value) for name, value in bn_param.items()}
    batchnorm_forward(x + 1, np.ones(3), np.zeros(3), bn_param)
    assert set(bn_param) == set(before)
    for name, value in before.items():
        assert_array_equal(bn_param[name], value)


def test_the_callers_running_averages_are_not_overwritten():
    mean, var = np.zeros(3), np.ones(3)
    batchnorm_forward(np.eye(3), np.ones(3), np.zeros(3), train(running_mean=mean, running_var=var))
    assert_array_equal(mean, np.zeros(3))
    assert_array_equal(var, np.ones(3))


# Hard numbers


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
    rng = np.random.default_rng(0)
    # Whole steps of the spacing of float32 numbers at the offset, so that the offset itself rounds nothing away.
    step = float(np.spacing(np.float32(offset)))
    steps = rng.integers(-100, 100, x_shape)
    gamma, beta, dout = (
        rng.standard_normal(shape).astype(np.float32) for shape in (parameter_shape, parameter_shape, x_shape)
    )
    out, cache = forward((offset + steps * step).astype(np.float32), gamma, beta)
    expected, expected_cache = forward(steps * step, gamma.astype(float), beta.astype(float))
    assert_allclose(out, expected, rtol=1e-5, atol=1e-5)
    for ours, exact in zip(backward(dout, cache), backward(dout.astype(float), expected_cache), strict=True):
        assert_allclose(ours, exact, rtol=1e-3, atol=1e-3 * np.abs(exact).max())


def test_running_averages_of_a_coarser_type_go_on_in_float64():
    bn_param = train(running_mean=np.ones(2, np.float16), running_var=np.ones(2, np.float32))
    batchnorm_forward(np.array([[1.0, 2], [3, 5]]), np.ones(2), np.zeros(2), bn_param)
    assert_allclose(bn_param["running_mean"], [0.9 + 0.1 * 2, 0.9 + 0.1 * 3.5], rtol=1e-15)
    assert bn_param["running_var"].dtype == np.float64


def test_an_infinite_value_does_not_hide_a_variance_that_overflows():
    with (
        pytest.raises(ValueError, match="^x must have a variance that float64 can hold"),
        np.errstate(invalid="ignore"),
    ):
        batchnorm_forward(np.array([[np.inf, 1e200], [0, -1e200]]), np.ones(2), np.zeros(2), train())


def test_the_running_mean_is_finer_than_float32_at_an_offset():
    steps = np.random.default_rng(0).integers(-100, 100, (50, 2))
    bn_param = train(momentum=0)
    x = (1e8 + 8.0 * steps).astype(np.float32)  # numbers of float32 at 1e8 are 8 apart
    batchnorm_forward(x, np.ones(2, np.float32), np.zeros(2, np.float32), bn_param)
    assert_allclose(bn_param["running_mean"], 1e8 + 8 * steps.mean(axis=0), rtol=0, atol=0.01)


def test_running_averages_follow_an_offset_in_float32():
    rng = np.random.default_rng(0)
    bn_param = train()
    for _ in range(400):
        x = (1e8 + 800 * rng.standard_normal((256, 2))).astype(np.float32)
        batchnorm_forward(x, np.ones(2, np.float32), np.zeros(2, np.float32), bn_param)
    assert_allclose(bn_param["running_mean"], 1e8, atol=100)
    bn_param["mode"] = "test"
    out, _ = batchnorm_forward(x, np.ones(2, np.float32), np.zeros(2, np.float32), bn_param)
    assert out.dtype == np.float32
    assert_allclose(out.std(axis=0), 1, atol=0.1)
    assert_allclose(out.mean(axis=0), 0, atol=0.2)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_the_dtype_is_kept(layer, dtype):
    forward, backward, _, _ = layer
    *inputs, dout = random_inputs(layer, dtype)
    out, cache = forward(*inputs)
    assert [array.dtype for array in (out, *backward(dout, cache))] == [dtype] * 4


def test_integers_are_promoted_to_float64(layer):
    forward, backward, _, _ = layer
    arrays = [np.round(array) for array in random_inputs(layer)]
    expected, expected_cache = forward(*arrays[:3])
    out, cache = forward(*(array.astype(int) for array in arrays[:3]))
    assert_array_equal(out, expected)
    for ours, theirs in zip(backward(arrays[3].astype(int), cache), backward(arrays[3], expected_cache), strict=True):
        assert_array_equal(ours, theirs)


def test_no_layer_alters_its_inputs(layer):
    forward, backward, _, _ = layer
    arrays = random_inputs(layer)
    before = [array.copy() for array in arrays]
    backward(arrays[3], forward(*arrays[:3])[1])
    for array, original in zip(arrays, before, strict=True):
        assert_array_equal(array, original)


def test_a_backward_pass_can_be_repeated(layer):
    forward, backward, _, _ = layer
    *inputs, dout = random_inputs(layer)
    _, cache = forward(*inputs)
    for first, second in zip(backward(dout, cache), backward(dout, cache), strict=True):
        assert_array_equal(first, second)


# Bad input


def test_values_whose_variance_float64_cannot_hold_are_refused(layer):
    forward, _, _, _ = layer
    x, gamma, beta, _ = random_inputs(layer)
    with pytest.raises(
        ValueError, match=r"^x must have a variance that float64 can hold, got values up to \d\.\de\+20"
    ):
        forward(1e200 * x, gamma, beta)
    with np.errstate(invalid="ignore"):
        out, _ = forward(np.where(x == x.max(), np.inf, x), gamma, beta)
    assert np.isnan(out).any()


@pytest.mark.parametrize(("forward", "axes"), [(batchnorm_forward, ()), (spatial_batchnorm_forward, (1, 1))])
@pytest.mark.parametrize("N", [0, 1])
def test_a_batch_of_one_value_has_no_spread(forward, axes, N):
    with pytest.raises(ValueError, match=r"^x must hold at least two values of each feature in training mode .*got"):
        forward(np.ones((N, 3, *axes)), np.ones(3), np.zeros(3), train())


def test_one_image_of_several_pixels_is_enough():
    out, _ = spatial_batchnorm_forward(np.arange(4.0).reshape(1, 1, 2, 2), np.ones(1), np.zeros(1), train())
    assert_allclose(out.mean(), 0, atol=1e-12)


@pytest.mark.parametrize(
    ("bn_param", "error", "message"),
    [
        (None, TypeError, "^bn_param must be a dictionary, got NoneType"),
        ({}, ValueError, r"^bn_param\['mode'\] must be one of 'train', 'test', got None"),
        ({"mode": "eval"}, ValueError, r"^bn_param\['mode'\] must be one of 'train', 'test', got 'eval'"),
        (train(epsilon=1e-5), ValueError, "^bn_param must hold nothing but 'mode', 'eps', .* got 'epsilon'"),
        (train(eps=0), ValueError, r"^bn_param\['eps'\] must be a finite number above 0, got 0"),
        (
            train(momentum=1.5),
            ValueError,
            r"^bn_param\['momentum'\] must be a finite number of at least 0 and at most 1",
        ),
        (train(running_mean=np.zeros(3)), ValueError, r"^bn_param\['running_mean'\] must have shape \(2,\)"),
        (train(running_var=np.zeros((1, 2))), ValueError, r"^bn_param\['running_var'\] must have shape \(2,\)"),
        (train(running_var=np.array([1.0, -1.0])), ValueError, r"^bn_param\['running_var'\] must hold no negative"),
        ({"mode": "test"}, ValueError, "^bn_param must hold running_mean in test mode"),
        ({"mode": "test", "running_mean": np.zeros(2)}, ValueError, "^bn_param must hold running_var in test mode"),
    ],
)
def test_bad_parameters_are_answered_by_their_name(bn_param, error, message):
    before = dict(bn_param or {})
    with pytest.raises(error, match=message):
        batchnorm_forward(np.eye(2), np.ones(2), np.zeros(2), bn_param)
    assert list(bn_param or {}) == list(before)


X2, X4, ONE, CHANNELS = np.ones((4, 3)), np.ones((2, 6, 2, 2)), np.ones(3), np.ones((1, 6, 1, 1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: batchnorm_forward(X4, ONE, ONE, train()), r"^x must have shape \(N, D\), got \(2, 6, 2, 2"),
        (lambda: layernorm_forward(X2, ONE[:1], ONE, {}), r"^gamma must have shape \(D,\) with D = 3, got \(1,\)"),
        (
            lambda: spatial_batchnorm_forward(X4, np.ones(6), np.ones((1, 6)), train()),
            r"^beta must have shape \(C,\) with C",
        ),
        (
            lambda: spatial_groupnorm_forward(X4, ONE, ONE, 2, {}),
            r"^gamma must have shape \(1, C, 1, 1\) with C = 6, got",
        ),
        (
            lambda: layernorm_forward(X2, ONE, ONE, {"eps": -1}),
            r"^ln_param\['eps'\] must be a finite number above 0, got",
        ),
        (lambda: layernorm_forward(X2, ONE, ONE, {"epsilon": 1}), "^ln_param must hold nothing but .* got 'epsilon'"),
        (
            lambda: spatial_groupnorm_forward(X4, CHANNELS, CHANNELS, 2, {"G": 2}),
            "^gn_param must hold nothing .* got 'G'",
        ),
        (
            lambda: spatial_groupnorm_forward(X4, CHANNELS, CHANNELS, 4, {}),
            "^G must divide the number of channels, got G = 4 for 6 channels",
        ),
        (
            lambda: spatial_groupnorm_forward(X4, CHANNELS, CHANNELS, 0, {}),
            "^G must be an integer of at least 1, got 0",
        ),
    ],
)
def test_bad_input_is_answered_by_the_arguments_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_an_upstream_gradient_of_the_wrong_shape_is_refused(layer):
    forward, backward, x_shape, _ = layer
    *inputs, dout = random_inputs(layer)
    _, cache = forward(*inputs)
    for wrong in (dout[:1], dout.reshape(-1), dout.swapaxes(0, 1)):
        with pytest.raises(ValueError, match="^dout must have shape"):
            backward(wrong, cache)
