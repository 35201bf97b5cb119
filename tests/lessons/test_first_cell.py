"""How the first cell of a lesson finds the workbook: from any of its folders, on Colab beside it or in the Drive."""

import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

LESSONS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))
MESSAGE = """\
ModuleNotFoundError: No folder with cs231n/layers here or above. Open this notebook inside the workbook's folder;
on Colab, put that folder into your Drive, at most three folders deep, and run this cell again.
"""
MOUNT = """
import json, pathlib
def mount(mountpoint):
    content = pathlib.Path(__file__).parents[3] / "content"
    assert pathlib.Path(mountpoint) == content / "drive"
    print("mounted")
    for name in json.loads((content.parent / "drive.json").read_text()):
        (content / "drive" / "MyDrive" / name / "cs231n" / "layers").mkdir(parents=True)
    (content / "drive" / "MyDrive" / "notes.txt").write_text("no folder")
"""


def finder_of(path):
    """The lines of the first code cell that find the workbook, without the lesson's own imports."""
    cell = next(cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code")
    return re.search(r"^# The workbook is .*?^    \)$", cell.source, flags=re.DOTALL | re.MULTILINE)[0]


class Machine:
    """A stand-in for a machine: a folder with its own /content, and google.colab where it is one of Colab's.

    Parameters
    ----------
    folder : Path
    drive : list of str or None
        Folders of the Drive that are workbooks; None without Colab.
    """

    def __init__(self, folder, drive=None):
        self.root = folder
        self.content = folder / "content"
        self.content.mkdir()
        if drive is not None:
            (folder / "drive.json").write_text(json.dumps(drive))
            colab = folder / "site" / "google" / "colab"
            colab.mkdir(parents=True)
            (colab / "__init__.py").touch()
            (colab / "drive.py").write_text(MOUNT)
            (self.content / "drive" / "MyDrive").mkdir(parents=True)

    def workbook(self, name):
        """Make an empty workbook in a folder of this name."""
        (self.root / name / "cs231n" / "layers").mkdir(parents=True)
        (self.root / name / "notebooks").mkdir()
        return self.root / name

    def find(self, lesson, folder):
        """Run a lesson's finder in a folder: what it put first in sys.path, or None, and what it said."""
        source = finder_of(lesson).replace("/content", self.content.as_posix())
        code = "\n".join(["import sys", "from pathlib import Path", source, "print('found', sys.path[0])"])
        done = subprocess.run(
            [sys.executable, "-S", "-c", code],
            cwd=folder,
            capture_output=True,
            text=True,
            env={"PYTHONPATH": str(self.root / "site")},
        )
        said, _, found = done.stdout.partition("found ")
        return Path(found.strip()) if found else None, said + done.stderr


@pytest.fixture(params=LESSONS, ids=lambda path: path.stem)
def lesson(request):
    return request.param


def test_all_lessons_find_the_workbook_with_the_same_lines():
    assert len({finder_of(path) for path in LESSONS}) == 1


def test_the_finder_stands_before_the_imports_that_need_it(lesson):
    source = next(cell.source for cell in nbformat.read(lesson, as_version=4).cells if cell.cell_type == "code")
    before, after = source.split(finder_of(lesson))
    assert {"import sys", "from pathlib import Path"} <= set(before.splitlines())
    assert "cs231n" not in before
    assert "from cs231n import" in after


@pytest.mark.parametrize("folder", ["", "notebooks", "notebooks/mine"])
def test_the_workbook_is_the_nearest_folder_above(lesson, tmp_path, folder):
    machine = Machine(tmp_path)
    workbook = machine.workbook("my work/book")
    (workbook / folder).mkdir(exist_ok=True)
    assert machine.find(lesson, workbook / folder) == (workbook, "")


def test_on_colab_a_workbook_beside_the_notebook_needs_no_drive(lesson, tmp_path):
    machine = Machine(tmp_path, drive=["book"])
    workbook = machine.workbook("content/drive/MyDrive/elsewhere/book")
    assert machine.find(lesson, workbook / "notebooks") == (workbook, "")


def test_on_colab_a_clone_in_the_first_folder_needs_no_drive(lesson, tmp_path):
    machine = Machine(tmp_path, drive=["book"])
    workbook = machine.workbook("content/book")
    assert machine.find(lesson, machine.content) == (workbook, "")


@pytest.mark.parametrize("place", ["", "book", "Colab Notebooks/book", "cs231n/assignments/assignment2"])
def test_on_colab_the_drive_is_mounted_and_searched(lesson, tmp_path, place):
    machine = Machine(tmp_path, drive=[place])
    found, said = machine.find(lesson, machine.content)
    assert found == machine.content / "drive" / "MyDrive" / place
    assert said == "mounted\n"


def test_of_many_workbooks_in_the_drive_the_least_deep_is_taken_and_of_these_the_first_by_name(lesson, tmp_path):
    machine = Machine(tmp_path, drive=["0/old/book", "0/book", *"hgfedcba"])
    assert machine.find(lesson, machine.content)[0] == machine.content / "drive" / "MyDrive" / "a"


@pytest.mark.parametrize("drive", [None, [], ["a/b/c/too deep"]], ids=["no Colab", "empty Drive", "too deep"])
def test_two_lines_say_what_to_do_where_there_is_no_workbook(lesson, tmp_path, drive):
    machine = Machine(tmp_path, drive)
    found, said = machine.find(lesson, machine.content)
    assert found is None
    assert said.endswith(MESSAGE)
    assert said.startswith("mounted\n" if drive is not None else "Traceback")
