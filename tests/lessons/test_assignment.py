"""A script written for the assignment runs unchanged, and a seed gives the figures that the assignment publishes."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cs231n.classifiers.fc_net import *
from cs231n.gradient_check import *
from cs231n.layer_utils import *
from cs231n.layers import *
from cs231n.optim import *
from cs231n.solver import Solver


def test_the_losses_give_the_published_values():
    np.random.seed(231)
    x, y = 0.001 * np.random.randn(50, 10), np.random.randint(10, size=50)
    for loss_function, published in ((svm_loss, 8.999602749096233), (softmax_loss, 2.302545844500738)):
        loss, dx = loss_function(x, y)
        assert_allclose(loss, published, rtol=1e-14)
        numerical = eval_numerical_gradient(lambda _, f=loss_function: f(x, y)[0], x, verbose=False)
        assert rel_error(numerical, dx) < 1e-7


def test_the_initial_losses_of_a_three_layer_net_are_the_published_ones():
    np.random.seed(231)
    N, D, H1, H2, C = 2, 15, 20, 30, 10
    X, y = np.random.randn(N, D), np.random.randint(C, size=(N,))
    for reg, published in ((0, 2.3004790897684924), (3.14, 7.052114776533016)):
        model = FullyConnectedNet([H1, H2], input_dim=D, num_classes=C, reg=reg, weight_scale=5e-2, dtype=np.float64)
        assert_allclose(model.loss(X, y)[0], published, rtol=1e-14)


def random_data(num_train=50, num_val=30, dim=24, num_classes=10):
    rng = np.random.default_rng(0)
    return {
        "X_train": rng.standard_normal((num_train, 2, 3, dim // 6)),
        "y_train": rng.integers(0, num_classes, num_train),
        "X_val": rng.standard_normal((num_val, 2, 3, dim // 6)),
        "y_val": rng.integers(0, num_classes, num_val),
    }


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
def test_a_script_trains_as_the_plain_loop_with_its_seed_and_prints_the_assignments_lines(samples, tmp_path, capsys):
    data = random_data()
    np.random.seed(231)
    losses, accuracies = plain_training(
        data, hidden=32, scale=0.1, reg=0.3, rate=0.05, momentum=0.9, decay=0.8, batch_size=8, epochs=5, samples=samples
    )
    np.random.seed(231)
    model = FullyConnectedNet(
        hidden_dims=[32],
        input_dim=24,
        num_classes=10,
        dropout_keep_ratio=1,
        normalization=None,
        reg=0.3,
        weight_scale=0.1,
        dtype=np.float64,
        seed=None,
    )
    solver = Solver(
        model,
        data,
        update_rule="sgd_momentum",
        optim_config={"learning_rate": 0.05, "momentum": 0.9},
        lr_decay=0.8,
        batch_size=8,
        num_epochs=5,
        num_train_samples=samples,
        num_val_samples=None,
        checkpoint_name=str(tmp_path / "run"),
        print_every=10,
        verbose=True,
    )
    solver.train()

    assert_allclose(solver.loss_history, losses, rtol=1e-12)
    assert list(zip(solver.train_acc_history, solver.val_acc_history, strict=True)) == accuracies
    # Enough to tell one run from another.
    assert losses[-1] < 0.9 * losses[0]
    assert len(set(accuracies)) > 3

    lines = []
    for t, loss in enumerate(losses):
        epochs = (t + 1) // 6
        lines += ["(Iteration %d / 30) loss: %f" % (t + 1, loss)] if t % 10 == 0 else []
        if t == 0 or (t + 1) % 6 == 0:
            lines += ["(Epoch %d / 5) train acc: %f; val_acc: %f" % (epochs, *accuracies[epochs])]
    assert capsys.readouterr().out.splitlines() == lines

    assert sorted(solver.best_params) == ["W1", "W2", "b1", "b2"]
    scores = model.loss(data["X_val"])
    assert np.mean(np.argmax(scores, axis=1) == data["y_val"]) == solver.best_val_acc
    assert (tmp_path / "run_epoch_5.npz").exists()
