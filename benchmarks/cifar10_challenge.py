"""The challenge of the lesson PyTorch: CIFAR-10 under a budget of wall-clock time.

Run ``python -m benchmarks.cifar10_challenge --minutes 10``. What is trained are the lesson's own settings, the defaults
of ``cs231n.challenge.Settings``. The budget holds everything from the start of this program to the accuracy on the test
images, whose labels are read after the training. A run that was killed goes on when the same command is given again.
The exit status is 1 if the accuracy is below the target, 130 after Ctrl-C.
"""

import time

STARTED = time.perf_counter()  # the imports below are part of the budget

import argparse  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

from cs231n.challenge import MODEL, Settings, Training, evaluate  # noqa: E402
from cs231n.data.torch_data import Images  # noqa: E402

from .machine import describe_machine  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
MINUTES = 10
MIN_ACCURACY = 88  # percent of the test images
NUM_TEST = 10_000


def parse(argv=None):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cifar10_challenge",
        description="Train the residual network of the lesson PyTorch on CIFAR-10 under a budget of wall-clock time, "
        "from loading to the last evaluation, and measure its accuracy on all test images. Needs CIFAR-10 (`make "
        "data`). After a kill, the same command goes on from the last finished epoch. The exit status is 1 if the "
        f"accuracy is below {MIN_ACCURACY} % or the budget was exceeded.",
    )
    parser.add_argument("--minutes", type=float, default=MINUTES, help="the budget (default: %(default)s)")
    parser.add_argument("--device", help="cpu or cuda (default: a GPU where there is one)")
    parser.add_argument(
        "--folder",
        type=Path,
        default=ROOT / "build" / "challenge",
        metavar="FOLDER",
        help="where the checkpoint and the best model are kept (default: build/challenge in the project)",
    )
    arguments = parser.parse_args(argv)
    if not arguments.minutes > 0:
        parser.error("--minutes must be positive")
    return arguments


def mark(holds):
    return "✓" if holds else "✗"


def challenge(arguments):
    """Train once and test; gives the exit status."""
    train, val = Images("train"), Images("val")
    training = Training(
        Settings(), train, val, seconds=60 * arguments.minutes, device=arguments.device, folder=arguments.folder
    )
    resumed = training.resume()
    spent_before = training.seconds  # by runs that were killed
    print(
        f"{training.device}, convolutions in {'bf16' if training.bf16 else 'float32'}; "
        f"{len(train):,} images to train, {len(val):,} to validate",
        flush=True,
    )
    if resumed:
        print(f"going on after epoch {len(training.history)}; {spent_before:.0f} s of the budget are spent", flush=True)
    try:
        begun = time.perf_counter()
        evaluate(training.model, val, training.bf16)
        reserve = 2 + 1.2 * (time.perf_counter() - begun) * NUM_TEST / len(val)
        training.run(spent=time.perf_counter() - STARTED, reserve=reserve)
        percent = 100 * evaluate(training.model, Images("test"), training.bf16)
    except KeyboardInterrupt:
        print(f"\nInterrupted. The best model yet is {arguments.folder / MODEL}; the same command goes on.")
        return 130
    seconds = spent_before + time.perf_counter() - STARTED

    accurate, in_time = percent >= MIN_ACCURACY, seconds <= 60 * arguments.minutes
    rows = (
        ("time, all included", f"{seconds / 60:.2f} min", f"{mark(in_time)} at most {arguments.minutes:g} min"),
        ("epochs", f"{training.images / len(train):.2f}", ""),
        ("images per second", f"{training.images / training.seconds:.0f}", "in training, validation included"),
        ("validation accuracy", f"{100 * training.history[-1]['accuracy']:.1f} %", ""),
        ("test accuracy", f"{percent:.2f} %", f"{mark(accurate)} at least {MIN_ACCURACY} %"),
    )
    print("\n".join(f"{name:<21}{figure:>9}  {remark}".rstrip() for name, figure, remark in rows))
    return 0 if accurate and in_time else 1


def main():
    arguments = parse()
    os.environ["CS231N_DATA"] = "cifar10"
    print("\n".join(describe_machine()), flush=True)
    try:
        return challenge(arguments)
    except (OSError, ValueError) as error:
        return f"cifar10_challenge: {error}"


if __name__ == "__main__":
    sys.exit(main())
