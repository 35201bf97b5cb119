"""The matrix of Pythons, NumPys and kernels: which cells there are, what a cell sees, and what comes of it."""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import matrix
import nbformat
import numpy as np
import pytest
from check_environment import OLDEST_PYTHON
from matrix import ALL_CELLS, SETTINGS, Cell, Hole
from nbformat.v4 import new_code_cell, new_notebook
from processes import ended

REPOSITORY = Path(__file__).resolve().parent.parent
OLD, NEW = OLDEST_PYTHON, (OLDEST_PYTHON[0], OLDEST_PYTHON[1] + 3)
CELL = Cell("old", "old", "Haswell", "1", "absent")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the tool is for make")

# Stands in for a Python of its version with everything installed. What it does as pytest and as pip stands in files.
STAND_IN = """#!{python} -S
import json, os, shutil, sys
from pathlib import Path
folder = Path({folder!r})
if sys.argv[1] == "tools/check_environment.py":
    sys.exit(0)
what = sys.argv[2]
with open(folder / "calls", "a") as calls:
    calls.write(what.split()[0] + "\\n")
if what == "venv":
    os.makedirs(Path(sys.argv[-1], "bin"), exist_ok=True)
    shutil.copy(__file__, Path(sys.argv[-1], "bin", "python"))
elif what in ("pip", "pytest"):
    exec((folder / what).read_text())
elif "version_info" in what:
    print("cpython final {major} {minor}")
else:
    facts = {{"python": "{major}.{minor}.9", "numpy": "1.26.0", "kernel": os.environ["OPENBLAS_CORETYPE"],
             "threads": os.environ["OMP_NUM_THREADS"], "packages": [],
             "cifar10": "present" if "CS231N_CIFAR10_DIR" in os.environ else "absent"}}
    exec((folder / "facts").read_text())
    print(json.dumps(facts))
"""


def stand_in(path, folder, version):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(STAND_IN.format(python=sys.executable, folder=str(folder), major=version[0], minor=version[1]))
    path.chmod(0o755)
    return str(path)


class Workbook:
    """A small project under git, with stand-ins for the Pythons of a machine."""

    def __init__(self, folder):
        self.folder, self.root, self.output = folder, folder / "workbook", folder / "output"
        self.says(facts="", pip="", pytest="print('.. [100%]\\n\\n3 passed, 1 skipped in 0.50s')")
        for name, text in {
            "requirements.txt": "numpy>=1.26,<3\n",
            "cs231n/__init__.py": "",
            "tests/test_a.py": "",
            "notebooks/A.ipynb": "{}",
            ".gitignore": "datasets\n.matrix\n",
        }.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(text)
        subprocess.run(["git", "init", "-q"], cwd=self.root, check=True)
        self.pythons = {version: stand_in(folder / f"python3.{version[1]}", folder, version) for version in (OLD, NEW)}

    def says(self, **programs):
        for name, script in programs.items():
            (self.folder / name).write_text(script)

    def run(self, *arguments):
        return matrix.main([*arguments, "--output", str(self.output), "--environments", str(self.root / ".matrix")])

    def calls(self, of):
        return (self.folder / "calls").read_text().split("\n").count(of)


@pytest.fixture
def workbook(tmp_path, monkeypatch):
    book = Workbook(tmp_path)
    monkeypatch.setattr(matrix, "ROOT", book.root)
    monkeypatch.setattr(matrix, "find_pythons", lambda named: book.pythons)
    monkeypatch.setattr(matrix, "oldest_numpy", lambda python: "1.26.0")
    monkeypatch.delenv("CS231N_CIFAR10_DIR", raising=False)
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    yield book
    for number, handler in zip((signal.SIGINT, signal.SIGTERM), before):
        signal.signal(number, handler)


# Which cells there are


def test_each_pair_of_values_occurs_in_one_of_the_default_cells():
    cells = matrix.covering_cells()
    for (one, ones), (other, others) in itertools.combinations(SETTINGS.items(), 2):
        assert {(getattr(cell, one), getattr(cell, other)) for cell in cells} == set(itertools.product(ones, others))


def test_the_default_cells_are_as_few_as_can_be_and_always_the_same():
    cells = matrix.covering_cells()
    assert len(cells) == 6  # three kernels, each with the two values of another setting
    assert cells == matrix.covering_cells()


def test_all_is_the_full_product():
    assert len(set(matrix.chosen_cells([], everything=True))) == 48


def test_cells_are_picked_by_name_and_by_pattern():
    assert matrix.chosen_cells(["old-new-Haswell-2-absent"], False) == [Cell("old", "new", "Haswell", "2", "absent")]
    picked = matrix.chosen_cells(["new-*-Prescott-*", "new-old-Prescott-1-absent"], False)
    assert picked == [cell for cell in ALL_CELLS if cell.python == "new" and cell.kernel == "Prescott"]
    with pytest.raises(ValueError, match="No cell haswell: --list --all names them"):
        matrix.chosen_cells(["haswell"], False)


def test_listing_runs_nothing(workbook, capsys):
    assert workbook.run("--list") == 0
    assert capsys.readouterr().out.split() == [cell.name for cell in matrix.covering_cells()]
    assert not workbook.output.exists()


# Pythons


def test_pythons_are_found_on_the_path_and_kept_by_pyenv(tmp_path):
    on_path = stand_in(tmp_path / "bin" / "python3.10", tmp_path, (3, 10))
    stand_in(tmp_path / "bin" / "python3.9", tmp_path, (3, 9))
    in_pyenv = {
        minor: stand_in(tmp_path / f"versions/3.{minor}.1/bin/python", tmp_path, (3, minor)) for minor in (9, 10, 13)
    }
    named = stand_in(tmp_path / "mine", tmp_path, (3, 12))
    found = matrix.find_pythons([named], path=str(tmp_path / "bin"), pyenv=tmp_path)
    assert found == {(3, 10): on_path, (3, 12): named, (3, 13): in_pyenv[13]}
    assert list(found) == sorted(found)


@pytest.mark.parametrize("said", ["cpython beta 3 15", "pypy final 3 11", "", "pyenv: not found"])
def test_previews_and_other_pythons_do_not_count(tmp_path, said):
    python = tmp_path / "bin" / "python3.11"
    python.parent.mkdir()
    python.write_text(f"#!/bin/sh\necho {said}")
    python.chmod(0o755)
    assert matrix.find_pythons([], path=str(python.parent), pyenv=tmp_path) == {}
    with pytest.raises(ValueError, match=r"^--python .*python3\.11: it must be a CPython 3\.10 or newer"):
        matrix.find_pythons([str(python)], path=str(tmp_path), pyenv=tmp_path)


def test_a_python_that_is_not_there_is_a_hole_and_not_green(workbook, capsys):
    del workbook.pythons[OLD]
    assert workbook.run("old-old-Haswell-1-absent", "new-old-Haswell-1-absent") == 1
    rows = capsys.readouterr().out.split("\n\n")[-2].splitlines()
    assert rows[1].endswith("hole: no Python 3.10 found: name one with --python")
    assert rows[2].endswith("green")


# Environments


def test_an_environment_is_built_once_and_again_for_other_requirements(workbook):
    for _ in range(2):
        assert workbook.run("old-old-Haswell-1-absent") == 0
    assert (workbook.calls("venv"), workbook.calls("pip")) == (1, 1)
    (workbook.root / "requirements.txt").write_text("numpy>=2,<3\n")
    assert workbook.run("old-old-Haswell-1-absent") == 0
    assert (workbook.calls("venv"), workbook.calls("pip")) == (1, 2)


def test_only_the_oldest_numpy_is_pinned(workbook):
    workbook.says(pip="open(folder / 'asked', 'a').write(' '.join(sys.argv[-3:]) + '\\n')")
    assert workbook.run("old-old-Haswell-1-absent", "old-new-Haswell-1-absent") == 0
    asked = (workbook.folder / "asked").read_text().splitlines()
    assert asked == ["-r requirements.txt numpy==1.26.0", "numpy -r requirements.txt"]


def test_what_pip_says_stands_in_the_table_and_the_build_is_taken_up_again(workbook, capsys):
    workbook.says(pip="print('ERROR: No matching distribution found for torch')\nsys.exit(1)")
    assert workbook.run("old-old-Haswell-1-absent") == 1
    out = capsys.readouterr().out
    assert "hole: py3.10-old cannot be built: ERROR: No matching distribution found for torch" in out
    workbook.says(pip="")
    assert workbook.run("old-old-Haswell-1-absent") == 0


def test_a_renewal_that_failed_leaves_no_environment_that_passes_for_the_old_one(workbook):
    requirements = workbook.root / "requirements.txt"
    before = requirements.read_text()
    assert workbook.run("old-old-Haswell-1-absent") == 0
    requirements.write_text("numpy>=2,<3\n")
    workbook.says(pip="sys.exit(1)")
    assert workbook.run("old-old-Haswell-1-absent") == 1
    requirements.write_text(before)
    assert workbook.run("old-old-Haswell-1-absent") == 1


def test_the_newest_python_is_one_that_everything_can_be_installed_for(workbook, capsys):
    newer = (3, NEW[1] + 1)
    workbook.pythons[newer] = stand_in(workbook.folder / "newer", workbook.folder, newer)
    workbook.says(pip=f"sys.exit('py3.{newer[1]}' in __file__)")
    assert workbook.run("new-old-Haswell-1-absent") == 0
    out = capsys.readouterr().out
    assert f"py3.{newer[1]}-old cannot be built" in out
    assert f"3.{NEW[1]}.9" in out


@pytest.mark.parametrize(
    ("listed", "oldest"),
    [
        ("1.25.2, 1.26.0rc1, 1.26.1, 1.26.10, 2.0.0", "1.26.1"),
        ("2.1.0, 2.1.1, 2.10.0rc1", "2.1.0"),
    ],
)
def test_the_oldest_numpy_is_the_lowest_allowed_one_with_a_wheel(tmp_path, monkeypatch, listed, oldest):
    python = stand_in(tmp_path / "python", tmp_path, OLD)
    (tmp_path / "pip").write_text(f"sys.exit('ERROR: numpy==0 (from versions: {listed})\\nERROR: none')")
    assert matrix.oldest_numpy(python) == oldest
    (tmp_path / "pip").write_text("sys.exit('ERROR: no network')")
    with pytest.raises(Hole, match=r"no wheel of NumPy 1.26 or newer: ERROR: no network"):
        matrix.oldest_numpy(python)


# What a cell sees


def test_a_cell_is_rid_of_the_callers_settings(monkeypatch, tmp_path):
    for name in ("CS231N_DATA", "OPENBLAS_CORETYPE", "PYTHONPATH", "PYTEST_ADDOPTS", "MKL_DYNAMIC"):
        monkeypatch.setenv(name, "the caller's")
    variables = matrix.environment_of(CELL, tmp_path, None)
    assert "the caller's" not in variables.values()
    assert variables["OPENBLAS_CORETYPE"] == "Haswell"
    assert {variables[f"{library}_NUM_THREADS"] for library in ("OPENBLAS", "OMP", "MKL")} == {"1"}


def test_cifar10_is_there_but_not_served_or_nothing_is_set_at_all(monkeypatch, tmp_path):
    monkeypatch.setenv("CS231N_CIFAR10_DIR", "the caller's")
    absent = matrix.environment_of(CELL, tmp_path, tmp_path)
    assert not [name for name in absent if name.startswith("CS231N_")]
    present = matrix.environment_of(CELL._replace(cifar10="present"), tmp_path, tmp_path)
    assert (present["CS231N_CIFAR10_DIR"], present["CS231N_DATA"]) == (str(tmp_path), "shapes10")
    with pytest.raises(Hole, match="no CIFAR-10 found: `make data` fetches it"):
        matrix.environment_of(CELL._replace(cifar10="present"), tmp_path, None)


def test_the_code_is_a_copy_without_data(workbook, tmp_path):
    (workbook.root / "datasets" / "cifar-10-batches-py").mkdir(parents=True)
    (workbook.root / "datasets" / "cifar-10-batches-py" / "test_batch").write_text("")
    (workbook.root / "notes.txt").write_text("not committed yet")
    copy = tmp_path / "copy"
    first = matrix.copy_code(copy)
    assert matrix.find_cifar10() == workbook.root / "datasets"
    assert not (copy / "datasets").exists()
    assert (copy / "notes.txt").read_text() == "not committed yet"
    assert matrix.copy_code(tmp_path / "again") == first
    (workbook.root / "notes.txt").write_text("changed")
    assert matrix.copy_code(tmp_path / "changed") != first


WARNS = "import warnings\ndef warn():\n    warnings.warn('of old', DeprecationWarning, stacklevel=1)\n"


def test_a_warning_of_our_own_is_an_error_in_programs_and_in_kernels_and_one_of_others_is_not(tmp_path):
    for name in ("cs231n/__init__.py", "cs231n/layers/__init__.py", "cs231n/layers/noisy.py", "other.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(WARNS)
    cells = [
        "import other; other.warn()",
        "from cs231n.layers import noisy; noisy.warn()",
        "import cs231n.layers as c",
        "c.warn()",
        "import warnings; warnings.warn('mine')",
    ]
    nbformat.write(new_notebook(cells=[new_code_cell(cell) for cell in cells]), tmp_path / "A.ipynb")
    variables = matrix.environment_of(CELL, tmp_path, None)
    options = {"cwd": tmp_path, "env": variables, "capture_output": True, "text": True}
    assert subprocess.run([sys.executable, "-c", cells[0]], **options).returncode == 0
    for cell in cells[1], cells[4]:
        assert subprocess.run([sys.executable, "-c", cell], **options).returncode == 1
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "--nbval", "--nbval-current-env", "A.ipynb"],
        **options,
    )
    assert re.findall("PASSED|FAILED(?= *\\[)", done.stdout) == ["PASSED", "FAILED", "PASSED", "FAILED", "FAILED"]


def test_our_own_modules_are_those_of_the_repository():
    names = matrix.own_modules(REPOSITORY)
    assert {"__main__", "cs231n", "cs231n.layers.affine", "benchmarks.turns", "matrix", "test_matrix"} <= set(names)


def test_pytest_itself_makes_errors_of_the_warnings_of_the_package_and_of_every_tool(request):
    patterns = [line.removeprefix("error:::") for line in request.config.getini("filterwarnings")]
    tools = [path.stem for path in (REPOSITORY / "tools").glob("*.py")]
    for name in ("cs231n", "benchmarks", *tools):
        assert any(re.match(pattern, name) for pattern in patterns), name


# What comes of a cell


def test_a_green_cell_is_a_row_with_what_it_ran_on(workbook, capsys):
    assert workbook.run("old-old-Haswell-2-absent") == 0
    out = capsys.readouterr().out
    table = out.split("\n\n")[-2]
    assert table.split()[:10] == list(matrix.HEADINGS)
    assert table.split()[10:] == ["3.10.9", "1.26.0", "Haswell", "2", "absent", "0", "3", "0", "1", "green"]
    assert "1 of 1 cells are green" in out
    assert (workbook.output / "table.txt").read_text() == table + "\n"


def test_a_green_cell_is_run_again_only_with_other_code_other_packages_or_when_asked_for(workbook):
    def runs_after(*options):
        assert workbook.run("old-old-Haswell-1-absent", *options) == 0
        return workbook.calls("pytest")

    assert (runs_after(), runs_after()) == (1, 1)
    (workbook.root / "cs231n" / "__init__.py").write_text("changed = True\n")
    assert (runs_after(), runs_after()) == (2, 2)
    workbook.says(facts="facts['packages'] = ['torch 3.0']")
    assert (runs_after(), runs_after()) == (3, 3)
    assert runs_after("--again") == 4


def test_a_cell_runs_the_unit_tests_and_the_lessons(workbook):
    workbook.says(pytest="print(sys.argv[1:], os.getcwd())\nprint('1 passed in 0.1s')")
    assert workbook.run("old-old-Haswell-1-absent") == 0
    said = (workbook.output / "old-old-Haswell-1-absent.log").read_text()
    assert "'--nbval', 'notebooks/A.ipynb', 'tests'" in said
    assert str(workbook.root) not in said.splitlines()[-2]


@pytest.mark.parametrize(
    ("script", "figures"),
    [
        ("print('FAILED tests/a.py::b\\n2 failed, 3 passed, 1 error in 9.5s'); sys.exit(1)", ["3", "3", "0"]),
        ("print('5 passed in 0.1s'); sys.exit(3)", ["5", "0", "0"]),
        ("print('no tests ran in 0.01s')", ["0", "0", "0"]),
        ("os.kill(os.getpid(), 11)", ["0", "0", "0"]),
    ],
)
def test_a_red_cell_says_where_its_log_is_and_is_run_again(workbook, capsys, script, figures):
    workbook.says(pytest=script)
    for runs in (1, 2):
        assert workbook.run("old-old-Haswell-1-absent") == 1
        assert workbook.calls("pytest") == runs
    row = capsys.readouterr().out.split("\n\n")[-2].splitlines()[-1]
    assert row.split()[6:9] == figures
    assert re.search(rf"  red: pytest's exit status is -?\d+, see {workbook.output}/old-old-Haswell-1-absent.log$", row)


def test_the_probe_computes_so_that_a_kernel_this_processor_lacks_is_noticed(monkeypatch):
    class IllegalInstruction(Exception):
        pass

    class Matrix:
        def __matmul__(self, other):
            raise IllegalInstruction

    monkeypatch.setattr(np, "ones", lambda shape, dtype: Matrix())
    with pytest.raises(IllegalInstruction):
        exec(matrix.PROBE, {})


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ("facts['kernel'] = 'armv8'", "kernel is armv8 although Haswell was asked for"),
        ("facts['threads'] = '2'", "threads is 2 although 1 was asked for"),
        ("facts['cifar10'] = 'present'", "cifar10 is present although absent was asked for"),
        ("os.kill(os.getpid(), 4)", "NumPy died of SIGILL with the kernel Haswell"),
        ("sys.exit('ImportError: numpy')", "the environment does not work: ImportError: numpy"),
    ],
)
def test_a_cell_that_is_not_what_it_says_is_a_hole(workbook, capsys, facts, why):
    workbook.says(facts=facts)
    assert workbook.run("old-old-Haswell-1-absent") == 1
    assert capsys.readouterr().out.split("\n\n")[-2].endswith(f"  hole: {why}")
    assert workbook.calls("pytest") == 0


def test_the_sse_kernel_goes_by_two_names(workbook):
    workbook.says(facts="facts['kernel'] = 'Katmai'")
    assert workbook.run("old-old-Prescott-1-absent") == 0


def test_a_cell_that_hangs_is_ended_with_all_it_started(tmp_path):
    script = (
        "import subprocess, sys, time\n"
        "sleeper = subprocess.Popen(['sleep', '60'], start_new_session=True)\n"
        "print(sleeper.pid, flush=True)\ntime.sleep(60)"
    )
    log = tmp_path / "log"
    assert matrix.follow("a cell", [sys.executable, "-c", script], log, timeout=1.5) is None
    assert ended(int(log.read_text()))


def test_ctrl_c_ends_what_was_started_and_keeps_what_was_green(workbook):
    workbook.says(
        pytest=(
            "if os.environ['OMP_NUM_THREADS'] == '1':\n    print('3 passed in 0.5s')\n"
            "else:\n    import time\n    (folder / 'pid').write_text(str(os.getpid()))\n    time.sleep(60)"
        )
    )
    script = (
        "import sys, matrix\nfrom pathlib import Path\n"
        f"matrix.ROOT, matrix.find_pythons = Path({str(workbook.root)!r}), lambda named: {workbook.pythons!r}\n"
        "matrix.oldest_numpy = lambda python: '1.26.0'\nsys.exit(matrix.main())"
    )
    running = subprocess.Popen(
        [
            sys.executable,
            "-c",
            script,
            "old-old-Haswell-?-absent",
            "-o",
            workbook.output,
            "--environments",
            workbook.root / ".matrix",
        ],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "tools")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    pid, deadline = workbook.folder / "pid", time.monotonic() + 60
    while not (pid.exists() and pid.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert (running.returncode, err) == (130, "")
    assert out.endswith(f"\nInterrupted; what was green is kept in {workbook.output}.\n")
    assert ended(int(pid.read_text()))
    (kept,) = workbook.output.glob("*.json")
    assert json.loads(kept.read_text())["verdict"] == "green"
    assert "green" in (workbook.output / "table.txt").read_text()
