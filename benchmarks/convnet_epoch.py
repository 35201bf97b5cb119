"""One epoch of the three-layer ConvNet on the whole of CIFAR-10, from several seeds.

Run ``python -m benchmarks.convnet_epoch``. A single epoch's accuracy on a thousand images scatters by a few points
from seed to seed, of which 1.6 come from the thousand images alone: look at the mean.
"""

import argparse
import os
import statistics
import sys
import time

import numpy as np

from cs231n.classifiers.cnn import ThreeLayerConvNet
from cs231n.data_utils import data_set_name, get_CIFAR10_data
from cs231n.progress import progress_bar
from cs231n.solver import Solver

from .machine import describe_machine

SEEDS = (231, 0, 1, 2, 3)
ACCURACY = 46  # percent of the validation images
SECONDS = 60
NUM_TEST = 10_000


def parse(argv=None):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.convnet_epoch",
        description="Train the three-layer ConvNet (hidden 500, weight scale 0.001, reg 0.001, Adam with rate 0.001, "
        "batch 50) for one epoch on CIFAR-10, once from each seed. Needs CIFAR-10 (`make data`). The exit status is 1 "
        f"if the mean validation accuracy is below {ACCURACY} % or an epoch takes longer than {SECONDS} s.",
    )
    parser.add_argument("seeds", nargs="*", type=int, default=SEEDS, help=f"default: {' '.join(map(str, SEEDS))}")
    return parser.parse_args(argv)


def train(data, seed):
    """A solver after one epoch."""
    np.random.seed(seed)
    model = ThreeLayerConvNet(weight_scale=0.001, hidden_dim=500, reg=0.001)
    solver = Solver(
        model,
        data,
        num_epochs=1,
        batch_size=50,
        update_rule="adam",
        optim_config={"learning_rate": 1e-3},
        verbose=False,
    )
    solver.train()
    return solver


def main():
    arguments = parse()
    os.environ["CS231N_DATA"] = "cifar10"
    try:
        data = get_CIFAR10_data(num_test=NUM_TEST, dtype=np.float32)
    except (FileNotFoundError, ValueError) as error:
        return f"convnet_epoch: {error}"
    X_test, y_test = data.pop("X_test"), data.pop("y_test")

    print("\n".join(describe_machine()))
    print(f"{data_set_name()}: {len(data['y_train']):,} images to train\n\n{'seed':<6}validation   test  seconds")
    validation, test, seconds = [], [], []
    with progress_bar(len(arguments.seeds), "epochs", "epoch") as bar:
        for seed in arguments.seeds:
            start = time.perf_counter()
            solver = train(data, seed)
            seconds.append(time.perf_counter() - start)
            validation.append(100 * solver.val_acc_history[-1])
            test.append(100 * solver.check_accuracy(X_test, y_test))
            bar.write(f"{seed:<6}{validation[-1]:8.1f} %{test[-1]:7.1f} %{seconds[-1]:8.1f}")
            bar.update()

    accuracy, slowest = statistics.mean(validation), max(seconds)
    reached = sum(percent >= ACCURACY for percent in validation)
    accurate, in_time = accuracy >= ACCURACY, slowest <= SECONDS
    print(
        f"\nmean validation accuracy {accuracy:.1f} % {'✓' if accurate else '✗'} at least {ACCURACY} % "
        f"({reached} of {len(validation)} runs reach it); mean test accuracy {statistics.mean(test):.1f} %\n"
        f"slowest epoch {slowest:.1f} s {'✓' if in_time else '✗'} at most {SECONDS} s"
    )
    return 0 if accurate and in_time else 1


if __name__ == "__main__":
    sys.exit(main())
