"""The scoreboard: points for what is right, a hint for what is wrong, and nothing for code that ends its test."""

import base64
import json
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
from hints import Wrong, entries, require
from scoring import rows_of, run_score, workbook_fixture  # noqa: F401

from tools.course import score, solutions
from tools.course.exercises import ROOT

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


# Forgeries


def test_patching_pytest_or_the_tests_of_ones_own_folder_earns_nothing(workbook):
    folder = workbook(affine_forward="raise ValueError('not yet')")
    (folder / "cs231n" / "__init__.py").write_text("import _pytest.runner as r\nr.check_interactive_exception = None\n")
    (folder / "tests" / "exercises").mkdir(parents=True)
    for name in ("conftest", "hints", "student"):
        (folder / "tests" / "exercises" / f"{name}.py").write_text("require = lambda *_, **__: None\n")
    rows = rows_of(folder, "affine_forward", "relu_forward")
    assert [rows[name]["earned"] for name in ("affine_forward", "relu_forward")] == [0, 1]


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


# The way of working


def test_a_part_is_scored_with_all_hints_and_points_may_be_required(workbook):
    folder = workbook(relu_backward="return dout")
    text = run_score(folder, "relu_backward", "relu_forward", "--hint", "--require", "2", status=1)
    assert "  ✗ relu_backward    0/2  wrong\n      dx: dout passes everywhere, where x > 0 expected\n" in text
    assert "dx at x = −1, 0, 2: " in text
    assert text.splitlines()[-1] == "1 of 3 points"


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


FILE = "tests/exercises/test_x.py"


def judge_of(**parts):
    """A judge that has seen the tests of these exercises, all sound, and the hint of each that did not pass."""
    judge = score.Judge(parts, 60, SimpleNamespace(total=0, update=lambda: None))
    judge.sound = {(FILE, "right"), (FILE, "wrong")}
    for name, hint in parts.items():
        part = judge.parts[name] = score.Part(FILE, name, 3, wanted=2, passed=2 - bool(hint))
        if hint:
            part.fail(score.WRONG, 0, hint)
    return judge


def states(judge, **settings):
    return {
        row["name"]: (row["state"], row["earned"])
        for row in score.scoreboard(judge.names, judge, **settings)["exercises"]
    }


def test_an_exercise_that_builds_on_a_wrong_one_is_blocked_by_it():
    judge = judge_of(affine_forward="the bias is missing", affine_backward="dw", relu_forward="")
    assert states(judge) == {
        "affine_forward": (score.WRONG, 0),
        "affine_backward": (score.BLOCKED, 0),
        "relu_forward": (score.DONE, 3),
    }


def test_nothing_but_reports_of_success_by_sound_tests_earns_a_point():
    judge = judge_of(relu_forward="")
    assert states(judge, tampered=[FILE]) == {"relu_forward": (score.DONE, 0)}
    judge.parts["relu_forward"].passed = 1  # a report is missing
    assert states(judge) == {"relu_forward": (score.WRONG, 0)}
    judge = judge_of(relu_forward="")
    judge.sound.pop()
    assert states(judge) == {"relu_forward": (score.WRONG, 0)}


def test_files_of_the_judge_that_change_are_found(tmp_path, monkeypatch):
    monkeypatch.setattr(score, "ROOT", tmp_path)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "a.py").write_text("1")
    before = score.judges_files()
    assert score.changed_files(before) == []
    (tmp_path / "tests" / "b.py").write_text("2")
    assert score.changed_files(before) == ["tests/b.py"]
    (tmp_path / score.MANIFEST).write_text(json.dumps({"tests/a.py": "another", "README.md": "0"}))
    assert score.changed_files(score.judges_files()) == ["tests/a.py", "tests/b.py"]


def test_watching_shows_what_a_save_has_changed(tmp_path, capsys):
    (tmp_path / "cs231n").mkdir()
    judges = [judge_of(relu_forward="out: wrong"), judge_of(relu_forward="")]

    def score_once():
        if not judges:
            raise KeyboardInterrupt
        (tmp_path / "cs231n" / f"{len(judges)}.py").touch()  # a save meanwhile
        judge = judges.pop(0)
        return score.scoreboard(judge.names, judge)

    score.watch(score_once, tmp_path, more=False)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "relu" in line] == [
        "  ✗ relu_forward    0/1  wrong",
        "  ✓ relu_forward    3/1  done",
    ]
    assert any(line.endswith("saved") for line in lines)


def test_the_solution_is_shown_to_whoever_has_found_one():
    assert "is shown when your own has all points" in solutions.beside("relu_forward", ROOT, is_done=False)
    assert solutions.beside("relu_forward", ROOT, is_done=True).count("def relu_forward(x):") == 2
    packed = json.loads(zlib.decompress(base64.b64decode(solutions.pack())))
    assert "def relu_forward(x):" in packed["relu_forward"]["cs231n/layers/activations.py: relu_forward"]


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
