"""Exercises of the lesson Dropout."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from arrays import read_only
from canaries import *
from hints import entries, require, require_that
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
    share = np.mean(ones_through_dropout(p) != 0)
    dropped = abs(share - (1 - p)) < 0.03 and p != 0.5
    hint = ": p is the probability to keep, not to drop" if dropped else ""
    require_that(abs(share - p) < 0.03, f"out: a share of p = {p} kept expected, got {share:.3f}{hint}")
    same = np.all(ones_through_dropout(p)[:2] != 0, axis=0)
    require_that(same.mean() < 0.95 * p, "out: each value tosses its own coin, here all examples drop the same")


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
    out, _ = dropout_forward(x, {"mode": "test", "p": 0.3})
    require("out in test mode", out, x, {"scaled, x as it is expected (training has scaled)": 0.3 * x})


@exercise("dropout_forward", 1)
def test_dropout_repeats_its_mask_with_a_seed():
    x, param = np.ones((10, 10)), {"mode": "train", "p": 0.5}
    first, again, other = (dropout_forward(x, {**param, "seed": number})[0] for number in (1, 1, 2))
    require("out, twice with the same seed", again, first)
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
    require(
        f"dx with p = {p}",
        dropout_backward(dout, cache),
        dout * kept / p,
        {
            "what was kept is not divided by p": dout * kept,
            "the mask is not used": dout,
        },
    )


@exercise("dropout_backward", 1)
def test_dropout_backward_in_test_mode():
    dout = read_only(np.random.default_rng(0).standard_normal((6, 7)))
    _, cache = dropout_forward(np.ones((6, 7)), {"mode": "test", "p": 0.3})
    require("dx in test mode", dropout_backward(dout, cache), dout, {"scaled, dout as it is expected": 0.3 * dout})


def net_and_plain_scores(p):
    seed(0)
    rng = np.random.default_rng(0)
    model = FullyConnectedNet(
        [9, 8], input_dim=6, num_classes=4, dropout_keep_ratio=p, weight_scale=0.5, dtype="float64", seed=3
    )
    X, y = rng.standard_normal((5, 6)), rng.integers(4, size=5)
    params = {name: torch.tensor(w, requires_grad=True) for name, w in model.params.items()}

    def scores(masks):
        out = torch.tensor(X)
        for i, mask in zip((1, 2), masks):
            out = (out @ params[f"W{i}"] + params[f"b{i}"]).relu() * torch.tensor(mask)
        return out @ params["W3"] + params["b3"]

    return model, X, y, params, scores


@exercise("FullyConnectedNet with dropout", 1)
@pytest.mark.parametrize("p", [0.5, 0.8])
def test_net_with_dropout_in_training(p):
    model, X, y, params, scores = net_and_plain_scores(p)
    masks = [dropout_forward(np.ones((5, width)), {"mode": "train", "p": p, "seed": 3})[0] for width in (9, 8)]
    expected = F.cross_entropy(scores(masks), torch.tensor(y))
    expected.backward()
    loss, grads = model.loss(X, y)
    plain = F.cross_entropy(scores([np.ones((5, 9)), np.ones((5, 8))]), torch.tensor(y)).item()
    require("loss in training", loss, expected.item(), {"nothing is dropped": plain})
    for name in sorted(params):
        require(f"grads[{name!r}]", grads[name], params[name].grad.numpy())


@exercise("FullyConnectedNet with dropout", 1)
def test_net_with_dropout_at_test_time():
    model, X, y, _, scores = net_and_plain_scores(0.5)
    model.loss(X, y)
    expected = scores([np.ones((5, 9)), np.ones((5, 8))]).detach().numpy()
    again = model.loss(X)
    require("scores at test time, without dropout", again, expected)
