"""Threads over the images of a batch.

NumPy lets go of Python's global lock while it computes, so that threads of Python share out a batch among the cores:
the copies as well as the matrix products, which alone could use the threads of the BLAS library. Meanwhile that
library is held to one thread, since two thread pools would only take each other's cores.

OpenBLAS's threads do so even after their work: for some 26 milliseconds after a product they wait for the next one in
a loop. Code that alternates between large matrix products and work over images therefore does both within
:func:`one_blas_thread`.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController

__all__ = ["one_blas_thread", "over_images", "product"]

SMALL_PRODUCT = 1_000_000  # multiplications that take less time than starting a thread


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

    with _alone() as alone, one_blas_thread() as num_threads:
        parts = max(1, min(num_threads, num_images)) if alone else 1
        bounds = [num_images * i // parts for i in range(parts + 1)]
        slices = [slice(start, stop) for start, stop in zip(bounds[:-1], bounds[1:])]
        if parts == 1:
            return [work(slices[0])]
        with ThreadPoolExecutor(parts - 1) as pool:
            others = [pool.submit(work_as_the_caller, images) for images in slices[1:]]
            return [work(slices[0]), *(other.result() for other in others)]


def product(a, b):
    """The matrix product ``a @ b``; within :func:`one_blas_thread`, threads share out a large one.

    Parameters
    ----------
    a : array (M, K)
    b : array (K, N)

    Returns
    -------
    array (M, N)
    """
    if _holder.thread != threading.get_ident() or a.size * b.shape[1] < SMALL_PRODUCT:
        return a @ b
    out = np.empty((len(a), b.shape[1]), np.result_type(a, b))
    if len(a) >= b.shape[1]:
        over_images(lambda rows: np.matmul(a[rows], b, out=out[rows]), len(a))
    else:
        over_images(lambda columns: np.matmul(a, b[:, columns], out=out[:, columns]), b.shape[1])
    return out


@contextmanager
def one_blas_thread():
    """Hold BLAS to one thread; gives the number of threads it had, or 1 where another thread holds it already."""
    if _holder.thread == threading.get_ident():
        yield _holder.num_threads
    elif _holder.lock.acquire(blocking=False):
        try:
            _holder.num_threads = max((library["num_threads"] for library in _blas().info()), default=1)
            _holder.thread = threading.get_ident()
            with _blas().limit(limits=1):
                yield _holder.num_threads
        finally:
            _holder.thread = None
            _holder.lock.release()
    else:
        yield 1


class _Holder:
    """Which thread holds BLAS, and the number of threads BLAS had."""

    lock = threading.Lock()
    thread = None
    num_threads = 1


_holder = _Holder()
_at_work = threading.Lock()


@contextmanager
def _alone():
    """Gives whether no other call of :func:`over_images` is at work."""
    alone = _at_work.acquire(blocking=False)
    try:
        yield alone
    finally:
        if alone:
            _at_work.release()


@cache
def _blas():
    return ThreadpoolController().select(user_api="blas")
