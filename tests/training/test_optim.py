"""Update rules, held against torch.optim, steps worked by hand and their own formulas written plainly."""

import inspect
import tracemalloc

import numpy as np
import pytest
import torch
from arrays import read_only
from numpy.testing import assert_allclose, assert_array_equal

from cs231n.compute import blocks
from cs231n.optim import adam, adamw, nesterov_momentum, rmsprop, sgd, sgd_momentum

DEFAULTS = {
    "sgd": {"learning_rate": 1e-2},
    "sgd_momentum": {"learning_rate": 1e-2, "momentum": 0.9},
    "nesterov_momentum": {"learning_rate": 1e-2, "momentum": 0.9},
    "rmsprop": {"learning_rate": 1e-2, "decay_rate": 0.99, "epsilon": 1e-8},
    "adam": {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8},
    "adamw": {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 1e-2},
}
STATE = {
    sgd: (),
    sgd_momentum: ("velocity",),
    nesterov_momentum: ("velocity",),
    rmsprop: ("cache",),
    adam: ("m", "v"),
    adamw: ("m", "v"),
}

each_rule = pytest.mark.parametrize("rule", STATE)
stateful = pytest.mark.parametrize("rule", [rule for rule in STATE if STATE[rule]])
with_out = pytest.mark.parametrize("rule", [rule for rule in STATE if rule is not adamw])


def gradients(shape, steps=100, seed=0):
    """Gradients from all orders of magnitude between 1e-3 and 10."""
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape) * 10 ** rng.uniform(-3, 1, shape) for _ in range(steps)]


def run(rule, w, steps, config):
    for g in steps:
        w, config = rule(w, g.astype(w.dtype), config)
    return w


def weights_gradient_and_state(rule, shape):
    rng = np.random.default_rng(0)
    w, g = rng.standard_normal(shape), rng.standard_normal(shape)
    return w, g, {name: rng.uniform(0.5, 1, shape) for name in STATE[rule]}


# Steps

BETAS = {"learning_rate": 0.02, "beta1": 0.85, "beta2": 0.98, "epsilon": 1e-3}
TORCH_BETAS = {"lr": 0.02, "betas": (0.85, 0.98), "eps": 1e-3}
MOMENTUM, TORCH_MOMENTUM = {"learning_rate": 0.03, "momentum": 0.8}, {"lr": 0.03, "momentum": 0.8}
PAIRS = [
    (sgd, torch.optim.SGD, {"learning_rate": 0.03}, {"lr": 0.03}),
    (sgd_momentum, torch.optim.SGD, MOMENTUM, TORCH_MOMENTUM),
    (nesterov_momentum, torch.optim.SGD, MOMENTUM, {**TORCH_MOMENTUM, "nesterov": True}),
    (
        rmsprop,
        torch.optim.RMSprop,
        {"learning_rate": 0.02, "decay_rate": 0.95, "epsilon": 1e-3},
        {"lr": 0.02, "alpha": 0.95, "eps": 1e-3},
    ),
    (adam, torch.optim.Adam, BETAS, TORCH_BETAS),
    (adamw, torch.optim.AdamW, {**BETAS, "weight_decay": 0.2}, {**TORCH_BETAS, "weight_decay": 0.2}),
]


@pytest.mark.parametrize(("rule", "optimizer", "config", "options"), PAIRS)
@pytest.mark.parametrize(("dtype", "rtol", "atol"), [(np.float64, 1e-10, 1e-12), (np.float32, 1e-4, 1e-5)])
def test_a_hundred_steps_agree_with_pytorch(rule, optimizer, config, options, dtype, rtol, atol):
    w = np.random.default_rng(1).standard_normal((6, 5)).astype(dtype)
    steps = gradients(w.shape)
    theirs = torch.tensor(w, requires_grad=True)
    optimizer = optimizer([theirs], **options)
    for g in steps:
        theirs.grad = torch.tensor(g.astype(dtype))
        optimizer.step()
    ours = run(rule, w, steps, dict(config))
    assert ours.dtype == dtype
    assert_allclose(ours, theirs.detach().numpy(), rtol=rtol, atol=atol)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [(sgd_momentum, [1.0, -0.5]), (nesterov_momentum, [1.0 + 0.0 - 1.0, 2.0 - 0.625 - 0.5])],
)
def test_a_step_with_momentum_by_hand(rule, expected):
    config = {"learning_rate": 0.5, "momentum": 0.25, "velocity": np.array([4.0, -8.0])}
    w, config = rule(np.array([1.0, 2.0]), np.array([2.0, 1.0]), config)
    assert_array_equal(config["velocity"], [0.0, -2.5])
    assert_array_equal(w, expected)


def test_adamw_is_adam_on_decayed_weights():
    config = {"learning_rate": 0.25, "beta1": 0.75, "m": np.array([1.0, 2.0]), "v": np.array([3.0, 4.0]), "t": 2}
    expected, of_adam = adam(0.875 * np.array([8.0, -16.0]), np.array([2.0, -3.0]), dict(config))
    w, of_adamw = adamw(np.array([8.0, -16.0]), np.array([2.0, -3.0]), {**config, "weight_decay": 0.5})
    assert_array_equal(w, expected)
    for name in ("m", "v", "t"):
        assert_array_equal(of_adamw[name], of_adam[name])


# config


@each_rule
def test_defaults_are_filled_into_the_dictionary_passed(rule):
    passed, defaults = {}, DEFAULTS[rule.__name__]
    w = np.array([1.0, -2.0])
    next_w, config = rule(w, np.ones(2), passed)
    assert config is passed
    assert {name: config[name] for name in defaults} == defaults
    assert set(config) == {*defaults, *STATE[rule], *(["t"] if rule in (adam, adamw) else [])}
    assert type(config.get("t", 1)) is int and config.get("t", 1) == 1
    from_none, fresh = rule(w, np.ones(2))
    assert_array_equal(from_none, next_w)
    assert set(fresh) == set(config)


@each_rule
def test_a_rule_is_the_function_that_its_source_shows(rule):
    assert not hasattr(rule, "__wrapped__")
    assert str(inspect.signature(rule)) == f"(w, dw, config=None{'' if rule is adamw else ', *, out=None'})"


@stateful
def test_state_has_the_shape_and_dtype_of_the_weights_but_at_least_float32(rule):
    for dtype, of_state in ((np.float16, np.float32), (np.float32, np.float32), (np.float64, np.float64)):
        w, config = rule(np.ones((2, 3), dtype), np.ones((2, 3)), {})
        assert w.dtype == dtype
        for name in STATE[rule]:
            assert (config[name].shape, config[name].dtype) == ((2, 3), of_state)


@each_rule
def test_state_saved_and_passed_again_continues_the_run(rule):
    steps = gradients((3, 2), steps=6)
    whole = run(rule, np.ones((3, 2)), steps, {})
    config = {}
    w = run(rule, np.ones((3, 2)), steps[:3], config)
    saved = {name: value.tolist() if name in STATE[rule] else value for name, value in config.items()}
    assert_array_equal(run(rule, w, steps[3:], saved), whole)


# What is altered and what is not


@each_rule
@pytest.mark.parametrize("size", [6, 3 * blocks.BLOCK_BYTES // 8 + 5])
def test_arrays_passed_in_are_not_altered(rule, size):
    w, g, state = weights_gradient_and_state(rule, size)
    arrays = {"w": w, "g": g, **state}
    before = {name: array.copy() for name, array in arrays.items()}
    next_w, config = rule(w, g, dict(state))
    for name, array in arrays.items():
        assert_array_equal(array, before[name])
    assert not any(np.shares_memory(config[name], state[name]) for name in state)
    assert not np.shares_memory(next_w, w)
    assert not np.array_equal(next_w, w)


# Less than a block, more than a block, many blocks.
SIZES = [(7,), (blocks.BLOCK_BYTES // 8 + 3,), (2, blocks.BLOCK_BYTES // 8 + 1, 4)]


@with_out
@pytest.mark.parametrize("shape", SIZES, ids=["small", "two blocks", "many blocks"])
def test_updating_in_place_gives_the_same_bits(rule, shape):
    w = np.random.default_rng(0).standard_normal(shape)
    in_place, config_in_place = w.copy(), {}
    config, arrays = {}, {}
    for g in gradients(shape, steps=3):
        w, config = rule(w, g, config)
        result, config_in_place = rule(in_place, g, config_in_place, out=in_place)
        assert result is in_place
        arrays = arrays or {name: config_in_place[name] for name in STATE[rule]}
    assert_array_equal(in_place, w)
    for name, array in arrays.items():
        assert config_in_place[name] is array
        assert_array_equal(array, config[name])


@with_out
def test_the_result_may_be_written_to_another_array_or_over_the_gradient(rule):
    w, g, out = np.ones((3, 2)), np.full((3, 2), 0.5), np.full((3, 2), np.nan)
    expected, _ = rule(w, g, {})
    for target in (out, g):
        result, _ = rule(w, g, {}, out=target)
        assert result is target
        assert_array_equal(result, expected)
    assert_array_equal(w, np.ones((3, 2)))


@with_out
@pytest.mark.parametrize("make", [np.asfortranarray, np.float32, read_only])
def test_state_that_cannot_be_written_is_replaced(rule, make):
    g = gradients((3, 2), steps=1)[0]
    arrays = {name: np.full((3, 2), 0.5) for name in STATE[rule]}
    expected, expected_config = rule(np.ones((3, 2)), g, dict(arrays))
    w = np.ones((3, 2))
    result, config = rule(w, g, {name: make(array) for name, array in arrays.items()}, out=w)
    assert_array_equal(result, expected)
    for name in STATE[rule]:
        assert_array_equal(config[name], expected_config[name])
        assert config[name].dtype == np.float64


@with_out
def test_a_step_in_place_allocates_less_than_the_weights(rule):
    w, config = np.ones((3072, 1024), np.float32), {}
    g = np.ones(w.shape)
    rule(w, g, config, out=w)
    tracemalloc.start()
    rule(w, g, config, out=w)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < w.nbytes


@each_rule
@pytest.mark.parametrize("g", [np.int8([100, -128, 3]), np.int32([70_000, -70_000, 1]), np.float16([300, -500, 2])])
def test_a_gradient_of_a_narrow_type_does_not_overflow(rule, g):
    w = np.zeros(3, np.float32)
    result, config = rule(w, g)
    expected, expected_config = rule(w, g.astype(np.float32))
    assert_allclose(result, expected, rtol=1e-6)
    for name in STATE[rule]:
        assert_allclose(config[name], expected_config[name], rtol=1e-6)


# Errors; those of w, dw and config's numbers are among the odd arguments and the checks of arguments


@pytest.mark.parametrize("name", ["momentum", "decay_rate", "beta1", "beta2"])
def test_averages_that_never_forget_are_refused(name):
    rule = {"momentum": sgd_momentum, "decay_rate": rmsprop}.get(name, adam)
    with pytest.raises(ValueError, match=rf"^config\['{name}'\] must be .* of at least 0 and below 1, got 1"):
        rule(np.ones(2), np.ones(2), {name: 1})
    rule(np.ones(2), np.ones(2), {name: 0})


@stateful
def test_state_of_another_shape_is_refused(rule):
    for name in STATE[rule]:
        message = rf"^config\['{name}'\] must have shape \(3, 2\) \(the shape of w\), got \(2, 3\)"
        with pytest.raises(ValueError, match=message):
            rule(np.ones((3, 2)), np.ones((3, 2)), {name: np.zeros((2, 3))})


def test_a_refused_step_is_not_counted():
    config = {"t": 3}
    with pytest.raises(ValueError, match="^out must be"):
        adam(np.ones(2), np.ones(2), config, out=np.zeros(3))
    assert config["t"] == 3


NO_TARGETS = {
    "dtype": np.ones((3, 2), np.float32),
    "shape": np.ones((2, 3)),
    "Fortran": np.ones((2, 3)).T,
    "read-only": read_only(np.ones((3, 2))),
    "list": [[1.0] * 2] * 3,
}


@pytest.mark.parametrize("out", NO_TARGETS.values(), ids=NO_TARGETS)
def test_an_output_that_cannot_take_the_weights_is_refused(out):
    with pytest.raises(ValueError, match="^out must be a C-contiguous, writeable array like w, float64 .*, got "):
        sgd(np.ones((3, 2)), np.ones((3, 2)), {}, out=out)
