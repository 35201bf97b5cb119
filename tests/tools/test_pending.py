"""In a notebook, what needs code that is not written yet says so, and everything else runs as always."""

import ast
import operator
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell

from cs231n.lesson import check
from cs231n.unwritten import Unwritten
from tools.course import pending
from tools.course.pending import Pending

PREPARED = """
import numpy as np
import matplotlib.pyplot as plt
from cs231n.lesson import check
from cs231n.unwritten import Unwritten

def missing(*arguments, **keywords):
    raise Unwritten("missing: lesson Dropout, section 3")
"""


def notebook(installed=True):
    """A function that runs a cell in a shell."""
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    shell.enable_gui = lambda *arguments: None
    if installed:
        pending.install(shell)
    shell.run_cell(PREPARED)
    return shell.run_cell


def without_colours(text):
    return re.sub(r"\x1b\[[\d;]*m", "", text)


@pytest.fixture
def run(capsys):
    """Runs cells and gives the lines they print."""
    run_cell = notebook()

    def lines(cell):
        capsys.readouterr()
        run_cell(cell, store_history=True)
        return re.sub(r"Out\[\d+\]: ", "", without_colours(capsys.readouterr().out)).splitlines()

    yield lines
    InteractiveShell.clear_instance()
    plt.close("all")


def test_a_claim_about_missing_code_gets_a_box_and_the_next_a_verdict(run):
    assert run("""
out = missing(1)
check("out is 1", out, above=0.5, below=1.5)
check("1 + 1 is 2", 1 + 1 == 2)
check("1 is 2", 1 == 2)
""") == [
        "☐ missing is not implemented yet",
        "☐ out is 1 … not implemented yet",
        "✓ 1 + 1 is 2",
        "✗ 1 is 2",
    ]


def test_what_is_missing_is_named_once_a_cell(run):
    cell = "a = missing()\nb = a + 1\nmissing()"
    assert run(cell) == run(cell) == ["☐ missing is not implemented yet"]


def test_a_claim_is_filled_in_as_far_as_it_is_known(run):
    assert run("""
p = 0.25
check(f"keep {p:.1f}: all of {missing()} and {unknown}", missing() == 1)
""") == ["☐ keep 0.2: all of … and … … not implemented yet"]


def test_a_loop_makes_the_claims_of_every_round(run):
    assert run("""
for name, number in zip(["dx", "dw"], [1, 2]):
    value = missing()
    check(f"{name} is {number}", value == number)
    check(f"{number} is positive", number > 0)
""") == [
        "☐ missing is not implemented yet",
        "☐ dx is 1 … not implemented yet",
        "✓ 1 is positive",
        "☐ dw is 2 … not implemented yet",
        "✓ 2 is positive",
    ]


def test_a_loop_that_cannot_begin_leaves_its_names_open(run):
    assert run("""
name = "of an earlier loop"
for name in missing():
    check(f"the gradient of {name}", True)
""") == ["☐ the gradient of … … not implemented yet"]


def test_of_a_function_that_meets_missing_code_the_claims_to_come_are_named(run):
    run("""
def prove(name, layer):
    check(f"{name}: a layer", callable(layer))
    value = layer(1)
    check(f"{name}: a positive {value}", value > 0)
    check(f"{name}: a number", isinstance(value, int))
    return value
""")
    assert run("""
_ = prove("missing", missing)
_ = prove("negation", lambda x: -x)
""") == [
        "✓ missing: a layer",
        "☐ missing: a positive … … not implemented yet",
        "☐ missing: a number … not implemented yet",
        "✓ negation: a layer",
        "✗ negation: a positive -1",
        "✓ negation: a number",
    ]


@pytest.mark.parametrize(
    "cell",
    [
        "kept = []\nfor x in range(3):\n    kept.append(missing(x))",
        "kept = {}\nfor x in range(3):\n    kept[x] = missing(x)",
        "kept = np.zeros((3, 2))\nfor row in kept:\n    row[0] = missing()",
        "kept = {'mode': 'train'}\nmissing(kept)",
        "class Net: pass\nkept = Net()\nmissing(model=kept)",
        "kept = [missing]\nkept = [f() for f in kept]",
        "kept = 1\nkept += missing()",
        "for kept in [1]:\n    missing()",
        "try:\n    missing()\n    kept = True\nexcept ValueError:\n    kept = False",
    ],
)
def test_no_claim_is_made_about_what_missing_code_was_to_change(run, cell):
    run(cell)
    assert run("check('it is there', bool(np.size(kept)) and kept is not None)") == [
        "☐ it is there … not implemented yet"
    ]


@pytest.mark.parametrize("value", ["{'x': np.ones(3)}", "np.ones(3)", "'text'", "[1, 2]", "iter('abc')", "np", "len"])
def test_data_and_functions_outlive_a_call_of_missing_code(run, value):
    run(f"kept = {value}\nmissing(kept)")
    assert run("check('it is there', kept is not None)") == ["✓ it is there"]


def test_a_figure_without_its_data_is_not_shown(run):
    run("fig, ax = plt.subplots()\nax.plot(missing())")
    assert plt.get_fignums() == []
    assert run("ax.set(title='none')") == ["☐ missing is not implemented yet"]


def test_the_value_of_the_last_expression_is_displayed(run):
    assert run("1 + 1\n2 + 2")[-1].endswith("4")
    assert run("a = missing()\na")[-1].endswith("☐ missing is not implemented yet")


@pytest.mark.parametrize(
    "cell",
    [
        "x = np.ones((2, 2))\n\nfor i in range(3):\n    y = x @ np.ones((3, 3))\nprint('unreached')",
        "def f(x):\n    return x.shapes\n\nf(np.ones(2))",
        "check('it holds', undefined_name)",
        "def prove(x):\n    y = x + 1\n    check('it holds', y / 0 > 1)\n\nprove(1)",
        "for a, b in zip([1], [2]):\n    check(f'{a}', b / 0 == 1)",
        "{}['key']",
        "def broken(:\n    pass",
    ],
)
def test_any_other_error_looks_as_it_does_without(capsys, cell):
    texts = []
    for installed in (False, True):
        run_cell = notebook(installed)
        capsys.readouterr()
        run_cell(cell)
        texts.append(without_colours(capsys.readouterr().out))
    InteractiveShell.clear_instance()
    assert "Error" in texts[0]
    assert texts[0] == texts[1]


def test_an_error_is_not_excused_by_code_that_is_missing_elsewhere(run):
    run("a = missing()")
    lines = run("b = 1\nb / 0\ncheck('unreached', True)")
    assert lines[-1] == "ZeroDivisionError: division by zero"


@pytest.mark.parametrize(
    "raising", ["raise NotImplementedError", "torch.nn.Module()(1)", "torch.utils.data.Dataset()[0]"]
)
def test_only_the_exercises_own_error_means_missing_code(run, raising):
    lines = run(f"import torch\na = missing()\n{raising}\ncheck('unreached', True)")
    assert lines[0] == "☐ missing is not implemented yet"
    assert lines[-1].startswith("NotImplementedError")


def test_magics_run_the_code_as_it_stands(run):
    run("a = 2\nb = missing()")
    assert "per loop" in run("%timeit -n 1 -r 1 a + 1")[0]
    assert run("%time a + 1")[-1].endswith("3")
    assert "per loop" in run("%%timeit -n 1 -r 1\nc = a\nc += a")[0]
    assert run("%%capture kept\nprint('here')\na = 4\nd = missing()") == []
    assert run("print(kept)\na") == ["here", "☐ missing is not implemented yet", "", "4"]
    assert run("%timeit missing()") == run("%prun missing()")[-1:] == ["☐ missing is not implemented yet"]


@pytest.mark.parametrize(
    ("cell", "result"),
    [
        ("import asyncio\nawait asyncio.sleep(0, 5)", "5"),
        ("match [1, 2]:\n    case [first, *rest]:\n        pass\nrest", "[2]"),
        ("x = 1\ndel x\n'x' in globals()", "False"),
        ("def f():\n    global g\n    g = 1\nf()\ng", "1"),
        ("from __future__ import annotations\n1", "1"),
        ("while True:\n    break\nelse:\n    1\n2;", None),
        ("'text'", "'text'"),
    ],
)
def test_every_statement_works_as_always(run, cell, result):
    assert run("a = missing()") == ["☐ missing is not implemented yet"]
    assert run(cell) == ([result] if result else [])


def test_without_an_unwritten_exercise_cells_are_left_as_they_are():
    run_cell = notebook()
    shell = run_cell.__self__
    del shell.user_ns["Unwritten"]
    module = ast.parse("a = 1\na")
    shell.events.trigger("pre_execute")
    assert ast.unparse(shell.transform_ast(module)) == "a = 1\na"
    InteractiveShell.clear_instance()


def test_an_error_that_comes_of_a_pending_value_is_none(run):
    assert run("a = missing()\n'text' in [{}, 1][a:]\nnp.ones(3)[:2] = [a, 1]") == ["☐ missing is not implemented yet"]


def test_it_is_installed_once(run):
    before = list(InteractiveShell.instance().ast_transformers)
    pending.install(InteractiveShell.instance())
    assert InteractiveShell.instance().ast_transformers == before


@pytest.mark.parametrize(
    "use",
    [
        bool,
        len,
        iter,
        float,
        str,
        np.asarray,
        np.sum,
        hash,
        "{}".format,
        operator.neg,
        operator.attrgetter("shape"),
        operator.itemgetter(0),
        lambda value: value + 1,
        lambda value: 1 - value,
        lambda value: np.ones(2) + value,
        lambda value: value == value,
        lambda value: value(),
        lambda value: 0 < value,
        lambda value: np.asarray([value], float),
        lambda value: torch.ones(2) * value,
        lambda value: setattr(value, "a", 1),
        lambda value: check("it holds", 1, below=value),
    ],
)
def test_every_use_of_a_pending_value_says_what_is_missing(use):
    with pytest.raises(Unwritten, match="^affine_forward: lesson"):
        use(Pending("affine_forward: lesson FullyConnectedNets, section 2"))
