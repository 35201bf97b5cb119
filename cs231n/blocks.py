"""Elementwise work on large arrays, a cache-sized block at a time.

NumPy evaluates ``w -= rate * m / (np.sqrt(v) + eps)`` one operation at a time, each over the whole array. For a large
array every one of those passes goes through main memory, and every intermediate result is allocated, page-faulted and
thrown away. Cut into blocks that stay in the L2 cache, the same expression allocates little and runs faster; the
result has the same bits, since no element depends on another.
"""

__all__ = ["in_blocks"]

BLOCK_BYTES = 192 * 1024  # of one array; half a dozen such arrays and intermediates fit in 1 MB of L2


def in_blocks(update, *arrays):
    """Call ``update(*blocks)`` for successive blocks of arrays of equal size.

    Parameters
    ----------
    update : callable
        Works elementwise and in place on one-dimensional views; its return value is not used.
    *arrays : C-contiguous arrays of one size
        Cut in step with each other, in memory order.
    """
    flat = [a.reshape(-1) for a in arrays]
    size = flat[0].size
    block = max(1, BLOCK_BYTES // flat[0].itemsize)
    for i in range(0, size, block):
        update(*[a[i : i + block] for a in flat])
