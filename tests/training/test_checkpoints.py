"""Checkpoints: a resumed run ends like one that was never interrupted, and nothing else is taken for a checkpoint."""

import errno
import io
import os
import pickle
import shutil
import warnings
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_equal

from cs231n import optim
from cs231n.checkpoints import latest_checkpoint, load, save
from cs231n.classifiers.fc_net import FullyConnectedNet
from cs231n.progress import progress_bar
from cs231n.solver import NonFiniteLossWarning, Solver

# Three classes that overlap, so that accuracies go up and down.
RNG = np.random.default_rng(0)
DATA = {"y_train": RNG.integers(0, 3, 40), "y_val": RNG.integers(0, 3, 30)}
for split in "train", "val":
    y = DATA[f"y_{split}"]
    DATA[f"X_{split}"] = RNG.standard_normal((len(y), 6)) + y[:, np.newaxis]
SETTINGS = {
    "update_rule": "adam",
    "optim_config": {"learning_rate": 0.02},
    "lr_decay": 0.9,
    "batch_size": 8,
    "num_epochs": 5,
    "num_train_samples": 20,
    "num_val_samples": 25,
    "verbose": False,
}


def net(init=0, hidden_dims=(7, 6), normalization="batchnorm", dropout_keep_ratio=0.8, **arguments):
    """A net with weights of its own, drawn from the seed ``init``."""
    np.random.seed(init)
    return FullyConnectedNet(hidden_dims, 6, 3, dropout_keep_ratio, normalization, **arguments)


class NoisyNet(FullyConnectedNet):
    """Trains on blurred inputs, has a random generator for that, and notes its steps."""

    def __init__(self, init=0):
        np.random.seed(init)
        super().__init__([7], 6, 3)
        self.rng, self.losses, self._steps = np.random.default_rng(init), [], 0

    def loss(self, X, y=None):
        if y is None:
            return super().loss(X)
        loss, grads = super().loss(X + self.rng.standard_normal(X.shape), y)
        self.losses.append(loss)
        self._steps += 1
        return loss, grads


def run(folder, model=None, **arguments):
    """The solver of a whole run, which has left the checkpoints ``run_epoch_<n>.npz`` in the folder."""
    solver = Solver(model or net(), DATA, **{**SETTINGS, "checkpoint_name": folder / "run", **arguments})
    np.random.seed(1)
    solver.train()
    return solver


def resume(path, model=None, data=DATA, **arguments):
    return Solver.resume(path, model or net(init=9), data, **arguments)


def outcome(solver):
    """All that a run leaves behind, the next random number too."""
    return {
        "params": solver.model.params,
        "running averages": [{**layer, "mode": None} for layer in getattr(solver.model, "bn_params", [])],
        "best_params": solver.best_params,
        "optim_configs": solver.optim_configs,
        "histories": [solver.loss_history, solver.train_acc_history, solver.val_acc_history],
        "best_val_acc": solver.best_val_acc,
        "epoch": solver.epoch,
        "next random number": np.random.rand(),
    }


@pytest.fixture
def checkpoint(tmp_path):
    """The checkpoint of a run of one epoch."""
    run(tmp_path, num_epochs=1)
    return tmp_path / "run_epoch_1.npz"


# Resuming


MODELS = {
    "batch norm and dropout": (net, {}),
    "layer norm": (partial(net, normalization="layernorm", dtype=np.float64, reg=0.01), {"update_rule": "rmsprop"}),
    "a generator of its own": (NoisyNet, {"update_rule": "sgd_momentum"}),
    "nothing sampled": (net, {"num_train_samples": None, "num_val_samples": None}),
}


@pytest.mark.parametrize(("make", "arguments"), MODELS.values(), ids=MODELS)
def test_a_run_resumed_from_any_epoch_ends_with_the_same_bits(tmp_path, make, arguments):
    expected = outcome(run(tmp_path, make(), **arguments))
    last = (tmp_path / "run_epoch_5.npz").read_bytes()
    for epoch in range(1, 6):
        folder = tmp_path / str(epoch)
        folder.mkdir()
        solver = resume(shutil.copy(tmp_path / f"run_epoch_{epoch}.npz", folder), make(init=9))
        assert type(solver.epoch) is int
        np.random.rand(17)  # between resume and train, the reader may do what he likes
        solver.train()
        assert_equal(outcome(solver), expected)
        assert solver.model.params["W1"].dtype == expected["params"]["W1"].dtype
        assert (folder / "run_epoch_5.npz").read_bytes() == last
        assert sorted(os.listdir(folder)) == [f"run_epoch_{n}.npz" for n in range(epoch, 6)]


def interrupt(model, updates):
    """Let so many updates pass, an epoch has five, and then interrupt."""
    loss, left = model.loss, iter(range(updates))

    def limited(X, y=None):
        if y is not None and next(left, None) is None:
            raise KeyboardInterrupt
        return loss(X, y)

    model.loss = limited


def test_a_run_interrupted_and_resumed_again_and_again_ends_with_the_same_bits(tmp_path, capsys):
    expected = outcome(run(tmp_path))
    path = tmp_path / "run_epoch_1.npz"
    for updates, goes_on_from in ((3, path), (7, tmp_path / "again_epoch_2.npz"), (5, tmp_path / "again_epoch_3.npz")):
        solver = resume(path, checkpoint_name=tmp_path / "again")
        interrupt(solver.model, updates)
        solver.train()
        assert solver.interrupted
        assert capsys.readouterr().out.endswith(f"; Solver.resume goes on from {goes_on_from}\n")
        path = goes_on_from
    solver = resume(path)
    solver.train()
    assert_equal(outcome(solver), expected)


def test_a_second_call_of_train_is_resumed_too(tmp_path):
    solver = run(tmp_path, NoisyNet(), num_epochs=2)
    solver.train()
    expected = outcome(solver)
    for epoch in (1, 2, 3, 4):
        solver = resume(tmp_path / f"run_epoch_{epoch}.npz", NoisyNet(9), checkpoint_name=tmp_path / "resumed")
        solver.train()
        if epoch < 3:
            assert solver.epoch == 2
            solver.train()
        assert_equal(outcome(solver), expected)


def test_a_finished_run_leaves_its_best_parameters_in_the_model(tmp_path):
    finished = run(tmp_path)
    assert finished.val_acc_history[-1] < finished.best_val_acc
    last = load(tmp_path / "run_epoch_5.npz")
    assert not np.array_equal(last["params"]["W1"], last["best_params"]["W1"])
    assert not np.array_equal(last["bn_params"][0]["running_mean"], last["best_bn_params"][0]["running_mean"])
    solver = resume(tmp_path / "run_epoch_5.npz", num_epochs=2)
    solver.train()
    assert solver.epoch == 5
    assert_equal(solver.model.params, finished.best_params)


def test_log_lines_go_on_where_the_run_stopped(tmp_path, capsys):
    run(tmp_path, verbose=True, print_every=4)
    lines = capsys.readouterr().out.splitlines()
    resume(tmp_path / "run_epoch_3.npz").train()
    assert capsys.readouterr().out.splitlines() == lines[lines.index(next(x for x in lines if "Epoch 3" in x)) + 1 :]


def test_a_run_may_be_lengthened_and_its_progress_bar_goes_on_where_it_stopped(tmp_path, monkeypatch):
    expected = outcome(run(tmp_path, num_epochs=3))
    run(tmp_path, num_epochs=1)
    bars = []
    monkeypatch.setattr("cs231n.solver.progress_bar", lambda *of: bars.append(progress_bar(*of)) or bars[0])
    solver = resume(tmp_path / "run_epoch_1.npz", num_epochs=3)
    solver.train()
    assert_equal(outcome(solver), expected)
    assert (bars[0].initial, bars[0].total) == (5, 15)


def own_rule(w, dw, config):
    return w - 0.1 * dw, config


@pytest.mark.parametrize("rule", [own_rule, partial(own_rule)], ids=["function", "object"])
def test_a_rule_of_the_reader_s_own_is_given_again(tmp_path, rule):
    expected = outcome(run(tmp_path, update_rule=rule))
    with pytest.raises(ValueError, match=r"^update_rule must be passed: the run of .*run_epoch_2.npz had .* \(not of"):
        resume(tmp_path / "run_epoch_2.npz")
    solver = resume(tmp_path / "run_epoch_2.npz", update_rule=rule)
    solver.train()
    assert_equal(outcome(solver), expected)


def test_what_a_run_was_given_may_be_given_again_and_the_reader_s_settings_may_be_others(checkpoint):
    resume(checkpoint, **SETTINGS)
    resume(checkpoint, update_rule=optim.adam, data={**DATA, "X_train": np.asfortranarray(DATA["X_train"])})
    chosen = {"num_epochs": 9, "print_every": 3, "verbose": True, "nonfinite": "stop", "checkpoint_name": None}
    solver = resume(checkpoint, **chosen)
    assert {name: getattr(solver, name) for name in chosen} == chosen


def test_checkpoints_of_a_resumed_run_stand_beside_its_own(tmp_path, monkeypatch, checkpoint):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    resume(shutil.copy(checkpoint, "renamed.npz"), num_epochs=2).train()
    resume(os.path.join("..", checkpoint.name), num_epochs=2).train()
    assert sorted(os.listdir()) == ["renamed.npz", "renamed_epoch_2.npz"]
    assert (tmp_path / "run_epoch_2.npz").exists()


def test_a_loss_that_was_reported_is_not_reported_again(tmp_path):
    diverging = partial(net, normalization=None, dropout_keep_ratio=1)
    with pytest.warns(NonFiniteLossWarning):
        run(tmp_path, diverging(), update_rule="sgd", optim_config={"learning_rate": 1e30})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        solver = resume(tmp_path / "run_epoch_2.npz", diverging())
        solver.train()
    assert len(solver.loss_history) == 25
    assert not np.isfinite(solver.loss_history[5:]).any()


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"model": net(hidden_dims=(8, 6))}, r"model.params.W1 was float32 \(6, 7\) and is float32 \(6, 8\)"),
        ({"model": net(normalization=None)}, "model.params.gamma1 is missing"),
        ({"model": net(seed=4)}, "model.dropout_param.seed is new"),
        ({"model": NoisyNet()}, "model.class was FullyConnectedNet and is NoisyNet"),
        ({"data": {**DATA, "X_train": DATA["X_train"][::-1]}}, "data.X_train was float64 .* and is float64"),
        (
            {"data": {**DATA, "y_train": DATA["y_train"][::-1]}},
            r"data.y_train was int64 \(40,\) of CRC-32 [0-9a-f]{8} ",
        ),
        ({"data": {**DATA, "y_val": 1 - DATA["y_val"] % 2}}, r"data.y_val was int64 .* and is int64"),
        ({"update_rule": "rmsprop"}, "update_rule was adam and is rmsprop"),
        ({"optim_config": {"learning_rate": 1.0}}, "optim_config.learning_rate was 0.02 and is 1.0"),
        ({"lr_decay": 1.0}, "lr_decay was 0.9 and is 1.0"),
        ({"num_val_samples": 7}, "num_val_samples was 25 and is 7"),
    ],
)
def test_what_differs_from_the_run_is_named(checkpoint, other, message):
    model = other.get("model", net(init=9))
    before = {name: w.copy() for name, w in model.params.items()}
    with pytest.raises(ValueError, match=rf"run_epoch_1.npz belongs to another run: .*{message}.*or train anew"):
        resume(checkpoint, **{**other, "model": model})
    assert_equal(model.params, before)


# What is no checkpoint


class Mkdir:
    """Pickles as a call of os.mkdir."""

    def __reduce__(self):
        return os.mkdir, ("touched_by_a_pickle",)


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


OBJECTS = np.array([Mkdir()], dtype=object)
FOREIGN = {
    "nothing": lambda content: b"",
    "pickle": lambda content: pickle.dumps(Mkdir()),
    "other arrays": lambda content: npz(W1=np.ones(3)),
    "objects beside a tree": lambda content: npz(tree=np.array("{}"), W1=OBJECTS),
    "no JSON": lambda content: npz(tree=np.array("no JSON")),
    "another version": lambda content: npz(tree=np.array('{"dict": {"format": 99}}')),
    "half": lambda content: content[: len(content) // 2],
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_what_is_no_checkpoint_is_refused_and_not_run(tmp_path, monkeypatch, checkpoint, content):
    monkeypatch.chdir(tmp_path)
    checkpoint.write_bytes(content(checkpoint.read_bytes()))
    with pytest.raises(ValueError, match=r"run_epoch_1.npz is not a checkpoint, or damaged \(.+\): resume from"):
        resume(checkpoint)
    assert os.listdir() == ["run_epoch_1.npz"]


def test_an_altered_byte_is_noticed_or_makes_no_difference(checkpoint):
    content, expected = checkpoint.read_bytes(), load(checkpoint)
    rng = np.random.default_rng(0)
    refused = 0
    for at in rng.choice(len(content), 40, replace=False):
        altered = bytearray(content)
        altered[at] ^= rng.integers(1, 256)
        checkpoint.write_bytes(altered)
        try:
            assert_equal(load(checkpoint), expected)
        except ValueError as error:
            assert str(error).startswith(f"{checkpoint} is not a checkpoint, or damaged (")
            refused += 1
    assert refused > 20


def test_where_no_checkpoint_was_found_there_is_none_to_resume(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no checkpoint .*run_epoch_3.npz: name a file .* finds the"):
        resume(tmp_path / "run_epoch_3.npz")
    with pytest.raises(TypeError, match="^path must be a string or a path, got NoneType"):
        resume(latest_checkpoint(tmp_path / "run"))
    with pytest.raises(TypeError, match="^checkpoint_name must be a string or a path, got NoneType"):
        latest_checkpoint(None)


# Writing


def test_where_the_disk_is_full_the_last_good_checkpoint_stays(tmp_path, checkpoint):
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    content = checkpoint.read_bytes()
    assert len(content) > 8192
    anew = Solver(net(), DATA, **SETTINGS, checkpoint_name=tmp_path / "run")
    for solver in (resume(checkpoint, num_epochs=3), anew):
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, before[1]))  # as on a full disk, nothing can be written beyond
        with pytest.raises(OSError, match=r"the checkpoint .* cannot be written \(File too large\).* go on") as error:
            solver.train()
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert error.value.errno == errno.EFBIG
        assert os.listdir(tmp_path) == ["run_epoch_1.npz"]
        assert checkpoint.read_bytes() == content


def test_a_folder_that_is_missing_or_read_only_is_told_before_training(tmp_path, monkeypatch):
    solver = Solver(net(), DATA, **SETTINGS, checkpoint_name=tmp_path / "missing" / "run")
    with pytest.raises(FileNotFoundError, match="there is no folder .*missing: make it first"):
        solver.train()
    (tmp_path / "missing").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PermissionError, match="the folder .*missing cannot be written: change its permissions"):
        solver.train()
    assert solver.loss_history == []


def test_what_a_killed_run_left_half_written_is_removed(tmp_path, checkpoint):
    others = ["run_epoch_x.npz.part", "runner_epoch_2.npz.part", "another run_epoch_2.npz.part"]
    for name in ["run_epoch_2.npz.part", "run_epoch_9.npz.part", *others]:
        (tmp_path / name).write_bytes(b"PK half")
    resume(checkpoint, num_epochs=1).train()
    assert sorted(os.listdir(tmp_path)) == sorted(["run_epoch_1.npz", *others])


@pytest.mark.parametrize("value", [OBJECTS, {1: 2}, {"set": {1}}], ids=["objects", "integer key", "set"])
def test_what_cannot_be_kept_is_named(tmp_path, value):
    with pytest.raises(TypeError, match=r"^optim_configs/w/own(/set)? must be an array, number, string or None, or"):
        save(tmp_path / "run.npz", {"optim_configs": {"w": {"own": value}}})
    assert os.listdir(tmp_path) == []


def test_what_is_kept_comes_back_with_its_types(tmp_path):
    arrays = {
        "a/b": np.arange(3),
        "a": {"b": np.float16([1, 2])},
        "a%2Fb": np.zeros((0, 4)),
        "..": np.array(5.0),
        "": np.array(["é", "x"]),
    }
    numbers = [1, 2**80, -0.0, 0.1, np.inf, True, None, "text \ud800", np.float32(0.1), np.int8(3), np.bool_(1)]
    kept = {"numbers": numbers, "tuple": (1, (2.0, "x"), []), "arrays": arrays}
    save(tmp_path / "kept.npz", kept)
    read = load(tmp_path / "kept.npz")
    assert_equal(read, kept)
    assert [type(x) for x in read["numbers"]] == [type(x) for x in numbers]
    assert np.signbit(read["numbers"][2])
    assert type(read["tuple"]) is tuple
    assert (read["arrays"]["a/b"].dtype, read["arrays"]["a"]["b"].dtype) == (arrays["a/b"].dtype, np.float16)
    assert isinstance(read["arrays"][".."], np.ndarray)


def test_the_latest_checkpoint_is_the_one_that_was_written_last(tmp_path, monkeypatch):
    own = {"run_epoch_2.npz": 5, "run_epoch_10.npz": 5, "run_epoch_30.npz": 4, "r.n_epoch_1.npz": 9}
    others = ["run_epoch_11.npz.part", "run_epoch_x.npz", "a run_epoch_12.npz", "runs_epoch_13.npz", "run.npz"]
    for name, seconds in {**own, **dict.fromkeys(others, 9)}.items():
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (seconds, seconds))
    # That of epoch 30 is left from an earlier run; the time stamps of small files may be equal.
    assert latest_checkpoint(tmp_path / "run") == tmp_path / "run_epoch_10.npz"
    assert latest_checkpoint(tmp_path / "r.n") == tmp_path / "r.n_epoch_1.npz"
    assert latest_checkpoint(tmp_path / "other") is None
    assert latest_checkpoint(tmp_path / "missing" / "run") is None
    monkeypatch.chdir(tmp_path)
    assert str(latest_checkpoint("run")) == "run_epoch_10.npz"
