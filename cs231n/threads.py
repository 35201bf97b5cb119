"""Threads over the images of a batch.

NumPy lets go of Python's global lock while it computes, so that threads of Python share out a batch among the cores:
the copies as well as the matrix products, which alone could use the threads of the BLAS library. Meanwhile that
library is held to one thread, since two thread pools would only take each other's cores.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController

__all__ = ["over_images"]


def over_images(work, num_images):
    """Call ``work(images)`` for parts of a batch, in as many threads as BLAS has, and give the list of its results.

    The parts depend on the numbers of images and threads alone. Work is done under the caller's ``np.errstate``; an
    exception in a thread is raised here, when no thread is at work any more. A call that comes while another is at
    work, from within it or from another thread, makes do with one thread.

    Parameters
    ----------
    work : callable
        Takes a slice of the batch.
    num_images : int

    Returns
    -------
    list
        What ``work`` gave, in the order of the parts.
    """
    settings = {**np.geterr(), "call": np.geterrcall()}

    def work_as_the_caller(images):
        with np.errstate(**settings):
            return work(images)

    with _blas_held_to_one_thread() as num_threads:
        parts = max(1, min(num_threads, num_images))
        bounds = [num_images * i // parts for i in range(parts + 1)]
        slices = [slice(start, stop) for start, stop in zip(bounds[:-1], bounds[1:])]
        if parts == 1:
            return [work(slices[0])]
        with ThreadPoolExecutor(parts - 1) as pool:
            others = [pool.submit(work_as_the_caller, images) for images in slices[1:]]
            return [work(slices[0]), *(other.result() for other in others)]


_at_work = threading.Lock()


@cache
def _blas():
    return ThreadpoolController().select(user_api="blas")


@contextmanager
def _blas_held_to_one_thread():
    """Gives the number of threads that BLAS had; or 1, when another call has taken them already."""
    if not _at_work.acquire(blocking=False):
        yield 1
        return
    try:
        num_threads = max((library["num_threads"] for library in _blas().info()), default=1)
        with _blas().limit(limits=1):
            yield num_threads
    finally:
        _at_work.release()
