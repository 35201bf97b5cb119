"""Charts for any numbers: curves, points and bars."""

from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np

from .style import COLOURS, MARKERS

__all__ = ["against_diagonal", "bands", "bars", "durations", "grouped_bars", "lines"]


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
        ax.plot(where, values, label=name, marker=marker if len(values) <= 20 else None, markersize=4)
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel, yscale=yscale)
    ax.legend(fontsize=9)


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
    for (name, runs), marker, colour in zip(curves.items(), cycle(MARKERS), cycle(COLOURS)):
        runs = np.asarray(runs, dtype=np.float64)
        mean, spread = runs.mean(axis=0), runs.std(axis=0)
        where = np.arange(len(mean)) if x is None else x
        ax.plot(where, mean, color=colour, label=name, marker=marker if len(mean) <= 30 else None, markersize=4)
        ax.fill_between(where, mean - spread, mean + spread, color=colour, alpha=0.2, linewidth=0)
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel)
    ax.xaxis.get_major_locator().set_params(integer=x is None)
    ax.legend(fontsize=9)


def against_diagonal(ax, x, y, title, xlabel, ylabel):
    """Points that lie on the diagonal where two measurements agree.

    Parameters
    ----------
    ax : matplotlib axes
    x, y : arrays (N,)
    title, xlabel, ylabel : str
    """
    ends = [min(*x, *y), max(*x, *y)]
    ax.plot(ends, ends, color="0.6", linewidth=1.2, label="equal")
    ax.plot(x, y, "o", markersize=3.5, label="one unit")
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel)
    ax.legend(fontsize=9)


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


def grouped_bars(ax, values, groups, title, ylabel, fmt="%.2f"):
    """Bars in groups, their heights written above them.

    Parameters
    ----------
    ax : matplotlib axes
    values : dict of str to sequence of numbers
        For each colour, by its name in the legend, the height in each group.
    groups : sequence of str
    title, ylabel : str
    fmt : str
        Format of the heights.
    """
    where, width = np.arange(len(groups)), 0.8 / len(values)
    for i, (name, heights) in enumerate(values.items()):
        drawn = ax.bar(where + (i - (len(values) - 1) / 2) * width, heights, width, label=name)
        ax.bar_label(drawn, fmt=fmt, fontsize=8)
    ax.set_xticks(where, groups)
    ax.set(title=title, ylabel=ylabel)
    ax.set_axisbelow(True)
    ax.grid(False, axis="x")
    ax.margins(y=0.3)
    ax.legend(fontsize=9, ncols=len(values), loc="upper left")


def durations(seconds, title):
    """Times side by side on a logarithmic axis, as bars.

    Parameters
    ----------
    seconds : dict of str to dict of str to float
        For each task, the time that each way to do it takes.
    title : str
    """
    ways = list(dict.fromkeys(way for times in seconds.values() for way in times))
    fig, ax = plt.subplots(figsize=(8, 0.4 + 0.32 * len(ways) * len(seconds)))
    tops = np.arange(len(seconds)) * (len(ways) + 0.6)
    for i, way in enumerate(ways):
        times = {top: 1e3 * times[way] for top, times in zip(tops, seconds.values()) if way in times}
        drawn = ax.barh(np.array([*times]) + i, list(times.values()), height=0.9, color=COLOURS[i], label=way)
        ax.bar_label(drawn, [f" {time:,.0f}" if time >= 10 else f" {time:.2g}" for time in times.values()], fontsize=9)
    ax.set_yticks(tops + (len(ways) - 1) / 2, seconds)
    ax.set(xscale="log", xlabel="time [ms]", title=title)
    ax.margins(x=0.1)
    ax.invert_yaxis()
    ax.grid(False, axis="y")
    ax.legend(fontsize=9)
