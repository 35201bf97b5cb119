"""Elementwise work on large arrays, a cache-sized block at a time.

NumPy evaluates ``w -= rate * m / (np.sqrt(v) + eps)`` one operation at a time, each over the whole array. For a large
array every one of those passes goes through main memory, and every intermediate result is allocated, page-faulted and
thrown away. Cut into blocks that stay in a core's cache, the same expression allocates little and runs faster; threads
share out the blocks of a large array. The result has the same bits, since no element depends on another.
"""

from .threads import share_out

__all__ = ["in_blocks"]

BLOCK_BYTES = 192 * 1024  # of one array
FEW_BLOCKS = 4  # fewer are not worth sharing out


def in_blocks(update, *arrays):
    """Call ``update(*blocks)`` for every block of arrays of equal size.

    Parameters
    ----------
    update : callable
        Works elementwise and in place on one-dimensional views. If there are many, several threads call it. Its
        return value is ignored.
    *arrays : C-contiguous arrays of one size
        Cut in step with each other, in memory order.
    """
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
