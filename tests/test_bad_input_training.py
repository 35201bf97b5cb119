"""Bad input to what trains: update rules, numerical gradients, networks, the Solver and its checkpoints."""

import copy
import math
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from bad_input import EITHER, FLAG, WRONG, Array, Entries, Integer, Labels, Number, Row, Values, assert_covers
from hypothesis import given
from hypothesis import strategies as st

from cs231n import checkpoints, gradient_check, optim, solver
from cs231n.classifiers import cnn, fc_net, weights
from cs231n.classifiers.cnn import ThreeLayerConvNet
from cs231n.classifiers.fc_net import FullyConnectedNet
from cs231n.solver import Solver


def leave_out(kind, *labels):
    kind.corruptions = [corruption for corruption in kind.corruptions if not corruption.label.startswith(labels)]
    return kind


class Optional(Entries):
    """A dictionary that may be None."""

    def __init__(self, entries):
        super().__init__(entries)
        for corruption in self.corruptions:
            if corruption.label == "None":
                corruption.verdict = EITHER

    def clean(self, value):
        return None if value is None else super().clean(value)


class Rate(Number):
    """A number with which a formula may overflow, or divide by what is nearly 0."""

    def __init__(self, **bounds):
        super().__init__(**bounds)
        for corruption in self.corruptions:
            value = corruption.change(None, None)
            if isinstance(value, int | float) and not 1e-100 < abs(value) < 1e20:
                corruption.finite = False


class AnyLabels(Labels):
    """Labels where the number of classes is not known yet."""

    def __init__(self):
        super().__init__()
        leave_out(self, "one too large", "one beyond int64")


class LabelsOrNone(Labels):
    """Labels, with which a net gives its loss, or None, with which it gives scores."""

    def __init__(self):
        super().__init__()
        for corruption in self.corruptions:
            if corruption.label == "None":
                corruption.verdict = EITHER

    def clean(self, value):
        return None if value is None else super().clean(value)


class Shifted(Array):
    """The array that a numerical gradient shifts in place, by a step of 0.001."""

    def __init__(self):
        super().__init__(fixed=False)
        # What is restored of a longdouble is its value, not the bytes that it does not use.
        leave_out(self, "as longdouble")
        for corruption in self.corruptions:
            if corruption.label in ("as a list", "read-only", "as int8", "as uint8", "as int64", "as bool"):
                corruption.verdict = WRONG
            elif corruption.label == "as float16":
                corruption.verdict = EITHER  # where the step is too small for it


NO_FUNCTIONS = [None, 1, "f", [], {}]
TYPES = Values(valid=[np.float32, "float64", np.dtype("f2"), np.longdouble], either=[None],
               wrong=[int, "int8", complex, "c8", bool, object, "x", "", 3, 1.5, [], (), {}, [1, [2]], math.sqrt])
NO_PATHS = [1, 1.5, [], {}, b"file", "null\0character", ["file"], math.sqrt, Path]
PATHS = Values(wrong=[None, *NO_PATHS])


# Update rules


def steps(formula, *state):
    """A rule as the formula of one step on float64 arrays, with its defaults; gives the weights and the state."""

    def rule(w, dw, config=None, out=None):
        config = config or {}
        if out is not None or w.shape != dw.shape:
            raise ValueError
        arrays = [np.zeros(w.shape) if config.get(name) is None else config[name] for name in state]
        if any(array.shape != w.shape for array in arrays):
            raise ValueError
        hyperparameters = {name: value for name, value in config.items() if name not in state}
        return formula(w, dw, *arrays, **hyperparameters)

    return rule


def sgd(w, g, learning_rate=1e-2):
    return [w - learning_rate * g]


def sgd_momentum(w, g, v, learning_rate=1e-2, momentum=0.9):
    v = momentum * v - learning_rate * g
    return [w + v, v]


def nesterov_momentum(w, g, v, learning_rate=1e-2, momentum=0.9):
    v = momentum * v - learning_rate * g
    return [w + momentum * v - learning_rate * g, v]


def rmsprop(w, g, s, learning_rate=1e-2, decay_rate=0.99, epsilon=1e-8):
    s = decay_rate * s + (1 - decay_rate) * g * g
    return [w - learning_rate * g / (np.sqrt(s) + epsilon), s]


def adam(w, g, m, v, learning_rate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8, t=0):
    if t % 1:
        raise ValueError
    m, v, t = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g, t + 1
    return [w - learning_rate * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + epsilon), m, v]


def adamw(w, g, m, v, learning_rate=1e-3, weight_decay=1e-2, **others):
    return adam(w * (1 - learning_rate * weight_decay), g, m, v, learning_rate, **others)


BELOW_ONE = Number(least=0, most=math.nextafter(1, 0))
MOMENTUM = {"learning_rate": Rate(least=0), "momentum": BELOW_ONE}
ADAM = {"learning_rate": Rate(least=0), "beta1": BELOW_ONE, "beta2": BELOW_ONE, "epsilon": Rate(least=0),
        "t": Integer(least=0, most=10**300)}  # fmt: skip
RULES = [
    (sgd, (), {"learning_rate": Rate(least=0)}),
    (sgd_momentum, ("velocity",), MOMENTUM),
    (nesterov_momentum, ("velocity",), MOMENTUM),
    (rmsprop, ("cache",), {"learning_rate": Rate(least=0), "decay_rate": BELOW_ONE, "epsilon": Rate(least=0)}),
    (adam, ("m", "v"), ADAM),
    (adamw, ("m", "v"), {**ADAM, "weight_decay": Rate(least=0)}),
]


class Weights(Array):
    """Weights, which must be floating-point numbers to be updated; a list becomes an array."""

    def __init__(self):
        super().__init__()
        leave_out(self, "1e+30")
        for corruption in self.corruptions:
            if corruption.label in ("as int8", "as uint8", "as int64", "as bool"):
                corruption.verdict = WRONG


def step_row(formula, state, hyperparameters):
    def call(rng):
        shape = tuple(rng.integers(1, 4, rng.integers(1, 3)))
        # At the start or later; gradients of 0, as those of dead units, and small ones.
        begun = rng.integers(0, 2)
        arrays = {name: begun * np.abs(rng.standard_normal(shape)) for name in state}
        scales = rng.choice([0, 1e-5, 1], shape)
        return {"w": rng.standard_normal(shape), "dw": scales * rng.standard_normal(shape), "config": arrays}

    # Not 1e30: its square overflows in float32, and is infinite to the formula too.
    entries = {**{name: leave_out(Array(optional=True), "1e+30") for name in state}, **hyperparameters}
    no_targets = [1.0, "w", [], [[0.0]], np.zeros(99), np.zeros((2, 2), np.float32), {}, math.sqrt]
    return Row(
        getattr(optim, formula.__name__), call,
        {"w": Weights(), "dw": leave_out(Array(), "1e+30"), "config": Optional(entries),
         "out": Values(valid=[None], wrong=no_targets)},
        oracle=steps(formula, *state), result=lambda returned: [returned[0], *map(returned[1].get, state)],
        fills=["config"], nan_for_number=True,
    )  # fmt: skip


OPTIM = [step_row(*rule) for rule in RULES]


# Numerical gradients


def squares(x):
    return np.sum(np.square(x, dtype=np.float64))


def halves(x):
    return np.asarray(x, np.float64) * 0.5


def differences(f, x, h):
    """The formula of the centred difference, one element after the other."""
    for index in np.ndindex(x.shape):
        shift = np.zeros(x.shape)
        shift[index] = h
        if not (x + shift != x)[index]:
            raise ValueError
        yield (f(x + shift) - f(x - shift)) / (2 * h)


def largest_relative_difference(x, y):
    if x.shape != y.shape:
        raise ValueError
    errors = [abs(a - b) / max(1e-8, abs(a) + abs(b)) for a, b in zip(x.flat, y.flat)]
    return float(np.max(errors, initial=0))


def gradient_of_a_number(f, x, verbose, h):
    return np.reshape(list(differences(f, x, h)), x.shape)


def gradient_of_an_array(f, x, df, h):
    if x.size and df.shape not in ((), x.shape):
        raise ValueError
    return np.reshape([np.sum(difference * df) for difference in differences(f, x, h)], x.shape)


def point_call(f, **others):
    return lambda rng: {"f": f, "x": rng.standard_normal(tuple(rng.integers(1, 3, 2))), "h": 1e-3, **others}


def contracted_call(rng):
    call = point_call(halves)(rng)
    return {**call, "df": rng.standard_normal(call["x"].shape)}


def sparse_call(rng):
    call = point_call(squares)(rng)
    return {**call, "analytic_grad": 2 * call["x"], "num_checks": 2}


def write_product(a, b, output):
    output.vals = a.vals * b.vals


def blobs_call(rng):
    inputs = [SimpleNamespace(vals=rng.standard_normal(3)) for _ in range(2)]
    return {"f": write_product, "inputs": inputs, "output": SimpleNamespace(vals=None, diffs=rng.standard_normal(3)),
            "h": 1e-3}  # fmt: skip


def net_call(rng):
    call = blobs_call(rng)
    net = SimpleNamespace(forward=lambda: write_product(*call["inputs"], call["output"]))
    return {"net": net, **{name: call[name] for name in ("inputs", "output", "h")}}


def product_gradients(inputs, output, h, **_):
    a, b = (blob.vals for blob in inputs)
    return [((a + h) * b - (a - h) * b) / (2 * h) * output.diffs, ((b + h) * a - (b - h) * a) / (2 * h) * output.diffs]


NO_ARRAYS = [SimpleNamespace(), SimpleNamespace(vals=[1.0], diffs=[1.0]), SimpleNamespace(vals=None, diffs=None)]
BLOBS = {
    "inputs": Values(wrong=[None, 1, [None], ["vals"], *([blob] for blob in NO_ARRAYS)]),
    "output": Values(wrong=[None, 1, "vals", [], *NO_ARRAYS]),
    "h": Rate(above=0, fits=lambda number: False),
}
POINT = {"x": Shifted(), "h": Rate(above=0, fits=lambda number: False)}
NO_NUMBER = [lambda x: x, lambda x: None, lambda x: "text", lambda x: 1j]
GRADIENTS = [
    Row(gradient_check.rel_error, lambda rng: {"x": rng.standard_normal((2, 3)), "y": rng.standard_normal((2, 3))},
        {"x": Array(fixed=False), "y": Array(fixed=False)}, oracle=largest_relative_difference, tolerance=2),
    Row(gradient_check.eval_numerical_gradient, point_call(squares, verbose=False),
        {**POINT, "f": Values(wrong=NO_FUNCTIONS, either=NO_NUMBER), "verbose": FLAG}, oracle=gradient_of_a_number,
        tolerance=1e4),
    Row(gradient_check.eval_numerical_gradient_array, contracted_call,
        {**POINT, "f": Values(wrong=NO_FUNCTIONS, either=NO_NUMBER[1:]), "df": Array(fixed=False)},
        oracle=gradient_of_an_array, tolerance=1e4),
    Row(gradient_check.eval_numerical_gradient_blobs, blobs_call, {**BLOBS, "f": Values(wrong=NO_FUNCTIONS)},
        oracle=product_gradients, tolerance=1e4),
    Row(gradient_check.eval_numerical_gradient_net, net_call,
        {**BLOBS, "net": Values(wrong=[None, 1, "net", SimpleNamespace(), SimpleNamespace(forward=1)])},
        oracle=lambda inputs, output, h, net: product_gradients(inputs, output, h), tolerance=1e4),
    Row(gradient_check.grad_check_sparse, sparse_call,
        {**POINT, "f": Values(wrong=NO_FUNCTIONS), "analytic_grad": Array(),
         "num_checks": Integer(least=0, most=2**53)}, random=True),
]  # fmt: skip


# Networks


def net_of(*arguments, **keywords):
    return lambda rng: FullyConnectedNet(*arguments, **keywords)


def shown(net):
    return [net.num_layers, *net.params.values()] if hasattr(net, "num_layers") else [*net.params.values()]


def batch_call(shape, **keywords):
    """Good calls of the loss of a net with inputs of a shape and three classes."""

    def call(rng):
        N = int(rng.integers(1, 4))
        if isinstance(shape, int):
            net = FullyConnectedNet([3], shape, 3, weight_scale=1.0, dtype=np.float64, **keywords)
        else:
            net = ThreeLayerConvNet(shape, 2, 3, 3, 3, weight_scale=1.0, dtype=np.float64, **keywords)
        size = (N, shape) if isinstance(shape, int) else (N, *shape)
        return {"net": net, "X": rng.standard_normal(size), "y": rng.integers(0, 3, N)}

    return call


def two_layers(net, X, y):
    """Loss and gradients of affine - ReLU - affine - softmax with an L2 penalty of 0.1, by the formulas."""
    W1, b1, W2, b2 = (net.params[name] for name in ("W1", "b1", "W2", "b2"))
    X = X.reshape(len(X), len(W1))
    hidden = np.maximum(X @ W1 + b1, 0)
    scores = hidden @ W2 + b2
    if y is None:
        return scores
    if y.shape != X.shape[:1] or len(y) == 0:
        raise ValueError
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    rows = np.arange(len(y))
    loss = np.mean(np.log(np.exp(scores - scores.max(axis=1, keepdims=True)).sum(axis=1))
                   - scores[rows, y] + scores.max(axis=1)) + 0.05 * (np.sum(W1**2) + np.sum(W2**2))
    p[rows, y] -= 1
    dhidden = np.where(hidden > 0, p / len(y) @ W2.T, 0)
    grads = {"W1": X.T @ dhidden + 0.1 * W1, "b1": dhidden.sum(axis=0),
             "W2": hidden.T @ p / len(y) + 0.1 * W2, "b2": p.sum(axis=0) / len(y)}  # fmt: skip
    return [float(loss), grads]


def sorted_gradients(returned):
    if isinstance(returned, np.ndarray):
        return returned
    loss, grads = returned
    return [loss, {name: grads[name] for name in sorted(grads)}]


def penalized(params, grads, reg):
    grads = copy.deepcopy(grads)
    return [weights.add_penalty(params, grads, reg), grads]


def penalty(params, grads, reg):
    W = params["W1"]
    return [reg * 0.5 * float(np.sum(W**2)), {**grads, "W1": grads["W1"] + reg * W}]


def penalty_call(rng):
    params = {"W1": rng.standard_normal((2, 3)), "b1": rng.standard_normal(3)}
    return {"params": params, "grads": {name: rng.standard_normal(p.shape) for name, p in params.items()}, "reg": 0.1}


DIMENSIONS = Values(wrong=[None, 3, "3", {3}, {3: 3}, [0], [-1], [1.5], [None], ["3"], [[3]], [True], [3, [3]], 1.5,
                           np.array(3), np.array([[3, 3]]), np.array([1.5]), [10**30], b"33", math.sqrt])
FC_ARGUMENTS = {
    "hidden_dims": DIMENSIONS, "input_dim": Integer(least=1, most=2**53), "num_classes": Integer(least=1, most=2**53),
    "dropout_keep_ratio": Number(above=0, most=1), "reg": Number(least=0), "weight_scale": Rate(least=0),
    "dtype": TYPES,
    "normalization": Values(valid=[None, "batchnorm", "layernorm"],
                            wrong=["groupnorm", "", 1, True, [], ["batchnorm"], np.array(["batchnorm"]), np.ones(2)]),
    "seed": Integer(least=0, most=2**32 - 1, optional=True),
}  # fmt: skip
IMAGE_SHAPES = Values(wrong=[None, 3, "144", (1, 4), (1, 4, 4, 4), (1, 3, 4), (1, 4, 3), (0, 4, 4), (1, -2, 4),
                             (1.0, 4, 4), (1, None, 4), {1, 2, 4}, np.array(4), np.ones((3, 1)), [[1, 4, 4]]])
SIZES = Integer(least=1, most=2**53)
NETS = [
    Row(FullyConnectedNet, lambda rng: {"hidden_dims": [3], "input_dim": 4, "num_classes": 2}, FC_ARGUMENTS,
        result=shown, random=True),
    Row(lambda net, X, y: net.loss(X, y), batch_call(4, reg=0.1), {"X": Array(fixed=False), "y": LabelsOrNone()},
        oracle=two_layers, result=sorted_gradients, name="FullyConnectedNet.loss", nan_for_number=True, tolerance=10,
        random=True),
    Row(lambda net, X, y: net.loss(X, y), batch_call(4, normalization="layernorm", dropout_keep_ratio=0.5),
        {"X": Array(fixed=False), "y": LabelsOrNone()}, name="FullyConnectedNet.loss", random=True, tolerance=1e4),
    Row(ThreeLayerConvNet, lambda rng: {"input_dim": (1, 4, 4), "num_filters": 2, "filter_size": 3, "hidden_dim": 3,
                                        "num_classes": 2},
        {"input_dim": IMAGE_SHAPES, "num_filters": SIZES, "hidden_dim": SIZES, "num_classes": SIZES,
         "filter_size": Integer(least=1, most=2**53, fits=lambda number: False), "weight_scale": Rate(least=0),
         "reg": Number(least=0), "dtype": TYPES}, result=shown, random=True),
    Row(lambda net, X, y: net.loss(X, y), batch_call((1, 4, 4), reg=0.1), {"X": Array(), "y": LabelsOrNone()},
        name="ThreeLayerConvNet.loss", random=True, tolerance=1e4, nan_for_number=True),
    Row(weights.initial_weights, lambda rng: {"shape": (2, 3), "weight_scale": 0.1},
        {"weight_scale": Rate(least=0), "shape": Values(valid=[(3, 2), [2, 3], (2, 1, 3, 3)])}, random=True),
    Row(penalized, penalty_call,
        {"reg": Number(least=0), "params": Values(wrong=[None, 1, [], "W1"]),
         "grads": Values(wrong=[None, 1, [], "W1", {}, {"W1": None}, {"W1": np.zeros(2)}, {"W1": "text"}])},
        oracle=penalty, name="add_penalty"),
]  # fmt: skip


# The Solver


class Nearest:
    """A model of two numbers, the centres of two classes, for inputs of one number."""

    def __init__(self):
        self.params = {"centres": np.array([0.0, 1.0])}

    def loss(self, X, y=None):
        X = np.asarray(X, np.float64)
        distances = (X.reshape(len(X), -1)[:, :1] if X.size else np.zeros((len(X), 1))) - self.params["centres"]
        if y is None:
            return -np.abs(distances)
        error = distances[np.arange(len(y)), y]
        return float(np.mean(error**2)), {"centres": np.array([-2 * np.mean(error), 0.0])}


def solver_call(rng):
    data = {"X_train": rng.standard_normal((4, 1)), "y_train": rng.integers(0, 2, 4),
            "X_val": rng.standard_normal((2, 1)), "y_val": rng.integers(0, 2, 2)}  # fmt: skip
    return {"model": Nearest(), "data": data, "optim_config": {}, "verbose": False}


def made(**arguments):
    Solver(**arguments)
    return True


def resumed(**arguments):
    """Whether a file was looked for, which is not there."""
    try:
        return Solver.resume(**arguments)
    except FileNotFoundError:
        return True


def trained(**arguments):
    solver = Solver(**{"batch_size": 2, "num_epochs": 2, **arguments})
    solver.train()
    return solver.loss_history


def accuracy_call(rng):
    return {"X": rng.standard_normal((5, 1)), "y": rng.integers(0, 2, 5)}


def check_accuracy(**arguments):
    solver = Solver(**solver_call(np.random.default_rng(0)))
    return solver.check_accuracy(**arguments)


def accuracy(X, y, num_samples=None, batch_size=100):
    if X.ndim == 0 or y.shape != X.shape[:1] or len(y) == 0:
        raise ValueError
    if num_samples is not None and num_samples < len(X):
        sample = np.random.choice(len(X), num_samples)
        X, y = X[sample], y[sample]
    return float(np.mean([np.argmax(Nearest().loss(x[None])) == label for x, label in zip(X, y)]))


COUNT, SOME = Integer(least=1, most=2**53), Integer(least=1, most=2**53, optional=True)
SOLVER = {
    "model": Values(wrong=[None, 1, "net", {}, SimpleNamespace(params={}), SimpleNamespace(params=[], loss=len)]),
    "data": Entries({"X_train": Array(fixed=False), "y_train": AnyLabels(), "X_val": Array(fixed=False),
                     "y_val": AnyLabels()}, required=("X_train", "y_train", "X_val", "y_val")),
    "update_rule": Values(valid=["sgd", "adam", optim.rmsprop], wrong=[None, 1, "", "math", "Adam", ["adam"], {}]),
    "optim_config": Entries({"learning_rate": Number(least=0)}),
    "lr_decay": Number(above=0), "batch_size": COUNT, "num_epochs": Integer(least=0, most=2**53),
    "num_train_samples": SOME, "num_val_samples": SOME, "print_every": COUNT, "verbose": FLAG,
    "nonfinite": Values(valid=["continue", "stop"], wrong=[None, "", "go", 1, True, [], np.array(["stop"]), {}]),
    "checkpoint_name": Values(valid=[None, "run", Path("run")], wrong=NO_PATHS),
}  # fmt: skip
SOLVERS = [
    Row(made, solver_call, SOLVER, name="Solver"),
    Row(trained, solver_call,
        {"data": SOLVER["data"], "optim_config": Entries({"learning_rate": Rate(least=0)}), "lr_decay": Rate(above=0),
         "batch_size": Integer(least=1, most=2**53), "num_train_samples": SOME, "num_val_samples": SOME,
         "update_rule": Values(valid=["sgd", "adam", optim.rmsprop])},
        name="Solver.train", random=True, tolerance=1e3, nan_for_number=True),
    Row(check_accuracy, accuracy_call,
        {"X": Array(fixed=False), "y": AnyLabels(), "num_samples": SOME, "batch_size": COUNT},
        oracle=accuracy, random=True, name="Solver.check_accuracy"),
    Row(resumed, lambda rng: {**solver_call(rng), "path": "nowhere"}, {"path": PATHS}, name="Solver.resume"),
    Row(lambda text: solver.NonFiniteLossWarning(text), lambda rng: {"text": "nan"},
        {"text": Values(valid=["nan", ""])}, result=str, name="NonFiniteLossWarning"),
]  # fmt: skip


# Checkpoints


FOLDER = tempfile.TemporaryDirectory()
CHECKPOINT = f"{FOLDER.name}/run_epoch_1.npz"
checkpoints.save(CHECKPOINT, {"epoch": 1})
TREES = Values(wrong=[None, 1, "tree", [], [("a", 1)], np.ones(2)])
CHECKPOINTS = [
    Row(checkpoints.latest_checkpoint, lambda rng: {"checkpoint_name": f"{FOLDER.name}/run"},
        {"checkpoint_name": PATHS}),
    Row(checkpoints.prepare, lambda rng: {"checkpoint_name": f"{FOLDER.name}/run"}, {"checkpoint_name": PATHS}),
    Row(checkpoints.load, lambda rng: {"path": CHECKPOINT}, {"path": PATHS}),
    Row(checkpoints.save, lambda rng: {"path": f"{FOLDER.name}/other.npz", "run": {"w": np.ones(2)}},
        {"path": PATHS,
         "run": Values(wrong=[None, 1, "run", [], {1: 2}, {"run": {1}}, {"run": 1j}, {"run": np.array([None])},
                              *({name: 1} for name in checkpoints.OWN_NAMES)])}),
    Row(checkpoints.require_same, lambda rng: {"path": "run", "was": {"a": {"b": 1}}, "now": {"a": {"b": 1}}},
        {"was": TREES, "now": TREES}),
    Row(checkpoints.describe_data, lambda rng: {"data": {"X": rng.standard_normal((2, 3)), "y": np.arange(2)}},
        {"data": Entries({"X": Array(fixed=False), "y": Array(fixed=False)})}, result=len),
    Row(checkpoints.describe_model, lambda rng: {"model": Nearest()},
        {"model": Values(wrong=[None, 1, "net", {}, SimpleNamespace(), SimpleNamespace(params=[1])])}),
]  # fmt: skip

ROWS = [*OPTIM, *GRADIENTS, *NETS, *SOLVERS, *CHECKPOINTS]


@pytest.mark.parametrize("row", ROWS, ids=str)
@given(data=st.data())
def test_every_call_gives_the_right_result_or_names_the_argument(row, data):
    row.check(data)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_every_mistake_alone_gives_the_right_result_or_names_the_argument(row):
    row.check_each()


def test_the_tables_cover_every_public_name():
    assert_covers(ROWS, optim, gradient_check, fc_net, cnn, weights, solver, checkpoints)
