"""Work shared out among threads: all of it once, errors and settings of the caller, and BLAS as it was afterwards."""

import contextlib
import os
import threading
import warnings

import numpy as np
import pytest
import torch  # noqa: F401  (has libraries with threads of its own)
from threadpoolctl import ThreadpoolController, threadpool_limits

from cs231n.compute import threads
from cs231n.compute.threads import matmul, one_blas_thread, share_out


@pytest.fixture
def two_threads():
    with threadpool_limits(2, user_api="blas"):
        if blas_threads() != 2:
            pytest.skip("this BLAS has a single thread")
        yield


def blas_threads():
    return max(library["num_threads"] for library in ThreadpoolController().info() if library["user_api"] == "blas")


@pytest.mark.parametrize("num_images", [0, 1, 2, 3, 7, 100])
@pytest.mark.parametrize("num_threads", [1, 2])
def test_every_image_is_worked_on_once_and_in_order(num_images, num_threads):
    with threadpool_limits(num_threads, user_api="blas"):
        parts = share_out(lambda images: list(range(num_images))[images], num_images)
    assert sum(parts, []) == list(range(num_images))
    assert len(parts) <= max(1, num_threads)


def test_the_batch_is_shared_out_evenly(two_threads):
    assert share_out(lambda images: images, 7) == [slice(0, 3), slice(3, 7)]


def test_the_parts_are_worked_on_at_the_same_time(two_threads):
    meeting = threading.Barrier(2, timeout=10)
    share_out(lambda images: meeting.wait(), 2)


@pytest.mark.parametrize("failing", [0, 1])
@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_an_error_in_any_part_is_raised_when_all_work_has_ended(two_threads, failing, error):
    ended = []

    def work(images):
        if images.start == failing:
            raise error("in a part")
        threading.Event().wait(0.05)
        ended.append((images.start, blas_threads()))

    with pytest.raises(error, match="in a part"):
        share_out(work, 2)
    assert ended == [(1 - failing, 1)]
    assert blas_threads() == 2


def test_every_part_runs_under_the_callers_error_settings(two_threads):
    seen = []
    with np.errstate(divide="call", call=lambda kind, flag: seen.append(kind)):
        parts = share_out(lambda images: (np.float64(1) / np.zeros(1), np.geterr()["divide"])[1], 2)
    assert parts == ["call", "call"]
    assert seen == ["divide by zero", "divide by zero"]


def test_a_call_that_comes_while_another_is_at_work_makes_do_with_one_thread(two_threads):
    seen = []

    def outer(images):
        if images.start == 0:
            other = threading.Thread(target=lambda: seen.append(share_out(lambda images: images, 4)))
            other.start()
            other.join()
            seen.append(share_out(lambda images: images, 4))
            seen.append(blas_threads())

    share_out(outer, 2)
    assert seen == [[slice(0, 4)], [slice(0, 4)], 1]
    assert blas_threads() == 2
    assert len(share_out(lambda images: images, 4)) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_has_threads_of_its_own(two_threads):
    share_out(lambda part: part, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 and newer, of any fork with threads
        pid = os.fork()
    if pid == 0:
        os._exit(share_out(lambda part: part.start, 2) != [0, 1])
    assert os.waitpid(pid, 0)[1] == 0


def test_without_a_known_blas_there_is_one_thread(monkeypatch):
    monkeypatch.setattr(threads, "_blas", lambda: ThreadpoolController().select(user_api="none"))
    assert share_out(lambda images: images, 5) == [slice(0, 5)]
    with one_blas_thread() as num_threads:
        assert num_threads == 1


def test_of_several_blas_libraries_the_one_with_most_threads_counts(monkeypatch):
    class Libraries:
        def info(self):
            return [{"num_threads": 2}, {"num_threads": 3}, {"num_threads": 1}]

        def limit(self, limits):
            return contextlib.nullcontext()

    monkeypatch.setattr(threads, "_blas", Libraries)
    with one_blas_thread() as num_threads:
        assert num_threads == 3


def test_only_blas_is_held(two_threads):
    """PyTorch has OpenMP with it, which is not ours to limit."""
    with threadpool_limits(2, user_api="openmp"), one_blas_thread():
        libraries = ThreadpoolController().info()
    assert {library["num_threads"] for library in libraries if library["user_api"] == "openmp"} == {2}


def test_blas_can_be_held_for_longer_than_one_call(two_threads):
    with one_blas_thread() as num_threads:
        assert num_threads == 2
        assert share_out(lambda images: images, 4) == [slice(0, 2), slice(2, 4)]
        assert blas_threads() == 1
        with one_blas_thread() as again:
            assert again == 2
        assert blas_threads() == 1
    assert blas_threads() == 2


def test_while_one_thread_holds_blas_another_makes_do_with_one_thread(two_threads):
    seen = []

    def work():
        seen.append(share_out(lambda images: images, 4))
        with one_blas_thread() as num_threads:
            seen.append(num_threads)

    with one_blas_thread():
        other = threading.Thread(target=work)
        other.start()
        other.join()
    assert seen == [[slice(0, 4)], 1]
    assert blas_threads() == 2


@pytest.mark.parametrize(("M", "K", "N"), [(2, 3, 4), (300, 200, 40), (40, 200, 300), (0, 3, 4), (3, 0, 4)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_product_shared_out_among_threads_is_the_product(two_threads, monkeypatch, M, K, N, dtype):
    monkeypatch.setattr(threads, "SMALL_PRODUCT", 24)
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((M, K)).astype(dtype), rng.standard_normal((N, K)).astype(dtype).T
    expected = a @ b
    with one_blas_thread():
        shared = matmul(a, b)
    assert shared.dtype == dtype
    rounding = K * np.finfo(dtype).eps * np.abs(expected).max(initial=0)
    np.testing.assert_allclose(shared, expected, rtol=0, atol=rounding)
    np.testing.assert_array_equal(matmul(a, b), expected)


def test_large_products_are_shared_out_along_the_longer_side_where_blas_is_held(two_threads, monkeypatch):
    shared = []
    monkeypatch.setattr(threads, "SMALL_PRODUCT", 2 * 3 * 4)
    monkeypatch.setattr(threads, "share_out", lambda work, count: shared.append(count) or share_out(work, count))
    wide, narrow, tall = np.ones((2, 3)), np.ones((3, 4), np.float32), np.ones((5, 3))
    matmul(wide, narrow)
    assert shared == []
    with one_blas_thread():
        assert matmul(wide, narrow).dtype == np.float64
        matmul(tall, narrow)
        matmul(wide, narrow[:, :3])
        np.testing.assert_array_equal(matmul(tall, np.ones((3, 5))), np.full((5, 5), 3))
        other = threading.Thread(target=matmul, args=(wide, narrow))
        other.start()
        other.join()
        matmul(np.ones((4, 2)), np.ones((2, 8)))
    # By columns, by rows, not at all, by rows, not in a thread that does not hold BLAS, and by columns.
    assert shared == [4, 5, 5, 8]
