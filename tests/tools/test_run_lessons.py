"""The tools that execute the lessons, publish them and compare them with their stored outputs."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools.lessons import run_lessons

ROOT = Path(__file__).resolve().parents[2]
RUN_LESSONS = [sys.executable, "-m", "tools.lessons.run_lessons"]


def write_notebook(path, *cells):
    """Strings starting with # are Markdown cells, other strings code cells."""
    nbformat.write(
        new_notebook(
            cells=[new_markdown_cell(cell) if cell.startswith("#") else new_code_cell(cell) for cell in cells]
        ),
        path,
    )
    return path


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The tool's exit status, output and folder after one sound lesson and one with a failed claim that then raises."""
    folder = tmp_path_factory.mktemp("lessons")
    sound = write_notebook(
        folder / "Dropout.ipynb",
        "# Dropout\n\nKeep with $p$, as in [the code](code.py).",
        "# Question\n\n<details><summary>Answer</summary>\n\nFolded *away*.\n</details>",
        "import json, os, sys\nprint(json.dumps([sys.executable, os.getcwd(), os.environ.get('OMP_NUM_THREADS')]))",
        "## A claim\n\n[here](#A-claim)",
        "print('✓ 1 + 1 is 2: 2.0 > 1.5')",
        "",
    )
    (folder / "code.py").write_text("p = 0.5\n")
    raising = write_notebook(
        folder / "Zebra.ipynb", "# <Zebras>", "print('✗ stripes: 0.0 > 1.0')", "print('a')\n1 / 0", "2"
    )
    before = [path.read_bytes() for path in (sound, raising)]
    stranger = folder / "jupyter" / "kernels" / "python3"
    stranger.mkdir(parents=True)
    (stranger / "kernel.json").write_text('{"argv": ["another-python"], "display_name": "", "language": "python"}')
    output = folder / "build"
    environ = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [*RUN_LESSONS, raising, sound, "--output", output],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
        env={**environ, "PYTHONIOENCODING": "utf-8", "JUPYTER_PATH": str(folder / "jupyter")},
    )
    assert [path.read_bytes() for path in (sound, raising)] == before
    return done, output


def test_a_raising_cell_fails_the_run_but_not_the_other_lesson(published):
    done, output = published
    assert done.returncode == 1
    zebra, dropout = done.stdout.partition("verdict\n")[2].splitlines()[:2]
    assert re.match(r"Zebra +3 +\d+\.\d  cell 2 raised ZeroDivisionError: division by zero$", zebra)
    assert re.match(r"Dropout +2 +\d+\.\d  its claim holds$", dropout)
    assert done.stderr == ""
    cells = nbformat.read(output / "Zebra.ipynb", as_version=4).cells
    assert [cell.execution_count for cell in cells[1:]] == [1, 2, None]
    assert cells[2].outputs[-1].ename == "ZeroDivisionError"


def test_each_cell_gets_one_line_with_what_went_wrong_below(published):
    done, _ = published
    lines = done.stdout.partition("\n\n")[0].splitlines()
    assert len(lines) == 6
    assert sum(bool(re.match(r"Dropout +2/2 +\d+\.\d s  A claim$", line)) for line in lines) == 1
    first, second = (number for number, line in enumerate(lines) if line.startswith("Zebra"))
    assert lines[first + 1] == "    ✗ stripes: 0.0 > 1.0"
    assert lines[second + 1] == "    cell 2 raised ZeroDivisionError: division by zero"


def test_the_kernel_is_the_running_python_in_the_lessons_folder_with_its_share_of_the_cores(published):
    _, output = published
    result = nbformat.read(output / "Dropout.ipynb", as_version=4).cells[2].outputs[0].text
    threads = str(run_lessons.CORES // 2) if run_lessons.CORES > 1 else None
    assert json.loads(result) == [sys.executable, str(output.parent), threads]


def test_an_answer_stays_folded_away(published):
    _, output = published
    page = (output / "Dropout.html").read_text(encoding="utf-8")
    assert re.search(r"<details\b[^>]*>(?:(?!</details>).)*Folded <em>away</em>", page, re.DOTALL)


def test_pages_load_nothing_from_the_network(published):
    _, output = published
    for path in output.glob("*.html"):
        page = path.read_text(encoding="utf-8")
        loaded = re.findall(r"""<(?:script|img|link)\b[^>]*\b(?:src|href)=["']([^"'#][^"']*)""", page)
        assert any("mathjax.js" in source for source in loaded) or path.stem != "Dropout"
        for source in loaded:
            assert source.startswith("data:") or (output / source.partition("?")[0]).is_file(), source


def test_claims_are_marked_and_the_contents_link_to_their_sections(published):
    _, output = published
    page = (output / "Dropout.html").read_text(encoding="utf-8")
    assert '<span class="holds">✓ 1 + 1 is 2: 2.0 &gt; 1.5</span>' in page
    target = re.search(r'href="#([^"]+)"[^>]*>(?:<span[^>]*>)?here', page)[1]
    assert f'id="{target}"' in page
    assert '<span class="failed">✗ stripes: 0.0 &gt; 1.0</span>' in (output / "Zebra.html").read_text(encoding="utf-8")


def test_a_linked_file_is_laid_beside_the_page(published):
    done, output = published
    assert "WARNING" not in done.stdout
    page = (output / "Dropout.html").read_text(encoding="utf-8")
    (target,) = re.findall(r'href="([^"]*code.py)"', page)
    assert (output / target).read_text() == "p = 0.5\n"


def test_the_index_links_every_lesson_with_its_verdict_in_the_order_asked_for(published):
    _, output = published
    index = (output / "index.html").read_text("utf-8")
    entries = re.findall(
        r'<a href="(\w+.html)"><span class="name">(.*?)</span>.*?<span class="facts">(.*?)</span>', index
    )
    assert entries == [
        ("Zebra.html", "&lt;Zebras&gt;", "cell 2 raised ZeroDivisionError: division by zero"),
        ("Dropout.html", "Dropout", "its claim holds"),
    ]
    assert "1 of 2 claims hold" in index


def test_outputs_are_stored_where_every_claim_holds_and_a_lesson_can_go_on_after_an_error(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("CS231N_DATA", "cifar10")
    sound = write_notebook(tmp_path / "PyTorch.ipynb", "# A", "import os\nprint('✓ a\\n✓', os.environ['CS231N_DATA'])")
    stale = nbformat.read(sound, as_version=4)
    stale.cells[1].metadata["execution"] = {"iopub.execute_input": "2020-01-01T00:00:00Z"}
    nbformat.write(stale, sound)
    unsound = [
        write_notebook(tmp_path / "Broken.ipynb", "1 / 0", "print('✓ after')", "undefined", "print('✗ at last')"),
        write_notebook(tmp_path / "Pending.ipynb", "print('✓ a\\n☐ of no claim\\n☐ b … not implemented yet')"),
        write_notebook(tmp_path / "Wrong.ipynb", "print('✗ stripes')"),
    ]
    before = [path.read_bytes() for path in unsound]
    assert run_lessons.main(["--store", "-k", "-o", str(tmp_path / "build"), *map(str, [*unsound, sound])]) == 1
    out, _ = capsys.readouterr()
    assert [line for line in out.splitlines() if line.startswith("    ")] == [
        "    cell 1 raised ZeroDivisionError: division by zero",
        "    cell 3 raised NameError: name 'undefined' is not defined",
        "    ✗ at last",
        "    ✗ stripes",
    ]
    verdicts = dict(re.findall(r"^(\w+) +\d+ +\d+\.\d  (.*)$", out, re.MULTILINE))
    assert verdicts == {
        "Broken": "cell 1 raised ZeroDivisionError: division by zero; 1 more raised",
        "Pending": "1 of 2 claims hold, 1 not implemented yet",
        "Wrong": "1 of 1 claims failed",
        "PyTorch": "all 2 claims hold",
    }
    assert [path.read_bytes() for path in unsound] == before
    cell = nbformat.read(sound, as_version=4).cells[1]
    assert (cell.outputs[0].text, cell.execution_count, cell.metadata) == ("✓ a\n✓ shapes10\n", 1, {})
    assert {path.name for path in tmp_path.iterdir()} == {"build", sound.name, *(path.name for path in unsound)}


def test_a_cell_beyond_the_time_limit_and_a_dead_kernel_are_named(tmp_path, capsys):
    slow = write_notebook(tmp_path / "Slow.ipynb", "1", "import time\ntime.sleep(60)")
    dead = write_notebook(tmp_path / "Dead.ipynb", "import os\nos._exit(1)")
    assert run_lessons.main([str(slow), str(dead), "--timeout", "1", "-o", str(tmp_path / "build")]) == 1
    out, _ = capsys.readouterr()
    assert re.search(r"Slow +2 +\d\.\d  cell 2 ran longer than 1 s$", out, re.MULTILINE)
    assert re.search(r"Dead +1 +\d\.\d  cell 1 killed the kernel$", out, re.MULTILINE)


def test_lessons_run_in_the_order_of_the_course(tmp_path):
    for name in ("Appendix", "PyTorch", "Dropout", "FullyConnectedNets", "Zoo"):
        write_notebook(tmp_path / f"{name}.ipynb")
    found = [path.stem for path in run_lessons.find_lessons([], tmp_path)]
    assert found == ["FullyConnectedNets", "Dropout", "PyTorch", "Appendix", "Zoo"]
    with pytest.raises(FileNotFoundError, match=r"No lesson Dropuot. There are: FullyConnectedNets, Dropout, "):
        run_lessons.find_lessons(["Dropuot"], tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends Ctrl-C to a console, not to a process")
def test_ctrl_c_stops_with_one_line_and_leaves_no_kernel(tmp_path):
    cell = "import os, pathlib, time\npathlib.Path('{}').write_text(str(os.getpid()))\ntime.sleep(60)"
    kernels = [tmp_path / "one", tmp_path / "two"][: run_lessons.CORES]
    paths = [write_notebook(kernel.with_suffix(".ipynb"), cell.format(kernel.name)) for kernel in kernels]
    running = subprocess.Popen(
        [*RUN_LESSONS, *paths, "--output", tmp_path / "build"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not all(kernel.exists() and kernel.read_text() for kernel in kernels) and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert running.returncode == 130
    assert err == ""
    names = ", ".join(kernel.name for kernel in kernels)
    assert out.strip() == f"Interrupted in {names}; finished lessons are in {tmp_path / 'build'}."
    for kernel in kernels:
        with pytest.raises(ProcessLookupError):
            os.kill(int(kernel.read_text()), 0)


# Two outputs of a cell


OVERLOOKED = [
    ("✓ dx matches: 3.1e-10 < 1e-07", "✓ dx matches: 4.25e-11 < 1e-07"),
    ("✓ dx matches: 0 < 1e-07", "✓ dx matches: 4.25e-17 < 1e-07"),
    ("✓ loss: 2.29 < 2.302 < 2.31", "✓ loss: 2.29 < 2.305 < 2.31"),
    ("✓ Adam is above SGD: 0.612 > 0.544 (measured)", "✓ Adam is above SGD: 0.598 > 0.551 (measured)"),
    ("(Iteration 1 / 200) loss: 2.302583", "(Iteration 1 / 200) loss: 2.302584"),
    ("(Epoch 3 / 10) train acc: 0.412000; val_acc: 0.38", "(Epoch 3 / 10) train acc: 0.410000; val_acc: 0.37"),
    ("W1 relative error: 1.48e-07", "W1 relative error: 3.9e-08"),
    ("forward: 1.23 s, backward: 12 ms, update: 3.4 µs", "forward: 0.98 s, backward: 9 ms, update: 12.0 µs"),
    ("correct: 56.3 %, or 56.3%", "correct: 8.1 %, or 58.1%"),
]
COMPARED = [
    ("✓ dx matches: 3.1e-10 < 1e-07", "✗ dx matches: 3.1e-10 < 1e-07"),
    ("✓ dx matches: 3.1e-10 < 1e-07", "✓ dx matches: 3.1e-10 < 1e-06"),
    ("✓ dx matches: 3.1e-10 < 1e-07", "✓ dx matches: nan < 1e-07"),
    ("✓ dx matches: 3.1e-10 < 1e-07", "✓ dx matches: 3.1e-10 > 1e-07"),
    ("✓ loss: 2.29 < 2.302 < 2.31", "✓ loss: 2.28 < 2.302 < 2.31"),
    ("✓ the step is short: 0.31 s < 1.5 s", "✓ the step is short: 0.31 s < 2.5 s"),
    ("✓ accuracy: 56.3 % > 50.0 %", "✓ accuracy: 56.3 % > 40.0 %"),
    ("✓ after 5 epochs Adam leads: 0.6 > 0.5 (measured)", "✓ after 6 epochs Adam leads: 0.6 > 0.5 (measured)"),
    ("✓ parameters: 1510 > 1000", "✓ parameters: 1511 > 1000"),
    ("✓ the mask keeps p = 0.5 of its units: 0.497 > 0.45", "✓ the mask keeps p = 0.7 of its units: 0.497 > 0.45"),
    ("(Iteration 1 / 200) loss: 2.302583", "(Iteration 1 / 100) loss: 2.302583"),
    ("W1 relative error: 1.48e-07", "W2 relative error: 1.48e-07"),
    ("X_train: (10000, 3, 32, 32)", "X_train: (10000, 32, 32, 3)"),
]


def test_nbval_overlooks_volatile_digits_and_compares_everything_else(tmp_path):
    """The stored output and the printed one, cell by cell, go through nbval with the project's options."""
    cells = [
        new_code_cell(f"print({new!r})", execution_count=1, outputs=[new_output("stream", text=f"{old}\n")])
        for old, new in OVERLOOKED + COMPARED
    ]
    result = new_output("execute_result", data={"text/plain": "[1, 3]"}, execution_count=1)
    cells.append(new_code_cell("[1, 2]", execution_count=1, outputs=[result]))
    nbformat.write(new_notebook(cells=cells), tmp_path / "Stored.ipynb")
    report = tmp_path / "report.xml"
    options = ["-p", "no:cacheprovider", "-p", "no:xdist", "-c", ROOT / "pyproject.toml", "--nbval"]
    subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--junit-xml", report, tmp_path / "Stored.ipynb"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )
    cases = list(ElementTree.parse(report).getroot().iter("testcase"))
    assert len(cases) == len(cells)
    passed = [pair for case, pair in zip(cases, [*OVERLOOKED, *COMPARED, "result"]) if case.find("failure") is None]
    assert passed == OVERLOOKED
