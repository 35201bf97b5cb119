"""Classification: from scores to probabilities, and which classes are taken for which."""

import matplotlib.pyplot as plt
import numpy as np

from .style import COLOURS, axes_in_rows

__all__ = ["confusion_matrix", "softmax_picture"]


def softmax_picture(scores, probabilities, names):
    """Scores beside the probabilities that softmax makes of them, and the loss over the true class's probability.

    Parameters
    ----------
    scores, probabilities : arrays (C,)
    names : sequence of str
        Of the C classes.
    """
    *axes, right = axes_in_rows(3, 2.8)
    for ax, values, title in zip(axes, (scores, probabilities), ("Scores", "Probabilities")):
        drawn = ax.bar(names, values, color=COLOURS[: len(names)])
        ax.bar_label(drawn, fmt="%.2f", fontsize=9)
        ax.set(title=title, xlabel="class")
        ax.margins(y=0.2)
    p = np.linspace(0.005, 1, 200)
    right.plot(p, -np.log(p))
    right.set(title="Loss of one example", xlabel="probability of the true class", ylabel="−log p")


def confusion_matrix(true, predicted, names):
    """How often each class was taken for each other one, as shares of the true class.

    Parameters
    ----------
    true, predicted : integer arrays (N,)
    names : sequence of str

    Returns
    -------
    array (C, C)
        Row: the true class; column: the prediction. A row sums to 1, or to 0 if its class has no example.
    """
    shares = np.zeros((len(names), len(names)))
    np.add.at(shares, (true, predicted), 1)
    shares /= np.maximum(1, shares.sum(axis=1, keepdims=True))
    fig, ax = plt.subplots(figsize=(6.6, 5.4))
    image = ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.argwhere(shares >= 0.005):
        share = shares[row, column]
        colour = "white" if share > 0.5 else "black"
        ax.text(column, row, f"{100 * share:.0f}", ha="center", va="center", color=colour, fontsize=9)
    ax.set_xticks(range(len(names)), names, rotation=45, ha="right")
    ax.set_yticks(range(len(names)), names)
    ax.set(title="Of each true class, % taken for …", xlabel="prediction", ylabel="true class")
    ax.grid(False)
    fig.colorbar(image, label="share of the true class")
    return shares
