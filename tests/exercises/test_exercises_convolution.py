"""Exercises of the lesson ConvolutionalNetworks, except normalization."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from arrays import read_only, tensors
from canaries import *
from hints import entries, require, require_that
from student import (
    ThreeLayerConvNet,
    avg_pool_backward_naive,
    avg_pool_forward_naive,
    conv_backward_naive,
    conv_forward_naive,
    max_pool_backward_naive,
    max_pool_forward_naive,
    seed,
)

exercise = pytest.mark.exercise

# Shapes of x and w, stride and pad
GEOMETRIES = [
    ((2, 3, 5, 5), (4, 3, 3, 3), 1, 0),
    ((2, 3, 5, 5), (4, 3, 3, 3), 1, 1),
    ((1, 2, 7, 5), (3, 2, 3, 3), 2, 0),
    ((2, 1, 4, 6), (2, 1, 2, 4), 2, 1),
]
GEOMETRY = pytest.mark.parametrize(("x_shape", "w_shape", "stride", "pad"), GEOMETRIES)


def conv_arrays(x_shape, w_shape):
    rng = np.random.default_rng(0)
    return [read_only(rng.standard_normal(shape)) for shape in (x_shape, w_shape, w_shape[:1])]


# Convolution


@exercise("conv_forward_naive", 1)
def test_conv_by_hand():
    x = np.array([[1.0, 2, 0], [0, 1, 3], [2, 1, 0]])[None, None]
    w = np.array([[1.0, 2], [0, -1]])[None, None]
    out, _ = entries("conv_forward_naive", conv_forward_naive(x, w, np.array([10.0]), {"stride": 1, "pad": 0}), 2)
    expected = np.array([[14, 9], [11, 17]])[None, None]
    flipped = F.conv2d(*map(torch.tensor, (x, w[..., ::-1, ::-1].copy())))
    require(
        "out", out, expected, {"the bias is missing": expected - 10, "the filter is turned round": flipped.numpy() + 10}
    )


def require_conv(x_shape, w_shape, stride, pad):
    x, w, b = conv_arrays(x_shape, w_shape)
    out, _ = conv_forward_naive(x, w, b, {"stride": stride, "pad": pad})
    expected = F.conv2d(*map(torch.tensor, (x, w, b)), stride=stride, padding=pad).numpy()
    how = f"with stride {stride} and pad {pad}, (H + 2·pad − HH) / stride + 1 and the same for W"
    require("out", out, expected, {"the bias is missing": expected - b.reshape(-1, 1, 1)}, how=how)


@exercise("conv_forward_naive", 1)
def test_conv_forward_with_several_channels_and_filters():
    require_conv(*GEOMETRIES[0])


@exercise("conv_forward_naive", 1)
def test_conv_forward_with_padding():
    require_conv(*GEOMETRIES[1])


@exercise("conv_forward_naive", 1)
@pytest.mark.parametrize("geometry", GEOMETRIES[2:])
def test_conv_forward_with_a_stride(geometry):
    require_conv(*geometry)


def conv_gradients(x_shape, w_shape, stride, pad):
    x, w, b = conv_arrays(x_shape, w_shape)
    leaves = tensors(x, w, b)
    out = F.conv2d(*leaves, stride=stride, padding=pad)
    dout = read_only(np.random.default_rng(1).standard_normal(tuple(out.shape)))
    out.backward(torch.tensor(dout))
    _, cache = conv_forward_naive(x, w, b, {"stride": stride, "pad": pad})
    got = entries("conv_backward_naive", conv_backward_naive(dout, cache), 3)
    return got, [leaf.grad.numpy() for leaf in leaves], dout


@exercise("conv_backward_naive", 1)
@pytest.mark.parametrize("geometry", GEOMETRIES[:1])
def test_conv_backward_dx(geometry):
    (dx, _, _), (expected, _, _), _ = conv_gradients(*geometry)
    require("dx", dx, expected, how="that of x")


@exercise("conv_backward_naive", 1)
@pytest.mark.parametrize("geometry", GEOMETRIES[1:])
def test_conv_backward_dx_with_padding_and_stride(geometry):
    (dx, _, _), (expected, _, _), _ = conv_gradients(*geometry)
    require("dx", dx, expected, how="that of x, without its padding,")


@exercise("conv_backward_naive", 1)
@GEOMETRY
def test_conv_backward_dw(x_shape, w_shape, stride, pad):
    (_, dw, _), (_, expected, _), _ = conv_gradients(x_shape, w_shape, stride, pad)
    require("dw", dw, expected, how="that of w")


@exercise("conv_backward_naive", 1)
@GEOMETRY
def test_conv_backward_db(x_shape, w_shape, stride, pad):
    (_, _, db), (_, _, expected), dout = conv_gradients(x_shape, w_shape, stride, pad)
    require("db", db, expected, {"a mean, a sum expected": dout.mean(axis=(0, 2, 3))}, how="sum over axes (0, 2, 3)")


# Pooling: shape of x, height and width of a window, stride

POOLINGS = [((2, 3, 4, 6), 2, 2, 2), ((1, 2, 5, 7), 3, 1, 2), ((2, 1, 4, 5), 2, 3, 1)]
POOLING = pytest.mark.parametrize(("shape", "height", "width", "stride"), POOLINGS)


def pooled(forward, torch_pool, shape, height, width, stride):
    x = read_only(np.random.default_rng(0).permutation(int(np.prod(shape))).reshape(shape) / 10)
    out, cache = forward(x, {"pool_height": height, "pool_width": width, "stride": stride})
    (leaf,) = tensors(x)
    return x, out, cache, leaf, torch_pool(leaf, (height, width), stride)


def require_pooling(forward, torch_pool, other_pool, what, *geometry):
    x, out, _, _, expected = pooled(forward, torch_pool, *geometry)
    mistake = other_pool(torch.tensor(x), geometry[1:3], geometry[3]).numpy()
    require(
        "out", out, expected.detach().numpy(), {what: mistake}, how="(H − pool_height) / stride + 1 and the same for W"
    )


def require_pooling_gradient(forward, backward, torch_pool, *geometry):
    x, _, cache, leaf, expected = pooled(forward, torch_pool, *geometry)
    dout = read_only(np.random.default_rng(1).standard_normal(tuple(expected.shape)))
    expected.backward(torch.tensor(dout))
    require("dx", backward(dout, cache), leaf.grad.numpy(), how="that of x")


@exercise("max_pool_forward_naive", 1)
def test_max_pool_forward():
    require_pooling(max_pool_forward_naive, F.max_pool2d, F.avg_pool2d, "the mean of each window", *POOLINGS[0])


@exercise("max_pool_forward_naive", 1)
@pytest.mark.parametrize("geometry", POOLINGS[1:])
def test_max_pool_forward_of_any_window_and_stride(geometry):
    require_pooling(max_pool_forward_naive, F.max_pool2d, F.avg_pool2d, "the mean of each window", *geometry)


@exercise("max_pool_backward_naive", 1)
def test_max_pool_backward():
    require_pooling_gradient(max_pool_forward_naive, max_pool_backward_naive, F.max_pool2d, *POOLINGS[0])


@exercise("max_pool_backward_naive", 1)
@pytest.mark.parametrize("geometry", POOLINGS[1:])
def test_max_pool_backward_adds_up_where_windows_overlap(geometry):
    require_pooling_gradient(max_pool_forward_naive, max_pool_backward_naive, F.max_pool2d, *geometry)


@exercise("avg_pool_forward_naive", 1)
@POOLING
def test_avg_pool_forward(shape, height, width, stride):
    geometry = shape, height, width, stride
    require_pooling(avg_pool_forward_naive, F.avg_pool2d, F.max_pool2d, "the largest of each window", *geometry)


@exercise("avg_pool_backward_naive", 1)
@POOLING
def test_avg_pool_backward(shape, height, width, stride):
    geometry = shape, height, width, stride
    require_pooling_gradient(avg_pool_forward_naive, avg_pool_backward_naive, F.avg_pool2d, *geometry)


# The net


def small_convnet(reg=0.0):
    seed(0)
    rng = np.random.default_rng(0)
    model = ThreeLayerConvNet(
        input_dim=(3, 4, 6),
        num_filters=4,
        filter_size=3,
        hidden_dim=7,
        num_classes=5,
        weight_scale=0.3,
        reg=reg,
        dtype="float64",
    )
    for i in (1, 2, 3):
        model.params[f"b{i}"] = 0.1 * rng.standard_normal(np.shape(model.params[f"b{i}"]))
    return model, rng.standard_normal((3, 3, 4, 6)), rng.integers(5, size=3)


def torch_convnet(model, X, y, reg=0.0):
    params = {name: torch.tensor(w, requires_grad=True) for name, w in model.params.items()}
    out = F.conv2d(torch.tensor(X), params["W1"], params["b1"], padding=1)
    out = F.max_pool2d(out.relu(), 2).flatten(1)
    scores = (out @ params["W2"] + params["b2"]).relu() @ params["W3"] + params["b3"]
    loss = F.cross_entropy(scores, torch.tensor(y)) + 0.5 * reg * sum((params[f"W{i}"] ** 2).sum() for i in (1, 2, 3))
    loss.backward()
    return scores.detach().numpy(), loss.item(), {name: w.grad.numpy() for name, w in params.items()}


@exercise("ThreeLayerConvNet.__init__", 1)
def test_convnet_parameters_have_their_shapes():
    params = ThreeLayerConvNet(input_dim=(3, 8, 6), num_filters=4, filter_size=5, hidden_dim=7, num_classes=9).params
    expected = {"W1": (4, 3, 5, 5), "b1": (4,), "W2": (4 * 4 * 3, 7), "b2": (7,), "W3": (7, 9), "b3": (9,)}
    require_that(set(params) == set(expected), f"params: {sorted(expected)} expected, got {sorted(params)}")
    for name, shape in expected.items():
        got = np.shape(params[name])
        require_that(got == shape, f"params[{name!r}]: shape {shape} expected, got {got}")


@exercise("ThreeLayerConvNet.__init__", 1)
def test_convnet_starts_with_gaussian_weights_and_no_biases():
    seed(0)
    params = ThreeLayerConvNet(input_dim=(3, 16, 16), weight_scale=0.02).params
    for i in (1, 2, 3):
        W, spread = params[f"W{i}"], np.std(params[f"W{i}"])
        require_that(not np.any(params[f"b{i}"]), f"b{i}: zeros expected")
        require_that(0.018 < spread < 0.022, f"W{i}: standard deviation weight_scale = 0.02 expected, got {spread:.3g}")
        require_that(W.dtype == np.float32, f"W{i}: dtype float32 expected, the net's own, got {W.dtype}")


@exercise("ThreeLayerConvNet.loss", 1)
def test_convnet_scores():
    model, X, y = small_convnet()
    require("scores, without labels", model.loss(X), torch_convnet(model, X, y)[0])


@exercise("ThreeLayerConvNet.loss", 1)
def test_convnet_loss():
    model, X, y = small_convnet()
    loss, _ = entries("loss, with labels", model.loss(X, y), 2)
    require("loss", loss, torch_convnet(model, X, y)[1])


@exercise("ThreeLayerConvNet.loss", 1)
def test_convnet_gradients():
    model, X, y = small_convnet()
    _, grads = model.loss(X, y)
    _, _, expected = torch_convnet(model, X, y)
    require_that(set(grads) == set(expected), f"grads: {sorted(expected)} expected, got {sorted(grads)}")
    for name in ("W3", "b3", "W2", "b2", "W1", "b1"):
        require(f"grads[{name!r}]", grads[name], expected[name])


@exercise("ThreeLayerConvNet.loss", 1)
def test_convnet_penalty():
    model, X, y = small_convnet(reg=0.7)
    loss, grads = model.loss(X, y)
    _, expected, expected_grads = torch_convnet(model, X, y, 0.7)
    plain = torch_convnet(model, X, y)[1]
    require(
        "loss with reg = 0.7",
        loss,
        expected,
        {
            "the penalty is missing": plain,
            "the penalty is twice as large: the factor 0.5 is missing": 2 * expected - plain,
        },
    )
    for name in ("W1", "W2", "W3"):
        require(
            f"grads[{name!r}] with reg = 0.7",
            grads[name],
            expected_grads[name],
            {
                "the penalty's gradient, reg · W, is missing": expected_grads[name] - 0.7 * model.params[name],
            },
        )
