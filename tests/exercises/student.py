"""The exercises as the learner has written them: proxies that compute in the learner's own process."""

from functools import partial

from tools.course.exercises import EXERCISES
from tools.course.learner import START_SECONDS, Function, Net, learner
from tools.course.wire import Handle

NETS = {"FullyConnectedNet": "cs231n.classifiers.fc_net", "ThreeLayerConvNet": "cs231n.classifiers.cnn"}
LAYERS = {exercise.name for exercise in EXERCISES if exercise.file.startswith("cs231n/layers/")}
RULES = {exercise.name for exercise in EXERCISES if exercise.file == "cs231n/optim.py"}


def __getattr__(name):
    """``from student import affine_forward``: a layer, an update rule or a net."""
    if name in NETS:
        return partial(Net, f"{NETS[name]}:{name}")
    if name in LAYERS:
        return Function(f"cs231n.layers:{name}")
    if name in RULES:
        return Function(f"cs231n.optim:{name}")
    raise AttributeError(name)


def seed(number):
    """Seed NumPy's global random state where the learner's code draws from it."""
    learner.call("numpy.random:seed", [number], {})


def definition(lesson, name):
    """A function or class that a cell of a lesson defines."""
    if learner.opened != (learner.process, lesson):
        learner.ask("open", seconds=START_SECONDS, lesson=lesson)
        learner.opened = learner.process, lesson
    found = learner.ask("definition", lesson=lesson, name=name)
    return Function(found) if isinstance(found, Handle) else found


def parameters(module):
    """The parameters of a PyTorch module, as tensors."""
    return learner.ask("parameters", module=module)


def gradients(function, *args):
    """The gradients of the tensors in the last argument, for the sum of what a function of PyTorch's returns."""
    return learner.ask("gradients", function=function.target, args=list(args))
