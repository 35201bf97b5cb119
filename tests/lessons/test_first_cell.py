"""How a lesson begins: a folded cell that finds the workbook, on Colab too, and a short list of imports."""

import ast
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import nbformat
import pytest

from tools.course.exercises import COURSE, ROOT

LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MESSAGE = """\
No folder with cs231n/layers here or above. Open this notebook inside the workbook's folder;
on Colab, put that folder into your Drive, at most three folders deep, and run this cell again."""


def code_cells(path):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def finder():
    """The lines of the first code cell that find the workbook."""
    return re.search(r".*^    \)$", code_cells(LESSONS[0])[0].source, flags=re.DOTALL | re.MULTILINE)[0]


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A stand-in for a machine: a folder with its own /content, and google.colab where it is one of Colab's."""
    content, mounted = tmp_path / "content", []
    content.mkdir()

    def workbook(name):
        """Make an empty workbook in a folder of this name."""
        (tmp_path / name / "cs231n" / "layers").mkdir(parents=True)
        (tmp_path / name / "notebooks" / "mine").mkdir(parents=True)
        return tmp_path / name

    def colab(*drive):
        """Let this be a machine of Colab's, with workbooks in these folders of the Drive."""

        def mount(mountpoint):
            mounted.append(mountpoint)
            (content / "drive" / "MyDrive").mkdir(parents=True, exist_ok=True)
            (content / "drive" / "MyDrive" / "notes.txt").touch()
            for name in drive:
                workbook(f"content/drive/MyDrive/{name}")

        module = ModuleType("google.colab")
        module.drive = SimpleNamespace(mount=mount)
        monkeypatch.setitem(sys.modules, "google", ModuleType("google"))
        monkeypatch.setitem(sys.modules, "google.colab", module)

    def find(folder):
        """Run the finder in a folder; returns what it put first in sys.path."""
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "path", [])
        exec(finder().replace("/content", content.as_posix()), {})
        return Path(sys.path[0])

    for name in ("google", "google.colab"):
        monkeypatch.setitem(sys.modules, name, None)  # as where it is not installed
    return SimpleNamespace(content=content, mounted=mounted, workbook=workbook, colab=colab, find=find)


def test_all_lessons_begin_with_the_same_cell_folded_and_a_short_list_of_imports():
    assert len({code_cells(path)[0].source for path in LESSONS}) == 1
    for path in LESSONS:
        set_up, imports = code_cells(path)[:2]
        assert set_up.metadata["jupyter"] == {"source_hidden": True}
        assert (set_up.metadata["cellView"], set_up.source[:9]) == ("form", "# @title ")  # Colab's way of folding
        assert len(imports.source.splitlines()) <= 15
        assert all(isinstance(node, (ast.Import, ast.ImportFrom)) for node in ast.parse(imports.source).body)


@pytest.mark.parametrize("number", range(1, 6))
def test_a_lesson_says_where_it_stands_in_the_course_and_links_to_its_neighbours(number):
    name = COURSE[number - 1]
    title, line, _ = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4).cells[0].source.split("\n\n", 2)
    assert title.startswith("# ")
    assert line.startswith(f"*Lesson {number} of 5, ") and "colab.research.google.com" in line
    before, after = COURSE[: number - 1][-1:], COURSE[number:][:1]
    assert re.findall(r"\[(\w+)\]\(\1\.ipynb\)", line) == [*before, *after]


@pytest.mark.parametrize("folder", ["", "notebooks", "notebooks/mine"])
def test_the_workbook_is_the_nearest_folder_above(machine, folder):
    workbook = machine.workbook("my work/book")
    assert machine.find(workbook / folder) == workbook


@pytest.mark.parametrize(
    ("book", "folder"),
    [
        ("content/drive/MyDrive/elsewhere/book", "content/drive/MyDrive/elsewhere/book/notebooks"),
        ("content/book", "content"),
    ],
    ids=["beside the notebook", "a clone in the first folder"],
)
def test_on_colab_a_workbook_that_is_there_needs_no_drive(machine, book, folder):
    machine.colab("book")
    workbook = machine.workbook(book)
    assert machine.find(machine.content.parent / folder) == workbook
    assert machine.mounted == []


@pytest.mark.parametrize(
    ("drive", "found"),
    [
        ([""], ""),
        (["Colab Notebooks/book"], "Colab Notebooks/book"),
        (["cs231n/assignments/assignment2"], "cs231n/assignments/assignment2"),
        (["0/old/book", "0/book", *"hgfedcba"], "a"),
    ],
)
def test_on_colab_the_workbook_in_the_drive_is_the_least_deep_and_of_these_the_first_by_name(machine, drive, found):
    machine.colab(*drive)
    assert machine.find(machine.content) == machine.content / "drive" / "MyDrive" / found
    assert machine.mounted == [(machine.content / "drive").as_posix()]


@pytest.mark.parametrize("drive", [None, [], ["a/b/c/too deep"]], ids=["no Colab", "empty Drive", "too deep"])
def test_two_lines_say_what_to_do_where_there_is_no_workbook(machine, drive):
    if drive is not None:
        machine.colab(*drive)
    with pytest.raises(ModuleNotFoundError) as refusal:
        machine.find(machine.content)
    assert str(refusal.value) == MESSAGE
    assert bool(machine.mounted) == (drive is not None)
