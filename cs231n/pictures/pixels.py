"""Images: samples of a data set, filters, photographs, and grids of images."""

import matplotlib.pyplot as plt
import numpy as np

from .style import axes_in_rows, bare

__all__ = ["class_samples", "first_layer_weights", "images", "photographs", "vis_grid", "vis_nn", "visualize_grid"]


def _stretched(values, axis=None, largest=1.0):
    """Values rescaled so that along ``axis`` the smallest becomes 0 and the largest becomes ``largest``."""
    low, high = values.min(axis, keepdims=True), values.max(axis, keepdims=True)
    return largest * (values - low) / np.where(high > low, high - low, 1.0)


def _displayable(image):
    """An image (3, H, W) or (H, W, 3), whatever its range of values, as (H, W, 3) in 0…1."""
    image = np.asarray(image, dtype=np.float64)
    return _stretched(image.transpose(1, 2, 0) if image.shape[0] == 3 else image)


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
    fig, axes = plt.subplots(per_class, len(names), figsize=(11, 1.15 * per_class + 0.4), squeeze=False)
    for label, name in enumerate(names):
        for ax, i in zip(axes[:, label], np.flatnonzero(np.asarray(y) == label)):
            ax.imshow(_displayable(X[i]))
        axes[0, label].set_title(name, fontsize=10, loc="center")
    for ax in axes.flat:
        bare(ax)


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
    for ax in axes.flat:
        bare(ax)
    for i, (ax, image) in enumerate(zip(axes.flat, X)):
        ax.imshow(_displayable(image))
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
    W = np.asarray(W, dtype=np.float64)
    largest = np.argsort(-np.linalg.norm(W, axis=0))[:count]
    images([W[:, unit].reshape(image_shape) for unit in largest], title="First-layer weights of single units")


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
    H, W = np.shape(next(iter(pictures.values())))[:2]
    axes = axes_in_rows(len(pictures), 11 / columns * H / W + 0.3, columns)
    for ax in axes:
        bare(ax)
    for ax, (title, picture) in zip(axes, pictures.items()):
        picture = np.asarray(picture, dtype=np.float64)
        H, W = picture.shape[:2]
        unknown = np.isnan(picture).reshape(H, W, -1).any(axis=2)
        if unknown.any():
            ax.add_patch(plt.Rectangle((-0.5, -0.5), W, H, facecolor="white", edgecolor="0.5", hatch="////"))
        shown = np.nan_to_num(picture, nan=255).clip(0, 255) / 255
        ax.imshow(shown, cmap="gray", vmin=0, vmax=1, alpha=np.where(unknown, 0.0, 1.0), zorder=2)
        if frame:
            box = (frame - 0.5, frame - 0.5), W - 2 * frame, H - 2 * frame
            ax.add_patch(plt.Rectangle(*box, fill=False, edgecolor="black", zorder=3))
            ax.add_patch(plt.Rectangle(*box, fill=False, edgecolor="white", linestyle=(0, (3, 3)), zorder=4))
        ax.set_title(title, fontsize=10)


def _square_grid(Xs, padding):
    """Images (N, H, W, C) row by row, as many in a row as in a column; each has zeros to its right and below it."""
    N, H, W, C = Xs.shape
    side = int(np.ceil(np.sqrt(N)))
    rows = np.zeros((side, side, H, W, C))
    rows.reshape(-1, H, W, C)[:N] = Xs
    return _grid(rows, padding)


def _grid(rows, padding):
    """Rows of images (R, N, H, W, C), one below the other; each image has zeros to its right and below it."""
    R, N, H, W, C = rows.shape
    cells = np.zeros((R, N, H + padding, W + padding, C))
    cells[:, :, :H, :W] = rows
    return cells.swapaxes(1, 2).reshape(R * (H + padding), N * (W + padding), C)


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
    grid = _square_grid(_stretched(np.asarray(Xs, dtype=np.float64), axis=(1, 2, 3), largest=ubound), padding)
    return grid[: len(grid) - padding, : grid.shape[1] - padding]


def vis_grid(Xs):
    """Images as one large image, in a square grid, all stretched alike; a black line ends each row and column.

    Parameters
    ----------
    Xs : array (N, H, W, C)

    Returns
    -------
    array ((H + 1) · ⌈√N⌉, (W + 1) · ⌈√N⌉, C)
        Values from 0 to 1.
    """
    return _square_grid(_stretched(np.asarray(Xs, dtype=np.float64)), padding=1)


def vis_nn(rows):
    """Rows of images as one large image, all stretched alike; a black line ends each row and column.

    Parameters
    ----------
    rows : array (R, N, H, W, C), or R lists of N images

    Returns
    -------
    array (R · (H + 1), N · (W + 1), C)
        Values from 0 to 1.
    """
    return _grid(_stretched(np.asarray(rows, dtype=np.float64)), padding=1)
