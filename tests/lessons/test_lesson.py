"""Claims are judged and printed as the lessons and their regression test expect."""

import re
from pathlib import Path

import numpy as np
import pytest

from cs231n.lesson import autograd, check, score, show_source
from cs231n.notebook.edits import unloadable
from cs231n.optim import sgd
from cs231n.solver import Solver


@pytest.mark.parametrize(
    ("value", "bounds", "line"),
    [
        (3.14e-10, {"below": 1e-7}, "✓ it holds: 3.14e-10 < 1e-07"),
        (1e-7, {"below": 1e-7}, "✗ it holds: 1.00e-07 < 1e-07"),
        (0, {"below": 1e-7}, "✓ it holds: 0.000 < 1e-07"),
        (0.612, {"above": 0.5}, "✓ it holds: 0.612 > 0.5"),
        (0.5, {"above": 0.5}, "✗ it holds: 0.500 > 0.5"),
        (2.3026, {"above": 2.29, "below": 2.31}, "✓ it holds: 2.29 < 2.303 < 2.31"),
        (2.28, {"above": 2.29, "below": 2.31}, "✗ it holds: 2.29 < 2.280 < 2.31"),
        (-250000, {"below": 0}, "✓ it holds: -2.50e+05 < 0"),
        (0.6, {"above": 0.55, "measured": True}, "✓ it holds: 0.600 > 0.550 (measured)"),
        (0.6, {"above": float("nan"), "measured": True}, "✗ it holds: 0.600 > nan (measured)"),
        (0.6, {"below": float("inf"), "measured": True}, "✗ it holds: 0.600 < inf (measured)"),
        (True, {}, "✓ it holds"),
        (np.bool_(False), {}, "✗ it holds"),
        # Of an array the worst element counts.
        ([1, 4, 2], {"below": 5}, "✓ it holds: 4.000 < 5"),
        ([1, 4, 2], {"above": 2}, "✗ it holds: 1.000 > 2"),
        ([1, 4, 2], {"above": 0, "below": 9}, "✓ it holds: 0 < 1.000 < 9"),
        ([1, 4, 2], {"above": -9, "below": 5}, "✓ it holds: -9 < 4.000 < 5"),
    ],
)
def test_a_claim_is_printed_with_its_verdict_and_its_figures(capsys, value, bounds, line):
    check("it holds", value, **bounds)
    assert capsys.readouterr().out == line + "\n"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, [0.0, np.nan], [0.0, -np.inf], []])
@pytest.mark.parametrize("bounds", [{"below": 1}, {"above": -1}, {"above": -1, "below": 1}])
def test_what_is_not_finite_never_passes(capsys, value, bounds):
    check("it holds", value, **bounds)
    assert capsys.readouterr().out.startswith("✗ it holds: ")


@pytest.mark.parametrize(
    ("value", "bounds", "message"),
    [
        (1, {}, "^value must be a bool"),
        ("0.125", {"below": 1}, "^value must be an array of real numbers, got dtype <U5"),
        (1, {"above": 0, "below": 2, "measured": True}, "^measured must go with one bound"),
    ],
)
def test_what_cannot_be_judged_is_refused(value, bounds, message):
    with pytest.raises(TypeError, match=message):
        check("it holds", value, **bounds)


def test_the_source_is_shown_with_the_summary_of_its_docstring_and_links(monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2] / "notebooks")
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    show_source(sgd, unloadable)
    assert shown[0].data == (
        "```python\n"
        "def sgd(w, dw, config=None, *, out=None):\n"
        '    """Stochastic gradient descent: w ← w − η g."""\n'
        "    config, (learning_rate,) = hyperparameters(config, learning_rate=1e-2)\n\n"
        "    def step(w, g):\n"
        "        w -= learning_rate * g\n\n"
        "    return _apply(step, w, dw, config, out)\n\n"
        "def unloadable():\n"
        '    """Where and why an edited module cannot be loaded: ``"cs231n/optim.py, line 7: …"``, else None."""\n'
        "    return next(iter(_faults.values()), None)\n"
        "```\n"
        "Source: [cs231n/optim.py](../cs231n/optim.py), [cs231n/notebook/edits.py](../cs231n/notebook/edits.py)"
    )


def test_the_source_of_the_readers_own_code_has_no_link(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    show_source(test_what_cannot_be_judged_is_refused)
    assert shown[0].data.endswith("```")


def test_helpers_are_shown_where_there_are_any(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    show_source(sgd, "_filled", "no_helper", Solver.train, "_step")
    assert re.findall(r"^def (\w+)", shown[0].data, re.MULTILINE) == ["sgd", "_filled", "train", "_step"]


def test_the_scoreboard_is_shown_below_a_cell(capsys):
    score("relu_forward")
    assert capsys.readouterr().out.splitlines()[-1] == "1 of 1 points"
    score("relu_forwards")
    assert "There is no exercise relu_forwards." in capsys.readouterr().out


def test_autograd_differentiates_with_respect_to_every_floating_input():
    x, k = np.array([[1.0, 2.0]], np.float32), np.array([3])
    out, (dx,) = autograd(lambda x, k: k * x**2, x, k, dout=np.array([[1.0, 10.0]]))
    np.testing.assert_array_equal(out, [[3, 12]])
    np.testing.assert_array_equal(dx, [[6, 120]])
    assert dx.dtype == np.float64


@pytest.mark.parametrize(
    ("f", "dout", "error", "message"),
    [
        (lambda x: x.detach(), None, TypeError, "^f must return a tensor that depends on its floating-point inputs"),
        (lambda x: 2 * x, None, ValueError, r"^dout must be passed where f returns an array, of its shape \(3,\)"),
        (lambda x: 2 * x, np.ones(2), ValueError, r"^dout must have shape \(3,\) \(that of f's result\), got \(2,\)"),
    ],
)
def test_what_cannot_be_differentiated_is_named(f, dout, error, message):
    with pytest.raises(error, match=message):
        autograd(f, np.ones(3), dout=dout)
