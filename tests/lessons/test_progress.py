"""The progress bar appears only where somebody watches."""

import sys

import pytest

from cs231n.progress import progress_bar

FRONT_ENDS = ["JPY_SESSION_NAME", "VSCODE_PID", "COLAB_RELEASE_TAG"]


def left_on_screen(text):
    """What remains of a line when a carriage return sends the cursor back to its start."""
    screen = ""
    for part in text.split("\r"):
        screen = part + screen[len(part) :]
    return screen.strip()


@pytest.fixture
def bar_in(monkeypatch):
    """A function that makes a bar in an environment with these variables, or on a terminal."""

    def bar_in(*variables, terminal=False):
        # In the test's call: pytest sets PYTEST_CURRENT_TEST anew after the fixtures have run.
        for name in ("CI", "PYTEST_CURRENT_TEST", *FRONT_ENDS):
            monkeypatch.delenv(name, raising=False)
        for name in variables:
            monkeypatch.setenv(name, "1")
        monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
        return progress_bar(2, "training", "it")

    return bar_in


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_there_is_a_bar_on_a_terminal_and_in_a_notebook_front_end_only(bar_in, front_end):
    with bar_in() as unwatched, bar_in(terminal=True) as on_a_terminal, bar_in(front_end) as in_a_notebook:
        assert [bar.disable for bar in (unwatched, on_a_terminal, in_a_notebook)] == [True, False, False]


@pytest.mark.parametrize("variable", ["CI", "PYTEST_CURRENT_TEST"])
def test_there_is_no_bar_in_automatic_runs(bar_in, variable):
    with bar_in(variable, "JPY_SESSION_NAME", terminal=True) as bar:
        assert bar.disable


def test_an_unwatched_bar_writes_its_lines_and_nothing_else(bar_in, capsys):
    with bar_in() as bar:
        bar.update()
        bar.write("a line")
        bar.update()
    assert capsys.readouterr() == ("a line\n", "")


def test_a_watched_bar_that_is_soon_done_leaves_no_trace(bar_in, capsys):
    with bar_in("JPY_SESSION_NAME") as bar:
        bar.update()
        bar.write("a line")
        bar.update()
    out, err = capsys.readouterr()
    assert out == "a line\n"
    assert left_on_screen(err) == ""


@pytest.mark.parametrize("updated", [False, True], ids=["by a line", "by a step"])
def test_a_watched_bar_that_took_long_is_shown_and_leaves_no_trace(bar_in, capsys, updated):
    with bar_in("JPY_SESSION_NAME") as bar:
        started = bar.start_t
        bar.update()
        bar._time = lambda: started + 6
        if updated:
            bar.update()
        bar.write("a line")
        err = capsys.readouterr().err
        assert "training" in left_on_screen(err)
    err += capsys.readouterr().err
    assert left_on_screen(err) == ""
