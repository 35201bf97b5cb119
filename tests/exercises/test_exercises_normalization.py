"""Exercises of normalization: of features (lesson BatchNormalization) and of images (ConvolutionalNetworks)."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from arrays import read_only, tensors
from canaries import *
from hints import entries, require, require_that
from student import (
    FullyConnectedNet,
    batchnorm_backward,
    batchnorm_backward_alt,
    batchnorm_forward,
    layernorm_backward,
    layernorm_forward,
    seed,
    spatial_batchnorm_backward,
    spatial_batchnorm_forward,
    spatial_groupnorm_backward,
    spatial_groupnorm_forward,
)

exercise = pytest.mark.exercise
SHAPES = pytest.mark.parametrize("shape", [(4, 3), (2, 5), (30, 4)])
IMAGES = pytest.mark.parametrize("shape", [(2, 4, 3, 5), (3, 4, 1, 1), (2, 8, 4, 4)])


def arrays(shape, parameter_shape=None, number=0):
    """x far from mean 0 and variance 1, gamma, beta and dout."""
    rng = np.random.default_rng(number)
    parameter_shape = parameter_shape or (shape[1],)
    every = (
        3 * rng.standard_normal(shape) + 7,
        1 + rng.random(parameter_shape),
        rng.standard_normal(parameter_shape),
        rng.standard_normal(shape),
    )
    return [read_only(array) for array in every]


def gradients(torch_layer, x, gamma, beta, dout):
    leaves = tensors(x, gamma, beta)
    torch_layer(*leaves).backward(torch.tensor(dout))
    return [leaf.grad.numpy() for leaf in leaves]


def torch_batchnorm(x, gamma, beta, **options):
    return F.batch_norm(x, None, None, gamma, beta, training=True, **options)


def torch_layernorm(x, gamma, beta, eps=1e-5):
    return F.layer_norm(x, x.shape[1:], gamma, beta, eps)


def require_shift(name, got, expected, dout, axes):
    """dbeta is a sum of dout over axes."""
    mean = dout.mean(axis=axes).reshape(expected.shape)
    how = f"sum over {'axis ' + str(axes[0]) if len(axes) == 1 else f'axes {axes}'}"
    require(name, got, expected, {"a mean, a sum expected": mean}, how=how)


# Batch norm


@exercise("batchnorm_forward", 1)
def test_batchnorm_by_hand():
    x = np.array([[1.0], [3.0], [3.0], [9.0]])
    result = batchnorm_forward(x, np.ones(1), np.zeros(1), {"mode": "train", "eps": 1e-12})
    out, _ = entries("batchnorm_forward", result, 2)
    z = (x - 4) / 3
    require(
        "out of (1, 3, 3, 9), of mean 4 and variance 9",
        out,
        z,
        {
            "divided by the variance, its root expected": (x - 4) / 9,
            "not divided by the standard deviation": x - 4,
            "the mean is not subtracted": x / 3,
            "the variance is divided by N − 1, by N expected": z * np.sqrt(3 / 4),
        },
    )


@exercise("batchnorm_forward", 1)
@SHAPES
def test_batchnorm_in_training(shape):
    x, gamma, beta, _ = arrays(shape)
    out, _ = batchnorm_forward(x, gamma, beta, {"mode": "train", "eps": 1e-3})
    expected = torch_batchnorm(*map(torch.tensor, (x, gamma, beta)), eps=1e-3).numpy()
    rows = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-3)
    require(
        "out",
        out,
        expected,
        {
            "γ and β are forgotten": (expected - beta) / gamma,
            "β is forgotten": expected - beta,
            "normalized over the features of each example (axis 1), over the batch (axis 0) expected": gamma * rows
            + beta,
            "the ε of bn_param is not used": torch_batchnorm(*map(torch.tensor, (x, gamma, beta))).numpy(),
        },
    )


def averages_after_three_batches(momentum=0.8):
    bn_param = {"mode": "train", "momentum": momentum}
    mean, var = np.zeros(3), np.zeros(3)
    for number in range(3):
        x, gamma, beta, _ = arrays((5, 3), number=number)
        batchnorm_forward(x, gamma, beta, bn_param)
        mean = momentum * mean + (1 - momentum) * x.mean(axis=0)
        var = momentum * var + (1 - momentum) * x.var(axis=0)
    return bn_param, mean, var, x


@exercise("batchnorm_forward", 1)
def test_batchnorm_running_mean():
    bn_param, mean, _, x = averages_after_three_batches()
    require_that(bn_param.get("running_mean") is not None, "bn_param['running_mean']: missing after training")
    swapped = np.zeros(3)
    for number in range(3):
        swapped = 0.2 * swapped + 0.8 * arrays((5, 3), number=number)[0].mean(axis=0)
    require(
        "bn_param['running_mean']",
        bn_param["running_mean"],
        mean,
        {
            "momentum and 1 − momentum are swapped": swapped,
            "this is the mean of the last batch alone": x.mean(axis=0),
        },
    )


@exercise("batchnorm_forward", 1)
def test_batchnorm_running_variance():
    bn_param, _, var, x = averages_after_three_batches()
    require_that(bn_param.get("running_var") is not None, "bn_param['running_var']: missing after training")
    require(
        "bn_param['running_var']",
        bn_param["running_var"],
        var,
        {
            "divided by N − 1, by N expected": var * 5 / 4,
            "this is the variance of the last batch alone": x.var(axis=0),
        },
    )


@exercise("batchnorm_forward", 1)
def test_batchnorm_in_test_mode():
    x, gamma, beta, _ = arrays((4, 3))
    bn_param = {"mode": "test", "running_mean": np.array([1.0, 2.0, 3.0]), "running_var": np.array([4.0, 1.0, 0.5])}
    out, _ = batchnorm_forward(x, gamma, beta, bn_param)
    expected = F.batch_norm(*map(torch.tensor, (x, bn_param["running_mean"], bn_param["running_var"], gamma, beta)))
    require(
        "out in test mode",
        out,
        expected.numpy(),
        {
            "mean and variance of the batch are used, the running averages expected": torch_batchnorm(
                *map(torch.tensor, (x, gamma, beta))
            ).numpy(),
            "γ and β are forgotten": (expected.numpy() - beta) / gamma,
        },
    )
    require("running_mean after test mode", bn_param["running_mean"], [1, 2, 3])


@exercise("batchnorm_forward", 1)
def test_batchnorm_of_a_constant_feature_and_of_float32():
    x = np.array([[2.0, 1.0], [2.0, 3.0]], np.float32)
    out, _ = batchnorm_forward(x, np.ones(2, np.float32), np.array([5, 0], np.float32), {"mode": "train"})
    require("out, first feature constant", out, [[5, -1], [5, 1]], rtol=1e-4, atol=1e-5, dtype=np.float32)


def batchnorm_gradients(backward, shape):
    x, gamma, beta, dout = arrays(shape)
    _, cache = batchnorm_forward(x, gamma, beta, {"mode": "train"})
    got = entries(backward.__name__, backward(dout, cache), 3)
    return got, gradients(torch_batchnorm, x, gamma, beta, dout), x, gamma, dout


def require_batchnorm_dx(backward, shape):
    (dx, _, _), (expected, _, _), x, gamma, dout = batchnorm_gradients(backward, shape)
    inv_std = 1 / np.sqrt(x.var(axis=0) + 1e-5)
    g = dout * gamma * inv_std
    require(
        "dx",
        dx,
        expected,
        {
            "the way through mean and variance is missing": g,
            "the way through the variance is missing": g - g.mean(axis=0),
            "γ is forgotten": expected / gamma,
        },
        rtol=1e-6,
        atol=1e-8,
    )


def require_batchnorm_dgamma(backward, shape):
    (_, dgamma, _), (_, expected, _), x, _, dout = batchnorm_gradients(backward, shape)
    require(
        "dgamma",
        dgamma,
        expected,
        {
            "a mean over the batch, a sum expected": expected / len(x),
            "x stands where x̂ should": (dout * x).sum(axis=0),
            "this is dbeta": dout.sum(axis=0),
        },
        how="sum over axis 0",
    )


def require_batchnorm_dbeta(backward, shape):
    (_, _, dbeta), (_, _, expected), _, _, dout = batchnorm_gradients(backward, shape)
    require_shift("dbeta", dbeta, expected, dout, (0,))


@exercise("batchnorm_backward", 2)
@SHAPES
def test_batchnorm_backward_dx(shape):
    require_batchnorm_dx(batchnorm_backward, shape)


@exercise("batchnorm_backward", 1)
@SHAPES
def test_batchnorm_backward_dgamma(shape):
    require_batchnorm_dgamma(batchnorm_backward, shape)


@exercise("batchnorm_backward", 1)
@SHAPES
def test_batchnorm_backward_dbeta(shape):
    require_batchnorm_dbeta(batchnorm_backward, shape)


@exercise("batchnorm_backward", 1)
def test_batchnorm_backward_in_test_mode():
    x, gamma, beta, dout = arrays((4, 3))
    bn_param = {"mode": "test", "running_mean": np.array([1.0, 2.0, 3.0]), "running_var": np.array([4.0, 1.0, 0.5])}
    _, cache = batchnorm_forward(x, gamma, beta, bn_param)
    dx, _, _ = batchnorm_backward(dout, cache)
    require(
        "dx in test mode",
        dx,
        dout * gamma / np.sqrt(bn_param["running_var"] + 1e-5),
        {
            "mean and variance are constants in test mode, not functions of x": gradients(
                torch_batchnorm, x, gamma, beta, dout
            )[0],
        },
    )


@exercise("batchnorm_backward_alt", 1)
@SHAPES
def test_batchnorm_backward_alt_dx(shape):
    require_batchnorm_dx(batchnorm_backward_alt, shape)


@exercise("batchnorm_backward_alt", 1)
@SHAPES
def test_batchnorm_backward_alt_dgamma(shape):
    require_batchnorm_dgamma(batchnorm_backward_alt, shape)


@exercise("batchnorm_backward_alt", 1)
@SHAPES
def test_batchnorm_backward_alt_dbeta(shape):
    require_batchnorm_dbeta(batchnorm_backward_alt, shape)


def require_normalized_net(kind, torch_layer):
    seed(0)
    rng = np.random.default_rng(0)
    model = FullyConnectedNet([5, 6], input_dim=8, num_classes=4, normalization=kind, weight_scale=0.5, dtype="float64")
    for i, width in ((1, 5), (2, 6)):
        for name, expected in ((f"gamma{i}", np.ones(width)), (f"beta{i}", np.zeros(width))):
            require_that(name in model.params, f"params[{name!r}]: missing")
            require(f"params[{name!r}] at the start", model.params[name], expected)
            model.params[name] = expected + 0.3 * rng.standard_normal(width)
    require_that("gamma3" not in model.params, "params['gamma3']: the last layer is not normalized")
    X, y = rng.standard_normal((7, 8)), rng.integers(4, size=7)
    params = {name: torch.tensor(w, requires_grad=True) for name, w in model.params.items()}
    out = torch.tensor(X)
    for i in (1, 2):
        out = out @ params[f"W{i}"] + params[f"b{i}"]
        out = torch_layer(out, params[f"gamma{i}"], params[f"beta{i}"]).relu()
    expected = F.cross_entropy(out @ params["W3"] + params["b3"], torch.tensor(y))
    expected.backward()
    loss, grads = model.loss(X, y)
    require("loss", loss, expected.item())
    for name in sorted(params):
        require_that(name in grads, f"grads[{name!r}]: missing")
        require(f"grads[{name!r}]", grads[name], params[name].grad.numpy(), atol=1e-8)


@exercise("FullyConnectedNet with normalization", 1)
def test_net_with_batchnorm():
    require_normalized_net("batchnorm", torch_batchnorm)


@exercise("FullyConnectedNet with normalization", 1)
def test_net_with_layernorm():
    require_normalized_net("layernorm", torch_layernorm)


# Layer norm


@exercise("layernorm_forward", 1)
def test_layernorm_by_hand():
    x = np.array([[1.0, 3.0, 3.0, 9.0]])
    out, _ = entries("layernorm_forward", layernorm_forward(x, np.ones(4), np.zeros(4), {"eps": 1e-12}), 2)
    require(
        "out of (1, 3, 3, 9), of mean 4 and variance 9",
        out,
        (x - 4) / 3,
        {
            "normalized over the batch (axis 0), over the features (axis 1) expected": 0 * x,
            "divided by the variance, its root expected": (x - 4) / 9,
        },
    )


@exercise("layernorm_forward", 2)
@SHAPES
def test_layernorm_forward(shape):
    x, gamma, beta, _ = arrays(shape)
    out, _ = layernorm_forward(x, gamma, beta, {"eps": 1e-3})
    expected = torch_layernorm(*map(torch.tensor, (x, gamma, beta)), eps=1e-3).numpy()
    require(
        "out",
        out,
        expected,
        {
            "normalized over the batch (axis 0), over the features (axis 1) expected": torch_batchnorm(
                *map(torch.tensor, (x, gamma, beta)), eps=1e-3
            ).numpy(),
            "γ and β are forgotten": (expected - beta) / gamma,
            "the ε of ln_param is not used": torch_layernorm(*map(torch.tensor, (x, gamma, beta))).numpy(),
        },
    )


def layernorm_gradients(shape):
    x, gamma, beta, dout = arrays(shape)
    _, cache = layernorm_forward(x, gamma, beta, {})
    got = entries("layernorm_backward", layernorm_backward(dout, cache), 3)
    return got, gradients(torch_layernorm, x, gamma, beta, dout), x, dout


@exercise("layernorm_backward", 1)
@SHAPES
def test_layernorm_backward_dx(shape):
    (dx, _, _), (expected, _, _), _, _ = layernorm_gradients(shape)
    require("dx", dx, expected, rtol=1e-6, atol=1e-8)


@exercise("layernorm_backward", 1)
@SHAPES
def test_layernorm_backward_dgamma(shape):
    (_, dgamma, _), (_, expected, _), x, dout = layernorm_gradients(shape)
    require(
        "dgamma",
        dgamma,
        expected,
        {"a mean over the batch, a sum expected": expected / len(x), "this is dbeta": dout.sum(axis=0)},
        how="sum over axis 0",
    )


@exercise("layernorm_backward", 1)
@SHAPES
def test_layernorm_backward_dbeta(shape):
    (_, _, dbeta), (_, _, expected), _, dout = layernorm_gradients(shape)
    require_shift("dbeta", dbeta, expected, dout, (0,))


# Images


@exercise("spatial_batchnorm_forward", 1)
@IMAGES
def test_spatial_batchnorm_in_training(shape):
    x, gamma, beta, _ = arrays(shape)
    out, _ = entries("spatial_batchnorm_forward", spatial_batchnorm_forward(x, gamma, beta, {"mode": "train"}), 2)
    expected = torch_batchnorm(*map(torch.tensor, (x, gamma, beta))).numpy()
    wide = (1, -1, 1, 1)
    by_place = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-5) * gamma.reshape(wide) + beta.reshape(wide)
    require(
        "out",
        out,
        expected,
        {
            "normalized at each place on its own (axis 0), axes 0, 2 and 3 expected": by_place,
            "γ and β are forgotten": (expected - beta.reshape(wide)) / gamma.reshape(wide),
        },
        how="that of x",
    )


@exercise("spatial_batchnorm_forward", 1)
def test_spatial_batchnorm_running_averages_and_test_mode():
    x, gamma, beta, _ = arrays((2, 4, 3, 5))
    bn_param = {"mode": "train", "momentum": 0.6}
    spatial_batchnorm_forward(x, gamma, beta, bn_param)
    for name, of_batch in (("mean", x.mean(axis=(0, 2, 3))), ("var", x.var(axis=(0, 2, 3)))):
        require(f"bn_param['running_{name}']", bn_param.get(f"running_{name}"), 0.4 * of_batch)
    bn_param["mode"] = "test"
    out, _ = spatial_batchnorm_forward(x[:1], gamma, beta, bn_param)
    averages = [torch.tensor(np.asarray(bn_param[f"running_{name}"])) for name in ("mean", "var")]
    expected = F.batch_norm(torch.tensor(x[:1]), *averages, torch.tensor(gamma), torch.tensor(beta))
    require("out in test mode", out, expected.numpy())


@exercise("spatial_batchnorm_backward", 1)
@IMAGES
def test_spatial_batchnorm_backward(shape):
    x, gamma, beta, dout = arrays(shape)
    _, cache = spatial_batchnorm_forward(x, gamma, beta, {"mode": "train"})
    dx, dgamma, dbeta = entries("spatial_batchnorm_backward", spatial_batchnorm_backward(dout, cache), 3)
    expected = gradients(torch_batchnorm, x, gamma, beta, dout)
    require_shift("dbeta", dbeta, expected[2], dout, (0, 2, 3))
    require("dgamma", dgamma, expected[1], how="sum over axes (0, 2, 3)")
    require("dx", dx, expected[0], how="that of x", rtol=1e-6, atol=1e-8)


def torch_groupnorm(G, eps=1e-5):
    return lambda x, gamma, beta: F.group_norm(x, G, gamma.flatten(), beta.flatten(), eps)


@exercise("spatial_groupnorm_forward", 2)
@IMAGES
@pytest.mark.parametrize("G", [1, 2, 4])
def test_spatial_groupnorm_forward(shape, G):
    x, gamma, beta, _ = arrays(shape, (1, shape[1], 1, 1))
    out, _ = entries("spatial_groupnorm_forward", spatial_groupnorm_forward(x, gamma, beta, G, {"eps": 1e-4}), 2)
    layers = {groups: torch_groupnorm(groups, 1e-4) for groups in (G, 1, shape[1])}
    outs = {groups: f(*map(torch.tensor, (x, gamma, beta))).numpy() for groups, f in layers.items()}
    mistakes = {
        "normalized over all channels: G is not used": outs[1],
        "each channel is normalized on its own, groups of C / G channels expected": outs[shape[1]],
        "γ and β are forgotten": (outs[G] - beta) / gamma,
    }
    require(f"out with G = {G}", out, outs[G], mistakes, how="that of x")


@exercise("spatial_groupnorm_backward", 1)
@pytest.mark.parametrize(("shape", "G"), [((2, 4, 3, 5), 2), ((2, 8, 4, 4), 1), ((2, 3, 4, 4), 3)])
def test_spatial_groupnorm_backward(shape, G):
    x, gamma, beta, dout = arrays(shape, (1, shape[1], 1, 1))
    _, cache = spatial_groupnorm_forward(x, gamma, beta, G, {})
    dx, dgamma, dbeta = entries("spatial_groupnorm_backward", spatial_groupnorm_backward(dout, cache), 3)
    expected = gradients(torch_groupnorm(G), x, gamma, beta, dout)
    require_shift("dbeta", dbeta, expected[2], dout, (0, 2, 3))
    require("dgamma", dgamma, expected[1], how="sum over axes (0, 2, 3), which keep length 1,")
    require("dx", dx, expected[0], how="that of x", rtol=1e-6, atol=1e-8)
