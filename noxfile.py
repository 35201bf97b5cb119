"""All tests under other Pythons, NumPys, BLAS kernels, threads, and with CIFAR-10; ``nox --list`` names the sessions.

``make matrix SESSION="cifar10"`` runs one of them. A version has an environment of its own, of up to 6 GB; the other
sessions run in the one that nox is called from. A session that cannot run as asked fails: what was not tested is not
green.
"""

import os
import sys
from pathlib import Path

import nox

nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = True

NUMPY = {("3.10", "oldest"): "==1.26.*", ("3.14", "oldest"): "==2.3.*"}  # the newest is what pip picks
KERNELS = {"Haswell": ("Haswell",), "SkylakeX": ("SkylakeX",), "Prescott": ("Prescott", "Katmai")}  # and other names
CIFAR10 = Path(os.environ.get("CS231N_CIFAR10_DIR", "datasets")) / "cifar-10-batches-py"


def make_test(session, *settings, **env):
    session.run("make", "test", *settings, env=env, external=True)


@nox.session
@nox.parametrize(
    ("python", "numpy"), [(python, numpy) for python in ("3.10", "3.14") for numpy in ("oldest", "newest")]
)
def versions(session, numpy):
    """The oldest and the newest Python, and of NumPy the oldest and the newest that each allows."""
    session.install("-r", "requirements.txt", f"numpy{NUMPY.get((session.python, numpy), '')}")
    make_test(session, "PY=python")


@nox.session(python=False)
@nox.parametrize("threads", [1, 2])
@nox.parametrize("kernel", list(KERNELS))
def kernels(session, kernel, threads):
    """OpenBLAS's kernels for AVX2, AVX-512 and SSE, with one and with two threads."""
    probe = "import numpy, threadpoolctl as t; print([p.get('architecture') for p in t.threadpool_info()])"
    used = session.run(sys.executable, "-c", probe, env={"OPENBLAS_CORETYPE": kernel}, silent=True, external=True)
    if not any(name in used for name in KERNELS[kernel]):
        session.error(f"OpenBLAS does not run its kernels for {kernel} on this processor, but {used.strip()}")
    make_test(session, f"THREADS={threads}", OPENBLAS_CORETYPE=kernel)


@nox.session(python=False)
def cifar10(session):
    """With CIFAR-10 where the package looks for it, so that the tests of the real files run too."""
    if not CIFAR10.is_dir():
        session.error(f"no {CIFAR10}: fetch it with make data")
    make_test(session)
