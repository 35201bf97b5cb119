"""The exercises in loops, with dictionaries as caches."""

import math

import numpy as np

from cs231n import initializers
from cs231n.layer_utils import *


def _dot(a, b):
    total = 0.0
    for p, q in zip(a, b):
        total += p * q
    return total


def _rows(x):
    return [example.ravel() for example in x]


def affine_forward(x, w, b):
    out = np.zeros((x.shape[0], w.shape[1]), dtype=x.dtype)
    for n, row in enumerate(_rows(x)):
        for m in range(w.shape[1]):
            out[n, m] = np.dot(row, w[:, m]) + b[m]
    return out, {"x": x, "w": w}


def affine_backward(dout, cache, need_dx=True):
    x, w = cache["x"], cache["w"]
    dx = np.zeros_like(x) if need_dx else None
    dw, db = np.zeros_like(w), np.zeros(w.shape[1], dtype=w.dtype)
    for n, row in enumerate(_rows(x)):
        db += dout[n]
        for m in range(w.shape[1]):
            dw[:, m] += row * dout[n, m]
        if need_dx:
            dx[n] = w.dot(dout[n]).reshape(x.shape[1:])
    return dx, dw, db


def relu_forward(x):
    out = x.copy()
    for place in np.ndindex(*x.shape):
        if out[place] < 0:
            out[place] = 0
    return out, {"passes": x > 0}


def relu_backward(dout, cache):
    dx = np.zeros_like(dout)
    for place in np.ndindex(*dout.shape):
        if cache["passes"][place]:
            dx[place] = dout[place]
    return dx


def softmax_loss(x, y):
    loss, dx = 0.0, np.zeros_like(x)
    for n in range(len(x)):
        e = np.exp(x[n] - max(x[n]))
        loss -= x[n, y[n]] - max(x[n]) - math.log(sum(e))
        for c in range(x.shape[1]):
            dx[n, c] = (e[c] / sum(e) - (c == y[n])) / len(x)
    return loss / len(x), dx


def _start(fan_in, fan_out, scale):
    if scale == "xavier":
        return initializers.xavier((fan_in, fan_out))
    if scale == "kaiming":
        return initializers.kaiming((fan_in, fan_out))
    return scale * np.random.randn(fan_in, fan_out)


class FullyConnectedNet:
    def __init__(
        self,
        hidden_dims,
        input_dim=3 * 32 * 32,
        num_classes=10,
        dropout_keep_ratio=1,
        normalization=None,
        reg=0.0,
        weight_scale=1e-2,
        dtype=np.float32,
        seed=None,
    ):
        self.widths = list(hidden_dims) + [num_classes]
        self.kind, self.reg, self.dtype = normalization, reg, dtype
        self.drops = dropout_keep_ratio < 1
        self.coin = {"mode": "train", "p": dropout_keep_ratio}
        if seed is not None:
            self.coin["seed"] = seed
        self.bn_params = []
        self.params = {}
        fan_in = input_dim
        for i, width in enumerate(self.widths):
            self.params["W%d" % (i + 1)] = _start(fan_in, width, weight_scale).astype(dtype)
            self.params["b%d" % (i + 1)] = np.zeros(width, dtype=dtype)
            if normalization is not None and i + 1 < len(self.widths):
                self.bn_params.append({"mode": "train"})
                self.params["gamma%d" % (i + 1)] = np.ones(width, dtype=dtype)
                self.params["beta%d" % (i + 1)] = np.zeros(width, dtype=dtype)
            fan_in = width

    def loss(self, X, y=None):
        h = X.astype(self.dtype)
        mode = "test" if y is None else "train"
        self.coin["mode"] = mode
        for bn_param in self.bn_params:
            bn_param["mode"] = mode
        done = []
        last = len(self.widths)
        for i in range(1, last + 1):
            h, cache = affine_forward(h, self.params["W%d" % i], self.params["b%d" % i])
            done.append((affine_backward, cache, ["W%d" % i, "b%d" % i]))
            if i == last:
                break
            names = ["gamma%d" % i, "beta%d" % i]
            if self.kind == "batchnorm":
                h, cache = batchnorm_forward(h, self.params[names[0]], self.params[names[1]], self.bn_params[i - 1])
                done.append((batchnorm_backward, cache, names))
            elif self.kind == "layernorm":
                h, cache = layernorm_forward(h, self.params[names[0]], self.params[names[1]], self.bn_params[i - 1])
                done.append((layernorm_backward, cache, names))
            h, cache = relu_forward(h)
            done.append((relu_backward, cache, None))
            if self.drops:
                h, cache = dropout_forward(h, self.coin)
                done.append((dropout_backward, cache, None))
        if y is None:
            return h
        loss, grad = softmax_loss(h, y)
        grads = {}
        for backward, cache, names in reversed(done):
            result = backward(grad, cache)
            if names:
                grad, grads[names[0]], grads[names[1]] = result
            else:
                grad = result
        for i in range(1, last + 1):
            W = self.params["W%d" % i]
            loss += 0.5 * self.reg * np.sum(W * W)
            grads["W%d" % i] += self.reg * W
        return loss, grads


def sgd_momentum(w, dw, config=None, *, out=None):
    config = {} if config is None else config
    config.setdefault("learning_rate", 0.01)
    config.setdefault("momentum", 0.9)
    v = config.get("velocity")
    v = np.zeros_like(w) if v is None else v.copy()
    new = np.array(w)
    for place in np.ndindex(*w.shape):
        v[place] = config["momentum"] * v[place] - config["learning_rate"] * dw[place]
        new[place] += v[place]
    config["velocity"] = v
    return new, config


def nesterov_momentum(w, dw, config=None, *, out=None):
    config = {} if config is None else config
    rate, mu = config.setdefault("learning_rate", 0.01), config.setdefault("momentum", 0.9)
    before = config.get("velocity")
    before = np.zeros_like(w) if before is None else before
    after = mu * before - rate * dw
    config["velocity"] = after
    return w - mu * before + (1 + mu) * after, config


def rmsprop(w, dw, config=None, *, out=None):
    config = {} if config is None else config
    config.setdefault("learning_rate", 0.01)
    config.setdefault("decay_rate", 0.99)
    config.setdefault("epsilon", 1e-8)
    cache = config.get("cache")
    cache = np.zeros_like(w) if cache is None else cache.copy()
    new = np.array(w)
    for place in np.ndindex(*w.shape):
        g = dw[place]
        cache[place] += (1 - config["decay_rate"]) * (g * g - cache[place])
        new[place] -= config["learning_rate"] * g / (math.sqrt(cache[place]) + config["epsilon"])
    config["cache"] = cache
    return new, config


def adam(w, dw, config=None, *, out=None):
    config = {} if config is None else config
    for name, value in (("learning_rate", 1e-3), ("beta1", 0.9), ("beta2", 0.999), ("epsilon", 1e-8), ("t", 0)):
        config.setdefault(name, value)
    m, v = (np.zeros_like(w) if config.get(name) is None else config[name].copy() for name in "mv")
    config["t"] += 1
    root = math.sqrt(1 - config["beta2"] ** config["t"])
    rate = config["learning_rate"] * root / (1 - config["beta1"] ** config["t"])
    new = np.array(w)
    for place in np.ndindex(*w.shape):
        m[place] = config["beta1"] * m[place] + (1 - config["beta1"]) * dw[place]
        v[place] = config["beta2"] * v[place] + (1 - config["beta2"]) * dw[place] ** 2
        new[place] -= rate * m[place] / (math.sqrt(v[place]) + config["epsilon"] * root)
    config["m"], config["v"] = m, v
    return new, config


def _standard(values, eps):
    """A flat array with mean 0 and variance 1, the mean, the variance, and the standard deviation with ε."""
    mean = sum(values.astype(float)) / len(values)
    var = sum((values - mean) ** 2) / len(values)
    return (values - mean) / np.sqrt(var + eps), mean, var, np.sqrt(var + eps)


def _standard_gradient(g, x_hat, std):
    along = _dot(g, x_hat) / len(g)
    return np.array([(g[k] - sum(g) / len(g) - x_hat[k] * along) / std for k in range(len(g))])


def batchnorm_forward(x, gamma, beta, bn_param):
    N, D = x.shape
    mode, eps, momentum = bn_param["mode"], bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
    mean, var = bn_param.get("running_mean"), bn_param.get("running_var")
    if mode == "train" and N < 2:
        raise ValueError("one example has no variance")
    mean = np.zeros(D) if mean is None else np.array(mean)
    var = np.zeros(D) if var is None else np.array(var)
    x_hat, stds = np.zeros_like(x), []
    for d in range(D):
        if mode == "train":
            x_hat[:, d], m, v, std = _standard(x[:, d], eps)
            mean[d] = momentum * mean[d] + (1 - momentum) * m
            var[d] = momentum * var[d] + (1 - momentum) * v
        else:
            std = np.sqrt(var[d] + eps)
            x_hat[:, d] = (x[:, d] - mean[d]) / std
        stds.append(std)
    if mode == "train":
        bn_param["running_mean"], bn_param["running_var"] = mean, var
    out = np.zeros_like(x)
    for d in range(D):
        out[:, d] = gamma[d] * x_hat[:, d] + beta[d]
    return out, {"x_hat": x_hat, "stds": stds, "gamma": gamma, "mode": mode}


def batchnorm_backward(dout, cache):
    x_hat, gamma = cache["x_hat"], cache["gamma"]
    N, D = dout.shape
    dx, dgamma, dbeta = np.zeros_like(dout), np.zeros_like(gamma), np.zeros_like(gamma)
    for d in range(D):
        for n in range(N):
            dbeta[d] += dout[n, d]
            dgamma[d] += dout[n, d] * x_hat[n, d]
        g = dout[:, d] * gamma[d]
        if cache["mode"] == "train":
            dx[:, d] = _standard_gradient(g, x_hat[:, d], cache["stds"][d])
        else:
            dx[:, d] = g / cache["stds"][d]
    return dx, dgamma, dbeta


def batchnorm_backward_alt(dout, cache):
    return batchnorm_backward(dout, cache)


def layernorm_forward(x, gamma, beta, ln_param):
    out, kept = np.zeros_like(x), []
    for n, row in enumerate(x):
        x_hat, _, _, std = _standard(row, ln_param.get("eps", 1e-5))
        out[n] = gamma * x_hat + beta
        kept.append((x_hat, std))
    return out, {"kept": kept, "gamma": gamma}


def layernorm_backward(dout, cache):
    gamma = cache["gamma"]
    dx, dgamma, dbeta = np.zeros_like(dout), np.zeros_like(gamma), np.zeros_like(gamma)
    for n, (x_hat, std) in enumerate(cache["kept"]):
        dgamma += dout[n] * x_hat.astype(gamma.dtype)
        dbeta += dout[n]
        dx[n] = _standard_gradient(dout[n] * gamma, x_hat, std)
    return dx, dgamma, dbeta


def spatial_batchnorm_forward(x, gamma, beta, bn_param):
    N, C, H, W = x.shape
    flat = np.zeros((N * H * W, C), dtype=x.dtype)
    for c in range(C):
        flat[:, c] = x[:, c].ravel()
    flat_out, cache = batchnorm_forward(flat, gamma, beta, bn_param)
    out = np.zeros_like(x)
    for c in range(C):
        out[:, c] = flat_out[:, c].reshape(N, H, W)
    return out, cache


def spatial_batchnorm_backward(dout, cache):
    N, C, H, W = dout.shape
    flat = np.stack([dout[:, c].ravel() for c in range(C)], axis=1)
    flat_dx, dgamma, dbeta = batchnorm_backward(flat, cache)
    dx = np.zeros_like(dout)
    for c in range(C):
        dx[:, c] = flat_dx[:, c].reshape(N, H, W)
    return dx, dgamma, dbeta


def spatial_groupnorm_forward(x, gamma, beta, G, gn_param):
    N, C, H, W = x.shape
    width = C // G
    x_hat, stds = np.zeros_like(x), np.zeros((N, G), dtype=x.dtype)
    for n in range(N):
        for g in range(G):
            group = slice(g * width, (g + 1) * width)
            values, _, _, stds[n, g] = _standard(x[n, group].ravel(), gn_param.get("eps", 1e-5))
            x_hat[n, group] = values.reshape(width, H, W)
    return gamma * x_hat + beta, {"x_hat": x_hat, "stds": stds, "gamma": gamma, "G": G}


def spatial_groupnorm_backward(dout, cache):
    x_hat, gamma, G = cache["x_hat"], cache["gamma"], cache["G"]
    N, C, H, W = dout.shape
    width = C // G
    dx, dgamma, dbeta = np.zeros_like(dout), np.zeros_like(gamma), np.zeros_like(gamma)
    for c in range(C):
        dgamma[0, c, 0, 0] = np.sum(dout[:, c] * x_hat[:, c])
        dbeta[0, c, 0, 0] = np.sum(dout[:, c])
    for n in range(N):
        for g in range(G):
            group = slice(g * width, (g + 1) * width)
            upstream = (dout[n, group] * gamma[0, group]).ravel()
            values = _standard_gradient(upstream, x_hat[n, group].ravel(), cache["stds"][n, g])
            dx[n, group] = values.reshape(width, H, W)
    return dx, dgamma, dbeta


def dropout_forward(x, dropout_param):
    mode, p = dropout_param.get("mode"), dropout_param.get("p")
    if mode not in ("train", "test") or p is None or not 0 < p <= 1:
        raise ValueError("mode is train or test, and p from above 0 to 1")
    kept = np.ones(x.shape, dtype=bool)
    if mode == "test":
        return x.copy(), {"kept": kept, "p": 1}
    if dropout_param.get("seed") is not None:
        np.random.seed(dropout_param["seed"])
    coins = np.random.rand(*x.shape)
    out = np.zeros_like(x)
    for place in np.ndindex(*x.shape):
        kept[place] = coins[place] < p
        if kept[place]:
            out[place] = x[place] / p
    return out, {"kept": kept, "p": p}


def dropout_backward(dout, cache):
    dx = np.zeros_like(dout)
    for place in np.ndindex(*dout.shape):
        if cache["kept"][place]:
            dx[place] = dout[place] / cache["p"]
    return dx


def _positions(size, window, stride, pad=0):
    positions, rest = divmod(size + 2 * pad - window, stride)
    if pad < 0 or rest or positions < 0:
        raise ValueError("the windows do not fit the image")
    return positions + 1


def conv_forward_naive(x, w, b, conv_param):
    (N, C, H, W), (F, _, HH, WW) = x.shape, w.shape
    stride, pad = conv_param["stride"], conv_param["pad"]
    rows, columns = _positions(H, HH, stride, pad), _positions(W, WW, stride, pad)
    out = np.zeros((N, F, rows, columns), dtype=x.dtype)
    for n, f, i, j in np.ndindex(*out.shape):
        total = float(b[f])
        for c, k, m in np.ndindex(C, HH, WW):
            row, column = i * stride + k - pad, j * stride + m - pad
            if 0 <= row < H and 0 <= column < W:
                total += x[n, c, row, column] * w[f, c, k, m]
        out[n, f, i, j] = total
    return out, {"x": x, "w": w, "stride": stride, "pad": pad}


def conv_backward_naive(dout, cache, need_dx=True):
    x, w, stride, pad = cache["x"], cache["w"], cache["stride"], cache["pad"]
    dx, dw, db = np.zeros_like(x), np.zeros_like(w), np.zeros(len(w), dtype=w.dtype)
    for n, f, i, j in np.ndindex(*dout.shape):
        db[f] += dout[n, f, i, j]
        for c, k, m in np.ndindex(*w.shape[1:]):
            row, column = i * stride + k - pad, j * stride + m - pad
            if 0 <= row < x.shape[2] and 0 <= column < x.shape[3]:
                dw[f, c, k, m] += dout[n, f, i, j] * x[n, c, row, column]
                dx[n, c, row, column] += dout[n, f, i, j] * w[f, c, k, m]
    return dx if need_dx else None, dw, db


def _places(i, j, pool_param):
    """The rows and columns of a window, one after the other."""
    stride = pool_param["stride"]
    for k in range(pool_param["pool_height"]):
        for m in range(pool_param["pool_width"]):
            yield i * stride + k, j * stride + m


def _empty(x, pool_param):
    rows = _positions(x.shape[2], pool_param["pool_height"], pool_param["stride"])
    columns = _positions(x.shape[3], pool_param["pool_width"], pool_param["stride"])
    return np.zeros((*x.shape[:2], rows, columns), dtype=x.dtype)


def max_pool_forward_naive(x, pool_param):
    out = _empty(x, pool_param)
    won = {}
    for n, c, i, j in np.ndindex(*out.shape):
        best = None
        for place in _places(i, j, pool_param):
            if best is None or x[n, c][place] > x[n, c][best]:
                best = place
        out[n, c, i, j] = x[n, c][best]
        won[n, c, i, j] = best
    return out, {"won": won, "shape": x.shape}


def max_pool_backward_naive(dout, cache):
    dx = np.zeros(cache["shape"], dtype=dout.dtype)
    for (n, c, i, j), (row, column) in cache["won"].items():
        dx[n, c, row, column] += dout[n, c, i, j]
    return dx


def avg_pool_forward_naive(x, pool_param):
    out = _empty(x, pool_param)
    count = pool_param["pool_height"] * pool_param["pool_width"]
    for n, c, i, j in np.ndindex(*out.shape):
        for place in _places(i, j, pool_param):
            out[n, c, i, j] += x[n, c][place] / count
    return out, {"shape": x.shape, "pool_param": pool_param}


def avg_pool_backward_naive(dout, cache):
    dx = np.zeros(cache["shape"], dtype=dout.dtype)
    pool_param = cache["pool_param"]
    for n, c, i, j in np.ndindex(*dout.shape):
        for row, column in _places(i, j, pool_param):
            dx[n, c, row, column] += dout[n, c, i, j] / (pool_param["pool_height"] * pool_param["pool_width"])
    return dx


class ThreeLayerConvNet:
    def __init__(
        self,
        input_dim=(3, 32, 32),
        num_filters=32,
        filter_size=7,
        hidden_dim=100,
        num_classes=10,
        weight_scale=1e-3,
        reg=0.0,
        dtype=np.float32,
    ):
        self.reg, self.dtype, self.padding = reg, dtype, filter_size // 2
        C, H, W = input_dim
        shapes = {
            "W1": (num_filters, C, filter_size, filter_size),
            "W2": (num_filters * (H // 2) * (W // 2), hidden_dim),
            "W3": (hidden_dim, num_classes),
        }
        self.params = {}
        for name, shape in shapes.items():
            if weight_scale in ("xavier", "kaiming"):
                weights = getattr(initializers, weight_scale)(shape)
            else:
                weights = np.random.normal(0, weight_scale, size=shape)
            self.params[name] = weights.astype(dtype)
        for name, width in (("b1", num_filters), ("b2", hidden_dim), ("b3", num_classes)):
            self.params[name] = np.zeros(width, dtype=dtype)

    def loss(self, X, y=None):
        W1, b1, W2, b2, W3, b3 = (self.params[name] for name in ("W1", "b1", "W2", "b2", "W3", "b3"))
        X = X.astype(self.dtype)
        h, conv = conv_relu_forward(X, W1, b1, {"stride": 1, "pad": self.padding})
        h, pool = max_pool_forward_fast(h, {"pool_height": 2, "pool_width": 2, "stride": 2})
        h, hidden = affine_relu_forward(h, W2, b2)
        h, last = affine_forward(h, W3, b3)
        if y is None:
            return h
        loss, dh = softmax_loss(h, y)
        grads = {}
        dh, grads["W3"], grads["b3"] = affine_backward(dh, last)
        dh, grads["W2"], grads["b2"] = affine_relu_backward(dh, hidden)
        dh = max_pool_backward_fast(dh, pool)
        _, grads["W1"], grads["b1"] = conv_relu_backward(dh, conv)
        for name in ("W1", "W2", "W3"):
            for row, drow in zip(self.params[name], grads[name]):
                loss += 0.5 * self.reg * (row**2).sum()
                drow += self.reg * row
        return loss, grads
