import dataclasses
import json
import os
import pickle
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import challenge_ablation, cifar10_challenge
from cs231n.challenge import (
    INGREDIENTS,
    Residual,
    ResNet,
    Settings,
    Training,
    augmentation,
    evaluate,
    kept_ablation,
    load_model,
    without,
)

SMALL = Settings(widths=(8, 16), sizes=(16, 32), batch_size=20, peak_rate=0.1, bf16=False, seed=3)


def small(**choices):
    return dataclasses.replace(SMALL, **choices)


class Coloured:
    """Images of three classes: red, green and blue ones, with noise over them."""

    classes = ("red", "green", "blue")

    def __init__(self, count, seed):
        generator = torch.Generator().manual_seed(seed)
        self.labels = torch.arange(count) % 3
        noise = torch.randint(0, 100, (count, 3, 32, 32), generator=generator)
        self.images = (noise + 120 * nn.functional.one_hot(self.labels, 3)[:, :, None, None]).to(torch.uint8)

    def __len__(self):
        return len(self.labels)


TRAIN, VAL = Coloured(100, seed=0), Coloured(30, seed=1)


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def training(folder=None, settings=SMALL, train=TRAIN, **options):
    options = {"device": "cpu", "verbose": False, **({"epochs": 3} if "seconds" not in options else {}), **options}
    return Training(settings, train, VAL, folder=folder, **options)


def trained(*arguments, **options):
    run = training(*arguments, **options)
    run.run()
    return run


def same_parameters(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


# The settings


def test_the_rate_climbs_in_a_line_to_its_peak_and_falls_to_zero_or_stays_at_the_mean_of_that():
    settings = Settings(peak_rate=0.4, warm_up=0.25)
    rates = [settings.rate(progress) for progress in (0, 0.125, 0.25, 0.625, 1)]
    np.testing.assert_allclose(rates, [0, 0.2, 0.4, 0.2, 0], atol=1e-15)
    constant = Settings(peak_rate=0.4, one_cycle=False)
    assert constant.rate(0) == constant.rate(1) == 0.2


def test_the_images_grow_in_equal_parts_of_the_training():
    settings = Settings(sizes=(16, 24, 32))
    assert [settings.size(p) for p in (0, 0.33, 0.34, 0.66, 0.67, 1)] == [16, 16, 24, 24, 32, 32]


def test_each_ingredient_can_be_left_out():
    left_out = {name: without(Settings(), name) for name in INGREDIENTS}
    assert len({Settings(), *left_out.values()}) == 1 + len(INGREDIENTS)
    assert {settings.peak_rate for settings in left_out.values()} == {Settings().peak_rate}
    assert left_out["growing images"].size(0) == 32
    with pytest.raises(ValueError, match="ingredient must be one of 'batch norm', .* got 'salt'"):
        without(Settings(), "salt")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sizes", (8,)),
        ("batch_size", 0),
        ("peak_rate", -0.1),
        ("momentum", 1),
        ("weight_decay", -1e-4),
        ("label_smoothing", 2),
        ("augment", "no"),
        ("bf16", "yes"),
        ("seed", -1),
    ],
)
def test_a_choice_out_of_its_range_or_of_another_type_is_refused_by_name(name, value):
    with pytest.raises((TypeError, ValueError), match=rf"{name}(\[\d\])? must"):
        Settings(**{name: value})


# The network


def test_the_network_has_the_parameters_that_its_layers_add_up_to():
    patches = 24 * (3 * 2 * 2 + 1)
    filters = 9 * (24 * 8 + 2 * 8 * 8 + 8 * 16 + 2 * 16 * 16)
    channels = 8 + 2 * 8 + 16 + 2 * 16
    for batch_norm, shifts in ((True, 2 * channels), (False, channels)):  # scale and shift, or the filters' biases
        parameters = ResNet(Settings(widths=(8, 16), batch_norm=batch_norm)).parameters()
        assert sum(p.numel() for p in parameters) == patches + filters + shifts + 16 * 10


def test_the_network_normalizes_its_images():
    model = ResNet(SMALL)
    model.normalize_as(TRAIN.images)
    by_hand = TRAIN.images.numpy() / 1.0
    by_hand = (by_hand - by_hand.mean((0, 2, 3), keepdims=True)) / by_hand.std((0, 2, 3), keepdims=True)
    scores = model(TRAIN.images)
    model.mean.zero_(), model.std.fill_(1)
    torch.testing.assert_close(model(torch.from_numpy(by_hand).float()), scores, rtol=1e-3, atol=1e-4)
    with pytest.raises(ValueError, match=r"images must have shape \(N, 3, H, W\), got \(3, 32, 32\)"):
        model.normalize_as(TRAIN.images[0])


def test_whitened_patches_are_uncorrelated_with_variance_one():
    model = ResNet(SMALL)
    images = torch.randint(0, 256, (200, 3, 8, 8), generator=torch.Generator().manual_seed(1)).float()
    images[:, 1] = 0.9 * images[:, 0] + 0.1 * images[:, 1]  # channels that go together
    images = nn.functional.avg_pool2d(images, 2)
    model.normalize_as(images)
    model.whiten(images)
    with torch.no_grad():
        out = nn.functional.conv2d((images - model.mean) / model.std, model.patches.weight)
    assert torch.equal(out[:, :12], -out[:, 12:])
    out = out[:, :12].transpose(0, 1).flatten(1).double()
    covariance = (out @ out.T / out.shape[1]).numpy()
    variances = np.diag(covariance)
    np.testing.assert_allclose(covariance, np.diag(variances), atol=1e-5)
    assert 0.9 < variances.min() and variances.max() < 1 and np.median(variances) > 0.99


def test_at_first_a_stage_passes_on_what_it_is_given():
    x = torch.rand(2, 24, 6, 6)
    for identity in (True, False):
        convolution = ResNet(Settings(identity=identity)).stages[0][0]
        with torch.no_grad():
            assert torch.allclose(convolution(x)[:, :24], x) == identity


def test_a_residual_block_whose_layers_give_zero_passes_its_input_on():
    x = torch.randn(2, 8, 6, 6)
    for settings, expected in ((SMALL, x), (small(skip=False), torch.zeros_like(x))):
        block = Residual(8, settings)
        nn.init.zeros_(block.layers[1][2].weight)
        assert torch.equal(block(x), expected)


# The images of a batch, and the accuracy


def test_augmented_images_are_shifted_and_mirrored_ones():
    images = TRAIN.images[:12]
    torch.manual_seed(0)
    augmented = augmentation(Settings(), 32)(images)
    assert augmented.dtype == torch.uint8 and augmented.shape == images.shape
    padded = nn.functional.pad(images.float(), (4,) * 4, mode="reflect").to(torch.uint8)
    places = [
        (y, x, mirrored)
        for got, source in zip(augmented, padded)
        for y, x, mirrored in np.ndindex(9, 9, 2)
        for window in [source[:, y : y + 32, x : x + 32]]
        if torch.equal(got, window.flip(2) if mirrored else window)
    ]
    assert len(places) == len(images)
    assert len(set(places)) == 3 and places[0] == places[3] != places[4], "four images share a draw"


def test_without_augmentation_images_are_scaled_only():
    settings = Settings(augment=False)
    assert torch.equal(augmentation(settings, 32)(VAL.images), VAL.images)
    scaled = augmentation(settings, 16)(VAL.images)
    assert scaled.shape == (30, 3, 16, 16) and scaled.dtype == torch.uint8
    block_means = VAL.images.float().unflatten(2, (16, 2)).unflatten(4, (16, 2)).mean(dim=(3, 5))
    assert (scaled - block_means).abs().mean() < 8, "scaled by half, a pixel is about the mean of four"


class Rule(nn.Module):
    """Scores by the brightest pixel of the left column: class 1 where it is above 100, else class 0."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(3, 1, 1))

    def forward(self, images):
        assert not self.training
        bright = images[:, 0, :, 0].amax(dim=1) > 100
        return torch.stack([torch.zeros(len(images)), torch.where(bright, 3.0, -1.0)], dim=1)


def test_accuracy_counts_the_mean_of_both_views():
    data = SimpleNamespace(images=torch.zeros(4, 3, 2, 2, dtype=torch.uint8), labels=torch.tensor([0, 1, 1, 1]))
    data.images[1, 0, 0, 1] = 200  # bright where it is mirrored only: class 1 has (0.27 + 0.95) / 2
    data.images[2, 0, 0, :] = 200
    model = Rule().train()
    assert evaluate(model, data) == 3 / 4
    assert model.training, "the mode is as it was"


# The training


@pytest.mark.parametrize("bf16", [False, True])
def test_training_learns_and_says_how(bf16):
    run = trained(settings=small(bf16=bf16), epochs=4)
    assert run.history[-1]["accuracy"] > 0.9
    assert run.history[-1]["loss"] < run.history[0]["loss"]
    assert [epoch["images"] for epoch in run.history] == [100, 200, 300, 400]
    assert run.best == max(epoch["accuracy"] for epoch in run.history)


def test_the_same_seed_gives_the_same_network():
    one, same, other = (trained(settings=small(seed=seed), epochs=1).model for seed in (1, 1, 2))
    assert same_parameters(one, same)
    assert not same_parameters(one, other)


def test_weights_decay_and_other_parameters_do_not_and_whitening_filters_are_not_learned():
    run = training(epochs=1)
    for group in run.optimizer.param_groups:
        shapes = {p.ndim > 1 for p in group["params"]}
        assert shapes == {group["weight_decay"] > 0}
    before = run.model.patches.weight.clone()
    run.run()
    assert torch.equal(run.model.patches.weight, before)
    assert not torch.equal(run.model.patches.bias, torch.zeros(24))


def test_a_limit_in_seconds_completes_the_cycle_and_leaves_the_reserve():
    run = training(seconds=2.5)
    run.run(spent=1, reserve=0.5)
    assert run.progress == 1
    assert 2 <= run.seconds < 3
    assert run.optimizer.param_groups[0]["lr"] < 0.3 * SMALL.peak_rate


def test_a_batch_larger_than_the_training_set_is_all_of_it():
    assert trained(settings=small(batch_size=1000), epochs=1).images == 100


FEWER_IMAGES = SimpleNamespace(images=TRAIN.images[:50], labels=TRAIN.labels, classes=TRAIN.classes)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epochs": 1, "seconds": 1}, "exactly one of epochs and seconds must be given"),
        ({"epochs": None}, "exactly one of epochs and seconds must be given"),
        ({"epochs": 0}, "epochs must be a finite number above 0"),
        ({"seconds": float("nan")}, "seconds must be a finite number above 0"),
        ({"train": FEWER_IMAGES}, "train must hold .* got 50 images and 100 labels"),
        ({"settings": {"peak_rate": 0.1}}, "settings must be Settings, got dict"),
        ({"device": "abacus"}, "device must be one that PyTorch can use here, got 'abacus'"),
    ],
)
def test_a_training_that_cannot_be_is_refused_before_it_begins(wrong, message):
    with pytest.raises((TypeError, ValueError), match=message):
        training(**wrong)


def test_a_reserve_must_leave_time_to_train():
    with pytest.raises(ValueError, match="reserve must be less than the run's 2 seconds, got 2"):
        training(seconds=2).run(reserve=2)


# Checkpoints


def stop_at(run, step, error):
    """Let a run end by an error in its step of that number; an epoch has five."""
    inner, steps = run._step, iter(range(1, 10_000))

    def limited(rows):
        if next(steps) == step:
            raise error
        return inner(rows)

    run._step = limited
    with pytest.raises(type(error)):
        run.run()


def test_a_resumed_run_ends_like_one_that_was_never_stopped(tmp_path):
    whole = trained()
    stop_at(training(tmp_path), 12, ZeroDivisionError())
    torch.manual_seed(99)
    resumed = training(tmp_path)
    assert resumed.resume()
    assert len(resumed.history) == 2
    resumed.run()
    assert same_parameters(resumed.model, whole.model)
    assert [e["loss"] for e in resumed.history] == [e["loss"] for e in whole.history]


def test_a_run_that_has_ended_leaves_its_model_and_nothing_to_resume(tmp_path):
    settings = small(widths=[8, np.int64(16)], peak_rate=np.float32(0.125))  # numbers that a file could not hold
    assert settings == small(peak_rate=0.125)
    run = training(tmp_path, settings, epochs=2)
    assert not run.resume()
    run.run()
    assert os.listdir(tmp_path) == ["model.pt"]
    assert not training(tmp_path, settings, epochs=2).resume()
    model = load_model(tmp_path / "model.pt", "cpu")
    assert same_parameters(model, run.model) and not model.training
    with pytest.raises(ValueError, match="folder must be given to Training for a run to be resumed"):
        training().resume()


def test_ctrl_c_leaves_the_best_model(tmp_path):
    run = training(tmp_path)
    stop_at(run, 3, KeyboardInterrupt())
    model = load_model(tmp_path / "model.pt", "cpu")
    assert os.listdir(tmp_path) == ["model.pt"]
    assert evaluate(model, VAL) == run.best

    run.best = 2.0  # better than anything that comes
    before = (tmp_path / "model.pt").read_bytes()
    stop_at(run, 2, KeyboardInterrupt())
    assert (tmp_path / "model.pt").read_bytes() == before


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    stop_at(training(tmp_path), 7, ZeroDivisionError())
    with pytest.raises(ValueError, match=r"another run, with peak_rate 0.1 instead of 0.5, epochs 3 instead of 4"):
        training(tmp_path, small(peak_rate=0.5), epochs=4).resume()
    run = training(tmp_path)
    run.model.scores = nn.Linear(16, 5)
    with pytest.raises(ValueError, match=r"checkpoint.pt is damaged, or of another network"):
        run.resume()


class RunsCode:
    def __reduce__(self):
        return os.kill, (os.getpid(), signal.SIGKILL)


DAMAGED = {
    "empty": lambda path: path.write_bytes(b""),
    "no model": lambda path: torch.save({"plan": {}, "model": {}}, path),
    "code": lambda path: path.write_bytes(pickle.dumps(RunsCode(), protocol=2)),
    "code in place": lambda path: torch.save({"plan": RunsCode()}, path),
}


@pytest.mark.parametrize("damaged", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_refused_and_left(tmp_path, damaged):
    path = tmp_path / "checkpoint.pt"
    damaged(path)
    contents = path.read_bytes()
    with pytest.raises(ValueError, match=r"checkpoint.pt .*: name another folder, or delete the file"):
        training(tmp_path).resume()
    with pytest.raises(ValueError, match="checkpoint.pt is damaged, or holds no model"):
        load_model(path, "cpu")
    assert path.read_bytes() == contents


def test_a_checkpoint_that_cannot_be_written_leaves_the_last_one(tmp_path, monkeypatch):
    stop_at(training(tmp_path), 7, ZeroDivisionError())
    before = (tmp_path / "checkpoint.pt").read_bytes()
    monkeypatch.setattr(torch, "save", lambda state, file: (file.write(b"half"), 1 / 0))
    with pytest.raises(ZeroDivisionError):
        training(tmp_path).run()
    assert sorted(os.listdir(tmp_path)) == ["checkpoint.pt", "model.pt"]
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


# The benchmark


def run_benchmark(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["cifar10_challenge", *map(str, arguments)])
    monkeypatch.setenv("CS231N_DATA", "shapes10")  # put back afterwards: the benchmark sets it
    return cifar10_challenge.main()


def test_the_benchmark_says_what_to_do_without_cifar10_or_a_budget(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("CS231N_CIFAR10_DIR", str(tmp_path))
    answer = run_benchmark(monkeypatch, "--folder", tmp_path)
    assert answer.startswith("cifar10_challenge: ") and "\n" not in answer
    assert "name the folder that holds it" in answer
    with pytest.raises(SystemExit):
        run_benchmark(monkeypatch, "--minutes=nan")
    assert "--minutes must be positive" in capsys.readouterr().err


@pytest.fixture
def reads(monkeypatch):
    """The benchmark on few images, with a small network; it may see the test images after the training only."""
    reads = []

    def few_images(split):
        assert split != "test" or reads[-1] == "ended"
        reads.append(split)
        return Coloured(*{"train": (100, 0), "train+val": (130, 0)}.get(split, (30, 1)))

    inner = Training.run
    monkeypatch.setattr(Training, "run", lambda self, **budget: (inner(self, **budget), reads.append("ended")))
    monkeypatch.setattr(cifar10_challenge, "Images", few_images)
    monkeypatch.setattr(cifar10_challenge, "Settings", lambda: SMALL)
    monkeypatch.setattr(cifar10_challenge, "STARTED", cifar10_challenge.time.perf_counter())
    monkeypatch.setattr(cifar10_challenge, "NUM_TEST", len(VAL))
    return reads


def test_the_benchmark_goes_on_after_ctrl_c_trains_within_its_budget_and_then_tests(
    reads, monkeypatch, capsys, tmp_path
):
    steps, inner = iter(range(10_000)), Training._step

    def interrupted(self, rows):
        if next(steps) == 7:
            raise KeyboardInterrupt
        return inner(self, rows)

    monkeypatch.setattr(Training, "_step", interrupted)
    command = ("--minutes", 0.1, "--device", "cpu", "--folder", tmp_path)
    assert run_benchmark(monkeypatch, *command) == 130
    assert f"The best model yet is {tmp_path / 'model.pt'}" in capsys.readouterr().out
    assert run_benchmark(monkeypatch, *command) == 0
    report = capsys.readouterr().out
    assert reads == ["train", "val", "train", "val", "ended", "test"]
    for line in ("going on after epoch 1", "✓ at most 0.1 min", "validation accuracy", "✓ at least 88 %"):
        assert line in report
    assert os.listdir(tmp_path) == ["model.pt"]


def test_the_kept_ablation_has_every_row_and_goes_on_where_it_was(monkeypatch, capsys, tmp_path):
    record = kept_ablation()
    runs = {(run["row"], run["rate"], run["seed"]) for run in record["runs"]}
    assert {row for row, _, _ in runs} == set(challenge_ablation.ROWS) == set(record["rows"])
    assert len(runs) == len(record["runs"]) and all(0.05 <= run["accuracy"] <= 1 for run in record["runs"])

    file, measured = tmp_path / "ablation.json", []
    monkeypatch.setattr(challenge_ablation, "measure", lambda *run: measured.append(run[:3]) or 0.5)
    monkeypatch.setenv("CS231N_DATA", "shapes10")
    for _ in range(2):
        monkeypatch.setattr("sys.argv", ["challenge_ablation", "--file", str(file), "--limit", "2"])
        assert challenge_ablation.main() == 0
    assert len(set(measured)) == 4
    assert [run["row"] for run in json.loads(file.read_text())["runs"]] == [row for row, _, _ in measured]


def test_one_view_or_two():
    class Left(torch.nn.Module):  # class 1 where the left half is brighter, with confidence; else class 0, with less
        mean = torch.zeros(1)

        def forward(self, images):
            brighter = (images[..., :16].float().mean((1, 2, 3)) > images[..., 16:].float().mean((1, 2, 3))).float()
            return torch.stack([1 - brighter, 5 * brighter], dim=1)

    images = Coloured(4, 0)
    images.images[..., :16], images.images[..., 16:] = 0, 200
    images.labels[:] = 0
    assert evaluate(Left(), images, mirrored=False) == 1
    assert evaluate(Left(), images) == 0
