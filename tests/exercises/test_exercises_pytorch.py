"""Exercises of the lesson PyTorch: what its cells define."""

import pytest
import student
import torch
import torch.nn.functional as F
from canaries import *
from hints import require, require_that

from tools.course.learner import Function
from tools.course.wire import Handle

exercise = pytest.mark.exercise
LESSON = "PyTorch"


def definition(name):
    return student.definition(LESSON, name)


def convnet_scores(x, conv_w1, conv_b1, conv_w2, conv_b2, fc_w, fc_b):
    """Conv 5×5 - ReLU - conv 3×3 - ReLU - affine; fc_w is (inputs, classes)."""
    x = F.conv2d(x, conv_w1, conv_b1, padding=2).relu()
    x = F.conv2d(x, conv_w2, conv_b2, padding=1).relu()
    return x.flatten(1) @ fc_w + fc_b


def require_scores(got, expected, mistakes):
    require_that(isinstance(got, torch.Tensor), f"scores: a tensor expected, got {type(got).__name__}")
    require(
        "scores",
        got.detach().numpy(),
        expected.detach().numpy(),
        {what: mistake.detach().numpy() for what, mistake in mistakes.items()},
        rtol=1e-4,
        atol=1e-5,
    )


def two_layer_parameters():
    torch.manual_seed(0)
    return [torch.randn(shape, requires_grad=True) for shape in ((12, 7), (7,), (7, 4), (4,))]


@exercise("two_layer_fc", 1)
def test_two_layer_fc():
    w1, b1, w2, b2 = params = two_layer_parameters()
    x = torch.randn(5, 3, 2, 2)
    hidden = x.flatten(1) @ w1 + b1
    right = hidden.relu() @ w2 + b2
    require_scores(
        definition("two_layer_fc")(x, params),
        right,
        {
            "the ReLU is missing": hidden @ w2 + b2,
            "a ReLU after the last layer": right.relu(),
            "the biases are missing": (x.flatten(1) @ w1).relu() @ w2,
        },
    )


@exercise("two_layer_fc", 1)
def test_two_layer_fc_has_gradients():
    grads = student.gradients(definition("two_layer_fc"), torch.randn(5, 12), two_layer_parameters())
    require_that(all(grad is not None for grad in grads), "scores: each parameter must get a gradient")


def convnet_parameters():
    torch.manual_seed(0)
    shapes = [(6, 3, 5, 5), (6,), (4, 6, 3, 3), (4,), (4 * 8 * 8, 10), (10,)]
    return torch.randn(3, 3, 8, 8), [0.3 * torch.randn(shape) for shape in shapes]


@exercise("three_layer_convnet", 2)
def test_three_layer_convnet():
    x, params = convnet_parameters()
    require_scores(
        definition("three_layer_convnet")(x, params),
        convnet_scores(x, *params),
        {
            "the biases are missing": convnet_scores(x, *(w if w.dim() > 1 else 0 * w for w in params)),
        },
    )


@exercise("three_layer_convnet", 1)
def test_three_layer_convnet_keeps_the_size_of_the_images():
    torch.manual_seed(0)
    shapes = [(2, 1, 5, 5), (2,), (3, 2, 3, 3), (3,), (3 * 6 * 9, 5), (5,)]
    scores = definition("three_layer_convnet")(torch.randn(2, 1, 6, 9), [torch.randn(s) for s in shapes])
    require_that(tuple(scores.shape) == (2, 5), f"scores: shape (2, 5) expected, got {tuple(scores.shape)}")


def parameters(module, *shapes):
    """The parameters of a module, which must have these shapes."""
    is_module = isinstance(module, Handle) and "Module" in module.kinds
    require_that(is_module, f"an nn.Module expected, got {module.kinds[0] if isinstance(module, Handle) else module!r}")
    found = student.parameters(module)
    got = [tuple(w.shape) for w in found]
    require_that(sorted(got) == sorted(shapes), f"parameters: shapes {list(shapes)} expected, got {got}")
    return [next(w for w in found if tuple(w.shape) == shape) for shape in shapes]


@exercise("TwoLayerFC", 1)
def test_two_layer_module_has_its_parameters():
    parameters(definition("TwoLayerFC")(12, 7, 4), (7, 12), (7,), (4, 7), (4,))


@exercise("TwoLayerFC", 1)
def test_two_layer_module_scores():
    model = definition("TwoLayerFC")(12, 7, 4)
    w1, b1, w2, b2 = parameters(model, (7, 12), (7,), (4, 7), (4,))
    x = torch.randn(5, 3, 2, 2)
    hidden = F.linear(x.flatten(1), w1, b1)
    require_scores(
        Function(model)(x), F.linear(hidden.relu(), w2, b2), {"the ReLU is missing": F.linear(hidden, w2, b2)}
    )


CONVNET_SHAPES = [(6, 3, 5, 5), (6,), (4, 6, 3, 3), (4,), (10, 4 * 32 * 32), (10,)]


def require_convnet_scores(model):
    conv_w1, conv_b1, conv_w2, conv_b2, fc_w, fc_b = parameters(model, *CONVNET_SHAPES)
    x = torch.randn(2, 3, 32, 32)
    straight = F.conv2d(F.conv2d(x, conv_w1, conv_b1, padding=2), conv_w2, conv_b2, padding=1)
    require_scores(
        Function(model)(x),
        convnet_scores(x, conv_w1, conv_b1, conv_w2, conv_b2, fc_w.T, fc_b),
        {
            "the ReLUs are missing": F.linear(straight.flatten(1), fc_w, fc_b),
        },
    )


@exercise("ThreeLayerConvNet", 2)
def test_convnet_module_has_its_parameters():
    parameters(definition("ThreeLayerConvNet")(3, 6, 4, 10), *CONVNET_SHAPES)


@exercise("ThreeLayerConvNet", 2)
def test_convnet_module_scores():
    require_convnet_scores(definition("ThreeLayerConvNet")(3, 6, 4, 10))


@exercise("sequential_convnet", 1)
def test_sequential_convnet_is_a_sequence_with_its_parameters():
    model = definition("sequential_convnet")(3, 6, 4, 10)
    is_sequence = isinstance(model, Handle) and "Sequential" in model.kinds
    require_that(is_sequence, "an nn.Sequential expected, got something else")
    parameters(model, *CONVNET_SHAPES)


@exercise("sequential_convnet", 2)
def test_sequential_convnet_scores():
    require_convnet_scores(definition("sequential_convnet")(3, 6, 4, 10))
