"""Python threads that share out work: the images of a batch, a matrix product, the blocks of a large array.

NumPy releases Python's global interpreter lock while it computes, so such threads use all cores for every kind of
work; the BLAS library's own threads speed up matrix products alone. Meanwhile that library is held to one thread, since
two thread pools would only take each other's cores.

OpenBLAS's threads occupy the cores even when idle: for some 26 milliseconds after a product they busy-wait for the
next one. A network's loss alternates between matrix products and other work, so all of it runs within
:func:`one_blas_thread`.
"""

import os
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController

__all__ = ["one_blas_thread", "share_out", "matmul"]

SMALL_PRODUCT = 4_000_000  # multiplications: a product with fewer is not worth sharing out


def share_out(work, count):
    """Split ``range(count)`` into parts and call ``work(part)`` on each, in as many threads as BLAS has.

    The parts depend on ``count`` and the number of threads alone. ``work`` runs under the caller's ``np.errstate``. An
    exception in a thread is raised here, once every thread has finished. A call made while another is at work, from
    within it or from another thread, uses one thread.

    Parameters
    ----------
    work : callable
        Takes a slice of ``range(count)``.
    count : int

    Returns
    -------
    list
        What ``work`` returned, in the order of the parts.
    """
    settings = {**np.geterr(), "call": np.geterrcall()}

    def work_as_the_caller(part):
        with np.errstate(**settings):
            return work(part)

    with _alone() as alone, one_blas_thread() as num_threads:
        num_parts = max(1, min(num_threads, count)) if alone else 1
        bounds = [count * i // num_parts for i in range(num_parts + 1)]
        own, *others = [slice(start, stop) for start, stop in zip(bounds[:-1], bounds[1:])]
        futures = [_pool().submit(work_as_the_caller, part) for part in others]
        try:
            result = work(own)
        finally:
            wait(futures)
        return [result, *(future.result() for future in futures)]


def matmul(a, b):
    """The matrix product ``a @ b``; within :func:`one_blas_thread`, threads share out a large one.

    Parameters
    ----------
    a : array (M, K)
    b : array (K, N)
    """
    if _holder.thread != threading.get_ident() or a.size * b.shape[1] < SMALL_PRODUCT:
        return a @ b
    out = np.empty((len(a), b.shape[1]), np.result_type(a, b))
    if len(a) >= b.shape[1]:
        share_out(lambda rows: np.matmul(a[rows], b, out=out[rows]), len(a))
    else:
        share_out(lambda columns: np.matmul(a, b[:, columns], out=out[:, columns]), b.shape[1])
    return out


def one_blas_thread():
    """Hold BLAS to one thread.

    Returns
    -------
    context manager
        Of the number of threads BLAS had, or 1 where another thread holds it already.
    """
    return _one_blas_thread()


@contextmanager
def _one_blas_thread():
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
    """Yields whether no other call of :func:`share_out` is at work."""
    alone = _at_work.acquire(blocking=False)
    try:
        yield alone
    finally:
        if alone:
            _at_work.release()


@cache
def _blas():
    return ThreadpoolController().select(user_api="blas")


@cache
def _pool():
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="cs231n")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # threads do not survive a fork
