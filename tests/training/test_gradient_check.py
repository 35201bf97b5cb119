"""Numerical gradients of functions whose gradients are known."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cs231n.gradient_check import (
    eval_numerical_gradient,
    eval_numerical_gradient_array,
    eval_numerical_gradient_blobs,
    eval_numerical_gradient_net,
    grad_check_sparse,
    rel_error,
)

CHECKS = {
    "number": lambda f, x: eval_numerical_gradient(lambda x: np.sum(f(x)), x, verbose=False),
    "array": lambda f, x: eval_numerical_gradient_array(f, x, 1.0),
}


@pytest.fixture(params=sorted(CHECKS))
def gradient_of(request):
    return CHECKS[request.param]


def point(*shape):
    return np.random.default_rng(0).standard_normal(shape)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 1, 3)])
def test_the_gradient_of_a_sum_of_cubes(gradient_of, shape):
    x = point(*shape)
    # The centred difference of a cube is off by h².
    before = x.copy()
    assert_allclose(gradient_of(lambda x: x**3, x), 3 * x**2, rtol=1e-8, atol=1e-8)
    assert_array_equal(x, before)


def test_the_error_falls_with_the_square_of_the_step():
    x = np.array([1.0])
    for h in (1e-1, 1e-2):
        assert_allclose(eval_numerical_gradient(lambda x: np.sum(x**3), x, verbose=False, h=h) - 3, h**2, rtol=1e-6)
        assert_allclose(eval_numerical_gradient_array(lambda x: x**3, x, 1.0, h=h) - 3, h**2, rtol=1e-6)


def test_a_function_may_write_into_one_buffer_again_and_again():
    buffer = np.empty(3)
    x = point(3)
    assert_allclose(eval_numerical_gradient_array(lambda x: np.square(x, out=buffer), x, 1.0), 2 * x, rtol=1e-8)


def test_an_array_is_contracted_with_the_upstream_gradient():
    x, A, df = point(3), point(4, 3), np.array([1.0, -2.0, 0.5, 3.0])
    assert_allclose(eval_numerical_gradient_array(lambda x: A @ x, x, df), df @ A, rtol=1e-9)


@pytest.mark.parametrize("good_calls", [0, 1, 2, 3])
def test_the_argument_is_restored_when_the_function_fails(gradient_of, good_calls):
    x = point(2, 3)
    before = x.copy()
    calls = []

    def fail_later(x):
        calls.append(1)
        if len(calls) > good_calls:
            raise ArithmeticError
        return x**2

    with pytest.raises(ArithmeticError):
        gradient_of(fail_later, x)
    assert_array_equal(x, before)


def test_the_check_of_a_number_prints_each_index_with_its_derivative(capsys):
    eval_numerical_gradient_array(np.square, np.ones(2), 1.0)
    assert capsys.readouterr().out == ""
    eval_numerical_gradient(lambda x: 4 * np.sum(x), np.zeros((1, 2)))
    lines = capsys.readouterr().out.splitlines()
    assert [line[:7] for line in lines] == ["(0, 0) ", "(0, 1) "]
    assert_allclose([float(line[7:]) for line in lines], 4, rtol=1e-9)


@pytest.mark.parametrize(
    ("x", "h", "message"),
    [
        (np.arange(3), 1e-5, "x must be a floating-point array.*got dtype int64"),
        ([1.0, 2.0], 1e-5, "x must be a floating-point array.*got list"),
        (np.broadcast_to(1.0, 3), 1e-5, "x must be writeable"),
        (np.array([1.0, 1e12]), 1e-5, "h must be large enough to change every element of x, got 1e-05 for float64"),
        (np.ones(3), 0, "h must be a finite number above 0, got 0"),
    ],
)
def test_what_cannot_be_shifted_by_h_is_refused(x, h, message):
    for check in (eval_numerical_gradient, lambda f, x, h: eval_numerical_gradient_array(f, x, 1.0, h)):
        with pytest.raises((TypeError, ValueError), match=f"^{message}"):
            check(np.sum, x, h=h)


def test_a_function_that_returns_another_shape_than_expected_is_refused():
    with pytest.raises(ValueError, match=r"^f\(x\) must have shape \(\) \(a number\), got \(3,\)"):
        eval_numerical_gradient(np.square, np.ones(3))
    with pytest.raises(ValueError, match=r"^df must have shape \(3,\) \(that of f\(x\), or a number\), got \(2,\)"):
        eval_numerical_gradient_array(np.square, np.ones(3), np.ones(2))
    with pytest.raises(ValueError, match=r"^analytic_grad must have shape \(3,\) \(the shape of x\), got \(2,\)"):
        grad_check_sparse(np.sum, np.ones(3), np.ones(2))


@pytest.mark.parametrize("of_a_net", [False, True])
def test_blobs_give_one_gradient_for_each_input(of_a_net):
    a, b = SimpleNamespace(vals=point(3)), SimpleNamespace(vals=point(3) + 2)
    output = SimpleNamespace(vals=np.empty(3), diffs=np.array([1.0, 2.0, -1.0]))

    def multiply(a=a, b=b, output=output):
        output.vals[...] = a.vals * b.vals

    if of_a_net:
        da, db = eval_numerical_gradient_net(SimpleNamespace(forward=multiply), (a, b), output, h=1e-4)
    else:
        da, db = eval_numerical_gradient_blobs(multiply, (a, b), output)
    assert_allclose(da, output.diffs * b.vals, rtol=1e-9)
    assert_allclose(db, output.diffs * a.vals, rtol=1e-9)


def test_the_sparse_check_prints_a_line_for_each_place_it_draws(capsys):
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    np.random.seed(0)
    grad_check_sparse(lambda x: np.sum(x**2), x, 2 * x, num_checks=20)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 20
    pattern = r"numerical: (\d\.0{6}) analytic: (\d\.0{6}), relative error: \d\.\d{6}e[+-]\d\d"
    found = [re.fullmatch(pattern, line).groups() for line in lines]
    assert all(numerical == analytic for numerical, analytic in found)
    assert {numerical for numerical, _ in found} == {"2.000000", "4.000000", "6.000000", "8.000000"}
    assert_array_equal(x, [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("slope", "analytic", "line"),
    [
        (3.0, 1.0, "numerical: 3.000000 analytic: 1.000000, relative error: 5.000000e-01\n"),
        (0.0, 0.0, "numerical: 0.000000 analytic: 0.000000, relative error: 0.000000e+00\n"),
    ],
)
def test_the_sparse_check_shows_the_relative_error_ten_times_unless_told_otherwise(slope, analytic, line, capsys):
    grad_check_sparse(lambda x: slope * np.sum(x), np.ones(1), np.array([analytic]))
    assert capsys.readouterr().out == 10 * line


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        (1.0, 1.0, 0),
        (1.0, 3.0, 0.5),
        (1.0, -1.0, 1),
        (0.0, 5.0, 1),
        ([1.0, 2.0, 1.0], [1.0, 2.0, 3.0], 0.5),
        (1e-9, 3e-9, 0.2),
        ([], [], 0),
        (np.array([1], np.uint8), np.array([3], np.uint8), 0.5),
    ],
)
def test_rel_error_is_the_largest_relative_difference(x, y, expected):
    for error in (rel_error(x, y), rel_error(y, x)):
        assert_allclose(error, expected, rtol=1e-15)
        assert type(error) is float


def test_rel_error_passes_nan_on_and_refuses_to_broadcast():
    assert np.isnan(rel_error([1.0, np.nan], [1.0, 1.0]))
    assert np.isnan(rel_error([1.0, 1.0], [np.nan, 2.0]))
    with pytest.raises(ValueError, match=r"^x and y must have one shape, got \(3,\) and \(3, 1\)"):
        rel_error(np.ones(3), np.ones((3, 1)))
