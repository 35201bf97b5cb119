"""The best model of the lesson FullyConnectedNets, trained on the whole of CIFAR-10.

Run ``python -m benchmarks.best_fully_connected``. What is trained is the lesson's own cell, the one tagged
``best-model``; it defines ``train_best(data, num_epochs)``, which gives the solver. The exit status is 1 if the test
accuracy is below the target or training takes longer than it may.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import nbformat
import numpy as np

from cs231n.classifiers.fc_net import FullyConnectedNet
from cs231n.data_utils import data_set_name, get_CIFAR10_data
from cs231n.solver import Solver

from .machine import describe_machine

LESSON = Path(__file__).resolve().parent.parent / "notebooks" / "FullyConnectedNets.ipynb"
TAG = "best-model"
NUM_EPOCHS = 20
MAX_MINUTES = 5
MIN_ACCURACY = 56  # percent of the test images
NUM_TEST = 10_000


def parse(argv=None):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.best_fully_connected",
        description="Train the best model of the lesson FullyConnectedNets on CIFAR-10, with the lesson's code and "
        "settings, and measure its accuracy on all test images. Needs CIFAR-10 (`make data`). The exit status is 1 if "
        f"the accuracy is below {MIN_ACCURACY} % or training takes longer than it may.",
    )
    parser.add_argument(
        "--minutes", type=float, default=MAX_MINUTES, help="how long training may take (default: %(default)s)"
    )
    parser.add_argument("--epochs", type=int, default=NUM_EPOCHS, help="epochs to train (default: %(default)s)")
    parser.add_argument("--notebook", type=Path, default=LESSON, help="the lesson (default: %(default)s)")
    arguments = parser.parse_args(argv)
    if arguments.epochs < 1:
        parser.error("--epochs must be at least 1")
    return arguments


def lesson_function(notebook):
    """``train_best`` of a lesson: what its one cell tagged ``best-model`` defines."""
    cells = [
        cell
        for cell in nbformat.read(notebook, as_version=4).cells
        if cell.cell_type == "code" and TAG in cell.metadata.get("tags", [])
    ]
    if len(cells) != 1:
        raise ValueError(f"{notebook} must have one code cell with the tag {TAG!r}, it has {len(cells)}")
    # What the lesson's set-up has imported by then.
    namespace = {"__name__": TAG, "np": np, "FullyConnectedNet": FullyConnectedNet, "Solver": Solver}
    exec(compile(cells[0].source, f"{notebook.name}, cell {TAG}", "exec"), namespace)
    return namespace["train_best"]


def main():
    arguments = parse()
    os.environ["CS231N_DATA"] = "cifar10"
    try:
        train_best = lesson_function(arguments.notebook)
        data = get_CIFAR10_data(num_test=NUM_TEST, dtype=np.float32)
    except (FileNotFoundError, ValueError) as error:
        return f"best_fully_connected: {error}"
    X_test, y_test = data.pop("X_test"), data.pop("y_test")  # nothing of the test set is chosen by

    print("\n".join(describe_machine()))
    print(
        f"{data_set_name()}, the copy that the package finds: {len(data['y_train']):,} images to train, "
        f"{len(data['y_val']):,} to validate, {len(y_test):,} to test",
        flush=True,
    )
    start = time.perf_counter()
    solver = train_best(data, arguments.epochs)
    minutes = (time.perf_counter() - start) / 60
    percent = 100 * solver.check_accuracy(X_test, y_test)

    accurate, in_time = percent >= MIN_ACCURACY, minutes <= arguments.minutes
    rows = (
        ("epochs", f"{solver.epoch}", ""),
        ("training", f"{minutes:.2f} min", f"{'✓' if in_time else '✗'} at most {arguments.minutes:g} min"),
        ("validation accuracy", f"{100 * solver.best_val_acc:.1f} %", "of the best epoch, whose parameters are kept"),
        ("test accuracy", f"{percent:.2f} %", f"{'✓' if accurate else '✗'} at least {MIN_ACCURACY} %"),
    )
    print("\n".join(f"{name:<21}{figure:>9}  {remark}".rstrip() for name, figure, remark in rows))
    return 0 if accurate and in_time else 1


if __name__ == "__main__":
    sys.exit(main())
