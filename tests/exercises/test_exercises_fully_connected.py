"""Exercises of the lesson FullyConnectedNets, held against PyTorch and numbers worked by hand."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from arrays import read_only, tensors
from canaries import *
from hints import entries, explained, require, require_that
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
    flat = x.reshape(len(x), -1)
    affine_forward(flat, w, b)
    with explained(f"x of shape {shape} is to be flattened to {flat.shape}"):
        out, _ = affine_forward(x, w, b)
    require("out", out, F.linear(*map(torch.tensor, (flat, w.T, b))), {"the bias is missing": flat @ w})


@exercise("affine_forward", 1)
def test_affine_forward_keeps_float32():
    x, w, b = affine_arrays((3, 4), 2, np.float32)
    out, _ = affine_forward(x, w, b)
    require("out", out, F.linear(*map(torch.tensor, (x, w.T, b))), rtol=1e-4, atol=1e-5, dtype=np.float32)


def affine_gradients(shape, width):
    """The layer's gradients, PyTorch's, dout, and x as it goes through the layer, flattened."""
    x, w, b = affine_arrays(shape, width)
    dout = read_only(np.random.default_rng(1).standard_normal((shape[0], width)))
    _, cache = affine_forward(x, w, b)
    tensors_in = tensors(x, w, b)
    (tensors_in[0].flatten(1) @ tensors_in[1] + tensors_in[2]).backward(torch.tensor(dout))
    got = entries("affine_backward", affine_backward(dout, cache), 3)
    expected = [tensor.grad.numpy() for tensor in tensors_in]
    if [np.shape(grad) for grad in got] != [grad.shape for grad in expected]:
        for order, names in (((1, 0, 2), "dw, dx, db"), ((1, 2, 0), "dw, db, dx")):
            is_mixed = [np.shape(got[order.index(i)]) for i in range(3)] == [grad.shape for grad in expected]
            require_that(not is_mixed, f"the order of the results is dx, dw, db, here {names}")
    return got, expected, dout, x.reshape(len(x), -1)


AFFINE_SHAPES = pytest.mark.parametrize(("shape", "width"), [((5, 4), 3), ((3, 2, 5), 3), ((4, 3, 2, 2), 1)])


@exercise("affine_backward", 1)
@AFFINE_SHAPES
def test_affine_backward_dx(shape, width):
    (dx, _, _), (expected, _, _), _, _ = affine_gradients(shape, width)
    require("dx", dx, expected, {"divided by the number of examples": expected / shape[0]}, how="that of x")
    x, w, b = affine_arrays(shape, width, np.float32)
    dout = np.ones((shape[0], width), np.float32)
    _, cache = affine_forward(x, w, b)
    for name, grad in zip(("dx", "dw", "db"), affine_backward(dout, cache)):
        require_that(np.asarray(grad).dtype == np.float32, f"{name}: dtype float32 expected, as that of the inputs")
    dx, _, _ = affine_backward(dout, cache, need_dx=False)
    require_that(dx is None, "dx: None expected with need_dx=False, which saves its computation")


@exercise("affine_backward", 1)
@AFFINE_SHAPES
def test_affine_backward_dw(shape, width):
    (_, dw, _), (_, expected, _), dout, flat = affine_gradients(shape, width)
    mistakes = {
        "divided by the number of examples": expected / shape[0],
        "assigned, where the examples add up: this is the last example's alone": np.outer(flat[-1], dout[-1]),
        "the first example's alone, where all examples add up": np.outer(flat[0], dout[0]),
    }
    require("dw", dw, expected, mistakes, how="that of w")


@exercise("affine_backward", 1)
@AFFINE_SHAPES
def test_affine_backward_db(shape, width):
    (_, _, db), (_, _, expected), dout, _ = affine_gradients(shape, width)
    mistakes = {
        "a mean over the batch, a sum expected": expected / shape[0],
        "assigned, where the examples add up: this is the last example's alone": dout[-1],
    }
    require("db", db, expected, mistakes, how="sum over axis 0")


# ReLU


@exercise("relu_forward", 1)
@pytest.mark.parametrize("shape", [(7,), (3, 4), (2, 3, 4, 5)])
def test_relu_forward(shape):
    x = read_only(np.random.default_rng(0).standard_normal(shape))
    out, _ = entries("relu_forward", relu_forward(x), 2)
    require(
        "out",
        out,
        torch.tensor(x).relu(),
        {
            "x as it came": x,
            "the negative values are kept": np.minimum(x, 0),
            "the absolute value, 0 expected where x < 0": np.abs(x),
            "1 where x > 0, x expected": 1.0 * (x > 0),
        },
        how="that of x, not one number for all,",
    )
    out, _ = relu_forward(x.astype(np.float32))
    require_that(np.asarray(out).dtype == np.float32, "out: dtype float32 expected, as that of x")


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
            "this is x times dout; the derivative is 1 where x > 0": np.maximum(x, 0) * dout,
            "this is the forward pass": np.maximum(x, 0),
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


AXIS = "the sum of exp(x) goes over the wrong axis, over the classes (axis 1) expected"


def scores_and_labels(N=6, C=4):
    rng = np.random.default_rng(0)
    return read_only(rng.standard_normal((N, C))), rng.integers(0, C, N)


@exercise("softmax_loss", 1)
@pytest.mark.parametrize(("N", "C"), [(6, 4), (1, 3), (20, 10)])
def test_softmax_loss_value(N, C):
    x, y = scores_and_labels(N, C)
    loss, _ = entries("softmax_loss", softmax_loss(x, y), 2)
    expected = F.cross_entropy(torch.tensor(x), torch.tensor(y)).item()
    shifted = x - x.max(axis=1, keepdims=True)
    by_column = [-np.mean((z - np.log(np.exp(z).sum(axis=0)))[np.arange(N), y]) for z in (x, shifted)]
    mistakes = {
        "the sign is wrong: −log p is positive": -expected,
        "this is the mean of −p, of −log p expected": -np.mean(np.exp(x)[np.arange(N), y] / np.exp(x).sum(axis=1)),
        "log 10 or log 2, the natural logarithm expected": expected / np.log(10),
    }
    if N > 1:
        mistakes |= {
            "a sum over the batch, the mean expected": N * expected,
            AXIS: by_column[0],
            f"{AXIS} ": by_column[1],
        }
    require("loss", loss, expected, mistakes)


@exercise("softmax_loss", 1)
@pytest.mark.parametrize(("N", "C"), [(6, 4), (1, 3), (20, 10)])
def test_softmax_loss_gradient(N, C):
    x, y = scores_and_labels(N, C)
    _, dx = softmax_loss(x, y)
    (tensor,) = tensors(x)
    F.cross_entropy(tensor, torch.tensor(y)).backward()
    expected = tensor.grad.numpy()
    p = expected * N + np.eye(C)[y]
    mistakes = {"1 is not subtracted at the true class": p / N, "1 is added at the true class": (p + np.eye(C)[y]) / N}
    if N > 1:
        mistakes |= {
            "not divided by the number of examples": N * expected,
            "not divided by the number of examples, and 1 is not subtracted at the true class": p,
            "1 is subtracted from whole columns, not from the true class of each example: dx[np.arange(N), y]": (
                p - np.isin(np.arange(C), y)
            )
            / N,
        }
    require("dx", dx, expected, mistakes)
    _, dx = softmax_loss(x.astype(np.float32), y)
    require_that(np.asarray(dx).dtype == np.float32, "dx: dtype float32 expected, as that of x")


@exercise("softmax_loss", 1)
def test_softmax_loss_of_large_scores():
    x = np.array([[1e4, -1e4, 0.0], [-2000.0, -2000.0, -2000.0]])
    rows = softmax_loss(x[:1], np.array([1])), softmax_loss(x[1:], np.array([0]))
    hint = "exp is too large or too small, subtract the largest score of each row first"
    require_that(all(np.isfinite(loss) for loss, _ in rows), f"loss of scores of ±10,000: {hint}")
    loss, dx = softmax_loss(x, np.array([1, 0]))
    hint = "NaN or infinity in a batch: subtract the largest score of each row, not that of the whole batch"
    require_that(np.isfinite(loss), f"loss of scores of ±10,000: {hint}")
    require("loss of scores of ±10,000", loss, (2e4 + np.log(3)) / 2)
    require("dx of scores of ±10,000", dx, np.array([[1, -1, 0], [-2 / 3, 1 / 3, 1 / 3]]) / 2)


# The net


def torch_loss(model, X, y, reg, relu=torch.relu):
    """Loss and gradients of a net of affine layers and ReLUs with the parameters of ``model``, by PyTorch."""
    params = {name: torch.tensor(np.asarray(w, np.float64), requires_grad=True) for name, w in model.params.items()}
    L = sum(name.startswith("W") for name in params)
    out = torch.tensor(X).flatten(1)
    for i in range(1, L + 1):
        out = out @ params[f"W{i}"] + params[f"b{i}"]
        out = relu(out) if i < L else out
    loss = F.cross_entropy(out, torch.tensor(y))
    loss = loss + 0.5 * reg * sum((params[f"W{i}"] ** 2).sum() for i in range(1, L + 1))
    loss.backward()
    return out.detach().numpy(), loss.item(), {name: w.grad.numpy() for name, w in params.items()}


class StraightThrough(torch.autograd.Function):
    """A ReLU whose backward pass lets everything through."""

    @staticmethod
    def forward(ctx, x):
        return x.relu()

    @staticmethod
    def backward(ctx, dout):
        return dout


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
@pytest.mark.parametrize("hidden_dims", [[], [5], [5, 7, 6], (6, 5)])
def test_net_parameters_have_their_names_and_shapes(hidden_dims):
    FullyConnectedNet([6, 5], input_dim=12, num_classes=4)
    with explained(f"hidden_dims = {hidden_dims}, which may be empty, a list or a tuple"):
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
    require_that(
        set(params) >= {"W1", "b1", "W2", "b2", "W3", "b3"}, f"params: W1, b1, …, b3 expected, got {sorted(params)}"
    )
    for i in (1, 2, 3):
        W, b = params[f"W{i}"], params[f"b{i}"]
        spread = np.std(W)
        require_that(not np.any(b), f"b{i}: zeros expected")
        require_that(0.018 < spread < 0.022, f"W{i}: standard deviation weight_scale = 0.02 expected, got {spread:.3g}")
        require_that(abs(np.mean(W)) < 4 * 0.02 / np.sqrt(W.size), f"W{i}: mean 0 expected, got {np.mean(W):.3g}")
        for name, w in ((f"W{i}", W), (f"b{i}", b)):
            require_that(w.dtype == np.float32, f"{name}: dtype float32 expected, the net's own, got {w.dtype}")
    drawn = []
    for _ in range(2):
        seed(1)
        drawn.append(FullyConnectedNet([100], input_dim=300).params["W1"])
    is_same = np.array_equal(*drawn)
    require_that(
        is_same, "W1: not the same after np.random.seed; draw from NumPy's global random state, np.random.randn"
    )
    require_that(0.63 < np.mean(np.abs(params["W1"]) < 0.02) < 0.73, "W1: a Gaussian distribution expected")


@exercise("FullyConnectedNet.__init__", 1)
@pytest.mark.parametrize(("rule", "spread"), [("xavier", np.sqrt(2 / 500)), ("kaiming", np.sqrt(2 / 300))])
def test_net_takes_the_spread_from_its_widths(rule, spread):
    seed(0)
    FullyConnectedNet([200], input_dim=300, weight_scale=0.01)
    with explained(f'weight_scale = "{rule}" takes cs231n.initializers.{rule}'):
        got = np.std(FullyConnectedNet([200], input_dim=300, weight_scale=rule).params["W1"])
    require_that(0.97 < got / spread < 1.03, f"W1 with {rule}: standard deviation {spread:.4f} expected, got {got:.4f}")


@exercise("FullyConnectedNet.loss", 1)
@pytest.mark.parametrize("hidden_dims", [(), (5, 7)])
def test_net_scores(hidden_dims):
    model, X, y = small_net(hidden_dims=hidden_dims)
    scores, _, _ = torch_loss(model, X, y, 0)
    linear, _, _ = torch_loss(model, X, y, 0, relu=lambda x: x)
    mistakes = {"a ReLU after the last layer": np.maximum(scores, 0)}
    if hidden_dims:
        mistakes["the ReLU between the layers is missing"] = linear
    require("scores, without labels", model.loss(X), scores, mistakes)
    scores = FullyConnectedNet(list(hidden_dims), input_dim=12, num_classes=4).loss(X)
    require_that(
        np.asarray(scores).dtype == np.float32, "scores: dtype float32 expected: X is cast to the dtype of the net"
    )


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
    through = torch_loss(model, X, y, 0, relu=StraightThrough.apply)[2]
    for name in sorted(expected, reverse=True):
        mistakes = (
            {}
            if np.allclose(through[name], expected[name])
            else {"the ReLU is missing in the backward pass": through[name]}
        )
        require(f"grads[{name!r}]", grads[name], expected[name], mistakes)


@exercise("FullyConnectedNet.loss", 1)
def test_net_penalty():
    model, X, y = small_net(reg=0.7)
    loss, _ = model.loss(X, y)
    expected, plain = torch_loss(model, X, y, 0.7)[1], torch_loss(model, X, y, 0)[1]
    biases = sum(np.sum(model.params[f"b{i}"] ** 2) for i in (1, 2, 3))
    squares = [np.sum(model.params[f"W{i}"] ** 2) for i in (1, 2, 3)]
    require(
        "loss with reg = 0.7",
        loss,
        expected,
        {
            "the penalty is missing": plain,
            "the penalty is twice as large: the factor 0.5 is missing": 2 * expected - plain,
            "biases are penalized too": expected + 0.5 * 0.7 * biases,
            "the penalty of the last layer is missing": plain + 0.5 * 0.7 * sum(squares[:-1]),
            "the penalty is that of the first layer alone": plain + 0.5 * 0.7 * squares[0],
            "the penalty is that of the last layer alone": plain + 0.5 * 0.7 * squares[-1],
            "the penalty has the root of Σ W², without the root expected": plain
            + 0.5 * 0.7 * sum(map(np.sqrt, squares)),
            "the penalty is divided by the number of examples": plain + 0.5 * 0.7 * sum(squares) / len(X),
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

UNCHANGED = "w is unchanged: return the new weights, not those that were passed in"
UPHILL = "a step uphill: the gradient is added, or the step subtracted"


def minimize(rule, steps, optimizer=None, **hyperparameters):
    """Weights after each step by a rule and by PyTorch's optimizer."""
    rng = np.random.default_rng(0)
    w = rng.standard_normal((3, 4))
    config = dict(hyperparameters)
    (tensor,) = tensors(w)
    theirs = optimizer([tensor]) if optimizer else None
    path, expected = [], []
    for _ in range(steps):
        g = rng.standard_normal((3, 4))
        w, config = rule(read_only(w), read_only(g), config)
        path.append(np.array(w))
        if theirs:
            tensor.grad = torch.tensor(g)
            theirs.step()
            expected.append(tensor.detach().numpy().copy())
    return path, expected


def require_path(rule, optimizer, mistakes, steps=4, **hyperparameters):
    """Compare the steps of a rule with PyTorch's, and with those of rules that have a mistake."""
    start = np.random.default_rng(0).standard_normal((3, 4))
    entries(rule.__name__, rule(start, start, dict(hyperparameters)), 2)
    path, expected = minimize(rule, steps, optimizer, **hyperparameters)
    wrong = {what: minimize(mistake, steps)[0] for what, mistake in mistakes.items()}
    wrong[UNCHANGED] = [start] * steps
    for step, (w, right) in enumerate(zip(path, expected), start=1):
        if not np.allclose(w, right):
            found = [what for what, other in wrong.items() if np.allclose(path[: step + 1], other[: step + 1])]
            require(f"w after step {step}", w, right, {found[0]: w} if found else {})


def require_defaults(rule, optimizer, which):
    """Hyperparameters are optional, and the weights keep their dtype."""
    path, expected = minimize(rule, 3, optimizer)
    require(f"w after 3 steps with the default hyperparameters, {which}", path[2], expected[2], rtol=1e-6)
    w = np.ones((2, 3), np.float32)
    with explained("config is optional"):
        next_w, config = rule(w, w)
    require("w after a step without a config", next_w, rule(w, w, {})[0], rtol=1e-6)
    next_w, _ = rule(next_w, w, config)
    require_that(np.asarray(next_w).dtype == np.float32, "w: dtype float32 expected, as that of the weights")


def momentum_rule(step):
    """A rule by ``step(w, g, v) -> (w, v)``."""

    def rule(w, g, config):
        next_w, v = step(w, g, config.get("velocity", 0 * w))
        return next_w, {"velocity": v}

    return rule


def plain(w, g, v):
    """Plain momentum, with the learning rate 0.1 and γ = 0.8."""
    v = 0.8 * v - 0.1 * g
    return w + v, v


@exercise("sgd_momentum", 1)
def test_sgd_momentum_weights():
    steps = {
        "the velocity of earlier steps is forgotten": lambda w, g, v: (w - 0.1 * g, v),
        UPHILL: lambda w, g, v: (w + 0.8 * v + 0.1 * g, 0.8 * v + 0.1 * g),
        "the learning rate is missing": lambda w, g, v: (w + 0.8 * v - g, 0.8 * v - g),
        "the gradient is multiplied by 1 − γ too": lambda w, g, v: (w + 0.8 * v - 0.02 * g, 0.8 * v - 0.02 * g),
        "the velocity is not multiplied by γ": lambda w, g, v: (w + v - 0.1 * g, v - 0.1 * g),
        "the velocity of before this step is used": lambda w, g, v: (w + v, plain(w, g, v)[1]),
    }
    mistakes = {what: momentum_rule(step) for what, step in steps.items()}
    options = {"learning_rate": 0.1, "momentum": 0.8}
    require_path(sgd_momentum, lambda w: torch.optim.SGD(w, lr=0.1, momentum=0.8), mistakes, **options)
    default = "learning_rate 0.01 and momentum 0.9"
    require_defaults(sgd_momentum, lambda w: torch.optim.SGD(w, lr=0.01, momentum=0.9), default)


@exercise("sgd_momentum", 1)
def test_sgd_momentum_keeps_its_velocity():
    w, g, v = np.full((2, 2), 3.0), np.full((2, 2), 2.0), np.full((2, 2), -1.0)
    result = sgd_momentum(w, g, {"learning_rate": 0.1, "momentum": 0.9, "velocity": v})
    next_w, config = entries("sgd_momentum", result, 2)
    require_that(config.get("velocity") is not None, "config['velocity']: missing after a step")
    require(
        "velocity (−0.9 − 0.2)",
        config["velocity"],
        np.full((2, 2), -1.1),
        {
            "the new velocity is not kept in config, and so forgotten": v,
            "the learning rate is missing": -0.9 * np.ones((2, 2)) - 2,
            "the gradient is missing": np.full((2, 2), -0.9),
            "the gradient is added, a step downhill expected": np.full((2, 2), -0.7),
        },
    )
    mistakes = {
        UNCHANGED: w,
        "the velocity is subtracted, added expected": np.full((2, 2), 4.1),
        "the velocity of before this step is used": np.full((2, 2), 2.0),
    }
    require("w (3 − 1.1)", next_w, np.full((2, 2), 1.9), mistakes)


@exercise("nesterov_momentum", 1)
def test_nesterov_momentum():
    def old_velocity_added(w, g, v):
        after = 0.8 * v - 0.1 * g
        return w + 0.8 * v + 1.8 * after, after

    steps = {
        "this is plain momentum, without looking ahead": plain,
        "the step − η g is missing beside the look ahead, γ v": lambda w, g, v: (
            w + 0.8 * plain(w, g, v)[1],
            plain(w, g, v)[1],
        ),
        "the sign of γ times the old velocity is wrong": old_velocity_added,
        "the old velocity is used to look ahead": lambda w, g, v: (w + 0.8 * v - 0.1 * g, plain(w, g, v)[1]),
        UPHILL: lambda w, g, v: (w + 0.8 * (0.8 * v + 0.1 * g) + 0.1 * g, 0.8 * v + 0.1 * g),
        "the velocity is added whole, γ v expected": lambda w, g, v: (
            w + plain(w, g, v)[1] - 0.1 * g,
            plain(w, g, v)[1],
        ),
        "the velocity of earlier steps is forgotten": lambda w, g, v: (w - 0.18 * g, v),
    }
    mistakes = {what: momentum_rule(step) for what, step in steps.items()}
    options = {"learning_rate": 0.1, "momentum": 0.8}
    require_path(
        nesterov_momentum, lambda w: torch.optim.SGD(w, lr=0.1, momentum=0.8, nesterov=True), mistakes, **options
    )
    default = "learning_rate 0.01 and momentum 0.9"
    require_defaults(nesterov_momentum, lambda w: torch.optim.SGD(w, lr=0.01, momentum=0.9, nesterov=True), default)


def rmsprop_rule(new=lambda s, g: 0.9 * s + 0.1 * g**2, root=lambda s: np.sqrt(s) + 0.01, rate=0.1, is_late=False):
    """A rule by the new average of g² and what divides the gradient."""

    def rule(w, g, config):
        s = config.get("cache", 0 * w)
        with np.errstate(invalid="ignore"):
            return w - rate * g / root(s if is_late else new(s, g)), {"cache": new(s, g)}

    return rule


@exercise("rmsprop", 1)
def test_rmsprop_weights():
    mistakes = {
        "β and 1 − β are swapped": rmsprop_rule(lambda s, g: 0.1 * s + 0.9 * g**2),
        "a sum of the g², a running average expected": rmsprop_rule(lambda s, g: s + g**2),
        "1 − β is missing": rmsprop_rule(lambda s, g: 0.9 * s + g**2),
        "the squares of earlier steps are forgotten": rmsprop_rule(lambda s, g: 0.1 * g**2),
        "the root of the average is missing": rmsprop_rule(root=lambda s: s + 0.01),
        "ε stands inside the root": rmsprop_rule(root=lambda s: np.sqrt(s + 0.01)),
        "ε is missing, or not that of config": rmsprop_rule(root=lambda s: np.sqrt(s) + 1e-8),
        "the cache of before this step is used": rmsprop_rule(is_late=True),
        "the gradient is not squared": rmsprop_rule(lambda s, g: 0.9 * s + 0.1 * g),
        "the absolute gradient, its square expected": rmsprop_rule(lambda s, g: 0.9 * s + 0.1 * np.abs(g)),
        UPHILL: rmsprop_rule(rate=-0.1),
    }
    options = {"learning_rate": 0.1, "decay_rate": 0.9, "epsilon": 0.01}
    require_path(rmsprop, lambda w: torch.optim.RMSprop(w, lr=0.1, alpha=0.9, eps=0.01), mistakes, **options)
    default = "learning_rate 0.01, decay_rate 0.99 and epsilon 1e-8"
    require_defaults(rmsprop, lambda w: torch.optim.RMSprop(w, lr=0.01, alpha=0.99, eps=1e-8), default)


@exercise("rmsprop", 1)
def test_rmsprop_keeps_its_cache():
    w, g, s = np.ones(3), np.array([1.0, -2.0, 0.0]), np.full(3, 4.0)
    next_w, config = entries("rmsprop", rmsprop(w, g, {"learning_rate": 0.1, "decay_rate": 0.75, "cache": s}), 2)
    require_that(config.get("cache") is not None, "config['cache']: missing after a step")
    require(
        "cache (0.75 · 4 + 0.25 · g²)",
        config["cache"],
        [3.25, 4, 3],
        {
            "the new average is not kept in config": s,
            "the gradient is not squared": 3 + 0.25 * g,
            "a sum, a running average expected": 4 + g**2,
            "β and 1 − β are swapped": 1 + 0.75 * g**2,
        },
    )
    mistakes = {"the cache of before this step is used": 1 - 0.1 * g / (2 + 1e-8), UNCHANGED: w}
    require("w", next_w, 1 - 0.1 * g / (np.sqrt([3.25, 4, 3]) + 1e-8), mistakes)


BETAS = 0.8, 0.95


def adam_rule(
    m=lambda m, g, b1, b2: b1 * m + (1 - b1) * g,
    v=lambda v, g, b1, b2: b2 * v + (1 - b2) * g**2,
    m_hat=lambda m, t, b1, b2: m / (1 - b1**t),
    v_hat=lambda v, t, b1, b2: v / (1 - b2**t),
    root=lambda v_hat, eps, t, b2: np.sqrt(v_hat) + eps,
    count=lambda t: t + 1,
    rate=0.1,
    eps=0.01,
):
    """Adam, of which one part or another is wrong."""

    def rule(w, g, config):
        with np.errstate(invalid="ignore", divide="ignore"):
            t = count(config.get("t", 0))
            mean, square = m(config.get("m", 0 * w), g, *BETAS), v(config.get("v", 0 * w), g, *BETAS)
            step = m_hat(mean, t, *BETAS) / root(v_hat(square, t, *BETAS), eps, t, BETAS[1])
        return w - rate * step, {"m": mean, "v": square, "t": t}

    return rule


NOT_CORRECTED = {"m_hat": lambda m, t, b1, b2: m}, {"v_hat": lambda v, t, b1, b2: v}
ADAM_MISTAKES = {
    "m and v are not corrected for their start at 0": adam_rule(**NOT_CORRECTED[0], **NOT_CORRECTED[1]),
    "m is not corrected for its start at 0": adam_rule(**NOT_CORRECTED[0]),
    "v is not corrected for its start at 0": adam_rule(**NOT_CORRECTED[1]),
    "β₁ is used with v": adam_rule(v=lambda v, g, b1, b2: b1 * v + (1 - b1) * g**2),
    "β₁ is used with v, in its correction too": adam_rule(
        v=lambda v, g, b1, b2: b1 * v + (1 - b1) * g**2, v_hat=lambda v, t, b1, b2: v / (1 - b1**t)
    ),
    "β₁ is used in the correction of v, β₂ expected": adam_rule(v_hat=lambda v, t, b1, b2: v / (1 - b1**t)),
    "β₂ is used in the correction of m, β₁ expected": adam_rule(m_hat=lambda m, t, b1, b2: m / (1 - b2**t)),
    "β₂ is used with m": adam_rule(m=lambda m, g, b1, b2: b2 * m + (1 - b2) * g),
    "β₁ and β₂ are swapped": adam_rule(
        m=lambda m, g, b1, b2: b2 * m + (1 - b2) * g,
        v=lambda v, g, b1, b2: b1 * v + (1 - b1) * g**2,
        m_hat=lambda m, t, b1, b2: m / (1 - b2**t),
        v_hat=lambda v, t, b1, b2: v / (1 - b1**t),
    ),
    "β₁ and 1 − β₁ are swapped": adam_rule(m=lambda m, g, b1, b2: (1 - b1) * m + b1 * g),
    "β₂ and 1 − β₂ are swapped": adam_rule(v=lambda v, g, b1, b2: (1 - b2) * v + b2 * g**2),
    "the gradient is not squared in v": adam_rule(v=lambda v, g, b1, b2: b2 * v + (1 - b2) * g),
    "v has |g|, the square of g expected": adam_rule(v=lambda v, g, b1, b2: b2 * v + (1 - b2) * np.abs(g)),
    "the root of v̂ is missing": adam_rule(root=lambda v, eps, t, b2: v + eps),
    "ε stands inside the root": adam_rule(root=lambda v, eps, t, b2: np.sqrt(v + eps)),
    "ε is added before v is corrected": adam_rule(root=lambda v, eps, t, b2: np.sqrt(v) + eps / np.sqrt(1 - b2**t)),
    "ε is missing, or not that of config": adam_rule(eps=1e-8),
    "the steps are not counted: t stays 1": adam_rule(count=lambda t: 1),
    "t is counted twice in a step": adam_rule(count=lambda t: t + 2),
    "the gradient, its running average m expected": adam_rule(m=lambda m, g, b1, b2: g, **NOT_CORRECTED[0]),
    UPHILL: adam_rule(rate=-0.1),
}


@exercise("adam", 1)
def test_adam_first_step():
    """The first step is the learning rate, whatever the size of the gradient."""
    g = np.array([0.5, -500.0, 3e-3])
    config = {"learning_rate": 0.1, "beta1": BETAS[0], "beta2": BETAS[1]}
    next_w, _ = entries("adam", adam(np.ones(3), g, config), 2)
    is_finite = next_w is None or np.isfinite(np.asarray(next_w, float)).all()
    require_that(is_finite, "w after one step is not finite: is t still 0 in 1 − βᵗ? Count the step first")
    # The step's size, where 1 is right.
    factors = {
        "m and v are not corrected for their start at 0": 0.2 / np.sqrt(0.05),
        "m is not corrected for its start at 0": 0.2,
        "v is not corrected for its start at 0": 1 / np.sqrt(0.05),
        "β₁ is used with v": 1 / np.sqrt(0.2 / 0.05),
    }
    first = {what: 1 - 0.1 * factor * np.sign(g) for what, factor in factors.items()}
    require("w after one step", next_w, [0.9, 1.1, 0.9], {UNCHANGED: np.ones(3), **first}, rtol=1e-4)


@exercise("adam", 1)
def test_adam_weights():
    options = {"learning_rate": 0.1, "beta1": BETAS[0], "beta2": BETAS[1], "epsilon": 0.01}
    require_path(adam, lambda w: torch.optim.Adam(w, lr=0.1, betas=BETAS, eps=0.01), ADAM_MISTAKES, 6, **options)
    default = "learning_rate 0.001, beta1 0.9, beta2 0.999 and epsilon 1e-8"
    require_defaults(adam, lambda w: torch.optim.Adam(w, lr=1e-3), default)


@exercise("adam", 1)
def test_adam_keeps_its_averages():
    w, g = np.ones(2), np.array([1.0, -2.0])
    config = {"learning_rate": 0.1, "beta1": 0.8, "beta2": 0.9, "m": np.full(2, 3.0), "v": np.full(2, 5.0), "t": 4}
    _, config = entries("adam", adam(w, g, config), 2)
    swapped = {"m": 0.2 * 3 + 0.8 * g, "v": 0.1 * 5 + 0.9 * g**2}
    for name, old, expected, beta in (("m", 3, [2.6, 2.0], 0.8), ("v", 5, [4.6, 4.9], 0.9)):
        corrected = np.array(expected) / (1 - beta**5)
        require_that(config.get(name) is not None, f"config['{name}']: missing after a step")
        require(
            f"{name} after 3 and 5, with β₁ = 0.8 and β₂ = 0.9",
            config[name],
            expected,
            {
                f"the correction belongs to the step, not to the {name} that is kept": corrected,
                f"the new {name} is not kept in config": np.full(2, old),
                "the gradient is not squared": 4.5 + 0.1 * g,
                "β₁ is used with v": 0.8 * 5 + 0.2 * g**2,
                "β₂ is used with m": 0.9 * 3 + 0.1 * g,
                "β and 1 − β are swapped": swapped[name],
            },
        )
    require(
        "t, the number of steps made, after the fifth",
        config.get("t"),
        5,
        {"the step is not counted": 4, "the steps are not counted": 1},
    )


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
