"""A script written for the assignment runs unchanged, and a seed gives the figures that the assignment publishes."""

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cs231n.classifiers.fc_net import *
from cs231n.gradient_check import *
from cs231n.layer_utils import *
from cs231n.layers import *
from cs231n.optim import *
from cs231n.solver import Solver

# Figures are published with eight or nine digits.
PRINTED = {"rtol": 0, "atol": 5e-9}


# Layers


def test_the_affine_layer_gives_the_published_output():
    num_inputs, input_shape, output_dim = 2, (4, 5, 6), 3
    weight_size = output_dim * np.prod(input_shape)
    x = np.linspace(-0.1, 0.5, num=num_inputs * np.prod(input_shape)).reshape(num_inputs, *input_shape)
    w = np.linspace(-0.2, 0.3, num=weight_size).reshape(np.prod(input_shape), output_dim)
    b = np.linspace(-0.3, 0.1, num=output_dim)
    out, _ = affine_forward(x, w, b)
    published = [[1.49834967, 1.70660132, 1.91485297], [3.25553199, 3.5141327, 3.77273342]]
    assert_allclose(out, published, **PRINTED)


def test_the_relu_gives_the_published_output():
    out, _ = relu_forward(np.linspace(-0.5, 0.5, num=12).reshape(3, 4))
    published = [[0, 0, 0, 0], [0, 0, 0.04545455, 0.13636364], [0.22727273, 0.31818182, 0.40909091, 0.5]]
    assert_allclose(out, published, **PRINTED)


def test_the_losses_give_the_published_values():
    np.random.seed(231)
    x, y = 0.001 * np.random.randn(50, 10), np.random.randint(10, size=50)
    loss, dx = svm_loss(x, y)
    assert_allclose(loss, 8.999602749096233, rtol=1e-14)
    assert rel_error(eval_numerical_gradient(lambda x: svm_loss(x, y)[0], x, verbose=False), dx) < 1e-8
    loss, dx = softmax_loss(x, y)
    assert_allclose(loss, 2.302545844500738, rtol=1e-14)
    assert rel_error(eval_numerical_gradient(lambda x: softmax_loss(x, y)[0], x, verbose=False), dx) < 1e-7


def test_gradients_of_layers_pass_the_assignments_check():
    np.random.seed(231)
    x, w, b = np.random.randn(2, 3, 4), np.random.randn(12, 10), np.random.randn(10)
    dout = np.random.randn(2, 10)
    for forward, backward in ((affine_forward, affine_backward), (affine_relu_forward, affine_relu_backward)):
        _, cache = forward(x, w, b)
        for array, gradient in zip((x, w, b), backward(dout, cache), strict=True):
            numerical = eval_numerical_gradient_array(lambda _, forward=forward: forward(x, w, b)[0], array, dout)
            assert rel_error(numerical, gradient) < 1e-7


def test_the_convolution_gives_the_published_output():
    x_shape, w_shape = (2, 3, 4, 4), (3, 3, 4, 4)
    x = np.linspace(-0.1, 0.5, num=np.prod(x_shape)).reshape(x_shape)
    w = np.linspace(-0.2, 0.3, num=np.prod(w_shape)).reshape(w_shape)
    b = np.linspace(-0.1, 0.2, num=3)
    out, _ = conv_forward_naive(x, w, b, {"stride": 2, "pad": 1})
    published = [
        [
            [[-0.08759809, -0.10987781], [-0.18387192, -0.2109216]],
            [[0.21027089, 0.21661097], [0.22847626, 0.23004637]],
            [[0.50813986, 0.54309974], [0.64082444, 0.67101435]],
        ],
        [
            [[-0.98053589, -1.03143541], [-1.19128892, -1.24695841]],
            [[0.69108355, 0.66880383], [0.59480972, 0.56776003]],
            [[2.36270298, 2.36904306], [2.38090835, 2.38247847]],
        ],
    ]
    assert_allclose(out, published, **PRINTED)


def test_max_pooling_gives_the_published_output():
    x = np.linspace(-0.3, 0.4, num=96).reshape(2, 3, 4, 4)
    out, _ = max_pool_forward_naive(x, {"pool_width": 2, "pool_height": 2, "stride": 2})
    published = [
        [
            [[-0.26315789, -0.24842105], [-0.20421053, -0.18947368]],
            [[-0.14526316, -0.13052632], [-0.08631579, -0.07157895]],
            [[-0.02736842, -0.01263158], [0.03157895, 0.04631579]],
        ],
        [
            [[0.09052632, 0.10526316], [0.14947368, 0.16421053]],
            [[0.20842105, 0.22315789], [0.26736842, 0.28210526]],
            [[0.32631579, 0.34105263], [0.38526316, 0.4]],
        ],
    ]
    assert_allclose(out, published, **PRINTED)


# Update rules


def table(first, last):
    return np.linspace(first, last, num=20).reshape(4, 5)


W, DW = table(-0.4, 0.6), table(-0.6, 0.4)


def assert_published(array, first, second, last):
    """The corners of a published table."""
    assert_allclose([array[0, 0], array[0, 1], array[3, 4]], [first, second, last], **PRINTED)


def test_sgd_momentum_gives_the_published_step():
    config = {"learning_rate": 1e-3, "velocity": table(0.6, 0.9)}
    velocity = 0.9 * config["velocity"] - 1e-3 * DW
    next_w, config = sgd_momentum(W, DW, config=config)
    assert_allclose(next_w, W + velocity, rtol=1e-14)
    assert_allclose(config["velocity"], velocity, rtol=1e-14)
    assert_published(next_w, 0.1406, 0.20738947, 1.4096)
    assert_published(config["velocity"], 0.5406, 0.55475789, 0.8096)


def test_rmsprop_gives_the_published_step():
    config = {"learning_rate": 1e-2, "cache": table(0.6, 0.9)}
    cache = 0.99 * config["cache"] + 0.01 * DW**2
    next_w, config = rmsprop(W, DW, config=config)
    assert_allclose(next_w, W - 1e-2 * DW / (np.sqrt(cache) + 1e-8), rtol=1e-14)
    assert_allclose(config["cache"], cache, rtol=1e-14)
    assert_published(next_w, -0.39223849, -0.34037513, 0.59576619)
    assert_published(config["cache"], 0.5976, 0.6126277, 0.8926)


def test_adam_gives_the_published_step():
    config = {"learning_rate": 1e-2, "m": table(0.6, 0.9), "v": table(0.7, 0.5), "t": 5}
    m = 0.9 * config["m"] + 0.1 * DW
    v = 0.999 * config["v"] + 0.001 * DW**2
    next_w, config = adam(W, DW, config=config)
    step = 1e-2 * m / (1 - 0.9**6) / (np.sqrt(v / (1 - 0.999**6)) + 1e-8)
    assert_allclose(next_w, W - step, rtol=1e-13)
    assert_allclose(config["m"], m, rtol=1e-14)
    assert_allclose(config["v"], v, rtol=1e-14)
    assert config["t"] == 6
    assert_published(next_w, -0.40094747, -0.34836187, 0.59801459)
    assert_published(config["m"], 0.48, 0.49947368, 0.85)
    assert_published(config["v"], 0.69966, 0.68908382, 0.49966)


# The network and its training


def test_the_initial_losses_of_a_three_layer_net_are_the_published_ones():
    np.random.seed(231)
    N, D, H1, H2, C = 2, 15, 20, 30, 10
    X, y = np.random.randn(N, D), np.random.randint(C, size=(N,))
    for reg, published in ((0, 2.3004790897684924), (3.14, 7.052114776533016)):
        model = FullyConnectedNet([H1, H2], input_dim=D, num_classes=C, reg=reg, weight_scale=5e-2, dtype=np.float64)
        loss, grads = model.loss(X, y)
        assert_allclose(loss, published, rtol=1e-14)
        for name in sorted(grads):
            f = lambda _, model=model: model.loss(X, y)[0]  # noqa: E731
            numerical = eval_numerical_gradient(f, model.params[name], verbose=False, h=1e-5)
            # Not the relative error: of entries near zero the difference quotient has little more than rounding.
            assert_allclose(numerical, grads[name], rtol=1e-6, atol=1e-9)


def random_data(num_train=50, num_val=30, dim=24, num_classes=10):
    rng = np.random.default_rng(0)
    return {
        "X_train": rng.standard_normal((num_train, 2, 3, dim // 6)),
        "y_train": rng.integers(0, num_classes, num_train),
        "X_val": rng.standard_normal((num_val, 2, 3, dim // 6)),
        "y_val": rng.integers(0, num_classes, num_val),
    }


def test_a_script_in_the_assignments_manner_prints_the_assignments_lines(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = random_data()
    np.random.seed(231)
    model = FullyConnectedNet(
        hidden_dims=[100, 100],
        input_dim=24,
        num_classes=10,
        dropout_keep_ratio=1,
        normalization=None,
        reg=0.0,
        weight_scale=1e-3,
        dtype=np.float64,
        seed=None,
    )
    solver = Solver(
        model,
        data,
        update_rule="sgd_momentum",
        optim_config={"learning_rate": 1e-2, "momentum": 0.9},
        lr_decay=0.95,
        batch_size=25,
        num_epochs=20,
        num_train_samples=1000,
        num_val_samples=None,
        checkpoint_name="run",
        print_every=10,
        verbose=True,
    )
    solver.train()

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "(Iteration 1 / 40) loss: 2.302585"
    assert re.fullmatch(r"\(Epoch 0 / 20\) train acc: 0\.\d\d0000; val_acc: 0\.\d{6}", lines[1])
    kinds = [re.sub(r"(loss|acc): [\d.]+", r"\1: …", line) for line in lines]
    expected = []
    for t in range(1, 41):
        expected += [f"(Iteration {t} / 40) loss: …"] if t % 10 == 1 else []
        expected += ["(Epoch 0 / 20) train acc: …; val_acc: …"] if t == 1 else []
        expected += [f"(Epoch {t // 2} / 20) train acc: …; val_acc: …"] if t % 2 == 0 else []
    assert kinds == expected
    last = lines[-1]
    accuracies = solver.train_acc_history[-1], solver.val_acc_history[-1]
    assert last == "(Epoch 20 / 20) train acc: {:.6f}; val_acc: {:.6f}".format(*accuracies)

    assert len(solver.loss_history) == 40
    assert len(solver.train_acc_history) == len(solver.val_acc_history) == 21
    assert solver.best_val_acc == max(solver.val_acc_history)
    assert sorted(solver.best_params) == ["W1", "W2", "W3", "b1", "b2", "b3"]
    scores = model.loss(data["X_val"])
    assert np.mean(np.argmax(scores, axis=1) == data["y_val"]) == solver.best_val_acc
    assert (tmp_path / "run_epoch_20.npz").exists()


def plain_training(data, hidden, scale, reg, rate, momentum, decay, batch_size, epochs, samples):
    """A net of two layers trained by momentum, written out: losses, accuracies, and what was drawn in which order."""
    flat = {name: array.reshape(len(array), -1) for name, array in data.items() if name.startswith("X")}
    N, D = flat["X_train"].shape
    w1, b1 = np.random.randn(D, hidden) * scale, np.zeros(hidden)
    w2, b2 = np.random.randn(hidden, 10) * scale, np.zeros(10)
    weights = [w1, b1, w2, b2]
    velocities = [np.zeros_like(w) for w in weights]
    losses, accuracies = [], []

    def accuracy(X, y, samples):
        if samples is not None and len(X) > samples:
            rows = np.random.choice(len(X), samples)
            X, y = X[rows], y[rows]
        scores = np.maximum(X @ weights[0] + weights[1], 0) @ weights[2] + weights[3]
        return (scores.argmax(axis=1) == y).mean()

    for t in range(epochs * (N // batch_size)):
        rows = np.random.choice(N, batch_size)
        x, y = flat["X_train"][rows], data["y_train"][rows]
        w1, b1, w2, b2 = weights
        a = x @ w1 + b1
        h = a * (a > 0)
        s = h @ w2 + b2
        p = np.exp(s) / np.exp(s).sum(axis=1)[:, None]
        losses.append(-np.log(p[range(batch_size), y]).mean() + reg / 2 * ((w1**2).sum() + (w2**2).sum()))
        ds = (p - np.eye(10)[y]) / batch_size
        da = ds @ w2.T * (a > 0)
        gradients = [x.T @ da + reg * w1, da.sum(axis=0), h.T @ ds + reg * w2, ds.sum(axis=0)]
        for k in range(4):
            velocities[k] = momentum * velocities[k] - rate * gradients[k]
            weights[k] = weights[k] + velocities[k]
        epoch_end = (t + 1) % (N // batch_size) == 0
        rate *= decay if epoch_end else 1
        if t == 0 or epoch_end:
            train = accuracy(flat["X_train"], data["y_train"], samples)
            accuracies.append((train, accuracy(flat["X_val"], data["y_val"], None)))
    return losses, accuracies


@pytest.mark.parametrize("samples", [None, 20])
def test_training_is_the_plain_loop_with_the_same_seed(samples):
    data = random_data()
    np.random.seed(231)
    losses, accuracies = plain_training(
        data, hidden=32, scale=0.1, reg=0.3, rate=0.05, momentum=0.9, decay=0.8, batch_size=8, epochs=5, samples=samples
    )
    np.random.seed(231)
    model = FullyConnectedNet([32], input_dim=24, num_classes=10, weight_scale=0.1, reg=0.3, dtype=np.float64)
    solver = Solver(
        model,
        data,
        update_rule="sgd_momentum",
        optim_config={"learning_rate": 0.05},
        lr_decay=0.8,
        batch_size=8,
        num_epochs=5,
        num_train_samples=samples,
        verbose=False,
    )
    solver.train()
    assert_allclose(solver.loss_history, losses, rtol=1e-12)
    assert list(zip(solver.train_acc_history, solver.val_acc_history, strict=True)) == accuracies
    # Enough to tell one run from another.
    assert losses[-1] < 0.9 * losses[0]
    assert len(set(accuracies)) > 3
