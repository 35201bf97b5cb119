"""Every choice of the challenge, in one place."""

import dataclasses

from ..arguments import choice, flag, integer, number, sizes

__all__ = ["INGREDIENTS", "Settings", "without"]


@dataclasses.dataclass(frozen=True)
class Settings:
    """Every choice of the challenge but how long it trains.

    Parameters
    ----------
    widths : tuple of int
        Channels of the stages. Each stage halves height and width.
    whiten : bool
        Fix the first layer's filters so that its outputs are uncorrelated (:meth:`ResNet.whiten`).
    identity : bool
        Initialize the first layer of each stage to pass its inputs on, as far as it has outputs for them.
    skip, batch_norm : bool
        Add the input of a residual block to its output; normalize after each convolution.
    sizes : tuple of int
        Height and width of the training images in equal parts of the training, each above ``2 ** len(widths)``.
    augment : bool
        Shift training images by up to four pixels each way and mirror half of them.
    batch_size : int
    peak_rate, warm_up : float
        The learning rate climbs linearly to its peak in the share ``warm_up`` of the training, then falls to 0.
    one_cycle : bool
        Otherwise the rate is half the peak throughout, which is the mean of the cycle.
    momentum, weight_decay : float
        Nesterov momentum, above 0 and below 1; decay of weights and filters, not of biases, scales and shifts.
    label_smoothing : float
        Share of the target that is spread over all classes, from 0 to 1.
    channels_last : bool
        Store a pixel's channels side by side.
    bf16 : bool or None
        Compute convolutions in bfloat16, by autocast. None: where that is faster.
    seed : int
        For PyTorch's random state: initial weights, batches, augmentation.

    Raises
    ------
    TypeError, ValueError
        A choice is of another type or out of its range.
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
        for name, value in _checked(self).items():
            object.__setattr__(self, name, value)

    def rate(self, progress):
        """Learning rate when a share ``progress`` of the training, 0 to 1, is done."""
        if not self.one_cycle:
            return self.peak_rate / 2
        return self.peak_rate * min(progress / self.warm_up, (1 - progress) / (1 - self.warm_up))

    def size(self, progress):
        """Height and width of the images when a share ``progress`` of the training is done."""
        return self.sizes[min(int(progress * len(self.sizes)), len(self.sizes) - 1)]


def _checked(settings):
    """The choices by name, as Python's own numbers and tuples, which a checkpoint can hold."""
    widths = tuple(sizes("widths", settings.widths))
    least_size = 2 ** len(widths) + 1  # the patches take one pixel off, and each stage halves what is left
    flags = [field.name for field in dataclasses.fields(settings) if field.type is bool]
    return {
        "widths": widths,
        "sizes": tuple(integer("sizes", size, least=least_size) for size in sizes("sizes", settings.sizes)),
        "batch_size": integer("batch_size", settings.batch_size, least=1),
        "bf16": None if settings.bf16 is None else flag("bf16", settings.bf16),
        "seed": integer("seed", settings.seed, least=0),
        "label_smoothing": number("label_smoothing", settings.label_smoothing, least=0, most=1),
        **{name: number(name, getattr(settings, name), least=0) for name in ("peak_rate", "weight_decay")},
        **{name: number(name, getattr(settings, name), above=0, below=1) for name in ("warm_up", "momentum")},
        **{name: flag(name, getattr(settings, name)) for name in flags},
    }


# The parts of the recipe, each with what leaves it out.
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
        A key of ``INGREDIENTS``; any other raises ``ValueError``. Nothing else changes: a fair comparison gives each
        variant its own learning rate, see ``benchmarks/challenge_ablation.py``.

    Returns
    -------
    Settings
    """
    return dataclasses.replace(settings, **INGREDIENTS[choice("ingredient", ingredient, INGREDIENTS)])
