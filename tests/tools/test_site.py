"""What a lesson's page has besides its notebook: descriptions, code pages, questions, links."""

import base64
import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools.course.exercises import ROOT
from tools.lessons import site
from tools.lessons.run_lessons import Lesson

TEXT = """# Dropout

*Lesson 3 of 5, after [BatchNormalization](BatchNormalization.ipynb) and before [Later](Later.ipynb).*

A large net *learns* by heart.

1. [The data](#1.-The-data)
2. [In practice](#In-practice) and [Try it](#Try-it)
"""
ANSWER = "**Question**\n\n<details><summary>Answer</summary>\n\nYes.\n</details>"


@pytest.fixture
def page(tmp_path):
    """Makes the page of a notebook with these cells; returns their sources and outputs, and the folder of files."""

    def page(*cells):
        static = tmp_path / "_static"
        static.mkdir()
        lesson = Lesson("Dropout", "Dropout", cells=1, holding=2)
        made = site.page(
            new_notebook(cells=cells), lesson, ROOT / "notebooks", static, {"Dropout", "BatchNormalization"}
        )
        return made.cells, static

    return page


def figure():
    output = new_output("display_data", {"image/png": base64.b64encode(b"bytes").decode()})
    output.metadata["image/png"] = {"alt": 'A "line" that rises.', "width": 300, "height": 200}
    return output


def test_each_figure_of_a_cell_has_its_own_description_and_its_size_on_the_page(page):
    (*_, cell), static = page(new_markdown_cell(TEXT), new_code_cell("show(…)", outputs=[figure()]))
    image = cell.outputs[0].data["text/html"]
    assert 'alt="A &quot;line&quot; that rises."' in image and 'width="300"' in image
    assert (static / re.search(r"_static/(\w+\.png)", image)[1]).read_bytes() == b"bytes"


def test_shown_code_links_to_a_page_of_its_file(page):
    link = "Source: [cs231n/layers/dropout.py](../cs231n/layers/dropout.py)"
    output = new_output("display_data", {"text/markdown": link})
    (*_, cell), static = page(new_markdown_cell(TEXT), new_code_cell("show_source(…)", outputs=[output]))
    assert cell.outputs[0].data["text/markdown"].endswith("(code/cs231n.layers.dropout.py.html)")
    shown = (static.parent / "code" / "cs231n.layers.dropout.py.md").read_text(encoding="utf-8")
    assert (ROOT / "cs231n" / "layers" / "dropout.py").read_text(encoding="utf-8") in shown


def test_links_lead_to_lessons_of_the_site_only_and_its_contents_stand_at_the_side(page):
    (first, facts), _ = page(new_markdown_cell(TEXT))
    assert "[BatchNormalization](BatchNormalization.ipynb)" in first.source
    assert "before Later." in first.source
    assert "(#" not in first.source
    assert "all 2 claims hold" in facts.source and "Questions" not in facts.source


def test_the_questions_are_linked_to_at_the_top(page):
    (_, facts, first, second), _ = page(new_markdown_cell(TEXT), new_markdown_cell(ANSWER), new_markdown_cell(ANSWER))
    assert re.findall(r'href="#(question-\d)"', facts.source) == ["question-1", "question-2"]
    assert '<details id="question-1"><summary>' in first.source and 'id="question-2"' in second.source


def test_claims_are_marked_by_their_verdict(page):
    output = new_output("stream", text="✓ a < b\n✗ c\n☐ d … not implemented yet\nplain\n")
    (*_, cell), _ = page(new_markdown_cell(TEXT), new_code_cell("check(…)", outputs=[output]))
    marked = re.findall(r'<span class="(\w+)">(.)', cell.outputs[0].data["text/html"])
    assert marked == [("holds", "✓"), ("failed", "✗"), ("pending", "☐")]


def test_a_lesson_is_introduced_by_its_first_paragraph_and_the_picture_of_the_cell_with_the_tag(tmp_path):
    other = new_output("display_data", {"image/png": base64.b64encode(b"other").decode()})
    cells = [new_markdown_cell(TEXT), new_code_cell("", outputs=[other]), new_code_cell("", outputs=[figure()])]
    notebook = new_notebook(cells=cells)
    assert site.summary(notebook) == "A large net learns by heart."
    assert 'alt=""' in site.cover(notebook, tmp_path)
    cells[2].metadata["tags"] = ["cover"]
    assert "that rises" in site.cover(nbformat.from_dict(notebook), tmp_path)
