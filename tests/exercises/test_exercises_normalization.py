"""Exercises of normalization: of features (lesson BatchNormalization) and of images (ConvolutionalNetworks)."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from arrays import read_only, tensors
from canaries import *
from hints import entries, explained, require, require_refusal, require_that
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
    by_count = (dout.sum(axis=axes) / len(dout)).reshape(expected.shape)
    mistakes = {"a mean, a sum expected": mean, "divided by the number of examples, a sum expected": by_count}
    require(name, got, expected, mistakes, how=how)


# Mistakes that all normalizations share


def statistics(x, axes):
    mean = x.mean(axis=axes, keepdims=True)
    return mean, ((x - mean) ** 2).mean(axis=axes, keepdims=True)


def forward_mistakes(x, gamma, beta, axes, eps, count=None):
    """Results of mistakes; gamma and beta have the axes of x, ``count`` is that of other values than those averaged."""
    mean, var = statistics(x, axes)
    c, std, own = x - mean, np.sqrt(var + eps), x.size // mean.size
    x_hat, roots = c / std, np.sqrt(own / max(own - 1, 1))
    mistakes = {
        "divided by the variance, its root expected": gamma * c / (var + eps) + beta,
        "not divided by the standard deviation": gamma * c + beta,
        "the mean is not subtracted": gamma * x / std + beta,
        "ε stands outside the root, √(σ² + ε) expected": gamma * c / (np.sqrt(var) + eps) + beta,
        "ε is missing": gamma * c / np.sqrt(np.where(var, var, 1)) + beta,
        f"the variance is divided by the number of values − 1 (N − 1 or D − 1), by {own} expected": gamma
        * c
        / np.sqrt(var * roots**2 + eps)
        + beta,
        "γ and β are forgotten": x_hat + 0 * beta,
        "γ is forgotten": x_hat + beta,
        "β is forgotten": gamma * x_hat,
        "γ and β are swapped": beta * x_hat + gamma,
        "β is subtracted, added expected": gamma * x_hat - beta,
    }
    if eps != 1e-5:
        mistakes["the ε of {} is not used"] = gamma * c / np.sqrt(var + 1e-5) + beta
    if count:
        short = "the {} is divided by the number of examples, N, by that of the values it is taken over expected"
        mistakes[short.format("variance")] = gamma * c / np.sqrt(var * own / count + eps) + beta
        other = x - mean * own / count
        mistakes[short.format("mean")] = gamma * other / np.sqrt((other**2).mean(axis=axes, keepdims=True) + eps) + beta
    return mistakes


def backward_mistakes(x, gamma, dout, axes, counts=(), eps=1e-5):
    """dx of mistakes, node by node; ``counts`` are numbers of other values than those that are averaged."""
    mean, var = statistics(x, axes)
    own = x.size // mean.size
    if own < 3:  # two values are ±1: what one mistake does, others do too
        return {}

    def total(values):
        return values.sum(axis=axes, keepdims=True)

    def through_mean(dc):
        return dc - total(dc) / own

    c, r = x - mean, 1 / np.sqrt(var + eps)
    x_hat, g = c * r, dout * gamma
    direct, dr = g * r, total(g * c)
    dv = -0.5 * r**3 * dr
    by_var = 2 * c * dv / own
    right = through_mean(direct + by_var)
    mistakes = {
        "γ is forgotten": through_mean(dout * r - c * r**3 * total(dout * c) / own),
        "the ways through mean and variance are missing": direct,
        "the way through the variance is missing (s = c² adds 2 c · ds to dc)": through_mean(direct),
        "the way through the mean μ is missing (c = x − μ adds −Σ dc / N)": direct + by_var,
        "the way from x̂ = c · r directly to c is missing: only that through the variance is there": by_var,
        "the factor 2 of s = c² is missing": through_mean(direct + by_var / 2),
        "the factor ½ of σ = √(v + ε) is missing": through_mean(direct + 2 * by_var),
        "the sign of the way through the variance is wrong: r = 1/σ has the derivative −1/σ²": through_mean(
            direct - by_var
        ),
        "the sign of the way through the mean is wrong: c = x − μ has the derivative −1": direct
        + by_var
        + total(direct) / own,
        "the sum over μ is not divided by N, as the mean is": direct + by_var - total(direct),
        "ds is not divided by N, as v = mean(s) is": through_mean(direct + own * by_var),
        "r = 1/σ has the derivative −1/σ² (−r²), one power is missing": through_mean(direct + by_var / r),
        "σ = √(v + ε) has the derivative 1/(2σ), 1/σ is missing": through_mean(direct + 2 * by_var / r / 2),
        "dc = dx̂ · r: it is not divided by the standard deviation": through_mean(g + by_var),
        "not divided by the standard deviation": right / r,
        "divided by the variance, its root expected": right * r,
        "divided by N once too often": right / own,
        "not divided by N": right * own,
        "γ is multiplied twice": through_mean(direct * gamma + 2 * c * -0.5 * r**3 * total(g * gamma * c) / own),
    }
    for count in counts:
        if count != own:
            what = f"the sums are divided by {count}, by {own} expected, as many values as share μ and σ"
            mistakes[what] = direct - r * (total(g) + x_hat * total(g * x_hat)) / count
    return mistakes


def scale_mistakes(x, dout, axes, shape, sum_axes=None):
    """dgamma of mistakes."""
    mean, var = statistics(x, axes)
    c = x - mean
    sum_axes = axes if sum_axes is None else sum_axes
    values = {
        "a mean, a sum expected": (dout * c / np.sqrt(var + 1e-5)).mean(axis=sum_axes),
        "x stands where x̂ should": (dout * x).sum(axis=sum_axes),
        "x − μ stands where x̂ should": (dout * c).sum(axis=sum_axes),
        "this is dbeta": dout.sum(axis=sum_axes),
        "divided by the number of examples": (dout * c / np.sqrt(var + 1e-5)).sum(axis=sum_axes) / len(x),
    }
    return {what: value.reshape(shape) for what, value in values.items()}


def named(mistakes, name):
    return {what.format(name): value for what, value in mistakes.items()}


def require_float32(layer, backward, parameter_shape, shape, *settings):
    """A layer returns what it is given: float32 for float32."""
    x, gamma, beta, dout = (array.astype(np.float32) for array in arrays(shape, parameter_shape))
    out, cache = layer(x, gamma, beta, *settings)
    results = {"out": out}
    if backward:
        results = dict(zip(("dx", "dgamma", "dbeta"), entries(backward.__name__, backward(dout, cache), 3)))
    for name, result in results.items():
        require_that(np.asarray(result).dtype == np.float32, f"{name}: dtype float32 expected, as that of x")


# Batch norm


@exercise("batchnorm_forward", 1)
def test_batchnorm_by_hand():
    x = np.array([[1.0], [3.0], [3.0], [9.0]])
    result = batchnorm_forward(x, np.ones(1), np.zeros(1), {"mode": "train", "eps": 1e-12})
    out, _ = entries("batchnorm_forward", result, 2)
    mistakes = {
        "divided by the variance, its root expected": (x - 4) / 9,
        "not divided by the standard deviation": x - 4,
        "the mean is not subtracted": x / 3,
        "the variance is divided by N − 1, by N expected": (x - 4) / 3 * np.sqrt(3 / 4),
    }
    require("out of (1, 3, 3, 9), of mean 4 and variance 9", out, (x - 4) / 3, mistakes)
    one = read_only(np.ones((1, 3)))
    train = {"mode": "train"}
    require_refusal("a batch of one example in training mode", batchnorm_forward, one, one[0], one[0], train)


@exercise("batchnorm_forward", 1)
@SHAPES
def test_batchnorm_in_training(shape):
    x, gamma, beta, _ = arrays(shape)
    out, _ = batchnorm_forward(x, gamma, beta, {"mode": "train", "eps": 1e-3})
    expected = torch_batchnorm(*map(torch.tensor, (x, gamma, beta)), eps=1e-3).numpy()
    mistakes = named(forward_mistakes(x, gamma, beta, (0,), 1e-3), "bn_param")
    rows = forward_mistakes(x, gamma, beta, (1,), 1e-3)["β is forgotten"] + beta
    mistakes["normalized over the features of each example (axis 1), over the batch (axis 0) expected"] = rows
    require("out", out, expected, mistakes)


def averages_after_three_batches(momentum=0.8, **start):
    """bn_param after three batches, and for each of some rules the averages it leads to."""
    bn_param = {"mode": "train", "momentum": momentum, **start}
    averages = {}
    for number in range(3):
        x, gamma, beta, _ = arrays((5, 3), number=number)
        batchnorm_forward(x, gamma, beta, bn_param)
        averages = next_averages(averages, x, momentum)
    return bn_param, averages


def next_averages(averages, x, momentum):
    """Running averages of batches as they should be, and as they become by mistakes."""
    mean, var = x.mean(axis=0), x.var(axis=0)
    steps = {
        "right": (momentum, 1 - momentum, mean, var),
        "momentum and 1 − momentum are swapped": (1 - momentum, momentum, mean, var),
        "these are those of the last batch alone": (0, 1, mean, var),
        "the momentum of bn_param is not used": (0.9, 1 - 0.9, mean, var),
        "a sum, a running average expected: 1 − momentum is missing": (momentum, 1, mean, var),
        "the running averages of earlier batches are forgotten": (0, 1 - momentum, mean, var),
        "divided by N − 1, by N expected": (momentum, 1 - momentum, mean, var * len(x) / (len(x) - 1)),
        "the root, the variance expected": (momentum, 1 - momentum, mean, np.sqrt(var + 1e-5)),
    }
    return {
        what: [old * kept + share * new for old, new in zip(averages.get(what, [0, 0]), (mean, var))]
        for what, (kept, share, mean, var) in steps.items()
    }


def require_average(name, number, start):
    bn_param, averages = averages_after_three_batches(**start)
    require_that(bn_param.get(name) is not None, f"bn_param['{name}']: missing after training")
    expected = averages.pop("right")[number]
    require(f"bn_param['{name}']", bn_param[name], expected, {what: pair[number] for what, pair in averages.items()})


STARTS = pytest.mark.parametrize("start", [{}, {"running_mean": None, "running_var": None}], ids=["nothing", "None"])


@exercise("batchnorm_forward", 1)
@STARTS
def test_batchnorm_running_mean(start):
    with explained("the averages may be missing or None before the first batch"):
        require_average("running_mean", 0, start)


@exercise("batchnorm_forward", 1)
@STARTS
def test_batchnorm_running_variance(start):
    with explained("the averages may be missing or None before the first batch"):
        require_average("running_var", 1, start)


@exercise("batchnorm_forward", 1)
def test_batchnorm_in_test_mode():
    x, gamma, beta, _ = arrays((4, 3))
    bn_param = {"mode": "test", "running_mean": np.array([1.0, 2.0, 3.0]), "running_var": np.array([4.0, 1.0, 0.5])}
    mean, var = (bn_param[f"running_{name}"].copy() for name in ("mean", "var"))
    out, _ = batchnorm_forward(x, gamma, beta, bn_param)
    expected = F.batch_norm(*map(torch.tensor, (x, mean, var, gamma, beta))).numpy()
    of_batch = torch_batchnorm(*map(torch.tensor, (x, gamma, beta))).numpy()
    mistakes = {
        "mean and variance of the batch are used, the running averages expected": of_batch,
        "divided by the running variance, its root expected": gamma * (x - mean) / (var + 1e-5) + beta,
        "the running mean is not subtracted": gamma * x / np.sqrt(var + 1e-5) + beta,
        "ε stands outside the root, √(σ² + ε) expected": gamma * (x - mean) / (np.sqrt(var) + 1e-5) + beta,
        "γ and β are forgotten": (expected - beta) / gamma,
        "γ is forgotten": (expected - beta) / gamma + beta,
        "β is forgotten": expected - beta,
    }
    require("out in test mode", out, expected, mistakes)
    for name, average in (("running_mean", mean), ("running_var", var)):
        require(f"{name} after test mode (it is left as it was)", bn_param[name], average)


@exercise("batchnorm_forward", 1)
def test_batchnorm_of_a_constant_feature_and_of_float32():
    x = np.array([[2.0, 1.0], [2.0, 3.0]], np.float32)
    out, _ = batchnorm_forward(x, np.ones(2, np.float32), np.array([5, 0], np.float32), {"mode": "train"})
    require_float32(batchnorm_forward, None, (3,), (4, 3), {"mode": "train"})
    averages = {"running_mean": np.zeros(3), "running_var": np.ones(3)}
    require_float32(batchnorm_forward, None, (3,), (4, 3), {"mode": "test", **averages})
    require("out, first feature constant", out, [[5, -1], [5, 1]], rtol=1e-4, atol=1e-5, dtype=np.float32)


def batchnorm_gradients(backward, shape):
    x, gamma, beta, dout = arrays(shape)
    _, cache = batchnorm_forward(x, gamma, beta, {"mode": "train"})
    got = entries(backward.__name__, backward(dout, cache), 3)
    return got, gradients(torch_batchnorm, x, gamma, beta, dout), x, gamma, dout


def require_batchnorm_dx(backward, shape):
    (dx, _, _), (expected, _, _), x, gamma, dout = batchnorm_gradients(backward, shape)
    require("dx", dx, expected, backward_mistakes(x, gamma, dout, (0,)), how="that of x", rtol=1e-6, atol=1e-8)
    require_float32(batchnorm_forward, backward, (3,), (4, 3), {"mode": "train"})


def require_batchnorm_dgamma(backward, shape):
    (_, dgamma, _), (_, expected, _), x, _, dout = batchnorm_gradients(backward, shape)
    require("dgamma", dgamma, expected, scale_mistakes(x, dout, (0,), expected.shape), how="sum over axis 0")


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


def require_constants_in_test_mode(backward):
    x, gamma, beta, dout = arrays((4, 3))
    mean, var = np.array([1.0, 2.0, 3.0]), np.array([4.0, 1.0, 0.5])
    _, cache = batchnorm_forward(x, gamma, beta, {"mode": "test", "running_mean": mean, "running_var": var})
    dx, _, _ = entries(backward.__name__, backward(dout, cache), 3)
    g, c, r = dout * gamma, x - mean, 1 / np.sqrt(var + 1e-5)
    by_nodes = g * r - c * r**3 * (g * c).mean(axis=0)
    what = "mean and variance are constants in test mode, not functions of x"
    mistakes = {
        what: gradients(torch_batchnorm, x, gamma, beta, dout)[0],
        f"{what}; dx is dout · γ / σ": by_nodes - by_nodes.mean(axis=0),
        f"{what}, and so dx is dout · γ / σ": r * (g - g.mean(axis=0) - c * r * (g * c * r).mean(axis=0)),
    }
    require("dx in test mode", dx, g * r, mistakes)


@exercise("batchnorm_backward", 1)
def test_batchnorm_backward_in_test_mode():
    require_constants_in_test_mode(batchnorm_backward)


@exercise("batchnorm_backward_alt", 1)
@SHAPES
def test_batchnorm_backward_alt_dx(shape):
    require_batchnorm_dx(batchnorm_backward_alt, shape)
    require_constants_in_test_mode(batchnorm_backward_alt)


@exercise("batchnorm_backward_alt", 1)
@SHAPES
def test_batchnorm_backward_alt_dgamma(shape):
    require_batchnorm_dgamma(batchnorm_backward_alt, shape)


@exercise("batchnorm_backward_alt", 1)
@SHAPES
def test_batchnorm_backward_alt_dbeta(shape):
    require_batchnorm_dbeta(batchnorm_backward_alt, shape)


def normalized_net(kind, reg=0.0):
    """A net with normalization and other parameters than it starts with, and a batch."""
    seed(0)
    rng = np.random.default_rng(0)
    options = {"input_dim": 8, "num_classes": 4, "weight_scale": 0.5, "dtype": "float64"}
    model = FullyConnectedNet([6, 6], normalization=kind, reg=reg, **options)
    for i, width in ((1, 6), (2, 6)):
        for name, expected in ((f"gamma{i}", np.ones(width)), (f"beta{i}", np.zeros(width))):
            require_that(name in model.params, f"params[{name!r}]: missing")
            start = f"params[{name!r}] at the start ({expected[0]:g} everywhere)"
            require(start, model.params[name], expected)
            model.params[name] = expected + 0.3 * rng.standard_normal(width)
    require_that("gamma3" not in model.params, "params['gamma3']: the last layer is not normalized")
    return model, rng.standard_normal((7, 8)), rng.integers(4, size=7)


def normalized_scores(params, X, torch_layer):
    out = torch.tensor(X)
    for i in (1, 2):
        out = out @ params[f"W{i}"] + params[f"b{i}"]
        out = torch_layer(i, out, params[f"gamma{i}"], params[f"beta{i}"]).relu()
    return out @ params["W3"] + params["b3"]


def require_normalized_net(kind, torch_layer):
    model, X, y = normalized_net(kind)
    params = {name: torch.tensor(w, requires_grad=True) for name, w in model.params.items()}
    loss = F.cross_entropy(normalized_scores(params, X, lambda i, *arrays: torch_layer(*arrays)), torch.tensor(y))
    loss.backward()
    swapped = normalized_scores(params, X, lambda i, out, gamma, beta: torch_layer(out, beta, gamma))
    without = normalized_scores(params, X, lambda i, out, gamma, beta: out)
    got, grads = entries("loss, with labels", model.loss(X, y), 2)
    mistakes = {
        "gamma and beta are swapped": F.cross_entropy(swapped, torch.tensor(y)).item(),
        "nothing is normalized": F.cross_entropy(without, torch.tensor(y)).item(),
    }
    require("loss", got, loss.item(), mistakes)
    for name in sorted(params):
        require_that(name in grads, f"grads[{name!r}]: missing")
        require(f"grads[{name!r}]", grads[name], params[name].grad.numpy(), atol=1e-8)

    model, X, y = normalized_net(kind, reg=0.7)
    penalties = {
        letters: 0.35 * sum(np.sum(w**2) for name, w in model.params.items() if name[:-1] in letters)
        for letters in (("W",), ("gamma", "beta"), ("gamma",), ("b",))
    }
    weights = penalties.pop(("W",))
    mistakes = {
        f"the weights alone are penalized, here {' and '.join(letters)} too": got + weights + penalty
        for letters, penalty in penalties.items()
    }
    penalized, more = model.loss(X, y)
    require("loss with reg = 0.7", penalized, got + weights, mistakes)
    for name in ("gamma1", "beta2"):
        what = {f"the weights alone are penalized, here {name} too": grads[name] + 0.7 * model.params[name]}
        require(f"grads[{name!r}] with reg = 0.7", more[name], grads[name], what)


@exercise("FullyConnectedNet with normalization", 1)
def test_net_with_batchnorm():
    require_normalized_net("batchnorm", torch_batchnorm)
    model, X, y = normalized_net("batchnorm")
    params = {name: torch.tensor(w) for name, w in model.params.items()}
    averages = {}

    def train(i, out, gamma, beta):
        for key in (i, "shared"):
            averages[key] = next_averages(averages.get(key, {}), out.numpy(), 0.9)
        return torch_batchnorm(out, gamma, beta)

    for batch in (X, X[::-1] + 1, 2 * X):
        model.loss(batch, y)
        normalized_scores(params, batch, train)

    def scores(layer):
        return normalized_scores(params, X, layer).numpy()

    def by(what, key=None):
        def layer(i, out, gamma, beta):
            return F.batch_norm(out, *map(torch.tensor, averages[key or i][what]), gamma, beta)

        return scores(layer)

    fresh = scores(lambda i, out, *arrays: F.batch_norm(out, 0 * out[0], 0 * out[0], *arrays))
    with explained("scores after training, in test mode, by the running averages of each layer"):
        got = model.loss(X)
    mistakes = {
        "the net is not in test mode: the batch's own mean and variance are used": scores(
            lambda i, *arrays: torch_batchnorm(*arrays)
        ),
        "the running averages are lost: bn_param is made anew in each call": fresh,
        "the running averages are those of the last batch alone: is bn_param made anew in each call?": by(
            "the running averages of earlier batches are forgotten"
        ),
        "the layers share one bn_param, each needs its own": by("right", "shared"),
    }
    require("scores after training, in test mode", got, by("right"), mistakes)
    with explained("bn_params: the list of the bn_param of each batch norm"):
        bn_params = model.attribute("bn_params")
    is_list = isinstance(bn_params, list) and [type(bn_param) for bn_param in bn_params] == [dict, dict]
    require_that(is_list, "bn_params: a list with a dictionary for each batch norm expected")
    for i, bn_param in enumerate(bn_params, start=1):
        name = f"bn_params[{i - 1}]['running_mean']"
        require_that(bn_param.get("running_mean") is not None, f"{name}: missing after training")
        require(name, bn_param["running_mean"], averages[i]["right"][0])


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
            "the variance is divided by N − 1 or D − 1, by D expected": (x - 4) / 3 * np.sqrt(3 / 4),
        },
    )
    require_float32(layernorm_forward, None, (3,), (4, 3), {})


@exercise("layernorm_forward", 2)
@SHAPES
def test_layernorm_forward(shape):
    x, gamma, beta, _ = arrays(shape)
    out, _ = layernorm_forward(x, gamma, beta, {"eps": 1e-3})
    expected = torch_layernorm(*map(torch.tensor, (x, gamma, beta)), eps=1e-3).numpy()
    mistakes = named(forward_mistakes(x, gamma, beta, (1,), 1e-3, count=len(x)), "ln_param")
    over_batch = torch_batchnorm(*map(torch.tensor, (x, gamma, beta)), eps=1e-3).numpy()
    mistakes["normalized over the batch (axis 0), over the features (axis 1) expected"] = over_batch
    require("out", out, expected, mistakes)


def layernorm_gradients(shape):
    x, gamma, beta, dout = arrays(shape)
    _, cache = layernorm_forward(x, gamma, beta, {})
    got = entries("layernorm_backward", layernorm_backward(dout, cache), 3)
    return got, gradients(torch_layernorm, x, gamma, beta, dout), x, gamma, dout


@exercise("layernorm_backward", 1)
@SHAPES
def test_layernorm_backward_dx(shape):
    (dx, _, _), (expected, _, _), x, gamma, dout = layernorm_gradients(shape)
    mistakes = backward_mistakes(x, gamma, dout, (1,), counts=shape[:1])
    g, x_hat = dout * gamma, (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
    r = 1 / np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
    over_batch = "the sums go over the batch (axis 0), over the features (axis 1) expected"
    mistakes[over_batch] = r * (g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0))
    mistakes[f"{over_batch}, and so does their count"] = r * (
        g - (g.sum(axis=0) + x_hat * (g * x_hat).sum(axis=0)) / shape[1]
    )
    require("dx", dx, expected, mistakes, how="that of x", rtol=1e-6, atol=1e-8)
    require_float32(layernorm_forward, layernorm_backward, (3,), (4, 3), {})


@exercise("layernorm_backward", 1)
@SHAPES
def test_layernorm_backward_dgamma(shape):
    (_, dgamma, _), (_, expected, _), x, _, dout = layernorm_gradients(shape)
    require("dgamma", dgamma, expected, scale_mistakes(x, dout, (1,), expected.shape, (0,)), how="sum over axis 0")


@exercise("layernorm_backward", 1)
@SHAPES
def test_layernorm_backward_dbeta(shape):
    (_, _, dbeta), (_, _, expected), _, _, dout = layernorm_gradients(shape)
    require_shift("dbeta", dbeta, expected, dout, (0,))


# Images


@exercise("spatial_batchnorm_forward", 1)
@IMAGES
def test_spatial_batchnorm_in_training(shape):
    x, gamma, beta, _ = arrays(shape)
    out, _ = entries("spatial_batchnorm_forward", spatial_batchnorm_forward(x, gamma, beta, {"mode": "train"}), 2)
    expected = torch_batchnorm(*map(torch.tensor, (x, gamma, beta))).numpy()
    wide = (1, -1, 1, 1)
    gamma, beta = gamma.reshape(wide), beta.reshape(wide)
    by_place = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-5) * gamma + beta
    mistakes = forward_mistakes(x, gamma, beta, (0, 2, 3), 1e-5)
    mistakes["normalized at each place on its own (axis 0), axes 0, 2 and 3 expected"] = by_place
    mistakes["reshape(-1, C) mixes channels and positions: transpose to (N, H, W, C) first"] = mixed(x, gamma, beta)
    mistakes["the result is not transposed back to (N, C, H, W) before it is reshaped"] = expected.transpose(
        0, 2, 3, 1
    ).reshape(shape)
    require("out", out, expected, mistakes, how="that of x")
    require_float32(spatial_batchnorm_forward, None, (4,), (2, 4, 3, 5), {"mode": "train"})


def mixed(x, gamma, beta):
    """x normalized as if channels were last."""
    flat = x.reshape(-1, x.shape[1])
    return (gamma.ravel() * (flat - flat.mean(axis=0)) / np.sqrt(flat.var(axis=0) + 1e-5) + beta.ravel()).reshape(
        x.shape
    )


@exercise("spatial_batchnorm_forward", 1)
def test_spatial_batchnorm_running_averages_and_test_mode():
    x, gamma, beta, _ = arrays((2, 4, 3, 5))
    bn_param = {"mode": "train", "momentum": 0.6}
    spatial_batchnorm_forward(x, gamma, beta, bn_param)
    for name, of_batch in (("mean", x.mean(axis=(0, 2, 3))), ("var", x.var(axis=(0, 2, 3)))):
        got = bn_param.get(f"running_{name}")
        require_that(
            got is not None, f"bn_param['running_{name}']: missing after training; is a copy of bn_param filled in?"
        )
        mistakes = {"the momentum of bn_param is not used": 0.1 * of_batch, "swapped momenta": 0.6 * of_batch}
        require(f"bn_param['running_{name}']", got, 0.4 * of_batch, mistakes)
    mean, var = 1 + np.arange(4.0), 2 + np.arange(4.0)
    bn_param = {"mode": "test", "running_mean": mean.copy(), "running_var": var.copy()}
    out, _ = spatial_batchnorm_forward(x[:1], gamma, beta, bn_param)
    parameters = [torch.tensor(array) for array in (gamma, beta)]
    expected = F.batch_norm(torch.tensor(x[:1]), torch.tensor(mean), torch.tensor(var), *parameters)
    of_batch = torch_batchnorm(torch.tensor(x[:1]), *parameters).numpy()
    what = "mean and variance of the batch are used in test mode, the running averages expected"
    require("out in test mode", out, expected.numpy(), {what: of_batch})


@exercise("spatial_batchnorm_backward", 1)
@IMAGES
def test_spatial_batchnorm_backward(shape):
    x, gamma, beta, dout = arrays(shape)
    _, cache = spatial_batchnorm_forward(x, gamma, beta, {"mode": "train"})
    dx, dgamma, dbeta = entries("spatial_batchnorm_backward", spatial_batchnorm_backward(dout, cache), 3)
    expected = gradients(torch_batchnorm, x, gamma, beta, dout)
    flat = dout.reshape(-1, shape[1])
    what = "reshape(-1, C) mixes channels and positions: transpose dout to (N, H, W, C) first"
    is_image = shape[2] > 1
    require_that(
        not is_image or np.shape(dbeta) != expected[2].shape or not np.allclose(dbeta, flat.sum(axis=0)),
        f"dbeta: {what}",
    )
    require_shift("dbeta", dbeta, expected[2], dout, (0, 2, 3))
    require(
        "dgamma",
        dgamma,
        expected[1],
        scale_mistakes(x, dout, (0, 2, 3), expected[1].shape),
        how="sum over axes (0, 2, 3)",
    )
    mistakes = backward_mistakes(x, gamma.reshape(1, -1, 1, 1), dout, (0, 2, 3))
    if is_image:
        mistakes["dx is not transposed back to (N, C, H, W) before it is reshaped"] = (
            expected[0].transpose(0, 2, 3, 1).reshape(shape)
        )
    require("dx", dx, expected[0], mistakes, how="that of x", rtol=1e-6, atol=1e-8)
    require_float32(spatial_batchnorm_forward, spatial_batchnorm_backward, (4,), (2, 4, 3, 5), {"mode": "train"})


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
    groups = x.reshape(len(x), G, shape[1] // G, *shape[2:])
    wide = [array.reshape(1, G, shape[1] // G, 1, 1) for array in (gamma, beta)]
    mistakes = {
        "normalized over all channels: G is not used": outs[1],
        "each channel is normalized on its own, groups of C / G channels expected": outs[shape[1]],
    }
    mistakes |= {
        what.format("gn_param"): wrong.reshape(shape)
        for what, wrong in forward_mistakes(groups, *wide, (2, 3, 4), 1e-4).items()
    }
    for axes, what in (
        ((0, 2, 3, 4), "normalized over the batch, for each example on its own expected"),
        ((2,), "normalized at each position on its own, over all positions expected"),
    ):
        mean, var = statistics(groups, axes)
        mistakes[what] = (wide[0] * (groups - mean) / np.sqrt(var + 1e-4) + wide[1]).reshape(shape)
    if shape[2] * shape[3] == 1 and shape[1] == G:  # one value in each group is 0 in many ways
        mistakes = {}
    require(f"out with G = {G}", out, outs[G], mistakes, how="that of x")
    require_float32(spatial_groupnorm_forward, None, (1, 4, 1, 1), (2, 4, 3, 5), 2, {})


@exercise("spatial_groupnorm_backward", 1)
@pytest.mark.parametrize(("shape", "G"), [((2, 4, 3, 5), 2), ((2, 8, 4, 4), 1), ((2, 3, 4, 4), 3)])
def test_spatial_groupnorm_backward(shape, G):
    x, gamma, beta, dout = arrays(shape, (1, shape[1], 1, 1))
    _, cache = spatial_groupnorm_forward(x, gamma, beta, G, {})
    dx, dgamma, dbeta = entries("spatial_groupnorm_backward", spatial_groupnorm_backward(dout, cache), 3)
    expected = gradients(torch_groupnorm(G), x, gamma, beta, dout)
    how = "sum over axes (0, 2, 3), which keep length 1,"
    require("dbeta", dbeta, expected[2], {"a mean, a sum expected": dout.mean(axis=(0, 2, 3), keepdims=True)}, how=how)
    N, C, H, W = shape
    groups, upstream = x.reshape(N, G, C // G, H, W), dout.reshape(N, G, C // G, H, W)
    scales = scale_mistakes(groups, upstream, (2, 3, 4), expected[1].shape, (0, 3, 4))
    require("dgamma", dgamma, expected[1], scales, how=how)
    wide = gamma.reshape(1, G, C // G, 1, 1)
    mistakes = backward_mistakes(groups, wide, upstream, (2, 3, 4), counts={H * W, C // G, N, C * H * W})
    mistakes = {what: wrong.reshape(shape) for what, wrong in mistakes.items()}
    require("dx", dx, expected[0], mistakes, how="that of x", rtol=1e-6, atol=1e-8)
    require_float32(spatial_groupnorm_forward, spatial_groupnorm_backward, (1, 4, 1, 1), (2, 4, 3, 5), 2, {})
