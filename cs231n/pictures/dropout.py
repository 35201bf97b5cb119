"""Dropout: thinned nets, their masks, and how many units a mask keeps."""

import numpy as np

from .style import COLOURS, axes_in_rows, bare

__all__ = ["kept_shares", "mask_images", "masked_nets"]


def masked_nets(nets, widths, per_row=4):
    """A fully connected net drawn several times, each time with some units left out.

    Parameters
    ----------
    nets : dict of str to list of boolean arrays
        Under the title of each drawing, which units of each hidden layer are there.
    widths : sequence of int
        Units of every layer, inputs and outputs included.
    per_row : int
        Drawings in a row.
    """
    axes = axes_in_rows(len(nets), 2.7, per_row)
    for ax in axes:
        bare(ax)
    heights = [np.arange(width) - (width - 1) / 2 for width in widths]
    for ax, (title, masks) in zip(axes, nets.items()):
        there = [np.asarray(mask, dtype=bool) for mask in (np.ones(widths[0]), *masks, np.ones(widths[-1]))]
        for layer in range(len(widths) - 1):
            for i, j in np.argwhere(np.outer(there[layer], there[layer + 1])):
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


def mask_images(masks):
    """Masks side by side: dark where a value is kept, light where it is dropped.

    Parameters
    ----------
    masks : dict of str to boolean array (N, D)
        An example a row, a unit a column.
    """
    axes = axes_in_rows(len(masks), 2.9, sharey=True)
    for ax, (name, mask) in zip(axes, masks.items()):
        ax.imshow(np.asarray(mask, dtype=bool), cmap="Blues", vmin=-0.1, vmax=1.2, aspect="auto")
        ax.set(title=name, xlabel="unit (dark: kept)")
        ax.grid(False)
    axes[0].set_ylabel("example")


def kept_shares(p, shares, n):
    """The share kept by each of many masks, less the probability of keeping a value, and the spread of that share.

    Parameters
    ----------
    p : array (P,)
        Probabilities of keeping a value.
    shares : array (P, T)
        The share kept by each of T masks.
    n : int
        Values in a mask.
    """
    p, shares = np.asarray(p), np.asarray(shares)
    left, right = axes_in_rows(2, 3.4)
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
