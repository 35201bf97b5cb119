"""Odd and wrong arguments to every layer, loss, update rule and net.

Whatever the shapes, types, memory layouts and values, results and gradients are those of PyTorch in float64, and have
the type of the arguments where these have one. Of the mistakes that people make, a ValueError or TypeError names the
argument. Nothing of the caller's is altered either way.
"""

import re
import warnings
from collections import namedtuple
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from arrays import LAYOUTS, seeds
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from cs231n import fast_layers, layer_utils, layers, optim
from cs231n.classifiers.cnn import ThreeLayerConvNet
from cs231n.classifiers.fc_net import FullyConnectedNet

MODULES = layers, fast_layers, layer_utils, optim
OFFERED = {name: getattr(module, name) for module in MODULES for name in module.__all__}
FUNCTIONS = {name: offer for name, offer in OFFERED.items() if offer.__name__ == name}  # not np, no second name
FLOATS = np.float16, np.float32, np.float64
TYPES = (*FLOATS, np.int8, np.int64, np.bool_)
RUNNING = "running_mean", "running_var"
EXAMPLES = settings.default.max_examples  # of the profile

# names: those of the functions. draw(some): a call's arguments. ours(**call), theirs(**call): lists of results.
Row = namedtuple("Row", "names draw ours theirs")


class Some:
    """What arguments are drawn from, with sizes of at least ``least``."""

    def __init__(self, draw, least):
        self.draw, self.least, self.rng = draw, least, np.random.default_rng(draw(seeds))
        self.types = self.one_of(TYPES, *((dtype,) for dtype in TYPES))

    def size(self, least=None, most=3):
        return self.draw(st.integers(self.least if least is None else least, most))

    def number(self, least=0.01, most=0.9):
        return self.draw(st.floats(least, most))

    def one_of(self, *values):
        return self.draw(st.sampled_from(values))

    def array(self, shape, types=None, least=-2):
        """Quarters from ``least`` to 2, whose sums and products every type holds without rounding, in any layout."""
        values = (self.rng.integers(4 * least, 9, shape) / 4).astype(self.one_of(*(types or self.types)))
        return self.one_of(*LAYOUTS.values(), np.ndarray.tolist)(values)

    def labels(self, N, C):
        return self.one_of(np.copy, np.ndarray.tolist)(self.rng.integers(0, C, N, self.one_of(np.uint8, np.int64)))

    def windows(self, H, W):
        """Height, width and stride of windows that fit an image."""
        HH, WW = self.size(1, min(H, 3)), self.size(1, min(W, 3))
        return HH, WW, self.one_of(*(s for s in (1, 2, 3) if (H - HH) % s == (W - WW) % s == 0))

    def inputs(self, layouts):
        """Inputs such as "x (N, D), gamma (D), beta (D), bn_param": axes of one name have one size."""
        N, G, d, e, F, M, H, W = self.size(2), *(self.size() for _ in range(5)), self.size(1, 4), self.size(2, 4)
        pad, C = self.size(0, 2) if "conv" in layouts else 0, G * self.size(1, 2)
        HH, WW, stride = self.windows(H + 2 * pad, W + 2 * pad)
        sizes = {"N": N, "C": C, "H": H, "W": W, "F": F, "HH": HH, "WW": WW, "d": d, "e": e, "D": d * e, "M": M, "1": 1}
        if "conv" in layouts:  # then it is its output that is pooled
            H, W = (H + 2 * pad - HH) // stride + 1, (W + 2 * pad - WW) // stride + 1
        mode, eps = self.one_of("train", "test"), self.one_of(1e-5, 1e-3, 0.1)
        entries = {
            "G": G,
            "y": self.labels(N, d * e),
            "ln_param": {"eps": eps},
            "gn_param": {"eps": eps},
            "bn_param": {"mode": mode, "eps": eps, "momentum": self.number(0, 1)},
            "dropout_param": {"mode": mode, "p": self.number(0.1, 1), "seed": self.draw(seeds)},
            "conv_param": {"stride": stride, "pad": pad},
            "pool_param": dict(zip(("pool_height", "pool_width", "stride"), self.windows(H, W))),
        }
        call = {}
        for name, axes in re.findall(r"(\w+)(?: \((.*?)\))?", layouts):
            call[name] = self.array([sizes[axis] for axis in axes.split(", ")]) if axes else entries[name]
        if "bn_param" in call and (mode == "test" or self.one_of(True, False)):
            D = len(call["gamma"])
            call["bn_param"] |= {"running_mean": self.array(D), "running_var": self.array(D, FLOATS, least=0)}
        return call


def exact(value, name=None):
    """Arguments for PyTorch: arrays as float64 tensors, labels as integer ones."""
    if isinstance(value, dict):
        return {key: exact(entry, key) for key, entry in value.items()}
    if not isinstance(value, np.ndarray | list):
        return value
    if name == "y":
        return torch.tensor(np.array(value, np.int64))
    return torch.tensor(np.array(value, np.float64), requires_grad=name not in RUNNING)


# Layers


def layer(name, layouts, oracle, kind="", backwards=("",)):
    """The row of a layer: its output, its gradients and, of batch norm, the running averages."""
    names = [f"{name}_forward{kind}", *(f"{name}_backward{kind}{which}" for which in backwards)]
    forward, *backwards = map(FUNCTIONS.get, names)

    def draw(some):
        inputs = some.inputs(layouts)
        return {**inputs, "dout": some.array(oracle(**exact(inputs)).shape)}

    def ours(dout, **inputs):
        out, cache = forward(**inputs)
        before, results = snapshot(cache), [out]
        for backward in backwards:
            gradients = backward(dout, cache)
            results += gradients if isinstance(gradients, tuple) else [gradients]
            if name.startswith(("affine", "conv")):
                assert snapshot(backward(dout, cache, need_dx=False)) == snapshot([None, *gradients[1:]])
        assert snapshot(cache) == before
        return results + [inputs["bn_param"][name] for name in RUNNING if "bn_param" in inputs]

    def theirs(dout, **inputs):
        out = oracle(**inputs)
        tensors = [value for value in inputs.values() if isinstance(value, torch.Tensor)]
        results = [out, *len(backwards) * torch.autograd.grad(out, tensors, dout.detach())]
        return results + [inputs["bn_param"][name] for name in RUNNING if "bn_param" in inputs]

    return Row(names, draw, ours, theirs)


def affine(x, w, b):
    return x.reshape(len(x), -1) @ w + b


def relu(x):
    assume(((x == 0) | (x.abs() > 0.02)).all())  # elsewhere, rounding decides what passes
    return F.relu(x)


def dropout(x, dropout_param):
    mode, p, seed = (dropout_param[key] for key in ("mode", "p", "seed"))
    return x * torch.tensor(np.random.RandomState(seed).rand(*x.shape) < p) / p if mode == "train" else 1 * x


def batchnorm(x, gamma, beta, bn_param):
    D, momentum, train = x.shape[1], bn_param["momentum"], bn_param["mode"] == "train"
    mean, var = (bn_param.setdefault(name, torch.zeros(D, dtype=torch.float64)) for name in RUNNING)
    before = var.clone()
    out = F.batch_norm(x, mean, var, gamma, beta, train, 1 - momentum, bn_param["eps"])
    if train:
        bn_param["running_var"] = var - (var - momentum * before) * D / x.numel()  # PyTorch's divides by n − 1
    return out


def layernorm(x, gamma, beta, ln_param):
    return F.layer_norm(x, gamma.shape, gamma, beta, ln_param["eps"])


def groupnorm(x, gamma, beta, G, gn_param):
    return F.group_norm(x, G, gamma.flatten(), beta.flatten(), gn_param["eps"])


def convolution(x, w, b, conv_param):
    return F.conv2d(x, w, b, conv_param["stride"], conv_param["pad"])


def conv_bn_relu(x, w, b, gamma, beta, conv_param, bn_param):
    return relu(batchnorm(convolution(x, w, b, conv_param), gamma, beta, bn_param))


def pool(kind, x, pool_param):
    return kind(x, (pool_param["pool_height"], pool_param["pool_width"]), pool_param["stride"])


max_pool, avg_pool = partial(pool, F.max_pool2d), partial(pool, F.avg_pool2d)


def conv_relu_pool(x, w, b, conv_param, pool_param):
    return max_pool(relu(convolution(x, w, b, conv_param)), pool_param)


AFFINE, CONV, POOL = "w (D, M), b (M)", "x (N, C, H, W), w (F, C, HH, WW), b (F)", "x (N, C, H, W), pool_param"
KINDS = "_naive", "_fast"
LAYERS = [
    layer("affine", f"x (N, d, e), {AFFINE}", affine),
    layer("relu", "x (N, C, H, W)", lambda x: F.relu(x)),
    layer("dropout", "x (N, D), dropout_param", dropout),
    layer("batchnorm", "x (N, D), gamma (D), beta (D), bn_param", batchnorm, backwards=("", "_alt")),
    layer("spatial_batchnorm", "x (N, C, H, W), gamma (C), beta (C), bn_param", batchnorm),
    layer("layernorm", "x (N, D), gamma (D), beta (D), ln_param", layernorm),
    layer("spatial_groupnorm", "x (N, C, H, W), gamma (1, C, 1, 1), beta (1, C, 1, 1), G, gn_param", groupnorm),
    *[layer("conv", f"{CONV}, conv_param", convolution, kind) for kind in KINDS],
    *[layer("max_pool", POOL, max_pool, kind) for kind in KINDS],
    *[layer("avg_pool", POOL, avg_pool, kind) for kind in KINDS],
    layer("affine_relu", f"x (N, D), {AFFINE}", lambda **inputs: relu(affine(**inputs))),
    layer("conv_relu", f"{CONV}, conv_param", lambda **inputs: relu(convolution(**inputs))),
    layer("conv_bn_relu", f"{CONV}, gamma (F), beta (F), conv_param, bn_param", conv_bn_relu),
    layer("conv_relu_pool", f"{CONV}, conv_param, pool_param", conv_relu_pool),
]


# Losses and update rules


def loss(name, oracle):
    def theirs(x, y):
        value = oracle(x, y)
        return [value, *torch.autograd.grad(value, x)]

    return Row([name], lambda some: some.inputs("x (N, D), y"), FUNCTIONS[name], theirs)


def rule(name, optimizer, *hyperparameters):
    """The row of an update rule: the weights after three steps."""

    def draw(some):
        return {**some.inputs("w (N, D), dw (N, D)"), "config": {name: some.number() for name in hyperparameters}}

    def ours(w, dw, config):
        for _ in range(3):
            w, config = FUNCTIONS[name](w, dw, config)
        return [w]

    def theirs(w, dw, config):
        names = {"learning_rate": "lr", "decay_rate": "alpha", "epsilon": "eps"}
        config = {names.get(name, name): value for name, value in config.items()}
        if "beta1" in config:
            config["betas"] = config.pop("beta1"), config.pop("beta2")
        made, w.grad = optimizer([w], **config), dw.detach()
        for _ in range(3):
            made.step()
        return [w]

    return Row([name], draw, ours, theirs)


OTHERS = [
    loss("softmax_loss", F.cross_entropy),
    loss("svm_loss", lambda x, y: x.shape[1] * F.multi_margin_loss(x, y)),  # PyTorch divides by the number of classes
    rule("sgd", torch.optim.SGD, "learning_rate"),
    rule("sgd_momentum", torch.optim.SGD, "learning_rate", "momentum"),
    rule("nesterov_momentum", partial(torch.optim.SGD, nesterov=True), "learning_rate", "momentum"),
    rule("rmsprop", torch.optim.RMSprop, "learning_rate", "decay_rate", "epsilon"),
    rule("adam", torch.optim.Adam, "learning_rate", "beta1", "beta2", "epsilon"),
    rule("adamw", torch.optim.AdamW, "learning_rate", "beta1", "beta2", "epsilon", "weight_decay"),
]


# Nets


def net(kind, scores, **choices):
    """The row of a net: its loss and gradients; scores(X, params, **settings) are PyTorch's."""

    def draw(some):
        settings = {name: some.one_of(*values) for name, values in choices.items()}
        X = some.array((some.size(2), *np.atleast_1d(settings["input_dim"])))
        settings |= {"num_classes": some.size(), "reg": some.number(), "dtype": some.one_of(*FLOATS)}
        return {"X": X, "y": some.labels(len(X), settings["num_classes"]), **settings}

    def made(settings):
        net, rng = kind(**settings), np.random.default_rng(0)
        for parameter in net.params.values():
            parameter[...] = rng.integers(-4, 5, parameter.shape) / 4
        return net

    def ours(X, y, **settings):
        net = made(settings)
        value, grads = net.loss(X, y)
        return [value, *map(grads.get, net.params)]

    def theirs(X, y, **settings):
        params = exact(made(settings).params)
        value = F.cross_entropy(scores(X.detach(), params, **settings), y)
        value = value + sum(settings["reg"] / 2 * (p**2).sum() for name, p in params.items() if name.startswith("W"))
        return [value, *torch.autograd.grad(value, list(params.values()))]

    return Row([kind.__name__], draw, ours, theirs)


def fully_connected(x, params, hidden_dims, normalization, dropout_keep_ratio, seed, **_):
    for i in range(1, len(hidden_dims) + 1):
        x = affine(x, params[f"W{i}"], params[f"b{i}"])
        if normalization:
            # Where values are all alike, 1 / √ε makes large what rounding leaves.
            assume((x.var(0 if normalization == "batchnorm" else 1) > 0.01).all())
            gamma, beta = params[f"gamma{i}"], params[f"beta{i}"]
        if normalization == "batchnorm":
            x = F.batch_norm(x, None, None, gamma, beta, training=True)
        elif normalization == "layernorm":
            x = F.layer_norm(x, x.shape[1:], gamma, beta)
        x = dropout(relu(x), {"mode": "train", "p": dropout_keep_ratio, "seed": seed})
    return affine(x, params[f"W{len(hidden_dims) + 1}"], params[f"b{len(hidden_dims) + 1}"])


def conv_net(X, params, filter_size, **_):
    x = convolution(X, params["W1"], params["b1"], {"stride": 1, "pad": filter_size // 2})
    x = affine(F.max_pool2d(relu(x), 2), params["W2"], params["b2"])
    return affine(relu(x), params["W3"], params["b3"])


NORMS, DEPTHS = (None, "batchnorm", "layernorm"), ((), (3,), (4, 2))
IMAGES, SIZES, DROPOUT = ((1, 2, 4), (3, 4, 2)), (2, 3, 4), {"dropout_keep_ratio": (1, 0.7), "seed": (0, 1)}
NETS = [
    net(FullyConnectedNet, fully_connected, hidden_dims=DEPTHS, input_dim=SIZES, normalization=NORMS, **DROPOUT),
    net(ThreeLayerConvNet, conv_net, input_dim=IMAGES, num_filters=SIZES, hidden_dim=SIZES, filter_size=(1, 3)),
]


# What is tested

ROWS = [*LAYERS, *OTHERS, *NETS]
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.names[0])
FILLED = "bn_param", "config"  # the dictionaries that a call fills in
REQUIRED = {"stride", "pad", "pool_height", "pool_width", "mode", "p"}  # entries of dictionaries
OPTIONAL = {"config", "running_mean", "running_var", "seed", "normalization", "dtype", "y"}  # None is right, or may be
NEVER_ZERO = {"stride", "pool_height", "pool_width", "p", "eps", "G", "input_dim", "num_classes", "dropout_keep_ratio"}
DRAWS_NUMBERS = "dropout_forward", "FullyConnectedNet", "ThreeLayerConvNet"  # from NumPy's global state


def snapshot(value):
    """Everything of an argument that a call could alter."""
    if isinstance(value, np.ndarray):
        return value.dtype, value.shape, value.strides, value.flags.writeable, value.tobytes()
    if isinstance(value, dict):
        return {key: snapshot(entry) for key, entry in value.items()}
    return [snapshot(entry) for entry in value] if isinstance(value, list | tuple) else value


def answered(row, call):
    """What a call returns, or the error that refuses it. All else stays as it was, and nobody is warned."""
    kept = {name: dict(value) if name in FILLED and isinstance(value, dict) else value for name, value in call.items()}
    before, errors, state = snapshot(kept), np.geterr(), snapshot(np.random.get_state())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            result = row.ours(**call)
        except (TypeError, ValueError) as refusal:
            result = refusal
    assert snapshot(kept) == before
    assert np.geterr() == errors
    assert row.names[0] in DRAWS_NUMBERS or snapshot(np.random.get_state()) == state
    return result


def coarsest(value):
    """The rounding error of the coarsest type among arrays and types."""
    if isinstance(value, dict):
        return max(map(coarsest, value.values()), default=0)
    dtype = np.dtype(value) if isinstance(value, type) else np.asarray(value).dtype
    return np.finfo(dtype if dtype.kind == "f" else float).eps


def types_of(call):
    """The floating-point types of a call's arrays, or the one that a net was asked for."""
    if "dtype" in call:
        return {np.dtype(call["dtype"])}
    arrays = [np.asarray(value) for name, value in call.items() if isinstance(value, np.ndarray | list) and name != "y"]
    return {array.dtype if array.dtype.kind == "f" else np.dtype(float) for array in arrays}


@st.composite
def calls(draw, row, least):
    return row.draw(Some(draw, least))


@each_row
@settings(max_examples=max(40, EXAMPLES // 8))
@given(data=st.data())
def test_results_and_gradients_are_pytorchs_whatever_the_arguments(row, data):
    call = data.draw(calls(row, least=1))
    expected = [tensor.detach().numpy() for tensor in row.theirs(**exact(call))]
    tolerance = 30 * coarsest(call) * max(1, *(np.abs(array).max() for array in expected))
    result = answered(row, call)
    if isinstance(result, Exception):
        raise result
    for ours, theirs in zip(result, expected, strict=True):
        assert np.shape(ours) == theirs.shape
        assert_allclose(ours, theirs, rtol=0, atol=tolerance)
    own = result[: -len(RUNNING)] if "bn_param" in call else result  # running averages are float64
    if len(types_of(call)) == 1:
        assert {array.dtype for array in own if hasattr(array, "dtype")} == types_of(call)  # a net's loss is a float


def mistakes(name, value):
    """What people pass in place of a value, and a word that the refusal must have."""
    wrong = ["text", 1j] if name in OPTIONAL else ["text", 1j, None]
    if isinstance(value, dict):
        for key, entry in value.items():
            yield key, {f"{k}s" if k == key else k: v for k, v in value.items()}
            yield from ((key, {**value, key: other}) for _, other in mistakes(key, entry))
            if key in REQUIRED:
                yield key, {k: v for k, v in value.items() if k != key}
    elif isinstance(value, np.ndarray | list):
        array = np.array(value)
        wrong += [array + 1j, array.astype(str)]
        wrong += [other for other in (array[0], np.array([*array, array[-1]]), array.T) if other.shape != array.shape]
        wrong += [array.astype(float), array + 9, array.astype(int) - 9] if name == "y" else []
    else:
        wrong += [-1, *([0] if name in NEVER_ZERO else []), *([value + 0.5] if isinstance(value, int) else [])]
    yield from (("", other) for other in wrong)


@each_row
@settings(max_examples=EXAMPLES // 50)
@given(data=st.data())
def test_every_mistake_is_answered_by_the_arguments_name(row, data):
    call = data.draw(calls(row, least=2))
    for i, (name, value) in enumerate(call.items()):
        for word, wrong in mistakes(name, value):
            fresh = {key: dict(entry) for key, entry in call.items() if key in FILLED}
            refusal = answered(row, {**call, **fresh, name: wrong})
            # Of another shape, an argument may be right, and one that comes after it wrong.
            other_shape = isinstance(wrong, np.ndarray | np.generic) and np.shape(wrong) != np.shape(value)
            names = "|".join(list(call)[i:] if other_shape else [name])
            assert isinstance(refusal, Exception), f"{name} = {wrong!r} was not refused"
            assert re.match(rf"({names})\b.*{word}", str(refusal)), f"{name} = {wrong!r}: {refusal}"


def test_every_function_has_a_row():
    assert {name for row in ROWS for name in row.names} >= FUNCTIONS.keys()
