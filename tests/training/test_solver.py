"""The training loop: what it draws, prints, keeps, saves and refuses."""

import inspect
import re
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal, assert_equal

from cs231n import optim
from cs231n.classifiers.fc_net import FullyConnectedNet
from cs231n.compute import blocks
from cs231n.progress import progress_bar
from cs231n.solver import NonFiniteLossWarning, Solver


def blobs(seed=0, train=60, val=20):
    """Three well separated clouds of points in the plane."""
    rng = np.random.default_rng(seed)
    centres = np.array([[4.0, 0.0], [-2.0, 3.5], [-2.0, -3.5]])
    data = {}
    for split, size in (("train", train), ("val", val)):
        data[f"y_{split}"] = rng.integers(0, 3, size)
        data[f"X_{split}"] = centres[data[f"y_{split}"]] + 0.5 * rng.standard_normal((size, 2))
    return data


def small_net(seed=0, **arguments):
    np.random.seed(seed)
    return FullyConnectedNet([8], input_dim=2, num_classes=3, weight_scale=0.5, **arguments)


class Threshold:
    """A model of one number w that says class 1 above w; its losses and gradients come from a script.

    On ``thresholds()``, whose validation examples are 0.5, 1.5, … 9.5 of class 1, the accuracy is 1 − w / 10 for
    w = 0, 1, …, 10.
    """

    def __init__(self, w=5.0, gradients=(), losses=()):
        self.params = {"w": np.array([w])}
        self.gradients, self.losses = iter(gradients), iter(losses)
        self.seen = []

    def loss(self, X, y=None):
        if y is None:
            self.seen.append(len(X))
            return np.stack([np.zeros(len(X)), X[:, 0] - self.params["w"][0]], axis=1)
        loss = next(self.losses, 1.0)
        if isinstance(loss, BaseException):
            raise loss
        return loss, {"w": np.array([float(next(self.gradients, 0.0))])}


def thresholds(train=4):
    values = np.arange(10)[:, np.newaxis] + 0.5
    ones = np.ones(10, int)
    return {"X_train": values[:train], "y_train": ones[:train], "X_val": values, "y_val": ones}


def threshold_solver(model, num_epochs, **arguments):
    """One iteration an epoch, a learning rate of 1, nothing printed."""
    options = {"batch_size": 4, "optim_config": {"learning_rate": 1.0}, "verbose": False, **arguments}
    return Solver(model, thresholds(), num_epochs=num_epochs, **options)


# Training


@pytest.mark.parametrize("rule", optim.__all__)
def test_a_separable_problem_is_learnt_by_every_rule(rule):
    settings = {"optim_config": {"learning_rate": 0.02}, "batch_size": 20, "num_epochs": 25, "verbose": False}
    solver = Solver(small_net(), blobs(), update_rule=rule, **settings)
    solver.train()
    assert solver.best_val_acc == 1
    assert solver.train_acc_history[-1] == 1
    assert solver.loss_history[-1] < 0.3 * solver.loss_history[0]


@pytest.mark.parametrize("rule", optim.__all__)
def test_training_takes_the_steps_of_its_rule(rule):
    data = blobs()
    model, twin = small_net(dtype=np.float64), small_net(dtype=np.float64)
    hyperparameters = {"learning_rate": 0.05}
    settings = {"batch_size": 20, "num_epochs": 1, "num_train_samples": None, "verbose": False}
    np.random.seed(1)
    Solver(model, data, update_rule=rule, optim_config=hyperparameters, **settings).train()

    np.random.seed(1)
    configs = {name: {"learning_rate": 0.05} for name in twin.params}
    best_accuracy, best = 0, None
    for t in range(3):
        rows = np.random.choice(60, 20)
        _, grads = twin.loss(data["X_train"][rows], data["y_train"][rows])
        for name in twin.params:
            twin.params[name], configs[name] = getattr(optim, rule)(twin.params[name], grads[name], configs[name])
        accuracy = np.mean(twin.loss(data["X_val"]).argmax(axis=1) == data["y_val"])
        if t in (0, 2) and accuracy > best_accuracy:
            best_accuracy, best = accuracy, dict(twin.params)
    for name in best:
        assert_array_equal(model.params[name], best[name])
    assert hyperparameters == {"learning_rate": 0.05}


def test_histories_have_one_loss_an_iteration_and_one_accuracy_an_epoch():
    solver = Solver(small_net(), blobs(train=65), batch_size=20, num_epochs=4, verbose=False)
    solver.train()
    assert len(solver.loss_history) == 4 * 3
    assert len(solver.train_acc_history) == len(solver.val_acc_history) == 1 + 4
    assert solver.epoch == 4
    assert solver.interrupted is False


def test_a_batch_larger_than_the_data_makes_epochs_of_one_iteration():
    solver = Solver(small_net(), blobs(train=30), batch_size=100, num_epochs=3, verbose=False)
    solver.train()
    assert len(solver.loss_history) == 3


def test_no_epochs_leave_the_model_as_it_was():
    model = Threshold(3.0)
    solver = threshold_solver(model, 0)
    solver.train()
    assert solver.loss_history == solver.val_acc_history == []
    assert model.params["w"] == 3


def test_the_best_parameters_are_kept():
    model = Threshold(5.0, gradients=[1, 2, -1, -4])
    solver = threshold_solver(model, 4)
    solver.train()
    # w after each step: 4, 2, 3, 7.
    assert_allclose(solver.val_acc_history, [0.6, 0.8, 0.7, 0.3])
    assert_allclose(solver.best_val_acc, 0.8)
    assert_array_equal(solver.best_params["w"], [2])
    assert_array_equal(model.params["w"], [2])


def test_the_best_parameters_are_kept_with_their_running_averages():
    X, y = np.random.default_rng(0).standard_normal((2, 40, 3)), np.arange(40) % 2
    data = {"X_train": X[0], "y_train": y, "X_val": X[1], "y_val": y}
    np.random.seed(0)
    model = FullyConnectedNet([5], input_dim=3, num_classes=2, normalization="batchnorm", weight_scale=1.0)
    settings = {"batch_size": 4, "num_epochs": 12, "num_train_samples": None, "verbose": False}
    solver = Solver(model, data, optim_config={"learning_rate": 0.5}, **settings)
    solver.train()
    assert solver.best_val_acc > solver.val_acc_history[-1]  # the last parameters are not the best
    assert solver.check_accuracy(X[1], y) == solver.best_val_acc
    before = model.bn_params[0]["running_mean"].copy()
    solver.train()
    model.loss(X[0], y)
    assert not np.array_equal(model.bn_params[0]["running_mean"], before)


def test_of_equally_good_parameters_the_first_are_kept():
    model = Threshold(5.0, gradients=[1, -0.25])
    threshold_solver(model, 2).train()
    assert_array_equal(model.params["w"], [4])


def test_a_model_that_is_never_right_keeps_its_last_parameters():
    model = Threshold(10.0, gradients=[-1, -1])
    solver = threshold_solver(model, 2)
    solver.train()
    assert solver.best_params == {}
    assert_array_equal(model.params["w"], [12])


def test_training_again_continues():
    model = Threshold(9.0, gradients=[1, 1, 1, 1])
    solver = threshold_solver(model, 2, update_rule="adam", optim_config={"learning_rate": 1.0})
    solver.train()
    solver.train()
    assert solver.epoch == 4
    assert len(solver.loss_history) == len(solver.val_acc_history) == 4
    assert solver.optim_configs["w"]["t"] == 4
    assert_allclose(model.params["w"], 5, rtol=1e-6)
    assert_allclose(solver.best_val_acc, 0.5)


def test_training_again_does_not_spoil_the_best_parameters():
    model = Threshold(5.0, gradients=[3, -1, -6])
    solver = threshold_solver(model, 1)
    solver.train()
    assert_array_equal(solver.best_params["w"], [2])
    for _ in range(2):
        solver.train()
        assert_array_equal(solver.best_params["w"], [2])
        assert_array_equal(model.params["w"], [2])
    assert_allclose(solver.val_acc_history, [0.8, 0.7, 0.2])


def test_writing_to_the_trained_model_does_not_write_to_the_best_parameters():
    model = Threshold(5.0, gradients=[3])
    solver = threshold_solver(model, 1)
    solver.train()
    model.params["w"][...] = 9
    assert_array_equal(solver.best_params["w"], [2])
    model.params["w"] = np.array([9.0])
    assert_array_equal(solver.best_params["w"], [2])


def test_the_learning_rate_decays_after_each_epoch():
    model = Threshold(10.0, gradients=[2] * 6)
    solver = threshold_solver(model, 3, lr_decay=0.5, batch_size=2)
    solver.train()
    # Two iterations an epoch, of steps 2, 1 and 0.5.
    assert_allclose(model.params["w"], 10 - 2 * (2 + 1 + 0.5))
    assert solver.optim_configs["w"]["learning_rate"] == 0.125


def test_the_default_learning_rate_decays_too():
    solver = Solver(small_net(), blobs(), lr_decay=0.5, batch_size=30, num_epochs=2, verbose=False)
    solver.train()
    assert {config["learning_rate"] for config in solver.optim_configs.values()} == {1e-2 / 4}


def test_each_parameter_has_a_state_of_its_own():
    solver = Solver(small_net(), blobs(), update_rule="adam", batch_size=30, num_epochs=1, verbose=False)
    solver.train()
    shapes = {name: config["m"].shape for name, config in solver.optim_configs.items()}
    assert shapes == {"W1": (2, 8), "b1": (8,), "W2": (8, 3), "b2": (3,)}


@pytest.mark.parametrize("rule", ["adam", lambda w, dw, config: (w - 0.1 * dw, config)])
def test_arrays_put_into_the_model_are_not_altered(rule):
    model = small_net()
    arrays = dict(model.params)
    before = {name: array.copy() for name, array in arrays.items()}
    for array in arrays.values():
        array.flags.writeable = False
    Solver(model, blobs(), update_rule=rule, batch_size=30, num_epochs=2, verbose=False).train()
    for name, array in arrays.items():
        assert_array_equal(array, before[name])
        assert not np.array_equal(model.params[name], array)


def test_the_data_are_not_altered():
    data = blobs()
    for array in data.values():
        array.flags.writeable = False
    Solver(small_net(), data, batch_size=30, num_epochs=2, num_train_samples=10, verbose=False).train()


# Rules of the reader's own


def own_sgd(w, dw, config=None):
    return w - config["learning_rate"] * dw, config


class OwnSgd:
    def __call__(self, w, dw, config=None):
        return own_sgd(w, dw, config)


@pytest.mark.parametrize("rule", [own_sgd, OwnSgd(), lambda w, dw, config, **options: own_sgd(w, dw, config)])
def test_a_rule_may_be_a_callable_without_out(rule):
    model = Threshold(5.0, gradients=[1, 1])
    threshold_solver(model, 2, update_rule=rule).train()
    assert_array_equal(model.params["w"], [3])


def test_a_rule_with_out_is_asked_to_update_the_weights_in_place():
    outs = []

    def rule(w, dw, config=None, *, out=None):
        outs.append((w, out))
        return optim.sgd(w, dw, config, out=out)

    model = Threshold(5.0, gradients=[1, 1])
    threshold_solver(model, 2, update_rule=rule).train()
    assert_array_equal(model.params["w"], [3])
    assert all(out is w for w, out in outs)
    assert outs[0][0] is outs[1][0]


def test_a_rule_may_update_the_weights_in_place_on_its_own():
    def rule(w, dw, config):
        w -= config["learning_rate"] * dw
        return w, config

    model = Threshold(5.0, gradients=[1, 1])
    threshold_solver(model, 2, update_rule=rule).train()
    assert_array_equal(model.params["w"], [3])


@pytest.fixture
def own_adam():
    """Adam in the form of the assignment; counts its steps."""

    def adam(w, dw, config=None):
        adam.steps += 1
        if config is None:
            config = {}
        config.setdefault("learning_rate", 1e-3)
        config.setdefault("beta1", 0.9)
        config.setdefault("beta2", 0.999)
        config.setdefault("epsilon", 1e-8)
        config.setdefault("m", np.zeros_like(w))
        config.setdefault("v", np.zeros_like(w))
        config.setdefault("t", 0)
        config["t"] += 1
        config["m"] = config["beta1"] * config["m"] + (1 - config["beta1"]) * dw
        config["v"] = config["beta2"] * config["v"] + (1 - config["beta2"]) * dw**2
        m_hat = config["m"] / (1 - config["beta1"] ** config["t"])
        v_hat = config["v"] / (1 - config["beta2"] ** config["t"])
        return w - config["learning_rate"] * m_hat / (np.sqrt(v_hat) + config["epsilon"]), config

    adam.steps = 0
    return adam


@pytest.mark.parametrize("use", ["as a function", "as adam", "under adamw"])
def test_a_reader_s_adam_trains_and_resumes_like_the_package_s(tmp_path, monkeypatch, own_adam, use):
    def outcome(solver, seed):
        np.random.seed(seed)
        solver.train()
        return solver.model.params, solver.optim_configs, solver.loss_history

    name = "adamw" if use == "under adamw" else "adam"
    rule = own_adam if use == "as a function" else name
    settings = {"optim_config": {"learning_rate": 0.02}, "batch_size": 20, "num_epochs": 3, "verbose": False}
    packages = Solver(small_net(dtype=np.float64), blobs(), update_rule=name, **settings)
    expected = outcome(packages, seed=1)

    if rule == name:
        monkeypatch.setattr(optim, "adam", own_adam)
    own = Solver(small_net(dtype=np.float64), blobs(), update_rule=rule, checkpoint_name=tmp_path / "run", **settings)
    own_adam.steps = 0
    found = outcome(own, seed=1)
    assert own_adam.steps == 3 * 3 * 4  # epochs, iterations, parameters
    for w, config in found[1].items():
        assert_allclose(found[0][w], expected[0][w], rtol=1e-12)
        for entry in config:
            assert_allclose(config[entry], expected[1][w][entry], rtol=1e-12)

    again = {} if rule == name else {"update_rule": own_adam}
    resumed = Solver.resume(tmp_path / "run_epoch_1.npz", small_net(seed=9, dtype=np.float64), blobs(), **again)
    assert_equal(outcome(resumed, seed=2), found)


def in_place_without_a_result(w, dw, config):
    w -= dw


RETURNS_NO_PAIR = {
    "nothing": in_place_without_a_result,
    "only the weights": lambda w, dw, config: w - dw,
    "no config": lambda w, dw, config: (w - dw, None),
    "another shape": lambda w, dw, config: (np.append(w, 0), config),
}


@pytest.mark.parametrize("rule", RETURNS_NO_PAIR.values(), ids=RETURNS_NO_PAIR)
def test_a_rule_is_told_what_to_return(rule):
    with pytest.raises((TypeError, ValueError), match="^update_rule must return .*, got "):
        threshold_solver(Threshold(gradients=[1]), 2, update_rule=rule).train()


def unchanged(w, dw, config):
    return w, config


@pytest.mark.parametrize("rule", [unchanged, lambda w, dw, config, *, out=None: (w, config)], ids=["new", "in place"])
def test_a_rule_that_returns_the_old_weights_is_refused_after_one_step(rule):
    solver = threshold_solver(Threshold(gradients=[1, 1]), 2, update_rule=rule)
    with pytest.raises(ValueError, match="^update_rule must change the parameters: after its first step"):
        solver.train()
    assert len(solver.loss_history) == 1


def test_parameters_may_stay_as_they_are_with_a_rate_of_0_or_gradients_of_0():
    for options in ({"optim_config": {"learning_rate": 0}}, {"update_rule": unchanged, "gradients": []}):
        model = Threshold(5.0, gradients=options.pop("gradients", [1, 1]))
        threshold_solver(model, 2, **options).train()
        assert_array_equal(model.params["w"], [5])


def test_parameters_may_stay_as_they_are_where_the_loss_is_not_finite():
    solver = threshold_solver(Threshold(gradients=[1, 1], losses=[np.nan] * 2), 2, update_rule=unchanged)
    with pytest.warns(NonFiniteLossWarning):
        solver.train()
    assert len(solver.loss_history) == 2


def test_a_rule_without_a_learning_rate_is_left_alone_by_the_decay():
    model = Threshold(5.0, gradients=[1, 1])
    rule = lambda w, dw, config: (w - np.sign(dw), config)  # noqa: E731
    threshold_solver(model, 2, update_rule=rule, optim_config={}, lr_decay=0.5).train()
    assert_array_equal(model.params["w"], [3])


# Accuracy and randomness


def test_accuracy_is_the_share_of_right_answers_whatever_the_batch():
    model = Threshold(3.0)
    solver = threshold_solver(model, 1)
    data = thresholds()
    for batch_size, seen in ((3, [3, 3, 3, 1]), (5, [5, 5]), (10, [10]), (100, [10])):
        model.seen.clear()
        accuracy = solver.check_accuracy(data["X_val"], data["y_val"], batch_size=batch_size)
        assert type(accuracy) is float
        assert_allclose(accuracy, 0.7)
        assert model.seen == seen


def test_accuracy_may_be_measured_on_a_random_sample():
    model = Threshold(3.0)
    solver = threshold_solver(model, 1)
    data = thresholds()
    np.random.seed(0)
    sample = np.random.choice(10, 6)
    np.random.seed(0)
    accuracy = solver.check_accuracy(data["X_val"], data["y_val"], num_samples=6)
    assert_allclose(accuracy, np.mean(sample >= 3))
    assert model.seen == [6]


@pytest.mark.parametrize("num_samples", [None, 10, 11])
def test_nothing_is_drawn_where_all_examples_are_measured(num_samples):
    solver = threshold_solver(Threshold(3.0), 1)
    data = thresholds()
    np.random.seed(0)
    solver.check_accuracy(data["X_val"], data["y_val"], num_samples=num_samples)
    drawn = np.random.rand()
    np.random.seed(0)
    assert drawn == np.random.rand()


@pytest.mark.parametrize(
    ("arguments", "draws"),
    [
        ({"num_train_samples": None}, []),
        ({"num_train_samples": 60}, []),
        ({}, []),
        ({"num_train_samples": 7}, [(60, 7)]),
        ({"num_train_samples": 7, "num_val_samples": 5}, [(60, 7), (20, 5)]),
        ({"num_train_samples": None, "num_val_samples": 5}, [(20, 5)]),
    ],
)
def test_the_random_stream_is_batches_then_samples(arguments, draws):
    model, data = small_net(), blobs()
    np.random.seed(3)
    Solver(model, data, batch_size=30, num_epochs=2, verbose=False, **arguments).train()
    drawn = np.random.rand()
    np.random.seed(3)
    # Two iterations an epoch; the accuracies are measured after the first iteration and after each epoch.
    for measured in (True, True, False, True):
        for population, size in [(60, 30), *(draws if measured else [])]:
            np.random.choice(population, size)
    assert drawn == np.random.rand()


# Log lines


def test_log_lines_name_iterations_and_epochs(capsys):
    model = Threshold(5.0, gradients=[1, 0, 0, 1, 0, 0], losses=[2.5, 2, 1.75, 1.5, 1.25, 0.125])
    solver = threshold_solver(model, 2, batch_size=1, print_every=2, verbose=True, num_train_samples=None)
    solver.X_train, solver.y_train = solver.X_train[:3], solver.y_train[:3]
    solver.train()
    assert capsys.readouterr().out.splitlines() == [
        "(Iteration 1 / 6) loss: 2.500000",
        "(Epoch 0 / 2) train acc: 0.000000; val_acc: 0.600000",
        "(Iteration 3 / 6) loss: 1.750000",
        "(Epoch 1 / 2) train acc: 0.000000; val_acc: 0.600000",
        "(Iteration 5 / 6) loss: 1.250000",
        "(Epoch 2 / 2) train acc: 0.000000; val_acc: 0.700000",
    ]


def test_every_tenth_iteration_is_printed_unless_told_otherwise(capsys):
    Solver(small_net(), blobs(), batch_size=20, num_epochs=7).train()
    iterations = re.findall(r"\(Iteration (\d+) / 21\)", capsys.readouterr().out)
    assert iterations == ["1", "11", "21"]


def test_nothing_is_printed_unless_verbose(capsys):
    Solver(small_net(), blobs(), batch_size=20, num_epochs=2, verbose=False).train()
    assert capsys.readouterr() == ("", "")


# Interruption


def test_an_interrupted_run_returns_and_keeps_the_best_parameters(capsys):
    model = Threshold(5.0, gradients=[3, -1, -2], losses=[1, 1, 1, KeyboardInterrupt()])
    solver = threshold_solver(model, 10)
    solver.train()
    assert solver.interrupted is True
    assert len(solver.loss_history) == 3
    assert_array_equal(model.params["w"], [2])
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("Interrupted after 3 iterations: ")
    assert "0.800000" in line


def test_a_run_interrupted_before_anything_was_measured_keeps_its_parameters(capsys):
    model = Threshold(5.0, losses=[KeyboardInterrupt()])
    solver = threshold_solver(model, 10)
    solver.train()
    assert solver.interrupted is True
    assert_array_equal(model.params["w"], [5])
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("Interrupted after 0 iterations")


def test_an_interrupted_run_can_be_taken_up_again(capsys):
    model = Threshold(5.0, gradients=[1, 1], losses=[1, KeyboardInterrupt(), 1])
    solver = threshold_solver(model, 1)
    solver.num_epochs = 2
    solver.train()
    assert solver.interrupted is True
    solver.num_epochs = 1
    solver.train()
    assert solver.interrupted is False
    assert_array_equal(model.params["w"], [3])


def test_an_interruption_while_measuring_leaves_histories_of_one_length(capsys):
    model = Threshold(5.0, gradients=[1, 1])
    scores, calls = model.loss, []

    def interrupted_at_the_second_validation(X, y=None):
        if y is None and len(X) == 10:
            calls.append(1)
            if len(calls) == 2:
                raise KeyboardInterrupt
        return scores(X, y)

    model.loss = interrupted_at_the_second_validation
    solver = threshold_solver(model, 3)
    solver.train()
    assert solver.interrupted is True
    assert len(solver.train_acc_history) == len(solver.val_acc_history) == 1


def test_other_exceptions_reach_the_caller():
    with pytest.raises(ZeroDivisionError):
        threshold_solver(Threshold(losses=[1, ZeroDivisionError()]), 3).train()


# Losses that are not finite


@pytest.mark.parametrize("loss", [np.nan, np.inf, -np.inf, np.float32("nan")])
def test_a_loss_that_is_not_finite_is_reported_once_with_its_iteration(loss):
    solver = threshold_solver(Threshold(losses=[1, 1, loss, 1, loss]), 6)
    with pytest.warns(NonFiniteLossWarning) as caught:
        solver.train()
    (warning,) = caught
    assert re.match(rf"the loss became {loss} at iteration 3: ", str(warning.message))
    assert warning.filename == __file__
    assert len(solver.loss_history) == 6
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        solver.model.losses = iter([loss])
        solver.train()


def test_training_may_stop_at_a_loss_that_is_not_finite():
    model = Threshold(5.0, gradients=[3, -1, np.nan], losses=[1, 1, np.nan])
    solver = threshold_solver(model, 6, nonfinite="stop")
    with pytest.warns(NonFiniteLossWarning, match="at iteration 3: "):
        solver.train()
    assert len(solver.loss_history) == 3
    assert_allclose(solver.val_acc_history, [0.8, 0.7])
    assert_array_equal(model.params["w"], [2])
    assert solver.interrupted is False


def test_a_run_that_stops_at_its_first_loss_leaves_the_model_as_it_was():
    model = Threshold(5.0, gradients=[np.nan], losses=[np.nan])
    with pytest.warns(NonFiniteLossWarning, match="at iteration 1: "):
        threshold_solver(model, 6, nonfinite="stop").train()
    assert_array_equal(model.params["w"], [5])


class Exploding:
    """A model of as many weights as asked for, whose gradients overflow when they are squared."""

    def __init__(self, size):
        self.params = {"w": np.zeros(size, np.float32)}

    def loss(self, X, y=None):
        if y is None:
            return np.zeros((len(X), 2))
        return np.inf, {"w": np.full(self.params["w"].shape, 1e30, np.float32)}


@pytest.mark.parametrize("size", [10, blocks.BLOCK_BYTES // 4 + 1], ids=["one block", "two blocks"])
def test_an_overflowing_run_gives_no_other_warning(size):
    solver = Solver(Exploding(size), thresholds(), update_rule="rmsprop", num_epochs=2, verbose=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        solver.train()
    assert [warning.category for warning in caught] == [NonFiniteLossWarning]


def test_a_net_that_overflows_gives_no_other_warning():
    net = small_net(reg=1e30)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Solver(net, blobs(), optim_config={"learning_rate": 1e30}, num_epochs=5, verbose=False).train()
    assert [warning.category for warning in caught] == [NonFiniteLossWarning]


def test_the_error_state_is_given_back_after_training():
    before = np.geterr()
    threshold_solver(Threshold(), 1).train()
    assert np.geterr() == before


# Checkpoints


def test_a_checkpoint_is_written_after_each_epoch(tmp_path):
    model = Threshold(5.0, gradients=[1, 0.5, 2, 0.25], losses=[4, 3, 2, 1])
    solver = threshold_solver(model, 2, batch_size=2, checkpoint_name=tmp_path / "run.one")
    solver.train()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.one_epoch_1.npz", "run.one_epoch_2.npz"]
    for epoch, w, losses in ((1, 3.5, [4, 3]), (2, 1.25, [4, 3, 2, 1])):
        with np.load(tmp_path / f"run.one_epoch_{epoch}.npz", allow_pickle=False) as saved:
            assert saved["epoch"] == epoch
            assert_array_equal(saved["params/w"], [w])
            assert_array_equal(saved["loss_history"], losses)
            assert_array_equal(saved["train_acc_history"], solver.train_acc_history[: epoch + 1])
            assert_array_equal(saved["val_acc_history"], solver.val_acc_history[: epoch + 1])


def test_no_checkpoint_is_written_unless_it_has_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    threshold_solver(Threshold(), 2).train()
    assert list(tmp_path.iterdir()) == []


# Arguments


def test_the_signature_shows_every_keyword_with_its_default_and_the_docstring_documents_it():
    assert str(inspect.signature(Solver)) == (
        "(model, data, *, update_rule='sgd', optim_config=None, lr_decay=1.0, batch_size=100, num_epochs=10, "
        "num_train_samples=1000, num_val_samples=None, checkpoint_name=None, print_every=10, verbose=True, "
        "nonfinite='continue')"
    )
    _, _, section = inspect.getdoc(Solver).partition("Parameters\n----------\n")
    documented = re.findall(r"^(\w.*?) :", section.split("\n\n")[0], re.MULTILINE)
    assert ", ".join(documented).split(", ") == list(inspect.signature(Solver).parameters)


def test_an_unknown_keyword_is_named():
    with pytest.raises(TypeError, match="unexpected keyword argument 'learning_rate'"):
        Solver(Threshold(), thresholds(), learning_rate=0.1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"update_rule": "adamm"}, "^update_rule must be a function or one of sgd, sgd_momentum, .* got 'adamm'"),
        ({"update_rule": "in_blocks"}, "^update_rule must be .* got 'in_blocks'"),
        ({"update_rule": None}, "^update_rule must be .* got None"),
        ({"optim_config": 0.1}, "^optim_config must be a dictionary, got float"),
        ({"optim_config": {"learningrate": 1}}, "^optim_config must suit sgd: config must hold .* got 'learningrate'"),
        ({"optim_config": {"momentum": 1}, "update_rule": "sgd_momentum"}, r"^optim_config must suit .*\['momentum'\]"),
        ({"lr_decay": 0}, "^lr_decay must be a finite number above 0, got 0"),
        ({"lr_decay": "0.9"}, "^lr_decay must be a finite number above 0, got '0.9'"),
        ({"batch_size": 0}, "^batch_size must be an integer of at least 1, got 0"),
        ({"batch_size": 2.0}, "^batch_size must be an integer of at least 1, got 2.0"),
        ({"num_epochs": -1}, "^num_epochs must be an integer of at least 0, got -1"),
        ({"num_train_samples": 0}, "^num_train_samples, unless None, must be an integer of at least 1, got 0"),
        ({"num_val_samples": "all"}, "^num_val_samples, unless None, must be an integer of at least 1, got 'all'"),
        ({"checkpoint_name": 1}, "^checkpoint_name must be a string or a path, got int"),
        ({"print_every": 0}, "^print_every must be an integer of at least 1, got 0"),
        ({"verbose": "no"}, "^verbose must be True or False, got str"),
        ({"nonfinite": "ignore"}, "^nonfinite must be one of 'continue', 'stop', got 'ignore'"),
        ({"model": SimpleNamespace(params={})}, "^model must have a dictionary params and a method loss, got Simple"),
        ({"data": [1, 2]}, "^data must be a dictionary, got list"),
    ],
)
def test_arguments_out_of_range_are_answered_by_their_name(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        Solver(**{"model": Threshold(), "data": thresholds(), **arguments})


def test_numpy_numbers_are_numbers():
    numbers = {"batch_size": np.int64(2), "num_epochs": np.int32(1), "num_train_samples": np.uint8(3)}
    Solver(Threshold(), thresholds(), lr_decay=np.float32(0.5), verbose=False, **numbers).train()


@pytest.mark.parametrize("missing", ["X_train", "y_train", "X_val", "y_val"])
def test_missing_data_are_named(missing):
    data = thresholds()
    del data[missing]
    with pytest.raises(ValueError, match=f"^data must hold X_train, y_train, X_val and y_val; {missing} missing"):
        Solver(Threshold(), data)


@pytest.mark.parametrize("split", ["train", "val"])
def test_data_that_do_not_agree_are_refused(split):
    X, y = f"X_{split}", f"y_{split}"
    data = thresholds()
    size = len(data[y])
    for wrong, message in (
        ({y: data[y][1:]}, rf"^data\['{y}'\] must have shape \({size},\) \(one label .*\), got \({size - 1},\)"),
        ({X: data[X][:0], y: data[y][:0]}, rf"^data\['{X}'\] must hold at least one example, got shape \(0, 1\)"),
        ({y: data[y] * 1.0}, rf"^data\['{y}'\] must be an array of integer class labels, got dtype float64"),
        ({y: -data[y]}, rf"^data\['{y}'\] must hold labels of at least 0, got -1"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            Solver(Threshold(), {**data, **wrong})


def test_validation_images_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"^data\['X_val'\] must have shape \(20, 2\) .*, got \(20, 3\)"):
        Solver(small_net(), {**blobs(), "X_val": np.zeros((20, 3))})


def test_no_optim_config_is_an_empty_one():
    assert threshold_solver(Threshold(), 1, optim_config=None).optim_config == {}


def test_the_model_sees_a_hundred_examples_at_a_time_unless_told_otherwise():
    model = Threshold()
    threshold_solver(model, 1).check_accuracy(np.ones((250, 1)), np.ones(250, int))
    assert model.seen == [100, 100, 50]


def test_accuracy_needs_an_example():
    solver = threshold_solver(Threshold(), 1)
    assert solver.check_accuracy(np.ones((1, 1)), np.zeros(1, int)) == 1
    with pytest.raises(ValueError, match=r"^X must hold at least one example, got shape \(0, 1\)"):
        solver.check_accuracy(np.ones((0, 1)), np.zeros(0, int))


@pytest.mark.parametrize("name", ["num_samples", "batch_size"])
def test_accuracy_is_not_measured_on_no_examples_at_a_time(name):
    with pytest.raises(ValueError, match=f"^{name}.* must be an integer of at least 1, got 0"):
        threshold_solver(Threshold(), 1).check_accuracy(np.ones((1, 1)), np.zeros(1, int), **{name: 0})


def test_weights_of_any_layout_are_trained():
    net, other = small_net(), small_net()
    other.params = {name: np.asfortranarray(w) for name, w in other.params.items()}
    for model in (net, other):
        np.random.seed(1)
        Solver(model, blobs(), num_epochs=2, verbose=False).train()
    assert_array_equal(net.params["W1"], other.params["W1"])


def test_a_model_may_divide_by_zero_on_its_way():
    class Dividing(Threshold):
        def loss(self, X, y=None):
            np.ones(1) / np.zeros(1)
            return super().loss(X, y)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        threshold_solver(Dividing(), 1).train()


def test_the_bar_counts_the_iterations(monkeypatch):
    bars = []

    def noting(*arguments):
        bar = progress_bar(*arguments)
        bars.append((arguments, bar))
        return bar

    monkeypatch.setattr("cs231n.solver.progress_bar", noting)
    monkeypatch.setattr("cs231n.progress._watched", lambda: True)
    Solver(small_net(), blobs(), num_epochs=3, batch_size=20, verbose=False).train()
    [(arguments, bar)] = bars
    assert arguments == (9, "training", "it")
    assert bar.n == 9
