"""The three-layer ConvNet and its sandwich layers, held against PyTorch, numerical gradients and the naive layers."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from arrays import assert_agrees, layouts, seeds, tensors
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from cs231n import initializers
from cs231n.classifiers.cnn import ThreeLayerConvNet
from cs231n.gradient_check import eval_numerical_gradient, eval_numerical_gradient_array
from cs231n.layer_utils import (
    conv_bn_relu_backward,
    conv_bn_relu_forward,
    conv_relu_backward,
    conv_relu_forward,
    conv_relu_pool_backward,
    conv_relu_pool_forward,
)
from cs231n.layers import (
    conv_backward_naive,
    conv_forward_naive,
    max_pool_backward_naive,
    max_pool_forward_naive,
    relu_backward,
    relu_forward,
)
from cs231n.solver import Solver

CONV_PARAM = {"stride": 1, "pad": 1}
POOL_PARAM = {"pool_height": 2, "pool_width": 2, "stride": 2}
SANDWICHES = {
    "conv_bn_relu": (lambda *x: conv_bn_relu_forward(*x, CONV_PARAM, {"mode": "train"}), conv_bn_relu_backward),
    "conv_relu": (lambda *x: conv_relu_forward(*x, CONV_PARAM), conv_relu_backward),
    "conv_relu_pool": (lambda *x: conv_relu_pool_forward(*x, CONV_PARAM, POOL_PARAM), conv_relu_pool_backward),
}


# Sandwich layers


def sandwich_arguments(name, rng, layout=np.copy):
    vectors = [(4,)] * (3 if name == "conv_bn_relu" else 1)  # b, and gamma and beta
    return [layout(rng.standard_normal(shape)) for shape in ((2, 3, 6, 8), (4, 3, 3, 3), *vectors)]


@pytest.mark.parametrize("name", sorted(SANDWICHES))
@given(seed=seeds, layout=layouts)
def test_a_sandwich_agrees_with_pytorch(name, seed, layout):
    forward, backward = SANDWICHES[name]
    rng = np.random.default_rng(seed)
    arguments = sandwich_arguments(name, rng, layout)
    out, cache = forward(*arguments)
    dout = layout(rng.standard_normal(out.shape))

    inputs = tensors(*arguments)
    expected = F.conv2d(*inputs[:3], padding=1)
    if name == "conv_bn_relu":
        expected = F.batch_norm(expected, None, None, *inputs[3:], training=True)
    expected = torch.relu(expected)
    if name == "conv_relu_pool":
        expected = F.max_pool2d(expected, 2)
    assert_agrees(out, expected)
    gradients = torch.autograd.grad(expected, inputs, tensors(dout)[0])
    for ours, theirs in zip(backward(dout, cache), gradients, strict=True):
        assert_agrees(ours, theirs)


@given(seed=seeds)
def test_a_sandwich_equals_its_layers_one_by_one_where_values_are_equal_or_zero_too(seed):
    rng = np.random.default_rng(seed)
    x, w = rng.integers(-1, 2, (2, 2, 4, 6)).astype(float), rng.integers(-1, 2, (3, 2, 3, 3)).astype(float)
    b, dout = rng.integers(-2, 3, 3).astype(float), rng.standard_normal((2, 3, 2, 3))
    a, conv_cache = conv_forward_naive(x, w, b, CONV_PARAM)
    r, relu_cache = relu_forward(a)
    expected, pool_cache = max_pool_forward_naive(r, POOL_PARAM)
    da = relu_backward(max_pool_backward_naive(dout, pool_cache), relu_cache)

    out, cache = conv_relu_pool_forward(x, w, b, CONV_PARAM, POOL_PARAM)
    assert_array_equal(out, expected)
    for ours, theirs in zip(conv_relu_pool_backward(dout, cache), conv_backward_naive(da, conv_cache), strict=True):
        assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", sorted(SANDWICHES))
def test_a_sandwich_matches_numerical_gradients(name):
    forward, backward = SANDWICHES[name]
    rng = np.random.default_rng(0)
    arguments = sandwich_arguments(name, rng)
    out, cache = forward(*arguments)
    dout = rng.standard_normal(out.shape)
    for array, gradient in zip(arguments, backward(dout, cache), strict=True):
        numerical = eval_numerical_gradient_array(lambda _: forward(*arguments)[0], array, dout)
        assert_allclose(gradient, numerical, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", sorted(SANDWICHES))
def test_the_gradient_of_the_input_can_be_left_out(name):
    forward, backward = SANDWICHES[name]
    rng = np.random.default_rng(1)
    out, cache = forward(*sandwich_arguments(name, rng))
    dout = rng.standard_normal(out.shape)
    none, *alone = backward(dout, cache, need_dx=False)
    assert none is None
    for gradient, expected in zip(alone, backward(dout, cache)[1:], strict=True):
        assert_array_equal(gradient, expected)


# The network

nets = st.fixed_dictionaries(
    {
        "input_dim": st.tuples(st.integers(1, 3), st.sampled_from([2, 4, 6]), st.sampled_from([2, 4, 6])),
        "num_filters": st.integers(1, 3),
        "filter_size": st.sampled_from([1, 3, 5]),
        "hidden_dim": st.integers(1, 5),
        "num_classes": st.integers(1, 4),
        "reg": st.sampled_from([0.0, 0.1, 3.14]),
    }
)
SMALL = {"input_dim": (2, 4, 6), "num_filters": 3, "filter_size": 3, "hidden_dim": 5, "num_classes": 4}


def random_net(seed, **arguments):
    """A float64 net with random biases too, so that no unit sits at the corner of its ReLU."""
    rng = np.random.default_rng(seed)
    net = ThreeLayerConvNet(dtype=np.float64, **arguments)
    for name, array in net.params.items():
        net.params[name] = rng.standard_normal(array.shape)
    return net, rng


def batch(rng, net, N):
    return rng.standard_normal((N, *net.input_dim)), rng.integers(0, net.params["b3"].size, N)


@given(seed=seeds, N=st.integers(1, 4), arguments=nets)
def test_a_net_equals_a_pytorch_net_with_an_l2_penalty(seed, N, arguments):
    net, rng = random_net(seed, **arguments)
    X, y = batch(rng, net, N)
    loss, grads = net.loss(X, y)

    params = {name: torch.tensor(array, requires_grad=True) for name, array in net.params.items()}
    out = torch.relu(F.conv2d(torch.tensor(X), params["W1"], params["b1"], padding=arguments["filter_size"] // 2))
    out = torch.relu(F.max_pool2d(out, 2).flatten(1) @ params["W2"] + params["b2"])
    scores = out @ params["W3"] + params["b3"]
    penalty = sum((params[name] ** 2).sum() for name in ("W1", "W2", "W3"))
    expected = F.cross_entropy(scores, torch.tensor(y)) + 0.5 * arguments["reg"] * penalty
    expected.backward()

    assert_agrees(net.loss(X), scores)
    assert_allclose(loss, expected.item(), rtol=1e-10)
    assert set(grads) == set(net.params)
    for name, gradient in grads.items():
        assert_allclose(gradient, params[name].grad.numpy(), rtol=1e-10, atol=1e-10, err_msg=name)


@settings(max_examples=10)
@given(seed=seeds, arguments=nets)
def test_gradients_of_a_net_match_numerical_ones(seed, arguments):
    net, rng = random_net(seed, **{**arguments, "input_dim": (2, 4, 4)})
    X, y = batch(rng, net, 2)
    _, grads = net.loss(X, y)
    for name, array in net.params.items():
        numerical = eval_numerical_gradient(lambda _: net.loss(X, y)[0], array, verbose=False, h=1e-6)
        assert_allclose(grads[name], numerical, rtol=1e-4, atol=1e-6, err_msg=name)


def test_parameters_are_named_and_shaped_layer_by_layer():
    net = ThreeLayerConvNet()
    assert list(net.params) == ["W1", "b1", "W2", "b2", "W3", "b3"]
    shapes = [array.shape for array in net.params.values()]
    assert shapes == [(32, 3, 7, 7), (32,), (32 * 16 * 16, 100), (100,), (100, 10), (10,)]
    assert all(array.dtype == np.float32 for array in net.params.values())
    assert all(not array.any() for name, array in net.params.items() if name.startswith("b"))
    assert 0.9e-3 < net.params["W2"].std() < 1.1e-3
    assert net.reg == 0


def test_weights_are_drawn_layer_by_layer_from_the_global_state():
    np.random.seed(231)
    net = ThreeLayerConvNet(**SMALL, weight_scale=5e-2)
    np.random.seed(231)
    for name, shape in (("W1", (3, 2, 3, 3)), ("W2", (3 * 2 * 3, 5)), ("W3", (5, 4))):
        assert_array_equal(net.params[name], (np.random.randn(*shape) * 5e-2).astype(np.float32))


def test_weight_scale_may_name_an_initializer():
    np.random.seed(0)
    net = ThreeLayerConvNet(**SMALL, weight_scale="kaiming", dtype=np.float64)
    np.random.seed(0)
    for name, shape in (("W1", (3, 2, 3, 3)), ("W2", (3 * 2 * 3, 5)), ("W3", (5, 4))):
        assert_array_equal(net.params[name], initializers.kaiming(shape))


@pytest.mark.parametrize("filter_size", [1, 3, 5, 7, 9])
def test_padding_keeps_the_size_of_the_image(filter_size):
    net = ThreeLayerConvNet(**{**SMALL, "filter_size": filter_size})
    assert net.params["W2"].shape == (3 * 2 * 3, 5)
    assert net.loss(np.ones((2, 2, 4, 6))).shape == (2, 4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, "float32"])
@pytest.mark.parametrize("input_dtype", [np.uint8, np.float32, np.float64])
def test_everything_is_computed_in_the_nets_dtype(dtype, input_dtype):
    net = ThreeLayerConvNet(**SMALL, reg=0.5, dtype=dtype)
    X, y = np.arange(96).reshape(2, 2, 4, 6).astype(input_dtype), np.array([0, 3])
    assert net.loss(X).dtype == dtype
    loss, grads = net.loss(X, y)
    assert type(loss) is float
    assert all(gradient.dtype == dtype for gradient in grads.values())


def test_the_gradient_of_the_images_is_not_computed(monkeypatch):
    asked = []

    def backward(dout, cache, need_dx=True):
        asked.append(need_dx)
        return conv_relu_pool_backward(dout, cache, need_dx)

    monkeypatch.setattr("cs231n.classifiers.cnn.conv_relu_pool_backward", backward)
    net, rng = random_net(0, **SMALL)
    net.loss(*batch(rng, net, 2))
    assert asked == [False]


def test_the_penalty_leaves_out_the_biases():
    net, rng = random_net(0, **SMALL)
    X, y = batch(rng, net, 3)
    loss, grads = net.loss(X, y)
    net.reg = 2.0
    penalized_loss, penalized_grads = net.loss(X, y)
    assert_allclose(penalized_loss - loss, sum(np.sum(net.params[f"W{i}"] ** 2) for i in (1, 2, 3)), rtol=1e-12)
    for i in (1, 2, 3):
        expected = grads[f"W{i}"] + 2 * net.params[f"W{i}"]
        assert_allclose(penalized_grads[f"W{i}"], expected, rtol=1e-12)
        assert_array_equal(penalized_grads[f"b{i}"], grads[f"b{i}"])


def test_a_loss_alters_neither_inputs_nor_parameters():
    net, rng = random_net(0, **SMALL, reg=0.7)
    X, y = batch(rng, net, 3)
    before = {name: array.copy() for name, array in net.params.items()}
    for array in (X, y, *net.params.values()):
        array.flags.writeable = False
    _, grads = net.loss(X, y)
    for name, array in net.params.items():
        assert_array_equal(array, before[name])
        assert not np.shares_memory(grads[name], array)


def test_equal_scores_cost_what_a_guess_costs():
    loss, _ = ThreeLayerConvNet(weight_scale=0).loss(np.ones((3, 3, 32, 32)), np.array([0, 5, 9]))
    assert_allclose(loss, np.log(10), rtol=1e-6)


def test_a_net_learns_a_few_images_by_heart():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((20, 3, 8, 8)).astype(np.float32), rng.integers(0, 10, 20)
    np.random.seed(0)
    net = ThreeLayerConvNet((3, 8, 8), num_filters=8, filter_size=3, weight_scale="kaiming")
    data = {"X_train": X, "y_train": y, "X_val": X, "y_val": y}
    settings = {"optim_config": {"learning_rate": 2e-3}, "num_epochs": 30, "batch_size": 10, "verbose": False}
    solver = Solver(net, data, update_rule="adam", **settings)
    solver.train()
    assert solver.best_val_acc == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_dim": 3072}, "^input_dim must be a list or tuple of 3 integers, got 3072"),
        ({"input_dim": (3, 32)}, r"^input_dim must be a list or tuple of 3 integers, got \(3, 32\)"),
        ({"input_dim": (0, 32, 32)}, r"^input_dim\[0\] must be an integer of at least 1, got 0"),
        ({"input_dim": (3, 31, 32)}, r"^input_dim must have an even height and width.*got \(3, 31, 32\)"),
        ({"input_dim": (3, 32, 31)}, r"^input_dim must have an even height and width.*got \(3, 32, 31\)"),
        ({"num_filters": 0}, "^num_filters must be an integer of at least 1, got 0"),
        ({"filter_size": 7.0}, "^filter_size must be an integer of at least 1, got 7.0"),
        ({"filter_size": 4}, "^filter_size must be odd.*got 4"),
        ({"hidden_dim": -1}, "^hidden_dim must be an integer of at least 1, got -1"),
        ({"num_classes": None}, "^num_classes must be an integer of at least 1, got None"),
        ({"weight_scale": "he"}, "^weight_scale must be one of 'xavier', 'kaiming', got 'he'"),
        ({"reg": np.nan}, "^reg must be a finite number of at least 0, got nan"),
        ({"dtype": int}, "^dtype must be a floating-point type"),
    ],
)
def test_arguments_out_of_range_are_answered_by_their_name(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        ThreeLayerConvNet(**arguments)


@pytest.mark.parametrize("shape", [(2, 2, 4, 4), (2, 48), (2, 4, 6)])
def test_images_of_the_wrong_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"^X must have shape \(.*2, 4, 6\) \(images of the shape input_dim\)"):
        ThreeLayerConvNet(**SMALL).loss(np.ones(shape))


def test_images_that_are_no_real_numbers_are_refused():
    with pytest.raises(TypeError, match="^X must be an array of real numbers"):
        ThreeLayerConvNet(**SMALL).loss(np.ones((2, 2, 4, 6)) * 1j)


def test_an_empty_batch_has_scores_but_no_loss():
    net = ThreeLayerConvNet(**SMALL)
    assert net.loss(np.ones((0, 2, 4, 6))).shape == (0, 4)
    with pytest.raises(ValueError, match=r"N and C at least 1, got shape \(0, 4\)"):
        net.loss(np.ones((0, 2, 4, 6)), np.zeros(0, int))
