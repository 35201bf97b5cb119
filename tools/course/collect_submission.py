"""Collect what is handed in: a2_code.zip and a2_inline.pdf.

Checks first that all lessons are there and executed, in order and without an error. a2_code.zip holds the package, the
lessons and the scoreboard as JSON, no data and no caches, and is the same to the byte for the same work. a2_inline.pdf
shows the lessons one after another, printed by Chromium, Chrome or Edge; where none is installed it is one HTML file
instead, a2_inline.html. Both appear together when they are complete, or not at all, and replace those of
an earlier call. Exit status: 0 if they are written, 1 if not, 130 on Ctrl-C.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tools.course import lesson_book
from tools.lessons.notebook_files import NotebookError, read_notebook
from tools.lessons.run_lessons import COURSE, ROOT, labels_of

ARCHIVE, PDF, PAGE = "a2_code.zip", "a2_inline.pdf", "a2_inline.html"


class SubmissionError(Exception):
    """Why nothing is collected, in one line or a few."""


def fault_of(notebook):
    """What must be put right in a lesson before it is handed in.

    Parameters
    ----------
    notebook : NotebookNode

    Returns
    -------
    fault : str or None
        Of the first cell that has one.
    """
    labels = labels_of(notebook)
    cells = {number: notebook.cells[index] for number, index in enumerate(labels, 1)}
    if not cells:
        return "no code cells"
    if not any(cell.outputs for cell in cells.values()):
        return "saved without outputs"
    for (number, cell), label in zip(cells.items(), labels.values()):
        where = f"cell {number} ({label})"
        error = next((output for output in cell.outputs if output.output_type == "error"), None)
        if error:
            return f"{where} raised {error.ename}: {error.evalue}".splitlines()[0]
        if cell.execution_count is None:
            return f"{where} is not executed"
        if cell.execution_count != number:
            return f"{where} is out of order: In [{cell.execution_count}] where In [{number}] belongs"
    return None


def read_lessons(folder):
    """Read the lessons of the course and check them.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    contents : dict from Path to bytes
    notebooks : dict from Path to NotebookNode
        Both in the order of the course.

    Raises
    ------
    SubmissionError
        With a line for each lesson that is missing, damaged or not executed as it must be.
    """
    contents, notebooks, faults = {}, {}, []
    for path in (folder / f"{name}.ipynb" for name in COURSE):
        try:
            contents[path] = path.read_bytes()
            notebooks[path] = read_notebook(path)
            fault = fault_of(notebooks[path])
        except FileNotFoundError:
            fault = f"missing from {folder}"
        except OSError as error:
            fault = f"cannot be read ({error.strerror})"
        except NotebookError as error:
            fault = str(error)
        if fault:
            faults.append(f"  {path.stem}: {fault}")
    if faults:
        remedy = "Put them right (in JupyterLab: Run, Restart Kernel and Run All Cells, then save) and collect again."
        raise SubmissionError("\n".join(["The lessons cannot be handed in yet:", *faults, remedy]))
    return contents, notebooks


def score(root):
    """The scoreboard: what ``tools.course.score --json`` prints.

    Raises
    ------
    SubmissionError
        If it fails or prints something else than JSON.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tools.course.score", "--json"],
        cwd=root,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    try:
        board = json.loads(done.stdout)
        if done.returncode == 0 and {"total", "points", "exercises"} <= board.keys():
            return board
    except (ValueError, AttributeError):
        pass
    said = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
    raise SubmissionError(f"tools.course.score failed (exit status {done.returncode}: {said[:200]}).")


def write_archive(path, members):
    """Write a ZIP archive that depends on nothing but names and contents.

    Parameters
    ----------
    path : Path
    members : dict from str to bytes
    """
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(members):
            member = zipfile.ZipInfo(name)  # of 1980-01-01
            member.create_system = 3  # Unix, whose permissions follow
            member.external_attr = 0o644 << 16
            archive.writestr(member, members[name], zipfile.ZIP_DEFLATED)


def sources(root):
    """The package's files of Python, by their names from the root; nothing hidden, no caches."""
    paths = [path.relative_to(root) for path in (root / "cs231n").rglob("*.py")]
    return {
        path.as_posix(): (root / path).read_bytes()
        for path in paths
        if not any(part.startswith(".") for part in path.parts)
    }


def write_inline(notebooks, folder, html):
    """Write the lessons as a PDF or, for want of a browser that prints one, as a page.

    Parameters
    ----------
    notebooks : dict from Path to NotebookNode
    folder : Path
    html : bool
        Write a page in any case.

    Returns
    -------
    path : Path
    """
    chromium = None if html else lesson_book.find_chromium()
    if chromium:
        print(f"Printing the lessons with {Path(chromium).stem}", flush=True)
        lesson_book.write_pdf(chromium, notebooks, folder / PDF)
        return folder / PDF
    if not html:
        print(f"No Chromium, Chrome or Edge is installed: writing the lessons as a page, {PAGE}, instead of a PDF.")
    lesson_book.write_page(notebooks, folder / PAGE)
    return folder / PAGE


def put_in_place(parts, folder):
    """Move finished files into a folder: all, or none.

    What they replace is kept beside them until all have moved.

    Parameters
    ----------
    parts : list of Path
        In a folder on the same disk.
    folder : Path
    """
    moves = [(part, folder / part.name, part.with_name(part.name + ".kept")) for part in parts]
    try:
        for part, target, kept in moves:
            if target.exists():
                os.replace(target, kept)
            os.replace(part, target)
    except BaseException:
        for part, target, kept in moves:
            if kept.exists():
                os.replace(kept, target)
            elif not part.exists():
                target.unlink()
        raise


def collect(root, output, html=False):
    """Check the lessons and write what is handed in.

    Parameters
    ----------
    root : Path
        The workbook.
    output : Path
    html : bool
        Write the lessons as a page, not as a PDF.

    Returns
    -------
    paths : list of Path
        What was written.

    Raises
    ------
    SubmissionError
        If nothing was written, with the reason.
    """
    print("Checking the lessons", flush=True)
    contents, notebooks = read_lessons(root / "notebooks")
    members = {f"notebooks/{path.name}": content for path, content in contents.items()} | sources(root)
    try:
        output.mkdir(parents=True, exist_ok=True)
        # Not hidden: a confined Chromium reads no hidden folders.
        with tempfile.TemporaryDirectory(prefix="a2_part_", dir=output) as work:
            work = Path(work)
            print("Scoring the exercises", flush=True)
            board = json.dumps(score(root), indent=2, ensure_ascii=False) + "\n"
            write_archive(work / ARCHIVE, members | {"scoreboard.json": board.encode()})
            inline = write_inline(notebooks, work, html)
            put_in_place([inline, work / ARCHIVE], output)
    except lesson_book.BookError as error:
        raise SubmissionError(f"{error}. Collect with --html to hand in a page instead of a PDF.") from None
    except OSError as error:
        raise SubmissionError(
            f"Cannot write to {output} ({error.strerror}). "
            "Name another folder with --output, or close the files that are open there."
        ) from None
    # An earlier call's document of the other kind is out of date.
    with contextlib.suppress(OSError):
        (output / {PDF: PAGE, PAGE: PDF}[inline.name]).unlink()
    return [output / ARCHIVE, output / inline.name]


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=ROOT,
        metavar="FOLDER",
        help="where to write (default: the workbook's folder)",
    )
    parser.add_argument("--html", action="store_true", help="write a2_inline.html even where a PDF could be made")
    options = parser.parse_args(arguments)
    # A Windows console whose code page lacks a sign gets a question mark.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")
    try:
        paths = collect(ROOT, options.output.resolve(), options.html)
    except SubmissionError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; nothing was written.", file=sys.stderr)
        return 130
    for path in paths:
        print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
