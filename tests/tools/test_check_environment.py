"""What the check of the environment, and the install that ends with it, answer to a broken environment."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.install import check_environment

TOOLS = Path(check_environment.__file__).parent


def stub(folder, package, version, body=""):
    """A package that shadows the installed one."""
    (folder / package).mkdir()
    (folder / package / "__init__.py").write_text(body)
    metadata = folder / f"{package}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")


def check(folder):
    return subprocess.run(
        [sys.executable, TOOLS / "check_environment.py"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )


@pytest.fixture
def stubs(tmp_path):
    stub(tmp_path, "numpy", "2.0.2")
    stub(tmp_path, "torch", "2.13.0+cpu")
    return tmp_path


def test_a_sound_environment_is_named_with_its_versions(stubs):
    stub(stubs, "torchvision", "0.28.0")
    done = check(stubs)
    assert done.returncode == 0
    assert "numpy 2.0.2, torch 2.13.0+cpu, torchvision 0.28.0: ready." in done.stdout


@pytest.mark.parametrize(
    "error",
    [
        "RuntimeError('operator torchvision::nms does not exist')",
        "OSError('libtorchvision.so: undefined symbol: _ZN3c1017RegisterOperators\\nand more')",
        "ImportError('undefined symbol')",
    ],
)
def test_a_mismatched_torchvision_is_answered_in_one_line(stubs, error):
    stub(stubs, "torchvision", "0.29.1", f"raise {error}")
    done = check(stubs)
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("torchvision 0.29.1 does not work with torch 2.13.0+cpu (")
    assert line.endswith(f"{sys.executable} -m pip install --force-reinstall torch torchvision")


def test_a_broken_torch_is_not_blamed_on_torchvision(stubs):
    (stubs / "torch" / "__init__.py").write_text("raise ImportError('libcudart.so.13: cannot open shared object file')")
    done = check(stubs)
    assert done.returncode == 1
    assert done.stderr.startswith("torch 2.13.0+cpu does not import (ImportError: libcudart.so.13")


def test_an_old_python_is_named(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 9, 18))
    assert check_environment.complaint() == "Python 3.9 is too old: the lessons need 3.10 or newer."


@pytest.mark.skipif(sys.platform == "win32", reason="the shell script is for make")
class TestInstall:
    """``tools/install/install.sh`` with interpreters that cannot do it."""

    @staticmethod
    def install(folder, **environment):
        return subprocess.run(
            ["/bin/sh", TOOLS / "install.sh"],
            cwd=folder,
            capture_output=True,
            text=True,
            env={**os.environ, **environment},
        )

    @staticmethod
    def interpreter(folder, name, script):
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    def test_a_named_python_that_is_too_old_is_refused(self, tmp_path):
        old = self.interpreter(tmp_path, "old", "exit 1")
        done = self.install(tmp_path, PYTHON=str(old))
        assert done.returncode == 1
        assert done.stderr == f"PYTHON={old} is not a Python 3.10 or newer.\n"
        assert not (tmp_path / ".venv").exists()

    def test_no_python_at_all_is_answered_in_one_line(self, tmp_path):
        done = self.install(tmp_path, PYTHON="", PATH=str(tmp_path))
        assert done.returncode == 1
        assert done.stderr.startswith("No Python 3.10 or newer found: ")
        assert len(done.stderr.splitlines()) == 1

    def test_a_python_without_venv_is_answered_with_the_package_to_install(self, tmp_path):
        bare = self.interpreter(tmp_path, "bare", 'case "$2" in *ensurepip*) exit 1;; esac')
        done = self.install(tmp_path, PYTHON=str(bare))
        assert done.returncode == 1
        assert done.stderr.rstrip().endswith("(Debian, Ubuntu: apt install python3-venv).")
        assert not (tmp_path / ".venv").exists()
