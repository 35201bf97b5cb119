"""Update rules, held against torch.optim, steps worked by hand and their own formulas written plainly."""

import inspect
import math
import tracemalloc

import numpy as np
import pytest
import torch
from arrays import LAYOUTS, read_only
from numpy.testing import assert_allclose, assert_array_equal

from cs231n import optim
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


stateful = pytest.mark.parametrize("rule", [rule for rule in STATE if STATE[rule]])


@pytest.fixture(params=optim.__all__)
def rule(request):
    return getattr(optim, request.param)


@pytest.fixture(params=[name for name in optim.__all__ if name != "adamw"])
def rule_in_place(request):
    return getattr(optim, request.param)


def gradients(shape, steps=100, seed=0):
    """Gradients from all orders of magnitude between 1e-3 and 10."""
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape) * 10 ** rng.uniform(-3, 1, shape) for _ in range(steps)]


def run(rule, w, steps, config):
    for g in steps:
        w, config = rule(w, g.astype(w.dtype), config)
    return w


# Against PyTorch

PAIRS = {
    "sgd": (sgd, torch.optim.SGD, {"learning_rate": 0.03}, {"lr": 0.03}),
    "momentum": (
        sgd_momentum,
        torch.optim.SGD,
        {"learning_rate": 0.03, "momentum": 0.8},
        {"lr": 0.03, "momentum": 0.8},
    ),
    "Nesterov": (
        nesterov_momentum,
        torch.optim.SGD,
        {"learning_rate": 0.03, "momentum": 0.8},
        {"lr": 0.03, "momentum": 0.8, "nesterov": True},
    ),
    "RMSProp": (
        rmsprop,
        torch.optim.RMSprop,
        {"learning_rate": 0.02, "decay_rate": 0.95, "epsilon": 1e-3},
        {"lr": 0.02, "alpha": 0.95, "eps": 1e-3},
    ),
    "Adam": (
        adam,
        torch.optim.Adam,
        {"learning_rate": 0.02, "beta1": 0.85, "beta2": 0.98, "epsilon": 1e-3},
        {"lr": 0.02, "betas": (0.85, 0.98), "eps": 1e-3},
    ),
    "AdamW": (
        adamw,
        torch.optim.AdamW,
        {"learning_rate": 0.02, "beta1": 0.85, "beta2": 0.98, "epsilon": 1e-3, "weight_decay": 0.2},
        {"lr": 0.02, "betas": (0.85, 0.98), "eps": 1e-3, "weight_decay": 0.2},
    ),
    "RMSProp with its defaults": (rmsprop, torch.optim.RMSprop, {}, {}),
    "Adam with its defaults": (adam, torch.optim.Adam, {}, {}),
    "AdamW with its defaults": (adamw, torch.optim.AdamW, {}, {}),
}


def run_torch(optimizer, options, w, steps):
    w = torch.tensor(w, requires_grad=True)
    optimizer = optimizer([w], **options)
    for g in steps:
        w.grad = torch.tensor(g.astype(w.detach().numpy().dtype))
        optimizer.step()
    return w.detach().numpy()


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize(("dtype", "rtol", "atol"), [(np.float64, 1e-10, 1e-12), (np.float32, 1e-4, 1e-5)])
def test_a_hundred_steps_agree_with_pytorch(pair, dtype, rtol, atol):
    rule, optimizer, config, options = PAIRS[pair]
    w = np.random.default_rng(1).standard_normal((6, 5)).astype(dtype)
    steps = gradients(w.shape)
    ours = run(rule, w, steps, dict(config))
    assert ours.dtype == dtype
    assert_allclose(ours, run_torch(optimizer, options, w, steps), rtol=rtol, atol=atol)


def momentum_with_the_rate_in_the_velocity(w, steps, rates, mu):
    v = np.zeros_like(w)
    for g, rate in zip(steps, rates, strict=True):
        v = mu * v - rate * g
        w = w + v
    return w


def momentum_with_the_rate_outside_the_velocity(w, steps, rates, mu):
    v = np.zeros_like(w)
    for g, rate in zip(steps, rates, strict=True):
        v = mu * v + g
        w = w - rate * v
    return w


def test_both_ways_to_write_momentum_agree_while_the_rate_is_constant():
    w, steps = np.ones((4, 3)), gradients((4, 3))
    inside = momentum_with_the_rate_in_the_velocity(w, steps, [0.01] * 100, 0.9)
    outside = momentum_with_the_rate_outside_the_velocity(w, steps, [0.01] * 100, 0.9)
    assert_allclose(inside, outside, rtol=1e-10)
    assert_allclose(run(sgd_momentum, w, steps, {"learning_rate": 0.01, "momentum": 0.9}), inside, rtol=1e-12)


def test_both_ways_to_write_momentum_part_when_the_rate_changes():
    w, steps = np.ones((4, 3)), gradients((4, 3), steps=21)
    rates = [0.1] * 20 + [0.01]

    config = {"momentum": 0.9}
    ours = w
    tensor = torch.tensor(w, requires_grad=True)
    optimizer = torch.optim.SGD([tensor], lr=0.1, momentum=0.9)
    for g, rate in zip(steps, rates, strict=True):
        config["learning_rate"] = optimizer.param_groups[0]["lr"] = rate
        ours, config = sgd_momentum(ours, g, config)
        tensor.grad = torch.tensor(g)
        optimizer.step()
    theirs = tensor.detach().numpy()

    assert_allclose(ours, momentum_with_the_rate_in_the_velocity(w, steps, rates, 0.9), rtol=1e-10)
    assert_allclose(theirs, momentum_with_the_rate_outside_the_velocity(w, steps, rates, 0.9), rtol=1e-10)
    # With the rate in the velocity, what was gathered before the change keeps the old rate for a while.
    gathered = sum(0.9 ** (19 - k) * steps[k] for k in range(20))
    assert_allclose(theirs - ours, 0.9 * (0.1 - 0.01) * gathered, rtol=1e-9)


# Single steps by hand


def test_an_sgd_step_by_hand():
    w, config = sgd(np.array([1.0, 2.0]), np.array([0.5, -4.0]), {"learning_rate": 0.25})
    assert_array_equal(w, [0.875, 3.0])
    assert config == {"learning_rate": 0.25}


def test_a_momentum_step_by_hand():
    config = {"learning_rate": 0.5, "momentum": 0.25, "velocity": np.array([4.0, -8.0])}
    w, config = sgd_momentum(np.array([1.0, 2.0]), np.array([2.0, 1.0]), config)
    assert_array_equal(config["velocity"], [0.0, -2.5])
    assert_array_equal(w, [1.0, -0.5])


def test_a_nesterov_step_by_hand():
    config = {"learning_rate": 0.5, "momentum": 0.25, "velocity": np.array([4.0, -8.0])}
    w, config = nesterov_momentum(np.array([1.0, 2.0]), np.array([2.0, 1.0]), config)
    assert_array_equal(config["velocity"], [0.0, -2.5])
    assert_array_equal(w, [1.0 + 0.0 - 1.0, 2.0 - 0.625 - 0.5])


def test_an_rmsprop_step_by_hand():
    config = {"learning_rate": 0.5, "decay_rate": 0.75, "epsilon": 1.0, "cache": np.array([0.0, 32.0])}
    w, config = rmsprop(np.array([1.0, 2.0]), np.array([2.0, -2.0]), config)
    assert_array_equal(config["cache"], [1.0, 25.0])
    assert_allclose(w, [1 - 1 / (1 + 1), 2 + 1 / (5 + 1)], rtol=1e-15)


def test_an_adam_step_by_hand():
    config = {"learning_rate": 0.5, "beta1": 0.5, "beta2": 0.75, "epsilon": 1.0}
    config.update(m=np.array([1.0]), v=np.array([4.0]), t=1)
    w, config = adam(np.array([1.0]), np.array([2.0]), config)
    assert config["t"] == 2
    assert_array_equal(config["m"], [1.5])
    assert_array_equal(config["v"], [4.0])
    assert_allclose(w, 1 - 0.5 * (1.5 / 0.75) / (math.sqrt(4 / 0.4375) + 1), rtol=1e-15)


@pytest.mark.parametrize("g", [1e-3, 1.0, -1e3])
def test_adams_first_step_has_the_length_of_the_learning_rate(g):
    w, _ = adam(np.zeros(1), np.array([g]), {"learning_rate": 0.1})
    assert_allclose(w, -0.1 * np.sign(g), rtol=1e-4)


def test_an_adamw_step_decays_the_weight_by_itself():
    w, _ = adamw(np.array([2.0, -4.0]), np.zeros(2), {"learning_rate": 0.5, "weight_decay": 0.5})
    assert_array_equal(w, [1.5, -3.0])


def test_adamw_is_adam_on_decayed_weights():
    config = {"learning_rate": 0.25, "beta1": 0.75, "m": np.array([1.0, 2.0]), "v": np.array([3.0, 4.0]), "t": 2}
    expected, of_adam = adam(0.875 * np.array([8.0, -16.0]), np.array([2.0, -3.0]), dict(config))
    w, of_adamw = adamw(np.array([8.0, -16.0]), np.array([2.0, -3.0]), {**config, "weight_decay": 0.5})
    assert_array_equal(w, expected)
    for name in ("m", "v", "t"):
        assert_array_equal(of_adamw[name], of_adam[name])


# config


def test_defaults_are_filled_into_the_dictionary_passed(rule):
    passed, defaults = {}, DEFAULTS[rule.__name__]
    w = np.array([1.0, -2.0])
    next_w, config = rule(w, np.ones(2), passed)
    assert config is passed
    assert {name: config[name] for name in defaults} == defaults
    assert set(config) == {*defaults, *STATE[rule], *(["t"] if rule in (adam, adamw) else [])}
    from_none, fresh = rule(w, np.ones(2))
    assert_array_equal(from_none, next_w)
    assert set(fresh) == set(config)


def test_a_rule_is_the_function_that_its_source_shows(rule):
    assert not hasattr(rule, "__wrapped__")
    assert str(inspect.signature(rule)) == f"(w, dw, config=None{'' if rule is adamw else ', *, out=None'})"


def test_what_config_holds_is_not_replaced_by_a_default(rule):
    _, config = rule(np.ones(2), np.ones(2), {"learning_rate": 0.125})
    assert config["learning_rate"] == 0.125


def test_no_state_is_shared_between_two_weights_without_config(rule):
    w, g = np.ones(3), np.array([1.0, -2.0, 3.0])
    first, _ = rule(w, g)
    second, _ = rule(w, g)
    assert_array_equal(first, second)


@stateful
def test_state_has_the_shape_and_dtype_of_the_weights(rule):
    for dtype in (np.float32, np.float64):
        _, config = rule(np.ones((2, 3), dtype), np.ones((2, 3)), {})
        for name in STATE[rule]:
            assert config[name].shape == (2, 3)
            assert config[name].dtype == dtype


@pytest.mark.parametrize("rule", [adam, adamw])
def test_t_counts_the_steps(rule):
    w, config = np.ones(2), {}
    for step in range(1, 4):
        w, config = rule(w, np.ones(2), config)
        assert config["t"] == step
        assert type(config["t"]) is int


def test_state_saved_and_passed_again_continues_the_run(rule):
    steps = gradients((3, 2), steps=6)
    whole = run(rule, np.ones((3, 2)), steps, {})
    config = {}
    w = run(rule, np.ones((3, 2)), steps[:3], config)
    saved = {name: value.tolist() if name in STATE[rule] else value for name, value in config.items()}
    assert_array_equal(run(rule, w, steps[3:], saved), whole)


# What is altered and what is not


@pytest.mark.parametrize("size", [6, 3 * blocks.BLOCK_BYTES // 8 + 5])
def test_arrays_passed_in_are_not_altered(rule, size):
    rng = np.random.default_rng(0)
    w, g = rng.standard_normal(size), rng.standard_normal(size)
    arrays = {name: rng.uniform(0.5, 1, size) for name in STATE[rule]}
    before = {name: array.copy() for name, array in arrays.items()}
    w_before, g_before = w.copy(), g.copy()

    next_w, config = rule(w, g, dict(arrays))

    assert_array_equal(w, w_before)
    assert_array_equal(g, g_before)
    for name, array in arrays.items():
        assert_array_equal(array, before[name])
        assert not np.shares_memory(config[name], array)
    assert not np.shares_memory(next_w, w)
    assert not np.array_equal(next_w, w)


# Less than a block, more than a block, many blocks.
SIZES = [(7,), (blocks.BLOCK_BYTES // 8 + 3,), (2, blocks.BLOCK_BYTES // 8 + 1, 4)]


@pytest.mark.parametrize("shape", SIZES, ids=["small", "two blocks", "many blocks"])
def test_updating_in_place_gives_the_same_bits(rule_in_place, shape):
    w = np.random.default_rng(0).standard_normal(shape)
    in_place, config_in_place = w.copy(), {}
    config = {}
    for g in gradients(shape, steps=3):
        w, config = rule_in_place(w, g, config)
        result, config_in_place = rule_in_place(in_place, g, config_in_place, out=in_place)
        assert result is in_place
    assert_array_equal(in_place, w)
    for name in STATE[rule_in_place]:
        assert_array_equal(config_in_place[name], config[name])


@pytest.mark.parametrize("shape", SIZES[1:], ids=["blocks", "threads"])
def test_a_large_array_is_updated_like_its_elements_alone(rule, shape):
    rng = np.random.default_rng(0)
    w, g = rng.standard_normal(shape), rng.standard_normal(shape)
    arrays = {name: rng.uniform(0.5, 1, shape) for name in STATE[rule]}
    whole, config = rule(w, g, dict(arrays))
    sample = np.unique(np.concatenate([rng.integers(0, w.size, 500), [0, w.size - 1]]))
    some, some_config = rule(w.flat[sample], g.flat[sample], {name: arrays[name].flat[sample] for name in STATE[rule]})
    assert_array_equal(whole.flat[sample], some)
    for name in STATE[rule]:
        assert_array_equal(config[name].flat[sample], some_config[name])


def test_the_result_may_be_written_to_another_array(rule_in_place):
    w, g, out = np.ones((3, 2)), np.full((3, 2), 0.5), np.full((3, 2), np.nan)
    expected, _ = rule_in_place(w, g, {})
    result, _ = rule_in_place(w, g, {}, out=out)
    assert result is out
    assert_array_equal(out, expected)
    assert_array_equal(w, np.ones((3, 2)))


def test_the_result_may_be_written_over_the_gradient(rule_in_place):
    w, dw = np.array([1.0, -2.0]), np.array([0.5, 0.25])
    expected, _ = rule_in_place(w, dw.copy())
    next_w, _ = rule_in_place(w, dw, out=dw)
    assert next_w is dw
    assert_array_equal(next_w, expected)


def test_state_in_config_is_updated_where_it_is(rule_in_place):
    w, config = np.ones((3, 2)), {}
    rule_in_place(w, np.ones((3, 2)), config, out=w)
    arrays = {name: config[name] for name in STATE[rule_in_place]}
    rule_in_place(w, np.ones((3, 2)), config, out=w)
    for name in STATE[rule_in_place]:
        assert config[name] is arrays[name]


def test_state_that_cannot_be_written_is_replaced(rule_in_place):
    g = gradients((3, 2), steps=1)[0]
    arrays = {name: np.full((3, 2), 0.5) for name in STATE[rule_in_place]}
    expected, expected_config = rule_in_place(np.ones((3, 2)), g, dict(arrays))
    for make in (np.asfortranarray, np.float32, read_only):
        w = np.ones((3, 2))
        result, config = rule_in_place(w, g, {name: make(array) for name, array in arrays.items()}, out=w)
        assert_array_equal(result, expected)
        for name in STATE[rule_in_place]:
            assert_array_equal(config[name], expected_config[name])
            assert config[name].dtype == np.float64


@pytest.mark.parametrize("layout", [*LAYOUTS.values(), np.ndarray.tolist], ids=[*LAYOUTS, "lists"])
def test_the_layout_of_the_arrays_makes_no_difference(rule, layout):
    rng = np.random.default_rng(0)
    w, g = rng.standard_normal((4, 3)), rng.standard_normal((4, 3))
    state = {name: rng.uniform(0.5, 1, (4, 3)) for name in STATE[rule]}
    expected, expected_config = rule(w, g, dict(state))
    result, config = rule(layout(w), layout(g), {name: layout(array) for name, array in state.items()})
    assert_array_equal(result, expected)
    assert result.flags.writeable
    for name in STATE[rule]:
        assert_array_equal(config[name], expected_config[name])


@pytest.mark.parametrize("g_dtype", [np.float32, np.float64])
def test_a_step_in_place_allocates_less_than_the_weights(rule_in_place, g_dtype):
    w = np.ones((3072, 1024), np.float32)
    g = np.ones(w.shape, g_dtype)
    config = {}
    rule_in_place(w, g, config, out=w)
    tracemalloc.start()
    rule_in_place(w, g, config, out=w)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < w.nbytes


def test_numpy_numbers_as_hyperparameters_do_not_promote_float32(rule):
    w, g = np.ones(3, np.float32), np.full(3, 0.1, np.float32)
    _, config = rule(w, g)
    hyperparameters = {name: np.float64(value) for name, value in config.items() if name not in (*STATE[rule], "t")}
    expected, _ = rule(w, g)
    result, config = rule(w, g, hyperparameters)
    assert result.dtype == np.float32
    assert_array_equal(result, expected)
    assert all(config[name].dtype == np.float32 for name in STATE[rule])


@pytest.mark.parametrize("g", [np.int8([100, -128, 3]), np.int32([70_000, -70_000, 1]), np.float16([300, -500, 2])])
def test_a_gradient_of_a_narrow_type_does_not_overflow(rule, g):
    w = np.zeros(3, np.float32)
    result, config = rule(w, g)
    expected, expected_config = rule(w, g.astype(np.float32))
    assert_allclose(result, expected, rtol=1e-6)
    for name in STATE[rule]:
        assert_allclose(config[name], expected_config[name], rtol=1e-6)


def test_weights_that_are_integers_become_float64(rule):
    expected, _ = rule(np.array([3.0, -2.0]), np.array([0.5, 2.0]), {"learning_rate": 0.25})
    result, _ = rule(np.array([3, -2]), np.array([0.5, 2.0]), {"learning_rate": 0.25})
    assert result.dtype == np.float64
    assert_array_equal(result, expected)


# Errors; what all rules share is tested with one of them


@pytest.mark.parametrize(
    ("w", "dw", "message"),
    [
        (np.ones(3, complex), np.ones(3), "^w must be an array of real numbers, got dtype complex128"),
        (np.ones(3), None, "^dw must be an array of real numbers, got dtype object"),
        (np.ones((3, 2)), np.ones((2, 3)), r"^dw must have shape \(3, 2\) \(the shape of w\), got \(2, 3\)"),
        (np.ones((3, 2)), 1.0, r"^dw must have shape \(3, 2\) \(the shape of w\), got \(\)"),
    ],
)
def test_weights_and_gradients_that_do_not_fit_are_refused(w, dw, message):
    with pytest.raises((TypeError, ValueError), match=message):
        sgd(w, dw)


def test_config_must_be_a_dictionary():
    with pytest.raises(TypeError, match="^config must be a dictionary or None, got float"):
        sgd(np.ones(2), np.ones(2), 0.1)


def test_an_unknown_entry_of_config_is_named(rule):
    with pytest.raises(ValueError, match="^config must hold nothing but 'learning_rate', .*, got 'learningrate'"):
        rule(np.ones(2), np.ones(2), {"learningrate": 0.1})


@pytest.mark.parametrize("value", [-1e-9, math.nan, math.inf, "0.1", None])
def test_a_learning_rate_is_a_finite_number_of_at_least_0(value):
    message = r"^config\['learning_rate'\] must be a finite number of at least 0, got "
    with pytest.raises((TypeError, ValueError), match=message):
        sgd(np.ones(2), np.ones(2), {"learning_rate": value})


@pytest.mark.parametrize("name", ["momentum", "decay_rate", "beta1", "beta2"])
def test_averages_that_never_forget_are_refused(name):
    rule = {"momentum": sgd_momentum, "decay_rate": rmsprop}.get(name, adam)
    for value in (1, -0.1):
        with pytest.raises(ValueError, match=rf"^config\['{name}'\] must be .* of at least 0 and below 1, got {value}"):
            rule(np.ones(2), np.ones(2), {name: value})
    rule(np.ones(2), np.ones(2), {name: 0})


@pytest.mark.parametrize("name", ["epsilon", "weight_decay", "t"])
def test_other_hyperparameters_may_not_be_negative(name):
    with pytest.raises(ValueError, match=rf"^config\['{name}'\] must be .* of at least 0, got -1"):
        adamw(np.ones(2), np.ones(2), {name: -1})


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


NO_TARGETS = [
    np.ones((3, 2), np.float32),
    np.ones((2, 3)),
    np.ones((2, 3)).T,
    read_only(np.ones((3, 2))),
    [[1.0] * 2] * 3,
]


@pytest.mark.parametrize("out", NO_TARGETS, ids=["dtype", "shape", "Fortran", "read-only", "list"])
def test_an_output_that_cannot_take_the_weights_is_refused(out):
    with pytest.raises(ValueError, match="^out must be a C-contiguous, writeable array like w, float64 .*, got "):
        sgd(np.ones((3, 2)), np.ones((3, 2)), {}, out=out)
