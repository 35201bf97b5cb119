"""Losses on class scores: each gives the mean loss of the batch and the gradient of the scores."""

import numpy as np

from .arguments import class_labels, float_array

__all__ = ["softmax_loss", "svm_loss"]


def softmax_loss(x, y):
    """Softmax followed by cross-entropy: the mean over the batch of −log p_y, with p = exp(x) / Σ exp(x).

    Computed as log Σ exp(x − max x) − (x_y − max x), so that scores of any size neither overflow nor lose the loss
    of a confident wrong answer.

    Parameters
    ----------
    x : array (N, C)
        Scores (logits) of C classes for each of N examples.
    y : integer array (N,)
        Labels, 0 <= y[i] < C.

    Returns
    -------
    loss : float
    dx : array (N, C)
        (p − 1[y]) / N.

    Raises
    ------
    ValueError, TypeError
        If the labels do not fit the scores.
    """
    x = float_array("x", x)
    y = class_labels(y, x)
    rows = np.arange(len(x))
    shifted = x - x.max(axis=1, keepdims=True)
    exp = np.exp(shifted)
    total = exp.sum(axis=1, keepdims=True)
    loss = np.mean(np.log(total[:, 0]) - shifted[rows, y])
    dx = exp / total
    dx[rows, y] -= 1
    dx /= len(x)
    return loss, dx


def svm_loss(x, y):
    """Multiclass hinge loss: the mean over the batch of Σ_{j≠y} max(0, x_j − x_y + 1).

    Parameters
    ----------
    x : array (N, C)
        Scores of C classes for each of N examples.
    y : integer array (N,)
        Labels, 0 <= y[i] < C.

    Returns
    -------
    loss : float
    dx : array (N, C)
        Every class inside the margin pushes its own score down by 1/N and the true one up by 1/N.

    Raises
    ------
    ValueError, TypeError
        If the labels do not fit the scores.
    """
    x = float_array("x", x)
    y = class_labels(y, x)
    rows = np.arange(len(x))
    margins = np.maximum(0, x - x[rows, y][:, np.newaxis] + 1)
    margins[rows, y] = 0
    loss = np.mean(margins.sum(axis=1))
    dx = (margins > 0).astype(x.dtype)
    dx[rows, y] = -dx.sum(axis=1)
    dx /= len(x)
    return loss, dx
