"""Normalization: distributions, the graph of batch normalization, and what shares a mean and a variance."""

from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np

from .networks import arrow, box
from .style import COLOURS, axes_in_rows, bare

__all__ = ["batchnorm_graph", "feature_histograms", "normalization_cubes"]


def feature_histograms(stages):
    """Distribution of single features over a batch: one column a stage, one row a feature.

    Parameters
    ----------
    stages : dict of str to array (N, D)
    """
    for ax, (name, x) in zip(axes_in_rows(len(stages), 3), stages.items()):
        x = np.asarray(x, dtype=np.float64)
        bins = np.histogram_bin_edges(x, 59)
        floors = -np.arange(x.shape[1])
        for floor, feature, colour in zip(floors, x.T, cycle(COLOURS)):
            heights, _ = np.histogram(feature, bins)
            heights = floor + 0.85 * heights / heights.max()
            ax.stairs(heights, bins, baseline=floor, fill=True, color=colour, alpha=0.45)
            ax.stairs(heights, bins, baseline=floor, color=colour, linewidth=1.2)
        ax.set_yticks(floors, [f"feature {i}" for i in range(1, len(floors) + 1)])
        ax.set(title=name, xlabel="value")
        ax.grid(False, axis="y")


# Node: place and what it computes. Arrow: from, to, the gradient it carries back, and where that is written.
BATCHNORM_NODES = {
    "x": (0, 1, "$x$"),
    "mu": (1.15, 2, r"$\mu = \mathrm{mean}(x)$"),
    "c": (2.3, 1, r"$c = x - \mu$"),
    "s": (3.3, 0, "$s = c^2$"),
    "v": (4.75, 0, r"$v = \mathrm{mean}(s)$"),
    "std": (6.4, 0, r"$\mathrm{std} = \sqrt{v + \varepsilon}$"),
    "r": (7.85, 0, r"$r = 1 / \mathrm{std}$"),
    "x_hat": (6.9, 1, r"$\hat x = c \cdot r$"),
    "out": (9.3, 1, r"$\mathrm{out} = \gamma \hat x + \beta$"),
    "gamma": (8.5, 2, r"$\gamma$"),
    "beta": (10.1, 2, r"$\beta$"),
}
BATCHNORM_ARROWS = [
    ("x", "mu", r"$d\mu / N$", -0.35, 0.12),
    ("x", "c", "$dc$", 0, 0.13),
    ("mu", "c", r"$-\sum dc$", 0.4, 0.1),
    ("c", "s", r"$2c \cdot ds$", -0.42, -0.08),
    ("c", "x_hat", r"$d\hat x \cdot r$", 0, 0.13),
    ("s", "v", r"$dv / N$", 0, 0.2),
    ("v", "std", r"$r\,d\mathrm{std} / 2$", 0, 0.2),
    ("std", "r", "$-r^2\\,dr$", 0.06, 0.22),
    ("r", "x_hat", r"$\sum d\hat x \cdot c$", 0.55, 0.03),
    ("x_hat", "out", r"$\gamma \cdot d\mathrm{out}$", -0.08, 0.13),
    ("gamma", "out", r"$\sum d\mathrm{out} \cdot \hat x$", -0.62, 0.0),
    ("beta", "out", r"$\sum d\mathrm{out}$", 0.45, 0.0),
]


def batchnorm_graph():
    """The computation graph of batch normalization: forward in the boxes, along the arrows what comes back."""
    fig, ax = plt.subplots(figsize=(11, 3.6))
    ax.set(xlim=(-0.5, 10.8), ylim=(-0.4, 2.35))
    ax.set(title="Forward, along the arrows; in orange, the gradient that comes back through each")
    bare(ax)
    boxes = {name: box(ax, *node, "#E8F2FA", COLOURS[0], fontsize=12) for name, node in BATCHNORM_NODES.items()}
    for start, end, gradient, right, up in BATCHNORM_ARROWS:
        arrow(ax, boxes[start], boxes[end], COLOURS[0], linewidth=1.5)
        x, y = np.mean([boxes[start].get_position(), boxes[end].get_position()], axis=0) + (right, up)
        ax.text(x, y, gradient, ha="center", va="center", color=COLOURS[1], fontsize=11)


def normalization_cubes(shares):
    """Blocks of activations, with those that share a mean and a variance with the first one in colour.

    Parameters
    ----------
    shares : dict of str to boolean array (N, C, P)
        For each normalization, which of N examples, C channels and P places belong together.
    """
    right, down, back = np.array([[1.0, 0.0], [0.0, -1.0], [0.42, 0.36]])
    for ax, (name, together) in zip(axes_in_rows(len(shares), 2.4), shares.items()):
        together = np.asarray(together, dtype=bool)
        N, C, P = together.shape
        front, top, side = together[0], together[:, :, 0].T, together[:, -1].T
        for cells, corner, along, across in (
            (front, 0 * right, right, down),
            (top, 0 * right, right, back),
            (side, C * right, down, back),
        ):
            for i, j in np.ndindex(cells.shape):
                start = corner + i * along + j * across
                outline = [start, start + along, start + along + across, start + across]
                colour = COLOURS[1] if cells[i, j] else "0.94"
                ax.add_patch(plt.Polygon(outline, facecolor=colour, edgecolor="0.35", linewidth=0.7))
        ax.text(C / 2, -P - 0.3, f"{C} channels", ha="center", va="top", fontsize=9)
        ax.text(-0.3, -P / 2, f"{P} places", ha="right", va="center", rotation=90, fontsize=9)
        ax.text(*(C * right + P * down + N / 2 * back + (0.35, -0.2)), f"{N} examples", va="top", fontsize=9)
        ax.set(title=name, xlim=(-1.2, C + N * back[0] + 1.2), ylim=(-P - 1.2, N * back[1] + 0.3), aspect="equal")
        bare(ax)
