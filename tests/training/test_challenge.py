import dataclasses
import os
import pickle
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import cifar10_challenge
from cs231n.challenge import (
    INGREDIENTS,
    Residual,
    ResNet,
    Settings,
    Training,
    augmentation,
    evaluate,
    load_model,
    without,
)

SMALL = Settings(widths=(8, 16), sizes=(16, 32), batch_size=20, peak_rate=0.1, bf16=False, seed=3)


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


def training(folder=None, settings=SMALL, **length):
    return Training(settings, TRAIN, VAL, device="cpu", folder=folder, verbose=False, **(length or {"epochs": 3}))


def same_parameters(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


# The settings


def test_the_rate_climbs_in_a_line_to_its_peak_and_falls_to_zero():
    settings = Settings(peak_rate=0.4, warm_up=0.25)
    rates = [settings.rate(progress) for progress in (0, 0.125, 0.25, 0.625, 1)]
    np.testing.assert_allclose(rates, [0, 0.2, 0.4, 0.2, 0], atol=1e-15)


def test_the_constant_rate_is_the_mean_of_the_cycle():
    cycle, constant = Settings(), Settings(one_cycle=False)
    midpoints = (np.arange(1000) + 0.5) / 1000
    assert constant.rate(0) == constant.rate(1) == pytest.approx(np.mean([cycle.rate(p) for p in midpoints]))


def test_the_images_grow_in_equal_parts_of_the_training():
    settings = Settings(sizes=(16, 24, 32))
    assert [settings.size(p) for p in (0, 0.33, 0.34, 0.66, 0.67, 1)] == [16, 16, 24, 24, 32, 32]


def test_each_ingredient_can_be_left_out():
    left_out = {name: without(Settings(), name) for name in INGREDIENTS}
    assert len({Settings(), *left_out.values()}) == 1 + len(INGREDIENTS)
    assert left_out["batch norm"].peak_rate == Settings().peak_rate / 8
    assert left_out["growing images"].size(0) == 32
    with pytest.raises(ValueError, match="ingredient must be one of 'batch norm', .* got 'salt'"):
        without(Settings(), "salt")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("widths", 32),
        ("widths", (8, 0)),
        ("sizes", (8,)),
        ("sizes", (32.0,)),
        ("batch_size", 0),
        ("peak_rate", "0.4"),
        ("peak_rate", -0.1),
        ("warm_up", 0),
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
    model = ResNet(Settings(widths=(8, 16)))
    patches = 24 * (3 * 2 * 2 + 1)
    filters = 9 * (24 * 8 + 2 * 8 * 8 + 8 * 16 + 2 * 16 * 16)
    batch_norm = 2 * (8 + 2 * 8 + 16 + 2 * 16)
    assert sum(p.numel() for p in model.parameters()) == patches + filters + batch_norm + 16 * 10


@pytest.mark.parametrize("size", [16, 24, 28, 32])
def test_images_of_every_size_give_scores(size):
    assert ResNet(Settings())(torch.zeros(2, 3, size, size, dtype=torch.uint8)).shape == (2, 10)


def test_the_network_normalizes_its_images():
    model = ResNet(SMALL)
    model.normalize_as(TRAIN.images)
    by_hand = TRAIN.images.numpy() / 1.0
    by_hand = (by_hand - by_hand.mean((0, 2, 3), keepdims=True)) / by_hand.std((0, 2, 3), keepdims=True)
    scores = model(TRAIN.images)
    model.mean.zero_(), model.std.fill_(1)
    torch.testing.assert_close(model(torch.from_numpy(by_hand).float()), scores, rtol=1e-3, atol=1e-4)


def test_images_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"images must have shape \(N, 3, H, W\), got \(3, 32, 32\)"):
        ResNet(SMALL).normalize_as(TRAIN.images[0])


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


def test_whitening_filters_are_not_learned():
    run = training()
    before = run.model.patches.weight.clone()
    run.run()
    assert torch.equal(run.model.patches.weight, before)
    assert not torch.equal(run.model.patches.bias, torch.zeros(24))


def test_at_first_a_stage_passes_on_what_it_is_given():
    x = torch.rand(2, 24, 6, 6)
    for identity in (True, False):
        convolution = ResNet(dataclasses.replace(Settings(), identity=identity)).stages[0][0]
        with torch.no_grad():
            assert torch.allclose(convolution(x)[:, :24], x) == identity


def test_a_residual_block_whose_layers_give_zero_passes_its_input_on():
    x = torch.randn(2, 8, 6, 6)
    for settings, expected in ((SMALL, x), (dataclasses.replace(SMALL, skip=False), torch.zeros_like(x))):
        block = Residual(8, settings)
        nn.init.zeros_(block.layers[1][2].weight)
        assert torch.equal(block(x), expected)


def test_without_batch_norm_the_convolutions_have_biases():
    modules = list(ResNet(dataclasses.replace(SMALL, batch_norm=False)).modules())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in modules)
    assert all(module.bias is not None for module in modules if isinstance(module, nn.Conv2d))


def test_the_order_of_a_pixels_channels_in_memory_changes_no_result():
    last, first = (ResNet(dataclasses.replace(SMALL, channels_last=order)) for order in (True, False))
    first.load_state_dict(last.state_dict())
    torch.testing.assert_close(first(VAL.images), last(VAL.images))


# The images of a batch


def test_augmented_images_are_shifted_and_mirrored_ones():
    images = TRAIN.images[:12]
    torch.manual_seed(0)
    augmented = augmentation(Settings(), 32)(images)
    assert augmented.dtype == torch.uint8 and augmented.shape == images.shape
    padded = nn.functional.pad(images.float(), (4,) * 4, mode="reflect").to(torch.uint8)
    places = []
    for got, source in zip(augmented, padded):
        windows = {
            (y, x, mirrored): torch.equal(got, window.flip(2) if mirrored else window)
            for y in range(9)
            for x in range(9)
            for mirrored in (False, True)
            for window in [source[:, y : y + 32, x : x + 32]]
        }
        places += [place for place, found in windows.items() if found]
    assert len(places) == len(images)
    assert len(set(places)) == 3 and places[0] == places[3] != places[4], "four images share a draw"


def test_without_augmentation_images_are_scaled_only():
    settings = Settings(augment=False)
    assert torch.equal(augmentation(settings, 32)(VAL.images), VAL.images)
    scaled = augmentation(settings, 16)(VAL.images)
    assert scaled.shape == (30, 3, 16, 16) and scaled.dtype == torch.uint8
    block_means = VAL.images.float().unflatten(2, (16, 2)).unflatten(4, (16, 2)).mean(dim=(3, 5))
    assert (scaled - block_means).abs().mean() < 8, "scaled by half, a pixel is about the mean of four"


# The accuracy


class Rule(nn.Module):
    """Scores by the brightest pixel of the left column: class 1 where it is above 100, else class 0."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(3, 1, 1))
        self.modes = []

    def forward(self, images):
        self.modes.append(self.training)
        bright = images[:, 0, :, 0].amax(dim=1) > 100
        return torch.stack([torch.zeros(len(images)), torch.where(bright, 3.0, -1.0)], dim=1)


def test_accuracy_counts_the_mean_of_both_views():
    data = Coloured(4, seed=0)
    data.labels = torch.tensor([0, 1, 1, 1])
    data.images = torch.zeros(4, 3, 2, 2, dtype=torch.uint8)
    data.images[1, 0, 0, 1] = 200  # bright where it is mirrored only: class 1 has (0.27 + 0.95) / 2
    data.images[2, 0, 0, :] = 200
    model = Rule().train()
    assert evaluate(model, data) == 3 / 4
    assert not any(model.modes) and model.training, "evaluated in eval mode, left in train mode"


# The training


def test_training_learns_and_says_how():
    run = training(epochs=4)
    run.run()
    assert run.history[-1]["accuracy"] > 0.9
    assert run.history[-1]["loss"] < run.history[0]["loss"]
    assert [epoch["images"] for epoch in run.history] == [100, 200, 300, 400]
    assert run.best == max(epoch["accuracy"] for epoch in run.history)


def test_the_same_seed_gives_the_same_network():
    runs = [training(settings=dataclasses.replace(SMALL, seed=seed)) for seed in (1, 1, 2)]
    for run in runs:
        run.run()
    assert same_parameters(runs[0].model, runs[1].model)
    assert not same_parameters(runs[0].model, runs[2].model)


def test_weights_decay_and_other_parameters_do_not():
    run = training()
    for group in run.optimizer.param_groups:
        shapes = {p.ndim > 1 for p in group["params"]}
        assert shapes == {group["weight_decay"] > 0}


def test_a_limit_in_seconds_completes_the_cycle_and_leaves_the_reserve():
    run = training(seconds=2.5)
    run.run(spent=0.5, reserve=0.5)
    assert run.progress == 1
    assert 2 <= run.seconds < 3
    assert run.optimizer.param_groups[0]["lr"] < 0.2 * SMALL.peak_rate


def test_bf16_learns_too():
    run = training(settings=dataclasses.replace(SMALL, bf16=True), epochs=4)
    run.run()
    assert run.history[-1]["accuracy"] > 0.9


def test_a_batch_larger_than_the_training_set_is_all_of_it():
    run = training(settings=dataclasses.replace(SMALL, batch_size=1000), epochs=1)
    run.run()
    assert run.images == 100


@pytest.mark.parametrize("length", [{"epochs": 1, "seconds": 1}, {"epochs": None}])
def test_exactly_one_length_must_be_given(length):
    with pytest.raises(ValueError, match="exactly one of epochs and seconds must be given"):
        training(**length)


@pytest.mark.parametrize("length", [{"epochs": 0}, {"seconds": -1.0}, {"seconds": float("nan")}])
def test_a_length_must_be_positive(length):
    with pytest.raises(ValueError, match=f"{next(iter(length))} must be a finite number above 0"):
        training(**length)


def test_images_without_labels_are_refused_before_the_training():
    fewer = SimpleNamespace(images=TRAIN.images[:50], labels=TRAIN.labels, classes=TRAIN.classes)
    with pytest.raises(ValueError, match="train must hold .* got 50 images and 100 labels"):
        Training(SMALL, fewer, VAL, epochs=1)


def test_settings_must_be_settings():
    with pytest.raises(TypeError, match="settings must be Settings, got dict"):
        training(settings={"peak_rate": 0.1})


def test_a_reserve_must_leave_time_to_train():
    with pytest.raises(ValueError, match="reserve must be less than the run's 2 seconds, got 3"):
        training(seconds=2).run(reserve=3)


def test_a_device_that_is_not_there_is_said_so():
    with pytest.raises(ValueError, match="device must be one that PyTorch can use here, got 'abacus'"):
        Training(SMALL, TRAIN, VAL, epochs=1, device="abacus")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this one is for machines without a GPU")
def test_a_gpu_that_is_not_there_is_said_so():
    with pytest.raises(ValueError, match="device must be one that PyTorch can use here, got 'cuda'"):
        load_model("model.pt", device="cuda")


# Checkpoints


class Killed(BaseException):
    """Ends a run where it stands, without a word to it."""


def stop_at(run, step, error):
    """Let a run end by an error in its step of that number."""
    inner, steps = run._step, iter(range(1, 10_000))

    def limited(rows):
        if next(steps) == step:
            raise error
        return inner(rows)

    run._step = limited
    with pytest.raises(type(error)):
        run.run()


@pytest.mark.parametrize("step", [6, 9, 12])
def test_a_resumed_run_ends_like_one_that_was_never_stopped(tmp_path, step):
    whole = training()
    whole.run()
    stop_at(training(tmp_path), step, Killed())
    torch.manual_seed(99)
    resumed = training(tmp_path)
    assert resumed.resume()
    assert len(resumed.history) == (step - 1) // 5
    resumed.run()
    assert same_parameters(resumed.model, whole.model)
    assert [e["loss"] for e in resumed.history] == [e["loss"] for e in whole.history]


def test_there_is_nothing_to_resume_before_the_first_epoch_and_after_the_last(tmp_path):
    run = training(tmp_path)
    assert not run.resume()
    run.run()
    assert os.listdir(tmp_path) == ["model.pt"]
    assert not training(tmp_path).resume()


def test_the_saved_model_is_the_last_one_when_training_has_ended(tmp_path):
    run = training(tmp_path)
    run.run()
    model = load_model(tmp_path / "model.pt", "cpu")
    assert same_parameters(model, run.model) and not model.training


def test_a_model_is_loaded_whatever_numbers_its_settings_were_given(tmp_path):
    settings = dataclasses.replace(SMALL, widths=[8, np.int64(16)], peak_rate=np.float32(0.125))
    assert settings == dataclasses.replace(SMALL, peak_rate=0.125)
    run = training(tmp_path, settings, epochs=1)
    run.run()
    assert same_parameters(load_model(tmp_path / "model.pt", "cpu"), run.model)


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


def test_a_checkpoint_of_other_settings_is_refused_by_name(tmp_path):
    stop_at(training(tmp_path), 7, Killed())
    other = training(tmp_path, settings=dataclasses.replace(SMALL, peak_rate=0.5), epochs=4)
    with pytest.raises(ValueError, match=r"another run, with peak_rate 0.1 instead of 0.5, epochs 3 instead of 4"):
        other.resume()


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    stop_at(training(tmp_path), 7, Killed())
    run = training(tmp_path)
    run.model.scores = nn.Linear(16, 5)
    with pytest.raises(ValueError, match=r"checkpoint.pt is damaged, or of another network"):
        run.resume()


def test_a_run_without_a_folder_cannot_be_resumed():
    with pytest.raises(ValueError, match="folder must be given to Training for a run to be resumed"):
        training().resume()


class RunsCode:
    def __reduce__(self):
        return os.kill, (os.getpid(), signal.SIGKILL)


DAMAGE = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:1000]),
    "empty": lambda path: path.write_bytes(b""),
    "another file": lambda path: path.write_bytes(b"no checkpoint"),
    "a list": lambda path: torch.save([1, 2], path),
    "code": lambda path: path.write_bytes(pickle.dumps(RunsCode(), protocol=2)),
    "code in place": lambda path: torch.save({"plan": RunsCode()}, path),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_checkpoint_is_refused_and_left(tmp_path, damage):
    stop_at(training(tmp_path), 7, Killed())
    damage(tmp_path / "checkpoint.pt")
    contents = (tmp_path / "checkpoint.pt").read_bytes()
    with pytest.raises(ValueError, match=r"checkpoint.pt .*: name another folder, or delete the file"):
        training(tmp_path).resume()
    assert (tmp_path / "checkpoint.pt").read_bytes() == contents


def test_a_file_without_a_model_is_refused(tmp_path):
    torch.save({"plan": {"depth": 3}, "model": {}}, tmp_path / "model.pt")
    with pytest.raises(ValueError, match="holds no model"):
        load_model(tmp_path / "model.pt", "cpu")


def test_a_checkpoint_that_cannot_be_written_leaves_the_last_one(tmp_path, monkeypatch):
    stop_at(training(tmp_path), 7, Killed())
    before = (tmp_path / "checkpoint.pt").read_bytes()

    def full_disk(state, file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(OSError, match="No space left"):
        training(tmp_path).run()
    assert sorted(os.listdir(tmp_path)) == ["checkpoint.pt", "model.pt"]
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


# The benchmark


def run_benchmark(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["cifar10_challenge", *map(str, arguments)])
    monkeypatch.setenv("CS231N_DATA", "shapes10")  # put back afterwards: the benchmark sets it
    return cifar10_challenge.main()


def test_the_benchmark_says_what_to_do_without_cifar10(monkeypatch, tmp_path):
    monkeypatch.setenv("CS231N_CIFAR10_DIR", str(tmp_path))
    answer = run_benchmark(monkeypatch, "--folder", tmp_path)
    assert answer.startswith("cifar10_challenge: ") and "\n" not in answer
    assert "name the folder that holds it" in answer


@pytest.mark.parametrize("minutes", ["0", "-1", "nan"])
def test_the_benchmark_wants_a_positive_budget(monkeypatch, capsys, minutes):
    with pytest.raises(SystemExit):
        run_benchmark(monkeypatch, f"--minutes={minutes}")
    assert "--minutes must be positive" in capsys.readouterr().err


def few_images(split):
    if split == "test":
        assert reads[-1] == "ended"
    reads.append(split)
    return Coloured(*{"train": (100, 0), "train+val": (130, 0)}.get(split, (30, 1)))


reads = []


@pytest.fixture
def few(monkeypatch):
    """The benchmark on few images, with a small network; it may see the test images after the training only."""
    reads.clear()
    monkeypatch.setattr(cifar10_challenge, "Images", few_images)
    monkeypatch.setattr(cifar10_challenge, "Settings", lambda: SMALL)
    inner = Training.run
    monkeypatch.setattr(Training, "run", lambda self, **budget: (inner(self, **budget), reads.append("ended")))
    monkeypatch.setattr(cifar10_challenge, "STARTED", cifar10_challenge.time.perf_counter())
    monkeypatch.setattr(cifar10_challenge, "NUM_TEST", len(VAL))


def test_the_benchmark_trains_within_its_budget_and_then_tests(few, monkeypatch, capsys, tmp_path):
    assert run_benchmark(monkeypatch, "--minutes", 0.1, "--device", "cpu", "--folder", tmp_path) == 0
    report = capsys.readouterr().out
    assert reads == ["train", "val", "ended", "test"]
    for line in ("✓ at most 0.1 min", "epochs", "images per second", "validation accuracy", "✓ at least 88 %"):
        assert line in report
    assert os.listdir(tmp_path) == ["model.pt"]


def test_the_benchmark_ends_well_on_ctrl_c_and_goes_on_later(few, monkeypatch, capsys, tmp_path):
    steps = iter(range(10_000))
    inner = Training._step

    def interrupted(self, rows):
        if next(steps) == 7:
            raise KeyboardInterrupt
        return inner(self, rows)

    monkeypatch.setattr(Training, "_step", interrupted)
    command = ("--minutes", 0.15, "--device", "cpu", "--folder", tmp_path)
    assert run_benchmark(monkeypatch, *command) == 130
    assert f"The best model yet is {tmp_path / 'model.pt'}" in capsys.readouterr().out
    assert run_benchmark(monkeypatch, *command) == 0
    assert "going on after epoch 1" in capsys.readouterr().out


def test_the_ablations_leave_out_each_ingredient_and_do_not_test(few, monkeypatch, capsys):
    monkeypatch.setattr(cifar10_challenge, "HELD_OUT", 30)
    assert run_benchmark(monkeypatch, "--ablations", "--minutes", 0.003, "--device", "cpu") == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [line for line in lines if line.endswith("epochs")]
    assert [row[:26].rstrip() for row in rows] == ["with everything", *(f"without {name}" for name in INGREDIENTS)]
    assert "test" not in reads
