"""The checks of arguments, at the edges of what they let through."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from cs231n.arguments import (
    array,
    arrays,
    choice,
    class_labels,
    epsilon,
    flag,
    float_array,
    float_type,
    hyperparameters,
    instance,
    integer,
    layer_mode,
    number,
    path,
    require_shape,
    seed,
    sizes,
    upstream,
    window_entries,
)

AFFINE = "x (N, D...), w (D, M), b (M)"


def answer(check, *arguments, **keywords):
    """What a check returns, or its words."""
    try:
        return check(*arguments, **keywords)
    except (TypeError, ValueError) as refusal:
        return f"{type(refusal).__name__}: {refusal}"


# Single values


def test_an_instance_is_of_one_of_its_types():
    assert instance("model", 1, (int, str), "a net") == 1
    assert answer(instance, "model", None, (int, str), "a net") == "TypeError: model must be a net, got NoneType"


def test_a_flag_is_true_or_false_numpys_too():
    assert [flag("verbose", value) for value in (True, np.bool_(False))] == [True, False]
    assert answer(flag, "verbose", 1) == "TypeError: verbose must be True or False, got int"


@pytest.mark.parametrize("value", [1, 5, np.int8(3)])
def test_integers_between_the_bounds_become_pythons(value):
    result = integer("n", value, least=1, most=5)
    assert (result, type(result)) == (value, int)


@pytest.mark.parametrize(
    ("value", "bounds", "words"),
    [
        (0, {"least": 1}, "ValueError: n must be an integer of at least 1, got 0"),
        (6, {"most": 5}, "ValueError: n must be an integer of at most 5, got 6"),
        (0, {"least": 1, "most": 5}, "ValueError: n must be an integer of at least 1 and at most 5, got 0"),
        (2.0, {"least": 1}, "TypeError: n must be an integer of at least 1, got 2.0"),
        ("2", {}, "TypeError: n must be an integer, got '2'"),
        (True, {}, "TypeError: n must be an integer, got True"),
        (None, {}, "TypeError: n must be an integer, got None"),
    ],
)
def test_no_other_integer_will_do(value, bounds, words):
    assert answer(integer, "n", value, **bounds) == words


@pytest.mark.parametrize("value", [[3, 1], (3, 1), np.array([3, 1], np.uint8)])
def test_sizes_are_a_sequence_of_positive_integers(value):
    assert sizes("hidden_dims", value, length=2) == [3, 1]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (3, "ValueError: hidden_dims must be a list or tuple of 2 integers, got 3"),
        ("32", "ValueError: hidden_dims must be a list or tuple of 2 integers, got '32'"),
        ([3], r"ValueError: hidden_dims must be a list or tuple of 2 integers, got \[3\]"),
        ([3, 0], r"ValueError: hidden_dims\[1\] must be an integer of at least 1, got 0"),
        ([3, 1.5], r"TypeError: hidden_dims\[1\] must be an integer of at least 1, got 1.5"),
    ],
)
def test_no_other_sizes_will_do(value, words):
    assert re.fullmatch(words, answer(sizes, "hidden_dims", value, length=2))


@pytest.mark.parametrize(
    ("value", "bounds"),
    [
        (-1e300, {}),
        (0, {"least": 0}),
        (1, {"most": 1}),
        (np.float32(0.5), {"above": 0, "below": 1}),
    ],
)
def test_numbers_between_the_bounds_become_pythons(value, bounds):
    result = number("p", value, **bounds)
    assert (result, type(result)) == (value, float)


@pytest.mark.parametrize(
    ("value", "bounds", "words"),
    [
        (0, {"above": 0, "most": 1}, "ValueError: p must be a finite number above 0 and at most 1, got 0"),
        (1.5, {"above": 0, "most": 1}, "ValueError: p must be a finite number above 0 and at most 1, got 1.5"),
        (-1, {"least": 0, "below": 1}, "ValueError: p must be a finite number of at least 0 and below 1, got -1"),
        (1, {"least": 0, "below": 1}, "ValueError: p must be a finite number of at least 0 and below 1, got 1"),
        (math.inf, {}, "ValueError: p must be a finite number, got inf"),
        (-math.inf, {}, "ValueError: p must be a finite number, got -inf"),
        (math.nan, {}, "ValueError: p must be a finite number, got nan"),
        ("0.5", {}, "TypeError: p must be a finite number, got '0.5'"),
        (1j, {}, "TypeError: p must be a finite number, got 1j"),
        (None, {}, "TypeError: p must be a finite number, got None"),
    ],
)
def test_no_other_number_will_do(value, bounds, words):
    assert answer(number, "p", value, **bounds) == words


def test_a_choice_is_one_of_those_there_are():
    assert choice("mode", None, ("train", None)) is None
    for value in ("trian", 1, ["train"]):
        assert answer(choice, "mode", value, ("train", None)) == (
            f"ValueError: mode must be one of 'train', None, got {value!r}"
        )


@pytest.mark.parametrize("value", [0, 2**32 - 1, np.int64(7)])
def test_integers_that_seed_numpy_are_seeds(value):
    np.random.RandomState(seed("seed", value))


@pytest.mark.parametrize("value", [-1, 2**32, 1.0])
def test_nothing_else_is_a_seed(value):
    assert f"seed must be an integer of at least 0 and at most 4294967295, got {value}" in answer(seed, "seed", value)


def test_a_path_is_a_string_or_a_path():
    assert [path("folder", value) for value in ("a", Path("a"))] == ["a", Path("a")]
    assert answer(path, "folder", 1) == "TypeError: folder must be a string or a path, got int"


@pytest.mark.parametrize("dtype", [np.float16, "float32", np.dtype("f8")])
def test_floating_point_types_are_returned_as_they_are(dtype):
    assert float_type("dtype", dtype) is dtype


@pytest.mark.parametrize("dtype", [int, "complex64", "text", 32, None])
def test_no_other_type_is_one(dtype):
    assert answer(float_type, "dtype", dtype) == f"ValueError: dtype must be a floating-point type, got {dtype!r}"


# Arrays


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int8, np.uint8, bool])
def test_real_numbers_keep_their_type_and_floating_point_ones_are_not_copied(dtype):
    value = np.ones(2, dtype)
    assert array("x", value) is value
    result = float_array("x", value)
    assert result is value if value.dtype.kind == "f" else result.dtype == np.float64
    assert_array_equal(result, [1, 1])


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("text", "TypeError: x must be an array of real numbers, got dtype <U4"),
        (None, "TypeError: x must be an array of real numbers, got dtype object"),
        ([1j], "TypeError: x must be an array of real numbers, got dtype complex128"),
        ([[1], [1, 2]], "ValueError: x must be an array: setting an array element with a sequence."),
    ],
)
def test_no_other_value_is_an_array_of_real_numbers(value, words):
    assert answer(array, "x", value).startswith(words)
    assert answer(float_array, "x", value).startswith(words)


def test_a_shape_is_refused_with_where_it_comes_from():
    require_shape("dw", np.ones((2, 3)), [2, 3], "the shape of w")
    words = "ValueError: dw must have shape (2, 3) (the shape of w), got (3, 2)"
    assert answer(require_shape, "dw", np.ones((3, 2)), (2, 3), "the shape of w") == words


def test_an_upstream_gradient_is_a_floating_point_array_of_the_outputs_shape():
    assert upstream([1, 2], (2,)).dtype == np.float64
    words = "ValueError: dout must have shape (3,) (the shape of the layer's output), got (2,)"
    assert answer(upstream, [1, 2], (3,)) == words


@pytest.mark.parametrize("x_shape", [(2, 6), (2, 3, 2), (2, 6, 1, 1)])
def test_arrays_fit_where_an_axis_of_one_name_has_one_size(x_shape):
    x, w, b = arrays(AFFINE, np.ones(x_shape, np.float32), np.ones((6, 4), int), [1, 2, 3, 4])
    assert [(a.shape, a.dtype) for a in (x, w, b)] == [(x_shape, np.float32), ((6, 4), float), ((4,), float)]


def test_d_of_a_batch_of_numbers_is_one_and_any_axis_may_be_empty():
    assert [a.shape for a in arrays(AFFINE, np.ones(3), np.ones((1, 0)), [])] == [(3,), (1, 0), (0,)]


@pytest.mark.parametrize(
    ("layouts", "shapes", "words"),
    [
        (AFFINE, [(2, 3, 2), (5, 4), (4,)], "w must have shape (D, M) with D = 6, got (5, 4)"),
        (AFFINE, [(2, 6), (6,), (4,)], "w must have shape (D, M) with D = 6, got (6,)"),
        (AFFINE, [(2, 6), (6, 4), (3,)], "b must have shape (M,) with M = 4, got (3,)"),
        (AFFINE, [(2, 6), (6, 4), (1, 4)], "b must have shape (M,) with M = 4, got (1, 4)"),
        (AFFINE, [(), (6, 4), (4,)], "x must have shape (N, d_1, ..., d_k), got ()"),
        ("x (N, C, H, W)", [(2, 3, 4)], "x must have shape (N, C, H, W), got (2, 3, 4)"),
        ("x (N, C), gamma (1, C, 1)", [(2, 3), (3, 1, 1)], "gamma must have shape (1, C, 1) with C = 3, got (3, 1, 1)"),
        ("x (N, C), gamma (1, C, 1)", [(2, 3), (1, 3, 2)], "gamma must have shape (1, C, 1) with C = 3, got (1, 3, 2)"),
        ("x (N, N)", [(2, 3)], "x must have shape (N, N), got (2, 3)"),
    ],
)
def test_the_first_array_that_does_not_fit_is_named_with_the_sizes_it_must_have(layouts, shapes, words):
    assert answer(arrays, layouts, *map(np.ones, shapes)) == f"ValueError: {words}"


def test_arrays_are_named_where_they_hold_no_numbers():
    words = "TypeError: w must be an array of real numbers, got dtype <U1"
    assert answer(arrays, AFFINE, np.ones((2, 1)), [["1"]], [1]) == words


@pytest.mark.parametrize("y", [[0, 2], (0, 2), np.array([0, 2], np.uint8)])
def test_labels_are_integers_from_0_to_the_last_class(y):
    assert_array_equal(class_labels(y, (2, 3)), [0, 2])


@pytest.mark.parametrize(
    ("y", "shape", "words"),
    [
        ([0, 3], (2, 3), "ValueError: y must hold labels from 0 to 2, .* got labels from 0 to 3"),
        ([-1, 2], (2, 3), "ValueError: y must hold labels from 0 to 2, .* got labels from -1 to 2"),
        ([0.0, 1.0], (2, 3), "TypeError: y must be an array of integer class labels, got dtype float64"),
        ([True, False], (2, 3), "TypeError: y must be an array of integer class labels, got dtype bool"),
        ([0], (2, 3), r"ValueError: y must have shape \(2,\) .* got \(1,\)"),
        ([[0], [1]], (2, 3), r"ValueError: y must have shape \(2,\) .* got \(2, 1\)"),
        ([], (0, 3), r"ValueError: x must .*\(N, C\).* got .*\(0, 3\)"),
        ([0, 0], (2, 0), r"ValueError: x must .*\(N, C\).* got .*\(2, 0\)"),
        ([0, 0], (2,), r"ValueError: x must .*\(N, C\).* got .*\(2,\)"),
    ],
)
def test_no_other_labels_fit_the_scores(y, shape, words):
    assert re.fullmatch(words, answer(class_labels, y, shape))


def test_labels_are_refused_under_the_callers_name_of_the_scores():
    assert "of the scores of X, got labels" in answer(class_labels, [3], (1, 3), "the scores of X")


# Settings of layers and update rules; what else a layer's settings must be is tested with the layer


@pytest.mark.parametrize(
    ("param", "words"),
    [
        (2, "TypeError: conv_param must be a dictionary, got int"),
        ({"stride": 1}, "ValueError: conv_param must have the key 'pad', got {'stride': 1}"),
        (
            {"stride": 1, "pad": 0, "padding": 1},
            "ValueError: conv_param must hold nothing but 'stride', 'pad', got 'padding'",
        ),
        ({"stride": 1, "pad": -1}, "ValueError: conv_param['pad'] must be an integer of at least 0, got -1"),
        ({"stride": 0, "pad": 0}, "ValueError: conv_param['stride'] must be an integer of at least 1, got 0"),
    ],
)
def test_entries_of_windows_are_complete_known_and_large_enough(param, words):
    assert window_entries("conv_param", {"stride": np.int64(1), "pad": 0}, {"stride": 1, "pad": 0}) == [1, 0]
    assert answer(window_entries, "conv_param", param, {"stride": 1, "pad": 0}) == words


def test_a_layer_trains_or_is_tested():
    assert [layer_mode("bn_param", {"mode": mode}) for mode in ("train", "test")] == ["train", "test"]
    assert answer(layer_mode, "bn_param", {}) == "ValueError: bn_param['mode'] must be one of 'train', 'test', got None"


def test_epsilon_is_above_zero_and_small_unless_given():
    assert [epsilon("ln_param", param) for param in ({}, {"eps": 0.1})] == [1e-5, 0.1]
    assert (
        answer(epsilon, "ln_param", {"eps": 0}) == "ValueError: ln_param['eps'] must be a finite number above 0, got 0"
    )


def test_a_config_receives_the_defaults_that_it_lacks():
    config = {"learning_rate": 1, "velocity": None}
    same, values = hyperparameters(config, learning_rate=0.5, momentum=0.9, t=0)
    assert same is config and values == [1.0, 0.9, 0]
    assert config == {"learning_rate": 1.0, "velocity": None, "momentum": 0.9, "t": 0}
    assert hyperparameters(None, momentum=0.9) == ({"momentum": 0.9}, [0.9])


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"learning_rate": -1}, "ValueError: config['learning_rate'] must be a finite number of at least 0, got -1"),
        ({"momentum": 1}, "ValueError: config['momentum'] must be a finite number of at least 0 and below 1, got 1"),
        ({"t": 1.5}, "TypeError: config['t'] must be an integer of at least 0, got 1.5"),
        ({"lerning_rate": 1}, "ValueError: config must hold nothing but 'learning_rate', 'momentum', 'decay_rate', "),
        ("adam", "TypeError: config must be a dictionary or None, got str"),
    ],
)
def test_an_entry_that_is_wrong_or_unknown_is_named(config, words):
    assert answer(hyperparameters, config, learning_rate=1e-2, momentum=0.9, t=0).startswith(words)
