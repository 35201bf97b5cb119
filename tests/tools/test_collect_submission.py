"""What is handed in: lessons that were executed, a ZIP archive of the work, and all lessons in one document."""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from processes import ended

from tools.course import collect_submission, lesson_book
from tools.course.collect_submission import SubmissionError, collect, put_in_place
from tools.lessons.run_lessons import COURSE

REPOSITORY = Path(__file__).resolve().parents[2]
BOARD = {"total": 3, "points": 2, "exercises": [{"name": "affine_forward", "points": 2}]}
# Stands in for a browser. Its PDF has three pages in an order of their own, then holds what was printed.
PRINTS = """
for argument; do case $argument in --print-to-pdf=*) pdf=${argument#*=};; file:*) uri=$argument;; esac; done
echo "%PDF of $uri
2 0 obj\n<</Type /Page\n/Parent 9 0 R>>\nendobj
7 0 obj\n<</Type /Page\n/Parent 9 0 R>>\nendobj
5 0 obj\n<</Type /Page\n/Parent 9 0 R>>\nendobj
8 0 obj\n<</Type /Pages\n/Kids [2 0 R 7 0 R]>>\nendobj
9 0 obj\n<</Type /Pages\n/Kids [5 0 R]>>\nendobj
1 0 obj\n<</Type /Pages\n/Kids [8 0 R 9 0 R]>>\nendobj
3 0 obj\n<</Dropout [7 0 R /XYZ 1 2 0]\n/Dropout.1 [5 0 R /XYZ 1 2 0]>>" > "$pdf"
/bin/cat "${pdf%pdf}html" >> "$pdf"
"""
HANGS = 'cd "$(/usr/bin/dirname "$0")"; /bin/sleep 60 & echo $! > pid; {then} wait'
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNoAAAAggCB2kUIOwAAAABJRU5ErkJggg=="
ERROR = new_output("error", ename="ValueError", evalue="x must have shape (N, D)\nnot (D,)")
UNDECIDED = new_output("stream", text="☐ dx matches: affine_backward is not implemented yet\n")


def lesson(name):
    """A lesson as it is when it was executed: two code cells, a formula, a picture, an answer folded away."""
    two = new_output("execute_result", {"text/plain": "2"}, execution_count=1)
    shown = new_output("display_data", {"image/png": PNG, "text/plain": "<Figure>"})
    cells = [
        new_markdown_cell(f"# About {name}\n\nA formula: $\\frac{{\\alpha}}{{2}}$."),
        new_markdown_cell("## 1. The data\n\n[below](#2.-The-claim)"),
        new_code_cell("1 + 1", execution_count=1, outputs=[two]),
        new_markdown_cell("## 2. The claim\n\n<details><summary>Answer</summary>\n\nFolded *away*.\n\n</details>"),
        new_code_cell("show()", execution_count=2, outputs=[new_output("stream", text="✓ shown\n"), shown]),
        new_code_cell(""),
    ]
    return new_notebook(cells=cells)


def program(path, script):
    """Lay a shell script."""
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)
    return path


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A workbook whose lessons are executed, in a folder with spaces; PATH has no program but those in bin/."""
    root = tmp_path / "my work book"
    files = {
        "cs231n/optim.py": "rate = 1\n",
        "cs231n/layers/affine.py": "# out = x w + b, α\n",
        "tools/__init__.py": "",
        "tools/course/score.py": f"import sys\nprint({json.dumps(BOARD)!r} if '--json' in sys.argv else 1)",
        "bin/README": "",
        # No part of a submission:
        "cs231n/__pycache__/optim.cpython-311.pyc": "waste",
        "cs231n/.ipynb_checkpoints/optim-checkpoint.py": "waste",
        "cs231n/datasets/data_batch_1": "waste",
        "datasets/images.npz": "waste",
        "notebooks/checkpoint.npz": "waste",
    }
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content, encoding="utf-8")
    for name in COURSE:
        nbformat.write(lesson(name), root / "notebooks" / f"{name}.ipynb")
    monkeypatch.setenv("PATH", str(root / "bin"))
    monkeypatch.setattr(lesson_book, "CHROMIUM_PLACES", [])
    monkeypatch.setattr(collect_submission, "ROOT", root)
    return root


@pytest.fixture
def chromium(root):
    return program(root / "bin" / "chromium", PRINTS)


def edit(root, name, index, **entries):
    """Change entries of a lesson's code cell, or of all for None."""
    path = root / "notebooks" / f"{name}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in cells if index is None else [cells[index]]:
        cell.update(entries)
    nbformat.write(notebook, path)


def collected(root):
    return {path.name: path.read_bytes() for path in root.glob("a2_*")}


# The lessons


@pytest.mark.parametrize(
    ("index", "entries", "fault"),
    [
        (1, {"execution_count": None, "outputs": []}, "cell 2 (2. The claim) is not executed"),
        (0, {"execution_count": 7}, "cell 1 (1. The data) is out of order: In [7] where In [1] belongs"),
        (1, {"outputs": [ERROR]}, "cell 2 (2. The claim) raised ValueError: x must have shape (N, D)"),
        (None, {"outputs": []}, "saved without outputs"),
    ],
)
def test_a_lesson_that_is_not_executed_in_order_and_without_error_is_named_with_the_cell(root, index, entries, fault):
    edit(root, "Dropout", index, **entries)
    with pytest.raises(SubmissionError) as error:
        collect(root, root)
    assert str(error.value).splitlines()[1:-1] == [f"  Dropout: {fault}"]
    assert not collected(root)


def test_all_lessons_that_have_a_fault_are_named_in_the_order_of_the_course(root, capsys):
    folder = root / "notebooks"
    (folder / "FullyConnectedNets.ipynb").unlink()
    (folder / "BatchNormalization.ipynb").write_bytes(b'{"cells": [')
    (folder / "ConvolutionalNetworks.ipynb").write_text('{"cells": [{}], "nbformat": 4}')
    edit(root, "PyTorch", 1, outputs=[ERROR])
    assert collect_submission.main([]) == 1
    faults = capsys.readouterr().err.splitlines()[1:-1]
    assert [fault.split("(")[0] for fault in faults] == [
        f"  FullyConnectedNets: missing from {folder}",
        "  BatchNormalization: damaged, not a notebook ",
        "  ConvolutionalNetworks: damaged, not a notebook ",
        "  PyTorch: cell 2 ",
    ]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("import sys; print('collecting'); sys.exit('No pytest')", "exit status 1: No pytest"),
        ("print('{\"total\": 3}')", 'exit status 0: {"total": 3}'),
    ],
)
def test_a_score_that_fails_is_reported_in_one_line(root, script, said):
    (root / "tools" / "course" / "score.py").write_text(script)
    with pytest.raises(SubmissionError) as error:
        collect(root, root)
    assert str(error.value) == f"tools.course.score failed ({said})."
    assert not collected(root)


# The archive


def test_the_archive_holds_the_package_the_lessons_and_the_scoreboard_and_is_the_same_for_the_same_work(root, tmp_path):
    edit(root, "Dropout", 1, outputs=[UNDECIDED])  # may be handed in
    copy = shutil.copytree(root, tmp_path / "copy")
    for path in copy.rglob("*.*"):
        os.utime(path, (1e9, 1e9))
        path.chmod(0o700)
    collect(root, root)
    collect(copy, copy)
    assert (root / "a2_code.zip").read_bytes() == (copy / "a2_code.zip").read_bytes()
    with zipfile.ZipFile(root / "a2_code.zip") as archive:
        assert json.loads(archive.read("scoreboard.json")) == BOARD
        work = {name: archive.read(name) for name in archive.namelist() if name != "scoreboard.json"}
    names = ["cs231n/optim.py", "cs231n/layers/affine.py", *(f"notebooks/{name}.ipynb" for name in COURSE)]
    assert work == {name: (root / name).read_bytes() for name in names}


# The document


def test_a_browser_prints_a_page_that_lies_beside_the_pdf_with_the_pages_in_its_contents(root, chromium):
    assert collect(root, root) == [root / "a2_code.zip", root / "a2_inline.pdf"]
    assert collected(root).keys() == {"a2_code.zip", "a2_inline.pdf"}
    first_line, *_ = printed = (root / "a2_inline.pdf").read_text("utf-8").splitlines()
    assert re.fullmatch(rf"%PDF of {root.as_uri()}/a2_part_\w+/a2_inline.html", first_line)
    numbers = re.findall(r'href="#([\w.]+)">[^<]*<span class="dots"></span><span class="page">(\d+)', "".join(printed))
    assert numbers == [("Dropout", "2"), ("Dropout.1", "3")]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo; echo 'No usable sandbox!' >&2; exit 3", "did not print (exit status 3: No usable sandbox!)"),
        ("exit 0", "did not print (exit status 0: it said nothing)"),
        (HANGS.format(then=""), "was not done after 0.5 s"),
    ],
    ids=["fails", "no file", "hangs"],
)
def test_a_browser_that_prints_no_pdf_leaves_an_earlier_submission_alone(root, chromium, script, reason, monkeypatch):
    monkeypatch.setattr(lesson_book, "CHROMIUM_SECONDS", 0.5)
    (root / "a2_code.zip").write_bytes(b"earlier")
    program(chromium, script)
    with pytest.raises(SubmissionError) as error:
        collect(root, root)
    assert str(error.value) == f"{chromium} {reason}. Collect with --html to hand in a page instead of a PDF."
    assert collected(root) == {"a2_code.zip": b"earlier"}
    if script.startswith("cd"):
        assert ended(int((root / "bin" / "pid").read_text()))


def test_a_browser_is_found_by_its_name_and_where_it_is_usually_installed(root, monkeypatch):
    assert lesson_book.find_chromium() is None
    installed = program(root / "Google Chrome", "")
    monkeypatch.setattr(lesson_book, "CHROMIUM_PLACES", ["/nowhere/Chrome", str(installed)])
    assert lesson_book.find_chromium() == str(installed)
    named = program(root / "bin" / "msedge", "")
    assert lesson_book.find_chromium() == str(named)


def test_without_a_browser_it_is_a_page_that_needs_no_other_file(root, capsys):
    (root / "a2_inline.pdf").write_bytes(b"of an earlier call")
    assert collect_submission.main([]) == 0
    assert "No Chromium, Chrome or Edge is installed" in capsys.readouterr().out
    assert collected(root).keys() == {"a2_code.zip", "a2_inline.html"}
    page = (root / "a2_inline.html").read_text(encoding="utf-8")
    sources = re.findall(r"""<(?:img|script|link|iframe)\b[^>]*?\b(?:src|href)=["']([^"']*)""", page)
    assert sources == [f"data:image/png;base64,{PNG}"] * len(COURSE)
    assert re.findall(r"<h1\b[^>]*>(About \w+)", page) == [f"About {name}" for name in COURSE]
    # Links lead to headings of the same lesson, and the contents to all.
    ids = re.findall(r"""<(?:h\d|section|span)\b[^>]*?\bid="([^"]+)""", page)
    links = set(re.findall(r"""<a\b[^>]*?\bhref="#([^"]+)""", page))
    assert links <= set(ids) and len(ids) == len(set(ids))
    for name in COURSE:
        assert {name, f"{name}.1", f"{name}.2", f"{name}-2.-The-claim"} <= links


def test_a_page_is_written_where_it_is_asked_for(root, chromium):
    assert collect_submission.main(["--html"]) == 0
    assert collected(root).keys() == {"a2_code.zip", "a2_inline.html"}


def test_answers_are_unfolded_and_pictures_that_the_text_refers_to_embedded(root):
    (root / "notebooks" / "a b.png").write_bytes(base64.b64decode(PNG))
    text = "![one](a%20b.png) <img src='a b.png'> ![gone](gone.png) ![far](https://example.org/far.png)"
    notebook = lesson("Dropout")
    notebook.cells[-1] = new_markdown_cell(text)
    outputs = [
        output for cell in notebook.cells for output in cell.get("outputs", []) if "image/png" in output.get("data", {})
    ]
    outputs[0].metadata["image/png"] = {"alt": "What there is to be seen."}
    body = lesson_book.chapter(root / "notebooks" / "Dropout.ipynb", notebook)["body"]
    assert re.search(r'<img[^>]*alt="What there is to be seen\."', body)
    assert re.search(r"<details open>(?:(?!</details>).)*Folded <em>away</em>", body, re.DOTALL)
    assert body.count(f'src="data:image/png;base64,{PNG}"') == 1 + 2  # the cell's own and the text's
    assert 'src="gone.png"' in body
    assert 'src="https://example.org/far.png"' in body


# All or nothing


@pytest.mark.parametrize("before", [{}, {"a2_code.zip": b"earlier", "a2_inline.pdf": b"earlier"}], ids=["none", "both"])
@pytest.mark.parametrize("succeed", range(5))
def test_both_files_are_put_in_place_or_none(tmp_path, monkeypatch, before, succeed):
    (tmp_path / "part").mkdir()
    parts = [tmp_path / "part" / name for name in ("a2_inline.pdf", "a2_code.zip")]
    for path, content in [*((path, b"new") for path in parts), *((tmp_path / name, before[name]) for name in before)]:
        path.write_bytes(content)
    # Ctrl-C comes after this many moves; those that put things back succeed again.
    results = iter([*[os.replace] * succeed, lambda *_: signal.raise_signal(signal.SIGINT), *[os.replace] * 4])
    monkeypatch.setattr(os, "replace", lambda *paths: next(results)(*paths))
    if succeed < len(parts) + len(before):
        with pytest.raises(KeyboardInterrupt):
            put_in_place(parts, tmp_path)
        assert collected(tmp_path) == before
    else:
        put_in_place(parts, tmp_path)
        assert collected(tmp_path) == {"a2_code.zip": b"new", "a2_inline.pdf": b"new"}


def test_a_folder_that_cannot_be_written_to_is_reported_before_the_exercises_are_scored(root, capsys):
    (root / "out").write_text("mine")
    with pytest.raises(SubmissionError, match=r"Cannot write to .*out \(File exists\). Name another folder"):
        collect(root, root / "out")
    assert (root / "out").read_text() == "mine"
    assert "Scoring" not in capsys.readouterr().out


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends Ctrl-C to a console, not to a process")
@pytest.mark.parametrize("at", ["the score", "printing"])
def test_ctrl_c_leaves_no_file_and_no_process(root, chromium, capsys, at):
    program(chromium, HANGS.format(then="kill -INT $PPID;"))
    if at == "the score":
        (root / "tools" / "course" / "score.py").write_text(
            "import os, signal, time; os.kill(os.getppid(), signal.SIGINT); time.sleep(60)"
        )
    assert collect_submission.main([]) == 130
    assert capsys.readouterr().err == "\nInterrupted; nothing was written.\n"
    assert not collected(root)
    if at == "printing":
        assert ended(int((root / "bin" / "pid").read_text()))


# The command


def test_the_script_collects_from_any_folder_and_names_the_install_where_it_is_missing(root, chromium, tmp_path):
    shutil.copy(REPOSITORY / "collectSubmission.sh", root)
    for name in ("cs231n", "tools"):
        shutil.copytree(REPOSITORY / name, root / name, ignore=lambda *_: ["score.py"], dirs_exist_ok=True)
    python = program(root / "bin" / "python3", f'exec "{sys.executable}" "$@"')
    environment = {**os.environ, "PATH": f"{root / 'bin'}:/usr/bin:/bin"}
    command = ["sh", root / "collectSubmission.sh", "--output", "to hand in"]

    def call():
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8")
        return done.returncode, done.stdout.splitlines(), done.stderr

    status, (*steps, archive, pdf), said = call()
    assert (status, said) == (0, "")
    assert steps == ["Checking the lessons", "Scoring the exercises", "Printing the lessons with chromium"]
    assert archive.startswith(f"{tmp_path}/to hand in/a2_code.zip ")
    assert pdf.startswith(f"{tmp_path}/to hand in/a2_inline.pdf ")
    assert collected(tmp_path / "to hand in").keys() == {"a2_code.zip", "a2_inline.pdf"}
    program(python, "exit 1")
    program(root / "bin" / "python", "exit 1")
    status, out, said = call()
    assert (status, out) == (1, [])
    assert said.endswith(f"run make install in {root} first.\n")


BROWSER = lesson_book.find_chromium()


@pytest.mark.skipif(BROWSER is None, reason="no Chromium, Chrome or Edge is installed")
def test_a_real_browser_prints_each_lesson_on_a_page_of_its_own_with_pictures_and_drawn_formulas(tmp_path):
    pdf = tmp_path / "a2_inline.pdf"
    lesson_book.write_pdf(BROWSER, {tmp_path / f"{name}.ipynb": lesson(name) for name in COURSE}, pdf)
    content = pdf.read_bytes()
    count, pages = lesson_book.pages_of(content)
    assert count == 1 + len(COURSE)
    assert [pages[name] for name in COURSE] == [2, 3, 4, 5, 6]
    sheets = re.findall(rb"obj\s*<</Type /Page\b(?!s).*?endobj", content, flags=re.DOTALL)
    assert [b"/XObject" in sheet for sheet in sheets] == [False] + [True] * len(COURSE)
    if shutil.which("pdftotext"):  # the formulas are drawn: no TeX is left
        text = subprocess.run(["pdftotext", pdf, "-"], capture_output=True, encoding="utf-8").stdout
        assert "A formula:" in text and "frac" not in text
