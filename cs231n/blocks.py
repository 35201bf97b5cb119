"""Elementwise work on large arrays, a cache-sized block at a time.

NumPy evaluates ``w -= rate * m / (np.sqrt(v) + eps)`` one operation at a time, each over the whole array. For a large
array every one of those passes goes through main memory, and every intermediate result is allocated, page-faulted and
thrown away. Cut into blocks that stay in the L2 cache, the same expression allocates little and runs faster; threads
share out the blocks of a large array. The result has the same bits, since no element depends on another.
"""

import numpy as np

from .threads import share_out

__all__ = ["in_blocks"]

BLOCK_BYTES = 192 * 1024  # of one array; half a dozen such arrays and intermediates fit in 1 MB of L2
FEW_BLOCKS = 8  # that are not worth the handing over


def in_blocks(update, *arrays):
    """Call ``update(*blocks)`` for successive blocks of arrays of equal size.

    Parameters
    ----------
    update : callable
        Works elementwise and in place on one-dimensional views, in several threads; its return value is not used.
    *arrays : C-contiguous arrays of one size
        Cut in step with each other, in memory order.

    Raises
    ------
    ValueError, TypeError
        If update cannot be called, or the arrays are none, or not of one size and C-contiguous.
    """
    if not callable(update):
        raise TypeError(f"update must be callable, got {update!r}")
    if not arrays or not all(isinstance(a, np.ndarray) and a.flags.c_contiguous for a in arrays):
        raise TypeError(f"arrays must be C-contiguous NumPy arrays, at least one, got {arrays!r}")
    if len({a.size for a in arrays}) > 1:
        raise ValueError(f"arrays must be of one size, got shapes {', '.join(str(a.shape) for a in arrays)}")
    flat = [a.reshape(-1) for a in arrays]
    block = BLOCK_BYTES // flat[0].itemsize
    num_blocks = -(-flat[0].size // block)

    def work(part):
        for i in range(part.start * block, part.stop * block, block):
            update(*[a[i : i + block] for a in flat])

    if num_blocks < FEW_BLOCKS:
        work(slice(0, num_blocks))
    else:
        share_out(work, num_blocks)
