"""One training step of fully connected nets and of the three-layer ConvNet, beside the same nets in PyTorch.

A step is the loss of a batch, its gradients, and Adam's update of all parameters. Ours is what ``Solver`` does with a
batch; PyTorch's is plain eager code with ``torch.optim.Adam`` as it comes. Drawing the batch is not part of it: that
would cost both sides the same and bring the ratio nearer to 1.

The L2 penalty is left out unless asked for. With ``--reg``, PyTorch's side has it as Adam's ``weight_decay`` of the
weights: the same gradients at less cost than a penalty in the loss.
"""

import math
import tracemalloc
from contextlib import ExitStack
from dataclasses import dataclass, replace

import numpy as np

from cs231n.classifiers.cnn import ThreeLayerConvNet
from cs231n.classifiers.fc_net import FullyConnectedNet
from cs231n.optim import adam
from cs231n.progress import progress_bar

from .turns import Contender, ratio_of_medians, take_turns

__all__ = ["add_arguments", "run"]

MAX_RATIO = 1.1
MAX_RATIO_NORMALIZED = 1.2
MAX_RATIO_CONVNET = 1.2
MAX_MEMORY = 1.0  # of the size of the largest parameter
SEED = 231
NUM_TRAIN = 2048
STEPS_COMPARED = 3
ROUNDING = {"float32": 1e-4, "float64": 1e-10}  # relative difference of losses that rounding explains


@dataclass(frozen=True)
class Task:
    """A net to train. Kinds of nets say how it is built on both sides."""

    batch_size: int
    dtype: str
    reg: float = 0.0
    input_shape: tuple = (3, 32, 32)
    num_classes: int = 10

    def data(self):
        """Training images (Gaussian noise) and labels, the same in every process."""
        rng = np.random.default_rng(SEED)
        X = rng.standard_normal((NUM_TRAIN, *self.input_shape), np.float32).astype(self.dtype)
        return X, rng.integers(self.num_classes, size=NUM_TRAIN)

    def batches(self):
        """Indices of the batches, the same in every process."""
        rng = np.random.default_rng(SEED)
        while True:
            yield rng.integers(NUM_TRAIN, size=self.batch_size)


@dataclass(frozen=True)
class FullyConnectedTask(Task):
    hidden_dims: tuple = ()
    normalization: str | None = None

    def __str__(self):
        kind = {None: "", "batchnorm": " BN"}[self.normalization]
        return f"{len(self.hidden_dims)} × {self.hidden_dims[0]}{kind}, batch {self.batch_size}"

    @property
    def max_ratio(self):
        return MAX_RATIO_NORMALIZED if self.normalization else MAX_RATIO

    def model(self):
        """The net with its initial weights, the same in every process."""
        np.random.seed(SEED)
        return FullyConnectedNet(
            self.hidden_dims,
            math.prod(self.input_shape),
            self.num_classes,
            normalization=self.normalization,
            reg=self.reg,
            weight_scale="kaiming",
            dtype=self.dtype,
        )

    def pytorch_layers(self, nn, model):
        """The layers of the same net; those with weights are in the order of the model's."""
        layers = [nn.Flatten()]
        for i in range(1, model.num_layers + 1):
            fan_in, fan_out = model.params[f"W{i}"].shape
            normalization = [nn.BatchNorm1d(fan_out)] if self.normalization else []
            layers += [nn.Linear(fan_in, fan_out), *normalization, nn.ReLU()]
        return layers[: -1 - len(normalization)]


@dataclass(frozen=True)
class ConvNetTask(Task):
    hidden_dim: int = 100
    max_ratio: float = MAX_RATIO_CONVNET

    def __str__(self):
        return f"ConvNet {self.hidden_dim}, batch {self.batch_size}"

    def model(self):
        """The net with its initial weights, the same in every process."""
        np.random.seed(SEED)
        return ThreeLayerConvNet(
            self.input_shape,
            hidden_dim=self.hidden_dim,
            num_classes=self.num_classes,
            weight_scale="kaiming",
            reg=self.reg,
            dtype=self.dtype,
        )

    def pytorch_layers(self, nn, model):
        """The layers of the same net; those with weights are in the order of the model's."""
        F, C, size, _ = model.params["W1"].shape
        return [
            nn.Conv2d(C, F, size, padding=size // 2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(*model.params["W2"].shape),
            nn.ReLU(),
            nn.Linear(*model.params["W3"].shape),
        ]


TASKS = [
    *(
        FullyConnectedTask(batch_size, dtype, hidden_dims=hidden_dims, normalization=normalization)
        for hidden_dims, batch_size, normalization in (
            ((100,) * 5, 100, None),
            ((512,) * 3, 256, None),
            ((1024,) * 2, 256, None),
            ((512,) * 3, 256, "batchnorm"),
        )
        for dtype in ("float32", "float64")
    ),
    *(ConvNetTask(50, "float32", hidden_dim=hidden_dim) for hidden_dim in (100, 500)),
]


class NumPySide:
    """The step as ``Solver`` makes it."""

    def __init__(self, task):
        self.model = task.model()
        self.X, self.y = task.data()
        self.batches = task.batches()
        self.configs = {name: {} for name in self.model.params}

    def prepare(self):
        batch = next(self.batches)
        return self.X[batch], self.y[batch]

    def step(self, X, y):
        loss, grads = self.model.loss(X, y)
        self.update(grads)
        return loss

    def update(self, grads):
        params = self.model.params
        for name, w in params.items():
            params[name], self.configs[name] = adam(w, grads[name], self.configs[name], out=w)

    def losses(self, steps):
        return [self.step(*self.prepare()) for _ in range(steps)]

    def update_memory(self):
        """Bytes that an update holds at its peak beyond what was there before, over those of the largest parameter."""
        _, grads = self.model.loss(*self.prepare())
        self.update(grads)
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        self.update(grads)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return (peak - before) / max(w.nbytes for w in self.model.params.values())


class PyTorchSide:
    """The same net, data and batches in PyTorch."""

    def __init__(self, task):
        import torch  # here, so that it is not in the other side's process

        self.torch = torch
        model = task.model()
        self.net = torch.nn.Sequential(*task.pytorch_layers(torch.nn, model)).to(getattr(torch, task.dtype))
        layers = [layer for layer in self.net if isinstance(layer, (torch.nn.Linear, torch.nn.Conv2d))]
        with torch.no_grad():
            for i, layer in enumerate(layers, start=1):
                W, b = model.params[f"W{i}"], model.params[f"b{i}"]
                layer.weight.copy_(torch.from_numpy(W.T if W.ndim == 2 else W))
                layer.bias.copy_(torch.from_numpy(b))
        self.reg = task.reg
        self.weights = [layer.weight for layer in layers]
        rest = [p for p in self.net.parameters() if all(p is not w for w in self.weights)]
        self.optimizer = torch.optim.Adam([{"params": self.weights, "weight_decay": task.reg}, {"params": rest}])
        self.X, self.y = map(torch.from_numpy, task.data())
        self.batches = task.batches()

    def prepare(self):
        batch = self.torch.from_numpy(next(self.batches))
        return self.X[batch], self.y[batch]

    def step(self, X, y):
        loss = self.torch.nn.functional.cross_entropy(self.net(X), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def losses(self, steps):
        return [self._penalty() + self.step(*self.prepare()) for _ in range(steps)]

    def _penalty(self):
        with self.torch.no_grad():
            return sum(0.5 * self.reg * (w * w).sum().item() for w in self.weights)

    def threads(self):
        return self.torch.get_num_threads()

    def instructions(self):
        return self.torch.backends.cpu.get_cpu_capability()


def require_same_losses(task, ours, theirs):
    """RuntimeError unless the losses of both sides, step by step, differ by no more than rounding."""
    difference = np.max(np.abs(np.subtract(ours, theirs)) / np.abs(theirs))
    if not difference <= ROUNDING[task.dtype]:
        raise RuntimeError(f"{task}, {task.dtype}: the two sides compute different losses, {ours} and {theirs}")


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    task: Task
    ours: float  # seconds
    theirs: float
    ratio: float
    lower: float
    upper: float
    memory: float
    idle_load: float

    HEADING = (
        f"{'net':<24}{'dtype':<9}{'ours ms':>8}{'PyTorch ms':>12}{'ratio':>7}  {'quartiles':<13}{'target':<9}"
        f"{'memory':>6}  {f'≤ {MAX_MEMORY:g}':<5}"
    )

    @property
    def on_target(self):
        return self.ratio <= self.task.max_ratio and self.memory <= MAX_MEMORY

    def __str__(self):
        def verdict(good):
            return "✓" if good else "✗"

        return (
            f"{self.task!s:<24}{self.task.dtype:<9}{1e3 * self.ours:8.2f}{1e3 * self.theirs:12.2f}{self.ratio:7.2f}  "
            f"{f'{self.lower:.2f} – {self.upper:.2f}':<13}"
            f"{f'≤ {self.task.max_ratio} {verdict(self.ratio <= self.task.max_ratio)}':<9}"
            f"{self.memory:6.2f}  {verdict(self.memory <= MAX_MEMORY):<5}"
        ).rstrip()


def measure(task, turns, turn_seconds, after_turn=lambda: None, say=lambda line: None):
    """Both sides of one task, in turns.

    ``say`` is given a line on the libraries that do the work.
    """
    with ExitStack() as stack:
        ours = stack.enter_context(Contender("ours", NumPySide, task))
        theirs = stack.enter_context(Contender("PyTorch", PyTorchSide, task))
        require_same_losses(task, ours.call("losses", STEPS_COMPARED), theirs.call("losses", STEPS_COMPARED))
        say(
            f"ours: {ours.kernels()}; PyTorch: {theirs.call('instructions')} instructions, "
            f"{theirs.call('threads')} threads"
        )
        timing = take_turns([ours, theirs], turns, turn_seconds, after_turn)
        return Row(
            task,
            timing.median("ours"),
            timing.median("PyTorch"),
            *ratio_of_medians(timing.seconds["ours"], timing.seconds["PyTorch"]),
            memory=ours.call("update_memory"),
            idle_load=timing.idle_load,
        )


def add_arguments(parser):
    parser.add_argument("--reg", type=float, default=0.0, help="strength of the L2 penalty (default: none)")


def run(args):
    """Print the table.

    Returns
    -------
    bool
        Whether every figure is on target.
    """
    tasks = [replace(task, reg=args.reg) for task in TASKS]
    print("Training step: loss, gradients and Adam's update; ours beside PyTorch eager")
    rows = []
    with progress_bar(len(tasks) * 2 * args.turns, "training step", "turn") as bar:

        def say(line):
            if not rows:
                bar.write(f"{line}\n\n{Row.HEADING}")

        for task in tasks:
            rows.append(measure(task, args.turns, args.turn_seconds, bar.update, say))
            bar.write(str(rows[-1]))
    print(
        f"\nMedians over {args.turns} turns of each side. Quartiles: of the ratio, turn by turn. BN: with batch norm. "
        "Memory: what\nAdam's update of all parameters needs at its peak, over the size of the largest parameter. "
        f"Waiting for its turn, a side\nused {max(row.idle_load for row in rows):.1%} of a core at most."
    )
    return all(row.on_target for row in rows)
