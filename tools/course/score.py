"""Test the exercises and show the points.

Each exercise has tests worth a stated number of points (tests/exercises); its points are those of the tests that pass.
Exit status: 0 if the exercises were tested, whatever came of it, 1 if they could not be, 130 on Ctrl-C.
"""

import argparse
import json
import multiprocessing
import os
import re
import sys
import textwrap
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from tqdm import tqdm

from tools.course.exercises import EXERCISES, ROOT

DONE, PENDING, WRONG, TIMED_OUT = "done", "not implemented yet", "wrong", "timed out"
SIGNS = {DONE: "✓", PENDING: "☐", WRONG: "✗", TIMED_OUT: "✗"}
TESTS = ROOT / "tests" / "exercises"
START_LIMIT = 100  # seconds for the imports, before the first test
WAITING = 6  # times as long may a test take that does not compute, or gets little of a busy machine


@dataclass
class Part:
    """A test of an exercise, with all its parameters."""

    exercise: str
    points: int
    state: str = DONE
    hint: str = ""

    def add(self, state, hint):
        """The outcome for one set of parameters: the first that is not done counts."""
        if self.state == DONE:
            self.state, self.hint = state, hint


# In the process that runs the tests


class Reporter:
    """A plugin of pytest that sends what happens through a pipe, as tuples that begin with the kind of event.

    Parameters
    ----------
    pipe : multiprocessing.connection.Connection
    finished : set of str
        Tests that are left out.
    """

    def __init__(self, pipe, finished):
        self.pipe = pipe
        self.finished = finished

    def pytest_collection_modifyitems(self, items):
        items[:] = [item for item in items if part_id(item.nodeid) not in self.finished]
        marks = {part_id(item.nodeid): item.get_closest_marker("exercise").args for item in items}
        self.pipe.send(("collected", marks))

    def pytest_collectreport(self, report):
        if report.failed:
            # What is wrong is said last, after where it is.
            text = str(report.longrepr).strip()
            places = re.findall(r'File "([^"]+)", line (\d+)|^(\S+\.py):(\d+): ', text, re.MULTILINE)
            file, line = [part for part in places[-1] if part] if places else (None, None)
            what = text.splitlines()[-1].removeprefix("E").strip()
            self.pipe.send(("not collected", f"{what} ({Path(file).name}, line {line})" if file else what))

    def pytest_runtest_logstart(self, nodeid):
        self.pipe.send(("begun", part_id(nodeid)))

    def pytest_exception_interact(self, node, call):
        if isinstance(node, pytest.Item):
            self.pipe.send(("outcome", part_id(node.nodeid), WRONG, hint_of(call.excinfo.value)))

    def pytest_runtest_logreport(self, report):
        if report.skipped:
            reason = report.longrepr[-1].removeprefix("Skipped: ")
            self.pipe.send(("outcome", part_id(report.nodeid), PENDING, reason))
        elif report.when == "teardown":
            self.pipe.send(("ended", part_id(report.nodeid)))

    def pytest_sessionfinish(self):
        self.pipe.send(("finished",))


def part_id(nodeid):
    return nodeid.partition("[")[0]


def hint_of(error):
    """One line about an error: what a test says, or what was raised, and where in the reader's code."""
    line = (str(error).strip().splitlines() or [""])[0]
    if isinstance(error, AssertionError) and line:
        return line
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if is_of_the_reader(frame.filename)]
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {line}{place}"


def is_of_the_reader(filename):
    return any(Path(filename).is_relative_to(ROOT / folder) for folder in ("cs231n", "notebooks"))


def work(pipe, finished):
    """Run the tests of the exercises that are not finished; nothing is printed."""
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        os.chdir(ROOT)
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        os.environ.pop("PYTEST_ADDOPTS", None)
        options = [
            "-c",
            str(ROOT / "pyproject.toml"),
            "-p",
            "no:cacheprovider",
            "--continue-on-collection-errors",
            "-o",
            "addopts=--strict-markers",
            "-o",
            "filterwarnings=ignore",
        ]
        pytest.main([*options, str(TESTS)], plugins=[Reporter(pipe, finished)])


# In the process that counts


def run_tests(limit):
    """Run the tests of the exercises, in another process, which is ended and begun anew when a test hangs.

    Parameters
    ----------
    limit : float
        Seconds that a test may compute.

    Returns
    -------
    parts : dict from str to Part
    problem : (str, str) or None
        Why tests are missing: the state of their exercises, and a hint.
    """
    context = multiprocessing.get_context("spawn")
    parts, finished, problem = {}, set(), None
    # On a terminal only; it goes away at the end.
    bar = tqdm(desc="score", unit="test", disable=None, leave=False, delay=2)
    while True:
        pipe, other_end = context.Pipe(duplex=False)
        process = context.Process(target=work, args=(other_end, finished), daemon=True)
        process.start()
        other_end.close()
        running, complete, begun = None, False, (time.monotonic(), 0)
        try:
            while not is_overdue(process, begun, limit if running else START_LIMIT):
                if not pipe.poll(0.2):
                    continue
                kind, *details = pipe.recv()
                if kind == "collected":
                    for part, (exercise, points) in details[0].items():
                        parts.setdefault(part, Part(exercise, points))
                    bar.total = len(parts)
                elif kind == "not collected":
                    problem = problem or (WRONG, details[0])
                elif kind == "begun":
                    running = details[0]
                    begun = time.monotonic(), seconds_computed(process)
                    bar.update(list(parts).index(running) - bar.n)
                elif kind == "outcome":
                    parts[details[0]].add(*details[1:])
                elif kind == "ended":
                    running = None
                elif kind == "finished":
                    complete = True
                    break
            else:
                if not running:
                    problem = TIMED_OUT, f"the tests did not begin within {START_LIMIT} s of computing"
                else:
                    parts[running].add(TIMED_OUT, f"stopped after {limit:g} s: does a loop never end?")
        except EOFError:
            if not running:
                problem = problem or (WRONG, "Python ended before the tests began")
            else:
                parts[running].add(WRONG, "the test ended Python itself")
        finally:
            process.kill()
            process.join()
        if complete or not running:
            bar.close()
            return parts, problem
        finished |= {part for part in parts if part == running or is_over(part, running, parts)}


def is_overdue(process, begun, limit):
    """Whether a process has computed for too long since it had begun, or waited for too long."""
    wall, computed = begun
    return seconds_computed(process) - computed > limit or time.monotonic() - wall > WAITING * limit


def seconds_computed(process):
    try:
        times = psutil.Process(process.pid).cpu_times()
    except psutil.Error:  # it has ended
        return 0
    return times.user + times.system


def is_over(part, running, parts):
    """Tests run in the order in which they were collected."""
    order = list(parts)
    return order.index(part) < order.index(running)


def scoreboard(parts, problem):
    """The scoreboard, of what JSON knows.

    Returns
    -------
    dict
        total (points earned), points (that can be earned), and exercises: a dictionary for each.
    """
    rows = []
    for exercise in EXERCISES:
        tests = [part for part in parts.values() if part.exercise == exercise.name]
        open_tests = [part for part in tests if part.state != DONE]
        # What is wrong comes before what is missing.
        first = min(open_tests, key=lambda part: part.state == PENDING, default=None)
        if not tests:
            state, hint = problem or (WRONG, "it has no tests")
        else:
            state, hint = (first.state, first.hint) if first else (DONE, "")
        earned = sum(part.points for part in tests if part.state == DONE)
        rows.append(
            {
                "name": exercise.name,
                "lesson": exercise.lesson,
                "section": exercise.section,
                "points": exercise.points,
                "earned": earned,
                "state": state,
                "hint": hint,
            }
        )
    return {
        "total": sum(row["earned"] for row in rows),
        "points": sum(row["points"] for row in rows),
        "exercises": rows,
    }


def as_text(board):
    """The scoreboard as lines: a lesson, and below it a line for each exercise, with its hint below."""
    lines, lesson, told = [], None, None
    width = max(len(row["name"]) for row in board["exercises"])
    for row in board["exercises"]:
        if row["lesson"] != lesson:
            lesson = row["lesson"]
            lines += ["", lesson]
        points = f"{row['earned']}/{row['points']}"
        lines.append(f"  {SIGNS[row['state']]} {row['name']:<{width}}  {points:>5}  {row['state']}")
        hint = row["hint"]
        # What is not written yet needs no word if it is the exercise itself.
        is_plain = row["state"] == PENDING and hint.startswith(f"{row['name']}:")
        if hint and hint != told and not is_plain:
            told = hint
            lines += textwrap.wrap(hint, 110, initial_indent="      ", subsequent_indent="      ")
    return "\n".join([*lines[1:], "", f"{board['total']} of {board['points']} points"])


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the scoreboard as JSON")
    parser.add_argument(
        "--timeout",
        type=float,
        default=10,
        metavar="SECONDS",
        help="how long a test may compute (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    # A Windows console whose code page lacks the signs gets question marks.
    sys.stdout.reconfigure(errors="replace")
    if not TESTS.is_dir():
        print(f"There are no tests in {TESTS}.", file=sys.stderr)
        return 1
    try:
        board = scoreboard(*run_tests(options.timeout))
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    print(json.dumps(board, indent=1, ensure_ascii=False) if options.json else as_text(board))
    return 0


if __name__ == "__main__":
    sys.exit(main())
