"""Convolution and pooling: small arrays, windows on them, and groups of channels."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator

from .style import COLOURS, axes_in_rows, bare, tint

__all__ = [
    "channel_groups",
    "filter_pictures",
    "filter_positions",
    "numbers",
    "pixel_maps",
    "window_positions",
    "windows_as_columns",
]


def _canvas(width, height):
    """Empty axes on which a cell of width and height 1 measures 0.46 inches, or less to fit the page."""
    unit = min(0.46, 11 / width)
    fig, ax = plt.subplots(figsize=(unit * width, unit * height))
    ax.set(xlim=(0, width), ylim=(height, 0), aspect="equal")
    bare(ax)
    return ax


def _cells(ax, array, left, top, title, colours=None):
    """The numbers of an array (H, W) in cells of width and height 1 below a title; NaN is hatched."""
    colours = np.full(array.shape, "white", object) if colours is None else colours
    for (row, column), value in np.ndenumerate(array):
        x, y = left + column, top + row
        hatch = "////" if np.isnan(value) else None
        style = {"facecolor": colours[row, column], "edgecolor": "0.5", "linewidth": 0.8, "hatch": hatch}
        ax.add_patch(plt.Rectangle((x, y), 1, 1, **style))
        if not hatch:
            text = f"{round(value, 2) + 0.0:g}".replace("-", "−")
            ax.text(x + 0.5, y + 0.5, text, ha="center", va="center", fontsize=10)
    ax.text(left, top - 0.2, title, va="bottom", fontsize=11)


def numbers(arrays, marked=None, faint=None, row_names=None):
    """Small arrays side by side, with their numbers in the cells; NaN is drawn as a hatched cell.

    Parameters
    ----------
    arrays : dict of str to array (H, W)
        Under their titles.
    marked : dict of str to array (H, W), optional
        For some of the titles the cells to colour: k > 0, or True, takes the k-th colour of the palette.
    faint : dict of str to boolean array (H, W), optional
        For some of the titles the cells to draw in grey, such as padding.
    row_names : sequence of str, optional
        Of the rows of the first array.
    """
    marked, faint, row_names = marked or {}, faint or {}, row_names or []
    arrays = {title: np.asarray(array, dtype=np.float64) for title, array in arrays.items()}
    left = 0.1 + 0.27 * max(map(len, row_names), default=0)
    places = []
    for title, array in arrays.items():
        places.append(left)
        left += max(array.shape[1], 0.245 * max(map(len, title.split("\n")))) + 0.8
    top = 0.8 + 0.5 * max(title.count("\n") for title in arrays)
    ax = _canvas(left - 0.7, top + max(map(len, arrays.values())) + 0.1)
    for place, (title, array) in zip(places, arrays.items()):
        colours = np.full(array.shape, "white", object)
        colours[np.asarray(faint.get(title, np.zeros(array.shape)), dtype=bool)] = "0.88"
        for index, mark in np.ndenumerate(np.asarray(marked.get(title, []), dtype=int)):
            if mark:
                colours[index] = tint(COLOURS[mark - 1])
        _cells(ax, array, place, top, title, colours)
    for row, name in enumerate(row_names):
        ax.text(places[0] - 0.2, top + row + 0.5, name, ha="right", va="center", fontsize=10)


def windows_as_columns(x, w):
    """How a convolution with stride 1 becomes a matrix product: each window of x a column, the filter a row.

    Parameters
    ----------
    x : array (H, W)
    w : array (HH, WW)
    """
    x, w = np.asarray(x, dtype=np.float64), np.asarray(w, dtype=np.float64)
    (H, W), (HH, WW) = x.shape, w.shape
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape)
    places = list(np.ndindex(windows.shape[:2]))
    columns, row = windows.reshape(len(places), w.size).T, w.reshape(1, -1)
    colours = np.empty((1, len(places)), object)
    colours[0] = [tint(COLOURS[i % len(COLOURS)]) for i in range(len(places))]

    height = max(H, w.size)
    x_top, middle = 1 + (height - H) / 2, 1 + (height - 1) / 2
    matrix_left = W + w.size + 3.4
    out_left = matrix_left + len(places) + 1.6
    ax = _canvas(out_left + len(places) + 0.1, height + 1.1)
    _cells(ax, x, 0.1, x_top, "x")
    for i, (down, right) in enumerate(places):
        colour, shift = COLOURS[i % len(COLOURS)], 0.06 * (i + 1)  # so that no outline hides another
        outline = (0.1 + right + shift, x_top + down + shift), WW - 0.36, HH - 0.36
        ax.add_patch(plt.Rectangle(*outline, fill=False, edgecolor=colour, linewidth=2))
    _cells(ax, row, W + 1.5, middle, "the filter, a row")
    ax.text(matrix_left - 0.95, middle + 0.5, "·", ha="center", va="center", fontsize=20)
    matrix_top = 1 + (height - w.size) / 2
    _cells(ax, columns, matrix_left, matrix_top, "windows, a column each", colours.repeat(w.size, axis=0))
    ax.text(out_left - 0.8, middle + 0.5, "=", ha="center", va="center", fontsize=16)
    _cells(ax, row @ columns, out_left, middle, "out, a row", colours)


def window_positions(geometries, columns=2):
    """Where a window lies along one axis, position by position; a pixel that no window covers is orange.

    Pixels are numbered, and padding is grey and empty.

    Parameters
    ----------
    geometries : dict of str to tuple (H, f, pad, stride)
        Under their titles.
    columns : int
    """
    axes = axes_in_rows(len(geometries), 2.35, columns)
    for ax in axes[len(geometries) :]:
        ax.set_visible(False)
    for ax, (title, (H, f, pad, stride)) in zip(axes, geometries.items()):
        starts = range(0, H + 2 * pad - f + 1, stride)
        covered = {pixel for start in starts for pixel in range(start, start + f)}
        for i, start in enumerate(starts):
            style = {"facecolor": tint(COLOURS[i % 6], 0.7), "edgecolor": COLOURS[i % 6]}
            ax.add_patch(plt.Rectangle((start + 0.08, i + 1.15), f - 0.16, 0.7, **style))
        for pixel in range(H + 2 * pad):
            inside = pad <= pixel < pad + H
            colour = "white" if inside else "0.88"
            if pixel not in covered:
                colour = tint(COLOURS[1], 0.6)
            ax.add_patch(plt.Rectangle((pixel, 0), 1, 1, facecolor=colour, edgecolor="0.4"))
            if inside:
                ax.text(pixel + 0.5, 0.5, pixel - pad, ha="center", va="center", fontsize=9)
        bare(ax)
        ax.set(xlim=(-0.1, H + 2 * pad + 0.1), ylim=(len(starts) + 1.1, -0.1), ylabel="output")
        ax.set_yticks([i + 1.5 for i in range(len(starts))], range(len(starts)))
        ax.set_title(title, fontsize=10)


def pixel_maps(panels):
    """A number for each pixel of an image, as a shade; each panel is on a scale of its own, which begins at 0.

    Parameters
    ----------
    panels : dict of str to array (H, W)
        Under their titles.
    """
    for ax, (title, values) in zip(axes_in_rows(len(panels), 11 / len(panels) + 0.5), panels.items()):
        shown = ax.imshow(np.asarray(values, dtype=np.float64), cmap="viridis", vmin=0)
        plt.colorbar(shown, ax=ax, location="bottom", shrink=0.8, label="gradient")
        ax.set(xlabel="column of pixels", ylabel="row of pixels")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MaxNLocator(4, integer=True))
        ax.set_title(title, fontsize=10)
        ax.grid(False)


def filter_pictures(panels):
    """Filters of colour images, a row of them each panel, all on one scale: a weight of 0 is middle grey.

    Parameters
    ----------
    panels : dict of str to array (F, 3, HH, WW)
        Under their titles.
    """
    panels = {title: np.asarray(filters, dtype=np.float64) for title, filters in panels.items()}
    limit = max(np.abs(filters).max() for filters in panels.values())
    columns = max(map(len, panels.values()))
    axes = axes_in_rows(len(panels) * columns, 11 / columns, columns).reshape(len(panels), columns)
    for row, (title, filters) in zip(axes, panels.items()):
        for ax in row:
            bare(ax)
        for ax, weights in zip(row, filters):
            ax.imshow(0.5 + 0.5 * weights.transpose(1, 2, 0) / limit)
        row[0].set_title(title, fontsize=11)


def filter_positions(panels):
    """Which pixels two neighbouring windows of a convolution look at; grey pixels are padding.

    Parameters
    ----------
    panels : dict of str to tuple (size, kernel, stride, padding, dilation)
        Under their titles; ``kernel`` is a pair (height, width), all others are single numbers.
    """
    axes = axes_in_rows(len(panels), 11 / len(panels) + 0.35)
    for ax, (title, (size, kernel, stride, padding, dilation)) in zip(axes, panels.items()):
        padded = size + 2 * padding
        for row, column in np.ndindex(padded, padded):
            inside = padding <= min(row, column) and max(row, column) < padding + size
            ax.add_patch(plt.Rectangle((column, row), 1, 1, facecolor="white" if inside else "0.88", edgecolor="0.6"))
        for tap in np.ndindex(*kernel):
            row, column = dilation * np.array(tap)
            ax.add_patch(plt.Rectangle((column, row), 1, 1, facecolor=tint(COLOURS[0], 0.6), edgecolor="0.6"))
            ax.plot(column + stride + 0.5, row + 0.5, "o", color=COLOURS[1], markersize=5)
        ax.set(xlim=(-0.1, padded + 0.1), ylim=(padded + 0.1, -0.1), aspect="equal")
        ax.set_title(title, fontsize=10)
        bare(ax)


def channel_groups(panels):
    """Which input channels each output channel of a convolution is made of.

    Parameters
    ----------
    panels : dict of str to tuple (in_channels, out_channels, groups)
        Under their titles.
    """
    axes = axes_in_rows(len(panels), 2.5)
    for ax, (title, (C, F, G)) in zip(axes, panels.items()):
        x_in, x_out = np.arange(C) - (C - 1) / 2, np.arange(F) - (F - 1) / 2
        for c, f in np.ndindex(C, F):
            group = c // (C // G)
            if group == f // (F // G):
                colour = COLOURS[group % len(COLOURS)]
                ax.plot([x_in[c], x_out[f]], [1, 0], color=colour, linewidth=1.2, zorder=1)
        ax.scatter(x_in, np.ones(C), s=90, color="0.4", zorder=2)
        ax.scatter(x_out, np.zeros(F), s=90, color="0.4", zorder=2)
        ax.set_title(title, fontsize=10)
        bare(ax)
        ax.set(xlim=(-max(C, F) / 2 - 0.2, max(C, F) / 2 + 0.2), ylim=(-0.25, 1.25))
    axes[0].set_yticks([0, 1], ["out", "in"], fontsize=10)
    axes[0].tick_params(length=0)
