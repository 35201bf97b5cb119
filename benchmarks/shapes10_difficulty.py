"""How hard Shapes-10 is: four classifiers, each as well trained as a few tens of seconds allow.

Run ``python -m benchmarks.shapes10_difficulty``. The exit status is 1 if an accuracy lies outside its band.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from tqdm import tqdm

from cs231n.data import shapes10

NUM_TRAIN = 10_000
BATCH_SIZE = 100


def linear_classifier():
    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))


def fully_connected_net(hidden=500):
    return nn.Sequential(
        nn.Flatten(), nn.Linear(3072, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 10)
    )


def three_layer_convnet(num_filters=32, hidden=100):
    return nn.Sequential(
        nn.Conv2d(3, num_filters, 7, padding=3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(num_filters * 16 * 16, hidden),
        nn.ReLU(),
        nn.Linear(hidden, 10),
    )


def deep_convnet(width=16):
    def block(fan_in, fan_out):
        return nn.Conv2d(fan_in, fan_out, 3, padding=1, bias=False), nn.BatchNorm2d(fan_out), nn.ReLU()

    return nn.Sequential(
        *block(3, width),
        nn.MaxPool2d(2),
        *block(width, 2 * width),
        nn.MaxPool2d(2),
        *block(2 * width, 4 * width),
        nn.MaxPool2d(2),
        *block(4 * width, 4 * width),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4 * width, 10),
    )


@dataclass(frozen=True)
class Contestant:
    """A model, the band its test accuracy must lie in (percent), and the settings that suit it best."""

    name: str
    build: Callable[[], nn.Module]
    band: tuple[float, float]
    learning_rate: float
    weight_decay: float
    epochs: int
    mirror: bool = False


CONTESTANTS = (
    Contestant("linear", linear_classifier, (30, 40), learning_rate=5e-4, weight_decay=0.1, epochs=10),
    Contestant("fully connected", fully_connected_net, (50, 60), learning_rate=1e-3, weight_decay=0.1, epochs=12),
    Contestant("three-layer ConvNet", three_layer_convnet, (65, 80), learning_rate=1e-3, weight_decay=0.1, epochs=6),
    Contestant("deep ConvNet", deep_convnet, (90, 100), learning_rate=5e-3, weight_decay=0.05, epochs=5, mirror=True),
)


def load_tensors():
    """Shapes-10 as tensors: training pictures and labels, test pictures and labels; pictures (N, 3, 32, 32)."""
    X_train, y_train, X_test, y_test = shapes10.load()
    X_train, y_train = X_train[:NUM_TRAIN].astype(np.float32), y_train[:NUM_TRAIN]
    mean, scale = X_train.mean(axis=0), X_train.std()
    tensors = []
    for X, y in ((X_train, y_train), (X_test.astype(np.float32), y_test)):
        pictures = ((X - mean) / scale).transpose(0, 3, 1, 2)
        tensors += [torch.from_numpy(np.ascontiguousarray(pictures)), torch.from_numpy(y.copy())]
    return tensors


def train(contestant, X, y, seed, progress):
    """A model trained with AdamW under a one-cycle schedule; ``progress`` counts batches."""
    torch.manual_seed(seed)
    model = contestant.build()
    optimizer = torch.optim.AdamW(model.parameters(), contestant.learning_rate, weight_decay=contestant.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, contestant.learning_rate, total_steps=steps_of(contestant), pct_start=0.15
    )
    for _ in range(contestant.epochs):
        for batch in torch.randperm(NUM_TRAIN).split(BATCH_SIZE):
            pictures = X[batch]
            if contestant.mirror:
                mirrored = torch.rand(len(batch)) < 0.5
                pictures[mirrored] = pictures[mirrored].flip(3)
            loss = F.cross_entropy(model(pictures), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            progress.update()
    return model


def steps_of(contestant):
    return contestant.epochs * (NUM_TRAIN // BATCH_SIZE)


@torch.no_grad()
def accuracy(model, X, y):
    """Share of the pictures that the model classifies correctly, in percent."""
    model.eval()
    correct = [
        (model(pictures).argmax(1) == labels).sum() for pictures, labels in zip(X.split(500), y.split(500), strict=True)
    ]
    return 100 * sum(correct).item() / len(y)


def main():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.shapes10_difficulty",
        description="Train four classifiers on Shapes-10 and compare their test accuracies with the intended bands. "
        "Takes about three minutes on two cores. The exit status is 1 if an accuracy is out of its band.",
    )
    parser.add_argument("--seed", type=int, default=231, help="of initial weights and batches (default: %(default)s)")
    parser.add_argument("--threads", type=int, help="PyTorch's threads (default: PyTorch's choice)")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)

    start = time.perf_counter()
    shapes10.load()
    drawing_time = time.perf_counter() - start
    X_train, y_train, X_test, y_test = load_tensors()

    all_in_band = True
    lines = []
    with tqdm(total=sum(map(steps_of, CONTESTANTS)), unit="batch", mininterval=1) as progress:
        for contestant in CONTESTANTS:
            progress.set_description(contestant.name)
            start = time.perf_counter()
            model = train(contestant, X_train, y_train, arguments.seed, progress)
            seconds = time.perf_counter() - start
            low, high = contestant.band
            percent = accuracy(model, X_test, y_test)
            in_band = low <= percent <= high
            all_in_band &= in_band
            verdict = "in band" if in_band else "OUT OF BAND"
            lines.append(f"{contestant.name:20s}  {percent:8.1f} %  {low:3d}-{high:3d} %  {seconds:6.1f} s  {verdict}")

    print(f"Drawing {len(y_train) + 1000:,} + {len(y_test):,} pictures took {drawing_time:.2f} s.")
    print(f"{'model':20s}  {'accuracy':>10s}  {'band':>9s}  {'training':>8s}  verdict")
    print("\n".join(lines))
    return 0 if all_in_band else 1


if __name__ == "__main__":
    sys.exit(main())
