"""Initialization, optimization and the course of training."""

from itertools import cycle

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.ticker import MaxNLocator

from .charts import lines
from .style import COLOURS, MARKERS, axes_in_rows

__all__ = [
    "accuracy_map",
    "bowl_paths",
    "layer_statistics",
    "learning_curves",
    "loss_panels",
    "training_accuracies",
    "training_plan",
    "unit_weights",
]


def layer_statistics(activations, gradients):
    """Spread of activations and gradients from layer to layer, on logarithmic axes.

    Parameters
    ----------
    activations, gradients : dict of str to sequence of float
        For each initialization, the standard deviation in each layer.
    """
    left, right = axes_in_rows(2, 3.6)
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
    for ax, (name, W) in zip(axes_in_rows(len(weights), 2.6), weights.items()):
        limit = np.abs(W).max() or 1
        ax.imshow(np.asarray(W, dtype=np.float64), aspect="auto", cmap="PuOr", vmin=-limit, vmax=limit)
        ax.set(title=name, xlabel="unit", ylabel="weight")
        ax.grid(False)


def bowl_paths(paths, loss, xlim=(-10.5, 10.5), ylim=(-3.5, 3.5)):
    """Paths down a two-dimensional loss, one pair of axes each, with its contours.

    Parameters
    ----------
    paths : dict of str to array (T, 2)
        The weights after each step.
    loss : callable
        ``loss(x, y)`` on arrays.
    xlim, ylim : pair of float
    """
    x, y = np.meshgrid(np.linspace(*xlim, 120), np.linspace(*ylim, 80))
    columns = min(3, len(paths))
    axes = axes_in_rows(len(paths), 2.5, columns, sharex=True, sharey=True)
    for ax, (name, path), colour in zip(axes, paths.items(), cycle(COLOURS)):
        levels = np.geomspace(0.05, 100, 12)
        ax.contour(x, y, loss(x, y), levels=levels, colors="0.75", linewidths=0.8, norm=LogNorm())
        ax.plot(*np.transpose(path), "o-", color=colour, markersize=3, linewidth=1.2)
        ax.plot(0, 0, "k+", markersize=10)
        ax.set(title=name, xlim=xlim, ylim=ylim)
        ax.grid(False)
    for ax in axes[-columns:]:
        ax.set_xlabel("$w_1$ (flat)")
    for ax in axes[::columns]:
        ax.set_ylabel("$w_2$ (steep)")
    for ax in axes[len(paths) :]:
        ax.set_visible(False)


def _running_average(values, smooth):
    """The mean of each value and all before it, whose weights fall by a factor ``smooth`` with each step back."""
    average = weight = 0.0
    for value in values:
        average = smooth * average + (1 - smooth) * value
        weight = smooth * weight + (1 - smooth)
        yield average / weight


def learning_curves(solvers, smooth=0.9):
    """Loss, training accuracy and validation accuracy of several runs.

    Parameters
    ----------
    solvers : dict of str to Solver
    smooth : float
        The losses are shown as a running average with this weight on the past, at least 0 and below 1.
    """
    left, middle, right = axes_in_rows(3, 3.5)
    for (name, solver), marker in zip(solvers.items(), cycle(MARKERS)):
        left.plot(list(_running_average(solver.loss_history, smooth)), label=name, linewidth=1.3)
        middle.plot(solver.train_acc_history, marker=marker, markersize=4, label=name)
        right.plot(solver.val_acc_history, marker=marker, markersize=4, label=name)
    title = "Training loss (running average)" if smooth else "Training loss"
    left.set(title=title, xlabel="iteration", ylabel="loss")
    middle.set(title="Training accuracy", xlabel="epoch", ylabel="accuracy")
    right.set(title="Validation accuracy", xlabel="epoch", ylabel="accuracy")
    for ax in (middle, right):
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.legend(fontsize=9)


def loss_panels(runs, chance, columns=4):
    """The losses of several runs on one scale, one pair of axes each.

    Parameters
    ----------
    runs : dict of str to dict of str to sequence of numbers
        For each title the named curves: a value before training and after each epoch. What is above twice the loss of
        guessing, or no number, leaves the picture at the top.
    chance : float
        The loss of guessing, drawn as a dotted line.
    columns : int
    """
    axes = axes_in_rows(len(runs), 2.8, min(columns, len(runs)), sharey=True)
    for ax, (title, curves) in zip(axes, runs.items()):
        ax.axhline(chance, color="0.4", linestyle=":", label="guessing")
        curves = {name: np.nan_to_num(values, nan=np.inf).clip(max=9 * chance) for name, values in curves.items()}
        lines(ax, curves, title, "epoch", "loss", x=range(len(next(iter(curves.values())))))
        ax.set(ylim=(0, 2 * chance))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    for ax in axes[len(runs) :]:
        ax.set_visible(False)


def training_accuracies(panels):
    """Training accuracy after each epoch, on one scale, one pair of axes a panel.

    Parameters
    ----------
    panels : dict of str to dict of str to Solver
        The runs of each panel, under its title.
    """
    for ax, (title, solvers) in zip(axes_in_rows(len(panels), 3.3, sharey=True), panels.items()):
        curves = {name: solver.train_acc_history for name, solver in solvers.items()}
        lines(ax, curves, title, "epoch", "training accuracy", x=range(len(next(iter(curves.values())))))


def _edges(centres):
    """The edges of cells around points that increase by a constant factor: half a factor to either side."""
    logs = np.log(centres)
    half = (logs[1] - logs[0]) / 2
    return np.exp([*(logs - half), logs[-1] + half])


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
    edges = _edges(learning_rates), _edges(weight_scales)
    image = ax.pcolormesh(*edges, accuracy, vmin=0, vmax=1, shading="flat")
    ax.set(title=title, xlabel="learning rate", ylabel="weight scale", xscale="log", yscale="log")
    ax.grid(False)
    return image


def training_plan(settings):
    """Learning rate and size of the images over a training of the challenge.

    Parameters
    ----------
    settings : cs231n.challenge.Settings
    """
    progress = np.linspace(0, 1, 601)
    left, right = axes_in_rows(2, 3)
    left.plot(progress, [settings.rate(p) for p in progress])
    left.set(title="One cycle: up quickly, down slowly", ylabel="learning rate", ylim=0)
    sizes = [settings.size(p) for p in progress]
    right.plot(progress, sizes)
    right.set(title="Images grow from small to full size", ylabel="height and width (pixels)")
    right.set_ylim(0, 1.1 * max(sizes))
    for ax in (left, right):
        ax.set_xlabel("share of the training")
