"""What is handed in: lessons that were executed, a ZIP archive of the work, and all lessons in one document."""

import base64
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from processes import ended

from tools.course import lesson_book
from tools.course.collect_submission import SubmissionError, collect, put_in_place
from tools.lessons.run_lessons import COURSE

REPOSITORY = Path(__file__).resolve().parents[2]
BOARD = {"total": 3, "points": 2, "exercises": [{"name": "affine_forward", "points": 2}]}
# Stand-ins; the first argument that names the PDF tells where it goes.
PRINTS = """
for argument; do case $argument in --print-to-pdf=*) pdf=${argument#*=};; file:*) page=$argument;; esac; done
echo "%PDF of $page" > "$pdf"
"""
HANGS = f"echo $$ > '{{folder}}/pid'; exec '{sys.executable}' -c 'import time; time.sleep(60)'"


def picture(shade):
    """A PNG in base 64."""
    file = io.BytesIO()
    plt.imsave(file, np.full((4, 6), shade), vmin=0, vmax=1)
    return base64.b64encode(file.getvalue()).decode()


def lesson(name):
    """A lesson as it is when it was executed: two code cells, a formula, a picture, an answer folded away."""
    cells = [
        new_markdown_cell(f"# About {name}\n\nA formula: $\\frac{{\\alpha}}{{2}}$."),
        new_markdown_cell("## 1. The data\n\n[below](#2.-The-claim)"),
        new_code_cell(
            "1 + 1", execution_count=1, outputs=[new_output("execute_result", {"text/plain": "2"}, execution_count=1)]
        ),
        new_markdown_cell("## 2. The claim\n\n<details><summary>Answer</summary>\n\nFolded *away*.\n\n</details>"),
        new_code_cell(
            "show()",
            execution_count=2,
            outputs=[
                new_output("stream", text="✓ shown\n"),
                new_output("display_data", {"image/png": picture(len(name) / 25), "text/plain": "<Figure>"}),
            ],
        ),
        new_code_cell(""),
    ]
    return new_notebook(cells=cells)


def program(folder, name, script):
    """Lay a program of this name, a shell script, into a folder."""
    path = folder / name
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)
    return path


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A workbook whose lessons are executed, in a folder with spaces; on PATH are stand-ins from bin/ only."""
    root = tmp_path / "my work book"
    for name in (
        "notebooks",
        "tools/course",
        "tools/lessons",
        "bin",
        "cs231n/layers",
        "cs231n/__pycache__",
        "cs231n/.ipynb_checkpoints",
        "cs231n/datasets",
        "datasets",
    ):
        (root / name).mkdir(parents=True)
    (root / "tools" / "__init__.py").touch()
    for name in COURSE:
        nbformat.write(lesson(name), root / "notebooks" / f"{name}.ipynb")
    (root / "cs231n" / "optim.py").write_text("rate = 1\n")
    (root / "cs231n" / "layers" / "affine.py").write_text("# out = x w + b, α\n", encoding="utf-8")
    for waste in (
        "cs231n/__pycache__/optim.cpython-311.pyc",
        "cs231n/.ipynb_checkpoints/optim-checkpoint.py",
        "cs231n/datasets/data_batch_1",
        "datasets/images.npz",
        "notebooks/checkpoint.npz",
    ):
        (root / waste).write_bytes(b"waste")
    (root / "tools" / "course" / "score.py").write_text(
        f"import sys\nprint({json.dumps(BOARD)!r} if '--json' in sys.argv else 1)"
    )
    monkeypatch.setenv("PATH", str(root / "bin"))
    monkeypatch.setattr(lesson_book, "CHROMIUM_PLACES", [])
    return root


@pytest.fixture
def chromium(root):
    """Lay a Chromium into bin/ that runs a script."""

    def lay(script):
        return program(root / "bin", "chromium", script)

    lay(PRINTS)
    return lay


def edit(root, name, change):
    """Change the code cells of a lesson, given as a list."""
    path = root / "notebooks" / f"{name}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    change([cell for cell in notebook.cells if cell.cell_type == "code"])
    nbformat.write(notebook, path)


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


# The lessons


def unexecute(cells):
    cells[1].execution_count, cells[1].outputs = None, []


def rerun(cells):
    cells[0].execution_count = 7


def fail(cells):
    cells[1].outputs = [new_output("error", ename="ValueError", evalue="x must have shape (N, D)\nnot (D,)")]


def clear(cells):
    for cell in cells:
        cell.execution_count, cell.outputs = None, []


def clear_outputs(cells):
    for cell in cells:
        cell.outputs = []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (unexecute, "cell 2 (2. The claim) is not executed"),
        (rerun, "cell 1 (1. The data) is out of order: In [7] where In [1] belongs"),
        (fail, "cell 2 (2. The claim) raised ValueError: x must have shape (N, D)"),
        (clear, "saved without outputs"),
        (clear_outputs, "saved without outputs"),
    ],
)
def test_a_lesson_that_is_not_executed_in_order_and_without_error_is_named_with_the_cell(root, chromium, change, fault):
    edit(root, "Dropout", change)
    with pytest.raises(SubmissionError) as error:
        collect(root, root)
    assert str(error.value).splitlines()[1:-1] == [f"  Dropout: {fault}"]
    assert not list(root.glob("a2_*"))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"cells": [', "damaged, not a notebook (NotJSONError('Notebook does not appear to be JSON"),
        (b"[]", "damaged, not a notebook ("),
        (b"{}", "damaged, not a notebook ("),
        (b"\xff\xfe\x00", "damaged, not a notebook ("),
        (b"", "damaged, not a notebook ("),
        (
            b'{"cells": [{"cell_type": "code"}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
            "damaged, not a notebook (",
        ),
    ],
)
def test_a_damaged_lesson_is_named_in_one_line(root, chromium, content, told):
    (root / "notebooks" / "Dropout.ipynb").write_bytes(content)
    with pytest.raises(SubmissionError) as error:
        collect(root, root)
    (fault,) = str(error.value).splitlines()[1:-1]
    assert fault.startswith(f"  Dropout: {told}")


def test_all_lessons_that_have_a_fault_are_named_in_the_order_of_the_course(root, chromium):
    (root / "notebooks" / "FullyConnectedNets.ipynb").unlink()
    edit(root, "PyTorch", clear)
    edit(root, "Dropout", fail)
    with pytest.raises(SubmissionError) as error:
        collect(root, root)
    faults = [line.split(":")[0].strip() for line in str(error.value).splitlines()[1:-1]]
    assert faults == ["FullyConnectedNets", "Dropout", "PyTorch"]
    assert f"FullyConnectedNets: missing from {root / 'notebooks'}" in str(error.value)


def test_a_claim_about_code_that_is_not_written_yet_may_be_handed_in(root, chromium):
    def claim(cells):
        cells[1].outputs = [new_output("stream", text="☐ dx matches: affine_backward is not implemented yet\n")]

    edit(root, "Dropout", claim)
    assert len(collect(root, root)) == 2


# The archive


def test_the_archive_holds_the_package_the_lessons_and_the_scoreboard_and_nothing_else(root, chromium):
    collect(root, root)
    with zipfile.ZipFile(root / "a2_code.zip") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == sorted(
            [
                "cs231n/layers/affine.py",
                "cs231n/optim.py",
                "scoreboard.json",
                *(f"notebooks/{name}.ipynb" for name in COURSE),
            ]
        )
        for name in set(archive.namelist()) - {"scoreboard.json"}:
            assert archive.read(name) == (root / name).read_bytes()
        assert json.loads(archive.read("scoreboard.json")) == BOARD


def test_the_same_work_gives_the_same_bytes(root, chromium, tmp_path):
    collect(root, tmp_path / "one")
    copy = shutil.copytree(root, tmp_path / "copy")
    for path in copy.rglob("*.*"):
        os.utime(path, (1e9, 1e9))
        path.chmod(0o700)
    collect(copy, tmp_path / "two")
    assert (tmp_path / "one" / "a2_code.zip").read_bytes() == (tmp_path / "two" / "a2_code.zip").read_bytes()


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (
            "import sys; print('collecting'); sys.exit('ModuleNotFoundError: No module named pytest')",
            "exit status 1: ModuleNotFoundError: No module named pytest",
        ),
        ("print('3 of 100 points')", "exit status 0: 3 of 100 points"),
        ("print('[1]')", "exit status 0: [1]"),
        ("print('{\"total\": 3}')", 'exit status 0: {"total": 3}'),
        ("", "exit status 0: it said nothing"),
        (
            'import sys; print(\'{"total": 3, "points": 4, "exercises": []}\'); sys.exit(\'the tests ended early\')',
            "exit status 1: the tests ended early",
        ),
    ],
)
def test_a_score_that_fails_is_told_in_one_line(root, chromium, script, told):
    (root / "tools" / "course" / "score.py").write_text(script)
    with pytest.raises(SubmissionError) as error:
        collect(root, root)
    assert str(error.value) == f"tools.course.score failed ({told})."
    assert not list(root.glob("a2_*"))


# The document


def test_it_is_printed_from_a_page_that_lies_beside_it(root, chromium):
    assert collect(root, root) == [root / "a2_code.zip", root / "a2_inline.pdf"]
    printed = (root / "a2_inline.pdf").read_text()
    assert re.fullmatch(rf"%PDF of {root.as_uri()}/a2_part_\w+/a2_inline.html\n", printed)
    assert sorted(path.name for path in root.glob("a2_*")) == ["a2_code.zip", "a2_inline.pdf"]


def test_a_browser_that_fails_is_told_and_leaves_an_earlier_submission_alone(root, chromium):
    collect(root, root)
    (root / "a2_code.zip").write_bytes(b"earlier")
    before = listing(root)
    path = chromium("echo; echo 'No usable sandbox!' >&2; exit 3")
    with pytest.raises(SubmissionError) as error:
        collect(root, root)
    assert str(error.value) == (
        f"{path} did not print (exit status 3: No usable sandbox!). "
        "Collect with --html to hand in a page instead of a PDF."
    )
    assert listing(root) == before
    assert (root / "a2_code.zip").read_bytes() == b"earlier"


ONCE = f'[ -f "$0.done" ] && exit 0; : > "$0.done"; {PRINTS}'


@pytest.mark.parametrize(
    "script", ["exit 0", PRINTS.replace("%PDF", "<html>"), ONCE], ids=["no file", "no PDF", "no numbered contents"]
)
def test_a_browser_that_prints_nothing_is_told(root, chromium, script):
    chromium(script)
    with pytest.raises(SubmissionError, match=r"chromium did not print \(exit status 0: it said nothing\)"):
        collect(root, root)
    assert not list(root.glob("a2_*"))


def test_a_browser_that_hangs_is_ended_with_its_processes(root, chromium, monkeypatch):
    monkeypatch.setattr(lesson_book, "CHROMIUM_SECONDS", 2)
    helper = program(root / "bin", "helper", HANGS.format(folder=root))
    chromium(f"'{helper}' & wait")
    with pytest.raises(SubmissionError, match="chromium was not done after 2 s. Collect with --html"):
        collect(root, root)
    assert not list(root.glob("a2_*"))
    assert ended(int((root / "pid").read_text()))


@pytest.mark.parametrize("name", ["chromium", "google-chrome", "msedge"])
def test_a_browser_is_found_by_its_names(root, name):
    assert lesson_book.find_chromium() is None
    path = program(root / "bin", name, "")
    assert lesson_book.find_chromium() == str(path)


def test_a_browser_is_found_where_it_is_usually_installed(root, monkeypatch):
    path = program(root / "bin", "Google Chrome", "")
    monkeypatch.setattr(lesson_book, "CHROMIUM_PLACES", ["/nowhere/Chrome", str(path)])
    assert lesson_book.find_chromium() == str(path)


def assert_self_contained(page):
    for source in re.findall(r"""<(?:img|script|link|iframe)\b[^>]*?\b(?:src|href)=["']([^"']*)""", page):
        assert source.startswith("data:")


def test_without_a_program_that_makes_pdfs_it_is_a_page_that_needs_no_other_file(root, capsys):
    (root / "a2_inline.pdf").write_bytes(b"of an earlier call")
    assert collect(root, root) == [root / "a2_code.zip", root / "a2_inline.html"]
    assert "Neither Chromium, Chrome or Edge nor LaTeX with pandoc is installed" in capsys.readouterr().out
    assert sorted(path.name for path in root.glob("a2_*")) == ["a2_code.zip", "a2_inline.html"]
    page = (root / "a2_inline.html").read_text(encoding="utf-8")
    assert_self_contained(page)
    titles = re.findall(r"<h1\b[^>]*>(About \w+)", page)
    assert titles == [f"About {name}" for name in COURSE]
    for name in COURSE:
        assert f"data:image/png;base64,{picture(len(name) / 25)}" in page


def test_html_is_written_where_it_is_asked_for(root, chromium):
    assert collect(root, root, html=True)[1] == root / "a2_inline.html"


def test_links_lead_to_headings_of_the_same_lesson_and_the_contents_to_all(root):
    collect(root, root)
    page = (root / "a2_inline.html").read_text(encoding="utf-8")
    ids = re.findall(r"""<(?:h\d|section|span)\b[^>]*?\bid="([^"]+)""", page)
    assert len(ids) == len(set(ids))
    links = re.findall(r"""<a\b[^>]*?\bhref="#([^"]+)""", page)
    assert set(links) <= set(ids)
    for name in COURSE:
        assert {name, f"{name}.1", f"{name}.2", f"{name}-2.-The-claim"} <= set(links)


def test_answers_are_unfolded(root):
    chapter = lesson_book.chapter(Path("Dropout.ipynb"), lesson("Dropout"))
    assert re.search(r"<details open>(?:(?!</details>).)*Folded <em>away</em>", chapter["body"], re.DOTALL)


def test_pictures_that_the_text_refers_to_are_embedded(root):
    (root / "notebooks" / "a b.png").write_bytes(b"png")
    text = "![one](a%20b.png) <img src='a b.png'> ![gone](gone.png) ![far](https://example.org/far.png)"
    notebook = new_notebook(cells=[new_markdown_cell(text)])
    body = lesson_book.chapter(root / "notebooks" / "Dropout.ipynb", notebook)["body"]
    assert body.count(f'src="data:image/png;base64,{base64.b64encode(b"png").decode()}"') == 2
    assert 'src="gone.png"' in body
    assert 'src="https://example.org/far.png"' in body


def test_the_pages_of_a_pdf_are_counted_and_link_targets_found():
    pdf = b"""%PDF-1.4
        2 0 obj\n<</Type /Page\n/Parent 9 0 R>>\nendobj
        7 0 obj\n<</Type /Page\n/Parent 9 0 R>>\nendobj
        5 0 obj\n<</Type /Page\n/Parent 9 0 R>>\nendobj
        8 0 obj\n<</Type /Pages\n/Kids [2 0 R 7 0 R]>>\nendobj
        9 0 obj\n<</Type /Pages\n/Kids [5 0 R]>>\nendobj
        1 0 obj\n<</Type /Pages\n/Kids [8 0 R 9 0 R]>>\nendobj
        3 0 obj\n<</Dropout [7 0 R /XYZ 1 2 0]\n/Dropout.1 [5 0 R /XYZ 1 2 0]>>"""
    assert lesson_book.pages_of(pdf) == (3, {"Dropout": 2, "Dropout.1": 3})


# LaTeX


# Between Markdown and LaTeX, nbconvert has pandoc speak JSON.
PANDOC = """
import json, sys
text = sys.stdin.read()
words = sys.argv[1:]
if "-v" in words:
    print("pandoc 3.1")
elif "json" in words[words.index("-t") + 1]:
    print(json.dumps({"pandoc-api-version": [1, 23], "meta": {}, "blocks": [{"t": "Str", "c": text}]}))
else:
    print(json.loads(text)["blocks"][0]["c"] if text.startswith("{") else text)
"""


@pytest.fixture
def latex(root):
    """A LaTeX whose PDF is its source, and a pandoc that gives back what it gets."""
    program(root / "bin", "xelatex", 'printf "%%PDF\\n" > notebook.pdf; /bin/cat notebook.tex >> notebook.pdf')
    program(root / "bin", "bibtex", "exit 1")
    (root / "bin" / "pandoc.py").write_text(PANDOC)
    program(root / "bin", "pandoc", f"exec '{sys.executable}' -S '{root}/bin/pandoc.py' \"$@\"")
    return root


def test_latex_sets_the_lessons_where_there_is_no_browser(latex, capsys):
    assert collect(latex, latex) == [latex / "a2_code.zip", latex / "a2_inline.pdf"]
    source = (latex / "a2_inline.pdf").read_text(encoding="utf-8")
    assert re.findall(r"# About (\w+)|\\(clearpage|tableofcontents)", source) == [
        ("", "tableofcontents"),
        *(pair for name in COURSE for pair in [("", "clearpage"), (name, "")]),
    ]
    assert source.count(r"\adjustimage{") == len(COURSE)
    assert source.index(r"\begin{document}") < source.index(r"\tableofcontents") < source.index("# About")
    assert capsys.readouterr().out.splitlines()[-1] == "Setting the lessons with LaTeX"


def test_a_browser_is_preferred_to_latex(latex, chromium):
    collect(latex, latex)
    assert (latex / "a2_inline.pdf").read_text().startswith("%PDF of file:")


def test_a_latex_that_fails_is_told_in_one_line(latex):
    program(latex / "bin", "xelatex", "echo This is XeTeX; echo '! Undefined control sequence.'; echo more; exit 1")
    with pytest.raises(SubmissionError) as error:
        collect(latex, latex)
    assert str(error.value) == (
        "xelatex failed (! Undefined control sequence.). Collect with --html to hand in a page instead of a PDF."
    )
    assert not list(latex.glob("a2_*"))


def test_latex_without_pandoc_is_no_way_to_a_pdf(latex):
    (latex / "bin" / "pandoc").unlink()
    assert collect(latex, latex)[1] == latex / "a2_inline.html"


# All or nothing


@pytest.fixture
def parts(tmp_path):
    """Two finished files, to be put into tmp_path."""
    (tmp_path / "part").mkdir()
    paths = [tmp_path / "part" / name for name in ("a2_inline.pdf", "a2_code.zip")]
    for path in paths:
        path.write_bytes(b"new")
    return paths


def interrupt(monkeypatch, fails_at, error):
    """Let the call of os.replace with this number fail."""
    replace, calls = os.replace, []

    def failing(source, target):
        calls.append(target)
        if len(calls) == fails_at:
            raise error
        replace(source, target)

    monkeypatch.setattr(os, "replace", failing)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.glob("a2_*")}


def test_finished_files_replace_earlier_ones(tmp_path, parts):
    (tmp_path / "a2_code.zip").write_bytes(b"earlier")
    put_in_place(parts, tmp_path)
    assert contents(tmp_path) == {"a2_code.zip": b"new", "a2_inline.pdf": b"new"}


@pytest.mark.parametrize("fails_at", [1, 2, 3, 4])
@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), KeyboardInterrupt()], ids=repr)
def test_where_one_file_cannot_be_replaced_none_is(tmp_path, parts, monkeypatch, fails_at, error):
    before = {"a2_code.zip": b"earlier", "a2_inline.pdf": b"of then"}
    for name, content in before.items():
        (tmp_path / name).write_bytes(content)
    interrupt(monkeypatch, fails_at, error)
    with pytest.raises(type(error)):
        put_in_place(parts, tmp_path)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("fails_at", [1, 2])
def test_where_one_file_cannot_appear_none_does(tmp_path, parts, monkeypatch, fails_at):
    interrupt(monkeypatch, fails_at, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        put_in_place(parts, tmp_path)
    assert contents(tmp_path) == {}


def test_a_file_that_cannot_be_replaced_is_told(root, chromium, monkeypatch):
    interrupt(monkeypatch, 1, PermissionError(13, "Permission denied"))
    with pytest.raises(SubmissionError, match=r"Cannot write to .* \(Permission denied\)"):
        collect(root, root)
    assert not list(root.glob("a2_*"))


def test_a_folder_that_cannot_be_written_to_is_told_before_the_exercises_are_scored(root, chromium, capsys):
    folder = Path("/sys" if sys.platform == "linux" else "/System")
    with pytest.raises(SubmissionError) as error:
        collect(root, folder)
    assert str(error.value).startswith(f"Cannot write to {folder} (")
    assert str(error.value).endswith("Name another folder with --output, or close the files that are open there.")
    assert "Scoring" not in capsys.readouterr().out


def test_a_file_where_the_folder_should_be_is_told(root, chromium):
    (root / "out").write_text("mine")
    with pytest.raises(SubmissionError, match="Cannot write to .*out"):
        collect(root, root / "out")
    assert (root / "out").read_text() == "mine"


# The command


@pytest.fixture
def command(root):
    """The command in a copy of the workbook, called from another folder; Python and the usual tools are on PATH."""
    shutil.copy(REPOSITORY / "collectSubmission.sh", root)
    for name in (
        "course/children.py",
        "course/collect_submission.py",
        "course/lesson_book.py",
        "lessons/run_lessons.py",
    ):
        shutil.copy(REPOSITORY / "tools" / name, root / "tools" / name)
    elsewhere = root.parent / "else where"
    elsewhere.mkdir()
    path = os.pathsep.join([str(root / "bin"), str(Path(sys.executable).parent), "/usr/bin", "/bin"])
    environment = {**os.environ, "PATH": path, "PYTHONIOENCODING": "utf-8"}
    return lambda *arguments: subprocess.Popen(
        ["sh", root / "collectSubmission.sh", *arguments],
        cwd=elsewhere,
        env=environment,
        encoding="utf-8",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    )


def test_one_command_from_any_folder_writes_both_files_into_the_workbook(root, chromium, command):
    running = command()
    out, err = running.communicate(timeout=300)
    assert (running.returncode, err) == (0, "")
    assert out.splitlines()[:3] == [
        "Checking the lessons",
        "Scoring the exercises",
        "Printing the lessons with chromium",
    ]
    written = [line.rsplit("  ", 1)[0] for line in out.splitlines()[3:]]
    assert written == [str(root / "a2_code.zip"), str(root / "a2_inline.pdf")]


def test_a_named_folder_is_made_beside_the_caller(root, chromium, command):
    assert command("--output", "to hand in").communicate(timeout=300)[1] == ""
    assert listing(root.parent / "else where" / "to hand in") == ["a2_code.zip", "a2_inline.pdf"]


def test_a_fault_goes_to_standard_error_with_exit_status_1(root, chromium, command):
    edit(root, "Dropout", rerun)
    running = command()
    out, err = running.communicate(timeout=300)
    assert (running.returncode, out) == (1, "Checking the lessons\n")
    assert "Dropout: cell 1 (1. The data) is out of order" in err
    assert "Traceback" not in err


def test_help_names_both_files(command):
    running = command("--help")
    out, _ = running.communicate(timeout=300)
    assert running.returncode == 0
    assert {"a2_code.zip", "a2_inline.pdf", "--output", "--html"} <= set(re.findall(r"--\w+|a2_\w+\.\w+", out))


def test_without_a_python_that_has_the_packages_the_install_is_named(root, command):
    for name in ("python3", "python"):
        program(root / "bin", name, "exit 1")
    running = command()
    out, err = running.communicate(timeout=300)
    assert (running.returncode, out) == (1, "")
    assert err == f"No Python with the packages of requirements.txt found: run make install in {root} first.\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends Ctrl-C to a console, not to a process")
@pytest.mark.parametrize("at", ["the score", "printing"])
def test_ctrl_c_leaves_nothing(root, chromium, command, at):
    if at == "printing":
        chromium(HANGS.format(folder=root))
    else:
        (root / "tools" / "course" / "score.py").write_text(
            "import os, time\nwith open('pid', 'w') as file:\n    file.write(str(os.getpid()))\ntime.sleep(60)"
        )
    collecting = command()
    deadline = time.monotonic() + 300
    while not ((root / "pid").exists() and (root / "pid").read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    collecting.send_signal(signal.SIGINT)
    _, err = collecting.communicate(timeout=300)
    assert collecting.returncode == 130
    assert err == "\nInterrupted; nothing was written.\n"
    assert not list(root.glob("a2_*"))
    assert ended(int((root / "pid").read_text()))


# A real browser

BROWSER = lesson_book.find_chromium()


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """A PDF of five small lessons."""
    folder = tmp_path_factory.mktemp("to print")
    pdf = folder / "a2_inline.pdf"
    lessons = {folder / f"{name}.ipynb": lesson(name) for name in COURSE}
    lesson_book.write_pdf_with_chromium(BROWSER, lessons, pdf)
    return pdf


@pytest.mark.skipif(BROWSER is None, reason="no Chromium, Chrome or Edge is installed")
def test_every_lesson_is_printed_on_a_page_of_its_own_with_its_picture(printed):
    content = printed.read_bytes()
    count, pages = lesson_book.pages_of(content)
    assert count == 1 + len(COURSE)
    assert [pages[name] for name in COURSE] == [2, 3, 4, 5, 6]
    sheets = re.findall(rb"obj\s*<</Type /Page\b(?!s).*?endobj", content, flags=re.DOTALL)
    assert [b"/XObject" in sheet for sheet in sheets] == [False] + [True] * len(COURSE)


@pytest.mark.skipif(
    BROWSER is None or shutil.which("pdftotext") is None,
    reason="no Chromium, Chrome or Edge is installed, or no reader of PDFs",
)
def test_the_print_has_contents_text_answers_signs_and_drawn_formulas(printed):
    text = subprocess.run(["pdftotext", "-layout", printed, "-"], capture_output=True, encoding="utf-8").stdout
    contents, *sheets = text.split("\f")[:-1]
    assert re.findall(r"About (\w+) +(\d)", contents) == [(name, str(page)) for page, name in enumerate(COURSE, 2)]
    for name, sheet in zip(COURSE, sheets):
        assert f"About {name}" in sheet
        assert "Folded away." in sheet
        assert "✓ shown" in sheet
        assert "𝛼" in sheet
        assert "frac" not in sheet
