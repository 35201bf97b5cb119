"""The package imports quietly and lightly, and says what it offers."""

import importlib
import inspect
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import cs231n
import cs231n.challenge
import cs231n.classifiers.cnn
import cs231n.classifiers.fc_net
import cs231n.data.torch_data
import cs231n.solver

MODULES = sorted(module.name for module in pkgutil.walk_packages(cs231n.__path__, "cs231n."))
LAYERS = [name for name in MODULES if name.startswith("cs231n.layers.")]
ROOMS = {"cs231n.classifiers", "cs231n.compute", "cs231n.data", "cs231n.pictures"}
FOR_PYTORCH = {name for name in MODULES if name.startswith("cs231n.challenge")} | {"cs231n.data.torch_data"}
# Whose functions are a line or two, all called alike.
CHECKS = {"cs231n.arguments", "cs231n.layer_utils", "cs231n.layers.windows"}


def run_python(*arguments):
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "MPLBACKEND": "Agg"},
        timeout=120,
    )


def test_importing_everything_prints_nothing_warns_of_nothing_and_leaves_pytorch_alone():
    without_pytorch = sorted(set(MODULES) - FOR_PYTORCH)
    script = f"import sys, {', '.join(['cs231n', *without_pytorch])}\nsys.exit('torch' in sys.modules)"
    done = run_python("-W", "error", "-c", script)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", sorted(FOR_PYTORCH))
def test_importing_what_is_for_pytorch_is_silent_too(name):
    done = run_python("-W", "error", "-c", f"import {name}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_training_loop_needs_neither_pictures_nor_notebooks():
    script = (
        "import sys, cs231n.classifiers.cnn, cs231n.classifiers.fc_net, cs231n.solver, cs231n.gradient_check\n"
        "print([name for name in ('torch', 'matplotlib', 'IPython', 'scipy') if name in sys.modules])"
    )
    assert run_python("-c", script).stdout == "[]\n"


def exported():
    for name in MODULES:
        module = importlib.import_module(name)
        for offer in getattr(module, "__all__", ()):
            yield name, offer


@pytest.mark.parametrize("name", sorted(set(MODULES) - ROOMS))
def test_a_module_says_what_it_offers(name):
    module = importlib.import_module(name)
    assert module.__doc__
    assert len(set(module.__all__)) == len(module.__all__)
    assert all(hasattr(module, offer) for offer in module.__all__)


@pytest.mark.parametrize("name", MODULES)
def test_a_star_import_brings_what_is_offered(name):
    namespace = {}
    exec(f"from {name} import *", namespace)
    assert set(getattr(importlib.import_module(name), "__all__", ())) <= set(namespace)


@pytest.mark.parametrize("room", LAYERS)
def test_the_layers_package_offers_every_layer(room):
    layers, module = importlib.import_module("cs231n.layers"), importlib.import_module(room)
    for name in module.__all__:
        if name.endswith(("_forward", "_backward", "_naive", "_loss")):
            assert name in layers.__all__
            assert getattr(layers, name) is getattr(module, name)


def test_a_forward_pass_stands_beside_its_backward_pass():
    for module in ("cs231n.layers", "cs231n.layer_utils"):
        offers = importlib.import_module(module).__all__
        for name in offers:
            if "_forward" in name:
                assert name.replace("_forward", "_backward") in offers


def documented_parameters(docstring):
    """The names that stand in the section Parameters, which ends at an empty line."""
    _, _, section = docstring.partition("Parameters\n----------\n")
    entries = re.findall(r"^(\S.*?)(?: : .*)?$", section.split("\n\n")[0], re.MULTILINE)
    return re.findall(r"\w+", " ".join(entries))


@pytest.mark.parametrize(("module", "name"), list(exported()))
def test_what_is_offered_is_documented_with_its_parameters(module, name):
    offer = getattr(importlib.import_module(module), name)
    if inspect.isroutine(offer) or inspect.isclass(offer):
        assert inspect.getdoc(offer)
    if inspect.isfunction(offer) and module not in CHECKS:
        if model := re.search(r"Arguments\b[^.]*:func:`~(\S+)\.(\w+)`", inspect.getdoc(offer)):
            offer = getattr(importlib.import_module(model[1]), model[2])
            assert inspect.signature(offer) == inspect.signature(getattr(importlib.import_module(module), name))
        assert documented_parameters(inspect.getdoc(offer)) == list(inspect.signature(offer).parameters)


@pytest.mark.parametrize(
    "offer",
    [
        cs231n.classifiers.fc_net.FullyConnectedNet,
        cs231n.classifiers.fc_net.FullyConnectedNet.loss,
        cs231n.classifiers.cnn.ThreeLayerConvNet,
        cs231n.classifiers.cnn.ThreeLayerConvNet.loss,
        cs231n.solver.Solver.check_accuracy,
        cs231n.challenge.ResNet,
        cs231n.challenge.Settings,
        cs231n.challenge.Training,
        cs231n.challenge.Training.run,
        cs231n.data.torch_data.Images,
    ],
)
def test_a_class_documents_the_parameters_of_its_methods(offer):
    parameters = [name for name in inspect.signature(offer).parameters if name != "self"]
    assert documented_parameters(inspect.getdoc(offer)) == parameters
