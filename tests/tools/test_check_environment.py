"""What the check of the environment, and the install that ends with it, answer to a broken environment."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.install import check_environment

TOOLS = Path(check_environment.__file__).parent


@pytest.mark.parametrize(
    ("broken", "error", "told"),
    [
        ("torch", ImportError("libcudart.so.13: no file"), "torch 1.2 does not import (ImportError: libcudart.so.13"),
        ("torchvision", OSError("no nms\nno"), "torchvision 1.2 does not work with torch 1.2 (OSError: no nms)"),
        (None, None, "numpy 1.2, torch 1.2, torchvision 1.2: ready."),
    ],
)
def test_the_answer_is_one_line_that_names_what_is_broken(monkeypatch, capsys, broken, error, told):
    def import_module(name):
        if name == broken:
            raise error

    monkeypatch.setattr(importlib, "import_module", import_module)
    monkeypatch.setattr(importlib.metadata, "version", lambda package: "1.2")
    assert check_environment.main() == (1 if broken else 0)
    out, err = capsys.readouterr()
    (line,) = (err if broken else out).splitlines()
    assert told in line
    assert (f"{sys.executable} -m pip install --force-reinstall torch" in line) == bool(broken)


def test_an_old_python_is_named(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 9, 18))
    assert check_environment.complaint() == "Python 3.9 is too old: the lessons need 3.10 or newer."


def test_the_command_answers_a_package_that_raises_as_it_is_imported(tmp_path):
    for package in ("numpy", "torch", "torchvision"):
        (tmp_path / f"{package}.py").write_text("raise AttributeError" if package == "torchvision" else "")
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, TOOLS / "check_environment.py"], env=env, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert "(AttributeError: no message)" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="the shell script is for make")
@pytest.mark.parametrize(
    ("python", "told"),
    [
        ("exit 1", "is not a Python 3.10 or newer."),
        (None, "No Python 3.10 or newer found: "),
        ('case "$2" in *ensurepip*) exit 1;; esac', "(Debian, Ubuntu: apt install python3-venv)."),
    ],
)
def test_the_install_answers_a_python_that_cannot_do_it_in_one_line(tmp_path, python, told):
    named = tmp_path / "interpreter"
    named.write_text(f"#!/bin/sh\n{python}\n")
    named.chmod(0o755)
    env = {**os.environ, "PYTHON": str(named)} if python else {"PYTHON": "", "PATH": str(tmp_path)}
    done = subprocess.run(["/bin/sh", TOOLS / "install.sh"], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert told in line
    assert not (tmp_path / ".venv").exists()
