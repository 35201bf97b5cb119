"""Exercises of the lesson FullyConnectedNets, held against PyTorch and numbers worked by hand."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from arrays import read_only, tensors
from canaries import *
from hints import entries, require, require_that
from student import (
    FullyConnectedNet,
    adam,
    affine_backward,
    affine_forward,
    nesterov_momentum,
    relu_backward,
    relu_forward,
    rmsprop,
    seed,
    sgd_momentum,
    softmax_loss,
)

exercise = pytest.mark.exercise


# Affine


def affine_arrays(shape, width, dtype=np.float64):
    rng = np.random.default_rng(0)
    D = int(np.prod(shape[1:]))
    arrays = rng.standard_normal(shape), rng.standard_normal((D, width)), rng.standard_normal(width)
    return [read_only(array.astype(dtype)) for array in arrays]


@exercise("affine_forward", 1)
def test_affine_forward_by_hand():
    x, w, b = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]]), np.array([10.0, 20.0])
    out, _ = entries("affine_forward", affine_forward(x, w, b), 2)
    require("out", out, [[23, 36]], {"the bias is missing": [[13, 16]]})


@exercise("affine_forward", 1)
@pytest.mark.parametrize("shape", [(5, 4), (3, 2, 5), (4, 3, 2, 2), (1, 7)])
def test_affine_forward_flattens_each_example(shape):
    x, w, b = affine_arrays(shape, 6)
    out, _ = affine_forward(x, w, b)
    flat = x.reshape(len(x), -1)
    require("out", out, F.linear(*map(torch.tensor, (flat, w.T, b))), {"the bias is missing": flat @ w})


@exercise("affine_forward", 1)
def test_affine_forward_keeps_float32():
    x, w, b = affine_arrays((3, 4), 2, np.float32)
    out, _ = affine_forward(x, w, b)
    require("out", out, F.linear(*map(torch.tensor, (x, w.T, b))), rtol=1e-4, atol=1e-5, dtype=np.float32)


def affine_gradients(shape, width):
    """The layer's gradients, and PyTorch's."""
    x, w, b = affine_arrays(shape, width)
    dout = read_only(np.random.default_rng(1).standard_normal((shape[0], width)))
    _, cache = affine_forward(x, w, b)
    tensors_in = tensors(x, w, b)
    (tensors_in[0].flatten(1) @ tensors_in[1] + tensors_in[2]).backward(torch.tensor(dout))
    got = entries("affine_backward", affine_backward(dout, cache), 3)
    return got, [tensor.grad.numpy() for tensor in tensors_in], dout


AFFINE_SHAPES = pytest.mark.parametrize(("shape", "width"), [((5, 4), 3), ((3, 2, 5), 3), ((4, 3, 2, 2), 1)])


@exercise("affine_backward", 1)
@AFFINE_SHAPES
def test_affine_backward_dx(shape, width):
    (dx, _, _), (expected, _, _), _ = affine_gradients(shape, width)
    require("dx", dx, expected, how="that of x")


@exercise("affine_backward", 1)
@AFFINE_SHAPES
def test_affine_backward_dw(shape, width):
    (_, dw, _), (_, expected, _), _ = affine_gradients(shape, width)
    require("dw", dw, expected, {"divided by the number of examples": expected / shape[0]}, how="that of w")


@exercise("affine_backward", 1)
@AFFINE_SHAPES
def test_affine_backward_db(shape, width):
    (_, _, db), (_, _, expected), _ = affine_gradients(shape, width)
    require("db", db, expected, {"a mean over the batch, a sum expected": expected / shape[0]}, how="sum over axis 0")


# ReLU


@exercise("relu_forward", 1)
@pytest.mark.parametrize("shape", [(7,), (3, 4), (2, 3, 4, 5)])
def test_relu_forward(shape):
    x = read_only(np.random.default_rng(0).standard_normal(shape))
    out, _ = entries("relu_forward", relu_forward(x), 2)
    require("out", out, torch.tensor(x).relu(), {"x as it came": x, "the negative values are kept": np.minimum(x, 0)})


@exercise("relu_backward", 1)
@pytest.mark.parametrize("shape", [(7,), (3, 4), (2, 3, 4, 5)])
def test_relu_backward(shape):
    rng = np.random.default_rng(0)
    x, dout = (read_only(rng.standard_normal(shape)) for _ in range(2))
    _, cache = relu_forward(x)
    require(
        "dx",
        relu_backward(dout, cache),
        np.where(x > 0, dout, 0),
        {
            "the mask is that of dout > 0, x > 0 expected": np.where(dout > 0, dout, 0),
            "dout passes everywhere, where x > 0 expected": dout,
            "dout is forgotten: this is the derivative of the layer alone": 1.0 * (x > 0),
            "dout passes where x < 0": np.where(x > 0, 0, dout),
        },
    )


@exercise("relu_backward", 1)
def test_relu_backward_at_the_corner():
    _, cache = relu_forward(np.array([-1.0, 0.0, 2.0]))
    require(
        "dx at x = −1, 0, 2",
        relu_backward(np.ones(3), cache),
        [0, 0, 1],
        {"1 at x = 0, where the workbook (and PyTorch) passes 0": [0, 1, 1]},
    )


# Softmax


def scores_and_labels(N=6, C=4):
    rng = np.random.default_rng(0)
    return read_only(rng.standard_normal((N, C))), rng.integers(0, C, N)


@exercise("softmax_loss", 1)
@pytest.mark.parametrize(("N", "C"), [(6, 4), (1, 3), (20, 10)])
def test_softmax_loss_value(N, C):
    x, y = scores_and_labels(N, C)
    loss, _ = entries("softmax_loss", softmax_loss(x, y), 2)
    expected = F.cross_entropy(torch.tensor(x), torch.tensor(y)).item()
    require("loss", loss, expected, {"a sum over the batch, the mean expected": N * expected} if N > 1 else {})


@exercise("softmax_loss", 1)
@pytest.mark.parametrize(("N", "C"), [(6, 4), (1, 3), (20, 10)])
def test_softmax_loss_gradient(N, C):
    x, y = scores_and_labels(N, C)
    _, dx = softmax_loss(x, y)
    (tensor,) = tensors(x)
    F.cross_entropy(tensor, torch.tensor(y)).backward()
    expected = tensor.grad.numpy()
    mistakes = {"not divided by the number of examples": N * expected} if N > 1 else {}
    require(
        "dx",
        dx,
        expected,
        {
            **mistakes,
            "1 is not subtracted at the true class": expected + np.eye(C)[y] / N,
        },
    )


@exercise("softmax_loss", 1)
def test_softmax_loss_of_large_scores():
    x = np.array([[1e4, -1e4, 0.0], [-2000.0, -2000.0, -2000.0]])
    loss, dx = softmax_loss(x, np.array([1, 0]))
    require("loss of scores of ±10,000 (subtract each row's largest score first)", loss, (2e4 + np.log(3)) / 2)
    require("dx of scores of ±10,000", dx, np.array([[1, -1, 0], [-2 / 3, 1 / 3, 1 / 3]]) / 2)


# The net


def torch_loss(model, X, y, reg):
    """Loss and gradients of a net of affine layers and ReLUs with the parameters of ``model``, by PyTorch."""
    params = {name: torch.tensor(np.asarray(w, np.float64), requires_grad=True) for name, w in model.params.items()}
    L = sum(name.startswith("W") for name in params)
    out = torch.tensor(X).flatten(1)
    for i in range(1, L + 1):
        out = out @ params[f"W{i}"] + params[f"b{i}"]
        out = out.relu() if i < L else out
    loss = F.cross_entropy(out, torch.tensor(y))
    loss = loss + 0.5 * reg * sum((params[f"W{i}"] ** 2).sum() for i in range(1, L + 1))
    loss.backward()
    return out.detach().numpy(), loss.item(), {name: w.grad.numpy() for name, w in params.items()}


def small_net(reg=0.0, hidden_dims=(5, 7)):
    seed(0)
    rng = np.random.default_rng(0)
    model = FullyConnectedNet(
        list(hidden_dims), input_dim=12, num_classes=4, reg=reg, weight_scale=0.5, dtype="float64"
    )
    for i in range(1, len(hidden_dims) + 2):
        model.params[f"b{i}"] = 0.1 * rng.standard_normal(np.shape(model.params[f"b{i}"]))
    return model, rng.standard_normal((6, 3, 2, 2)), rng.integers(4, size=6)


@exercise("FullyConnectedNet.__init__", 1)
@pytest.mark.parametrize("hidden_dims", [[], [5], [5, 7, 6]])
def test_net_parameters_have_their_names_and_shapes(hidden_dims):
    params = FullyConnectedNet(hidden_dims, input_dim=12, num_classes=4).params
    dims = [12, *hidden_dims, 4]
    expected = {}
    for i, shape in enumerate(zip(dims[:-1], dims[1:]), start=1):
        expected |= {f"W{i}": shape, f"b{i}": shape[1:]}
    require_that(set(params) == set(expected), f"params: {sorted(expected)} expected, got {sorted(params)}")
    for name, shape in expected.items():
        got = np.shape(params[name])
        require_that(got == shape, f"params[{name!r}]: shape {shape} expected, got {got}")


@exercise("FullyConnectedNet.__init__", 1)
def test_net_starts_with_gaussian_weights_and_no_biases():
    seed(0)
    params = FullyConnectedNet([100, 80], input_dim=300, weight_scale=0.02).params
    for i in (1, 2, 3):
        W, b = params[f"W{i}"], params[f"b{i}"]
        require_that(not np.any(b), f"b{i}: zeros expected")
        require_that(abs(np.mean(W)) < 4 * 0.02 / np.sqrt(W.size), f"W{i}: mean 0 expected, got {np.mean(W):.3g}")
        spread = np.std(W)
        require_that(0.018 < spread < 0.022, f"W{i}: standard deviation weight_scale = 0.02 expected, got {spread:.3g}")
        require_that(W.dtype == np.float32, f"W{i}: dtype float32 expected, the net's own, got {W.dtype}")
    require_that(0.63 < np.mean(np.abs(params["W1"]) < 0.02) < 0.73, "W1: a Gaussian distribution expected")


@exercise("FullyConnectedNet.__init__", 1)
@pytest.mark.parametrize(("rule", "spread"), [("xavier", np.sqrt(2 / 500)), ("kaiming", np.sqrt(2 / 300))])
def test_net_takes_the_spread_from_its_widths(rule, spread):
    seed(0)
    got = np.std(FullyConnectedNet([200], input_dim=300, weight_scale=rule).params["W1"])
    require_that(0.97 < got / spread < 1.03, f"W1 with {rule}: standard deviation {spread:.4f} expected, got {got:.4f}")


@exercise("FullyConnectedNet.loss", 1)
@pytest.mark.parametrize("hidden_dims", [(), (5, 7)])
def test_net_scores(hidden_dims):
    model, X, y = small_net(hidden_dims=hidden_dims)
    scores, _, _ = torch_loss(model, X, y, 0)
    require("scores, without labels", model.loss(X), scores, {"a ReLU after the last layer": np.maximum(scores, 0)})


@exercise("FullyConnectedNet.loss", 1)
@pytest.mark.parametrize("hidden_dims", [(), (5,), (5, 7)])
def test_net_loss(hidden_dims):
    model, X, y = small_net(hidden_dims=hidden_dims)
    loss, _ = entries("loss, with labels", model.loss(X, y), 2)
    require("loss", loss, torch_loss(model, X, y, 0)[1])


@exercise("FullyConnectedNet.loss", 2)
@pytest.mark.parametrize("hidden_dims", [(), (5,), (5, 7)])
def test_net_gradients(hidden_dims):
    model, X, y = small_net(hidden_dims=hidden_dims)
    _, grads = model.loss(X, y)
    _, _, expected = torch_loss(model, X, y, 0)
    require_that(set(grads) == set(expected), f"grads: {sorted(expected)} expected, got {sorted(grads)}")
    for name in sorted(expected, reverse=True):
        require(f"grads[{name!r}]", grads[name], expected[name])


@exercise("FullyConnectedNet.loss", 1)
def test_net_penalty():
    model, X, y = small_net(reg=0.7)
    loss, _ = model.loss(X, y)
    expected, plain = torch_loss(model, X, y, 0.7)[1], torch_loss(model, X, y, 0)[1]
    biases = sum(np.sum(model.params[f"b{i}"] ** 2) for i in (1, 2, 3))
    require(
        "loss with reg = 0.7",
        loss,
        expected,
        {
            "the penalty is missing": plain,
            "the penalty is twice as large: the factor 0.5 is missing": 2 * expected - plain,
            "biases are penalized too": expected + 0.5 * 0.7 * biases,
        },
    )


@exercise("FullyConnectedNet.loss", 1)
def test_net_penalty_in_the_gradients():
    model, X, y = small_net(reg=0.7)
    _, grads = model.loss(X, y)
    _, _, expected = torch_loss(model, X, y, 0.7)
    for name in sorted(expected):
        penalty = 0.7 * model.params[name]
        require(
            f"grads[{name!r}] with reg = 0.7",
            grads[name],
            expected[name],
            {
                "the penalty's gradient, reg · W, is missing": expected[name] - penalty,
                "the penalty's gradient is twice as large as reg · W": expected[name] + penalty,
            }
            if name.startswith("W")
            else {"biases are penalized too": expected[name] + penalty},
        )


# Update rules


def NO_RULE(w, dw, config):
    return w, config


def minimize(rule, optimizer, steps, gradients=None, **hyperparameters):
    """Weights after each step by a rule and by PyTorch's optimizer, and the rule's last config."""
    rng = np.random.default_rng(0)
    w = rng.standard_normal((3, 4))
    config = dict(hyperparameters)
    (tensor,) = tensors(w)
    theirs = optimizer([tensor])
    path, expected = [], []
    for step in range(steps):
        g = rng.standard_normal((3, 4)) if gradients is None else gradients(step, w)
        w, config = rule(read_only(w), read_only(g), config)
        tensor.grad = torch.tensor(g)
        theirs.step()
        path.append(w)
        expected.append(tensor.detach().numpy().copy())
    return path, expected, config


@exercise("sgd_momentum", 1)
def test_sgd_momentum_weights():
    path, expected, _ = minimize(
        sgd_momentum, lambda w: torch.optim.SGD(w, lr=0.1, momentum=0.8), 4, learning_rate=0.1, momentum=0.8
    )
    _, plain, _ = minimize(NO_RULE, lambda w: torch.optim.SGD(w, lr=0.1), 4)
    for step, (w, right, forgotten) in enumerate(zip(path, expected, plain), start=1):
        require(f"w after step {step}", w, right, {"the velocity of earlier steps is forgotten": forgotten})


@exercise("sgd_momentum", 1)
def test_sgd_momentum_keeps_its_velocity():
    w, g, v = np.full((2, 2), 3.0), np.full((2, 2), 2.0), np.full((2, 2), -1.0)
    next_w, config = sgd_momentum(w, g, {"learning_rate": 0.1, "momentum": 0.9, "velocity": v})
    require(
        "velocity (−0.9 − 0.2)",
        config["velocity"],
        np.full((2, 2), -1.1),
        {
            "the learning rate is missing": -0.9 * np.ones((2, 2)) - 2,
            "the gradient is missing": np.full((2, 2), -0.9),
            "the gradient is added, a step downhill expected": np.full((2, 2), -0.7),
        },
    )
    require("w (3 − 1.1)", next_w, np.full((2, 2), 1.9))


@exercise("nesterov_momentum", 1)
def test_nesterov_momentum():
    path, expected, _ = minimize(
        nesterov_momentum,
        lambda w: torch.optim.SGD(w, lr=0.1, momentum=0.8, nesterov=True),
        4,
        learning_rate=0.1,
        momentum=0.8,
    )
    _, plain, _ = minimize(NO_RULE, lambda w: torch.optim.SGD(w, lr=0.1, momentum=0.8), 4)
    for step, (w, right, classic) in enumerate(zip(path, expected, plain), start=1):
        require(f"w after step {step}", w, right, {"this is plain momentum, without looking ahead": classic})


@exercise("rmsprop", 1)
def test_rmsprop_weights():
    path, expected, _ = minimize(
        rmsprop,
        lambda w: torch.optim.RMSprop(w, lr=0.1, alpha=0.9, eps=1e-8),
        4,
        learning_rate=0.1,
        decay_rate=0.9,
    )
    _, swapped, _ = minimize(NO_RULE, lambda w: torch.optim.RMSprop(w, lr=0.1, alpha=0.1, eps=1e-8), 4)
    for step, (w, right, wrong) in enumerate(zip(path, expected, swapped), start=1):
        require(f"w after step {step}", w, right, {"β and 1 − β are swapped": wrong})


@exercise("rmsprop", 1)
def test_rmsprop_keeps_its_cache():
    w, g, s = np.ones(3), np.array([1.0, -2.0, 0.0]), np.full(3, 4.0)
    next_w, config = rmsprop(w, g, {"learning_rate": 0.1, "decay_rate": 0.75, "cache": s})
    require(
        "cache (0.75 · 4 + 0.25 · g²)",
        config["cache"],
        [3.25, 4, 3],
        {
            "the gradient is not squared": 3 + 0.25 * g,
            "a sum, a running average expected": 4 + g**2,
            "β and 1 − β are swapped": 1 + 0.75 * g**2,
        },
    )
    require(
        "w",
        next_w,
        1 - 0.1 * g / (np.sqrt([3.25, 4, 3]) + 1e-8),
        {"the cache of before this step is used": 1 - 0.1 * g / (2 + 1e-8)},
    )


def adam_path(**options):
    rule = {"learning_rate": 0.1, "beta1": 0.8, "beta2": 0.95}
    return minimize(adam, lambda w: torch.optim.Adam(w, lr=0.1, betas=(0.8, 0.95), eps=1e-8), 6, **rule, **options)


@exercise("adam", 1)
def test_adam_first_step():
    """The first step is the learning rate, whatever the size of the gradient."""
    g = np.array([0.5, -500.0, 3e-3])
    next_w, _ = adam(np.ones(3), g, {"learning_rate": 0.1})
    require(
        "w after one step",
        next_w,
        [0.9, 1.1, 0.9],
        {
            "m and v are not corrected for their start at 0": 1 - 0.1 * 0.1 * g / np.sqrt(0.001 * g**2),
            "v is not corrected for its start at 0": 1 - 0.1 * g / np.sqrt(0.001 * g**2),
            "m is not corrected for its start at 0": 1 - 0.01 * np.sign(g),
        },
        rtol=1e-4,
    )


@exercise("adam", 1)
def test_adam_weights():
    path, expected, _ = adam_path()
    for step, (w, right) in enumerate(zip(path, expected), start=1):
        require(f"w after step {step}", w, right)


@exercise("adam", 1)
def test_adam_keeps_its_averages():
    w, g = np.ones(2), np.array([1.0, -2.0])
    config = {"learning_rate": 0.1, "beta1": 0.8, "beta2": 0.9, "m": np.full(2, 3.0), "v": np.full(2, 5.0), "t": 4}
    _, config = adam(w, g, config)
    for name, expected, beta in (("m", [2.6, 2.0], 0.8), ("v", [4.6, 4.9], 0.9)):
        corrected = np.array(expected) / (1 - beta**5)
        require(
            f"{name} after 3 and 5, with β₁ = 0.8 and β₂ = 0.9",
            config[name],
            expected,
            {f"the correction belongs to the step, not to the {name} that is kept": corrected},
        )
    require("t", config["t"], 5)


@exercise("adam", 1)
def test_adam_epsilon():
    next_w, _ = adam(np.zeros(1), np.array([1e-6]), {"learning_rate": 1.0, "epsilon": 1e-6})
    require(
        "step with g = ε = 1e-6",
        next_w,
        [-0.5],
        {
            "ε stands inside the root": [-1e-6 / np.sqrt(1e-12 + 1e-6)],
            "ε is added before v is corrected": [-1e-6 / ((np.sqrt(1e-3) * 1e-6 + 1e-6) / np.sqrt(1e-3))],
        },
    )
