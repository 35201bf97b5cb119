"""The fast layers beside the naive ones: the same results, at any size, in any number of threads, in little memory."""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import numpy as np
import pytest
from arrays import layouts, seeds
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from threadpoolctl import threadpool_limits

from cs231n import fast_layers
from cs231n.compute import threads
from cs231n.fast_layers import *
from cs231n.layers import *

CONVOLUTIONS = [
    # N, C, H, W, F, HH, WW, stride, pad
    (5, 3, 8, 8, 4, 7, 7, 1, 3),
    (4, 3, 7, 9, 5, 3, 3, 2, 1),
    (3, 2, 6, 10, 3, 2, 4, 2, 0),
    (3, 2, 9, 5, 3, 1, 1, 4, 0),
    (2, 1, 4, 4, 2, 6, 6, 1, 2),
    (1, 2, 5, 7, 1, 3, 1, 1, 0),
]
POOLS = [
    # N, C, H, W, pool_height, pool_width, stride
    (5, 3, 8, 8, 2, 2, 2),
    (4, 2, 7, 9, 3, 3, 2),
    (3, 2, 6, 7, 4, 3, 1),
    (2, 3, 7, 10, 1, 1, 3),
    (1, 1, 5, 6, 5, 6, 1),
]
POOL_KINDS = {
    "max": (max_pool_forward_naive, max_pool_backward_naive, max_pool_forward_fast, max_pool_backward_fast),
    "avg": (avg_pool_forward_naive, avg_pool_backward_naive, avg_pool_forward_fast, avg_pool_backward_fast),
}


@pytest.fixture(params=[1, 2, 3])
def num_threads(request, monkeypatch):
    """As if BLAS had so many threads, whatever this machine and its settings say."""

    class Libraries:
        def info(self):
            return [{"num_threads": request.param}]

        def limit(self, limits):
            return nullcontext()

    monkeypatch.setattr(threads, "_blas", Libraries)
    with threadpool_limits(1, user_api="blas"):
        yield request.param


def convolution_arguments(shape, dtype=np.float64, layout=np.copy, seed=0):
    N, C, H, W, F, HH, WW, stride, pad = shape
    rng = np.random.default_rng(seed)
    H_out, W_out = (H + 2 * pad - HH) // stride + 1, (W + 2 * pad - WW) // stride + 1
    shapes = (N, C, H, W), (F, C, HH, WW), (F,), (N, F, H_out, W_out)
    x, w, b, dout = (layout(rng.standard_normal(shape).astype(dtype)) for shape in shapes)
    return x, w, b, {"stride": stride, "pad": pad}, dout


def pool_arguments(shape, dtype=np.float64, layout=np.copy, seed=0):
    N, C, H, W, HH, WW, stride = shape
    rng = np.random.default_rng(seed)
    x = rng.integers(-3, 4, (N, C, H, W)).astype(dtype)
    dout = rng.standard_normal((N, C, (H - HH) // stride + 1, (W - WW) // stride + 1)).astype(dtype)
    return layout(x), {"pool_height": HH, "pool_width": WW, "stride": stride}, layout(dout)


def convolve(forward, backward, x, w, b, conv_param, dout):
    out, cache = forward(x, w, b, conv_param)
    return [out, *backward(dout, cache)]


def pool(forward, backward, x, pool_param, dout):
    out, cache = forward(x, pool_param)
    return [out, backward(dout, cache)]


def assert_equal_results(fast, naive, dtype, precision=None):
    eps = np.finfo(precision or dtype).eps
    for ours, expected in zip(fast, naive, strict=True):
        assert ours.dtype == expected.dtype == dtype
        assert ours.shape == expected.shape
        assert_allclose(ours, expected, rtol=0, atol=100 * eps * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("dtype", [np.float32, np.longdouble])
@pytest.mark.parametrize("shape", CONVOLUTIONS)
def test_a_fast_convolution_equals_the_naive_one(shape, dtype, num_threads):
    arguments = convolution_arguments(shape, dtype)
    naive = convolve(conv_forward_naive, conv_backward_naive, *arguments)
    fast = convolve(conv_forward_fast, conv_backward_fast, *arguments)
    assert_equal_results(fast, naive, dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.longdouble])
@pytest.mark.parametrize("shape", POOLS)
@pytest.mark.parametrize("kind", sorted(POOL_KINDS))
def test_a_fast_pool_equals_the_naive_one(kind, shape, dtype, num_threads):
    arguments = pool_arguments(shape, dtype)
    naive_forward, naive_backward, fast_forward, fast_backward = POOL_KINDS[kind]
    fast = pool(fast_forward, fast_backward, *arguments)
    assert_equal_results(fast, pool(naive_forward, naive_backward, *arguments), dtype)


@settings(max_examples=30)
@given(seed=seeds, layout=layouts, shape=st.sampled_from(CONVOLUTIONS), chunk_bytes=st.sampled_from([1, 1000, 5000]))
def test_a_convolution_in_small_chunks_equals_the_naive_one(seed, layout, shape, chunk_bytes):
    arguments = convolution_arguments(shape, layout=layout, seed=seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast_layers, "CHUNK_BYTES", chunk_bytes)
        fast = convolve(conv_forward_fast, conv_backward_fast, *arguments)
    assert_equal_results(fast, convolve(conv_forward_naive, conv_backward_naive, *arguments), np.float64)


@settings(max_examples=30)
@given(seed=seeds, layout=layouts, shape=st.sampled_from(POOLS), kind=st.sampled_from(sorted(POOL_KINDS)))
def test_a_pool_in_small_chunks_equals_the_naive_one(seed, layout, shape, kind):
    arguments = pool_arguments(shape, layout=layout, seed=seed)
    naive_forward, naive_backward, fast_forward, fast_backward = POOL_KINDS[kind]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast_layers, "CHUNK_BYTES", 1)
        fast = pool(fast_forward, fast_backward, *arguments)
    assert_equal_results(fast, pool(naive_forward, naive_backward, *arguments), np.float64)


def test_the_passes_of_naive_and_fast_layers_understand_each_other():
    arguments = convolution_arguments(CONVOLUTIONS[1])
    expected = convolve(conv_forward_naive, conv_backward_naive, *arguments)
    assert_equal_results(convolve(conv_forward_naive, conv_backward_fast, *arguments), expected, np.float64)
    assert_equal_results(convolve(conv_forward_fast, conv_backward_naive, *arguments), expected, np.float64)
    arguments = pool_arguments(POOLS[1])
    for naive_forward, naive_backward, fast_forward, fast_backward in POOL_KINDS.values():
        expected = pool(naive_forward, naive_backward, *arguments)
        assert_equal_results(pool(naive_forward, fast_backward, *arguments), expected, np.float64)
        assert_equal_results(pool(fast_forward, naive_backward, *arguments), expected, np.float64)


def test_mixed_dtypes_are_promoted_as_in_the_naive_layer():
    x, w, b, conv_param, dout = convolution_arguments(CONVOLUTIONS[1])
    arguments = x.astype(np.float32), w, b.astype(np.float16), conv_param, dout.astype(np.float32)
    naive = convolve(conv_forward_naive, conv_backward_naive, *arguments)
    fast = convolve(conv_forward_fast, conv_backward_fast, *arguments)
    assert_equal_results(fast, naive, np.float64, precision=np.float32)


@pytest.mark.parametrize("chunk_bytes", [2000, fast_layers.CHUNK_BYTES])
def test_results_have_the_same_bits_every_time(num_threads, chunk_bytes, monkeypatch):
    monkeypatch.setattr(fast_layers, "CHUNK_BYTES", chunk_bytes)
    arguments = convolution_arguments((9, 3, 16, 16, 8, 3, 3, 1, 1), np.float32)
    first, second = (convolve(conv_forward_fast, conv_backward_fast, *arguments) for _ in range(2))
    for array, again in zip(first, second, strict=True):
        assert_array_equal(again, array)


@pytest.mark.parametrize("kind", sorted(POOL_KINDS))
def test_results_are_arrays_of_their_own_that_a_step_may_overwrite(kind):
    x, w, b, conv_param, dout = arguments = convolution_arguments((2, 3, 4, 4, 3, 1, 1, 1, 0))
    results = convolve(conv_forward_fast, conv_backward_fast, *arguments)
    pool_param = {"pool_height": 1, "pool_width": 1, "stride": 1}
    results += pool(*POOL_KINDS[kind][:2], x, pool_param, dout) + pool(*POOL_KINDS[kind][2:], x, pool_param, dout)
    for result in results:
        assert result.flags.c_contiguous and result.flags.writeable
        assert not any(np.shares_memory(result, given) for given in (x, w, b, dout))


def memory_beside_results(function, *arguments):
    """The bytes that a call holds at its peak and returns no more."""
    tracemalloc.start()
    try:
        results = function(*arguments)
        _, peak = tracemalloc.get_traced_memory()
        return peak - sum(array.nbytes for array in results if isinstance(array, np.ndarray))
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("num_threads", [3], indirect=True)  # which need more than the two of the benchmark
def test_a_convolution_needs_little_memory_beside_its_results(num_threads):
    x, w, b, conv_param, dout = convolution_arguments((128, 64, 16, 16, 128, 3, 3, 1, 1), np.float32)
    assert memory_beside_results(conv_forward_fast, x, w, b, conv_param) < 64e6
    assert memory_beside_results(conv_backward_fast, dout, (x, w, b, conv_param)) < 64e6


@pytest.mark.parametrize("num_threads", [1], indirect=True)
@pytest.mark.parametrize("n", [2, 8])
def test_as_many_images_are_taken_at_a_time_as_fill_a_chunk(n, num_threads, monkeypatch):
    x, w, b, conv_param, _ = convolution_arguments((40, 3, 32, 32, 1, 3, 3, 1, 1))
    column_bytes = 34 * 3 * 3 * 32 * 8  # of an image: 34 padded rows, 3 channels, 3 offsets, 32 positions
    monkeypatch.setattr(fast_layers, "CHUNK_BYTES", n * column_bytes)
    assert n < memory_beside_results(conv_forward_fast, x, w, b, conv_param) / column_bytes < 1.4 * n
    monkeypatch.setattr(fast_layers, "CHUNK_BYTES", n * x[0].nbytes)
    for _, _, forward, _ in POOL_KINDS.values():
        pool_param = {"pool_height": 2, "pool_width": 2, "stride": 2}
        assert n < memory_beside_results(forward, x, pool_param) / x[0].nbytes < 1.4 * n


def test_a_caller_who_turns_warnings_into_errors_gets_them_from_every_thread(num_threads):
    x, w, b, conv_param, _ = convolution_arguments((6, 2, 5, 5, 3, 3, 3, 1, 1), np.float32)
    x[-1] = np.finfo(np.float32).max
    w[:] = 2
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        conv_forward_fast(x, w, b, conv_param)
    with np.errstate(over="ignore"):
        out, _ = conv_forward_fast(x, w, b, conv_param)
    assert np.isinf(out[-1]).all()
    assert np.isfinite(out[:-1]).all()


def test_layers_may_be_called_from_several_threads_at_once():
    arguments = convolution_arguments((8, 3, 12, 12, 4, 3, 3, 1, 1))
    expected = convolve(conv_forward_fast, conv_backward_fast, *arguments)
    with ThreadPoolExecutor(4) as callers:
        calls = [callers.submit(convolve, conv_forward_fast, conv_backward_fast, *arguments) for _ in range(20)]
    for call in calls:
        assert_equal_results(call.result(), expected, np.float64)
