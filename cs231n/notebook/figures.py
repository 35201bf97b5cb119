"""Figures that are sharp, small and described in words."""

import base64
import io

import matplotlib
import matplotlib.pyplot as plt
from PIL import Image

__all__ = ["show"]

DENSITY = 2  # pixels of the picture for each one of the page, on which screens of today draw two
PALETTE = 256  # colours that a PNG with one byte a pixel can hold
CHART = 4096  # more colours than a chart has after smoothing, fewer than a photograph


def show(description):
    """Show the figures that are open, and close them.

    Parameters
    ----------
    description : str
        What there is to be seen, for readers who do not see it: the figure's alternative text.
    """
    if "inline" not in matplotlib.get_backend():
        return plt.show()
    from IPython.display import display

    for number in plt.get_fignums():
        picture, size = png(plt.figure(number))
        about = {"alt": description, "width": size[0] // DENSITY, "height": size[1] // DENSITY}
        display({"image/png": picture, "text/plain": description}, metadata={"image/png": about}, raw=True)
    plt.close("all")


def png(figure):
    """A figure as PNG in base64, and its width and height in pixels."""
    drawn, packed = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, dpi=DENSITY * figure.dpi, bbox_inches="tight")
    picture = Image.open(drawn).convert("RGB")
    if picture.getcolors(CHART):
        # Lines and letters lose nothing that an eye could see, and two thirds of their bytes.
        picture = picture.quantize(PALETTE, dither=Image.Dither.NONE)
    picture.save(packed, "png", optimize=True)
    return base64.b64encode(packed.getvalue()).decode(), picture.size
