"""Every picture of the lessons.

A function draws on the current figure or on axes of its own, names the axes and sets the title; the caller shows it.
"""

from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm, to_rgb

__all__ = [
    "COLOURS",
    "accuracy_map",
    "bowl_paths",
    "class_samples",
    "confusion_matrix",
    "durations",
    "first_layer_weights",
    "images",
    "layer_statistics",
    "learning_curves",
    "lines",
    "numbers",
    "photographs",
    "softmax_picture",
    "unit_weights",
    "use_style",
    "visualize_grid",
    "window_positions",
    "windows_as_columns",
]

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


def _displayable(image):
    """An image (3, H, W) or (H, W, 3), with whatever was subtracted from it, as (H, W, 3) in 0…1."""
    image = np.asarray(image, dtype=np.float64)
    if image.shape[0] == 3:
        image = image.transpose(1, 2, 0)
    low, high = image.min(), image.max()
    return (image - low) / (high - low if high > low else 1.0)


def _bare(ax):
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(False)
    for spine in ax.spines.values():
        spine.set_visible(False)


def class_samples(X, y, names, per_class=4):
    """One column of images for each class.

    Parameters
    ----------
    X : array (N, 3, H, W)
    y : integer array (N,)
    names : sequence of str
        Of the classes, in the order of the labels.
    per_class : int
    """
    fig, axes = plt.subplots(per_class, len(names), figsize=(11, 1.15 * per_class + 0.4))
    for label, name in enumerate(names):
        for row, index in enumerate(np.flatnonzero(y == label)[:per_class]):
            axes[row, label].imshow(_displayable(X[index]))
        axes[0, label].set_title(name, fontsize=10, loc="center")
    for ax in axes.flat:
        _bare(ax)


def images(X, captions=None, columns=10, title=None):
    """A sheet of images, row by row.

    Parameters
    ----------
    X : sequence of arrays (3, H, W) or (H, W, 3)
    captions : sequence of str, optional
        One above each image.
    columns : int
    title : str, optional
    """
    rows = -(-len(X) // columns)
    fig, axes = plt.subplots(rows, columns, figsize=(11, rows * (1.15 + 0.3 * bool(captions)) + 0.4), squeeze=False)
    for i, ax in enumerate(axes.flat):
        _bare(ax)
        if i < len(X):
            ax.imshow(_displayable(X[i]))
            if captions:
                ax.set_title(captions[i], fontsize=9, loc="center")
    if title:
        fig.suptitle(title, x=0.01, ha="left", fontsize=12)


def first_layer_weights(W, image_shape=(3, 32, 32), count=20):
    """The weights of first-layer units as pictures, those of largest norm first.

    Parameters
    ----------
    W : array (D, M)
    image_shape : tuple of int
        (C, H, W) with C · H · W = D.
    count : int
        How many units to show.
    """
    largest = np.argsort(-np.linalg.norm(W, axis=0))[:count]
    images([W[:, unit].reshape(image_shape) for unit in largest], title="First-layer weights of single units")


def lines(ax, curves, title, xlabel, ylabel, x=None, yscale="linear"):
    """Named curves on one pair of axes.

    Parameters
    ----------
    ax : matplotlib axes
    curves : dict of str to sequence of numbers
    title, xlabel, ylabel : str
    x : sequence of numbers, optional
        Default 1, 2, ….
    yscale : str
        "linear", "log" or "symlog".
    """
    for (name, values), marker in zip(curves.items(), cycle(MARKERS)):
        where = np.arange(1, len(values) + 1) if x is None else x
        few = len(values) <= 20
        ax.plot(where, values, label=name, marker=marker if few else None, markersize=4)
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel, yscale=yscale)
    ax.legend(fontsize=9)


def layer_statistics(activations, gradients):
    """Spread of activations and gradients from layer to layer, on logarithmic axes.

    Parameters
    ----------
    activations, gradients : dict of str to sequence of float
        Under the name of an initialization, the standard deviation in each layer.
    """
    fig, (left, right) = plt.subplots(1, 2, figsize=(11, 3.6))
    lines(left, activations, "Forward: the signal", "layer", "standard deviation of the activations", yscale="log")
    lines(right, gradients, "Backward: its gradient", "layer", "standard deviation of the gradient", yscale="log")
    for ax in (left, right):
        ax.set_xticks(range(1, 1 + len(next(iter(activations.values())))))


def unit_weights(weights):
    """The weights of all units of a layer side by side, for several initializations.

    Parameters
    ----------
    weights : dict of str to array (D, M)
        M units, a column each.
    """
    fig, axes = plt.subplots(1, len(weights), figsize=(11, 2.6))
    for ax, (name, W) in zip(np.atleast_1d(axes), weights.items(), strict=True):
        limit = np.abs(W).max() or 1
        ax.imshow(W, aspect="auto", cmap="PuOr", vmin=-limit, vmax=limit)
        ax.set(title=name, xlabel="unit", ylabel="weight")
        ax.grid(False)


def softmax_picture(scores, probabilities, names):
    """Scores beside the probabilities that softmax makes of them, and the loss over the true class's probability.

    Parameters
    ----------
    scores, probabilities : arrays (C,)
    names : sequence of str
        Of the C classes.
    """
    fig, axes = plt.subplots(1, 3, figsize=(11, 2.8))
    for ax, values, title in zip(axes, (scores, probabilities), ("Scores", "Probabilities"), strict=False):
        bars = ax.bar(names, values, color=COLOURS[: len(names)])
        ax.bar_label(bars, fmt="%.2f", fontsize=9)
        ax.set(title=title, xlabel="class")
        ax.margins(y=0.2)
    p = np.linspace(0.005, 1, 200)
    axes[2].plot(p, -np.log(p))
    axes[2].set(title="Loss of one example", xlabel="probability of the true class", ylabel="−log p")


def accuracy_map(ax, accuracy, learning_rates, weight_scales, title):
    """Accuracy over learning rate and weight scale, as colours.

    Parameters
    ----------
    ax : matplotlib axes
    accuracy : array (len(weight_scales), len(learning_rates))
        From 0 to 1; NaN where a run diverged.
    learning_rates, weight_scales : arrays, increasing by a constant factor
    title : str

    Returns
    -------
    matplotlib image
        For a colour bar.
    """
    image = ax.pcolormesh(learning_rates, weight_scales, accuracy, vmin=0, vmax=1, shading="nearest")
    ax.set(title=title, xlabel="learning rate", ylabel="weight scale", xscale="log", yscale="log")
    ax.grid(False)
    return image


def bowl_paths(paths, loss, xlim=(-10.5, 10.5), ylim=(-3.5, 3.5)):
    """Ways down a two-dimensional loss, one pair of axes each, with its contours.

    Parameters
    ----------
    paths : dict of str to array (T, 2)
        The weights after each step.
    loss : callable
        ``loss(x, y)`` on arrays.
    xlim, ylim : pair of float
    """
    columns = min(3, len(paths))
    rows = -(-len(paths) // columns)
    fig, axes = plt.subplots(rows, columns, figsize=(11, 2.5 * rows), sharex=True, sharey=True, squeeze=False)
    x, y = np.meshgrid(np.linspace(*xlim, 120), np.linspace(*ylim, 80))
    for ax, (name, path), colour in zip(axes.flat, paths.items(), cycle(COLOURS)):
        ax.contour(x, y, loss(x, y), levels=np.geomspace(0.05, 100, 12), colors="0.75", linewidths=0.8, norm=LogNorm())
        ax.plot(*np.asarray(path).T, "o-", color=colour, markersize=3, linewidth=1.2)
        ax.plot(0, 0, "k+", markersize=10)
        ax.set(title=name, xlim=xlim, ylim=ylim)
        ax.grid(False)
    for ax in axes[-1]:
        ax.set_xlabel("$w_1$ (flat)")
    for ax in axes[:, 0]:
        ax.set_ylabel("$w_2$ (steep)")
    for ax in axes.flat[len(paths) :]:
        ax.set_visible(False)


def learning_curves(solvers, smooth=0.9):
    """Loss, training accuracy and validation accuracy of several runs.

    Parameters
    ----------
    solvers : dict of str to Solver
    smooth : float
        The losses are shown as a running average with this weight on the past.
    """
    fig, (left, middle, right) = plt.subplots(1, 3, figsize=(11, 3.5))
    for (name, solver), marker in zip(solvers.items(), cycle(MARKERS)):
        losses, average, weight = [], 0.0, 0.0
        for loss in solver.loss_history:
            average = smooth * average + (1 - smooth) * loss
            weight = smooth * weight + (1 - smooth)
            losses.append(average / weight)
        left.plot(losses, label=name, linewidth=1.3)
        epochs = range(len(solver.train_acc_history))
        middle.plot(epochs, solver.train_acc_history, marker=marker, markersize=4, label=name)
        right.plot(epochs, solver.val_acc_history, marker=marker, markersize=4, label=name)
    left.set(title="Training loss (running average)", xlabel="iteration", ylabel="loss")
    middle.set(title="Training accuracy", xlabel="epoch", ylabel="accuracy")
    right.set(title="Validation accuracy", xlabel="epoch", ylabel="accuracy")
    left.legend(fontsize=9)


def confusion_matrix(true, predicted, names):
    """How often each class was taken for each other one, as shares of the true class.

    Parameters
    ----------
    true, predicted : integer arrays (N,)
    names : sequence of str

    Returns
    -------
    array (C, C)
        Row: the true class; column: the prediction; each row sums to 1.
    """
    shares = np.zeros((len(names), len(names)))
    np.add.at(shares, (true, predicted), 1)
    shares /= np.maximum(1, shares.sum(axis=1, keepdims=True))
    fig, ax = plt.subplots(figsize=(6.6, 5.4))
    image = ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(shares.shape):
        if shares[row, column] >= 0.005:
            colour = "white" if shares[row, column] > 0.5 else "black"
            ax.text(column, row, f"{100 * shares[row, column]:.0f}", ha="center", va="center", color=colour, fontsize=9)
    ax.set_xticks(range(len(names)), names, rotation=45, ha="right")
    ax.set_yticks(range(len(names)), names)
    ax.set(title="Of each true class, % taken for …", xlabel="prediction", ylabel="true class")
    ax.grid(False)
    fig.colorbar(image, label="share of the true class")
    return shares


# Small arrays, photographs and windows: the pictures of convolution and pooling


def _cells(ax, array, left, top, colours):
    """The numbers of an array (H, W) in cells of width and height 1; NaN is hatched."""
    for (row, column), value in np.ndenumerate(array):
        unknown = np.isnan(value)
        ax.add_patch(
            plt.Rectangle(
                (left + column, top + row),
                1,
                1,
                facecolor=colours[row, column],
                edgecolor="0.5",
                linewidth=0.8,
                hatch="////" if unknown else None,
            )
        )
        if not unknown:
            text = f"{round(value, 2) + 0.0:g}".replace("-", "−")
            ax.text(left + column + 0.5, top + row + 0.5, text, ha="center", va="center", fontsize=10)


def _tint(colour, strength=0.45):
    """A colour mixed with white, so that black text on it can be read."""
    return tuple(1 - strength * (1 - channel) for channel in to_rgb(colour))


def _canvas(width, height, unit):
    """Axes without axes, in which a cell of width and height 1 measures ``unit`` inches."""
    unit = min(unit, 11 / width)
    fig, ax = plt.subplots(figsize=(unit * width, unit * height))
    ax.set(xlim=(0, width), ylim=(height, 0), aspect="equal")
    _bare(ax)
    return ax


def numbers(arrays, marked=None, faint=None, row_names=None):
    """Small arrays side by side, with their numbers in the cells; NaN is drawn as a hatched cell.

    Parameters
    ----------
    arrays : dict of str to array (H, W)
        Under their titles.
    marked : dict of str to array (H, W), optional
        For some of the titles the cells to colour: k > 0, or True, takes the k-th colour of the palette.
    faint : dict of str to boolean array (H, W), optional
        The cells to draw in grey, such as padding.
    row_names : sequence of str, optional
        Of the rows of the first array.
    """
    marked, faint = marked or {}, faint or {}
    left = 0.1 + 0.27 * max(map(len, row_names or [""]))
    places = []
    for title, array in arrays.items():
        places.append(left)
        left += max(array.shape[1], 0.245 * max(map(len, title.split("\n")))) + 0.8
    lines_of_title = max(title.count("\n") for title in arrays) + 1
    top = 0.3 + 0.5 * lines_of_title
    ax = _canvas(left - 0.7, top + max(len(array) for array in arrays.values()) + 0.1, unit=0.46)
    for place, (title, array) in zip(places, arrays.items()):
        colours = np.full(array.shape, "white", object)
        colours[faint.get(title, np.zeros(array.shape, bool))] = "0.88"
        for index, mark in np.ndenumerate(np.asarray(marked.get(title, np.zeros(array.shape))).astype(int)):
            if mark:
                colours[index] = _tint(COLOURS[mark - 1])
        _cells(ax, np.asarray(array, np.float64), place, top, colours)
        ax.text(place, top - 0.2, title, va="bottom", fontsize=11)
    for row, name in enumerate(row_names or []):
        ax.text(places[0] - 0.2, top + row + 0.5, name, ha="right", va="center", fontsize=10)


def windows_as_columns(x, w):
    """How a convolution with stride 1 becomes a matrix product: each window of x a column, the filter a row.

    Parameters
    ----------
    x : array (H, W)
    w : array (HH, WW)
    """
    (H, W), (HH, WW) = x.shape, w.shape
    H_out, W_out = H - HH + 1, W - WW + 1
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape).reshape(H_out * W_out, HH * WW)
    height = max(H, HH * WW)
    matrix_left = W + HH * WW + 3.4
    out_left = matrix_left + H_out * W_out + 1.6
    ax = _canvas(out_left + H_out * W_out + 0.1, height + 1.1, unit=0.46)
    middle = 1 + (height - 1) / 2

    def put(array, left, top, title, colours=None):
        colours = np.full(array.shape, "white", object) if colours is None else colours
        _cells(ax, array, left, top, colours)
        ax.text(left, top - 0.2, title, va="bottom", fontsize=11)

    put(x, 0.1, 1 + (height - H) / 2, "x")
    column_colours = np.empty((1, H_out * W_out), object)
    for i, (row, column) in enumerate(np.ndindex(H_out, W_out)):
        colour = COLOURS[i % len(COLOURS)]
        column_colours[0, i] = _tint(colour)
        inset = 0.07 + 0.06 * i
        ax.add_patch(
            plt.Rectangle(
                (0.1 + column + inset, 1 + (height - H) / 2 + row + inset),
                WW - 2 * inset,
                HH - 2 * inset,
                fill=False,
                edgecolor=colour,
                linewidth=2,
            )
        )
    put(w.reshape(1, -1), W + 1.5, middle, "the filter, a row")
    ax.text(matrix_left - 0.95, middle + 0.5, "·", ha="center", va="center", fontsize=20)
    matrix_colours = np.repeat(column_colours, HH * WW, axis=0)
    put(windows.T, matrix_left, 1 + (height - HH * WW) / 2, "windows, a column each", matrix_colours)
    ax.text(out_left - 0.8, middle + 0.5, "=", ha="center", va="center", fontsize=16)
    put(w.reshape(1, -1) @ windows.T, out_left, middle, "out, a row", column_colours)


def photographs(pictures, columns=4, frame=0):
    """Pictures side by side, on the scale 0…255; NaN is hatched.

    Parameters
    ----------
    pictures : dict of str to array (H, W) or (H, W, 3)
        Under their titles.
    columns : int
    frame : int
        Width in pixels of a border that was added to the pictures; a dashed line marks where it begins.
    """
    rows = -(-len(pictures) // columns)
    H, W = next(iter(pictures.values())).shape[:2]
    height = rows * (11 / columns * H / W + 0.3)
    fig, axes = plt.subplots(rows, columns, figsize=(11, height), squeeze=False)
    for ax in axes.flat:
        _bare(ax)
    for ax, (title, picture) in zip(axes.flat, pictures.items()):
        H, W = picture.shape[:2]
        unknown = np.isnan(picture).reshape(H, W, -1).any(axis=2)
        shown = np.where(np.isnan(picture), 255, picture).clip(0, 255) / 255
        if unknown.any():
            ax.add_patch(plt.Rectangle((-0.5, -0.5), W, H, facecolor="white", edgecolor="0.5", hatch="////"))
        ax.imshow(shown, cmap="gray", vmin=0, vmax=1, alpha=np.where(unknown, 0.0, 1.0), zorder=2)
        if frame:
            box = (frame - 0.5, frame - 0.5), W - 2 * frame, H - 2 * frame
            ax.add_patch(plt.Rectangle(*box, fill=False, edgecolor="black", zorder=3))
            ax.add_patch(plt.Rectangle(*box, fill=False, edgecolor="white", linestyle=(0, (3, 3)), zorder=4))
        ax.set_title(title, fontsize=10)


def window_positions(geometries, columns=2):
    """Where a window lies along one axis, position by position; pixels that no window covers are crossed out.

    Parameters
    ----------
    geometries : dict of str to tuple (H, f, pad, stride)
        Under their titles.
    columns : int
    """
    rows = -(-len(geometries) // columns)
    fig, axes = plt.subplots(rows, columns, figsize=(11, 2.35 * rows), squeeze=False)
    for ax in axes.flat[len(geometries) :]:
        ax.set_visible(False)
    for ax, (title, (H, f, pad, stride)) in zip(axes.flat, geometries.items()):
        starts = range(0, H + 2 * pad - f + 1, stride)
        covered = {pixel for start in starts for pixel in range(start, start + f)}
        for i, start in enumerate(starts):
            colour = COLOURS[i % 6]
            ax.add_patch(
                plt.Rectangle((start + 0.08, i + 1.15), f - 0.16, 0.7, facecolor=_tint(colour, 0.7), edgecolor=colour)
            )
        for pixel in range(H + 2 * pad):
            padding = not pad <= pixel < pad + H
            cell = plt.Rectangle((pixel, 0), 1, 1, facecolor="0.88" if padding else "white", edgecolor="0.4")
            ax.add_patch(cell)
            ax.text(pixel + 0.5, 0.5, "0" if padding else f"{pixel - pad}", ha="center", va="center", fontsize=9)
            if pixel not in covered:
                ax.plot([pixel + 0.1, pixel + 0.9], [0.1, 0.9], color=COLOURS[1], linewidth=2.5)
                ax.plot([pixel + 0.1, pixel + 0.9], [0.9, 0.1], color=COLOURS[1], linewidth=2.5)
        ax.set(xlim=(-0.1, H + 2 * pad + 0.1), ylim=(len(starts) + 1.1, -0.1), ylabel="output")
        ax.set_yticks([i + 1.5 for i in range(len(starts))], range(len(starts)))
        ax.set_xticks([])
        ax.set_title(title, fontsize=10)
        ax.grid(False)
        for spine in ax.spines.values():
            spine.set_visible(False)


def durations(seconds, title):
    """Times side by side on a logarithmic axis, as bars.

    Parameters
    ----------
    seconds : dict of str to dict of str to float
        For each task, the time of each way to do it; the first task has all ways.
    title : str
    """
    ways = list(next(iter(seconds.values())))
    fig, ax = plt.subplots(figsize=(8, 0.4 + 0.32 * len(ways) * len(seconds)))
    for i, way in enumerate(ways):
        times = {task: 1e3 * times[way] for task, times in enumerate(seconds.values()) if way in times}
        places = [task * (len(ways) + 0.6) + i for task in times]
        bars = ax.barh(places, list(times.values()), height=0.9, color=COLOURS[i], label=way)
        ax.bar_label(bars, [f" {time:,.0f}" if time >= 10 else f" {time:.2g}" for time in times.values()], fontsize=9)
    middles = [task * (len(ways) + 0.6) + (len(ways) - 1) / 2 for task in range(len(seconds))]
    ax.set_yticks(middles, seconds)
    ax.set(xscale="log", xlabel="time [ms]", title=title)
    ax.margins(x=0.1)
    ax.invert_yaxis()
    ax.grid(False, axis="y")
    ax.legend(fontsize=9)


def visualize_grid(Xs, ubound=255.0, padding=1):
    """Images as one large image, in a square grid, each stretched to its own full range.

    Parameters
    ----------
    Xs : array (N, H, W, C)
    ubound : float
        The largest value of the result.
    padding : int
        Empty pixels between images.

    Returns
    -------
    array ((H + padding) · ⌈√N⌉ − padding, (W + padding) · ⌈√N⌉ − padding, C)
    """
    N, H, W, C = Xs.shape
    side = int(np.ceil(np.sqrt(N)))
    grid = np.zeros((side * (H + padding) - padding, side * (W + padding) - padding, C))
    for i, image in enumerate(Xs):
        top, left = (i // side) * (H + padding), (i % side) * (W + padding)
        low, high = image.min(), image.max()
        grid[top : top + H, left : left + W] = ubound * (image - low) / (high - low if high > low else 1.0)
    return grid
