"""The scoreboard against code that never ends, alters the judge or leaves processes; part of `make rehearsal`."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from scoring import rows_of, run_score, workbook_fixture  # noqa: F401

from tools.course.exercises import EXERCISES, ROOT
from tools.course.student_edition import contents, write


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


def test_an_exercise_that_builds_on_a_wrong_one_is_blocked_by_it(workbook):
    folder = workbook(affine_forward="out = x.reshape(len(x), -1) @ w\nreturn out, (x, w, b)")
    rows = rows_of(folder, "affine_forward", "FullyConnectedNet.loss")
    assert rows["affine_forward"]["hint"] == "out: the bias is missing"
    net = rows["FullyConnectedNet.loss"]
    assert (net["state"], net["hint"][:56]) == ("blocked", "affine_forward is not done, on which this builds; here: ")


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
