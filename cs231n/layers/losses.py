"""Losses of class scores: each returns the mean loss of the batch and its gradient with respect to the scores."""

import numpy as np

from ..arguments import class_labels, float_array

__all__ = ["softmax_loss", "svm_loss"]


def softmax_loss(x, y):
    """Softmax followed by cross-entropy: the mean over the batch of −log p_y, with p = exp(x) / Σ exp(x).

    Computed as log Σ exp(x − max x) − (x_y − max x), which neither overflows for large scores nor takes log 0 for a
    confident wrong answer. x is not altered.

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
        (p − one-hot(y)) / N, of the dtype of x.
    """
    x, y = float_array("x", x), class_labels(y, np.shape(x))
    rows, top = np.arange(len(x)), x.max(axis=1, keepdims=True)
    shifted = np.subtract(x, top, out=np.zeros_like(x), where=x != top)  # 0 at the maximum, even if that is ∞
    exp = np.exp(shifted)
    total = exp.sum(axis=1, keepdims=True)
    loss = np.mean(np.log(total[:, 0]) - shifted[rows, y])
    dx = exp / total
    dx[rows, y] -= 1
    dx /= len(x)
    return loss, dx


def svm_loss(x, y):
    """Multiclass hinge loss: the mean over the batch of Σ_{j≠y} max(0, x_j − x_y + 1).

    Weston and Watkins, "Support vector machines for multi-class pattern recognition" (1999).

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
        Each class inside the margin contributes 1/N to its own score's gradient and −1/N to that of the true class.

    Raises
    ------
    ValueError, TypeError
        If the labels do not fit the scores.
    """
    x, y = float_array("x", x), class_labels(y, np.shape(x))
    rows = np.arange(len(x))
    margins = np.maximum(0, x - x[rows, y][:, np.newaxis] + 1)
    margins[rows, y] = 0
    loss = np.mean(margins.sum(axis=1))
    dx = (margins > 0).astype(x.dtype)
    dx[rows, y] = -dx.sum(axis=1)
    dx /= len(x)
    return loss, dx
