"""Run the benchmarks: ``python -m benchmarks --help``."""

import argparse
import sys

from . import convolution, training_step
from .machine import describe_machine
from .turns import TURN

BENCHMARKS = {"convolution": convolution, "training-step": training_step}


def parse(argv=None):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Times of the package beside PyTorch's. Each side has a process of its own and they take turns; "
        "figures are ratios of medians, ours over PyTorch's.",
    )
    parser.add_argument(
        "names", nargs="*", metavar="name", help=f"benchmarks to run (default: all): {', '.join(BENCHMARKS)}"
    )
    parser.add_argument("--turns", type=int, default=20, help="turns of each side (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="a rough picture: 4 short turns of each side")
    parser.add_argument("--check", action="store_true", help="exit with status 1 when a figure misses its target")
    for benchmark in BENCHMARKS.values():
        benchmark.add_arguments(parser)
    args = parser.parse_args(argv)
    for name in args.names:
        if name not in BENCHMARKS:
            parser.error(f"no benchmark is called {name!r}: choose from {', '.join(BENCHMARKS)}")
    if args.quick:
        args.turns = 4
    if args.turns < 2:
        parser.error("--turns must be at least 2")
    args.turn_seconds = TURN / 3 if args.quick else TURN
    return args


def main():
    args = parse()
    print("\n".join(describe_machine()), end="\n\n")
    on_target = [BENCHMARKS[name].run(args) for name in args.names or BENCHMARKS]
    return 1 if args.check and not all(on_target) else 0


if __name__ == "__main__":
    sys.exit(main())
