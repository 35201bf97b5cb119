"""The training loop: what it draws, prints, keeps, saves and refuses."""

import inspect
import re
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cs231n import optim
from cs231n.classifiers.fc_net import FullyConnectedNet
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


def small_net(**arguments):
    np.random.seed(0)
    return FullyConnectedNet([8], input_dim=2, num_classes=3, weight_scale=0.5, **arguments)


def blob_solver(model=None, train=60, **arguments):
    return Solver(model or small_net(), blobs(train=train), **{"batch_size": 20, "verbose": False, **arguments})


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


def threshold_solver(model, num_epochs, train=4, **arguments):
    """One iteration an epoch, a learning rate of 1, nothing printed."""
    options = {"batch_size": 4, "optim_config": {"learning_rate": 1.0}, "verbose": False, **arguments}
    return Solver(model, thresholds(train), num_epochs=num_epochs, **options)


# Training


@pytest.mark.parametrize("rule", optim.RULES)
def test_training_takes_the_steps_of_its_rule(rule):
    data, hyperparameters = blobs(), {"learning_rate": 0.05}
    model, twin = small_net(dtype=np.float64), small_net(dtype=np.float64)
    np.random.seed(1)
    settings = {"num_epochs": 1, "num_train_samples": None}
    blob_solver(model, update_rule=rule, optim_config=hyperparameters, **settings).train()

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


@pytest.mark.parametrize(("train", "iterations"), [(65, 3), (20, 1), (19, 1)])
def test_histories_have_one_loss_an_iteration_and_one_accuracy_an_epoch(train, iterations, capsys):
    solver = blob_solver(train=train, num_epochs=4)
    assert solver.interrupted is False
    solver.train()
    assert len(solver.loss_history) == 4 * iterations
    assert len(solver.train_acc_history) == len(solver.val_acc_history) == 4 + (iterations > 1)
    assert solver.epoch == 4
    assert solver.interrupted is False
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("w", "gradients", "accuracies", "kept"),
    [
        (5.0, [1, 2, -1, -4], [0.6, 0.8, 0.7, 0.3], 2),
        (5.0, [1, -0.25], [0.6, 0.6], 4),
        (10.0, [-1, -1], [0, 0], 12),
    ],
    ids=["the best", "of equally good ones the first", "where none is right the last"],
)
def test_the_best_parameters_are_kept(w, gradients, accuracies, kept):
    model = Threshold(w, gradients)
    solver = threshold_solver(model, len(gradients))
    solver.train()
    assert_allclose(solver.val_acc_history, accuracies)
    assert_allclose(solver.best_val_acc, max(accuracies))
    assert_array_equal(model.params["w"], [kept])
    model.params["w"][...] = 99
    model.params["w"] = np.array([99.0])
    assert solver.best_params == ({"w": np.array([float(kept)])} if kept < 10 else {})


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
    best = model.bn_params[0]["running_mean"].copy()
    model.loss(X[0], y)
    assert not np.array_equal(model.bn_params[0]["running_mean"], best)
    solver.num_epochs = 0
    solver.train()
    assert_array_equal(model.bn_params[0]["running_mean"], best)


def test_training_again_continues():
    model = Threshold(9.0, gradients=[1, 1, 1, 1])
    solver = threshold_solver(model, 2, update_rule="adam")
    solver.train()
    solver.train()
    assert solver.epoch == 4
    assert len(solver.loss_history) == len(solver.val_acc_history) == 4
    assert solver.optim_configs["w"]["t"] == 4
    assert_allclose(model.params["w"], 5, rtol=1e-6)
    assert_allclose(solver.best_val_acc, 0.5)


def test_the_learning_rate_decays_after_each_epoch():
    model = Threshold(10.0, gradients=[2] * 6)
    solver = threshold_solver(model, 3, lr_decay=0.5, batch_size=2)
    solver.train()
    # Two iterations an epoch, of steps 2, 1 and 0.5.
    assert_allclose(model.params["w"], 10 - 2 * (2 + 1 + 0.5))
    assert solver.optim_configs["w"]["learning_rate"] == 0.125


def test_each_parameter_has_a_state_and_a_default_learning_rate_of_its_own():
    solver = blob_solver(update_rule="adam", lr_decay=0.5, num_epochs=2)
    solver.train()
    assert solver.optim_config == {}
    shapes = {name: config["m"].shape for name, config in solver.optim_configs.items()}
    assert shapes == {"W1": (2, 8), "b1": (8,), "W2": (8, 3), "b2": (3,)}
    assert {config["learning_rate"] for config in solver.optim_configs.values()} == {1e-3 / 4}


@pytest.mark.parametrize("rule", ["adam", lambda w, dw, config: (w - 0.1 * dw, config)])
def test_neither_the_data_nor_arrays_put_into_the_model_are_altered(rule):
    model, data = small_net(), blobs()
    arrays = {name: np.asfortranarray(array) for name, array in model.params.items()}
    model.params = dict(arrays)
    before = {name: array.copy() for name, array in arrays.items()}
    for array in (*arrays.values(), *data.values()):
        array.flags.writeable = False
    Solver(model, data, update_rule=rule, batch_size=30, num_epochs=2, num_train_samples=10, verbose=False).train()
    for name, array in arrays.items():
        assert_array_equal(array, before[name])
        assert not np.array_equal(model.params[name], array)


# Rules of the reader's own


def own_sgd(w, dw, config=None):
    return w - config["learning_rate"] * dw, config


def in_place_on_its_own(w, dw, config):
    w -= config["learning_rate"] * dw
    return [w, config]


CALLABLES = [own_sgd, in_place_on_its_own, lambda w, dw, config, **options: own_sgd(w, dw, config)]


@pytest.mark.parametrize("rule", CALLABLES)
def test_a_rule_may_be_a_callable_without_out(rule):
    model = Threshold(5.0, gradients=[1, 1])
    threshold_solver(model, 2, update_rule=rule).train()
    assert_array_equal(model.params["w"], [3])


def test_a_rule_with_out_is_asked_to_update_the_weights_in_place():
    seen = []
    rule = lambda w, dw, config, out: seen.extend([w, out]) or optim.sgd(w, dw, config, out=out)  # noqa: E731
    model = Threshold(5.0, gradients=[1, 1])
    threshold_solver(model, 2, update_rule=rule).train()
    assert_array_equal(model.params["w"], [3])
    assert len(seen) == 4 and all(array is seen[0] for array in seen)


RETURNS_NO_PAIR = {
    "nothing": lambda w, dw, config: None,
    "only the weights": lambda w, dw, config: w - dw,
    "three": lambda w, dw, config: (w - dw, config, 1),
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


@pytest.mark.parametrize(
    ("script", "options"),
    [
        ({"gradients": [1, 1]}, {"optim_config": {"learning_rate": 0}}),
        ({"gradients": []}, {"update_rule": unchanged}),
        ({"gradients": [1, 1], "losses": [np.nan] * 2}, {"update_rule": unchanged}),
    ],
)
@pytest.mark.filterwarnings("ignore::cs231n.solver.NonFiniteLossWarning")
def test_parameters_may_stay_as_they_are_with_a_rate_or_gradients_of_0_or_a_loss_that_is_not_finite(script, options):
    model = Threshold(5.0, **script)
    threshold_solver(model, 2, **options).train()
    assert_array_equal(model.params["w"], [5])


def test_some_parameters_may_stay_as_they_are():
    model = small_net()
    W1, b1 = model.params["W1"].copy(), model.params["b1"].copy()
    blob_solver(model, num_epochs=1, update_rule=lambda w, dw, config: (w - dw * (w.ndim == 1), config)).train()
    assert_array_equal(model.params["W1"], W1)
    assert not np.array_equal(model.params["b1"], b1)


def test_a_rule_without_a_learning_rate_is_left_alone_by_the_decay():
    model = Threshold(5.0, gradients=[1, 1])
    options = {"optim_config": {}, "lr_decay": 0.5}
    threshold_solver(model, 2, update_rule=lambda w, dw, config: (w - np.sign(dw), config), **options).train()
    assert_array_equal(model.params["w"], [3])


# Accuracy and randomness


def test_accuracy_is_the_share_of_right_answers_whatever_the_batch():
    model, data = Threshold(3.0), thresholds()
    solver = threshold_solver(model, 1)
    for batch_size, seen in ((1, [1] * 10), (3, [3, 3, 3, 1]), (5, [5, 5]), (10, [10])):
        model.seen.clear()
        accuracy = solver.check_accuracy(data["X_val"], data["y_val"], batch_size=batch_size)
        assert type(accuracy) is float
        assert_allclose(accuracy, 0.7)
        assert model.seen == seen
    model.seen.clear()
    solver.check_accuracy(np.ones((250, 1)), np.ones(250, int))
    assert model.seen == [100, 100, 50]


def test_accuracy_may_be_measured_on_a_random_sample():
    model, data = Threshold(3.0), thresholds()
    solver = threshold_solver(model, 1)
    np.random.seed(0)
    sample = np.random.choice(10, 6)
    np.random.seed(0)
    accuracy = solver.check_accuracy(data["X_val"], data["y_val"], num_samples=6)
    assert_allclose(accuracy, np.mean(sample >= 3))
    assert model.seen == [6]


def test_accuracy_needs_an_example():
    solver = threshold_solver(Threshold(), 1)
    one, label = np.ones((1, 1)), np.zeros(1, int)
    assert solver.check_accuracy(one, label) == 1
    with pytest.raises(ValueError, match=r"^X must hold at least one example, got shape \(0, 1\)"):
        solver.check_accuracy(one[:0], label[:0])
    with pytest.raises(ValueError, match=r"^y must have shape \(1,\) \(one label for each example of X\)"):
        solver.check_accuracy(one, label[:0])
    for name in ("num_samples", "batch_size"):
        with pytest.raises(ValueError, match=f"^{name}.* must be an integer of at least 1, got 0"):
            solver.check_accuracy(one, label, **{name: 0})


@pytest.mark.parametrize(
    ("arguments", "draws"),
    [
        ({"num_train_samples": None}, []),
        ({"num_train_samples": 60}, []),
        ({"num_train_samples": 61}, []),
        ({}, []),
        ({"num_train_samples": 7}, [(60, 7)]),
        ({"num_train_samples": 7, "num_val_samples": 5}, [(60, 7), (20, 5)]),
        ({"num_train_samples": None, "num_val_samples": 5}, [(20, 5)]),
    ],
)
def test_the_random_stream_is_batches_then_samples(arguments, draws):
    solver = blob_solver(batch_size=30, num_epochs=2, **arguments)
    np.random.seed(3)
    solver.train()
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
    options = {"batch_size": 1, "print_every": 2, "verbose": True, "num_train_samples": None}
    threshold_solver(model, 2, train=3, **options).train()
    assert capsys.readouterr().out.splitlines() == [
        "(Iteration 1 / 6) loss: 2.500000",
        "(Epoch 0 / 2) train acc: 0.000000; val_acc: 0.600000",
        "(Iteration 3 / 6) loss: 1.750000",
        "(Epoch 1 / 2) train acc: 0.000000; val_acc: 0.600000",
        "(Iteration 5 / 6) loss: 1.250000",
        "(Epoch 2 / 2) train acc: 0.000000; val_acc: 0.700000",
    ]


def test_the_bar_counts_the_iterations(monkeypatch):
    bars = []
    monkeypatch.setattr("cs231n.solver.progress_bar", lambda *of: bars.append((of, progress_bar(*of))) or bars[0][1])
    monkeypatch.setattr("cs231n.progress._watched", lambda: True)
    blob_solver(num_epochs=3).train()
    [(arguments, bar)] = bars
    assert arguments == (9, "training", "it")
    assert bar.n == 9


# Interruption


@pytest.mark.parametrize(
    ("losses", "w", "line"),
    [
        ([1, 1, 1, KeyboardInterrupt()], 2, "Interrupted after 3 iterations: .*val_acc 0.800000"),
        ([KeyboardInterrupt()], 5, "Interrupted after 0 iterations: .*val_acc 0.000000"),
    ],
)
def test_an_interrupted_run_returns_and_keeps_the_best_parameters(losses, w, line, capsys):
    model = Threshold(5.0, gradients=[3, -1, -2], losses=losses)
    solver = threshold_solver(model, 10)
    solver.train()
    assert solver.interrupted is True
    assert len(solver.loss_history) == len(losses) - 1
    assert_array_equal(model.params["w"], [w])
    assert re.fullmatch(rf"{line}\)\n", capsys.readouterr().out)


def test_an_interrupted_run_can_be_taken_up_again():
    model = Threshold(5.0, gradients=[1, 1], losses=[1, KeyboardInterrupt(), 1])
    solver = threshold_solver(model, 1)
    solver.num_epochs = 2
    solver.train()
    assert solver.interrupted is True
    solver.num_epochs = 1
    solver.train()
    assert solver.interrupted is False
    assert_array_equal(model.params["w"], [3])


# Losses that are not finite


@pytest.mark.parametrize("loss", [np.nan, -np.inf, np.float32("inf")])
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


@pytest.mark.parametrize(
    ("losses", "w", "accuracies"), [([1, 1, np.nan], 2, [0.8, 0.7]), ([np.nan], 5, [])], ids=["later", "at first"]
)
def test_training_may_stop_at_a_loss_that_is_not_finite(losses, w, accuracies):
    model = Threshold(5.0, gradients=[3, -1, np.nan], losses=losses)
    solver = threshold_solver(model, 6, nonfinite="stop")
    with pytest.warns(NonFiniteLossWarning, match=f"at iteration {len(losses)}: "):
        solver.train()
    assert len(solver.loss_history) == len(losses)
    assert_allclose(solver.val_acc_history, accuracies)
    assert_array_equal(model.params["w"], [w])
    assert solver.interrupted is False


def test_a_model_may_overflow_and_divide_by_zero_on_its_way_but_only_in_training():
    class Careless(Threshold):
        def loss(self, X, y=None):
            np.float32([1e30]) ** 2, np.array([np.inf]) - np.inf, np.ones(1) / np.zeros(1)
            return super().loss(X, y)

    before = np.geterr()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        threshold_solver(Careless(), 1).train()
    assert np.geterr() == before


# Checkpoints


def test_a_checkpoint_is_written_after_each_epoch_if_it_has_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    threshold_solver(Threshold(), 2).train()
    assert list(tmp_path.iterdir()) == []
    model = Threshold(5.0, gradients=[1, 0.5, 2, 0.25], losses=[4, 3, 2, 1])
    solver = threshold_solver(model, 2, batch_size=2, checkpoint_name=tmp_path / "run.one")
    solver.train()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.one_epoch_1.npz", "run.one_epoch_2.npz"]
    for epoch, w, losses in ((1, 3.5, [4, 3]), (2, 1.25, [4, 3, 2, 1])):
        with np.load(tmp_path / f"run.one_epoch_{epoch}.npz", allow_pickle=False) as saved:
            assert saved["epoch"] == epoch
            assert_array_equal(saved["params/w"], [w])
            assert_array_equal(saved["loss_history"], losses)
            assert_array_equal(saved["val_acc_history"], solver.val_acc_history[: epoch + 1])


# Arguments


def test_the_signature_shows_every_keyword_with_its_default():
    assert str(inspect.signature(Solver)) == (
        "(model, data, *, update_rule='sgd', optim_config=None, lr_decay=1.0, batch_size=100, num_epochs=10, "
        "num_train_samples=1000, num_val_samples=None, checkpoint_name=None, print_every=10, verbose=True, "
        "nonfinite='continue')"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"update_rule": "adamm"}, "^update_rule must be a function or one of sgd, sgd_momentum, .* got 'adamm'"),
        ({"update_rule": "in_blocks"}, "^update_rule must be .* got 'in_blocks'"),
        ({"optim_config": 0.1}, "^optim_config must be a dictionary, got float"),
        ({"optim_config": {"learningrate": 1}}, "^optim_config must suit sgd: config must hold .* got 'learningrate'"),
        ({"optim_config": {"momentum": 1}, "update_rule": "sgd_momentum"}, r"^optim_config must suit .*\['momentum'\]"),
        ({"lr_decay": 0}, "^lr_decay must be a finite number above 0, got 0"),
        ({"batch_size": 0}, "^batch_size must be an integer of at least 1, got 0"),
        ({"num_epochs": -1}, "^num_epochs must be an integer of at least 0, got -1"),
        ({"num_train_samples": 0}, "^num_train_samples, unless None, must be an integer of at least 1, got 0"),
        ({"num_val_samples": 0}, "^num_val_samples, unless None, must be an integer of at least 1, got 0"),
        ({"checkpoint_name": 1}, "^checkpoint_name must be a string or a path, got int"),
        ({"print_every": 0}, "^print_every must be an integer of at least 1, got 0"),
        ({"verbose": "no"}, "^verbose must be True or False, got str"),
        ({"nonfinite": "ignore"}, "^nonfinite must be one of 'continue', 'stop', got 'ignore'"),
        ({"model": SimpleNamespace(params={})}, "^model must have a dictionary params and a method loss, got Simple"),
        ({"model": SimpleNamespace(params=[], loss=len)}, "^model must have a dictionary params and a method loss"),
        ({"data": [1, 2]}, "^data must be a dictionary, got list"),
    ],
)
def test_arguments_out_of_range_are_answered_by_their_name(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        Solver(**{"model": Threshold(), "data": thresholds(), **arguments})


def test_every_number_may_be_as_small_as_its_bound():
    ones = dict.fromkeys(["batch_size", "num_train_samples", "num_val_samples", "print_every"], 1)
    model = Threshold(3.0)
    solver = Solver(model, thresholds(), num_epochs=0, **ones)
    solver.train()
    assert solver.loss_history == solver.val_acc_history == []
    assert model.params["w"] == 3


@pytest.mark.parametrize("split", ["train", "val"])
def test_data_that_are_missing_or_do_not_agree_are_refused(split):
    X, y = f"X_{split}", f"y_{split}"
    data = thresholds()
    size = len(data[y])
    for wrong, message in (
        ({y: data[y][1:]}, rf"^data\['{y}'\] must have shape \({size},\) \(one label .*\), got \({size - 1},\)"),
        ({X: data[X][:0], y: data[y][:0]}, rf"^data\['{X}'\] must hold at least one example, got shape \(0, 1\)"),
        ({X: 1.0}, rf"^data\['{X}'\] must hold at least one example, got shape \(\)"),
        ({X: "images"}, rf"^data\['{X}'\] must be an array of real numbers, got dtype"),
        ({y: data[y] * 1.0}, rf"^data\['{y}'\] must be an array of integer class labels, got dtype float64"),
        ({y: -data[y]}, rf"^data\['{y}'\] must hold labels of at least 0, got -1"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            Solver(Threshold(), {**data, **wrong})
    for missing, words in (({y}, y), ({X, y}, f"{X} and {y}")):
        with pytest.raises(ValueError, match=f"^data must hold X_train, y_train, X_val and y_val; {words} missing"):
            Solver(Threshold(), {name: array for name, array in data.items() if name not in missing})


def test_validation_images_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"^data\['X_val'\] must have shape \(20, 2\) .*, got \(20, 3\)"):
        Solver(small_net(), {**blobs(), "X_val": np.zeros((20, 3))})
