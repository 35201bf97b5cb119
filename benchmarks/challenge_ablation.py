"""What each ingredient of the challenge buys, measured by epochs: every row at its own best learning rate, three seeds.

Run ``python -m benchmarks.challenge_ablation``. A small version of the lesson's residual net sees 1,000 images of
Shapes-10 four times, with everything and without each ingredient that changes what is computed (the layout of memory
and the 16-bit numbers change how long it takes). The accuracy is that on the validation images. Each finished run is
written to the file at once; given again, the command goes on with those that are missing. The lesson PyTorch reads the
file and draws it.
"""

import argparse
import dataclasses
import datetime
import json
import os
import sys
from pathlib import Path

from cs231n.challenge import ABLATION, INGREDIENTS, Settings, Training, evaluate, without
from cs231n.data.torch_data import Images
from cs231n.files import replacing

from .machine import describe_machine

ROWS = ("nothing", *(name for name in INGREDIENTS if name not in ("channels_last", "bf16")))
RATES = (0.2, 0.4, 0.8)
SEEDS = (0, 1, 2)
NUM_IMAGES, EPOCHS = 1000, 4
SMALL = {"widths": (16, 32, 64), "batch_size": 64}


def parse(argv=None):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.challenge_ablation",
        description="Train a small version of the challenge's net on 1,000 images of Shapes-10 with everything and "
        "without each ingredient, at three learning rates and from three seeds, and keep the accuracies in a file. "
        "Goes on with the runs that the file lacks.",
    )
    parser.add_argument(
        "--file", type=Path, default=ABLATION, help="where the results are kept (default: the one the lesson reads)"
    )
    parser.add_argument("--limit", type=int, default=None, metavar="N", help="do at most so many runs")
    return parser.parse_args(argv)


def first(split, count):
    """The first images of a split."""
    images = Images(split)
    images.images, images.labels = images.images[:count], images.labels[:count]
    return images


def measure(row, rate, seed, bf16):
    """Accuracy on the validation images after one run, 0 to 1."""
    settings = Settings(**SMALL, peak_rate=rate, seed=seed, bf16=bf16)
    settings = settings if row == "nothing" else without(settings, row)
    # Validated on one image after each epoch, and on all of them at the end.
    training = Training(
        settings, first("train", NUM_IMAGES), first("val", 1), epochs=EPOCHS, device="cpu", verbose=False
    )
    training.run()
    return evaluate(training.model, Images("val"), bf16)


def start(file):
    """What the file holds, or a new record."""
    if file.exists():
        return json.loads(file.read_text(encoding="utf-8"))
    bf16 = Training(Settings(), first("train", 1), first("val", 1), epochs=1, device="cpu").bf16
    return {
        "command": "python -m benchmarks.challenge_ablation",
        "date": datetime.date.today().isoformat(),
        "machine": [line for line in describe_machine() if "load" not in line],
        "data": f"Shapes-10, first {NUM_IMAGES} training images, {EPOCHS} epochs; accuracy on {len(Images('val'))} "
        "validation images",
        "settings": {name: repr(value) for name, value in dataclasses.asdict(Settings(**SMALL)).items()},
        "bf16": bf16,
        "rates": RATES,
        "seeds": SEEDS,
        "rows": ROWS,
        "runs": [],
    }


def main():
    arguments = parse()
    os.environ["CS231N_DATA"] = "shapes10"
    record = start(arguments.file)
    done = {(run["row"], run["rate"], run["seed"]) for run in record["runs"]}
    missing = [(row, rate, seed) for seed in SEEDS for rate in RATES for row in ROWS if (row, rate, seed) not in done]
    print("\n".join(describe_machine()), f"{len(done)} runs are kept, {len(missing)} to do", sep="\n", flush=True)
    for row, rate, seed in missing[: arguments.limit]:
        accuracy = measure(row, rate, seed, record["bf16"])
        record["runs"].append({"row": row, "rate": rate, "seed": seed, "accuracy": round(accuracy, 4)})
        with replacing(arguments.file) as file:
            file.write(text(record).encode("utf-8"))
        print(f"without {row:<18} rate {rate:<4g} seed {seed}  {accuracy:6.1%}", flush=True)
    return 0


def text(record):
    """The record as JSON, with a line for each run."""
    runs = ",\n".join("  " + json.dumps(run) for run in record["runs"])
    return json.dumps({**record, "runs": []}, indent=1).replace('"runs": []', f'"runs": [\n{runs}\n ]') + "\n"


if __name__ == "__main__":
    sys.exit(main())
