"""Notebooks of other front ends are read and published; what is none is named in one line."""

import copy
import json

import pytest

from tools.lessons import run_lessons, site
from tools.lessons.notebook_files import NotebookError, read_notebook

NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": ["# A title"]},
        {
            "cell_type": "code",
            "execution_count": 1,
            "id": "b",
            "metadata": {},
            "outputs": [
                {"data": {"text/plain": "2"}, "execution_count": 1, "metadata": {}, "output_type": "execute_result"}
            ],
            "source": ["1 + 1"],
        },
    ],
    "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}
WIDGET = {"application/vnd.jupyter.widget-view+json": {"model_id": "c", "version_major": 2, "version_minor": 0}}
WIDGETS = {"application/vnd.jupyter.widget-state+json": {"c": {"model_name": "HBoxModel", "state": {}}}}


def changed(change):
    notebook = copy.deepcopy(NOTEBOOK)
    change(notebook)
    return json.dumps(notebook).encode()


def colab(notebook):
    notebook["metadata"].update(widgets=WIDGETS, colab={"provenance": []})
    notebook["cells"][1]["outputs"].append({"output_type": "display_data", "data": WIDGET, "metadata": {}})
    notebook["nbformat_minor"] = 0
    del notebook["cells"][0]["id"], notebook["cells"][1]["id"]


def bare(notebook):
    del notebook["metadata"], notebook["cells"][0]["metadata"], notebook["nbformat_minor"]
    code = notebook["cells"][1]
    del code["outputs"][0]["metadata"], code["outputs"][0]["execution_count"], code["execution_count"]
    notebook["cells"].append({"cell_type": "code", "source": "2"})


ODD = {
    "Colab": changed(colab),
    "without ids": changed(lambda notebook: [cell.pop("id") for cell in notebook["cells"]]),
    "with doubled ids": changed(lambda notebook: notebook["cells"][1].update(id="a")),
    "with a byte-order mark": b"\xef\xbb\xbf" + changed(lambda notebook: None),
    "without empty parts": changed(bare),
    "VS Code": changed(lambda notebook: notebook["cells"][1]["metadata"].update(vscode={"languageId": "python"})),
    "version 3": json.dumps(
        {
            "metadata": {"name": ""},
            "nbformat": 3,
            "nbformat_minor": 0,
            "worksheets": [
                {
                    "cells": [
                        {"cell_type": "heading", "level": 1, "metadata": {}, "source": "A title"},
                        {"cell_type": "code", "input": "1 + 1", "language": "python", "metadata": {}, "outputs": []},
                    ],
                    "metadata": {},
                }
            ],
        }
    ).encode(),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ODD)
def test_a_notebook_of_another_front_end_is_read(tmp_path, kind):
    path = tmp_path / "Odd.ipynb"
    path.write_bytes(ODD[kind])
    notebook = read_notebook(path)
    assert run_lessons.title_of(notebook, None) == "A title"
    assert notebook.cells[1].source == "1 + 1"
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)


DAMAGED = {
    b"": "empty file, not a notebook",
    b" \n": "empty file, not a notebook",
    b"\xff\xfe\x00": "damaged, not a notebook (it is not UTF-8 text)",
    b'{\n"cells": [': "damaged, not a notebook (line 2: Expecting value)",
    b"[]": "damaged, not a notebook (",
    b"{}": "damaged, not a notebook (",
    b'{"nbformat": 4}': "damaged, not a notebook (",
    changed(lambda notebook: notebook["cells"].append("text")): "damaged, not a notebook (",
    changed(lambda notebook: notebook["cells"][0].update(cell_type="poem")): "damaged, not a notebook (",
}


@pytest.mark.parametrize("data", DAMAGED)
def test_what_is_no_notebook_is_said_in_one_line(tmp_path, data):
    path = tmp_path / "Damaged.ipynb"
    path.write_bytes(data)
    with pytest.raises(NotebookError) as refusal:
        read_notebook(path)
    assert str(refusal.value).startswith(DAMAGED[data])
    assert len(str(refusal.value).splitlines()) == 1


def test_a_damaged_lesson_does_not_keep_those_of_other_front_ends_from_being_published(tmp_path, monkeypatch, capsys):
    paths = [tmp_path / "Damaged.ipynb"]
    paths[0].write_bytes(b"{")
    for number, data in enumerate(ODD.values()):
        paths.append(tmp_path / f"Odd{number}.ipynb")
        paths[-1].write_bytes(data)
    lessons = []
    for path in paths[1:]:
        lessons.append((read_notebook(path), run_lessons.Lesson(path.stem, "A title", 1), tmp_path))
    assert site.build(lessons, tmp_path, "Shapes-10") == []
    for _, lesson, _ in lessons:
        assert "A title" in (tmp_path / f"{lesson.name}.html").read_text(encoding="utf-8")

    published = []
    monkeypatch.setattr(run_lessons.site, "build", lambda lessons, *_: published.extend(lessons) or [])
    assert run_lessons.main([*map(str, paths[:2]), "-o", str(tmp_path / "build")]) == 1
    damaged, odd = capsys.readouterr().out.partition("verdict\n")[2].splitlines()[:2]
    assert damaged.split(maxsplit=3)[3].startswith("damaged, not a notebook (line 1: ")
    assert odd.split(maxsplit=3)[3] == "makes no claims"
    assert [lesson.name for _, lesson, _ in published] == ["Odd0"]
