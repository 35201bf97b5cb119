"""Exercises of the lesson ConvolutionalNetworks, except normalization."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from arrays import read_only, tensors
from canaries import *
from hints import entries, explained, require, require_refusal, require_that
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
    for stride, pad, what in ((2, 0, "(3 − 2) / 2 is not a whole number"), (1, -1, "pad = −1")):
        arguments = x, w, np.array([10.0]), {"stride": stride, "pad": pad}
        require_refusal(f"windows that do not fit the image: {what}", conv_forward_naive, *arguments)


def convolved(x, w, b, stride, pad):
    return F.conv2d(*map(torch.tensor, (x, np.ascontiguousarray(w), b)), stride=stride, padding=pad).numpy()


def conv_mistakes(x, w, b, stride, pad, expected):
    rows, columns = expected.shape[2:]
    HH, WW = w.shape[2:]
    bias = b.reshape(-1, 1, 1)
    edges = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), mode="edge")
    mistakes = {
        "the bias is missing": expected - bias,
        "the bias of the first filter is added to all, b[f] expected": expected - bias + b[0],
        "the filter is turned round": convolved(x, w[..., ::-1, ::-1], b, stride, pad),
        "the mean of the products, their sum expected": (expected - bias) / w[0].size + bias,
    }
    if x.shape[1] > 1:
        mistakes["the first channel alone, the sum over all channels expected"] = convolved(
            x[:, :1], w[:, :1], b, stride, pad
        )
    if stride > 1:
        what = "the stride is not used: window i begins at i · stride"
        mistakes[what] = convolved(x, w, b, 1, pad)[:, :, :rows, :columns]
    if pad:
        mistakes["the padding repeats the edges, zeros expected"] = convolved(edges, w, b, stride, 0)
    else:
        what = "the image is padded, though pad is 0: the windows begin outside it"
        mistakes[what] = convolved(x, w, b, stride, 1)[:, :, :rows, :columns]
        last = x[:, -1:, HH - 1 :: stride, WW - 1 :: stride][:, :, :rows, :columns] * w[:, -1, -1, -1].reshape(-1, 1, 1)
        mistakes["assigned, where the products add up: this is the last product alone"] = last
        mistakes["assigned, where the products add up: this is the last product and the bias alone"] = last + bias
    return mistakes


def require_conv(x_shape, w_shape, stride, pad):
    x, w, b = conv_arrays(x_shape, w_shape)
    out, _ = conv_forward_naive(x, w, b, {"stride": stride, "pad": pad})
    expected = convolved(x, w, b, stride, pad)
    how = f"with stride {stride} and pad {pad}, (H + 2·pad − HH) / stride + 1 and the same for W"
    require("out", out, expected, conv_mistakes(x, w, b, stride, pad, expected), how=how)


@exercise("conv_forward_naive", 1)
def test_conv_forward_with_several_channels_and_filters():
    require_conv(*GEOMETRIES[0])
    single = [array.astype(np.float32) for array in conv_arrays(*GEOMETRIES[0][:2])]
    out, _ = conv_forward_naive(*single, {"stride": 1, "pad": 0})
    require_that(np.asarray(out).dtype == np.float32, "out: dtype float32 expected, as that of x")


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
    return got, [leaf.grad.numpy() for leaf in leaves], (dout, x, w, stride, pad)


def conv_loop(dout, x, w, step, pad, assigned=False, filters=None):
    """dx and dw, window by window, which lie ``step`` apart."""
    (H, W), (HH, WW) = x.shape[2:], w.shape[2:]
    x_pad = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dx_pad, dw = np.zeros_like(x_pad), np.zeros_like(w)
    for i, j in np.ndindex(dout.shape[2:]):
        window = np.s_[:, :, i * step : i * step + HH, j * step : j * step + WW]
        parts = [np.tensordot(dout[:, :, i, j], w, axes=(1, 0)), np.tensordot(dout[:, :, i, j], x_pad[window], (0, 0))]
        if assigned:
            if filters is not None:
                parts = [
                    dout[:, -1, i, j, None, None, None] * w[-1],
                    dout[-1, :, i, j, None, None, None] * x_pad[window][-1],
                ]
            dx_pad[window], dw[...] = parts
        else:
            dx_pad[window] += parts[0]
            dw += parts[1]
    return dx_pad[:, :, pad : pad + H, pad : pad + W], dw


def conv_gradient_mistakes(which, expected, dout, x, w, stride, pad):
    overwritten = "assigned, where the windows overlap: their gradients add up, += expected"
    if which == 1:
        overwritten = "assigned, where the windows add up, += expected: this is the last window's alone"
    mistakes = {
        overwritten: conv_loop(dout, x, w, stride, pad, assigned=True)[which],
        f"{overwritten} ": conv_loop(dout, x, w, stride, pad, assigned=True, filters=-1)[which],
        "divided by the number of examples": expected / len(x),
    }
    if len(x) == 1:
        del mistakes["divided by the number of examples"]
    if stride > 1:
        what = "the stride is not used: window i begins at i · stride"
        mistakes[what] = conv_loop(dout, x, w, 1, pad)[which]
    if which == 0:
        what = "the filter is turned round: each window gets dout times w as it is"
        mistakes[what] = conv_loop(dout, x, w[..., ::-1, ::-1], stride, pad)[0]
    else:
        what = "the last example's alone, where all examples add up"
        mistakes[what] = conv_loop(dout[-1:], x[-1:], w, stride, pad)[1]
    return mistakes


def require_conv_dx(geometry, how):
    (dx, _, _), (expected, _, _), arguments = conv_gradients(*geometry)
    require("dx", dx, expected, conv_gradient_mistakes(0, expected, *arguments), how=how)


@exercise("conv_backward_naive", 1)
@pytest.mark.parametrize("geometry", GEOMETRIES[:1])
def test_conv_backward_dx(geometry):
    require_conv_dx(geometry, "that of x")
    x, w, b = (array.astype(np.float32) for array in conv_arrays(*geometry[:2]))
    out, cache = conv_forward_naive(x, w, b, {"stride": 1, "pad": 0})
    dout = np.ones(np.shape(out), np.float32)
    for name, grad in zip(("dx", "dw", "db"), conv_backward_naive(dout, cache)):
        require_that(np.asarray(grad).dtype == np.float32, f"{name}: dtype float32 expected, as that of x")
    dx, _, _ = conv_backward_naive(dout, cache, need_dx=False)
    require_that(dx is None, "dx: None expected with need_dx=False, which saves its computation")


@exercise("conv_backward_naive", 1)
@pytest.mark.parametrize("geometry", GEOMETRIES[1:])
def test_conv_backward_dx_with_padding_and_stride(geometry):
    require_conv_dx(geometry, "that of x, without its padding,")


@exercise("conv_backward_naive", 1)
@GEOMETRY
def test_conv_backward_dw(x_shape, w_shape, stride, pad):
    (_, dw, _), (_, expected, _), arguments = conv_gradients(x_shape, w_shape, stride, pad)
    require("dw", dw, expected, conv_gradient_mistakes(1, expected, *arguments), how="that of w")


@exercise("conv_backward_naive", 1)
@GEOMETRY
def test_conv_backward_db(x_shape, w_shape, stride, pad):
    (_, _, db), (_, _, expected), (dout, *_) = conv_gradients(x_shape, w_shape, stride, pad)
    mistakes = {"a mean, a sum expected": dout.mean(axis=(0, 2, 3))}
    if len(dout) > 1:
        mistakes["divided by the number of examples"] = expected / len(dout)
    require("db", db, expected, mistakes, how="sum over axes (0, 2, 3)")


# Pooling: shape of x, height and width of a window, stride

POOLINGS = [((2, 3, 4, 6), 2, 2, 2), ((1, 2, 5, 7), 3, 1, 2), ((2, 1, 4, 5), 2, 3, 1)]
POOLING = pytest.mark.parametrize(("shape", "height", "width", "stride"), POOLINGS)


def pooled(forward, torch_pool, shape, height, width, stride, dtype=np.float64):
    size = int(np.prod(shape))
    x = (np.random.default_rng(0).permutation(size).reshape(shape) - 0.75 * size) / 10  # some windows are all negative
    x = read_only(x.astype(dtype))
    out, cache = entries(
        forward.__name__, forward(x, {"pool_height": height, "pool_width": width, "stride": stride}), 2
    )
    (leaf,) = tensors(x)
    return x, out, cache, leaf, torch_pool(leaf, (height, width), stride)


def pool_loop(pool, x, shape, height, width, rows, columns):
    """Windows that begin at ``rows(i)`` and ``columns(j)``, cut off at the edges; None where one is empty."""
    out = np.empty(shape)
    for i, j in np.ndindex(shape[2:]):
        window = x[:, :, rows(i) : rows(i) + height, columns(j) : columns(j) + width]
        if not window.size:
            return None
        out[:, :, i, j] = pool(window, axis=(2, 3))
    return out


def require_pooling(forward, torch_pool, pool, others, shape, height, width, stride):
    x, out, _, _, expected = pooled(forward, torch_pool, shape, height, width, stride)
    expected = expected.detach().numpy()
    is_swapped = np.shape(out)[2:] == ((shape[2] - width) // stride + 1, (shape[3] - height) // stride + 1)
    is_swapped = is_swapped and np.shape(out) != expected.shape
    require_that(not is_swapped, "out: pool_height and pool_width are swapped")
    windows = {
        "the stride is not used: window i begins at i · stride": (lambda i: i, lambda j: j),
        "the windows lie pool_height and pool_width apart, the stride expected": (
            lambda i: i * height,
            lambda j: j * width,
        ),
    }
    sized = expected.shape, height, width
    right = lambda i: i * stride, lambda j: j * stride  # noqa: E731
    mistakes = {what: pool_loop(other, x, *sized, *right) for what, other in others.items()}
    mistakes |= {what: pool_loop(pool, x, *sized, *places) for what, places in windows.items()}
    mistakes = {
        what: wrong for what, wrong in mistakes.items() if wrong is not None and not np.allclose(wrong, expected)
    }
    require("out", out, expected, mistakes, how="(H − pool_height) / stride + 1 and the same for W")
    _, out, _, _, _ = pooled(forward, torch_pool, shape, height, width, stride, np.float32)
    require_that(np.asarray(out).dtype == np.float32, "out: dtype float32 expected, as that of x")


MAX_MISTAKES = {
    "the mean of each window": np.mean,
    "the smallest of each window": np.min,
    "0 takes part in the maximum, which may be negative": lambda window, axis: np.maximum(window.max(axis), 0),
    "the largest absolute value, the largest value expected": lambda window, axis: np.abs(window).max(axis),
}
AVG_MISTAKES = {
    "the largest of each window": np.max,
    "not divided by the number of values in a window: a sum": np.sum,
}


def spread(share, x, dout, height, width, step, assigned=False):
    """dx, of which each window gets ``share(window)`` times its upstream gradient."""
    dx = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(dout.shape):
        place = np.s_[n, c, i * step : i * step + height, j * step : j * step + width]
        part = share(x[place]) * dout[n, c, i, j]
        touched = share(x[place]) != 0
        dx[place] = np.where(touched, part, dx[place]) if assigned else dx[place] + part
    return dx


def first_maximum(window):
    return 1.0 * (np.arange(window.size) == window.argmax()).reshape(window.shape)


def even(window):
    return np.full(window.shape, 1 / window.size)


def require_pooling_gradient(forward, backward, torch_pool, share, others, *geometry):
    x, _, cache, leaf, expected = pooled(forward, torch_pool, *geometry)
    dout = read_only(np.random.default_rng(1).standard_normal(tuple(expected.shape)))
    expected.backward(torch.tensor(dout))
    _, height, width, stride = geometry
    mistakes = {what: spread(other, x, dout, height, width, stride) for what, other in others.items()}
    what = "assigned, where the windows overlap: their gradients add up, += expected"
    mistakes[what] = spread(share, x, dout, height, width, stride, assigned=True)
    if stride > 1:
        what = "the stride is not used: window i begins at i · stride"
        mistakes[what] = spread(share, x, dout, height, width, 1)
        mistakes[f"{what} "] = strayed(x, dout, height, width, stride)
    right = leaf.grad.numpy()
    mistakes = {what: wrong for what, wrong in mistakes.items() if not np.allclose(wrong, right)}
    require("dx", backward(dout, cache), right, mistakes, how="that of x")
    _, _, cache, _, _ = pooled(forward, torch_pool, *geometry, np.float32)
    dx = backward(dout.astype(np.float32), cache)
    require_that(np.asarray(dx).dtype == np.float32, "dx: dtype float32 expected, as that of dout")


def strayed(x, dout, height, width, stride):
    """The gradient of max pooling, put where the maximum would be without a stride."""
    dx = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(dout.shape):
        window = x[n, c, i * stride : i * stride + height, j * stride : j * stride + width]
        row, column = np.unravel_index(window.argmax(), window.shape)
        dx[n, c, i + row, j + column] += dout[n, c, i, j]
    return dx


MAX_GRADIENT_MISTAKES = {
    "the whole window gets the gradient, the place of its maximum alone expected": lambda window: 1,
    "the gradient is spread over the window, the place of its maximum alone expected": even,
    "multiplied by the maximum itself, whose derivative is 1": lambda window: window.max() * first_maximum(window),
    "the place of the minimum gets the gradient": lambda window: first_maximum(-window),
}
TIES = "of equal maxima the first alone gets the gradient (np.argmax), here {}"


@exercise("max_pool_forward_naive", 1)
def test_max_pool_forward():
    require_pooling(max_pool_forward_naive, F.max_pool2d, np.max, MAX_MISTAKES, *POOLINGS[0])


@exercise("max_pool_forward_naive", 1)
@pytest.mark.parametrize("geometry", POOLINGS[1:])
def test_max_pool_forward_of_any_window_and_stride(geometry):
    require_pooling(max_pool_forward_naive, F.max_pool2d, np.max, MAX_MISTAKES, *geometry)


def require_max_gradient(*geometry):
    functions = max_pool_forward_naive, max_pool_backward_naive, F.max_pool2d, first_maximum
    require_pooling_gradient(*functions, MAX_GRADIENT_MISTAKES, *geometry)


@exercise("max_pool_backward_naive", 1)
def test_max_pool_backward():
    require_max_gradient(*POOLINGS[0])
    x = np.array([[[[2.0, 2, 0, 1], [0, 2, 1, 1]]]])
    dout = np.array([[[[1.0, 10]]]])
    _, cache = max_pool_forward_naive(x, {"pool_height": 2, "pool_width": 2, "stride": 2})

    def last(window):
        return first_maximum(window[::-1, ::-1])[::-1, ::-1]

    def every(window):
        return 1.0 * (window == window.max())

    shares = {"all of them": every, "the last": last, "each a part": lambda w: every(w) / every(w).sum()}
    mistakes = {TIES.format(what): spread(share, x, dout, 2, 2, 2) for what, share in shares.items()}
    dx = max_pool_backward_naive(dout, cache)
    require("dx where windows have equal maxima", dx, spread(first_maximum, x, dout, 2, 2, 2), mistakes)


@exercise("max_pool_backward_naive", 1)
@pytest.mark.parametrize("geometry", POOLINGS[1:])
def test_max_pool_backward_adds_up_where_windows_overlap(geometry):
    require_max_gradient(*geometry)


@exercise("avg_pool_forward_naive", 1)
@POOLING
def test_avg_pool_forward(shape, height, width, stride):
    require_pooling(avg_pool_forward_naive, F.avg_pool2d, np.mean, AVG_MISTAKES, shape, height, width, stride)


@exercise("avg_pool_backward_naive", 1)
@POOLING
def test_avg_pool_backward(shape, height, width, stride):
    mistakes = {
        "not divided by pool_height · pool_width": lambda window: 1,
        "divided by the square of the stride, by pool_height · pool_width expected": lambda window: 1 / stride**2,
        "the place of the maximum gets the gradient, each value its share expected": first_maximum,
        "multiplied by the values, whose derivative is a constant": lambda window: window / window.size,
    }
    geometry = shape, height, width, stride
    functions = avg_pool_forward_naive, avg_pool_backward_naive, F.avg_pool2d, even
    require_pooling_gradient(*functions, mistakes, *geometry)


# The net


def small_convnet(reg=0.0, filter_size=3):
    seed(0)
    rng = np.random.default_rng(0)
    model = ThreeLayerConvNet(
        input_dim=(3, 4, 6),
        num_filters=4,
        filter_size=filter_size,
        hidden_dim=7,
        num_classes=5,
        weight_scale=0.3,
        reg=reg,
        dtype="float64",
    )
    for i in (1, 2, 3):
        model.params[f"b{i}"] = 0.1 * rng.standard_normal(np.shape(model.params[f"b{i}"]))
    return model, rng.standard_normal((3, 3, 4, 6)), rng.integers(5, size=3)


def torch_convnet(model, X, y, reg=0.0, after_conv=torch.relu, after_affine=torch.relu):
    params = {name: torch.tensor(w, requires_grad=True) for name, w in model.params.items()}
    out = F.conv2d(torch.tensor(X), params["W1"], params["b1"], padding=params["W1"].shape[2] // 2)
    out = F.max_pool2d(after_conv(out), 2).flatten(1)
    scores = after_affine(out @ params["W2"] + params["b2"]) @ params["W3"] + params["b3"]
    loss = F.cross_entropy(scores, torch.tensor(y)) + 0.5 * reg * sum((params[f"W{i}"] ** 2).sum() for i in (1, 2, 3))
    loss.backward()
    return scores.detach().numpy(), loss.item(), {name: w.grad.numpy() for name, w in params.items()}


def without_a_relu(which, *arguments):
    """Results of nets that lack one ReLU or both, or have one too many."""
    linear = {"after_conv": lambda x: x}, {"after_affine": lambda x: x}
    mistakes = {
        "the ReLU after the convolution is missing": torch_convnet(*arguments, **linear[0])[which],
        "the ReLU after the hidden affine layer is missing": torch_convnet(*arguments, **linear[1])[which],
        "both ReLUs are missing": torch_convnet(*arguments, **linear[0], **linear[1])[which],
    }
    if which == 0:
        mistakes["a ReLU after the last layer"] = np.maximum(torch_convnet(*arguments)[0], 0)
    return mistakes


@exercise("ThreeLayerConvNet.__init__", 1)
@pytest.mark.parametrize("C", [3, 1])
def test_convnet_parameters_have_their_shapes(C):
    params = ThreeLayerConvNet(input_dim=(C, 8, 6), num_filters=4, filter_size=5, hidden_dim=7, num_classes=9).params
    expected = {"W1": (4, C, 5, 5), "b1": (4,), "W2": (4 * 4 * 3, 7), "b2": (7,), "W3": (7, 9), "b3": (9,)}
    require_that(set(params) == set(expected), f"params: {sorted(expected)} expected, got {sorted(params)}")
    for name, shape in expected.items():
        got = np.shape(params[name])
        why = f" for images of C = {C} channels" if name == "W1" else ""
        why = " after 2 × 2 pooling of images of 8 × 6" if name == "W2" else why
        require_that(got == shape, f"params[{name!r}]: shape {shape} expected{why}, got {got}")


@exercise("ThreeLayerConvNet.__init__", 1)
def test_convnet_starts_with_gaussian_weights_and_no_biases():
    seed(0)
    params = ThreeLayerConvNet(input_dim=(3, 16, 16), weight_scale=0.02).params
    for i in (1, 2, 3):
        W, b = params[f"W{i}"], params[f"b{i}"]
        spread = np.std(W)
        require_that(not np.any(b), f"b{i}: zeros expected")
        require_that(0.018 < spread < 0.022, f"W{i}: standard deviation weight_scale = 0.02 expected, got {spread:.3g}")
        for name, w in ((f"W{i}", W), (f"b{i}", b)):
            require_that(w.dtype == np.float32, f"{name}: dtype float32 expected, the net's own, got {w.dtype}")
    drawn = []
    for _ in range(2):
        seed(1)
        drawn.append(ThreeLayerConvNet(input_dim=(3, 4, 4)).params["W1"])
    what = "W1: not the same after np.random.seed; draw from NumPy's global random state, np.random.randn"
    require_that(np.array_equal(*drawn), what)
    for rule, fans in (("kaiming", 3 * 49), ("xavier", (3 * 49 + 32 * 49) / 1)):
        with explained(f'weight_scale = "{rule}" takes cs231n.initializers.{rule}'):
            W = ThreeLayerConvNet(input_dim=(3, 16, 16), weight_scale=rule).params["W1"]
        right, got = np.sqrt(2 / fans), np.std(W)
        require_that(
            0.95 < got / right < 1.05, f"W1 with {rule}: standard deviation {right:.4f} expected, got {got:.4f}"
        )


@exercise("ThreeLayerConvNet.loss", 1)
def test_convnet_scores():
    model, X, y = small_convnet()
    mistakes = without_a_relu(0, model, X, y)
    require("scores, without labels", model.loss(X), torch_convnet(model, X, y)[0], mistakes)
    model, X, y = small_convnet(filter_size=5)
    with explained("with filters of 5 × 5: a padding of (filter_size − 1) / 2 keeps the image's size"):
        scores = model.loss(X)
    require("scores with filters of 5 × 5", scores, torch_convnet(model, X, y)[0])
    scores = ThreeLayerConvNet(input_dim=(3, 4, 6)).loss(X)
    hint = "scores: dtype float32 expected: X is cast to the dtype of the net"
    require_that(np.asarray(scores).dtype == np.float32, hint)


@exercise("ThreeLayerConvNet.loss", 1)
def test_convnet_loss():
    model, X, y = small_convnet()
    loss, _ = entries("loss, with labels", model.loss(X, y), 2)
    require("loss", loss, torch_convnet(model, X, y)[1], without_a_relu(1, model, X, y))


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
    _, plain, plain_grads = torch_convnet(model, X, y)
    squares = [0.35 * np.sum(model.params[f"W{i}"] ** 2) for i in (1, 2, 3)]
    require(
        "loss with reg = 0.7",
        loss,
        expected,
        {
            "the penalty is missing": plain,
            "the penalty is twice as large: the factor 0.5 is missing": 2 * expected - plain,
            "the penalty of the last layer, W3, is missing": expected - squares[2],
            "the penalty of the hidden layer, W2, is missing": expected - squares[1],
            "the penalty of the filters, W1, is missing": expected - squares[0],
            "biases are penalized too": expected + 0.35 * sum(np.sum(model.params[f"b{i}"] ** 2) for i in (1, 2, 3)),
        },
    )
    for name in ("b1", "b2", "b3"):
        what = {"biases are penalized too": plain_grads[name] + 0.7 * model.params[name]}
        require(f"grads[{name!r}] with reg = 0.7", grads[name], plain_grads[name], what)
    for name in ("W1", "W2", "W3"):
        require(
            f"grads[{name!r}] with reg = 0.7",
            grads[name],
            expected_grads[name],
            {
                "the penalty's gradient, reg · W, is missing": expected_grads[name] - 0.7 * model.params[name],
                "the penalty's gradient is twice as large as reg · W": expected_grads[name] + 0.7 * model.params[name],
            },
        )
