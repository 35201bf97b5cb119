"""Graphs of nodes and arrows, and a net's activations as volumes."""

import matplotlib.pyplot as plt
import numpy as np

from .style import COLOURS, bare, tint

__all__ = ["graph", "volumes"]


def box(ax, x, y, text, facecolor, edgecolor, fontsize):
    """A text in a box around the point (x, y)."""
    style = {"boxstyle": "round,pad=0.4", "facecolor": facecolor, "edgecolor": edgecolor}
    return ax.text(x, y, text, ha="center", va="center", fontsize=fontsize, zorder=2, bbox=style)


def arrow(ax, start, end, colour, linewidth):
    """An arrow from one box to another, drawn after them: clipping it to the boxes needs their place."""
    style = {"arrowstyle": "-|>", "color": colour, "linewidth": linewidth}
    style |= {"patchA": start.get_bbox_patch(), "patchB": end.get_bbox_patch()}
    ax.annotate("", end.get_position(), start.get_position(), zorder=3, arrowprops=style)


def graph(edges, labels, title, highlighted=(), leftward=False, height=2.2):
    """A directed graph without cycles, one column for each step away from where it begins.

    Parameters
    ----------
    edges : dict of node to sequence of nodes
        Where the arrows of each node go; the first node is the beginning. Nodes are any hashable things.
    labels : dict of node to str
    title : str
    highlighted : collection of nodes
        To be drawn in the second colour.
    leftward : bool
        Whether the graph begins on the right.
    height : float
        Of the figure, in inches.
    """
    column = dict.fromkeys(edges, 0)
    for _ in edges:  # the longest way decides, and none is longer than there are nodes
        for start, ends in edges.items():
            for end in ends:
                column[end] = max(column[end], column[start] + 1)
    columns = [[node for node in edges if column[node] == i] for i in range(1 + max(column.values()))]
    row = {}
    for nodes in columns:
        came_from = {node: [row[start] for start in row if node in edges[start]] for node in nodes}
        nodes.sort(key=lambda node: np.mean(came_from[node] or [0]))
        row |= {node: i - (len(nodes) - 1) / 2 for i, node in enumerate(nodes)}

    fig, ax = plt.subplots(figsize=(11, height))
    tallest = max(map(len, columns))
    ax.set(title=title, xlim=(-0.5, len(columns) - 0.5), ylim=(tallest / 2, -tallest / 2))
    if leftward:
        ax.invert_xaxis()
    bare(ax)
    boxes = {}
    for node, text in labels.items():
        colour = COLOURS[1] if node in highlighted else COLOURS[0]
        boxes[node] = box(ax, column[node], row[node], text, tint(colour, 0.12), colour, fontsize=10)
    for start, ends in edges.items():
        for end in ends:
            arrow(ax, boxes[start], boxes[end], "0.4", linewidth=1.3)


def volumes(shapes, title):
    """What a convolutional net makes of an image, stage by stage, as blocks and rows.

    Parameters
    ----------
    shapes : dict of str to tuple (C, H, W) or (D,)
        Under the names of the stages. A block's length is proportional to the square root of its channels.
    title : str
    """
    fig, ax = plt.subplots(figsize=(11, 2.9))
    bare(ax)
    left = 0.0
    tallest = max(shape[1] for shape in shapes.values() if len(shape) == 3)
    for i, (name, shape) in enumerate(shapes.items()):
        C, H, W = shape if len(shape) == 3 else (1, tallest, 0)
        length, colour = 2.5 * np.sqrt(C), COLOURS[i % len(COLOURS)]
        slant = 0.35 * W * np.array([1, 0.7])
        front = np.array([[left, -H / 2], [left + length, -H / 2], [left + length, H / 2], [left, H / 2]])
        top = [front[3], front[2], front[2] + slant, front[3] + slant]
        side = [front[1], front[1] + slant, front[2] + slant, front[2]]
        for face, strength in ((front, 0.55), (top, 0.35), (side, 0.75)):
            ax.add_patch(plt.Polygon(face, facecolor=tint(colour, strength), edgecolor="0.3", linewidth=0.8))
        middle = left + (length + slant[0]) / 2
        text = f"{name}\n{' × '.join(map(str, shape))}"
        ax.text(middle, -tallest / 2 - 2, text, ha="center", va="top", fontsize=10)
        right = left + length + slant[0]
        left = right + 30
        if i < len(shapes) - 1:
            ax.annotate("", (left - 7, 0), (right + 7, 0), arrowprops={"arrowstyle": "-|>", "color": "0.4"})
    ax.set(title=title, xlim=(-9, left - 18), ylim=(-tallest / 2 - 13, tallest / 2 + 10), aspect="equal")
