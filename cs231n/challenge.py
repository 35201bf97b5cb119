"""The challenge: a small residual network, trained well on whatever processor there is.

:class:`Settings` holds every choice, :class:`ResNet` is the network, :class:`Training` the loop, which keeps a
checkpoint and the best model on disk. The recipe gathers what shortens training: residual blocks (He et al. 2016,
arXiv:1512.03385), batch normalization (Ioffe and Szegedy 2015, arXiv:1502.03167), one cycle of the learning rate (Smith
and Topin 2018, arXiv:1708.07120), label smoothing (Szegedy et al. 2016, arXiv:1512.00567), images that grow during
training (Howard 2018, progressive resizing in DAWNBench), a max-pooled, scaled output (Page 2018, "How to Train Your
ResNet").
"""

import dataclasses
import math
import numbers
import os
import pickle
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.transforms import v2

from .layers.arguments import as_float, require_flag, require_integer, require_number, require_path, require_type
from .progress import progress_bar

# What a run keeps in its folder.
CHECKPOINT, MODEL = "checkpoint.pt", "model.pt"
# How far a run is: the attributes that its checkpoint holds beside the states of model and optimizer.
PROGRESS = ("random", "seconds", "images", "history", "best")

__all__ = [
    "INGREDIENTS", "ResNet", "Residual", "Settings", "Training", "augmentation", "bf16_is_faster", "evaluate",
    "load_model", "pick_device", "without",
]


@dataclasses.dataclass(frozen=True)
class Settings:
    """Every choice of the challenge but how long it trains.

    Parameters
    ----------
    widths : tuple of int
        Channels of the stages. Each stage halves height and width.
    whiten : bool
        Fix the first layer's filters so that its outputs are uncorrelated (:meth:`ResNet.whiten`); without, it learns
        them.
    identity : bool
        Let the first layer of a stage pass its inputs on at first, as far as it has outputs for them; without, all
        filters are random.
    skip : bool
        Residual blocks add their input to their output; without, they are two plain layers.
    batch_norm : bool
        Normalize after each convolution.
    sizes : tuple of int
        Height and width of the training images, in pixels, one after the other for equal parts of the training.
    augment : bool
        Shift training images by up to four pixels each way and mirror half of them.
    batch_size : int
    peak_rate : float
        Learning rate at the top of the cycle.
    warm_up : float
        Share of the training in which the rate climbs to its peak, from 0; it then falls to 0 in a line.
    one_cycle : bool
        Without, the rate is half the peak all the time, which is the cycle's mean.
    momentum : float
        Of Nesterov's kind.
    weight_decay : float
        For weights and filters; not for biases, scales and shifts.
    label_smoothing : float
        Share of the target that is spread over all classes.
    channels_last : bool
        Keep a pixel's channels side by side in memory.
    bf16 : bool or None
        Convolutions in 16-bit brain floats by autocast. None: where a convolution gets faster by it.
    seed : int
        For PyTorch's random state: initial weights, batches, augmentation.

    Raises
    ------
    TypeError, ValueError
        A choice that is none, by its name.
    """

    widths: tuple[int, ...] = (64, 128, 256)
    whiten: bool = True
    identity: bool = True
    skip: bool = True
    batch_norm: bool = True
    sizes: tuple[int, ...] = (24, 28, 32)
    augment: bool = True
    batch_size: int = 256
    peak_rate: float = 0.4
    warm_up: float = 0.2
    one_cycle: bool = True
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1
    channels_last: bool = True
    bf16: bool | None = None
    seed: int = 231

    def __post_init__(self):
        _require_choices(self)

    def rate(self, progress):
        """Learning rate when a share ``progress`` of the training, 0 to 1, is done."""
        require_number("progress", progress, least=0, most=1)
        if not self.one_cycle:
            return self.peak_rate / 2
        return self.peak_rate * min(progress / self.warm_up, (1 - progress) / (1 - self.warm_up))

    def size(self, progress):
        """Height and width of the images at that moment."""
        require_number("progress", progress, least=0, most=1)
        return self.sizes[min(int(progress * len(self.sizes)), len(self.sizes) - 1)]


def _require_choices(settings):
    widths, sizes = settings.widths, settings.sizes
    require_type("widths", widths, (tuple, list), "a tuple of integers")
    require_type("sizes", sizes, (tuple, list), "a tuple of integers")
    if not widths or not sizes:
        raise ValueError(f"widths and sizes must hold an integer at least, got {widths!r} and {sizes!r}")
    for width in widths:
        require_integer("widths", width, least=1)
    for size in sizes:
        require_integer("sizes", size, least=_least_size(len(widths)))
    for name in ("whiten", "identity", "skip", "batch_norm", "augment", "one_cycle", "channels_last"):
        require_flag(name, getattr(settings, name))
    if settings.bf16 is not None:
        require_flag("bf16", settings.bf16)
    require_integer("batch_size", settings.batch_size, least=1)
    require_number("peak_rate", settings.peak_rate, least=0)
    for name in ("warm_up", "momentum"):
        require_number(name, getattr(settings, name), above=0, most=1 - 1e-6)
    require_number("weight_decay", settings.weight_decay, least=0)
    require_number("label_smoothing", settings.label_smoothing, least=0, most=1)
    require_integer("seed", settings.seed, least=0)


def _plain(settings):
    """The same choices as Python's own numbers and flags: PyTorch takes neither fractions nor NumPy's truth values."""
    names = ("peak_rate", "warm_up", "momentum", "weight_decay", "label_smoothing")
    numbers = {name: as_float(getattr(settings, name)) for name in names}
    return dataclasses.replace(settings, **numbers, bf16=None if settings.bf16 is None else bool(settings.bf16))


def _least_size(num_stages):
    """Height and width of the smallest images: a row of patches less, and each stage halves what is left."""
    return 2**num_stages + 1


def _require_images(name, images, channels, least=1):
    """Raise an error unless ``images`` is a tensor (N, channels, H, W) of real numbers, H and W at least ``least``."""
    if not isinstance(images, torch.Tensor):
        raise TypeError(f"{name} must be a tensor of images, got {type(images).__name__}")
    if images.is_complex():
        raise TypeError(f"{name} must be a tensor of real numbers, got {images.dtype}")
    if images.ndim != 4 or len(images) == 0 or images.shape[1] != channels or min(images.shape[2:]) < least:
        wanted = f"(N, {channels}, H, W) with N at least 1, H and W at least {least}"
        raise ValueError(f"{name} must have shape {wanted}, got {tuple(images.shape)}")


def _require_examples(name, data, least):
    """Raise an error unless ``data`` is like Images, one at least, none smaller than ``least``."""
    if not all(isinstance(getattr(data, part, None), torch.Tensor) for part in ("images", "labels")):
        raise TypeError(f"{name} must be Images, with tensors images and labels, got {type(data).__name__}")
    _require_images(f"{name}.images", data.images, 3, least)
    if data.labels.shape != (len(data.images),):
        shape = tuple(data.labels.shape)
        raise ValueError(f"{name} must have a label for each of its {len(data.images)} images, got labels {shape}")


# What makes up the recipe, and the settings without it.
INGREDIENTS = {
    "batch norm": {"batch_norm": False},
    "skip connections": {"skip": False},
    "whitening": {"whiten": False},
    "identity": {"identity": False},
    "one cycle": {"one_cycle": False},
    "growing images": {"sizes": (32,)},
    "augmentation": {"augment": False},
    "label smoothing": {"label_smoothing": 0.0},
    "channels_last": {"channels_last": False},
    "bf16": {"bf16": False},
}


def without(settings, ingredient):
    """The settings with one ingredient left out.

    Parameters
    ----------
    settings : Settings
    ingredient : str
        One of ``INGREDIENTS``. Without "batch norm" the learning rate is an eighth, as nets diverge otherwise.

    Returns
    -------
    settings : Settings

    Raises
    ------
    ValueError
        An unknown ingredient.
    """
    require_type("settings", settings, Settings, "Settings")
    if not isinstance(ingredient, str) or ingredient not in INGREDIENTS:
        raise ValueError(f"ingredient is {ingredient!r}: it must be one of {', '.join(INGREDIENTS)}")
    changes = dict(INGREDIENTS[ingredient])
    if ingredient == "batch norm":
        changes["peak_rate"] = settings.peak_rate / 8
    return dataclasses.replace(settings, **changes)


class Layer(nn.Sequential):
    """Convolution 3 × 3, max pooling where asked for, batch norm, ReLU."""

    def __init__(self, in_channels, out_channels, settings, pool=False):
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=not settings.batch_norm),
            nn.MaxPool2d(2) if pool else nn.Identity(),
            nn.BatchNorm2d(out_channels, momentum=0.4) if settings.batch_norm else nn.Identity(),
            nn.ReLU(inplace=True),
        )


class Residual(nn.Module):
    """``x + layer(layer(x))``."""

    def __init__(self, channels, settings):
        super().__init__()
        require_integer("channels", channels, least=1)
        require_type("settings", settings, Settings, "Settings")
        self.channels = int(channels)
        self.layers = nn.Sequential(Layer(channels, channels, settings), Layer(channels, channels, settings))
        self.skip = settings.skip

    def forward(self, x):
        _require_images("x", x, self.channels)
        return x + self.layers(x) if self.skip else self.layers(x)


class ResNet(nn.Module):
    """Patches, whitened; then stages, each a layer that halves height and width and a residual block; then scores.

    Parameters
    ----------
    settings : Settings
    num_classes : int
    """

    def __init__(self, settings, num_classes=10):
        super().__init__()
        require_type("settings", settings, Settings, "Settings")
        require_integer("num_classes", num_classes, least=1)
        self.least_size = _least_size(len(settings.widths))
        self.register_buffer("mean", torch.full((3, 1, 1), 127.5))
        self.register_buffer("std", torch.full((3, 1, 1), 64.0))
        self.patches = nn.Conv2d(3, 24, 2)
        self.stages = nn.Sequential()
        for before, width in pairwise((24, *settings.widths)):
            self.stages.append(Layer(before, width, settings, pool=True))
            self.stages.append(Residual(width, settings))
        self.scores = nn.Linear(settings.widths[-1], int(num_classes), bias=False)
        if settings.identity:
            for filters in (layer[0].weight.data for layer in self.stages if isinstance(layer, Layer)):
                nn.init.dirac_(filters[:filters.shape[1]])
        self.memory_format = torch.channels_last if settings.channels_last else torch.contiguous_format
        self.to(memory_format=self.memory_format)

    def forward(self, images):
        """Scores (N, num_classes) of images (N, 3, H, W) of pixels from 0 to 255, H and W above 2 ** stages."""
        _require_images("images", images, 3, self.least_size)
        x = self.stages(F.relu(self.patches(self._normalized(images))))
        # The largest response anywhere. The factor keeps the first scores, and so the first loss, moderate.
        return self.scores(x.amax(dim=(2, 3))) / 8

    def _normalized(self, images):
        return ((images.to(self.mean.dtype) - self.mean) / self.std).contiguous(memory_format=self.memory_format)

    @torch.no_grad()
    def normalize_as(self, images):
        """Take mean and standard deviation of each channel from these images (N, 3, H, W)."""
        _require_images("images", images, 3, least=2)
        std = images.float().std(dim=(0, 2, 3))
        if not (std > 0).all() or not std.isfinite().all():
            raise ValueError(f"images must be finite and differ in every channel, got deviations {std.tolist()}")
        self.mean.copy_(images.float().mean(dim=(0, 2, 3)).view(3, 1, 1))
        self.std.copy_(std.view(3, 1, 1))

    @torch.no_grad()
    def whiten(self, images):
        """Fix the first filters: the principal components of 2 × 2 patches, scaled to variance 1, and their negatives.

        What they give of these images (N, 3, H, W) is uncorrelated, so that the layers after them need not learn to
        undo that neighbouring pixels are alike (Jordan 2024, arXiv:2404.00498, section 3.1).
        """
        _require_images("images", images, 3, least=2)
        patches = self._normalized(images).unfold(2, 2, 1).unfold(3, 2, 1).permute(0, 2, 3, 1, 4, 5).reshape(-1, 12)
        patches = patches.double()
        covariance = patches.T @ patches / len(patches)
        if not covariance.isfinite().all():
            raise ValueError("images must be some, with finite values, got none or others")
        variances, components = torch.linalg.eigh(covariance)
        # The least of the components is noise: it is not scaled up without limit.
        filters = (components / (variances + 5e-4).sqrt()).T.view(12, 3, 2, 2)
        self.patches.weight.copy_(torch.cat([filters, -filters]))
        self.patches.weight.requires_grad_(False)


def pick_device(name=None):
    """The device to train on.

    Parameters
    ----------
    name : str or None
        Such as "cpu" or "cuda". None: a GPU where there is one.

    Returns
    -------
    torch.device

    Raises
    ------
    ValueError
        The device is not to be had.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    # torch without CUDA fails an assertion
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        has = "cpu and cuda" if torch.cuda.is_available() else "only cpu"
        message = f"the name of the device is {name!r}, which this PyTorch cannot use here: it has {has}"
        raise ValueError(message) from error
    return device


def bf16_is_faster(device):
    """Whether a convolution is faster in 16-bit brain floats than in 32-bit ones, by a margin.

    On a processor it is tried, which takes less than a tenth of a second.

    Parameters
    ----------
    device : torch.device

    Returns
    -------
    bool
    """
    require_type("device", device, torch.device, "a torch.device")
    if device.type != "cpu":
        return device.type == "cuda" and torch.cuda.is_bf16_supported()
    x = torch.zeros(32, 64, 16, 16).contiguous(memory_format=torch.channels_last)
    w = torch.zeros(64, 64, 3, 3).contiguous(memory_format=torch.channels_last)

    def seconds(dtype):
        times = []
        with torch.inference_mode():
            for _ in range(4):
                start = time.perf_counter()
                F.conv2d(x.to(dtype), w.to(dtype), padding=1)
                times.append(time.perf_counter() - start)
        return min(times)

    return seconds(torch.bfloat16) < 0.8 * seconds(torch.float32)


def augmentation(settings, size):
    """What happens to the images of a training batch.

    Parameters
    ----------
    settings : Settings
    size : int
        Height and width to scale to.

    Returns
    -------
    transform : callable
        From uint8 images (N, 3, H, W) to uint8 images (N, 3, size, size).
    """

    require_type("settings", settings, Settings, "Settings")
    require_integer("size", size, least=1)

    def transform(images):
        height, width = images.shape[-2:]
        if settings.augment:
            each = v2.Compose([
                v2.RandomCrop((height, width), padding=4, padding_mode="reflect"),
                v2.RandomHorizontalFlip(),
            ])
            # A transform draws once a call. Four images share a draw: one call each would take much longer.
            images = torch.cat([each(group) for group in images.split(4)])
        if (height, width) != (size, size):
            images = v2.functional.resize(images, [size, size], antialias=True)
        return images

    return transform


def evaluate(model, data, bf16=False, batch_size=1000):
    """Accuracy of a network on a set of images, each seen as it is and mirrored: the mean of both probabilities counts.

    Parameters
    ----------
    model : ResNet
    data : Images
    bf16 : bool
    batch_size : int

    Returns
    -------
    accuracy : float
        Share of the images given their label, 0 to 1.
    """
    require_type("model", getattr(model, "mean", None), torch.Tensor, "a ResNet")
    _require_examples("data", data, least=1)
    require_flag("bf16", bf16)
    require_integer("batch_size", batch_size, least=1)
    device = model.mean.device
    training = model.training
    model.eval()
    right = 0
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bool(bf16)):
        for images, labels in zip(data.images.split(int(batch_size)), data.labels.split(int(batch_size))):
            images = images.to(device)
            probabilities = sum(model(view).float().softmax(dim=1) for view in (images, images.flip(3)))
            right += (probabilities.argmax(dim=1).cpu() == labels).sum().item()
    model.train(training)
    return right / len(data.labels)


class Training:
    """A run of the challenge, for so many epochs or so many seconds.

    Random numbers are PyTorch's, and begin from ``settings.seed``.

    Parameters
    ----------
    settings : Settings
    train, val : Images
        Images to learn from, and to measure the accuracy on after each epoch.
    epochs : float, optional
    seconds : float, optional
        How long to train; one of both. With seconds, the learning rate and the size of the images follow the clock, so
        that the cycle is complete however fast the machine is; the last epoch may be cut short.
    device : str, optional
        Default: a GPU where there is one.
    folder : path, optional
        Where ``checkpoint.pt`` is written after each epoch, and ``model.pt``: the best model yet by its validation
        accuracy, and in the end the last, which the cycle has brought to rest. Default: nothing is written.
    verbose : bool
        Print a line after each epoch.

    Attributes
    ----------
    model : ResNet
    history : list of dicts
        For each epoch its ``loss`` (mean over its batches), ``accuracy`` on the validation images, and ``seconds`` and
        ``images`` since the start.
    seconds : float
        Spent in :meth:`run`, validation and saving included.
    images : int
        How many were learned from, repeats counted.
    best : float
        The best accuracy on the validation images yet; -1 before the first epoch's end.
    bf16 : bool
        Whether convolutions are computed in 16-bit brain floats.

    Raises
    ------
    ValueError
        Not exactly one of ``epochs`` and ``seconds``, one that is not positive, or a device that is not to be had.
    """

    def __init__(self, settings, train, val, *, epochs=None, seconds=None, device=None, folder=None, verbose=True):
        if (epochs is None) == (seconds is None):
            raise ValueError(f"one of epochs and seconds must be given, got {epochs!r} and {seconds!r}")
        name, length = ("epochs", epochs) if seconds is None else ("seconds", seconds)
        if not isinstance(length, numbers.Real) or not 0 < as_float(length) < math.inf:
            raise ValueError(f"{name} must be positive and finite, got {length!r}")
        require_type("settings", settings, Settings, "Settings")
        # Images are shifted by four pixels, which their own fill up.
        _require_examples("train", train, least=5 if settings.augment else 1)
        _require_examples("val", val, _least_size(len(settings.widths)))
        require_type("train", getattr(train, "classes", None), Sequence, "Images, with names in classes")
        if folder is not None:
            require_path("folder", folder)
        require_flag("verbose", verbose)
        self.settings = settings = _plain(settings)
        self.val = val
        self.epochs, self.limit, self.reserve = epochs, seconds, 0.0
        self.device = pick_device(device)
        self.folder = None if folder is None else Path(folder)
        self.verbose = verbose
        self.bf16 = bf16_is_faster(self.device) if settings.bf16 is None else settings.bf16

        torch.manual_seed(settings.seed)
        self.train_images, self.train_labels = train.images.to(self.device), train.labels.to(self.device)
        self.model = ResNet(settings, len(train.classes)).to(self.device)
        sample = self.train_images[:5000]
        self.model.normalize_as(sample)
        if settings.whiten:
            self.model.whiten(sample)
        learned = [p for p in self.model.parameters() if p.requires_grad]
        decayed, others = [p for p in learned if p.ndim > 1], [p for p in learned if p.ndim == 1]
        self.optimizer = torch.optim.SGD(
            [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": others}],
            lr=settings.peak_rate, momentum=settings.momentum, nesterov=True)
        self.random = _random_state(self.device)
        self.batch_size = int(min(settings.batch_size, len(self.train_labels)))
        self.seconds, self.images, self.history, self.best = 0.0, 0, [], -1.0

    @property
    def progress(self):
        """Share of the training that is done, 0 to 1."""
        if self.limit is not None:
            return min(self.seconds / (self.limit - self.reserve), 1.0)
        return min(self.images / (self.epochs * self._images_per_epoch), 1.0)

    @property
    def _images_per_epoch(self):
        return len(self.train_labels) // self.batch_size * self.batch_size

    def run(self, spent=0.0, reserve=0.0):
        """Train to the end, from where the run stands.

        Interrupted by Ctrl-C, it leaves the best model in the folder before it passes the interrupt on.

        Parameters
        ----------
        spent : float
            Seconds used up beforehand that count as training, such as for loading.
        reserve : float
            Seconds to leave for what comes after. Both matter to a run that is limited in seconds.
        """
        require_number("spent", spent, least=0)
        require_number("reserve", reserve, least=0)
        if self.limit is not None and reserve >= self.limit:
            raise ValueError(f"reserve must leave some of the {self.limit} seconds, got {reserve!r}")
        started = time.perf_counter() - self.seconds - spent
        self.reserve = reserve
        _set_random_state(self.device, self.random)
        with progress_bar(100, "challenge", "%") as bar:
            try:
                while self.progress < 1:
                    self._epoch(bar, started)
            except KeyboardInterrupt:
                self._keep_if_best(self._accuracy())
                raise
        if self.folder:
            self._save_model()
            (self.folder / CHECKPOINT).unlink(missing_ok=True)

    def _epoch(self, bar, started):
        losses = []
        order = torch.randperm(len(self.train_labels), device=self.device)
        for rows in order[:self._images_per_epoch].split(self.batch_size):
            if self.progress >= 1:
                break
            losses.append(self._step(rows))
            self.images += len(rows)
            self.seconds = time.perf_counter() - started
            bar.update(int(100 * self.progress) - bar.n)
        loss, accuracy = torch.stack(losses).mean().item(), self._accuracy()
        self._keep_if_best(accuracy)
        self.random = _random_state(self.device)
        self.seconds = time.perf_counter() - started
        self.history.append({"loss": loss, "accuracy": accuracy, "seconds": self.seconds, "images": self.images})
        if self.verbose:
            bar.write(f"epoch {len(self.history):2}  {self.seconds:6.1f} s  loss {loss:.3f}  validation {accuracy:.1%}")
        if self.folder:
            self._save_checkpoint()

    def _step(self, rows):
        """One update of the parameters; gives the loss before it."""
        settings, progress = self.settings, self.progress
        images = augmentation(settings, settings.size(progress))(self.train_images[rows])
        for group in self.optimizer.param_groups:
            group["lr"] = settings.rate(progress)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            scores = self.model(images)
        loss = F.cross_entropy(scores.float(), self.train_labels[rows], label_smoothing=settings.label_smoothing)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def _accuracy(self):
        return evaluate(self.model, self.val, self.bf16)

    def _keep_if_best(self, accuracy):
        if accuracy > self.best:
            self.best = accuracy
            if self.folder:
                self._save_model()

    def _save_model(self):
        _save({"settings": dataclasses.asdict(self.settings), "model": self.model.state_dict()}, self.folder / MODEL)

    def _save_checkpoint(self):
        _save({
            "run": self._run(),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            **{name: getattr(self, name) for name in PROGRESS},
        }, self.folder / CHECKPOINT)

    def _run(self):
        """What two runs must agree on for one to go on where the other stopped."""
        return {**dataclasses.asdict(self.settings), "epochs": self.epochs, "seconds": self.limit,
                "images": len(self.train_labels)}

    def resume(self):
        """Take up the run whose checkpoint is in the folder.

        Returns
        -------
        found : bool
            Whether there was one. With it, :meth:`run` goes on after the last epoch that was finished.

        Raises
        ------
        ValueError
            The file is no checkpoint, or that of another run.
        """
        if self.folder is None:
            raise ValueError("folder must have been given to Training for a run to be taken up")
        path = self.folder / CHECKPOINT
        if not path.exists():
            return False
        remedy = "name another folder, or delete the file to start anew"
        state = _load(path, self.device, remedy)
        mine = self._run()
        theirs = state.get("run", {})
        differing = [f"{name} {theirs.get(name)!r} instead of {value!r}" for name, value in mine.items()
                     if theirs.get(name) != value]
        if differing:
            raise ValueError(f"{path} is of another run, with {', '.join(differing)}: {remedy}")
        try:
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            for name in PROGRESS:
                setattr(self, name, state[name])
        except (KeyError, RuntimeError, ValueError) as error:
            raise ValueError(f"{path} is of another model ({_first_line(error)}): {remedy}") from error
        return True


def load_model(path, device=None):
    """A network that :class:`Training` has saved as ``model.pt``.

    Parameters
    ----------
    path : path
    device : str, optional
        Default: a GPU where there is one.

    Returns
    -------
    model : ResNet
        Ready to evaluate.
    """
    require_path("path", path)
    device = pick_device(device)
    state = _load(Path(path), device, "train one with Training")
    try:
        model = ResNet(Settings(**state["settings"]), len(state["model"]["scores.weight"]))
        model.load_state_dict(state["model"])
    except (KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"{path} holds no model of this workbook ({_first_line(error)})") from error
    return model.to(device).eval()


def _save(state, path):
    """Write a file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        with open(part, "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _load(path, device, remedy):
    """A file of :func:`_save`; nothing in it is run."""
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path} is damaged or no file of this workbook ({_first_line(error)}): {remedy}") from error
    if not isinstance(state, dict):
        raise ValueError(f"{path} holds a {type(state).__name__} where a dictionary was expected: {remedy}")
    return state


def _first_line(error):
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _random_state(device):
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def _set_random_state(device, state):
    torch.set_rng_state(state["cpu"].cpu())
    if device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"].cpu(), device)
