"""Run all tests under the oldest and newest Python and NumPy, three BLAS kernels, one and two threads, with and without
CIFAR-10.

A cell is one such combination: the unit tests and all lessons against their stored outputs, where a warning from one of
our own modules is an error. Its name gives Python and NumPy (the oldest or the newest that we allow and that is there),
kernel, threads and CIFAR-10. By default the cells are few, but each pair of values occurs in one of them; --all takes
the full product. A cell that was green with the same code and the same packages is not run again. A cell that could not
run as asked (no such Python, no CIFAR-10, a kernel that this processor lacks) is a hole, and a hole is not green.

The environments (6 GB each) are built once and kept. Exit status: 0 if all cells are green, 1 if not, 130 on Ctrl-C.
"""

import argparse
import fnmatch
import hashlib
import itertools
import json
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import psutil
from check_environment import OLDEST_PYTHON
from children import started

ROOT = Path(__file__).resolve().parent.parent
TOO_NEW = 30  # no Python 3.30 is looked for

SETTINGS = {
    "python": ("old", "new"),
    "numpy": ("old", "new"),
    "kernel": ("Haswell", "SkylakeX", "Prescott"),
    "threads": ("1", "2"),
    "cifar10": ("absent", "present"),
}
# Of its kernels for SSE, OpenBLAS has but one on x86-64; newer versions report it under the oldest of its names.
OTHER_NAMES = {"Prescott": "Katmai"}
HEADINGS = ("python", "numpy", "kernel", "threads", "cifar10", "seconds", "passed", "failed", "skipped", "verdict")

# Run in a cell's environment: what it really is, and whether its kernel's instructions are known to this processor.
PROBE = """
import importlib.metadata, json, platform, numpy, threadpoolctl
from cs231n.data_utils import data_set_name
for dtype in ("float32", "float64"):
    a = numpy.ones((300, 300), dtype)
    assert (a @ a)[0, 0] == (a @ a[0])[0] == a[0] @ a[0] == 300
pools = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
print(json.dumps({
    "python": platform.python_version(),
    "numpy": numpy.__version__,
    "kernel": ", ".join(pool.get("architecture", pool["internal_api"]) for pool in pools) or "unknown BLAS",
    "threads": ", ".join(str(pool["num_threads"]) for pool in pools),
    "cifar10": "present" if data_set_name() == "CIFAR-10" else "absent",
    "packages": sorted(f"{found.name} {found.version}" for found in importlib.metadata.distributions()),
}))
"""


class Cell(NamedTuple):
    """A combination of settings: one value of each in ``SETTINGS``."""

    python: str
    numpy: str
    kernel: str
    threads: str
    cifar10: str

    @property
    def name(self):
        return "-".join(self)

    @property
    def pairs(self):
        """All pairs of a setting and its value that occur together."""
        return set(itertools.combinations(zip(SETTINGS, self), 2))


ALL_CELLS = tuple(Cell(*values) for values in itertools.product(*SETTINGS.values()))


class Hole(Exception):
    """A cell cannot run as asked; the message says why."""


def covering_cells():
    """A small set of cells in which each pair of values of two settings occurs; the same one every time.

    Returns
    -------
    cells : list of Cell
        In the order of ``ALL_CELLS``.
    """

    def cover(generator):
        missing, chosen = set().union(*(cell.pairs for cell in ALL_CELLS)), []
        while missing:
            cells = generator.sample(ALL_CELLS, len(ALL_CELLS))
            chosen.append(max(cells, key=lambda cell: len(cell.pairs & missing)))
            missing -= chosen[-1].pairs
        return chosen

    return sorted(min((cover(random.Random(seed)) for seed in range(100)), key=len), key=ALL_CELLS.index)


def find_pythons(named=(), path=None, pyenv=None):
    """The CPythons of this machine that are recent enough, without previews.

    Parameters
    ----------
    named : list of str
        Interpreters to prefer.
    path : str, optional
        Folders to look into for ``python3.10`` and newer; default: PATH.
    pyenv : Path, optional
        Where pyenv keeps its versions; default: $PYENV_ROOT, else ~/.pyenv.

    Returns
    -------
    pythons : dict from (int, int) to str
        From old to new. The first found of each version counts.

    Raises
    ------
    ValueError
        One of those named cannot be used.
    """
    pyenv = pyenv or Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    names = [f"python{OLDEST_PYTHON[0]}.{minor}" for minor in range(OLDEST_PYTHON[1], TOO_NEW)]
    found = {}
    kept_by_pyenv = sorted(pyenv.glob("versions/*/bin/python"), reverse=True)
    for python in [*named, *(shutil.which(name, path=path) for name in names), *map(str, kept_by_pyenv)]:
        version = python and version_of(python)
        if version and version >= OLDEST_PYTHON:
            found.setdefault(version, python)
        elif python in named:
            raise ValueError(f"--python {python}: it must be a CPython {OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]} or newer")
    return dict(sorted(found.items()))


def version_of(python):
    """Major and minor version of a released CPython; None of anything else."""
    script = "import sys; v = sys.version_info; print(sys.implementation.name, v.releaselevel, v.major, v.minor)"
    try:
        said = subprocess.run([python, "-c", script], capture_output=True, text=True, timeout=60).stdout.split()
    except (OSError, subprocess.TimeoutExpired):
        return None
    return (int(said[2]), int(said[3])) if said[:2] == ["cpython", "final"] else None


def dotted(version):
    return ".".join(map(str, version))


def last_words(log):
    """How far pytest is, by its log; else the last line there."""
    with open(log, "rb") as file:
        file.seek(max(0, log.stat().st_size - 4000))
        text = file.read().decode("utf-8", errors="replace")
    percent = re.findall(r"\[ *(\d+%)\]", text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return percent[-1] if percent else lines[-1] if lines else ""


def follow(label, command, log, timeout=None, **options):
    """Run a command, its output added to a file; meanwhile show on a line that it is at work and what it last said.

    Parameters
    ----------
    label : str
        Begins the line.
    command : list
    log : Path
    timeout : float, optional
        Seconds after which the command and all its descendants are ended.
    **options
        For ``subprocess.Popen``.

    Returns
    -------
    status : int or None
        Exit status; None after a timeout.
    """
    live = sys.stdout.isatty()
    begun = shown = time.monotonic()
    with open(log, "ab") as file:
        try:
            with started(command, stdout=file, stderr=subprocess.STDOUT, **options) as process:
                while True:
                    try:
                        return process.wait(timeout=0.5)
                    except subprocess.TimeoutExpired:
                        now = time.monotonic()
                    if timeout is not None and now - begun > timeout:
                        return None
                    line = f"{label}  {now - begun:.0f} s  {last_words(log)}"
                    if live:
                        print(end="\x1b[2K" + line[: shutil.get_terminal_size().columns - 1] + "\r", flush=True)
                    elif now - shown > 30:
                        print(line, flush=True)
                        shown = now
        finally:
            if live:
                print(end="\x1b[2K", flush=True)


def oldest_numpy(python):
    """The lowest NumPy that requirements.txt allows and that has a wheel for a Python.

    Wheels only: to build an old NumPy from source says nothing about ours. pip names them when it is asked for a
    version that does not exist; `pip index versions` would name those without a wheel too.
    """
    (lowest,) = re.findall(r"^numpy>=([\d.]+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    command = [python, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "numpy==0"]
    with tempfile.TemporaryDirectory() as folder:
        said = subprocess.run(command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL).stderr
    listed = re.search(r"from versions: ([^)]*)\)", said)
    finals = [release for release in (listed[1].split(", ") if listed else ()) if re.fullmatch(r"[\d.]+", release)]
    releases = [tuple(map(int, release.split("."))) for release in finals]
    allowed = [release for release in releases if release >= tuple(map(int, lowest.split(".")))]
    if not allowed:
        raise Hole(f"pip names no wheel of NumPy {lowest} or newer: {last_line(said)}")
    return dotted(min(allowed))


def last_line(text):
    return (text.strip().splitlines() or ["nothing"])[-1]


def build(python, version, numpy, folder, output):
    """An environment with requirements.txt, built or taken up where it was left, and kept.

    Parameters
    ----------
    python : str
        The interpreter it is made with.
    version : tuple of int
    numpy : {"old", "new"}
        The oldest NumPy allowed, or what pip takes by itself.
    folder : Path
        Of all environments.
    output : Path
        Where the log of the installation goes.

    Returns
    -------
    python : Path
        That of the environment.

    Raises
    ------
    Hole
        It cannot be built.
    """
    name = f"py{dotted(version)}-{numpy}"
    home = folder / name
    inside = home / "bin" / "python"
    stamp, wanted = home / "installed", hashlib.sha256((ROOT / "requirements.txt").read_bytes()).hexdigest()
    usable = inside.exists() and version_of(inside) == version
    if usable and stamp.exists() and stamp.read_text() == wanted:
        return inside
    stamp.unlink(missing_ok=True)
    log = output / f"{name}.log"
    log.unlink(missing_ok=True)
    print(f"Building {home} with {python}")

    def step(*command):
        if follow(f"Building {name}", command, log, cwd=ROOT) != 0:
            errors = [line for line in log.read_text(errors="replace").splitlines() if line.startswith("ERROR: ")]
            raise Hole(f"{name} cannot be built: {last_line(errors[0] if errors else last_words(log))} ({log})")

    if not usable:
        step(python, "-m", "venv", "--clear", home)
    pip = (inside, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off")
    pin = [f"numpy=={oldest_numpy(inside)}"] if numpy == "old" else []
    step(*pip, "--only-binary", "numpy", "-r", "requirements.txt", *pin)
    step(inside, "tools/check_environment.py")
    # Written last: a build that was cut short has none and is taken up again.
    stamp.write_text(wanted)
    return inside


class Environments:
    """Finds or builds the environment of a cell, once each.

    Parameters
    ----------
    pythons : dict from (int, int) to str
        As of :func:`find_pythons`.
    folder, output : Path
        As for :func:`build`.
    """

    def __init__(self, pythons, folder, output):
        self.pythons, self.folder, self.output = pythons, folder, output
        self.built = {}

    def python_of(self, cell):
        """The interpreter of a cell's environment; raises ``Hole`` where there can be none."""
        candidates = [version for version in self.pythons if version == OLDEST_PYTHON]
        if cell.python == "new":
            candidates = [version for version in reversed(self.pythons) if version > OLDEST_PYTHON]
        if not candidates:
            wanted = dotted(OLDEST_PYTHON) if cell.python == "old" else f"newer than {dotted(OLDEST_PYTHON)}"
            raise Hole(f"no Python {wanted} found: name one with --python")
        # The newest that requirements.txt can be installed for.
        for version in candidates:
            key = version, cell.numpy
            if key not in self.built:
                try:
                    self.built[key] = build(self.pythons[version], version, cell.numpy, self.folder, self.output)
                except Hole as hole:
                    self.built[key] = hole
                    print(hole)
            if not isinstance(self.built[key], Hole):
                return self.built[key]
        raise self.built[candidates[0], cell.numpy]


def find_cifar10():
    """The folder to name in CS231N_CIFAR10_DIR; None where there is no CIFAR-10."""
    named = os.environ.get("CS231N_CIFAR10_DIR")
    for home in [Path(named)] if named else [ROOT / "datasets", ROOT / "cs231n" / "datasets"]:
        if (home / "cifar-10-batches-py").is_dir():
            return home.resolve()
    return None


def copy_code(folder):
    """Copy what git tracks or would track: a clone without data, that edits made meanwhile do not reach.

    Returns
    -------
    digest : str
        Of all files, names and contents.
    """
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    digest = hashlib.sha256()
    for name in sorted(set(listed.split("\0"))):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
            digest.update(f"{name}\0{hashlib.sha256((folder / name).read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def own_modules(folder):
    """The names under which our code runs: the package, benchmarks, tools, tests, and the cells of a notebook."""
    names = {"__main__"}
    for package in ("cs231n", "benchmarks"):
        for path in (folder / package).rglob("*.py"):
            parts = path.relative_to(folder).with_suffix("").parts
            names.add(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    for scripts in ("tools", "tests", "tests/exercises"):
        names.update(path.stem for path in (folder / scripts).glob("*.py"))
    return sorted(names)


def environment_of(cell, code, cifar10):
    """The environment variables of a cell.

    The lessons' stored outputs are those on Shapes-10, so a copy of CIFAR-10 is there but not served. Without one
    nothing is set, as in a fresh clone.
    """
    foreign = re.compile("CS231N_|OPENBLAS_|GOTO_|OMP_|MKL_|PYTHON(?!DONTWRITEBYTECODE)|PYTEST_")
    variables = {name: value for name, value in os.environ.items() if not foreign.match(name)}
    # The environment variable takes no patterns: a module's name stands for that module alone.
    variables["PYTHONWARNINGS"] = ",".join(f"error:::{name}" for name in own_modules(code))
    variables["OPENBLAS_CORETYPE"] = cell.kernel
    for library in ("OPENBLAS", "OMP", "MKL"):
        variables[f"{library}_NUM_THREADS"] = cell.threads
    if cell.cifar10 == "present":
        if cifar10 is None:
            raise Hole("no CIFAR-10 found: `make data` fetches it, or name its folder in CS231N_CIFAR10_DIR")
        variables |= {"CS231N_CIFAR10_DIR": str(cifar10), "CS231N_DATA": "shapes10"}
    return variables


def probe(cell, python, code, variables):
    """What a cell's environment really is; raises ``Hole`` where that is not what the cell asks for."""
    served = {name: value for name, value in variables.items() if name != "CS231N_DATA"}
    done = subprocess.run([python, "-c", PROBE], cwd=code, env=served, capture_output=True, text=True)
    if done.returncode < 0:
        raise Hole(f"NumPy died of {signal.Signals(-done.returncode).name} with the kernel {cell.kernel}")
    if done.returncode:
        raise Hole(f"the environment does not work: {last_line(done.stderr)}")
    facts = json.loads(done.stdout)
    if facts["kernel"] == OTHER_NAMES.get(cell.kernel):
        facts["kernel"] = cell.kernel
    for setting in ("kernel", "threads", "cifar10"):
        if facts[setting] != getattr(cell, setting):
            raise Hole(f"{setting} is {facts[setting]} although {getattr(cell, setting)} was asked for")
    return facts


def counts_of(log):
    """Numbers of tests passed, failed (errors too) and skipped, by the last summary in pytest's log."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if re.search(r"\d.* in [\d.]+s", line)]
    numbers = {word: int(number) for number, word in re.findall(r"(\d+) (\w+)", lines[-1] if lines else "")}
    failed = sum(numbers.get(word, 0) for word in ("failed", "error", "errors"))
    return {"passed": numbers.get("passed", 0), "failed": failed, "skipped": numbers.get("skipped", 0)}


def run(cell, environments, code, digest, cifar10, output, again, minutes):
    """One cell.

    Returns
    -------
    result : dict
        A value for each of ``HEADINGS``; a green one is kept in the output folder beside the log.
    """
    result = {**cell._asdict(), **dict.fromkeys(("seconds", "passed", "failed", "skipped"), "")}
    kept, log = output / f"{cell.name}.json", output / f"{cell.name}.log"
    try:
        python = environments.python_of(cell)
        variables = environment_of(cell, code, cifar10)
        facts = probe(cell, python, code, variables)
    except Hole as hole:
        kept.unlink(missing_ok=True)
        return {**result, "verdict": f"hole: {hole}"}
    result |= {name: facts[name] for name in cell._fields}
    fingerprint = hashlib.sha256(json.dumps([cell, digest, facts]).encode()).hexdigest()
    if kept.exists() and not again:
        before = json.loads(kept.read_text())
        if before["fingerprint"] == fingerprint:
            return before
    # A cut-short run leaves nothing behind that looks like a result.
    kept.unlink(missing_ok=True)
    # As many processes as `make test` has, divided by the threads of each.
    processes = max(1, min(4, psutil.cpu_count() or 1) // int(cell.threads))
    lessons = sorted(path.relative_to(code) for path in (code / "notebooks").glob("*.ipynb"))
    command = [
        python,
        "-m",
        "pytest",
        "-q",
        "-rfE",
        "-n",
        str(processes),
        "--dist",
        "loadfile",
        "--no-loadscope-reorder",
        "-p",
        "no:cacheprovider",
        "--nbval",
        *lessons,
        "tests",
    ]
    heading = {name: value for name, value in variables.items() if os.environ.get(name) != value}
    log.write_text(f"{json.dumps(facts)}\n{heading}\n{shlex.join(map(str, command))}\n")
    begun = time.monotonic()
    status = follow(cell.name, command, log, 60 * minutes, cwd=code, env=variables)
    result |= {"seconds": round(time.monotonic() - begun), **counts_of(log)}
    if status is None:
        return {**result, "verdict": f"red: not finished after {minutes} minutes, see {log}"}
    if status or not result["passed"]:
        return {**result, "verdict": f"red: pytest's exit status is {status}, see {log}"}
    result |= {"verdict": "green", "fingerprint": fingerprint}
    part = kept.with_suffix(".part")
    part.write_text(json.dumps(result))
    os.replace(part, kept)
    return result


def line_of(result):
    *figures, verdict = (str(result[heading]) for heading in HEADINGS)
    return "  ".join(f"{figure:<{max(len(heading), 8)}}" for figure, heading in zip(figures, HEADINGS)) + f"  {verdict}"


def table(results):
    """Results as text, a line each."""
    return "\n".join(map(line_of, [dict(zip(HEADINGS, HEADINGS)), *results]))


def chosen_cells(patterns, everything):
    """The cells that match any of the patterns; without patterns the covering set, or all.

    Raises
    ------
    ValueError
        A pattern matches no cell.
    """
    if not patterns:
        return list(ALL_CELLS) if everything else covering_cells()
    for pattern in patterns:
        if not fnmatch.filter([cell.name for cell in ALL_CELLS], pattern):
            raise ValueError(f"No cell {pattern}: --list --all names them")
    return [cell for cell in ALL_CELLS if any(fnmatch.fnmatch(cell.name, pattern) for pattern in patterns)]


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "cells",
        nargs="*",
        metavar="CELL",
        help="name of a cell (--list shows them) or a pattern, such as 'old-*-Haswell-*'; "
        "default: a set that covers all pairs of values",
    )
    parser.add_argument("-a", "--all", action="store_true", help=f"the full product, {len(ALL_CELLS)} cells")
    parser.add_argument("-l", "--list", action="store_true", help="name the cells and stop")
    parser.add_argument("--again", action="store_true", help="run cells again that were green with the same code")
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="PATH",
        help="a Python to use besides those on PATH and of pyenv; may be given several times",
    )
    parser.add_argument(
        "--environments",
        type=Path,
        default=ROOT / ".matrix",
        metavar="FOLDER",
        help="where the environments are kept (default: .matrix/ in the project); "
        "remove one to have it built anew, with the newest releases",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=ROOT / "build" / "matrix",
        metavar="FOLDER",
        help="where results and logs go (default: build/matrix/ in the project)",
    )
    parser.add_argument("--minutes", type=int, default=120, help="how long a cell may take (default: 120)")
    options = parser.parse_args(arguments)
    try:
        cells = chosen_cells(options.cells, options.all)
        if options.list:
            print("\n".join(cell.name for cell in cells))
            return 0
        pythons = find_pythons(options.python)
    except ValueError as error:
        parser.error(str(error))
    # Being ended from outside ends the children too. And where this tool was told to ignore Ctrl-C (a shell tells so
    # what it runs in the background), the tests of Ctrl-C would inherit that.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    output = options.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    environments = Environments(pythons, options.environments.absolute(), output)
    results = []
    print("Pythons: " + (", ".join(f"{dotted(version)} ({path})" for version, path in pythons.items()) or "none"))
    try:
        with tempfile.TemporaryDirectory(prefix="matrix-") as code:
            digest = copy_code(Path(code))
            for number, cell in enumerate(cells, 1):
                print(f"{number}/{len(cells)} {cell.name}", flush=True)
                results.append(
                    run(cell, environments, Path(code), digest, find_cifar10(), output, options.again, options.minutes)
                )
                print(line_of(results[-1]), flush=True)
                (output / "table.txt").write_text(table(results) + "\n")
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"The matrix cannot go on: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\nInterrupted; what was green is kept in {output}.")
        return 130
    green = sum(result["verdict"] == "green" for result in results)
    print(f"\n{table(results)}\n\n{green} of {len(cells)} cells are green. Logs: {output}")
    return 0 if green == len(cells) else 1


if __name__ == "__main__":
    sys.exit(main())
