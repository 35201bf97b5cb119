"""Exercises of the lesson Dropout."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from arrays import read_only
from canaries import *
from hints import entries, explained, require, require_refusal, require_that
from student import FullyConnectedNet, dropout_backward, dropout_forward, seed

exercise = pytest.mark.exercise


def ones_through_dropout(p, shape=(100, 50)):
    seed(0)
    out, _ = entries("dropout_forward", dropout_forward(read_only(np.ones(shape)), {"mode": "train", "p": p}), 2)
    require_that(np.shape(out) == shape, f"out: shape {shape} expected, that of x, got {np.shape(out)}")
    return np.asarray(out)


@exercise("dropout_forward", 1)
@pytest.mark.parametrize("p", [0.2, 0.5, 0.7])
def test_dropout_keeps_a_share_of_p(p):
    out = ones_through_dropout(p)
    for name, one, other in (("examples", out[0], out[1]), ("units", out[:, 0], out[:, 1])):
        is_same = np.array_equal(one != 0, other != 0)
        require_that(not is_same, f"out: each value tosses its own coin, here all {name} drop the same")
    share = np.mean(out != 0)
    dropped = abs(share - (1 - p)) < 0.03 and p != 0.5
    hint = ": p is the probability to keep, not to drop" if dropped else ""
    require_that(abs(share - p) < 0.03, f"out: a share of p = {p} kept expected, got {share:.3f}{hint}")
    is_same = np.array_equal(out, ones_through_dropout(p))
    require_that(is_same, "out: not the same after np.random.seed: draw the mask from NumPy's global random state")
    coins = np.random.RandomState(0).rand(100, 50)
    how = "out: the mask of np.random.rand(*x.shape) < p expected,"
    require_that(
        p != 0.5 or not np.array_equal(out != 0, coins > p), f"{how} p is the probability to keep, not to drop"
    )
    require_that(np.array_equal(out != 0, coins < p), f"{how} drawn once, other values are dropped")


@exercise("dropout_forward", 1)
@pytest.mark.parametrize("p", [0.2, 0.5, 0.7])
def test_dropout_scales_what_it_keeps(p):
    out = ones_through_dropout(p)
    require(
        f"out of ones with p = {p}",
        out,
        np.where(out != 0, 1 / p, 0),
        {
            "what is kept is not divided by p": np.where(out != 0, 1, 0),
            "what is kept is multiplied by p, divided expected": np.where(out != 0, p, 0),
            "what is kept is divided by 1 − p, by p expected": np.where(out != 0, 1 / (1 - p), 0),
        },
    )


@exercise("dropout_forward", 1)
def test_dropout_in_test_mode():
    x = read_only(np.random.default_rng(0).standard_normal((4, 5)))
    out, _ = entries("dropout_forward", dropout_forward(x, {"mode": "test", "p": 0.3}), 2)
    scaled = "scaled, x as it is expected (training has scaled)"
    some = "values are dropped in test mode too, x as it is expected"
    is_dropped = out is not None and np.shape(out) == x.shape and not np.all(out)
    require("out in test mode", out, x, {scaled: 0.3 * x, f"{scaled} ": x / 0.3, **({some: out} if is_dropped else {})})
    for mode in ("train", "test"):
        out, _ = dropout_forward(x.astype(np.float32), {"mode": mode, "p": 0.3})
        require_that(np.asarray(out).dtype == np.float32, f"out, mode {mode}: dtype float32 expected, as that of x")
    for what, param in (
        ("p = 0, with which nothing is left", {"mode": "train", "p": 0}),
        ("p = 1.5, no probability", {"mode": "train", "p": 1.5}),
        ("no p", {"mode": "train"}),
        ("an unknown mode", {"mode": "trian", "p": 0.5}),
    ):
        require_refusal(what, dropout_forward, x, param)


@exercise("dropout_forward", 1)
def test_dropout_repeats_its_mask_with_a_seed():
    x, param = np.ones((10, 10)), {"mode": "train", "p": 0.5}
    first, again, other = (dropout_forward(x, {**param, "seed": number})[0] for number in (1, 1, 2))
    require_that(np.array_equal(first, again), "out, twice with the same seed: seed NumPy with dropout_param['seed']")
    right = 2.0 * (np.random.RandomState(1).rand(10, 10) < 0.5)
    hint = "out with seed 1: np.random.seed(seed), then the mask np.random.rand(*x.shape) < p expected"
    require_that(np.array_equal(first, right) or not set(np.unique(first)) <= {0, 2}, hint)
    require_that(not np.array_equal(first, other), "out: another seed must draw another mask")
    seed(0)
    free = [dropout_forward(x, param)[0] for _ in range(2)]
    require_that(not np.array_equal(*free), "out: without a seed every call must draw a new mask")


@exercise("dropout_backward", 1)
@pytest.mark.parametrize("p", [0.2, 0.5, 1])
def test_dropout_backward(p):
    dout = read_only(np.random.default_rng(0).standard_normal((6, 7)))
    out, cache = dropout_forward(np.ones((6, 7)), {"mode": "train", "p": p, "seed": 5})
    kept = np.asarray(out) != 0
    dx = dropout_backward(dout, cache)
    mistakes = {
        "what was kept is not divided by p": dout * kept,
        "the mask is not used": dout,
        "the mask is not used, what it kept is divided by p": dout / p,
        "divided by p twice": dout * kept / p**2,
        "multiplied by p, divided expected": dout * kept * p,
    }
    is_other = np.shape(dx) == dout.shape and set(np.round(np.unique(dx / dout), 9)) <= {0, 1, round(1 / p, 9)}
    if is_other and not np.array_equal(dx != 0, kept) and np.any(dx == 0):
        mistakes["the mask is drawn anew: that of the forward pass is expected, kept in the cache"] = dx
    require(f"dx with p = {p}", dx, dout * kept / p, mistakes)
    _, cache = dropout_forward(np.ones((6, 7), np.float32), {"mode": "train", "p": p})
    dx = dropout_backward(dout.astype(np.float32), cache)
    require_that(np.asarray(dx).dtype == np.float32, "dx: dtype float32 expected, as that of x and dout")


@exercise("dropout_backward", 1)
def test_dropout_backward_in_test_mode():
    dout = read_only(np.random.default_rng(0).standard_normal((6, 7)))
    _, cache = dropout_forward(np.ones((6, 7)), {"mode": "test", "p": 0.3})
    with explained("in test mode, where dout passes as it is"):
        dx = dropout_backward(dout, cache)
    require("dx in test mode", dx, dout, {"scaled, dout as it is expected": 0.3 * dout})


def net_and_plain_scores(p):
    seed(0)
    rng = np.random.default_rng(0)
    model = FullyConnectedNet(
        [9, 8], input_dim=6, num_classes=4, dropout_keep_ratio=p, weight_scale=0.5, dtype="float64", seed=3
    )
    X, y = rng.standard_normal((5, 6)), rng.integers(4, size=5)
    params = {name: torch.tensor(w, requires_grad=True) for name, w in model.params.items()}

    def scores(masks, is_straight=False):
        out = torch.tensor(X)
        for i, mask in zip((1, 2), masks):
            out = (out @ params[f"W{i}"] + params[f"b{i}"]).relu()
            masked = out * torch.tensor(mask)
            # Forward with the mask, backward without it.
            out = out + (masked - out).detach() if is_straight else masked
        return out @ params["W3"] + params["b3"]

    return model, X, y, params, scores


WHOLE = [np.ones((5, 9)), np.ones((5, 8))]


def masks_of(p):
    return [(np.random.RandomState(3).rand(5, width) < p) / p for width in (9, 8)]


def loss_and_grads(scores, y, params):
    loss = F.cross_entropy(scores, torch.tensor(y))
    return loss.item(), dict(zip(params, (grad.numpy() for grad in torch.autograd.grad(loss, list(params.values())))))


@exercise("FullyConnectedNet with dropout", 1)
@pytest.mark.parametrize("p", [0.5, 0.8])
def test_net_with_dropout_in_training(p):
    model, X, y, params, scores = net_and_plain_scores(p)
    expected, expected_grads = loss_and_grads(scores(masks_of(p)), y, params)
    _, straight = loss_and_grads(scores(masks_of(p), is_straight=True), y, params)
    loss, grads = entries("loss, with labels", model.loss(X, y), 2)
    again, _ = model.loss(X, y)
    require_that(
        np.isclose(loss, again), "loss with a seed: another one in each call; dropout_param must hold the seed"
    )
    others = {
        "nothing is dropped": WHOLE,
        "dropout_param['p'] is 1 − dropout_keep_ratio, the ratio to keep expected": masks_of(1 - p),
        "only the first hidden layer has dropout": [masks_of(p)[0], WHOLE[1]],
        "only the last hidden layer has dropout": [WHOLE[0], masks_of(p)[1]],
    }
    mistakes = {
        what: loss_and_grads(scores(masks), y, params)[0]
        for what, masks in others.items()
        if p != 0.5 or "1 −" not in what
    }
    require("loss in training", loss, expected, mistakes)
    for name in sorted(params):
        require_that(name in grads, f"grads[{name!r}]: missing")
        is_other = not np.allclose(straight[name], expected_grads[name])
        mistakes = {"dropout is missing in the backward pass": straight[name]} if is_other else {}
        require(f"grads[{name!r}]", grads[name], expected_grads[name], mistakes)


@exercise("FullyConnectedNet with dropout", 1)
def test_net_with_dropout_at_test_time():
    model, X, y, params, scores = net_and_plain_scores(0.5)
    model.loss(X, y)
    expected = scores(WHOLE).detach().numpy()
    dropped = scores(masks_of(0.5)).detach().numpy()
    got = model.loss(X)
    what = "dropout is still at work at test time: without labels the mode is test"
    require("scores at test time, without dropout", got, expected, {what: dropped})
    model.loss(X, y)
    require(
        "loss in training after test time", model.loss(X, y)[0], loss_and_grads(scores(masks_of(0.5)), y, params)[0]
    )
