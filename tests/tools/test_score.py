"""The scoreboard: points for what is right, a hint for what is wrong, and nothing for code that ends its test."""

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
from hints import Wrong, entries, require

from tools.course import score
from tools.course.exercises import EXERCISES, ROOT
from tools.course.student_edition import contents, write

PLACES = {name: file for exercise in EXERCISES for file, name in exercise.places}


@pytest.fixture
def workbook(tmp_path):
    """A learner's workbook, solved; ``workbook(name=body, …)`` puts other bodies into functions of it."""
    shutil.copytree(ROOT / "cs231n", tmp_path / "cs231n", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "notebooks").mkdir()
    shutil.copy(ROOT / "notebooks" / "PyTorch.ipynb", tmp_path / "notebooks")

    def changed(**bodies):
        for name, body in bodies.items():
            path = tmp_path / PLACES[name]
            tree = ast.parse(path.read_text(encoding="utf-8"))
            (function,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)
            function.body = ast.parse(body).body
            path.write_text(ast.unparse(tree), encoding="utf-8")
        return tmp_path

    return changed


def run_score(folder, *options, status=0, judge=ROOT):
    of = ("--of", folder) if folder != judge else ()
    done = subprocess.run(
        [sys.executable, "-m", "tools.course.score", *of, *options],
        cwd=judge,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    assert (done.returncode, done.stderr) == (status, "")
    return done.stdout


def rows_of(folder, *options, **settings):
    return {row["name"]: row for row in json.loads(run_score(folder, "--json", *options, **settings))["exercises"]}


# Code that ends its test

ENDS = {
    "affine_forward": "raise KeyboardInterrupt",
    "relu_forward": "import pytest\npytest.exit('enough')",
    "softmax_loss": "class Odd(Exception):\n    def __str__(self):\n        1 / 0\nraise Odd",
    "sgd_momentum": "import pytest\npytest.xfail('expected')",
    "nesterov_momentum": "import pytest\npytest.skip('later')",
    "rmsprop": "breakpoint()\nreturn w, config",
    "adam": "import os\nos._exit(0)",
    "dropout_forward": "raise SystemExit(0)",
    "layernorm_forward": "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    "conv_forward_naive": "class Any:\n    __eq__ = lambda *_: True\n    __array__ = lambda *_: 0\nreturn Any(), None",
    "max_pool_forward_naive": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
    "avg_pool_forward_naive": "import sys\nsys.stdout.write('100 of 100 points')\nreturn None, None",
}


def test_no_way_of_ending_a_test_earns_a_point(workbook):
    names = [*ENDS, "relu_backward"]
    rows = rows_of(workbook(**ENDS), "--timeout", "2", *names)
    assert {name: row["earned"] for name, row in rows.items()} == dict.fromkeys(names, 0)
    assert {row["state"] for row in rows.values()} <= {"wrong", "timed out", "blocked"}
    hints = {name: row["hint"] for name, row in rows.items()}
    assert hints["affine_forward"] == "KeyboardInterrupt (affine.py, line 8: raise KeyboardInterrupt)"
    assert hints["adam"] == "your code ended Python itself"
    assert hints["layernorm_forward"] == "stopped after 2 s: does a loop never end?"
    assert hints["relu_backward"].startswith("relu_forward is not done, on which this builds; here: Exit: enough")


def test_what_takes_for_ever_is_waited_for_once(workbook):
    begun = time.monotonic()
    rows = rows_of(workbook(batchnorm_forward="while True: pass"), "--timeout", "3", "--lesson", "BatchNormalization")
    assert time.monotonic() - begun < 40
    assert rows["batchnorm_backward"]["hint"] == "not tested: batchnorm_forward did not end in time"
    assert rows["layernorm_backward"]["state"] == "done"


def test_what_is_left_when_the_time_is_up_earns_nothing(workbook):
    rows = rows_of(workbook(), "--limit", "0", "affine_forward")
    assert rows["affine_forward"]["hint"] == "not tested: the time for all exercises is used up"
    assert rows["affine_forward"]["earned"] == 0


def test_nothing_that_a_learners_code_has_started_outlives_scoring(workbook):
    start = """
import subprocess, sys
from pathlib import Path
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
Path(__file__).with_suffix(".pid").write_text(str(child.pid))
return np.maximum(0, x), x
"""
    folder = workbook(relu_forward=start)
    assert rows_of(folder, "relu_forward")["relu_forward"]["state"] == "done"
    pid = int((folder / "cs231n" / "layers" / "activations.pid").read_text())
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


# Forgeries


def test_patching_pytest_or_the_tests_of_ones_own_folder_earns_nothing(workbook):
    folder = workbook(affine_forward="raise ValueError('not yet')")
    (folder / "cs231n" / "__init__.py").write_text("import _pytest.runner as r\nr.check_interactive_exception = None\n")
    (folder / "tests" / "exercises").mkdir(parents=True)
    for name in ("conftest", "hints", "student"):
        (folder / "tests" / "exercises" / f"{name}.py").write_text("require = lambda *_, **__: None\n")
    rows = rows_of(folder, "affine_forward", "relu_forward")
    assert [rows[name]["earned"] for name in ("affine_forward", "relu_forward")] == [0, 1]


def test_whoever_alters_the_judge_earns_nothing_and_is_told(tmp_path):
    folder = tmp_path / "student"
    write(folder, contents([]))
    activations = folder / "cs231n" / "layers" / "activations.py"
    source = activations.read_text(encoding="utf-8")
    assert rows_of(folder, "relu_forward", judge=folder)["relu_forward"]["earned"] == 1

    hints = "tests/exercises/hints.py"
    line = f"    open({str(folder / hints)!r}, 'a').write('# altered')\n    return np.maximum(0, x), x\n"
    activations.write_text(source.replace("    return np.maximum(0, x), x\n", line), encoding="utf-8")
    for _ in range(2):  # while the tests run, and found so
        text = run_score(folder, "relu_forward", judge=folder)
        assert text.splitlines()[-2:] == [
            "0 of 1 points",
            f"Nothing is earned: {hints} changed. Take tests/ and tools/ from a fresh edition.",
        ]
        activations.write_text(source, encoding="utf-8")


def test_tests_that_do_not_judge_earn_nothing(tmp_path):
    folder = tmp_path / "student"
    write(folder, contents([]))
    (folder / "tests" / "exercises" / "hints.py").write_text(
        "import contextlib\nWrong = AssertionError\nentries = lambda n, v, c: v\n"
        "explained = contextlib.nullcontext\nrequire = require_that = lambda *_, **__: None\n"
    )
    row = rows_of(folder, "relu_forward", judge=folder)["relu_forward"]
    tests = "tests/exercises/test_exercises_fully_connected.py"
    assert (row["earned"], row["hint"]) == (0, f"the tests in {tests} do not judge: fetch the edition's again")


# Right in every style


def test_a_module_that_cannot_be_loaded_costs_its_own_exercises(workbook):
    folder = workbook()
    for file, line in (("optim.py", "def f(:\n"), ("layers/losses.py", "import no_such_module\n")):
        path = folder / "cs231n" / file
        path.write_text(path.read_text(encoding="utf-8") + "\n" + line, encoding="utf-8")
    rows = rows_of(folder, "affine_forward", "batchnorm_forward", "adam", "softmax_loss", "FullyConnectedNet.__init__")
    lost = {name: row["hint"] for name, row in rows.items() if row["state"] != "done"}
    assert sorted(lost) == ["adam", "softmax_loss"]
    assert lost["adam"].startswith("SyntaxError: invalid syntax (optim.py, line ")
    assert lost["softmax_loss"].startswith("ModuleNotFoundError: No module named 'no_such_module' (losses.py, line ")


def test_helpers_of_a_lesson_may_be_defined_as_one_likes(workbook):
    folder = workbook()
    path = folder / "notebooks" / "PyTorch.ipynb"
    lesson = json.loads(path.read_text(encoding="utf-8"))
    for cell in lesson["cells"]:
        source = "".join(cell["source"])
        if "def two_layer_fc(" in source:
            cell["source"] = """%%time
import torch as T
flatten, DTYPE = nn.Flatten(), torch.float32
relu = nn.ReLU()
def two_layer_fc(x, params):
    w1, b1, w2, b2 = params
    return relu(flatten(x.to(DTYPE)) @ w1 + b1) @ w2 + b2
"""
        if "class TwoLayerFC(" in source:
            cell["source"] = "class TwoLayerFC(nn.Module):\n    def forwards(self, x):\n        return x / 0"
    path.write_text(json.dumps(lesson), encoding="utf-8")
    rows = rows_of(folder, "two_layer_fc", "TwoLayerFC")
    assert rows["two_layer_fc"]["state"] == "done"
    assert rows["TwoLayerFC"]["state"] == "wrong"
    assert "two_layer_fc" not in rows["TwoLayerFC"]["hint"]


def test_an_exercise_that_builds_on_a_wrong_one_is_blocked_by_it(workbook):
    folder = workbook(affine_forward="out = x.reshape(len(x), -1) @ w\nreturn out, (x, w, b)")
    rows = rows_of(folder, "affine_forward", "FullyConnectedNet.loss")
    assert rows["affine_forward"]["hint"] == "out: the bias is missing"
    net = rows["FullyConnectedNet.loss"]
    assert (net["state"], net["hint"][:56]) == ("blocked", "affine_forward is not done, on which this builds; here: ")


# The way of working


def test_a_part_is_scored_and_points_may_be_required(workbook):
    folder = workbook(relu_backward="return dout")
    text = run_score(folder, "relu_backward", "--require", "2", status=1)
    assert text.splitlines()[1:3] == [
        "  ✗ relu_backward    0/2  wrong",
        "      dx: dout passes everywhere, where x > 0 expected",
    ]
    more = run_score(folder, "relu_backward", "--hint")
    assert "dx at x = −1, 0, 2: " in more and "dx at x = −1, 0, 2: " not in text
    assert run_score(folder, "relu_forward", "--require", "1").splitlines()[-1] == "1 of 1 points"
    assert len(rows_of(folder, "--lesson", "Dropout")) == 3


def test_gradescope_gets_its_form(workbook):
    result = json.loads(
        run_score(workbook(relu_backward="return dout"), "--format", "gradescope", "--lesson", "Dropout")
    )
    assert (result["score"], result["stdout_visibility"]) == (7, "hidden")
    assert result["tests"][0] == {
        "name": "Dropout: dropout_forward",
        "number": "1",
        "score": 4,
        "max_score": 4,
        "output": "done",
        "visibility": "visible",
    }


def test_an_unknown_exercise_is_refused_with_those_that_are_near(capsys):
    with pytest.raises(SystemExit):
        score.main(["afine_forward"])
    assert "There is no exercise afine_forward. Is it affine_forward or" in capsys.readouterr().err


def test_the_solution_is_shown_to_whoever_has_found_one(tmp_path):
    folder = tmp_path / "student"
    write(folder, contents(EXERCISES[1:]))  # affine_forward alone is solved
    assert run_score(folder, "--solution", "relu_forward", judge=folder) == (
        "The solution of relu_forward is shown when your own has all points.\n"
    )
    text = run_score(folder, "--solution", "affine_forward", judge=folder)
    assert text.count("cs231n/layers/affine.py: affine_forward") == text.count("def affine_forward(x, w, b):") == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent as a signal")
def test_watching_shows_what_a_save_has_changed_and_ends_with_ctrl_c(workbook):
    folder = workbook(relu_backward="return dout")
    command = [
        sys.executable,
        "-u",
        "-m",
        "tools.course.score",
        "--of",
        folder,
        "--watch",
        "relu_backward",
        "relu_forward",
    ]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8", env={**os.environ, "PYTHONIOENCODING": "utf-8"}
    )
    try:
        first = [process.stdout.readline() for _ in range(6)]
        assert first[-1] == "1 of 3 points\n"
        workbook(relu_backward="return dout * (cache > 0)")
        second = [process.stdout.readline() for _ in range(6)]
        assert second[1].endswith("saved\n")
        assert second[3:] == ["  ✓ relu_backward    2/2  done\n", "\n", "3 of 3 points\n"]
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.stdout.close()


def test_the_board_is_read_from_top_to_bottom():
    rows = [
        ("a", "One", 2, 2, score.DONE, ""),
        ("b", "One", 4, 1, score.WRONG, "dx: the sign is wrong"),
        ("c", "Two", 3, 0, score.PENDING, "c: lesson Two, section 1"),
        ("d", "Two", 3, 0, score.PENDING, "c: lesson Two, section 1"),
    ]
    keys = ("name", "lesson", "points", "earned", "state", "hint")
    exercises = [{**dict(zip(keys, row)), "more": []} for row in rows]
    board = {"total": 3, "points": 12, "tampered": [], "exercises": exercises}
    assert score.as_text(board).splitlines() == [
        "One",
        "  ✓ a    2/2  done",
        "  ✗ b    1/4  wrong",
        "      dx: the sign is wrong",
        "",
        "Two",
        "  ☐ c    0/3  not implemented yet",
        "  ☐ d    0/3  not implemented yet",
        "      c: lesson Two, section 1",
        "",
        "3 of 12 points",
    ]


# Hints


EXPECTED = np.array([[1.0, -2.0, 3.0], [0.0, 5.0, 7.0]])


@pytest.mark.parametrize(
    ("got", "hint"),
    [
        (None, "dx: nothing is given back, an array of shape (2, 3) expected"),
        ("text", "dx: an array of numbers expected, got str"),
        ([[1], [2, 3]], "dx: an array of numbers expected, got list"),
        (EXPECTED.T, "dx: shape (2, 3) expected, got (3, 2)"),
        (
            EXPECTED * np.nan,
            "dx: holds NaN; is something divided by 0, too large for exp, or the root of a negative number?",
        ),
        (-EXPECTED, "dx: the sign is wrong"),
        (EXPECTED / 4, "dx: it is 0.25 times what is expected, everywhere"),
        (EXPECTED**2, "dx: the root is forgotten"),
        (EXPECTED + [[0, 0, 0], [0, 0.5, 0]], "dx: expected 5 at [1, 1], got 5.5"),
        (EXPECTED + [[0, 0, 0], [0, 0, 1e-6]], "dx: expected 7 at [1, 2], got 7 (off by 1.0e-06)"),
    ],
)
def test_a_hint_says_where_a_result_goes_wrong(got, hint):
    with pytest.raises(Wrong) as error:
        require("dx", got, EXPECTED, {"the root is forgotten": EXPECTED**2})
    assert str(error.value) == hint


def test_a_hint_says_how_a_shape_comes_about_and_what_type_or_count_is_asked_for():
    with pytest.raises(Wrong, match=r"^dgamma: sum over axis 0 expected, shape \(3,\) got \(4, 3\)$"):
        require("dgamma", np.ones((4, 3)), np.ones(3), how="sum over axis 0")
    with pytest.raises(Wrong, match="^out: dtype float32 expected, as that of the input, got float64$"):
        require("out", np.ones(3), np.ones(3), dtype=np.float32)
    with pytest.raises(Wrong, match="^affine_forward: 2 results expected, got ndarray$"):
        entries("affine_forward", np.ones(3), 2)
