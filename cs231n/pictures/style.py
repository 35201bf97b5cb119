"""The look of all pictures: palette, markers, Matplotlib's settings, and the axes they are drawn on."""

import matplotlib.pyplot as plt
from matplotlib.colors import to_rgb

__all__ = ["COLOURS", "use_style"]

# Okabe and Ito's palette, told apart by readers with any colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "osD^vP*"


def use_style():
    """Set the look of all figures of the workbook."""
    plt.rcParams.update(
        {
            "figure.dpi": 80,
            "savefig.dpi": 80,
            "figure.constrained_layout.use": True,
            "font.size": 11,
            "axes.titlesize": 12,
            "axes.titlelocation": "left",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.alpha": 0.3,
            "axes.prop_cycle": plt.cycler(color=COLOURS),
            "lines.linewidth": 1.8,
            "legend.frameon": False,
            "image.cmap": "viridis",
            "image.interpolation": "nearest",
        }
    )


def axes_in_rows(count, height, columns=None, **options):
    """An array of axes on a new figure, in rows of ``height`` inches, the last of which is filled up with empty axes.

    Without ``columns`` all stand in one row; ``options`` are those of ``plt.subplots``.
    """
    columns = columns or count
    rows = -(-count // columns)
    _, axes = plt.subplots(rows, columns, figsize=(11, rows * height), squeeze=False, **options)
    return axes.ravel()


def bare(ax):
    """Leave nothing of the axes but what is drawn on them."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(False)
    ax.spines[:].set_visible(False)


def tint(colour, strength=0.45):
    """A colour mixed with white, so that black text on it can be read; at strength 1 it is the colour itself."""
    return tuple(1 - strength * (1 - channel) for channel in to_rgb(colour))
