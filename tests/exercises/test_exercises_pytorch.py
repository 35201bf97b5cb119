"""Exercises of the lesson PyTorch: what its cells define."""

import pytest
import student
import torch
import torch.nn.functional as F
from canaries import *
from hints import explained, require, require_that

from tools.course.learner import Function, learner
from tools.course.wire import Handle

exercise = pytest.mark.exercise
LESSON = "PyTorch"


def definition(name):
    return student.definition(LESSON, name)


def convnet_scores(x, conv_w1, conv_b1, conv_w2, conv_b2, fc_w, fc_b, first=torch.relu, second=torch.relu):
    """Conv 5×5 - ReLU - conv 3×3 - ReLU - affine; fc_w is (inputs, classes)."""
    x = first(F.conv2d(x, conv_w1, conv_b1, padding=2))
    x = second(F.conv2d(x, conv_w2, conv_b2, padding=1))
    return x.flatten(1) @ fc_w + fc_b


def same(x):
    return x


def convnet_mistakes(x, *params):
    right = convnet_scores(x, *params)
    conv_w1, conv_b1, conv_w2, conv_b2, fc_w, fc_b = params
    mistakes = {
        "the ReLU after the first convolution is missing": convnet_scores(x, *params, first=same),
        "the ReLU after the second convolution is missing": convnet_scores(x, *params, second=same),
        "the ReLUs are missing": convnet_scores(x, *params, first=same, second=same),
        "the biases are missing": convnet_scores(x, *(w if w.dim() > 1 else 0 * w for w in params)),
        "the first bias, conv_b1, is missing": convnet_scores(x, conv_w1, 0 * conv_b1, conv_w2, conv_b2, fc_w, fc_b),
        "the second bias, conv_b2, is missing": convnet_scores(x, conv_w1, conv_b1, conv_w2, 0 * conv_b2, fc_w, fc_b),
        "the last bias, fc_b, is missing": right - fc_b,
    }
    return mistakes | after_the_last(right)


def after_the_last(scores):
    return {
        "a ReLU after the last layer": scores.relu(),
        "a softmax after the last layer, the scores as they are expected": scores.softmax(1),
        "a log-softmax after the last layer, the scores as they are expected": scores.log_softmax(1),
    }


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
    two_layer_fc = definition("two_layer_fc")
    two_layer_fc(x.flatten(1), params)
    with explained("x of shape (5, 3, 2, 2) is to be flattened to (5, 12)"):
        scores = two_layer_fc(x, params)
    mistakes = {
        "the ReLU is missing": hidden @ w2 + b2,
        "the biases are missing": (x.flatten(1) @ w1).relu() @ w2,
        "the first bias, b1, is missing": (x.flatten(1) @ w1).relu() @ w2 + b2,
        "the last bias, b2, is missing": right - b2,
    }
    require_scores(scores, right, mistakes | after_the_last(right))


@exercise("two_layer_fc", 1)
def test_two_layer_fc_has_gradients():
    with explained("each parameter must get a gradient"):
        grads = student.gradients(definition("two_layer_fc"), torch.randn(5, 12), two_layer_parameters())
    require_that(all(grad is not None for grad in grads), "scores: each parameter must get a gradient")


def convnet_parameters():
    torch.manual_seed(0)
    shapes = [(6, 3, 5, 5), (6,), (4, 6, 3, 3), (4,), (4 * 8 * 8, 10), (10,)]
    return torch.randn(3, 3, 8, 8), [0.3 * torch.randn(shape) for shape in shapes]


@exercise("three_layer_convnet", 2)
def test_three_layer_convnet():
    x, params = convnet_parameters()
    with explained("with padding 2 for 5 × 5 and 1 for 3 × 3, the images keep their size"):
        scores = definition("three_layer_convnet")(x, params)
    require_scores(scores, convnet_scores(x, *params), convnet_mistakes(x, *params))


@exercise("three_layer_convnet", 1)
def test_three_layer_convnet_keeps_the_size_of_the_images():
    torch.manual_seed(0)
    shapes = [(2, 1, 5, 5), (2,), (3, 2, 3, 3), (3,), (3 * 6 * 9, 5), (5,)]
    scores = definition("three_layer_convnet")(torch.randn(2, 1, 6, 9), [torch.randn(s) for s in shapes])
    require_that(tuple(scores.shape) == (2, 5), f"scores: shape (2, 5) expected, got {tuple(scores.shape)}")


def parameters(module, *shapes, what="", in_order=False):
    """The parameters of a module, which must have these shapes, and may have to be made in this order."""
    is_module = isinstance(module, Handle) and "Module" in module.kinds
    require_that(is_module, f"an nn.Module expected, got {module.kinds[0] if isinstance(module, Handle) else module!r}")
    found = student.parameters(module)
    got = [tuple(w.shape) for w in found]
    require_that(sorted(got) == sorted(shapes), f"parameters: shapes {list(shapes)} expected, got {got}{what}")
    require_that(
        got == list(shapes) or not in_order,
        f"parameters: make the layer first that is used first; shapes in the order {list(shapes)} expected, got {got}",
    )
    return [next(w for w in found if tuple(w.shape) == shape) for shape in shapes]


@exercise("TwoLayerFC", 1)
def test_two_layer_module_has_its_parameters():
    parameters(definition("TwoLayerFC")(12, 7, 4), (7, 12), (7,), (4, 7), (4,), in_order=True)


@exercise("TwoLayerFC", 1)
def test_two_layer_module_scores():
    model = definition("TwoLayerFC")(12, 7, 4)
    w1, b1, w2, b2 = parameters(model, (7, 12), (7,), (4, 7), (4,))
    x = torch.randn(5, 3, 2, 2)
    hidden = F.linear(x.flatten(1), w1, b1)
    right = F.linear(hidden.relu(), w2, b2)
    Function(model)(x.flatten(1))
    with explained("x of shape (5, 3, 2, 2) is to be flattened to (5, 12)"):
        scores = Function(model)(x)
    require_scores(scores, right, {"the ReLU is missing": F.linear(hidden, w2, b2), **after_the_last(right)})


CONVNET_SHAPES = [(6, 3, 5, 5), (6,), (4, 6, 3, 3), (4,), (10, 4 * 32 * 32), (10,)]


def require_convnet_parameters(make):
    """The right ones, for images of any number of channels."""
    parameters(make(3, 6, 4, 10), *CONVNET_SHAPES, in_order=True)
    what = "; in_channel is 1, the number of channels of the images"
    parameters(make(1, 6, 4, 10), (6, 1, 5, 5), *CONVNET_SHAPES[1:], what=what)


def require_convnet_scores(model):
    conv_w1, conv_b1, conv_w2, conv_b2, fc_w, fc_b = parameters(model, *CONVNET_SHAPES)
    x = torch.randn(2, 3, 32, 32)
    arrays = conv_w1, conv_b1, conv_w2, conv_b2, fc_w.T, fc_b
    with explained("with padding 2 for 5 × 5 and 1 for 3 × 3, the images keep their size"):
        scores = Function(model)(x)
    require_scores(scores, convnet_scores(x, *arrays), convnet_mistakes(x, *arrays))


@exercise("ThreeLayerConvNet", 2)
def test_convnet_module_has_its_parameters():
    require_convnet_parameters(definition("ThreeLayerConvNet"))


@exercise("ThreeLayerConvNet", 2)
def test_convnet_module_scores():
    require_convnet_scores(definition("ThreeLayerConvNet")(3, 6, 4, 10))


@exercise("sequential_convnet", 1)
def test_sequential_convnet_is_a_sequence_with_its_parameters():
    model = definition("sequential_convnet")(3, 6, 4, 10)
    is_sequence = isinstance(model, Handle) and "Sequential" in model.kinds
    require_that(is_sequence, "an nn.Sequential expected, got something else")
    require_convnet_parameters(definition("sequential_convnet"))
    names = "conv1", "relu1", "conv2", "relu2", "flatten", "fc"
    with explained(f"the layers are called {', '.join(names)}"):
        for name in names:
            learner.ask("attribute", object=model, name=name)


@exercise("sequential_convnet", 2)
def test_sequential_convnet_scores():
    require_convnet_scores(definition("sequential_convnet")(3, 6, 4, 10))
