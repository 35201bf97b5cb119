"""Work on large arrays, cut into blocks and shared among threads."""

import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from cs231n import blocks
from cs231n.blocks import in_blocks

BLOCK = blocks.BLOCK_BYTES // 8
PARALLEL = blocks.PARALLEL_BYTES // 8


@pytest.mark.parametrize(
    "size",
    [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, PARALLEL - 1, PARALLEL, PARALLEL + 1, PARALLEL + BLOCK + 1],
)
def test_every_element_is_visited_exactly_once(size):
    visits, order = np.zeros(size), np.arange(size, dtype=float)
    sizes = []

    def visit(visits, order):
        sizes.append(visits.size)
        visits += 1 + order

    in_blocks(visit, visits, order)
    assert_array_equal(visits, 1 + np.arange(size))
    assert all(0 < block <= BLOCK for block in sizes)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_number_of_threads_makes_no_difference(monkeypatch, threads):
    pool, _ = blocks._pool()
    monkeypatch.setattr(blocks, "_pool", lambda: (pool, threads))
    for size in (PARALLEL, PARALLEL + 1, PARALLEL + 5 * BLOCK - 1):
        visits = np.zeros(size)
        in_blocks(lambda part: np.add(part, 1, out=part), visits)
        assert_array_equal(visits, np.ones(size))


def test_small_arrays_are_worked_on_in_the_callers_thread():
    threads = set()
    in_blocks(lambda part: threads.add(threading.current_thread()), np.zeros(BLOCK + 1))
    assert threads == {threading.current_thread()}


def test_arrays_of_several_types_and_dimensions_are_cut_in_step():
    total = np.zeros((7, BLOCK // 3))
    singles = np.arange(total.size, dtype=np.float32).reshape(total.shape)
    in_blocks(lambda a, b: np.add(a, b, out=a), total, singles)
    assert_array_equal(total, singles)


@pytest.mark.parametrize("size", [1, BLOCK + 1, PARALLEL + 1])
@pytest.mark.parametrize("where", [0, -1])
def test_an_exception_in_a_block_reaches_the_caller(size, where):
    flags = np.zeros(size)
    flags[where] = 1

    def refuse(part):
        if part.any():
            raise ArithmeticError("refused")

    with pytest.raises(ArithmeticError, match="refused"):
        in_blocks(refuse, flags)


@pytest.mark.parametrize("size", [1, PARALLEL + 1])
def test_the_callers_error_state_holds_in_every_block(size):
    large = np.full(size, 1e300)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with np.errstate(over="ignore"):
            in_blocks(lambda part: part**2, large)
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        in_blocks(lambda part: part**2, large)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_a_forked_process_has_threads_of_its_own():
    script = (
        "import os, numpy as np\n"
        "from cs231n.blocks import PARALLEL_BYTES, in_blocks\n"
        "def double(): a = np.ones(PARALLEL_BYTES); in_blocks(lambda part: np.add(part, part, out=part), a); return a\n"
        "double()\n"
        "child = os.fork()\n"
        "if child == 0: os._exit(0 if (double() == 2).all() else 1)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    # A process group of its own, so that a child that hangs is ended too.
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=Path(__file__).parents[1],
    )
    try:
        output, _ = process.communicate(timeout=10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.communicate()
        pytest.fail("in_blocks hangs in a forked process")
    assert output == "0\n"
