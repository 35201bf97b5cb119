"""Each lesson, opened and run in JupyterLab by a browser; part of ``make nightly``."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from tools.lessons.run_lessons import COURSE, claims_of

ROOT = Path(__file__).resolve().parents[2]
MINUTES = 15  # that a lesson may take on a slow machine


@pytest.fixture(scope="module")
def workbook(tmp_path_factory):
    """A copy of the workbook, which may be saved to."""
    folder = tmp_path_factory.mktemp("workbook")
    for name in ("cs231n", "notebooks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"))
    return folder


@pytest.fixture(scope="module")
def lab(workbook):
    """The address of a JupyterLab of this Python that shows the copy."""
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser"]
    settings = {
        **os.environ,
        "CS231N_DATA": "shapes10",
        "JUPYTER_RUNTIME_DIR": str(workbook / "runtime"),
        "JUPYTER_CONFIG_DIR": str(workbook / "config"),
    }
    log = (workbook / "lab.log").open("wb")
    server = subprocess.Popen(command, cwd=workbook, env=settings, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 120
        while not (found := list((workbook / "runtime").glob("jpserver-*.json"))):
            assert server.poll() is None and time.monotonic() < deadline, (workbook / "lab.log").read_text()
            time.sleep(0.2)
        server_info = json.loads(found[0].read_text())
        yield f"{server_info['url']}lab/workspaces/{{0}}/tree/notebooks/{{0}}.ipynb?token={server_info['token']}"
    finally:
        server.terminate()
        server.wait(30)


def claims_in(path):
    """The claims that a lesson prints, by their words, and the errors and warnings in its outputs."""
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    claims = [re.sub(r"\d[\d.e+-]*", "0", claim) for cell in cells for claim in claims_of(cell)]
    outputs = [output for cell in cells for output in cell.outputs]
    faults = [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    return claims, faults, [cell.execution_count for cell in cells]


@pytest.mark.parametrize("lesson", COURSE)
def test_a_lesson_runs_in_jupyterlab_as_it_is_stored(workbook, lab, browser, lesson):
    page = browser.new_page()
    page.set_default_timeout(MINUTES * 60_000)
    page.goto(lab.format(lesson))
    page.wait_for_function(
        "() => window.jupyterapp?.shell.currentWidget?.context?.sessionContext?.session?.kernel?.status === 'idle'"
    )
    assert page.locator(".jp-Notebook .jp-InputPlaceholder").count() == 1  # the set-up cell is folded
    for command in ("notebook:run-all-cells", "docmanager:save"):
        page.evaluate(f"() => window.jupyterapp.commands.execute('{command}')")
    page.close()

    claims, faults, counts = claims_in(workbook / "notebooks" / f"{lesson}.ipynb")
    assert faults == []
    assert counts == list(range(1, len(counts) + 1))
    assert claims == claims_in(ROOT / "notebooks" / f"{lesson}.ipynb")[0]
