"""Every picture of the lessons.

A function draws on the current figure or on axes of its own, names the axes and sets the title; the caller shows it.
Arguments that cannot be drawn are refused by their name before there is a figure.
"""

from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm, to_rgb
from matplotlib.ticker import MaxNLocator

from . import vis_arguments as wants
from .layers.arguments import require_shape
from .vis_arguments import require_length, takes

__all__ = [
    "COLOURS",
    "accuracy_map",
    "against_diagonal",
    "bands",
    "bars",
    "batchnorm_graph",
    "bowl_paths",
    "channel_groups",
    "class_samples",
    "confusion_matrix",
    "durations",
    "feature_histograms",
    "filter_positions",
    "first_layer_weights",
    "graph",
    "grouped_bars",
    "images",
    "kept_shares",
    "layer_statistics",
    "learning_curves",
    "lines",
    "mask_images",
    "masked_nets",
    "normalization_cubes",
    "numbers",
    "photographs",
    "softmax_picture",
    "training_accuracies",
    "training_plan",
    "unit_weights",
    "use_style",
    "visualize_grid",
    "volumes",
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


def _require_format(fmt):
    try:
        fmt % 1.0
    except (TypeError, ValueError) as error:
        raise ValueError(f'fmt must be a format of one number, such as "%.2f", got {fmt!r}') from error


def _bare(ax):
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(False)
    for spine in ax.spines.values():
        spine.set_visible(False)


@takes(
    X=wants.array(4, finite=False, as_float=False), y=wants.class_numbers, names=wants.texts, per_class=wants.count()
)
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
    require_shape("y", y, X.shape[:1], "one label for each of X")
    if y.max() >= len(names):
        raise ValueError(f"y must hold labels below {len(names)}, one for each of names, got {y.max()}")
    shown = [[wants.picture("X", X[i]) for i in np.flatnonzero(y == label)[:per_class]] for label in range(len(names))]
    fig, axes = plt.subplots(per_class, len(names), figsize=(11, 1.15 * per_class + 0.4), squeeze=False)
    for label, name in enumerate(names):
        for row, image in enumerate(shown[label]):
            axes[row, label].imshow(_displayable(image))
        axes[0, label].set_title(name, fontsize=10, loc="center")
    for ax in axes.flat:
        _bare(ax)


@takes(X=wants.entries(wants.picture), captions=wants.texts, columns=wants.count(), title=wants.text)
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
    if captions:
        require_length("captions", captions, len(X), "one for each of X")
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


@takes(W=wants.array(2), image_shape=wants.entries(wants.count(most=10_000), length=3), count=wants.count(most=500))
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
    if image_shape[0] * image_shape[1] * image_shape[2] != len(W) or 3 not in (image_shape[0], image_shape[2]):
        raise ValueError(f"image_shape must be (3, H, W) or (H, W, 3), {len(W)} values as W has, got {image_shape}")
    largest = np.argsort(-np.linalg.norm(W, axis=0))[:count]
    images([W[:, unit].reshape(image_shape) for unit in largest], title="First-layer weights of single units")


@takes(
    ax=wants.axes, curves=wants.named(wants.curve), title=wants.text, xlabel=wants.text, ylabel=wants.text,
    x=wants.curve, yscale=wants.text,
)  # fmt: skip
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
    if yscale not in ("linear", "log", "symlog"):
        raise ValueError(f'yscale must be "linear", "log" or "symlog", got {yscale!r}')
    for name, values in curves.items() if x is not None else ():
        require_length(f"curves[{name!r}]", values, len(x), "as many as x")
    for (name, values), marker in zip(curves.items(), cycle(MARKERS)):
        where = np.arange(1, len(values) + 1) if x is None else x
        few = len(values) <= 20
        ax.plot(where, values, label=name, marker=marker if few else None, markersize=4)
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel, yscale=yscale)
    ax.legend(fontsize=9)


@takes(activations=wants.named(wants.curve), gradients=wants.named(wants.curve))
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


@takes(weights=wants.named(wants.array(2)))
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


@takes(scores=wants.array(1), probabilities=wants.array(1), names=wants.texts)
def softmax_picture(scores, probabilities, names):
    """Scores beside the probabilities that softmax makes of them, and the loss over the true class's probability.

    Parameters
    ----------
    scores, probabilities : arrays (C,)
    names : sequence of str
        Of the C classes.
    """
    require_shape("probabilities", probabilities, scores.shape, "the shape of scores")
    require_length("names", names, len(scores), "one for each score")
    fig, axes = plt.subplots(1, 3, figsize=(11, 2.8))
    for ax, values, title in zip(axes, (scores, probabilities), ("Scores", "Probabilities"), strict=False):
        bars = ax.bar(names, values, color=COLOURS[: len(names)])
        ax.bar_label(bars, fmt="%.2f", fontsize=9)
        ax.set(title=title, xlabel="class")
        ax.margins(y=0.2)
    p = np.linspace(0.005, 1, 200)
    axes[2].plot(p, -np.log(p))
    axes[2].set(title="Loss of one example", xlabel="probability of the true class", ylabel="−log p")


@takes(
    ax=wants.axes, accuracy=wants.array(2, finite=False), learning_rates=wants.array(1, above=0),
    weight_scales=wants.array(1, above=0), title=wants.text,
)  # fmt: skip
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
    shape = len(weight_scales), len(learning_rates)
    require_shape("accuracy", accuracy, shape, "a row for each of weight_scales, a column for each of learning_rates")
    for name, values in (("learning_rates", learning_rates), ("weight_scales", weight_scales)):
        if (np.diff(values) <= 0).any():
            raise ValueError(f"{name} must increase, got {values}")
    image = ax.pcolormesh(learning_rates, weight_scales, accuracy, vmin=0, vmax=1, shading="nearest")
    ax.set(title=title, xlabel="learning rate", ylabel="weight scale", xscale="log", yscale="log")
    ax.grid(False)
    return image


@takes(
    paths=wants.named(wants.array(2)), loss=wants.function, xlim=wants.entries(wants.number(), 2),
    ylim=wants.entries(wants.number(), 2),
)  # fmt: skip
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
    for name, path in paths.items():
        require_shape(f"paths[{name!r}]", path, (len(path), 2), "two weights a row")
    for name, (low, high) in (("xlim", xlim), ("ylim", ylim)):
        if not low < high:
            raise ValueError(f"{name} must go from a number to a larger one, got {(low, high)}")
    x, y = np.meshgrid(np.linspace(*xlim, 120), np.linspace(*ylim, 80))
    heights = wants.array(2)("loss(x, y)", loss(x, y))
    require_shape("loss(x, y)", heights, x.shape, "that of x and y")
    columns = min(3, len(paths))
    rows = -(-len(paths) // columns)
    fig, axes = plt.subplots(rows, columns, figsize=(11, 2.5 * rows), sharex=True, sharey=True, squeeze=False)
    for ax, (name, path), colour in zip(axes.flat, paths.items(), cycle(COLOURS)):
        ax.contour(x, y, heights, levels=np.geomspace(0.05, 100, 12), colors="0.75", linewidths=0.8, norm=LogNorm())
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


@takes(solvers=wants.named(wants.run), smooth=wants.number(least=0, most=1 - 1e-9))
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
    for ax in (middle, right):
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.legend(fontsize=9)


@takes(ax=wants.axes, values=wants.named(wants.number()), title=wants.text, xlabel=wants.text)
def bars(ax, values, title, xlabel):
    """A number for each name, as labelled horizontal bars from top to bottom.

    Parameters
    ----------
    ax : matplotlib axes
    values : dict of str to number
    title, xlabel : str
    """
    drawn = ax.barh(list(values), list(values.values()), color=COLOURS[0], height=0.6)
    ax.bar_label(drawn, fmt="%.2f", padding=3, fontsize=9)
    ax.set(title=title, xlabel=xlabel)
    ax.invert_yaxis()
    ax.margins(x=0.12)
    ax.grid(False, axis="y")


@takes(stages=wants.named(wants.array(2)))
def feature_histograms(stages):
    """Distribution of single features over a batch, one picture a stage.

    Parameters
    ----------
    stages : dict of str to array (N, D)
        At most seven features D.
    """
    for name, x in stages.items():
        if x.shape[1] > len(COLOURS):
            raise ValueError(f"stages[{name!r}] must have at most {len(COLOURS)} features, got {x.shape[1]}")
    fig, axes = plt.subplots(1, len(stages), figsize=(11, 3))
    for ax, (name, x) in zip(np.atleast_1d(axes), stages.items(), strict=True):
        low, high = (x.min(), x.max()) if x.min() < x.max() else (x.min() - 0.5, x.min() + 0.5)
        bins = np.linspace(low, high, 60)
        for feature, colour in zip(range(x.shape[1]), COLOURS):
            style = {"histtype": "stepfilled", "alpha": 0.35, "density": True}
            ax.hist(x[:, feature], bins, color=colour, label=f"feature {feature + 1}", **style)
        ax.set(title=name, xlabel="value", ylabel="density")
    np.atleast_1d(axes)[0].legend(fontsize=9)


# Node: place and what it computes. Arrow: from, to, the gradient it carries back, and where that is written.
BATCHNORM_NODES = {
    "x": (0, 1, "$x$"),
    "mu": (1.15, 2, r"$\mu = \mathrm{mean}(x)$"),
    "c": (2.3, 1, r"$c = x - \mu$"),
    "s": (3.3, 0, "$s = c^2$"),
    "v": (4.75, 0, r"$v = \mathrm{mean}(s)$"),
    "sigma": (6.4, 0, r"$\sigma = \sqrt{v + \varepsilon}$"),
    "r": (7.85, 0, r"$r = 1 / \sigma$"),
    "x_hat": (6.9, 1, r"$\hat x = c \cdot r$"),
    "out": (9.3, 1, r"$\mathrm{out} = \gamma \hat x + \beta$"),
    "gamma": (8.5, 2, r"$\gamma$"),
    "beta": (10.1, 2, r"$\beta$"),
}
BATCHNORM_ARROWS = [
    ("x", "mu", r"$\frac{1}{N}\,d\mu$", -0.3, 0.12),
    ("x", "c", "$dc$", 0, 0.13),
    ("mu", "c", r"$-\sum dc$", 0.4, 0.1),
    ("c", "s", r"$2c \cdot ds$", -0.42, -0.08),
    ("c", "x_hat", r"$d\hat x \cdot r$", 0, 0.13),
    ("s", "v", r"$\frac{1}{N}\,dv$", -0.05, 0.2),
    ("v", "sigma", r"$\frac{1}{2}\,r\,d\sigma$", 0, 0.2),
    ("sigma", "r", "$-r^2\\,dr$", 0.06, 0.22),
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
    _bare(ax)
    boxes = {
        name: ax.text(
            x, y, text, ha="center", va="center", fontsize=12, zorder=3,
            bbox={"boxstyle": "round,pad=0.4", "facecolor": "#E8F2FA", "edgecolor": COLOURS[0]},
        )
        for name, (x, y, text) in BATCHNORM_NODES.items()
    }  # fmt: skip
    for start, end, gradient, right, up in BATCHNORM_ARROWS:
        (x0, y0, _), (x1, y1, _) = BATCHNORM_NODES[start], BATCHNORM_NODES[end]
        ax.annotate(
            "", (x1, y1), (x0, y0), zorder=2,
            arrowprops={
                "arrowstyle": "-|>", "color": COLOURS[0], "linewidth": 1.5,
                "patchA": boxes[start].get_bbox_patch(), "patchB": boxes[end].get_bbox_patch(),
            },
        )  # fmt: skip
        ax.text(
            (x0 + x1) / 2 + right, (y0 + y1) / 2 + up, gradient, ha="center", va="center", color=COLOURS[1], fontsize=11
        )


@takes(shares=wants.named(wants.booleans(3)))
def normalization_cubes(shares):
    """Blocks of activations, with those that share a mean and a variance with the first one in colour.

    Parameters
    ----------
    shares : dict of str to boolean array (N, C, P)
        Under the name of a normalization: of N examples, C channels and P places, which ones belong together.
    """
    fig, axes = plt.subplots(1, len(shares), figsize=(11, 2.4))
    depth = np.array([0.42, 0.36])
    for ax, (name, together) in zip(np.atleast_1d(axes), shares.items(), strict=True):
        N, C, P = together.shape
        right, down = np.array([1.0, 0.0]), np.array([0.0, -1.0])
        # Front: channels and places of the first example. Top: first places. Side: the last channel.
        faces = [(together[0], np.zeros(2), right, down), (together[:, :, 0].T, np.zeros(2), right, depth)]
        faces.append((together[:, -1].T, C * right, down, depth))
        for cells, corner, along, across in faces:
            for i, j in np.ndindex(cells.shape):
                start = corner + i * along + j * across
                outline = [start, start + along, start + along + across, start + across]
                colour = COLOURS[1] if cells[i, j] else "0.94"
                ax.add_patch(plt.Polygon(outline, facecolor=colour, edgecolor="0.35", linewidth=0.7))
        ax.text(C / 2, -P - 0.3, f"{C} channels", ha="center", va="top", fontsize=9)
        ax.text(-0.3, -P / 2, f"{P} places", ha="right", va="center", rotation=90, fontsize=9)
        ax.text(*(C * right + P * down + N / 2 * depth + (0.35, -0.2)), f"{N} examples", va="top", fontsize=9)
        ax.set(title=name, xlim=(-1.2, C + N * depth[0] + 1.2), ylim=(-P - 1.2, N * depth[1] + 0.3), aspect="equal")
        _bare(ax)


@takes(panels=wants.named(wants.named(wants.run)))
def training_accuracies(panels):
    """Training accuracy after each epoch, one pair of axes a panel, on one scale.

    Parameters
    ----------
    panels : dict of str to dict of str to Solver
        Under the title of a panel, the runs in it.
    """
    histories = {
        title: {name: solver.train_acc_history for name, solver in solvers.items()} for title, solvers in panels.items()
    }
    for title, curves in histories.items():
        if len({len(curve) for curve in curves.values()}) > 1:
            raise ValueError(f"panels[{title!r}] must hold runs of equally many epochs")
    fig, axes = plt.subplots(1, len(panels), figsize=(11, 3.3), sharey=True)
    for ax, (title, curves) in zip(np.atleast_1d(axes), histories.items(), strict=True):
        epochs = range(len(next(iter(curves.values()))))
        lines(ax, curves, title, "epoch", "training accuracy", x=epochs)


@takes(true=wants.class_numbers, predicted=wants.class_numbers, names=wants.texts)
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
    require_shape("predicted", predicted, true.shape, "the shape of true")
    for name, labels in (("true", true), ("predicted", predicted)):
        if labels.max() >= len(names):
            raise ValueError(f"{name} must hold labels below {len(names)}, one of names each, got {labels.max()}")
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


@takes(
    arrays=wants.named(wants.array(2, finite=False)), marked=wants.named(wants.array(2), least=0),
    faint=wants.named(wants.booleans(2), least=0), row_names=wants.texts,
)  # fmt: skip
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
    for what, cells in (("marked", marked), ("faint", faint)):
        for title, values in cells.items():
            if title not in arrays:
                raise ValueError(f"{what} must name some of arrays, got {title!r}")
            require_shape(f"{what}[{title!r}]", values, arrays[title].shape, "that of the array")
            if values.min() < 0 or values.max() > len(COLOURS):
                raise ValueError(f"{what}[{title!r}] must hold numbers from 0 to {len(COLOURS)}, got {values}")
    if row_names:
        require_length("row_names", row_names, len(next(iter(arrays.values()))), "one for each row of the first array")
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


@takes(x=wants.array(2, finite=False), w=wants.array(2, finite=False))
def windows_as_columns(x, w):
    """How a convolution with stride 1 becomes a matrix product: each window of x a column, the filter a row.

    Parameters
    ----------
    x : array (H, W)
    w : array (HH, WW)
    """
    (H, W), (HH, WW) = x.shape, w.shape
    if HH > H or WW > W:
        raise ValueError(f"w must be no larger than x, {x.shape}, got {w.shape}")
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


@takes(
    pictures=wants.named(wants.array(2, 3, finite=False)), columns=wants.count(),
    frame=wants.count(least=0, most=10_000),
)  # fmt: skip
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
    for title, picture in pictures.items():
        if picture.ndim == 3 and picture.shape[2] != 3:
            raise ValueError(f"pictures[{title!r}] must have shape (H, W) or (H, W, 3), got {picture.shape}")
        if 2 * frame >= min(picture.shape[:2]):
            raise ValueError(f"frame must leave some of pictures[{title!r}], {picture.shape}, got {frame}")
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


@takes(geometries=wants.named(wants.entries(wants.count(least=0), 4)), columns=wants.count())
def window_positions(geometries, columns=2):
    """Where a window lies along one axis, position by position; pixels that no window covers are crossed out.

    Parameters
    ----------
    geometries : dict of str to tuple (H, f, pad, stride)
        Under their titles.
    columns : int
    """
    for title, (H, f, pad, stride) in geometries.items():
        if 0 in (H, f, stride):
            raise ValueError(f"geometries[{title!r}] must have only pad 0, got {(H, f, pad, stride)}")
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


@takes(seconds=wants.named(wants.named(wants.number(above=0), most=len(COLOURS))), title=wants.text)
def durations(seconds, title):
    """Times side by side on a logarithmic axis, as bars.

    Parameters
    ----------
    seconds : dict of str to dict of str to float
        For each task, the time of each way to do it; the first task has all ways.
    title : str
    """
    ways = list(next(iter(seconds.values())))
    for task, times in seconds.items():
        if not times.keys() <= set(ways):
            raise ValueError(f"seconds[{task!r}] must have ways of the first task, {ways}, got {list(times)}")
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


@takes(Xs=wants.array(4), ubound=wants.number(), padding=wants.count(least=0))
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


@takes(nets=wants.named(wants.entries(wants.booleans(1))), widths=wants.entries(wants.count()), per_row=wants.count())
def masked_nets(nets, widths, per_row=4):
    """A fully connected net drawn several times, each time with some units left out.

    Parameters
    ----------
    nets : dict of str to list of boolean arrays
        Under the title of a drawing: which units of each hidden layer are there.
    widths : sequence of int
        Units of every layer, inputs and outputs included.
    per_row : int
        Drawings in a row.
    """
    if len(widths) < 2:
        raise ValueError(f"widths must have those of inputs and outputs at least, got {widths}")
    for title, masks in nets.items():
        if [len(mask) for mask in masks] != widths[1:-1]:
            raise ValueError(f"nets[{title!r}] must hold masks of {widths[1:-1]} units, as widths has, "
                             f"got {[len(mask) for mask in masks]}")
    rows = -(-len(nets) // per_row)
    fig, axes = plt.subplots(rows, per_row, figsize=(11, 2.7 * rows), squeeze=False)
    for ax in axes.flat:
        _bare(ax)
    for ax, (title, masks) in zip(axes.flat, nets.items(), strict=False):
        there = [np.ones(widths[0], bool), *masks, np.ones(widths[-1], bool)]
        heights = [np.arange(width) - (width - 1) / 2 for width in widths]
        for layer in range(len(widths) - 1):
            for i, j in np.ndindex(widths[layer], widths[layer + 1]):
                if there[layer][i] and there[layer + 1][j]:
                    ends = [heights[layer][i], heights[layer + 1][j]]
                    ax.plot([layer, layer + 1], ends, color="0.7", linewidth=0.7, zorder=1)
        for layer, (kept, height) in enumerate(zip(there, heights, strict=True)):
            colour = COLOURS[0] if 0 < layer < len(widths) - 1 else "0.4"
            ax.scatter(np.full(kept.sum(), layer), height[kept], s=110, color=colour, zorder=2)
            gone = np.full((~kept).sum(), layer)
            ax.scatter(gone, height[~kept], s=110, facecolor="white", edgecolor="0.6", linestyle=":", zorder=2)
            ax.scatter(gone, height[~kept], s=40, marker="x", color=COLOURS[1], linewidth=1.5, zorder=3)
        ax.set_title(title, fontsize=11, loc="center")
        ax.set(xlim=(-0.4, len(widths) - 0.6), ylim=(-max(widths) / 2 - 0.1, max(widths) / 2 + 0.1))


@takes(masks=wants.named(wants.booleans(2)))
def mask_images(masks):
    """Masks side by side: dark where a value is kept, light where it is dropped.

    Parameters
    ----------
    masks : dict of str to boolean array (N, D)
        An example a row, a unit a column.
    """
    fig, axes = plt.subplots(1, len(masks), figsize=(11, 2.9), sharey=True)
    for ax, (name, mask) in zip(np.atleast_1d(axes), masks.items(), strict=True):
        ax.imshow(mask, cmap="Blues", vmin=-0.1, vmax=1.2, aspect="auto")
        ax.set(title=name, xlabel="unit")
        ax.grid(False)
    np.atleast_1d(axes)[0].set_ylabel("example")


@takes(p=wants.array(1), shares=wants.array(2), n=wants.count(most=2**53))
def kept_shares(p, shares, n):
    """The share kept by each of many masks, less the probability to keep, and the spread of that share.

    Parameters
    ----------
    p : array (P,)
        Probabilities to keep.
    shares : array (P, T)
        The share kept by each of T masks.
    n : int
        Values a mask has.
    """
    require_shape("shares", shares, (len(p), shares.shape[1]), "a row for each p")
    if p.min() < 0 or p.max() > 1:
        raise ValueError(f"p must hold probabilities, from 0 to 1, got {p}")
    fig, (left, right) = plt.subplots(1, 2, figsize=(11, 3.4))
    fine = np.linspace(0, 1, 200)
    spread = np.sqrt(fine * (1 - fine) / n)
    left.fill_between(fine, -200 * spread, 200 * spread, color="0.88", label="± 2 √(p(1 − p)/n)")
    jitter = np.linspace(-0.02, 0.02, shares.shape[1])
    where, deviation = p[:, None] + jitter, 100 * (shares - p[:, None])
    left.plot(where.ravel(), deviation.ravel(), ".", markersize=2.5, color=COLOURS[0], label="one mask")
    left.set(title="Each mask keeps about a share p", xlabel="probability to keep p", xlim=(-0.02, 1.02))
    left.margins(y=0.25)
    left.set_ylabel("share kept − p [percentage points]")
    left.legend(fontsize=9, loc="upper right")
    right.plot(fine, 100 * spread, color="0.6", label="√(p(1 − p)/n)")
    right.plot(p, 100 * shares.std(axis=1), "o", label="standard deviation of the masks")
    right.set(title="Its spread is that of coin tosses", xlabel="probability to keep p", ylim=(0, None))
    right.set_ylabel("spread [percentage points]")
    right.legend(fontsize=9, loc="lower center")


@takes(
    ax=wants.axes, curves=wants.named(wants.array(2, finite=False)), title=wants.text, xlabel=wants.text,
    ylabel=wants.text, x=wants.curve,
)  # fmt: skip
def bands(ax, curves, title, xlabel, ylabel, x=None):
    """Named curves, each the mean of several runs in a band of one standard deviation to either side.

    Parameters
    ----------
    ax : matplotlib axes
    curves : dict of str to array (R, T)
        R runs of T points.
    title, xlabel, ylabel : str
    x : sequence of numbers, optional
        Default 0, 1, ….
    """
    for name, runs in curves.items() if x is not None else ():
        require_shape(f"curves[{name!r}]", runs, (len(runs), len(x)), "as many points as x")
    for (name, runs), marker, colour in zip(curves.items(), cycle(MARKERS), cycle(COLOURS)):
        mean, spread = runs.mean(axis=0), runs.std(axis=0)
        where = np.arange(len(mean)) if x is None else x
        ax.plot(where, mean, color=colour, label=name, marker=marker if len(mean) <= 30 else None, markersize=4)
        ax.fill_between(where, mean - spread, mean + spread, color=colour, alpha=0.2, linewidth=0)
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel)
    ax.xaxis.get_major_locator().set_params(integer=x is None)
    ax.legend(fontsize=9)


@takes(
    ax=wants.axes, values=wants.named(wants.array(1)), groups=wants.texts, title=wants.text, ylabel=wants.text,
    fmt=wants.text,
)  # fmt: skip
def grouped_bars(ax, values, groups, title, ylabel, fmt="%.2f"):
    """Bars in groups, their heights written above them.

    Parameters
    ----------
    ax : matplotlib axes
    values : dict of str to sequence of numbers
        Under the name of a colour, the height in each group.
    groups : sequence of str
    title, ylabel : str
    fmt : str
        Of the heights.
    """
    for name, heights in values.items():
        require_length(f"values[{name!r}]", heights, len(groups), "one for each of groups")
    _require_format(fmt)
    where, width = np.arange(len(groups)), 0.8 / len(values)
    for i, (name, heights) in enumerate(values.items()):
        bars = ax.bar(where + (i - (len(values) - 1) / 2) * width, heights, width, label=name)
        ax.bar_label(bars, fmt=fmt, fontsize=8)
    ax.set_xticks(where, groups)
    ax.set(title=title, ylabel=ylabel)
    ax.set_axisbelow(True)
    ax.grid(False, axis="x")
    ax.margins(y=0.3)
    ax.legend(fontsize=9, ncols=len(values), loc="upper left")


@takes(ax=wants.axes, x=wants.array(1), y=wants.array(1), title=wants.text, xlabel=wants.text, ylabel=wants.text)
def against_diagonal(ax, x, y, title, xlabel, ylabel):
    """Points that lie on the diagonal where two measurements agree.

    Parameters
    ----------
    ax : matplotlib axes
    x, y : arrays (N,)
    title, xlabel, ylabel : str
    """
    require_shape("y", y, x.shape, "the shape of x")
    ends = [min(x.min(), y.min()), max(x.max(), y.max())]
    ax.plot(ends, ends, color="0.6", linewidth=1.2, label="equal")
    ax.plot(x, y, "o", markersize=3.5, label="one unit")
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel)
    ax.legend(fontsize=9)


# Graphs, volumes and the parameters of a convolution: the pictures of the lesson on PyTorch


@takes(
    edges=wants.named(wants.entries(wants.anything), keys=object), labels=wants.named(wants.text, keys=object),
    title=wants.text, highlighted=wants.collection, leftward=wants.flag, height=wants.number(above=0, most=100),
)  # fmt: skip
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
        The graph begins on the right.
    height : float
        Of the figure, in inches.
    """
    for node, ends in edges.items():
        if not all(end in edges for end in ends):
            raise ValueError(f"edges must have an entry for each node, got arrows from {node!r} to {ends}")
    if labels.keys() != edges.keys():
        raise ValueError(f"labels must have a text for each node of edges, got {list(labels)} for {list(edges)}")
    column = dict.fromkeys(edges, 0)
    for _ in edges:  # the longest way decides, and none is longer than there are nodes
        for start, ends in edges.items():
            for end in ends:
                column[end] = max(column[end], column[start] + 1)
    if any(column[end] <= column[start] for start, ends in edges.items() for end in ends):
        raise ValueError("edges must have no cycle, got arrows that lead back to where they begin")
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
    _bare(ax)
    boxes = {}
    for node, text in labels.items():
        colour = COLOURS[1] if node in highlighted else COLOURS[0]
        boxes[node] = ax.text(
            column[node], row[node], text, ha="center", va="center", fontsize=10, zorder=2,
            bbox={"boxstyle": "round,pad=0.4", "facecolor": _tint(colour, 0.12), "edgecolor": colour},
        )  # fmt: skip
    for start, ends in edges.items():
        for end in ends:
            # Above the boxes, so that these have their place when it is clipped to them.
            ax.annotate(
                "", (column[end], row[end]), (column[start], row[start]), zorder=3,
                arrowprops={
                    "arrowstyle": "-|>", "color": "0.4", "linewidth": 1.3,
                    "patchA": boxes[start].get_bbox_patch(), "patchB": boxes[end].get_bbox_patch(),
                },
            )  # fmt: skip


@takes(shapes=wants.named(wants.entries(wants.count(most=10_000_000))), title=wants.text)
def volumes(shapes, title):
    """What a convolutional net makes of an image, stage by stage, as blocks and rows.

    Parameters
    ----------
    shapes : dict of str to tuple (C, H, W) or (D,)
        Under the name of the stage. Channels go to the right, with their number's square root.
    title : str
    """
    for name, shape in shapes.items():
        if len(shape) not in (1, 3):
            raise ValueError(f"shapes[{name!r}] must be (C, H, W) or (D,), got {shape}")
    if all(len(shape) == 1 for shape in shapes.values()):
        raise ValueError(f"shapes must hold a (C, H, W) at least, got {shapes}")
    fig, ax = plt.subplots(figsize=(11, 2.9))
    _bare(ax)
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
            ax.add_patch(plt.Polygon(face, facecolor=_tint(colour, strength), edgecolor="0.3", linewidth=0.8))
        middle = left + (length + slant[0]) / 2
        text = f"{name}\n{' × '.join(map(str, shape))}"
        ax.text(middle, -tallest / 2 - 2, text, ha="center", va="top", fontsize=10)
        right = left + length + slant[0]
        left = right + 30
        if i < len(shapes) - 1:
            ax.annotate("", (left - 7, 0), (right + 7, 0), arrowprops={"arrowstyle": "-|>", "color": "0.4"})
    ax.set(title=title, xlim=(-9, left - 18), ylim=(-tallest / 2 - 13, tallest / 2 + 10), aspect="equal")


@takes(panels=wants.named(wants.convolution))
def filter_positions(panels):
    """Which pixels two neighbouring windows of a convolution look at; grey pixels are padding.

    Parameters
    ----------
    panels : dict of str to tuple (size, kernel, stride, padding, dilation)
        Under their titles; ``kernel`` is a pair (height, width), all others are single numbers.
    """
    fig, axes = plt.subplots(1, len(panels), figsize=(11, 11 / len(panels) + 0.35))
    for ax, (title, (size, kernel, stride, padding, dilation)) in zip(np.atleast_1d(axes), panels.items()):
        padded = size + 2 * padding
        for row, column in np.ndindex(padded, padded):
            inside = padding <= min(row, column) and max(row, column) < padding + size
            ax.add_patch(plt.Rectangle((column, row), 1, 1, facecolor="white" if inside else "0.88", edgecolor="0.6"))
        for tap in np.ndindex(*kernel):
            row, column = dilation * np.array(tap)
            ax.add_patch(plt.Rectangle((column, row), 1, 1, facecolor=_tint(COLOURS[0], 0.6), edgecolor="0.6"))
            ax.plot(column + stride + 0.5, row + 0.5, "o", color=COLOURS[1], markersize=5)
        ax.set(xlim=(-0.1, padded + 0.1), ylim=(padded + 0.1, -0.1), aspect="equal")
        ax.set_title(title, fontsize=10)
        _bare(ax)


@takes(panels=wants.named(wants.entries(wants.count(), 3)))
def channel_groups(panels):
    """Which input channels each output channel of a convolution is made of.

    Parameters
    ----------
    panels : dict of str to tuple (in_channels, out_channels, groups)
        Under their titles.
    """
    for title, (C, F, G) in panels.items():
        if C % G or F % G or G > len(COLOURS):
            raise ValueError(f"panels[{title!r}] must have at most {len(COLOURS)} groups, a divisor of both numbers of "
                             f"channels, got {(C, F, G)}")
    fig, axes = plt.subplots(1, len(panels), figsize=(11, 2.5))
    for ax, (title, (C, F, G)) in zip(np.atleast_1d(axes), panels.items()):
        x_in, x_out = np.arange(C) - (C - 1) / 2, np.arange(F) - (F - 1) / 2
        for c, f in np.ndindex(C, F):
            if c // (C // G) == f // (F // G):
                ax.plot([x_in[c], x_out[f]], [1, 0], color=COLOURS[c // (C // G)], linewidth=1.2, zorder=1)
        ax.scatter(x_in, np.ones(C), s=90, color="0.4", zorder=2)
        ax.scatter(x_out, np.zeros(F), s=90, color="0.4", zorder=2)
        ax.set_title(title, fontsize=10)
        _bare(ax)
        ax.set(xlim=(-max(C, F) / 2 - 0.2, max(C, F) / 2 + 0.2), ylim=(-0.25, 1.25))
    first = np.atleast_1d(axes)[0]
    first.set_yticks([0, 1], ["out", "in"], fontsize=10)
    first.tick_params(length=0)


@takes(settings=wants.having(rate=wants.function, size=wants.function))
def training_plan(settings):
    """Learning rate and size of the images over a training of the challenge.

    Parameters
    ----------
    settings : cs231n.challenge.Settings
    """
    progress = np.linspace(0, 1, 601)
    _, (left, right) = plt.subplots(1, 2, figsize=(11, 3))
    left.plot(progress, [settings.rate(p) for p in progress])
    left.set(title="One cycle: up quickly, down slowly", xlabel="share of the training", ylabel="learning rate", ylim=0)
    sizes = np.array([settings.size(p) for p in progress])
    right.plot(progress, sizes)
    right.set(title="Images grow when there is time for detail", xlabel="share of the training",
              ylabel="height and width (pixels)", ylim=(0, 1.1 * sizes.max()))
