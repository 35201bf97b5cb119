"""Execute the lessons top to bottom and publish them.

Writes to the output folder an executed copy of each lesson (.ipynb) and a site of them all (index.html). Two lessons
run at a time and share the cores. The lessons themselves are left as they are, unless --store asks for their outputs to
be renewed: then each has all cores, since some of them print times, and there is no site. Exit status: 0 if every cell
ran (and, with --store, every claim held), 1 if not, 130 on Ctrl-C.
"""

import argparse
import asyncio
import os
import re
import shutil
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import ipykernel.kernelspec
import nbformat
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from cs231n.data_utils import data_set_name
from cs231n.files import replacing
from tools.course.exercises import COURSE, ROOT
from tools.lessons import site
from tools.lessons.notebook_files import NotebookError, read_notebook

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
LONGEST = "PyTorch"  # begins first, so that it does not run on alone
HOLDS, FAILED, PENDING = "✓ ", "✗ ", "☐ "
NOT_YET = " … not implemented yet"  # ends the line of a claim about code that is not written yet


@dataclass
class Lesson:
    """What came of one lesson.

    Attributes
    ----------
    name, title : str
        The notebook's file name without ending, and its first heading.
    cells : int
        Code cells that are not empty.
    seconds : float
    holding, failing, pending : int
        Claims printed with ✓, with ✗ and with ☐.
    mishap : str or None
        Why the lesson was not executed to its end, or which of its cells raised.
    date : str
        When it was executed.
    """

    name: str
    title: str
    cells: int
    seconds: float = 0.0
    holding: int = 0
    failing: int = 0
    pending: int = 0
    mishap: str | None = None
    date: str = field(default_factory=lambda: time.strftime("%Y-%m-%d"))

    @property
    def verdict(self):
        claims = self.holding + self.failing + self.pending
        not_yet = f", {self.pending} not implemented yet" if self.pending else ""
        if self.mishap:
            return self.mishap
        if self.failing:
            return f"{self.failing} of {claims} claims failed{not_yet}"
        if self.pending:
            return f"{self.holding} of {claims} claims hold{not_yet}"
        if claims:
            return f"all {claims} claims hold" if claims > 1 else "its claim holds"
        return "makes no claims"

    @property
    def state(self):
        return "raised" if self.mishap else "failed" if self.failing else "pending" if self.pending else "sound"


class ThisPython(KernelSpecManager):
    """Every kernel is the Python that runs this tool, whatever kernels are registered on the machine."""

    def get_kernel_spec(self, kernel_name):
        return KernelSpec(resource_dir=ipykernel.kernelspec.RESOURCES, **ipykernel.kernelspec.get_kernel_dict())


class Progress:
    """One line for each cell; on a terminal, a last line shows what is running.

    Attributes
    ----------
    running : dict from str to str
        What each lesson that has begun is at, under its name.
    """

    def __init__(self):
        self.running = {}
        self.live = sys.stdout.isatty()

    def begin(self, lesson, step):
        self.running[lesson] = f"{lesson} {step}"
        self._show()

    def end(self, lesson):
        del self.running[lesson]
        self._show()

    def tell(self, *lines):
        print("\x1b[2K" * self.live + "\n".join(lines), flush=True)
        self._show()

    def _show(self):
        if self.live:
            width = (shutil.get_terminal_size().columns - 1) // max(1, len(self.running))
            line = "".join(f"{step[: width - 2]:<{width}}" for step in self.running.values())
            print(f"\x1b[2K{line}", end="\r", flush=True)


def course_order(paths):
    """Sort notebooks as the course takes them, unknown ones after, by name."""
    return sorted(paths, key=lambda path: (COURSE.index(path.stem) if path.stem in COURSE else len(COURSE), path.stem))


def find_lessons(names, folder=ROOT / "notebooks"):
    """The notebooks to run.

    Parameters
    ----------
    names : list of str
        Lesson names (``Dropout``) or paths of notebooks, run in this order; none stands for all, in course order.
    folder : Path
        Where lessons are looked up.

    Returns
    -------
    paths : list of Path
    """
    if not names:
        return course_order(folder.glob("*.ipynb"))
    paths = []
    for name in names:
        path = next((path for path in (Path(name), folder / f"{name}.ipynb") if path.is_file()), None)
        if path is None:
            known = ", ".join(path.stem for path in course_order(folder.glob("*.ipynb"))) or "none"
            raise FileNotFoundError(f"No lesson {name}. There are: {known}.")
        paths.append(path.resolve())
    return paths


def is_executed(cell):
    return cell.cell_type == "code" and bool(cell.source.strip())


def title_of(notebook, default):
    """The first heading of a notebook."""
    for cell in notebook.cells:
        heading = cell.cell_type == "markdown" and re.search(r"^#+ +(.+)", cell.source, flags=re.MULTILINE)
        if heading:
            return heading[1].strip()
    return default


def labels_of(notebook):
    """Name each executed cell for the progress line: the heading it stands under first, else how it begins.

    Returns
    -------
    labels : dict from int to str
        From the cell's index in the notebook.
    """
    labels = {}
    heading = None
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            headings = re.findall(r"^#+ +(.+)", cell.source, flags=re.MULTILINE)
            heading = headings[-1] if headings else heading
        elif is_executed(cell):
            labels[index] = (heading or cell.source.strip().splitlines()[0].lstrip("# "))[:60]
            heading = None
    return labels


def claims_of(cell):
    """The lines of a cell's text output that state a claim."""
    for output in cell.get("outputs", []):
        text = output.get("text") if output.output_type == "stream" else output.get("data", {}).get("text/plain")
        for line in (text or "").splitlines():
            if line.startswith((HOLDS, FAILED)) or (line.startswith(PENDING) and line.endswith(NOT_YET)):
                yield line


async def execute(path, progress, timeout=None, keep_going=False, env=None):
    """Run a notebook in a kernel of its own, in its own folder.

    Parameters
    ----------
    path : Path
    progress : Progress
    timeout : int or None
        Seconds a cell may take.
    keep_going : bool
        Whether the cells after one that raises are executed too.
    env : dict from str to str, optional
        The kernel's environment; default: that of this process.

    Returns
    -------
    notebook : NotebookNode
        Executed as far as it went.
    lesson : Lesson

    Raises
    ------
    NotebookError
        The file holds no notebook.
    """
    notebook = read_notebook(path)
    labels = labels_of(notebook)
    numbers = {index: number for number, index in enumerate(labels, 1)}
    lesson = Lesson(path.stem, title_of(notebook, path.stem), cells=len(labels))
    started = {}
    mishaps = []

    def begin(cell, cell_index):
        started[cell_index] = time.perf_counter()
        progress.begin(lesson.name, f"{numbers[cell_index]}/{lesson.cells}  {labels[cell_index]}")

    def end(cell, cell_index, execute_reply=None, what=None):
        claims = list(claims_of(cell))
        failed = [claim for claim in claims if claim.startswith(FAILED)]
        lesson.failing += len(failed)
        lesson.holding += sum(claim.startswith(HOLDS) for claim in claims)
        lesson.pending += sum(claim.startswith(PENDING) for claim in claims)
        errors = [output for output in cell.outputs if output.output_type == "error"]
        whats = [what] if what else [f"raised {error.ename}: {error.evalue}".splitlines()[0] for error in errors]
        new = [f"cell {numbers[cell_index]} {what}" for what in whats]
        mishaps.extend(new)
        count = f"{numbers[cell_index]}/{lesson.cells}"
        seconds = time.perf_counter() - started[cell_index]
        line = f"{lesson.name:<22} {count:>7} {seconds:>7.1f} s  {labels[cell_index]}"
        progress.tell(line, *(f"    {remark}" for remark in failed + new))

    for cell in filter(is_executed, notebook.cells):
        cell.outputs = []
        cell.execution_count = None
        cell.metadata.pop("execution", None)  # when it ran before
    client = NotebookClient(
        notebook,
        km=AsyncKernelManager(kernel_spec_manager=ThisPython()),
        timeout=timeout,
        allow_errors=keep_going,
        shutdown_kernel="immediate",
        record_timing=False,
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_execute=begin,
        on_cell_executed=end,
    )
    begun = time.perf_counter()
    progress.begin(lesson.name, "starts")
    executed = asyncio.ensure_future(client.async_execute(cleanup_kc=True, env=env or os.environ))
    # Not awaited itself: nbclient takes a lesson that is cancelled for one whose kernel died.
    await asyncio.wait([executed])
    try:
        executed.result()
    except CellExecutionError:  # told at the cell's end
        pass
    except (CellTimeoutError, DeadKernelError) as error:
        what = f"ran longer than {timeout} s" if isinstance(error, CellTimeoutError) else "killed the kernel"
        end(notebook.cells[max(started)], max(started), what=what)
    lesson.seconds = time.perf_counter() - begun
    if mishaps:
        lesson.mishap = mishaps[0] + (f"; {len(mishaps) - 1} more raised" if len(mishaps) > 1 else "")
    return notebook, lesson


async def run(paths, options, progress):
    """Execute lessons.

    Parameters
    ----------
    paths : list of Path
    options : argparse.Namespace
    progress : Progress

    Returns
    -------
    lessons : list of Lesson
    executed : list of (NotebookNode, Lesson, Path)
        Those that could be executed, and their folders. Both in the order of ``paths``.
    """
    at_once = 1 if options.store else min(2, len(paths), CORES)
    env = dict(os.environ)
    if at_once > 1:
        for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            env.setdefault(name, str(CORES // at_once))
    if options.store:
        env["CS231N_DATA"] = "shapes10"
    turns = asyncio.Semaphore(at_once)
    lessons, executed = {}, {}

    async def run_one(path):
        try:
            async with turns:
                notebook, lesson = await execute(path, progress, options.timeout, options.keep_going, env)
        except (NotebookError, OSError) as error:
            progress.tell(f"{path.stem}: {error}")
            lessons[path] = Lesson(path.stem, path.stem, cells=0, mishap=str(error))
            return
        nbformat.write(notebook, options.output / f"{lesson.name}.ipynb")
        if options.store and lesson.state == "sound":
            store(notebook, path)
        lessons[path] = lesson
        executed[path] = notebook, lesson, path.parent
        progress.end(lesson.name)

    await asyncio.gather(*map(run_one, sorted(paths, key=lambda path: at_once == 1 or path.stem != LONGEST)))
    return [lessons[path] for path in paths], [executed[path] for path in paths if path in executed]


def complete(coroutine):
    """Run a coroutine to its end; Ctrl-C cancels it, lets it clean up and comes out as ``KeyboardInterrupt``.

    It runs in a thread of its own, because nbclient in the main thread would take Ctrl-C for itself.
    """
    # Not the default loop of Windows: ZeroMQ's sockets need one that selects.
    loop = asyncio.SelectorEventLoop()
    task = loop.create_task(coroutine)
    done = threading.Event()

    async def supervise():
        await asyncio.wait([task])
        # When it is cancelled, lessons still run, and nbclient leaves tasks behind.
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for other in rest:
            other.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    def work():
        loop.run_until_complete(supervise())
        loop.close()
        done.set()

    # Not Thread.join: interrupted, it takes a running thread for finished (Python 3.11 and older).
    threading.Thread(target=work, daemon=True).start()
    try:
        # Windows delivers Ctrl-C between waits only.
        while not done.wait(0.2):
            pass
    except KeyboardInterrupt:
        # What the cancelled lessons and nbclient's tasks end with is of no interest.
        loop.set_exception_handler(lambda loop, context: None)
        loop.call_soon_threadsafe(task.cancel)
        done.wait()
        raise
    return task.result()


def store(notebook, path):
    """Put an executed copy in the place of its lesson, whole or not at all."""
    with replacing(path) as file:
        file.write(f"{nbformat.writes(notebook)}\n".encode())


def table(lessons):
    """Lesson, cells, seconds and verdict of each lesson, as text."""
    width = max(len("lesson"), *(len(lesson.name) for lesson in lessons))
    rows = [f"{'lesson':<{width}}  cells  seconds  verdict"]
    for lesson in lessons:
        rows.append(f"{lesson.name:<{width}}  {lesson.cells:>5}  {lesson.seconds:>7.1f}  {lesson.verdict}")
    return "\n".join(rows)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "lessons",
        nargs="*",
        metavar="LESSON",
        help="name of a lesson (Dropout) or path of a notebook; default: all, in course order",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=ROOT / "build",
        metavar="FOLDER",
        help="where to write (default: build/ in the project)",
    )
    parser.add_argument(
        "--store",
        action="store_true",
        help="also renew the outputs stored in the lessons: executes them on Shapes-10, and leaves a "
        "lesson as it is when a claim fails or a cell raises",
    )
    parser.add_argument(
        "-k", "--keep-going", action="store_true", help="go on with the next cell after one that raises"
    )
    parser.add_argument("--timeout", type=int, metavar="SECONDS", help="how long a cell may take (default: no limit)")
    options = parser.parse_args(arguments)
    # A Windows console whose code page lacks the signs gets question marks.
    sys.stdout.reconfigure(errors="replace")
    try:
        paths = find_lessons(options.lessons)
    except FileNotFoundError as error:
        parser.error(str(error))
    if not paths:
        print("There are no lessons in notebooks/ yet.")
        return 0

    options.output.mkdir(parents=True, exist_ok=True)
    progress = Progress()
    try:
        lessons, executed = complete(run(paths, options, progress))
        complaints = [] if options.store else site.build(executed, options.output, data_set_name())
    except KeyboardInterrupt:
        what = ", ".join(progress.running) or "writing the pages"
        print(f"\nInterrupted in {what}; finished lessons are in {options.output}.")
        return 130
    print(f"\n{table(lessons)}\n", *complaints, sep="\n")
    if not options.store:
        print(f"Pages: {options.output / 'index.html'}")
    bad = {"raised", "failed", "pending"} if options.store else {"raised"}
    return 1 if any(lesson.state in bad for lesson in lessons) else 0


if __name__ == "__main__":
    sys.exit(main())
