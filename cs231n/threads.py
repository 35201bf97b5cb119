"""Threads of Python that share out work: the images of a batch, a matrix product, the blocks of a large array.

NumPy lets go of Python's global lock while it computes, so that such threads use all cores for every kind of work, of
which the threads of the BLAS library do the matrix products alone. Meanwhile that library is held to one thread,
since two thread pools would only take each other's cores.

OpenBLAS's threads do so even after their work: for some 26 milliseconds after a product they wait for the next one in
a loop. A network's loss, which alternates between matrix products and other work, therefore does all of it within
:func:`one_blas_thread`.
"""

import numbers
import os
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController

__all__ = ["one_blas_thread", "share_out", "product"]

SMALL_PRODUCT = 4_000_000  # multiplications that are not worth the handing over


def share_out(work, count):
    """Call ``work(part)`` for parts of ``count`` things, in as many threads as BLAS has, and list what it gives.

    The parts depend on the numbers of things and threads alone. Work is done under the caller's ``np.errstate``; an
    exception in a thread is raised here, when no thread is at work any more. A call that comes while another is at
    work, from within it or from another thread, makes do with one thread.

    Parameters
    ----------
    work : callable
        Takes a slice of ``range(count)``.
    count : int

    Returns
    -------
    list
        What ``work`` gave, in the order of the parts.
    """
    if not callable(work):
        raise TypeError(f"work must be callable, got {work!r}")
    if not isinstance(count, numbers.Integral) or count < 0:
        raise ValueError(f"count must be an integer of at least 0, got {count!r}")
    count = int(count)  # NumPy's small integers would overflow
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


def product(a, b):
    """The matrix product ``a @ b``; within :func:`one_blas_thread`, threads share out a large one.

    Parameters
    ----------
    a : array (M, K)
    b : array (K, N)

    Returns
    -------
    array (M, N)

    Raises
    ------
    ValueError, TypeError
        If they are no arrays of numbers, or the shapes do not agree.
    """
    a, b = _matrix("a", a), _matrix("b", b)
    if a.shape[1] != len(b):
        raise ValueError(f"a must have as many columns as b has rows, got {a.shape} and {b.shape}")
    if _holder.thread != threading.get_ident() or a.size * b.shape[1] < SMALL_PRODUCT:
        return a @ b
    out = np.empty((len(a), b.shape[1]), np.result_type(a, b))
    if len(a) >= b.shape[1]:
        share_out(lambda rows: np.matmul(a[rows], b, out=out[rows]), len(a))
    else:
        share_out(lambda columns: np.matmul(a, b[:, columns], out=out[:, columns]), b.shape[1])
    return out


def _matrix(name, value):
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} must be an array: {error}") from None
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be a matrix of real numbers, got {array.dtype} of shape {array.shape}")
    return array if array.dtype.kind == "f" else array.astype(np.float64)  # small integers would overflow


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
    """Gives whether no other call of :func:`share_out` is at work."""
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
