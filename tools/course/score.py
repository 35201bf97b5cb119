"""Test the exercises and show the points.

Each exercise has tests worth a stated number of points (tests/exercises); its points are those of the tests that pass.
The learner's code runs in a process of its own, which only computes: inputs are drawn and results compared in this one.
An exercise that fails while one that it builds on is not done either is "blocked" by that one. A lesson's exercises
are read from the saved notebook: save it first.

Exit status: 0 if the exercises were tested, whatever came of it; 1 if they could not be, or the points are fewer than
--require asks for; 130 on Ctrl-C, 0 on the one that ends --watch.
"""

import argparse
import contextlib
import difflib
import hashlib
import json
import os
import sys
import tempfile
import textwrap
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tqdm import tqdm

from tools.course import solutions
from tools.course.exercises import COURSE, EXERCISES, MANIFEST, ROOT
from tools.course.learner import Failed, Missing, TimedOut, learner

DONE, PENDING, WRONG, BLOCKED, TIMED_OUT = "done", "not implemented yet", "wrong", "blocked", "timed out"
SIGNS = {DONE: "✓", PENDING: "☐", WRONG: "✗", BLOCKED: "✗", TIMED_OUT: "✗"}
TESTS = ROOT / "tests" / "exercises"
OPTIONS = [
    f"-c{ROOT / 'pyproject.toml'}",
    f"--rootdir={ROOT}",
    "--override-ini=addopts=",
    "--override-ini=filterwarnings=ignore",
    "--continue-on-collection-errors",
    "--capture=no",
    "-pno:cacheprovider",
]


class NotTested(Exception):
    """Why a test was left out."""


@dataclass
class Part:
    """A test of an exercise, with all its parameters.

    Attributes
    ----------
    file, exercise : str
    points : int
    wanted, passed : int
        Sets of parameters that there are, and for which a report of success has come.
    state : str
        Of the first that did not succeed.
    hints : list of (int, str, list of str)
        For each failure how little it says, 0 for a named cause, then the hint and the learner's lines.
    """

    file: str
    exercise: str
    points: int
    wanted: int = 0
    passed: int = 0
    state: str = WRONG
    hints: list = field(default_factory=list)

    @property
    def is_done(self):
        return self.passed == self.wanted and not self.hints

    def fail(self, state, rank, hint, trail=()):
        self.state = state if not self.hints else self.state
        self.hints.append((rank, hint, list(trail)))


class Judge:
    """A plugin of pytest that keeps what came of each test.

    Parameters
    ----------
    names : collection of str
        Exercises to test.
    limit : float
        Seconds for all of them.
    bar : tqdm

    Attributes
    ----------
    parts : dict from str to Part
    sound : set of (str, str)
        Files, and those of their two canaries that did as they must.
    """

    def __init__(self, names, limit, bar):
        self.names, self.bar = names, bar
        self.end = time.monotonic() + limit
        self.parts, self.sound, self.faults = {}, set(), {}
        self.timed_out = set()

    def pytest_collection_modifyitems(self, items):
        order = {exercise.name: number for number, exercise in enumerate(EXERCISES)}
        kept = []
        for item in items:
            marker = item.get_closest_marker("exercise")
            if marker and marker.args[0] in self.names:
                kept.append((order.get(marker.args[0], len(order)), item))
                name = part_of(item.nodeid)
                self.parts.setdefault(name, Part(file_of(name), *marker.args)).wanted += 1
            elif item.get_closest_marker("canary"):
                kept.append((-1, item))
        items[:] = [item for _, item in sorted(kept, key=lambda pair: pair[0])]
        self.bar.total = len(items)

    def pytest_collectreport(self, report):
        if report.failed:
            self.faults[file_of(report.nodeid)] = str(report.longrepr).strip().splitlines()[-1]

    def pytest_runtest_setup(self, item):
        part = self.parts.get(part_of(item.nodeid))
        if part is None:
            return
        slow = {part.exercise, *NEEDS.get(part.exercise, ())} & self.timed_out
        if slow:
            raise NotTested(f"not tested: {slow.pop()} did not end in time")
        if time.monotonic() > self.end:
            raise NotTested("not tested: the time for all exercises is used up")

    def pytest_runtest_makereport(self, item, call):
        part = self.parts.get(part_of(item.nodeid))
        if part is None or call.excinfo is None:
            return
        error = call.excinfo.value
        if isinstance(error, (Missing, pytest.skip.Exception)):
            part.fail(PENDING, 0, str(error))
        elif isinstance(error, (TimedOut, NotTested)):
            self.timed_out |= {part.exercise} if isinstance(error, TimedOut) else set()
            part.fail(TIMED_OUT, 0, str(error))
        elif isinstance(error, Failed):
            part.fail(WRONG, 1, str(error), error.trail)
        else:
            part.fail(WRONG, getattr(error, "rank", 1), one_line(error))

    def pytest_runtest_logreport(self, report):
        if report.when != "call":
            return
        self.bar.update()
        name = part_of(report.nodeid)
        if name in self.parts:
            self.parts[name].passed += report.passed and not hasattr(report, "wasxfail")
        elif report.passed != hasattr(report, "wasxfail"):  # passed, or failed as it must
            self.sound.add((file_of(name), name))


def part_of(nodeid):
    return nodeid.partition("[")[0]


def file_of(nodeid):
    return nodeid.partition("::")[0]


def one_line(error):
    line = (str(error).strip().splitlines() or [""])[0]
    return line if isinstance(error, AssertionError) and line else f"{type(error).__name__}: {line}"


NEEDS = {exercise.name: exercise.needs for exercise in EXERCISES}


def run_tests(names, seconds, limit):
    """Run the tests of some exercises.

    Parameters
    ----------
    names : collection of str
    seconds, limit : float
        For a call of the learner's code, and for all tests.

    Returns
    -------
    judge : Judge

    Raises
    ------
    KeyboardInterrupt
    """
    files = [
        path
        for path in sorted(TESTS.glob("test_*.py"))
        if any(f'exercise("{n}"' in path.read_text("utf-8") for n in names)
    ]
    learner.seconds = seconds
    settings = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        # On a terminal only; it goes away at the end.
        with tqdm(desc="score", unit="test", disable=None, leave=False, delay=1, file=sys.stderr) as bar:
            judge = Judge(names, limit, bar)
            with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
                status = pytest.main([*OPTIONS, *map(str, files)], plugins=[judge])
    finally:
        learner.stop()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)
    if status == pytest.ExitCode.INTERRUPTED and not judge.faults:
        raise KeyboardInterrupt
    return judge


def scoreboard(names, judge, tampered=()):
    """The scoreboard, of what JSON knows.

    Parameters
    ----------
    names : collection of str
    judge : Judge
    tampered : sequence of str
        Files of the judge that are not as they were written; nothing is earned then.

    Returns
    -------
    dict
        total (points earned), points (that can be earned), tampered, and exercises: a dictionary for each.
    """
    rows = []
    done = set()
    for exercise in EXERCISES:
        if exercise.name not in names:
            continue
        parts = [part for part in judge.parts.values() if part.exercise == exercise.name]
        earned = sum(part.points for part in parts if part.is_done)
        hints = [(rank, hint, trail, part.state) for part in parts for rank, hint, trail in part.hints]
        # What is wrong comes before what is missing, a named cause before numbers.
        hints.sort(key=lambda hint: (hint[3] == PENDING, hint[0]))
        state, fault = (hints[0][3] if hints else DONE), fault_of(parts, judge)
        if fault:
            state, hints, earned = WRONG, [(0, fault, [], WRONG)], 0
        if state == DONE:
            done.add(exercise.name)
        blocking = [name for name in exercise.needs if name in names and name not in done]
        hint = hints[0][1] if hints else ""
        if state == WRONG and blocking:
            state, hint = BLOCKED, f"{blocking[0]} is not done, on which this builds; here: {hint}"
        rows.append(
            {
                "name": exercise.name,
                "lesson": exercise.lesson,
                "section": exercise.section,
                "points": exercise.points,
                "earned": 0 if tampered else earned,
                "state": state,
                "hint": hint,
                "more": list(dict.fromkeys(line for _, hint, trail, _ in hints for line in (hint, *trail))),
            }
        )
    return {
        "total": sum(row["earned"] for row in rows),
        "points": sum(row["points"] for row in rows),
        "tampered": list(tampered),
        "exercises": rows,
    }


def fault_of(parts, judge):
    """Why tests that have passed, or have not run, prove nothing."""
    if not parts:
        return next(iter(judge.faults.values()), "it has no tests")
    for part in parts:
        if sum(file == part.file for file, _ in judge.sound) != 2:
            return f"the tests in {part.file} do not judge: fetch the edition's again"
        if not part.is_done and not part.hints:
            return "a test did not run to its end"
    return None


def as_text(board, more=False):
    """The scoreboard as lines: a lesson, and below it a line for each exercise, with its hint below."""
    lines, lesson, told = [], None, None
    width = max(len(row["name"]) for row in board["exercises"])
    for row in board["exercises"]:
        if row["lesson"] != lesson:
            lesson = row["lesson"]
            lines += ["", lesson]
        points = f"{row['earned']}/{row['points']}"
        lines.append(f"  {SIGNS[row['state']]} {row['name']:<{width}}  {points:>5}  {row['state']}")
        hints = [row["hint"], *(hint for hint in row["more"] if more and hint not in row["hint"])]
        # What is not written yet needs no word if it is the exercise itself.
        is_plain = row["state"] == PENDING and row["hint"].startswith(f"{row['name']}:")
        if row["hint"] and row["hint"] != told and not is_plain:
            told = row["hint"]
            for hint in hints:
                lines += textwrap.wrap(hint, 110, initial_indent="      ", subsequent_indent="        ")
    lines += ["", f"{board['total']} of {board['points']} points"]
    if board["tampered"]:
        lines += [
            f"Nothing is earned: {', '.join(board['tampered'])} changed. Take tests/ and tools/ from a fresh edition."
        ]
    return "\n".join(lines[1:])


def for_gradescope(board):
    """The scoreboard as Gradescope's results.json."""
    tests = [
        {
            "name": f"{row['lesson']}: {row['name']}",
            "number": str(number),
            "score": row["earned"],
            "max_score": row["points"],
            "output": f"{row['state']}\n{row['hint']}".strip(),
            "visibility": "visible",
        }
        for number, row in enumerate(board["exercises"], start=1)
    ]
    output = as_text(board).splitlines()[-1]
    return {"score": board["total"], "output": output, "stdout_visibility": "hidden", "tests": tests}


def judges_files():
    """The checksum of each file that judges, under its path."""
    paths = [path for folder in ("tests", "tools") for path in (ROOT / folder).rglob("*.py")]
    return {path.relative_to(ROOT).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def changed_files(before):
    """Files that judge and are not as the edition has them, nor as they were before the tests ran."""
    now = judges_files()
    manifest = ROOT / MANIFEST
    written = json.loads(manifest.read_text("utf-8")) if manifest.is_file() else before
    written = {name: checksum for name, checksum in written.items() if name.endswith(".py") and name in before | now}
    return sorted({name for kept in (written, before) for name in kept.keys() | now if kept.get(name) != now.get(name)})


@contextlib.contextmanager
def workbook_of(path):
    """The folder of a workbook, or of one that is handed in as a2_code.zip."""
    if path.suffix != ".zip":
        yield path
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder)
        yield Path(folder)


def named(names, lesson):
    """The exercises that are asked for; none means all.

    Raises
    ------
    LookupError
    """
    known = [exercise.name for exercise in EXERCISES]
    found = [exercise.name for exercise in EXERCISES if lesson in (None, exercise.lesson)]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
            raise LookupError(f"There is no exercise {name}. " + (f"Is it {' or '.join(near)}?" if near else ""))
    return [name for name in found if not names or name in names]


def stamp(root):
    """When each file of the learner's was last saved."""
    paths = [*(root / "cs231n").rglob("*.py"), *(root / "notebooks").glob("*.ipynb")]
    return {path: path.stat().st_mtime_ns for path in paths if path.exists()}


def watch(score, root, more):
    """Score anew on every save, and show what has changed, until Ctrl-C."""
    seen, rows = None, {}
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            now = stamp(root)
            if now == seen:
                time.sleep(0.3)
                continue
            seen, board = now, score()
            changed = [row for row in board["exercises"] if rows.get(row["name"]) != row]
            is_first, rows = not rows, {row["name"]: row for row in board["exercises"]}
            text = as_text({**board, "exercises": changed}, more) if changed else f"{board['total']} points, as before"
            print(text if is_first else f"\n{time.strftime('%H:%M:%S')}  saved\n{text}", flush=True)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="an exercise (affine_forward); default: all")
    parser.add_argument("--lesson", choices=COURSE, metavar="LESSON", help="the exercises of one lesson")
    parser.add_argument("--hint", action="store_true", help="show all hints of an exercise, and the lines of your code")
    parser.add_argument("--watch", action="store_true", help="score anew on every save, and show what has changed")
    parser.add_argument("--solution", metavar="NAME", help="show the workbook's solution of an exercise that is done")
    parser.add_argument(
        "--of", type=Path, default=ROOT, metavar="FOLDER", help="another workbook, or an a2_code.zip, by these tests"
    )
    parser.add_argument("--format", choices=("text", "json", "gradescope"), default="text", help="of the scoreboard")
    parser.add_argument("--json", dest="format", action="store_const", const="json", help="the same as --format json")
    parser.add_argument(
        "--require", type=int, default=0, metavar="POINTS", help="exit with 1 if there are fewer points"
    )
    parser.add_argument(
        "--timeout", type=float, default=10, metavar="SECONDS", help="for a call (default: %(default)s)"
    )
    parser.add_argument("--limit", type=float, default=300, metavar="SECONDS", help="for all exercises (300)")
    options = parser.parse_args(arguments)
    # A Windows console whose code page lacks the signs gets question marks.
    sys.stdout.reconfigure(errors="replace")
    try:
        names = named([*options.names, *([options.solution] if options.solution else [])], options.lesson)
    except LookupError as error:
        parser.error(error.args[0])
    if not TESTS.is_dir() or not (options.of.suffix == ".zip" or (options.of / "cs231n").is_dir()):
        place = TESTS if not TESTS.is_dir() else options.of / "cs231n"
        print(f"There is no {place}.", file=sys.stderr)
        return 1

    def score():
        before = judges_files()
        judge = run_tests(names, options.timeout, options.limit)
        return scoreboard(names, judge, changed_files(before))

    try:
        with workbook_of(options.of) as root:
            learner.root = root.resolve()
            if options.watch:
                watch(score, learner.root, options.hint)
                return 0
            board = score()
            if options.solution:
                print(solutions.beside(options.solution, learner.root, board["total"] == board["points"]))
                return 0
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    except (OSError, zipfile.BadZipFile) as error:
        print(f"{options.of} cannot be read: {error}.", file=sys.stderr)
        return 1
    if options.format == "text":
        print(as_text(board, options.hint))
    else:
        print(
            json.dumps(for_gradescope(board) if options.format == "gradescope" else board, indent=1, ensure_ascii=False)
        )
    return 1 if board["total"] < options.require else 0


if __name__ == "__main__":
    sys.exit(main())
