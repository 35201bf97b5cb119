"""The package imports quietly and lightly, and says what it offers; ruff sees to the form of its docstrings."""

import importlib
import inspect
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import cs231n

FOUND = {module.name for module in pkgutil.walk_packages(cs231n.__path__, "cs231n.")}
MODULES = sorted(FOUND - {"cs231n.setup"})  # a command
FOR_PYTORCH = [name for name in MODULES if name.startswith(("cs231n.challenge", "cs231n.data.torch_data"))]
OTHERS = [name for name in MODULES if name not in FOR_PYTORCH]
# Whose functions are a line or two, all called alike.
CHECKS = {"cs231n.arguments", "cs231n.layer_utils", "cs231n.layers.windows"}

IMPORTS = f"""
import sys, cs231n.classifiers.cnn, cs231n.classifiers.fc_net, cs231n.gradient_check, cs231n.solver
print("training needs", [name for name in ("torch", "matplotlib", "IPython", "scipy") if name in sys.modules])
import {", ".join(OTHERS)}
print("all else needs", [name for name in ("torch",) if name in sys.modules])
import {", ".join(FOR_PYTORCH)}
"""


def test_imports_are_silent_and_bring_nothing_that_is_not_needed():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORTS],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "MPLBACKEND": "Agg"},
    )
    assert (done.stdout, done.stderr) == ("training needs []\nall else needs []\n", "")


def test_a_home_that_cannot_be_written_is_no_matter_of_a_lesson():
    environ = {name: value for name, value in os.environ.items() if name not in ("MPLCONFIGDIR", "XDG_CONFIG_HOME")}
    done = subprocess.run(
        [sys.executable, "-c", "from cs231n import lesson; import matplotlib.pyplot"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**environ, "HOME": os.devnull},
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_star_imports_bring_what_a_module_offers():
    for name in MODULES:
        exec(f"from {name} import *", {})
        module = importlib.import_module(name)
        offers = getattr(module, "__all__", [])
        assert len({*offers}) == len(offers), name


def documented_parameters(docstring):
    """The names that stand in the section Parameters, which ends at an empty line."""
    _, _, section = (docstring or "").partition("Parameters\n----------\n")
    entries = re.findall(r"^(\S.*?)(?: : .*)?$", section.split("\n\n")[0], re.MULTILINE)
    return re.findall(r"\w+", " ".join(entries))


def documented():
    """The functions that modules offer, and those classes and methods whose docstrings have a section Parameters."""
    for name in sorted({*MODULES} - CHECKS):
        module = importlib.import_module(name)
        for offer in map(vars(module).get, getattr(module, "__all__", ())):
            if getattr(offer, "__module__", name) != name:
                continue  # documented where it is from
            if inspect.isfunction(offer):
                yield offer
            elif inspect.isclass(offer):
                methods = inspect.getmembers(offer, lambda it: inspect.isfunction(it) or inspect.ismethod(it))
                yield from (it for it in (offer, *dict(methods).values()) if documented_parameters(inspect.getdoc(it)))


def test_docstrings_list_the_parameters_of_the_signature():
    for offer in documented():
        doc = inspect.getdoc(offer)
        parameters = [name for name in inspect.signature(offer).parameters if name != "self"]
        if model := re.search(r"Arguments\b[^.]*:func:`~(\S+)\.(\w+)`", doc):
            model = getattr(importlib.import_module(model[1]), model[2])
            assert list(inspect.signature(model).parameters) == parameters, offer
        else:
            assert documented_parameters(doc) == parameters, offer
