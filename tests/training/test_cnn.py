"""The three-layer ConvNet and sandwich layers; test_odd_arguments.py holds them against PyTorch."""

import numpy as np
import pytest
from arrays import seeds
from hypothesis import given, settings
from numpy.testing import assert_allclose, assert_array_equal

from cs231n import initializers, layer_utils
from cs231n.classifiers.cnn import ThreeLayerConvNet
from cs231n.layer_utils import conv_relu_pool_backward, conv_relu_pool_forward
from cs231n.layers import (
    conv_backward_naive,
    conv_forward_naive,
    max_pool_backward_naive,
    max_pool_forward_naive,
    relu_backward,
    relu_forward,
    softmax_loss,
)
from cs231n.solver import Solver

CONV_PARAM = {"stride": 1, "pad": 1}
POOL_PARAM = {"pool_height": 2, "pool_width": 2, "stride": 2}


# Sandwich layers


@settings(max_examples=20)
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


CONV_SHAPES = (2, 3, 6, 8), (4, 3, 3, 3), (4,)


@pytest.mark.parametrize(
    ("name", "shapes", "params"),
    [
        ("affine_relu", [(2, 3), (3, 4), (4,)], []),
        ("conv_relu", CONV_SHAPES, [CONV_PARAM]),
        ("conv_bn_relu", [*CONV_SHAPES, (4,), (4,)], [CONV_PARAM, {"mode": "train"}]),
        ("conv_relu_pool", CONV_SHAPES, [CONV_PARAM, POOL_PARAM]),
    ],
)
def test_the_gradient_of_the_input_can_be_left_out(name, shapes, params):
    rng = np.random.default_rng(1)
    backward = getattr(layer_utils, f"{name}_backward")
    out, cache = getattr(layer_utils, f"{name}_forward")(*[rng.standard_normal(shape) for shape in shapes], *params)
    dout = rng.standard_normal(out.shape)
    none, *alone = backward(dout, cache, need_dx=False)
    assert none is None
    for gradient, expected in zip(alone, backward(dout, cache)[1:], strict=True):
        assert_array_equal(gradient, expected)


# The network

SMALL = {"input_dim": (2, 4, 6), "num_filters": 3, "filter_size": 3, "hidden_dim": 5, "num_classes": 4}


@pytest.mark.parametrize("filter_size", [1, 3, 5, 7])
def test_padding_keeps_the_size_of_the_image_and_the_loss_is_that_of_the_scores(filter_size):
    net = ThreeLayerConvNet((1, 2, 4), 1, filter_size, hidden_dim=1, num_classes=1, weight_scale=0.5)
    assert net.params["W2"].shape == (1 * 1 * 2, 1)
    X, y = np.random.default_rng(0).standard_normal((3, 2, 4, 6)), np.array([0, 3, 1])
    net = ThreeLayerConvNet(**{**SMALL, "filter_size": filter_size}, weight_scale=0.5)
    assert_allclose(net.loss(X, y)[0], softmax_loss(net.loss(X), y)[0], rtol=1e-6)


def test_parameters_are_named_and_shaped_layer_by_layer():
    net = ThreeLayerConvNet()
    assert list(net.params) == ["W1", "b1", "W2", "b2", "W3", "b3"]
    shapes = [array.shape for array in net.params.values()]
    assert shapes == [(32, 3, 7, 7), (32,), (32 * 16 * 16, 100), (100,), (100, 10), (10,)]
    assert all(array.dtype == np.float32 for array in net.params.values())
    assert all(not array.any() for name, array in net.params.items() if name.startswith("b"))
    assert 0.9e-3 < net.params["W2"].std() < 1.1e-3
    assert net.reg == 0


@pytest.mark.parametrize("scale", [5e-2, "kaiming"])
def test_weights_are_drawn_layer_by_layer_from_the_global_state(scale):
    np.random.seed(231)
    net = ThreeLayerConvNet(**SMALL, weight_scale=scale)
    np.random.seed(231)
    for name, shape in (("W1", (3, 2, 3, 3)), ("W2", (3 * 2 * 3, 5)), ("W3", (5, 4))):
        expected = initializers.kaiming(shape) if scale == "kaiming" else np.random.randn(*shape) * scale
        assert_array_equal(net.params[name], expected.astype(np.float32))


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
    ThreeLayerConvNet(**SMALL).loss(np.ones((2, 2, 4, 6)), np.array([0, 3]))
    assert asked == [False]


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
        ({"input_dim": (3, 32)}, r"^input_dim must be a list or tuple of 3 integers, got \(3, 32\)"),
        ({"input_dim": (3, 31, 32)}, r"^input_dim must have an even height and width.*got \(3, 31, 32\)"),
        ({"input_dim": (3, 32, 31)}, r"^input_dim must have an even height and width.*got \(3, 32, 31\)"),
        ({"num_filters": 0}, "^num_filters must be an integer of at least 1, got 0"),
        ({"filter_size": 0}, "^filter_size must be an integer of at least 1, got 0"),
        ({"filter_size": 4}, "^filter_size must be odd.*got 4"),
        ({"hidden_dim": 0}, "^hidden_dim must be an integer of at least 1, got 0"),
        ({"weight_scale": "he"}, "^weight_scale must be one of 'xavier', 'kaiming', got 'he'"),
    ],
)
def test_arguments_out_of_range_are_answered_by_their_name(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        ThreeLayerConvNet(**arguments)
