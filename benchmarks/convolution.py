"""Convolution and max pooling, forward and backward, beside PyTorch's on the same arrays."""

import statistics
import tracemalloc
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from cs231n.fast_layers import conv_backward_fast, conv_forward_fast, max_pool_backward_fast, max_pool_forward_fast
from cs231n.progress import progress_bar

from .turns import Contender, ratio_of_medians, take_turns

__all__ = ["add_arguments", "run"]

MAX_MEAN_RATIO = {"float32": 1.4, "float64": 0.8}  # geometric mean over the convolutions
MAX_POOL_RATIO = 1.5
MAX_MEGABYTES = 64
SEED = 231
ROUNDING = {"float32": 1e-4, "float64": 1e-10}  # of the largest value of a result


@dataclass(frozen=True)
class Convolution:
    N: int
    C: int
    size: int
    F: int
    kernel: int
    stride: int
    pad: int
    dtype: str

    def __str__(self):
        return (
            f"conv ({self.N}, {self.C}, {self.size}, {self.size}), {self.F} of {self.kernel}×{self.kernel}, "
            f"stride {self.stride}, pad {self.pad}"
        )

    @property
    def inputs(self):
        """Shapes of the arrays whose gradients are computed."""
        return (self.N, self.C, self.size, self.size), (self.F, self.C, self.kernel, self.kernel), (self.F,)

    @property
    def output(self):
        positions = (self.size + 2 * self.pad - self.kernel) // self.stride + 1
        return self.N, self.F, positions, positions

    def forward(self, x, w, b):
        return conv_forward_fast(x, w, b, {"stride": self.stride, "pad": self.pad})

    def backward(self, dout, cache):
        return conv_backward_fast(dout, cache)

    def pytorch_forward(self, functional, x, w, b):
        return functional.conv2d(x, w, b, stride=self.stride, padding=self.pad)


@dataclass(frozen=True)
class MaxPool:
    N: int
    C: int
    size: int
    dtype: str

    def __str__(self):
        return f"2×2 max pool ({self.N}, {self.C}, {self.size}, {self.size})"

    @property
    def inputs(self):
        return ((self.N, self.C, self.size, self.size),)

    @property
    def output(self):
        return self.N, self.C, self.size // 2, self.size // 2

    def forward(self, x):
        return max_pool_forward_fast(x, {"pool_height": 2, "pool_width": 2, "stride": 2})

    def backward(self, dout, cache):
        return (max_pool_backward_fast(dout, cache),)

    def pytorch_forward(self, functional, x):
        return functional.max_pool2d(x, 2)


DTYPES = ("float32", "float64")
CONVOLUTIONS = [
    Convolution(*shape, dtype)
    for dtype in DTYPES
    for shape in (
        (100, 3, 31, 25, 3, 2, 1),
        (50, 3, 32, 32, 7, 1, 3),
        (50, 3, 32, 32, 5, 1, 2),
        (100, 32, 32, 32, 3, 1, 1),
        (128, 64, 16, 128, 3, 1, 1),
    )
]
POOLS = [MaxPool(100, 32, 32, "float32")]


def arrays(task):
    """The inputs and the upstream gradient, the same in every process."""
    rng = np.random.default_rng(SEED)
    *inputs, dout = (rng.standard_normal(shape).astype(task.dtype) for shape in (*task.inputs, task.output))
    return inputs, dout


class NumPySide:
    def __init__(self, task):
        self.task = task
        self.inputs, self.dout = arrays(task)

    def prepare(self):
        return ()

    def step(self):
        out, cache = self.task.forward(*self.inputs)
        return out, *self.task.backward(self.dout, cache)

    def megabytes(self):
        """What a pass holds at its peak beside its inputs and results; of both passes, the larger figure."""
        _, cache = self.task.forward(*self.inputs)
        return (
            max(
                _extra_bytes(lambda: self.task.forward(*self.inputs)[:1]),
                _extra_bytes(lambda: self.task.backward(self.dout, cache)),
            )
            / 1e6
        )


def _extra_bytes(function):
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    results = function()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak - before - sum(array.nbytes for array in results)


class PyTorchSide:
    def __init__(self, task):
        import torch  # here, so that it is not in the other side's process

        self.torch = torch
        self.task = task
        inputs, dout = arrays(task)
        self.inputs = [torch.from_numpy(array).requires_grad_() for array in inputs]
        self.dout = torch.from_numpy(dout)

    def prepare(self):
        return ()

    def step(self):
        out = self.task.pytorch_forward(self.torch.nn.functional, *self.inputs)
        return out, *self.torch.autograd.grad(out, self.inputs, self.dout)

    def results(self):
        return [tensor.detach().numpy() for tensor in self.step()]


def require_same_results(task, ours, theirs):
    """RuntimeError unless the outputs and gradients of both sides differ by no more than rounding."""
    for array, expected in zip(ours, theirs, strict=True):
        if not np.max(np.abs(array - expected)) <= ROUNDING[task.dtype] * np.max(np.abs(expected)):
            raise RuntimeError(f"{task}, {task.dtype}: the two sides compute different results")


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    task: Convolution | MaxPool
    ours: float  # seconds
    theirs: float
    ratio: float
    lower: float
    upper: float
    megabytes: float

    HEADING = (
        f"{'layer':<52}{'dtype':<9}{'ours ms':>8}{'PyTorch ms':>12}{'ratio':>7}  {'quartiles':<13}"
        f"{'MB':>5}  {f'≤ {MAX_MEGABYTES}':<5}"
    )

    @property
    def fits(self):
        return self.megabytes <= MAX_MEGABYTES

    def __str__(self):
        return (
            f"{self.task!s:<52}{self.task.dtype:<9}{1e3 * self.ours:8.2f}{1e3 * self.theirs:12.2f}{self.ratio:7.2f}  "
            f"{f'{self.lower:.2f} – {self.upper:.2f}':<13}{self.megabytes:5.1f}  {_mark(self.fits)}"
        )


def _mark(good):
    return "✓" if good else "✗"


def measure(task, turns, turn_seconds, after_turn=lambda: None):
    """Both sides of one task, in turns."""
    with ExitStack() as stack:
        ours = stack.enter_context(Contender("ours", NumPySide, task))
        theirs = stack.enter_context(Contender("PyTorch", PyTorchSide, task))
        require_same_results(task, ours.call("step"), theirs.call("results"))
        megabytes = ours.call("megabytes")
        timing = take_turns([ours, theirs], turns, turn_seconds, after_turn)
        return Row(
            task,
            timing.median("ours"),
            timing.median("PyTorch"),
            *ratio_of_medians(timing.seconds["ours"], timing.seconds["PyTorch"]),
            megabytes,
        )


def add_arguments(parser):
    """No arguments of its own."""


def run(args):
    """Print the table.

    Returns
    -------
    bool
        Whether every figure is on target.
    """
    tasks = [*CONVOLUTIONS, *POOLS]
    print("Convolution and max pooling: forward and backward; ours beside PyTorch")
    rows = []
    with progress_bar(len(tasks) * 2 * args.turns, "convolution", "turn") as bar:
        bar.write(f"\n{Row.HEADING}")
        for task in tasks:
            rows.append(measure(task, args.turns, args.turn_seconds, bar.update))
            bar.write(str(rows[-1]))

    figures = []
    for dtype in DTYPES:
        ratios = [row.ratio for row in rows if row.task in CONVOLUTIONS and row.task.dtype == dtype]
        mean = statistics.geometric_mean(ratios)
        figures.append((f"geometric mean of the convolutions' ratios, {dtype}", mean, MAX_MEAN_RATIO[dtype]))
    figures += [(f"ratio of the {row.task}", row.ratio, MAX_POOL_RATIO) for row in rows if row.task in POOLS]
    print()
    for name, figure, most in figures:
        print(f"{name:<52}{figure:5.2f}  ≤ {most} {_mark(figure <= most)}")
    print(
        f"\nMedians over {args.turns} turns of each side. Quartiles: of the ratio, turn by turn. MB: what our passes "
        "hold at their\npeak beside inputs and results.\n"
    )
    return all(row.fits for row in rows) and all(figure <= most for _, figure, most in figures)
