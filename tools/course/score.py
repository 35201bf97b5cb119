"""Test the exercises and show the points.

Each exercise has tests worth a stated number of points (tests/exercises); its points are those of the tests that pass.
Exit status: 0 if the exercises were tested, whatever came of it, 1 if they could not be, 130 on Ctrl-C.
"""

import argparse
import json
import multiprocessing
import os
import sys
import textwrap
import traceback
from dataclasses import dataclass
from pathlib import Path

import pytest
from tqdm import tqdm

from tools.course.exercises import EXERCISES, ROOT

DONE, PENDING, WRONG, TIMED_OUT = "done", "not implemented yet", "wrong", "timed out"
SIGNS = {DONE: "✓", PENDING: "☐", WRONG: "✗", TIMED_OUT: "✗"}
TESTS = ROOT / "tests" / "exercises"
START_LIMIT = 100  # seconds for the imports, before the first test
OPTIONS = [
    f"-c{ROOT / 'pyproject.toml'}",
    "--override-ini=addopts=--strict-markers",
    "--override-ini=filterwarnings=ignore",
    "--continue-on-collection-errors",
    "-pno:cacheprovider",
]


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
        self.pipe.send(
            ("collected", {part_id(item.nodeid): item.get_closest_marker("exercise").args for item in items})
        )

    def pytest_exception_interact(self, node, call):
        if isinstance(node, pytest.Collector):
            error = call.excinfo.value
            self.pipe.send(("not collected", hint_of(error.__cause__ or error)))

    def pytest_runtest_logstart(self, nodeid):
        self.pipe.send(("begun", part_id(nodeid)))

    def pytest_runtest_makereport(self, item, call):
        if call.excinfo:
            is_pending = call.excinfo.errisinstance(pytest.skip.Exception)
            hint = str(call.excinfo.value) if is_pending else hint_of(call.excinfo.value)
            self.pipe.send(("outcome", part_id(item.nodeid), PENDING if is_pending else WRONG, hint))

    def pytest_sessionfinish(self, exitstatus):
        # A test can also end the session, by KeyboardInterrupt, and not the process.
        if exitstatus not in (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR):
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
    pytest.main([*OPTIONS, str(TESTS)], plugins=[Reporter(pipe, finished)])


# In the process that counts


def run_tests(limit):
    """Run the tests of the exercises, in another process, which is ended and begun anew when a test hangs.

    Not by pytest-xdist and pytest-timeout: a thread cannot stop code that keeps Python's lock, a signal cannot stop
    code that catches everything, and of a process that ended, xdist does not know what its test was worth.

    Parameters
    ----------
    limit : float
        Seconds that a test may take.

    Returns
    -------
    parts : dict from str to Part
    problem : (str, str) or None
        Why tests are missing: the state of their exercises, and a hint.
    """
    context = multiprocessing.get_context("spawn")
    parts, finished, problem = {}, set(), None
    # On a terminal only; it goes away at the end.
    with tqdm(desc="score", unit="test", disable=None, leave=False, delay=2) as bar:
        while True:
            pipe, other_end = context.Pipe(duplex=False)
            process = context.Process(target=work, args=(other_end, finished), daemon=True)
            process.start()
            other_end.close()
            running = None
            try:
                while pipe.poll(limit if running else START_LIMIT):
                    kind, *details = pipe.recv()
                    if kind == "collected":
                        for part, (exercise, points) in details[0].items():
                            parts.setdefault(part, Part(exercise, points))
                        bar.total = len(parts)
                    elif kind == "not collected":
                        problem = problem or (WRONG, details[0])
                    elif kind == "begun":
                        running = details[0]
                        bar.update(list(parts).index(running) - bar.n)
                    elif kind == "outcome":
                        parts[details[0]].add(*details[1:])
                    elif kind == "finished":
                        return parts, problem
                end = TIMED_OUT, f"stopped after {limit:g} s: does a loop never end?"
                no_start = TIMED_OUT, f"the tests did not begin within {START_LIMIT} s"
            except EOFError:
                end = WRONG, "the test ended Python itself"
                no_start = WRONG, "Python ended before the tests began"
            finally:
                process.kill()
                process.join()
            if not running:
                return parts, problem or no_start
            parts[running].add(*end)
            # Tests run in the order in which they were collected.
            finished.update(list(parts)[: list(parts).index(running) + 1])


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
        help="how long a test may take (default: %(default)s)",
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
