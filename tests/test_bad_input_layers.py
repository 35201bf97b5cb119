"""Bad input to the layers and what they are made of: the right result, or an error that names the argument."""

import inspect
import sys
from operator import itemgetter

import numpy as np
import pytest
from bad_input import FLAG, Array, Entries, Integer, Labels, Number, Row, Values, assert_covers, snapshot
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from cs231n import blocks, fast_layers, initializers, layer_utils, layers, threads


def own_dictionaries(inputs):
    """The inputs, with dictionaries that may be filled in."""
    return {name: dict(value) if isinstance(value, dict) else value for name, value in inputs.items()}


def gradients(forward, backward, name):
    """A backward pass as a function of the layer's inputs, so that the cache comes from bad input too."""

    def gradients_of(dout, need_dx=True, **inputs):
        state = np.random.get_state()
        _, cache = forward(**own_dictionaries(inputs))
        before = snapshot(cache)
        try:
            return backward(dout, cache) if need_dx is True else backward(dout, cache, need_dx)
        except (ValueError, TypeError):
            np.random.set_state(state)  # What the forward pass drew is no matter of the backward pass.
            raise
        finally:
            assert snapshot(cache) == before, "the cache was altered"

    return {"function": gradients_of, "name": name}


def with_dout(good_call, forward):
    """Good calls of :func:`gradients`, with an upstream gradient of the output's shape."""

    def call(rng):
        inputs = good_call(rng)
        out, _ = forward(**own_dictionaries(inputs))
        return {"dout": rng.standard_normal(out.shape), **inputs}

    return call


def layer_rows(names, good_call, arguments, oracle, oracle_gradients, *, module=layers, fitting=(), random=False,
               huge_dout=True, **of_backward):
    """The rows of a layer: its forward pass, and its backward pass after it."""
    forward, *backwards = (getattr(module, name) for name in names)
    yield Row(forward, good_call, arguments, oracle=oracle, result=itemgetter(0), fitting=fitting, random=random)
    for backward in backwards:
        need_dx = {"need_dx": FLAG} if "need_dx" in inspect.signature(backward).parameters else {}
        yield Row(
            **gradients(forward, backward, backward.__name__), good=with_dout(good_call, forward),
            arguments={"dout": Array(huge=huge_dout), **arguments, **need_dx}, oracle=oracle_gradients,
            fitting=["dout", *fitting], random=random, **of_backward,
        )


# Affine layer and ReLU


def affine_call(rng):
    N, D, M = rng.integers(1, 4, 3)
    shape = (N, D) if rng.random() < 0.5 else (N, D, 2)
    return {"x": rng.standard_normal(shape), "w": rng.standard_normal((D * (len(shape) - 1), M)),
            "b": rng.standard_normal(M)}


AFFINE = {"x": Array(fixed=False), "w": Array(), "b": Array()}


def affine(x, w, b):
    return x.reshape(len(x), len(w)) @ w + b


def affine_gradients(dout, x, w, b, need_dx=True):
    affine(x, w, b)
    return (dout @ w.T).reshape(x.shape) if need_dx else None, x.reshape(len(x), len(w)).T @ dout, dout.sum(axis=0)


def relu(x):
    return np.where(x <= 0, 0, x)


def relu_gradient(dout, x):
    return np.where(x > 0, dout, 0)


def affine_relu_gradients(dout, x, w, b, need_dx=True):
    return affine_gradients(relu_gradient(dout, affine(x, w, b)), x, w, b, need_dx)


def any_shape_call(rng):
    return {"x": rng.integers(-2, 3, rng.integers(1, 4, rng.integers(1, 4))).astype(float)}


FULLY_CONNECTED = [
    *layer_rows(["affine_forward", "affine_backward"], affine_call, AFFINE, affine, affine_gradients, ),
    *layer_rows(["relu_forward", "relu_backward"], any_shape_call, {"x": Array(fixed=False)}, relu, relu_gradient,
                nan_for_number=True),
    *layer_rows(["affine_relu_forward", "affine_relu_backward"], affine_call, AFFINE,
                lambda x, w, b: relu(affine(x, w, b)), affine_relu_gradients, module=layer_utils,
                nan_for_number=True),
]


# Losses


def scores_call(rng):
    N, C = rng.integers(1, 4, 2)
    return {"x": rng.standard_normal((N, C)), "y": rng.integers(0, C, N)}


def softmax(x, y):
    rows = np.arange(len(y))
    assert x[rows, y].shape == (len(x),)
    shifted = x - x.max(axis=1, keepdims=True)
    probabilities = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
    loss = np.mean(np.log(np.exp(shifted).sum(axis=1)) - shifted[rows, y])
    return loss, (probabilities - np.eye(x.shape[1])[y]) / len(x)


def hinge(x, y):
    loss, dx = 0.0, np.zeros(x.shape)
    for n, label in enumerate(y.reshape(len(x))):
        for j in range(x.shape[1]):
            margin = x[n, j] - x[n, label] + 1
            if j != label and not margin <= 0:
                loss += margin
                dx[n, j] += margin > 0
                dx[n, label] -= margin > 0
    return loss / len(x), dx / len(x)


LOSSES = [
    Row(layers.softmax_loss, scores_call, {"x": Array(fixed=False), "y": Labels()}, oracle=softmax),
    Row(layers.svm_loss, scores_call, {"x": Array(fixed=False), "y": Labels()}, oracle=hinge),
]


# Normalization


def spread(rng, *shape):
    """Numbers no two of which are close, so that coarse types tell them apart."""
    return rng.permutation(np.prod(shape)).reshape(shape) / 2 - 3.0


def statistics(x, axes, eps):
    # Numbers far from 0 are brought there first, by one that lies on each of the axes.
    corner = x[tuple(slice(0, 1) if axis in axes else slice(None) for axis in range(x.ndim))]
    mean = (x - corner).mean(axis=axes, keepdims=True)
    var = (x - corner - mean).var(axis=axes, keepdims=True)
    return mean + corner, var, (x - corner - mean) / np.sqrt(var + eps), 1 / np.sqrt(var + eps)


def norm_gradients(dout, x_hat, r, gamma, axes, parameter_axes, parameter_shape):
    g = dout * gamma
    mean = {"axis": axes, "keepdims": True}
    dx = r * (g - g.mean(**mean) - x_hat * (g * x_hat).mean(**mean)) if axes else r * g
    return dx, (dout * x_hat).sum(parameter_axes).reshape(parameter_shape), dout.sum(parameter_axes).reshape(
        parameter_shape)


def batchnorm_call(shape):
    def call(rng):
        N, D = rng.integers(2, 5), rng.integers(1, 4)
        return {"x": spread(rng, N, D, *shape), "gamma": rng.standard_normal(D), "beta": rng.standard_normal(D),
                "bn_param": {"mode": str(rng.choice(["train", "test"])), "eps": 1e-3, "momentum": 0.8,
                             "running_mean": rng.standard_normal(D), "running_var": rng.uniform(0.5, 2, D)}}

    return call


def usual(number):
    # Where the arrays are of a coarse type, the smallest and the largest numbers may not do.
    return 1e-5 < number < 1e4


MODE = Values(valid=["train", "test", np.str_("train")], wrong=["Train", "", b"train", None, 0, ["train"], True,
                                                                np.array(["train", "test"]), {}, np.zeros(2)])
EPS = Number(above=0, fits=usual)
BN_PARAM = Entries({"mode": MODE, "eps": EPS, "momentum": Number(least=0, most=1),
                    "running_mean": Array(optional=True), "running_var": Array(optional=True)}, required=["mode"])


def batchnorm_parts(x, gamma, beta, bn_param, ndim):
    assert x.ndim == ndim and 0 not in x.shape[1:]
    D = x.shape[1]
    axes, wide = (0, *range(2, ndim)), (1, D, *[1] * (ndim - 2))
    eps, momentum = bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
    running = [bn_param.get("running_mean"), bn_param.get("running_var")]
    if bn_param["mode"] == "test":
        r = 1 / np.sqrt(running[1].reshape(wide) + eps)
        x_hat = (x - running[0].reshape(wide)) * r
        return x_hat, r, gamma.reshape(wide), beta.reshape(wide), None, axes, running
    assert x.size >= 2 * D
    mean, var, x_hat, r = statistics(x, axes, eps)
    running = [momentum * (np.zeros(D) if old is None else old) + (1 - momentum) * new.reshape(D)
               for old, new in zip(running, (mean, var))]
    return x_hat, r, gamma.reshape(wide), beta.reshape(wide), axes, axes, running


def batchnorm(ndim):
    def forward(x, gamma, beta, bn_param):
        x_hat, _, gamma, beta, *_, running = batchnorm_parts(x, gamma, beta, bn_param, ndim)
        return gamma * x_hat + beta, *running

    return forward


def batchnorm_gradients(ndim):
    def backward(dout, x, gamma, beta, bn_param):
        x_hat, r, gamma, _, axes, parameter_axes, _ = batchnorm_parts(x, gamma, beta, bn_param, ndim)
        return norm_gradients(dout, x_hat, r, gamma, axes, parameter_axes, (x.shape[1],))

    return backward


def running_too(forward):
    """What of a batch norm layer to compare: its output and its running averages."""

    def function(**arguments):
        out, _ = forward(**arguments)
        running = (arguments["bn_param"].get(name) for name in ("running_mean", "running_var"))
        return out, *(None if average is None else np.asarray(average, float) for average in running)

    return function


def batchnorm_rows(forward, *backwards, shape=()):
    ndim = 2 + len(shape)
    good_call = batchnorm_call(shape)
    arguments = {"x": Array(fixed=False), "gamma": Array(huge=False), "beta": Array(), "bn_param": BN_PARAM}
    yield Row(running_too(forward), good_call, arguments, oracle=batchnorm(ndim), fills=["bn_param"],
              name=forward.__name__)
    for backward in backwards:
        yield Row(**gradients(forward, backward, backward.__name__), good=with_dout(good_call, forward),
                  arguments={"dout": Array(huge=False), **arguments}, fitting=["dout"],
                  oracle=batchnorm_gradients(ndim))


def layernorm_call(rng):
    N, D = rng.integers(1, 4), rng.integers(2, 5)
    return {"x": spread(rng, N, D), "gamma": rng.standard_normal(D), "beta": rng.standard_normal(D),
            "ln_param": {"eps": 1e-3}}


def layernorm(x, gamma, beta, ln_param):
    assert x.ndim == 2 and x.shape[1] == len(gamma) == len(beta)
    return gamma * statistics(x, (1,), ln_param.get("eps", 1e-5))[2] + beta


def layernorm_gradients(dout, x, gamma, beta, ln_param):
    layernorm(x, gamma, beta, ln_param)
    _, _, x_hat, r = statistics(x, (1,), ln_param.get("eps", 1e-5))
    return norm_gradients(dout, x_hat, r, gamma, (1,), 0, gamma.shape)


def groupnorm_call(rng):
    N, G, D, H, W = rng.integers(1, 3, 5)
    shape = (1, G * D, 1, 1)
    return {"x": spread(rng, N, G * D, H, W), "gamma": rng.standard_normal(shape), "beta": rng.standard_normal(shape),
            "G": int(G), "gn_param": {"eps": 1e-3}}


def grouped(x, gamma, G, gn_param):
    N, C, H, W = x.shape
    assert gamma.shape == (1, C, 1, 1) and 0 not in x.shape[1:] and C % G == 0
    _, _, x_hat, r = statistics(x.reshape(N, G, C // G * H * W), (2,), gn_param.get("eps", 1e-5))
    return x_hat, r


def groupnorm(x, gamma, beta, G, gn_param):
    assert beta.shape == gamma.shape
    return gamma * grouped(x, gamma, G, gn_param)[0].reshape(x.shape) + beta


def groupnorm_gradients(dout, x, gamma, beta, G, gn_param):
    x_hat, r = grouped(x, gamma, G, gn_param)
    dx = norm_gradients((dout * gamma).reshape(x_hat.shape), x_hat, r, 1, (2,), 0, x_hat.shape[1:])[0]
    _, dgamma, dbeta = norm_gradients(dout, x_hat.reshape(x.shape), 1, gamma, None, (0, 2, 3), gamma.shape)
    return dx.reshape(x.shape), dgamma, dbeta


NORM = {"x": Array(fixed=False), "gamma": Array(huge=False), "beta": Array()}
NORMALIZATION = [
    *batchnorm_rows(layers.batchnorm_forward, layers.batchnorm_backward, layers.batchnorm_backward_alt),
    *batchnorm_rows(layers.spatial_batchnorm_forward, layers.spatial_batchnorm_backward, shape=(2, 1)),
    *layer_rows(["layernorm_forward", "layernorm_backward"], layernorm_call,
                {**NORM, "ln_param": Entries({"eps": EPS})}, layernorm, layernorm_gradients, huge_dout=False),
    *layer_rows(["spatial_groupnorm_forward", "spatial_groupnorm_backward"], groupnorm_call,
                {**NORM, "G": Integer(least=1, fits=False), "gn_param": Entries({"eps": EPS})},
                groupnorm, groupnorm_gradients, huge_dout=False),
]


# Dropout


def dropout_call(rng):
    return {**any_shape_call(rng), "dropout_param": {"mode": str(rng.choice(["train", "test"])), "p": 0.6,
                                                     "seed": int(rng.integers(1000))}}


def dropout(x, dropout_param):
    return dropout_gradient(x, x, dropout_param)


def dropout_gradient(dout, x, dropout_param):
    assert dout.shape == x.shape
    if dropout_param["mode"] == "test":
        return dout
    if dropout_param.get("seed") is not None:
        np.random.seed(dropout_param["seed"])
    return dout * (np.random.rand(*x.shape) < dropout_param["p"]) / dropout_param["p"]


SEED = Integer(least=0, most=2**32 - 1, optional=True)
DROPOUT_PARAM = Entries({"mode": MODE, "p": Number(above=0, most=1, fits=usual), "seed": SEED},
                        required=["mode", "p"])
DROPOUT = [*layer_rows(["dropout_forward", "dropout_backward"], dropout_call,
                       {"x": Array(fixed=False), "dropout_param": DROPOUT_PARAM}, dropout, dropout_gradient,
                       random=True)]


# Convolution


def conv_call(rng):
    N, C, F, HH, WW, stride = rng.integers(1, 3, 6)
    pad = rng.integers(0, 2)
    H, W = (stride * rng.integers(0, 3) + size + 2 * (pad and size == 1) - 2 * pad for size in (HH, WW))
    H, W = (size if size > 0 else size + 2 * stride for size in (H, W))
    return {"x": rng.standard_normal((N, C, H, W)), "w": rng.standard_normal((F, C, HH, WW)),
            "b": rng.standard_normal(F), "conv_param": {"stride": int(stride), "pad": int(pad)}}


def windows(x, HH, WW, stride, pad=0):
    """Array (N, C, H_out, W_out, HH, WW) of the windows, a copy."""
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    assert (x.shape[2] - HH) % stride == (x.shape[3] - WW) % stride == 0
    return sliding_window_view(x, (HH, WW), axis=(2, 3))[:, :, ::stride, ::stride].copy()


def into_windows(dwindows, shape, stride, pad=0):
    """The gradient of an array from those of its :func:`windows`."""
    _, _, H_out, W_out, HH, WW = dwindows.shape
    N, C, H, W = shape
    dx = np.zeros((N, C, H + 2 * pad, W + 2 * pad))
    for i, j in np.ndindex(H_out, W_out):
        dx[:, :, i * stride : i * stride + HH, j * stride : j * stride + WW] += dwindows[:, :, i, j]
    return dx[:, :, pad : pad + H, pad : pad + W]


def convolution(x, w, b, conv_param):
    F, C, HH, WW = w.shape
    assert C == x.shape[1] and b.shape == (F,)
    products = np.einsum("ncijkl,fckl->nfij", windows(x, HH, WW, **conv_param), w)
    return products + b[:, np.newaxis, np.newaxis]


def convolution_gradients(dout, x, w, b, conv_param, need_dx=True):
    dx = into_windows(np.einsum("nfij,fckl->ncijkl", dout, w), x.shape, **conv_param) if need_dx else None
    return dx, np.einsum("nfij,ncijkl->fckl", dout, windows(x, *w.shape[2:], **conv_param)), dout.sum(axis=(0, 2, 3))


# Much padding makes the loops of the naive layer long.
PAD = Integer(least=0, fits=False, untried=[3, 7, 1000])
CONV_PARAM = Entries({"stride": Integer(least=1, fits=False), "pad": PAD}, required=["stride", "pad"])
CONV = {"x": Array(fixed=False), "w": Array(fixed=False), "b": Array(), "conv_param": CONV_PARAM}


# Pooling


def pool_call(rng):
    N, C, height, width, stride = rng.integers(1, 3, 5)
    H, W = (stride * rng.integers(0, 3) + size for size in (height, width))
    return {"x": rng.integers(-2, 3, (N, C, H, W)).astype(float),
            "pool_param": {"pool_height": int(height), "pool_width": int(width), "stride": int(stride)}}


def pool_windows(x, pool_param):
    """Array (N, C, H_out, W_out, pool_height · pool_width)."""
    of_x = windows(x, pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"])
    return of_x.reshape(*of_x.shape[:4], pool_param["pool_height"] * pool_param["pool_width"])


def pool_gradient(dwindows, x, pool_param):
    shape = (*dwindows.shape[:4], pool_param["pool_height"], pool_param["pool_width"])
    return into_windows(dwindows.reshape(shape), x.shape, pool_param["stride"])


def max_pool(x, pool_param):
    return pool_windows(x, pool_param).max(axis=-1)


def max_pool_gradient(dout, x, pool_param):
    of_x = pool_windows(x, pool_param)
    places = np.argmax(of_x, axis=-1)[..., np.newaxis] == np.arange(of_x.shape[-1])
    return pool_gradient(np.where(places, dout[..., np.newaxis], 0), x, pool_param)


def avg_pool(x, pool_param):
    return pool_windows(x, pool_param).mean(axis=-1)


def avg_pool_gradient(dout, x, pool_param):
    size = pool_param["pool_height"] * pool_param["pool_width"]
    return pool_gradient(np.repeat(dout[..., np.newaxis] / size, size, axis=-1), x, pool_param)


POOL_PARAM = Entries({key: Integer(least=1, fits=False) for key in ("pool_height", "pool_width", "stride")},
                     required=["pool_height", "pool_width", "stride"])
POOL = {"x": Array(fixed=False), "pool_param": POOL_PARAM}

IMAGES = [
    row
    for module, speed in ((layers, "naive"), (fast_layers, "fast"))
    for row in (
        *layer_rows([f"conv_forward_{speed}", f"conv_backward_{speed}"], conv_call, CONV, convolution,
                    convolution_gradients, module=module,
                    nan_for_number=speed == "fast", fitting=["w", "conv_param"]),
        *layer_rows([f"max_pool_forward_{speed}", f"max_pool_backward_{speed}"], pool_call, POOL, max_pool,
                    max_pool_gradient, module=module, nan_for_number=speed == "fast", fitting=["pool_param"]),
        *layer_rows([f"avg_pool_forward_{speed}", f"avg_pool_backward_{speed}"], pool_call, POOL, avg_pool,
                    avg_pool_gradient, module=module, fitting=["pool_param"]),
    )
]


# Sandwich layers


def conv_relu(x, w, b, conv_param):
    return relu(convolution(x, w, b, conv_param))


def conv_relu_gradients(dout, x, w, b, conv_param, need_dx=True):
    da = relu_gradient(dout, convolution(x, w, b, conv_param))
    return convolution_gradients(da, x, w, b, conv_param, need_dx)


def conv_bn_relu_call(rng):
    inputs = conv_call(rng)
    x, F = np.concatenate([inputs["x"], -2 * inputs["x"]]), len(inputs["b"])
    inputs["w"] = np.abs(inputs["w"]) + 0.5
    return {**inputs, "x": x, "gamma": rng.standard_normal(F), "beta": rng.standard_normal(F),
            "bn_param": {"mode": str(rng.choice(["train", "test"])), "eps": 1e-2}
            | {"running_mean": rng.standard_normal(F), "running_var": rng.uniform(0.5, 2, F)}}


def conv_bn_relu(x, w, b, gamma, beta, conv_param, bn_param):
    out, *running = batchnorm(4)(convolution(x, w, b, conv_param), gamma, beta, bn_param)
    return relu(out), *running


def conv_bn_relu_gradients(dout, x, w, b, gamma, beta, conv_param, bn_param, need_dx=True):
    a = convolution(x, w, b, conv_param)
    dnormalized = relu_gradient(dout, batchnorm(4)(a, gamma, beta, bn_param)[0])
    da, dgamma, dbeta = batchnorm_gradients(4)(dnormalized, a, gamma, beta, bn_param)
    return *convolution_gradients(da, x, w, b, conv_param, need_dx), dgamma, dbeta


def conv_relu_pool_call(rng):
    inputs = conv_call(rng)
    inputs["x"] = rng.standard_normal((*inputs["x"].shape[:2], 3, 4))
    inputs["w"] = rng.standard_normal((*inputs["w"].shape[:2], 2, 3))
    pool_height, pool_width, stride = [(2, 2, 2), (1, 1, 1), (2, 1, 1), (1, 2, 1)][rng.integers(4)]
    return {**inputs, "conv_param": {"stride": 1, "pad": 0},
            "pool_param": {"pool_height": pool_height, "pool_width": pool_width, "stride": stride}}


def conv_relu_pool(x, w, b, conv_param, pool_param):
    return max_pool(conv_relu(x, w, b, conv_param), pool_param)


def conv_relu_pool_gradients(dout, x, w, b, conv_param, pool_param, need_dx=True):
    a = convolution(x, w, b, conv_param)
    da = relu_gradient(max_pool_gradient(dout, relu(a), pool_param), a)
    return convolution_gradients(da, x, w, b, conv_param, need_dx)


CONV_BN = {**CONV, "x": Array(fixed=False, huge=False), "w": Array(fixed=False, huge=False),
           "gamma": Array(huge=False), "beta": Array(),
           # Of a constant channel, 1 / √ε makes large what rounding has left.
           "bn_param": Entries({**BN_PARAM.entries, "eps": Number(above=0, fits=usual, untried=[1e-300])}, ["mode"])}
SANDWICHES = [
    *layer_rows(["conv_relu_forward", "conv_relu_backward"], conv_call, CONV, conv_relu, conv_relu_gradients,
                module=layer_utils, nan_for_number=True, fitting=["w", "conv_param"]),
    *layer_rows(["conv_relu_pool_forward", "conv_relu_pool_backward"], conv_relu_pool_call,
                {**CONV, "pool_param": POOL_PARAM}, conv_relu_pool, conv_relu_pool_gradients,
                module=layer_utils, nan_for_number=True, fitting=["w", "conv_param", "pool_param"]),
    Row(running_too(layer_utils.conv_bn_relu_forward), conv_bn_relu_call, CONV_BN, oracle=conv_bn_relu,
        fills=["bn_param"], fitting=["w", "conv_param"], name="conv_bn_relu_forward", tolerance=100),
    Row(**gradients(layer_utils.conv_bn_relu_forward, layer_utils.conv_bn_relu_backward, "conv_bn_relu_backward"),
        good=with_dout(conv_bn_relu_call, layer_utils.conv_bn_relu_forward),
        arguments={"dout": Array(huge=False), **CONV_BN, "need_dx": FLAG},
        oracle=conv_bn_relu_gradients, fitting=["dout", "w", "conv_param"],
        tolerance=100, nan_for_number=True),
]


# Initial values


def shape_call(rng):
    return {"shape": tuple(map(int, rng.integers(1, 4, rng.choice([2, 4])))),
            "rng": rng if rng.random() < 0.5 else None}


SHAPE = Values(
    valid=[(2, 3), [2, 3], (np.int64(2), np.uint8(3)), (1, 2, 3, 1), np.array([2, 3])],
    wrong=[None, "ab", (-1, 2), (2.5, 3), (2, None), (2, "3"), 1j, (10**30, 2), (2**40, 2**40), -1, ((2, 3), 4), {},
           2.5, (np.nan, 2), object],
    either=[5, (), (0, 3), (3, 0), (0, 0), (2, 0, 3, 1), (2, 3, 4), (2.0, 3), {2: 3}, np.array(3)],
)
RNG = Values(wrong=[1, "rng", [], {}, object, np.random.default_rng, 0.5])


def normal(shape, weight_scale=1e-2, rng=None):
    return weight_scale * (np.random if rng is None else rng).standard_normal(shape)


def xavier(shape, rng=None):
    return normal(shape, np.sqrt(2 / sum(fans(shape))), rng)


def kaiming(shape, rng=None):
    return normal(shape, np.sqrt(2 / fans(shape)[0]), rng)


def fans(shape):
    if len(shape) == 2:
        return shape
    F, C, HH, WW = shape
    return C * HH * WW, F * HH * WW


INITIALIZERS = [
    Row(initializers.zeros, lambda rng: {"shape": shape_call(rng)["shape"]}, {"shape": SHAPE}, oracle=np.zeros),
    Row(initializers.normal, lambda rng: {**shape_call(rng), "weight_scale": 0.1},
        {"shape": SHAPE, "weight_scale": Number(least=0), "rng": RNG}, oracle=normal, random=True),
    Row(initializers.xavier, shape_call, {"shape": SHAPE, "rng": RNG}, oracle=xavier, random=True),
    Row(initializers.kaiming, shape_call, {"shape": SHAPE, "rng": RNG}, oracle=kaiming, random=True),
]


# Threads and blocks


def ends(part):
    return part.start, part.stop


def all_of(work, count):
    """What share_out's parts are, seen together."""
    parts = threads.share_out(work, count)
    assert all(before[1] == after[0] for before, after in zip(parts, parts[1:]))
    return parts[0][0], parts[-1][1]


def product_call(rng):
    M, K, N = rng.integers(1, 4, 3)
    return {"a": rng.standard_normal((M, K)), "b": rng.standard_normal((K, N))}


def matrix_product(a, b):
    assert a.ndim == b.ndim == 2
    return a @ b


def one_thread():
    with threads.one_blas_thread() as num_threads:
        return num_threads >= 1


def sum_in_blocks(update, arrays):
    total = np.zeros(getattr(arrays[0], "size", 1) if arrays else 1)
    blocks.in_blocks(update if update is not np.add else add_all, *([total, *arrays] if arrays else []))
    return total


def add_all(total, *parts):
    total += sum(parts)


ARRAYS = Values(
    valid=[[np.arange(6.0)], [np.ones((2, 3), np.float32), np.arange(6)], [np.ones(0)],
           [np.ones(3, ">f8"), np.ones(3, bool)], [np.array(2.0)]],
    wrong=[[], [np.arange(6.0)[::2]], [np.ones((2, 3), order="F")], [np.ones(3), np.ones(4)], [[1.0, 2.0]], [None],
           ["text"], [1.0]],
)


THREADS = [
    Row(all_of, lambda rng: {"work": ends, "count": int(rng.integers(5))},
        {"work": Values(wrong=[None, 1, "work", [], slice(1)]), "count": Integer(least=0)},
        oracle=lambda work, count: (0, count), name="share_out"),
    Row(threads.product, product_call, {"a": Array(fixed=False), "b": Array(fixed=False)}, oracle=matrix_product),
    Row(one_thread, lambda rng: {}, {}, oracle=lambda: True, name="one_blas_thread"),
    Row(sum_in_blocks, lambda rng: {"update": np.add, "arrays": [rng.standard_normal(3), rng.standard_normal((3, 1))]},
        {"update": Values(wrong=[None, 1, "update", []]), "arrays": ARRAYS}, name="in_blocks",
        oracle=lambda update, arrays: sum(np.asarray(array, float).reshape(-1) for array in arrays)),
]

ROWS = [*FULLY_CONNECTED, *LOSSES, *NORMALIZATION, *DROPOUT, *IMAGES, *SANDWICHES, *INITIALIZERS, *THREADS]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_every_mistake_alone_gives_the_right_result_or_names_the_argument(row):
    row.check_each()


@pytest.mark.parametrize("row", ROWS, ids=str)
@given(data=st.data())
def test_every_call_gives_the_right_result_or_names_the_argument(row, data):
    row.check(data)


def test_the_table_covers_every_public_name():
    assert_covers(ROWS, layers, fast_layers, layer_utils, initializers, threads, blocks)
    for name, module in vars(sys.modules["cs231n.layers"]).items():
        if getattr(module, "__package__", None) == "cs231n.layers" and name not in ("arguments", "geometry"):
            assert_covers(ROWS, module)
