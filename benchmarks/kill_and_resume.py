"""Kill training at random moments, resume it, and compare what comes out with a run that was left alone.

Run ``python -m benchmarks.kill_and_resume``. The net has batch norm, dropout and Adam, so that a run depends on all
that a checkpoint holds. Each run is a process of its own, killed (SIGKILL) at a moment drawn from the time that
training takes, and resumed until it ends. What is compared is the trained model, the histories, and all checkpoints
byte by byte.
"""

import argparse
import contextlib
import hashlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from cs231n.checkpoints import latest_checkpoint, load
from cs231n.classifiers.fc_net import FullyConnectedNet
from cs231n.progress import progress_bar
from cs231n.solver import Solver

ROOT = Path(__file__).resolve().parent.parent
RUN = "run"
STARTED = b"training\n"


def parse(argv=None):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.kill_and_resume",
        description="Kill a training process at random moments and resume it until it ends. The exit status is 1 if "
        "a run ends with other bits than one that was left alone, a checkpoint cannot be read, or a file is left over.",
    )
    parser.add_argument("--kills", type=int, default=50, help="random moments (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=30, help="length of a run (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="of the moments (default: another one each time)")
    parser.add_argument("--train", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    for name in ("kills", "epochs"):
        if getattr(args, name) < 1:
            parser.error(f"--{name} must be at least 1")
    return args


def train(folder, epochs):
    """One process: start or resume the run in a folder, and print a digest of all that it ends with."""
    rng = np.random.default_rng(0)
    data = {}
    for split, size in (("train", 200), ("val", 100)):
        data[f"y_{split}"] = rng.integers(0, 5, size)
        data[f"X_{split}"] = rng.standard_normal((size, 20)) + np.eye(5, 20)[data[f"y_{split}"]]
    np.random.seed(231)
    model = FullyConnectedNet([64, 64], 20, 5, dropout_keep_ratio=0.7, normalization="batchnorm", reg=1e-3)
    options = {
        "update_rule": "adam",
        "optim_config": {"learning_rate": 3e-3},
        "lr_decay": 0.95,
        "batch_size": 20,
        "num_epochs": epochs,
        "num_train_samples": 50,
        "checkpoint_name": folder / RUN,
        "verbose": False,
    }
    latest = latest_checkpoint(folder / RUN)
    solver = Solver.resume(latest, model, data, **options) if latest else Solver(model, data, **options)
    sys.stdout.buffer.write(STARTED)
    sys.stdout.flush()
    solver.train()

    digest = hashlib.sha256()
    for name, w in sorted(model.params.items()):
        digest.update(name.encode() + w.tobytes())
    for layer in model.bn_params:
        digest.update(layer["running_mean"].tobytes() + layer["running_var"].tobytes())
    digest.update(repr((solver.loss_history, solver.train_acc_history, solver.val_acc_history)).encode())
    print(digest.hexdigest())


@contextlib.contextmanager
def training(folder, epochs):
    """A process that has begun to train; killed at the end if it is still at work."""
    command = [sys.executable, "-m", "benchmarks.kill_and_resume", "--train", folder, "--epochs", str(epochs)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            if process.stdout.readline() == STARTED:
                yield process
            else:
                raise SystemExit("kill_and_resume: a training process failed before it began to train")
        finally:
            process.kill()


def finish(folder, epochs):
    """Train to the end: the digest, and the seconds it took."""
    with training(folder, epochs) as process:
        start = time.perf_counter()
        digest, _ = process.communicate()
        seconds = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(f"kill_and_resume: a training process ended with status {process.returncode}")
    return digest, seconds


def kill(folder, epochs, seconds):
    """Whether training was still going on after so many seconds, and so was killed."""
    with training(folder, epochs):
        time.sleep(seconds)
    return not (folder / f"{RUN}_epoch_{epochs}.npz").exists()


def all_readable(folder):
    try:
        for path in folder.glob("*.npz"):
            load(path)
    except ValueError:
        return False
    return True


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def main(argv=None):
    args = parse(argv)
    if args.train:
        train(args.train, args.epochs)
        return 0
    seed = random.randrange(10**6) if args.seed is None else args.seed
    rng = random.Random(seed)
    resumed = while_writing = equal = readable = tidy = 0
    with tempfile.TemporaryDirectory() as name, progress_bar(args.kills, "kills", "kill") as bar:
        folder = Path(name) / "undisturbed"
        folder.mkdir()
        digest, seconds = finish(folder, args.epochs)
        files = contents(folder)
        for trial in range(args.kills):
            folder = Path(name) / str(trial)
            folder.mkdir()
            while not kill(folder, args.epochs, rng.uniform(0, seconds)):
                shutil.rmtree(folder)
                folder.mkdir()
            resumed += latest_checkpoint(folder / RUN) is not None
            while_writing += any(folder.glob("*.part"))
            readable += all_readable(folder)
            same_digest = finish(folder, args.epochs)[0] == digest
            files_now = contents(folder)
            equal += same_digest and all(files_now.get(file) == content for file, content in files.items())
            tidy += files_now.keys() == files.keys()
            shutil.rmtree(folder)
            bar.update()
    print(
        f"{args.kills} kills (seed {seed}), {resumed} after the first checkpoint, {while_writing} while one was being "
        f"written: {equal} of {args.kills} runs ended with the same bits, {readable} had only readable checkpoints, "
        f"{tidy} left no other file"
    )
    return 0 if equal == readable == tidy == args.kills else 1


if __name__ == "__main__":
    sys.exit(main())
