"""Bad input to the layers and what they are made of: the right result, or an error that names the argument."""

from operator import itemgetter

import pytest
from bad_input import FLAG, Array, Row
from hypothesis import given
from hypothesis import strategies as st

from cs231n import layers


def affine_call(rng):
    N, D, M = rng.integers(1, 4, 3)
    shape = (N, D) if rng.random() < 0.5 else (N, D, 2)
    return {"x": rng.standard_normal(shape), "w": rng.standard_normal((D * (len(shape) - 1), M)),
            "b": rng.standard_normal(M)}


def affine(x, w, b):
    return x.reshape(len(x), len(w)) @ w + b


def backward_call(forward, forward_call):
    """Makes good calls of a backward pass."""

    def call(rng):
        out, cache = forward(**forward_call(rng))
        return {"dout": rng.standard_normal(out.shape), "cache": cache}

    return call


def affine_gradients(dout, cache, need_dx=True):
    x, w, _ = cache
    return (dout @ w.T).reshape(x.shape) if need_dx else None, x.reshape(len(x), len(w)).T @ dout, dout.sum(axis=0)


AFFINE = [
    Row(layers.affine_forward, affine_call, {"x": Array(fixed=False), "w": Array(), "b": Array()},
        oracle=affine, result=itemgetter(0)),
    Row(layers.affine_backward, backward_call(layers.affine_forward, affine_call), {"dout": Array(), "need_dx": FLAG},
        oracle=affine_gradients),
]

ROWS = [*AFFINE]


@pytest.mark.parametrize("row", ROWS, ids=str)
@given(data=st.data())
def test_every_call_gives_the_right_result_or_names_the_argument(row, data):
    row.check(data)
