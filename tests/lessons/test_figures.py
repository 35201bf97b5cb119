"""Every figure of a lesson is described in words, drawn sharply, and small."""

import base64
import io
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from PIL import Image

from cs231n.lesson import show

LESSONS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))


def pictures(path):
    """Where each picture of a lesson stands, and what is stored with it."""
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", []):
            if any(kind.startswith("image/") for kind in output.get("data", {})):
                yield cell.id, output.metadata.get("image/png", {})


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_each_picture_says_what_it_shows(path):
    described = [(cell, about.get("alt", "")) for cell, about in pictures(path)]
    assert [cell for cell, alt in described if len(alt) < 60 or not alt.endswith(".")] == []
    assert len({alt for _, alt in described}) == len(described) > 0


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_is_below_two_megabytes(path):
    assert path.stat().st_size < 2e6


@pytest.fixture
def inline(monkeypatch):
    """As in a notebook; returns what a call of ``show`` displays."""
    displayed = []
    monkeypatch.setattr("matplotlib.get_backend", lambda: "inline")
    monkeypatch.setattr("IPython.display.display", lambda data, metadata, raw: displayed.append((data, metadata)))

    def shown(description):
        displayed.clear()
        show(description)
        return list(displayed)

    plt.close("all")
    yield shown
    plt.close("all")


def decoded(data):
    return Image.open(io.BytesIO(base64.b64decode(data["image/png"])))


def test_a_figure_has_its_words_and_two_pixels_for_each_of_the_page(inline):
    plt.figure(figsize=(5, 3), dpi=80).add_subplot().plot([1, 2, 4])
    ((data, metadata),) = inline("A line that rises.")
    about, picture = metadata["image/png"], decoded(data)
    assert about["alt"] == data["text/plain"] == "A line that rises."
    assert picture.width > 600
    assert (about["width"], about["height"]) == (picture.width // 2, picture.height // 2)
    assert picture.mode == "P"  # a byte for each pixel


def test_photographs_keep_their_colours(inline):
    pixels = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    plt.figure(figsize=(2, 2)).add_axes((0, 0, 1, 1)).imshow(pixels, interpolation="nearest")
    assert decoded(inline("Noise.")[0][0]).getcolors(9000) is None


def test_each_open_figure_is_shown_once(inline):
    plt.figure()
    plt.figure()
    assert len(inline("Two.")) == 2
    assert inline("None.") == []
