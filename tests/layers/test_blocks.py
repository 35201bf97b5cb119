"""Work on large arrays, cut into blocks."""

import threading

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from threadpoolctl import threadpool_info, threadpool_limits

from cs231n.compute import blocks
from cs231n.compute.blocks import in_blocks

BLOCK = blocks.BLOCK_BYTES // 8


@pytest.mark.parametrize("num_threads", [1, 2])
@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 20 * BLOCK + 1])
def test_every_element_is_visited_exactly_once(size, num_threads):
    visits, order = np.zeros(size), np.arange(size, dtype=float)
    sizes = []

    def visit(visits, order):
        sizes.append(visits.size)
        visits += 1 + order

    with threadpool_limits(num_threads, user_api="blas"):
        in_blocks(visit, visits, order)
    assert_array_equal(visits, 1 + np.arange(size))
    assert all(0 < block <= BLOCK for block in sizes)


def test_threads_share_out_the_blocks_of_a_large_array_under_the_callers_error_settings():
    workers = set()

    def divide(part):
        workers.add(threading.get_ident())
        part /= 0

    with threadpool_limits(2, user_api="blas"), np.errstate(divide="ignore", invalid="ignore"):
        in_blocks(divide, np.ones(3 * BLOCK))
        assert workers == {threading.get_ident()}
        many = np.ones(20 * BLOCK)
        in_blocks(divide, many)
        blas = max(library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas")
        assert len(workers) == blas
    assert np.isinf(many).all()


def test_arrays_of_several_types_and_dimensions_are_cut_in_step():
    total = np.zeros((7, BLOCK // 3))
    singles = np.arange(total.size, dtype=np.float32).reshape(total.shape)
    in_blocks(lambda a, b: np.add(a, b, out=a), total, singles)
    assert_array_equal(total, singles)


@pytest.mark.parametrize("size", [1, BLOCK + 1])
@pytest.mark.parametrize("where", [0, -1])
def test_an_exception_in_a_block_reaches_the_caller(size, where):
    flags = np.zeros(size)
    flags[where] = 1

    def refuse(part):
        if part.any():
            raise ArithmeticError("refused")

    with pytest.raises(ArithmeticError, match="refused"):
        in_blocks(refuse, flags)
