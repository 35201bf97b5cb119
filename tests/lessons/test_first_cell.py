"""How the first cell of a lesson finds the workbook: from any of its folders, on Colab beside it or in the Drive."""

import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import nbformat
import pytest

LESSONS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))
MESSAGE = """\
No folder with cs231n/layers here or above. Open this notebook inside the workbook's folder;
on Colab, put that folder into your Drive, at most three folders deep, and run this cell again."""


def first_cell(path):
    return next(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code")


def finder_of(path):
    """The lines of the first code cell that find the workbook, without the lesson's own imports."""
    return re.search(r"^# The workbook is .*?^    \)$", first_cell(path), flags=re.DOTALL | re.MULTILINE)[0]


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
        exec(finder_of(LESSONS[0]).replace("/content", content.as_posix()), {"sys": sys, "Path": Path})
        return Path(sys.path[0])

    for name in ("google", "google.colab"):
        monkeypatch.setitem(sys.modules, name, None)  # as where it is not installed
    return SimpleNamespace(content=content, mounted=mounted, workbook=workbook, colab=colab, find=find)


def test_all_lessons_find_the_workbook_with_the_same_lines_before_they_need_it():
    assert len({finder_of(path) for path in LESSONS}) == 1
    for path in LESSONS:
        before, after = first_cell(path).split(finder_of(path))
        assert {"import sys", "from pathlib import Path"} <= set(before.splitlines())
        assert "cs231n" not in before
        assert "from cs231n import" in after


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
