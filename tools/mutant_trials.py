"""How a mutant is tried: in a fork of this process, by the unit tests and by the cells of the lessons."""

import ast
import builtins
import gc
import hashlib
import importlib
import inspect
import json
import os
import re
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import types
from collections import Counter, defaultdict
from contextlib import contextmanager, suppress
from functools import partial
from importlib.machinery import SourceFileLoader
from importlib.util import spec_from_file_location
from itertools import chain

import coverage
import nbformat
import pytest
from hypothesis import Phase, settings
from nbval.plugin import get_sanitize_patterns
from run_lessons import ROOT, course_order, is_executed
from tqdm import tqdm

__all__ = ["ENDLESS", "KILLED", "OUTPUT", "SURVIVED", "Lessons", "UnitTests", "digest", "function_of", "sweep"]

PACKAGE = ROOT / "cs231n"
OUTPUT = ROOT / "build" / "mutants"
TRIAL = "trial-"  # begins the names of folders that mutants write to
ON_IMPORT = ""  # what coverage calls the test during which a line is run that is run between tests
KILLED, ENDLESS, SURVIVED = "killed", "endless", "survived"
SHORT_SECONDS, LONG_SECONDS = 4, 60  # that the cells of a section may take, for any mutant and for one in shown code
FIRST = os.getpid()
MEMORY = 16 * 2**30  # bytes that a process with a mutant may address


def forked(jobs, work, cores, seconds):
    """Call ``work(job)`` in a fork of this process for each job, a few at a time.

    Parameters
    ----------
    jobs : iterable
    work : callable
        Yields messages that JSON can hold.
    cores : int
        How many forks live at a time.
    seconds : float
        What a fork may take; then it is ended.

    Yields
    ------
    job, message
        As they come. The message of a fork that was ended, or ended itself too early, is the number of its signal or
        exit status.
    """
    jobs = iter(jobs)
    running = {}
    try:
        while True:
            while len(running) < cores and (job := next(jobs, None)) is not None:
                pid, pipe = _fork(work, job)
                running[pipe] = (job, pid, time.monotonic() + seconds)
            if not running:
                return
            ready, _, _ = select.select(list(running), [], [], 0.5)
            for pipe in ready:
                job, pid, _ = running[pipe]
                line = pipe.readline()
                if line:
                    yield job, json.loads(line)
                    continue
                del running[pipe]
                pipe.close()
                status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                if status:
                    yield job, status
            for _, pid, deadline in running.values():
                if time.monotonic() > deadline:
                    _end(pid)
    finally:
        for pipe, (_, pid, _) in running.items():
            _end(pid)
            os.waitpid(pid, 0)
            pipe.close()


def _fork(work, job):
    sys.stdout.flush()
    read, write = os.pipe()
    pid = os.fork()
    if pid:
        os.close(write)
        return pid, open(read, encoding="utf-8")
    try:
        if os.getppid() == FIRST:
            os.setpgid(0, 0)
        os.close(read)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell ignores in what it starts with &
        tqdm._instances.clear()  # the bars of this process would push those of a test to other lines
        silence = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(silence, descriptor)
        with open(write, "w", encoding="utf-8") as pipe:
            for message in work(job):
                print(json.dumps(message), file=pipe, flush=True)
        os._exit(0)
    finally:
        os._exit(1)


def _end(pid):
    """Kill a fork, and with a fork of the first process the forks it made."""
    if os.getpid() == FIRST and os.getpgid(pid) == pid:
        os.killpg(pid, signal.SIGKILL)
    else:
        os.kill(pid, signal.SIGKILL)


@contextmanager
def _folder_of_its_own():
    """Make a new folder the working directory: a mutant may write there what it likes."""
    with tempfile.TemporaryDirectory(dir=OUTPUT, prefix=TRIAL, ignore_cleanup_errors=True) as folder:
        os.chdir(folder)
        yield folder
        os.chdir(ROOT)


def sweep():
    """Remove the folders of trials that were ended from outside."""
    for folder in OUTPUT.glob(f"{TRIAL}*"):
        shutil.rmtree(folder, ignore_errors=True)


def limit_memory():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))


def digest(*texts):
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]


def measured_before(name, state):
    """The file that keeps what was measured, and what it says of this package and this state: its code, if no more."""
    code = digest(state, *(path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))))
    kept = OUTPUT / name
    known = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
    return kept, known if known.get("code") == code else {"code": code}


class UnitTests:
    """The unit tests of the package, each with the time it takes and the lines it runs.

    Parameters
    ----------
    cores : int
        How many mutants are tried at a time.
    """

    title = "unit tests"

    def __init__(self, cores):
        self.cores = cores
        texts = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests").rglob("*.py"))}
        self.digests = {
            f"{path.relative_to(ROOT).as_posix()}::{function.name}": digest(ast.unparse(function))
            for path, text in texts.items()
            for function in ast.parse(text).body
            if isinstance(function, ast.FunctionDef)
        }
        self.state = digest(*texts.values())
        imports = re.compile(r"^(from|import) cs231n\b", re.MULTILINE)
        self.files = [path for path, text in texts.items() if path.name.startswith("test_") and imports.search(text)]
        self.killers = defaultdict(Counter)  # by module and function, how many of its mutants a test killed
        self._measure()

    def _measure(self):
        """Run all tests, to learn which lines they run."""
        kept, known = measured_before("lines.json", self.state)
        if "runs" not in known:
            known |= {"seconds": {}, "runs": defaultdict(list), "imports": []}
            failed = {}
            with tqdm(total=len(self.files), desc="which test runs which line", unit="file") as progress:
                # A test that others disturb gets a second chance, alone.
                for files, cores in ((self.files, self.cores), (failed, 1)):
                    for path, found in forked(list(files), self._lines_of, cores, 1200):
                        if isinstance(found, dict) and "failed" not in found:
                            failed.pop(path, None)
                            progress.update()
                            known["seconds"].update(found["seconds"])
                            known["imports"] += sorted(set(found["imports"]) - set(known["imports"]))
                            for place, tests in found["runs"].items():
                                known["runs"][place] += sorted(set(tests) - set(known["runs"][place]))
                        else:
                            failed[path] = found["failed"] if isinstance(found, dict) else path.relative_to(ROOT)
            if failed:
                sys.exit(f"Fails without any mutant, make it pass first: {', '.join(map(str, failed.values()))}")
            kept.write_text(json.dumps(known), encoding="utf-8")
        self.seconds, self.runs = known["seconds"], known["runs"]
        self.imports = known["imports"]

    def _lines_of(self, path):
        class Watch:
            seconds = {}
            failed = None

            def pytest_runtest_logreport(self, report):
                if report.failed:
                    self.failed = report.nodeid

            @pytest.hookimpl(hookwrapper=True)
            def pytest_runtest_protocol(self, item):
                measured.switch_context(item.nodeid)
                start = time.process_time()
                yield
                self.seconds[item.nodeid] = time.process_time() - start
                measured.switch_context("")

        measured = coverage.Coverage(data_file=None, include=[str(PACKAGE / "*")], config_file=False)
        watch = Watch()
        measured.start()
        status = self._pytest([path], watch)
        measured.stop()
        if status:
            yield {"failed": watch.failed or os.path.relpath(path, ROOT)}
            return
        data = measured.get_data()
        runs = {
            f"{os.path.relpath(file, ROOT)}:{line}": tests
            for file in data.measured_files()
            for line, tests in data.contexts_by_lineno(file).items()
        }
        imports = [
            name for name, module in sys.modules.items() if "site-packages" in (getattr(module, "__file__", None) or "")
        ]
        yield {"seconds": watch.seconds, "runs": runs, "imports": imports}

    def _pytest(self, files, plugin):
        # No search for the smallest example that fails, and no file of examples.
        settings.register_profile("mutants", settings.get_profile("ci"), phases=[Phase.explicit, Phase.generate])
        with _folder_of_its_own() as folder:
            return pytest.main(
                [
                    *map(str, files),
                    "-x",
                    "-c",
                    str(ROOT / "pyproject.toml"),
                    "--rootdir",
                    str(ROOT),
                    "-o",
                    "addopts=--strict-markers",
                    "--hypothesis-profile=mutants",
                    "--basetemp",
                    folder + "/tests",
                    "--assert=plain",
                    "--tb=no",
                    "-p",
                    "no:unraisableexception",
                    "-p",
                    "no:cacheprovider",
                    "-p",
                    "no:nbval",
                    "-p",
                    "no:xdist",
                ],
                plugins=[plugin],
            )

    def tests_of(self, mutant):
        """The tests that run the mutant's line, the fastest first.

        Where that is run on import, what it made may be looked at without a line being run: then these are the tests
        that run any line of its function, or else of its module, and the others of the file that has most of them.
        """
        tests = self.runs.get(f"{mutant.path}:{mutant.line}", ())
        of_function = self._tests_at(f"{mutant.path}:{line}" for line in range(mutant.first, mutant.last + 1))
        if not tests:  # the line is a later one of its statement, or none that is ever run
            tests = of_function
        elif ON_IMPORT in tests:
            tests = of_function or self._tests_at(place for place in self.runs if place.startswith(f"{mutant.path}:"))
            home = _home(tests)
            tests |= {test for test in self.seconds if _file_of(test) == home}
        return sorted(tests, key=lambda test: (self.seconds[test], test))

    def _tests_at(self, places):
        return set(chain(*(self.runs.get(place, ()) for place in places))) - {ON_IMPORT}

    def evidence(self, mutant, result):
        """What the result rests on: a kill on the function and the test, a survival on the module and all tests."""
        if result["verdict"] == SURVIVED:
            return digest(mutant.source, self.state)
        return digest(function_of(mutant), self.digests.get(result["by"].split("[")[0], ""))

    def judge(self, mutants):
        """Yield each mutant with what came of it."""
        for name in self.imports:  # once, here, instead of in every fork
            with suppress(ImportError):
                importlib.import_module(name)
        gc.freeze()  # a collection in a fork would touch, and so copy, all that it shares with this process
        wanted = [mutant for mutant in mutants if self.tests_of(mutant)]
        for mutant in mutants:
            if not self.tests_of(mutant):
                yield mutant, {"verdict": SURVIVED, "by": "no test runs this line"}
        for mutant, message in forked(wanted, self._try, self.cores, 600):
            if isinstance(message, int):
                endless = -message in (signal.SIGPROF, signal.SIGALRM, signal.SIGKILL)
                message = {"verdict": ENDLESS if endless else KILLED, "by": self.tests_of(mutant)[0]}
            elif message["verdict"] == KILLED:
                self.killers[mutant.path, mutant.function][message["by"]] += 1
            yield mutant, message

    def _try(self, mutant):
        tests = self.tests_of(mutant)
        order = {test: number for number, test in enumerate(tests)}
        seconds = self.seconds

        class Run:
            failed = None

            def pytest_collection_modifyitems(self, items):
                items[:] = sorted((item for item in items if item.nodeid in part), key=lambda item: order[item.nodeid])

            def pytest_runtest_setup(self, item):
                # One bound for a test that computes, one for a test that waits.
                signal.setitimer(signal.ITIMER_PROF, 5 + 10 * seconds[item.nodeid])
                signal.setitimer(signal.ITIMER_REAL, 45 + 30 * seconds[item.nodeid])

            def pytest_runtest_logreport(self, report):
                if report.failed:
                    self.failed = report.nodeid

            pytest_collectreport = pytest_runtest_logreport

        limit_memory()
        import_mutated(mutant)
        # First the tests that noticed other errors of the function, the best first; then the file that has most of the
        # tests, since mostly one of them fails and the other files need not be collected.
        killers, home = self.killers[mutant.path, mutant.function], _home(tests)
        known = [test for test, _ in killers.most_common() if test in order]
        order |= {test: number - len(known) for number, test in enumerate(known)}
        rest = set(tests) - set(known)
        at_home = {test for test in rest if _file_of(test) == home}
        for part in (set(known), at_home, rest - at_home):
            run = Run()
            if part and self._pytest([ROOT / file for file in sorted(set(map(_file_of, part)))], run):
                yield {"verdict": KILLED, "by": run.failed or ""}
                return
        yield {"verdict": SURVIVED, "by": ""}


def _file_of(test):
    return test.split("::")[0]


def _home(tests):
    """The file that has most of the tests; None if there are none."""
    [(home, _)] = Counter(map(_file_of, sorted(tests))).most_common(1) or [(None, 0)]
    return home


def function_of(mutant):
    """The source of the mutant's function as it was, with the change."""
    lines = (ROOT / mutant.path).read_text(encoding="utf-8").splitlines()
    return "\n".join([*lines[mutant.first - 1 : mutant.last], mutant.name])


def import_mutated(mutant):
    """From now on, whoever imports the mutant's module gets the mutant."""
    path = str(ROOT / mutant.path)

    class Loader(SourceFileLoader):
        def get_code(self, fullname):
            return compile(mutant.source, path, "exec")

    class Finder:
        @staticmethod
        def find_spec(fullname, _path, _target=None):
            if fullname == module_of(mutant):
                return spec_from_file_location(fullname, path, loader=Loader(fullname, path))

    sys.meta_path.insert(0, Finder)


def module_of(mutant):
    return mutant.path.removesuffix(".py").replace("/", ".")


class Lessons:
    """The lessons, cell by cell.

    A lesson is run without any error; before each of its cells, every mutant whose line the cell runs gets a fork, in
    which the package is changed where it stands. There the cell is run and those after it, to the end of the section,
    since what a cell computes may be judged by a later one. First only cells that take seconds are run; what is still
    alive after all lessons, and in code that one of them shows, meets the longer cells of that lesson as well. Mutants
    in code that no lesson shows come last.

    Parameters
    ----------
    cores : int
        How many mutants are tried at a time.
    """

    title = "lessons"

    def __init__(self, cores):
        self.cores = cores
        self.cells, self.sections = {}, {}
        for path in course_order((ROOT / "notebooks").glob("*.ipynb")):
            section, cells = 0, []
            for cell in nbformat.read(path, as_version=4).cells:
                section += cell.cell_type == "markdown" and cell.source.startswith("## ")
                if is_executed(cell):
                    cells.append((section, cell.source))
            self.sections[path.stem], self.cells[path.stem] = zip(*cells)
        self.state = digest(*chain(*self.cells.values()))
        self.volatile = [
            (re.compile(regex), replacement)
            for regex, replacement in get_sanitize_patterns(
                (ROOT / "tools" / "nbval_sanitize.cfg").read_text(encoding="utf-8")
            )
        ]
        self.facts, self.shown = {}, {}
        self._measure()

    def _measure(self):
        """Run all lessons, to learn what their cells print, which lines they run and which code they show."""
        kept = {lesson: measured_before(f"{lesson}.json", digest(*cells)) for lesson, cells in self.cells.items()}
        missing = [lesson for lesson, (_, known) in kept.items() if "facts" not in known]
        total = sum(len(self.cells[lesson]) for lesson in missing)
        with tqdm(total=total, desc="which cell runs which line", unit="cell", disable=not missing) as progress:
            for lesson, message in forked(missing, self._facts_of, 1, 36_000):
                path, known = kept[lesson]
                if isinstance(message, int):
                    sys.exit(f"Does not run to its end without any mutant, make it run first: {lesson}")
                elif "shown" in message:
                    known["shown"] = message["shown"]
                    path.write_text(json.dumps(known), encoding="utf-8")
                else:
                    known.setdefault("facts", []).append(message)
                    progress.update()
        for lesson, (_, known) in kept.items():
            self.facts[lesson], self.shown[lesson] = known["facts"], known["shown"]

    def _facts_of(self, lesson):
        shell, shown = _shell(ROOT / "notebooks"), _watch_show_source()
        for source in self.cells[lesson]:
            [(_, watched)] = forked([source], partial(self._watch, shell), 1, 3600)
            text, success = self._run(shell, source)
            if not success:
                os._exit(1)
            # What differs from run to run says nothing.
            yield {**watched, "text": text if text == watched["text"] else None}
        yield {"shown": sorted(shown)}

    def _watch(self, shell, source):
        measured = coverage.Coverage(data_file=None, include=[str(PACKAGE / "*")], config_file=False)
        start = time.perf_counter()
        measured.start()
        text, _ = self._run(shell, source)
        measured.stop()
        data = measured.get_data()
        lines = [f"{os.path.relpath(file, ROOT)}:{line}" for file in data.measured_files() for line in data.lines(file)]
        yield {"text": text, "seconds": time.perf_counter() - start, "lines": lines}

    def evidence(self, mutant, result):
        """What the result rests on: a kill on the function and the cells so far, a survival on the module and all."""
        if result["verdict"] == SURVIVED:
            return digest(mutant.source, self.state)
        lesson, cell = result["by"].split(", cell ")
        return digest(function_of(mutant), *self.cells.get(lesson, ())[: int(cell)])

    def shows(self, mutant, lesson=None):
        """Whether a lesson, or any lesson, shows the mutant's function."""
        return any(
            mutant.path == path and f"{mutant.function}.".startswith(f"{name}.")
            for path, name in (self.shown[lesson] if lesson else chain(*self.shown.values()))
        )

    def judge(self, mutants):
        """Yield each mutant with what came of it, and None after what settled nothing, so that a caller can stop."""
        shown = [mutant for mutant in mutants if self.shows(mutant)]
        others = [mutant for mutant in mutants if not self.shows(mutant)]
        for group, times in ((shown, (SHORT_SECONDS, LONG_SECONDS)), (others, (SHORT_SECONDS,))):
            yield from self._judge(group, times)

    def _judge(self, mutants, times):
        alive = {mutant.name: mutant for mutant in mutants}
        for seconds in times:
            for lesson, facts in self.facts.items():
                ran = set().union(*(fact["lines"] for fact in facts))
                candidates = [
                    mutant
                    for mutant in alive.values()
                    if f"{mutant.path}:{mutant.line}" in ran
                    and (seconds == SHORT_SECONDS or self.shows(mutant, lesson))
                ]
                with tqdm(total=len(facts), desc=lesson, unit="cell", leave=False) as progress:
                    walk = partial(self._walk, candidates, seconds)
                    for _, message in forked([lesson] if candidates else (), walk, 1, 36_000):
                        if isinstance(message, int):
                            sys.exit(f"Does not run to its end without any mutant, make it run first: {lesson}")
                        if "mutant" in message:
                            yield alive.pop(message.pop("mutant")), message
                            continue
                        progress.update("cell" in message)
                        yield None
        for mutant in alive.values():
            yield mutant, {"verdict": SURVIVED, "by": ""}

    def _walk(self, mutants, seconds, lesson):
        """Run a lesson, and before each cell the mutants that it concerns.

        Yields
        ------
        dict
            A verdict (mutant, verdict, by), the number of a cell that is done, or nothing: a mutant lived on.
        """
        shell = _shell(ROOT / "notebooks")
        cells, sections, facts = self.cells[lesson], self.sections[lesson], self.facts[lesson]
        ran = [set(fact["lines"]) for fact in facts]
        waiting, judged = {mutant.name: mutant for mutant in mutants}, set()
        for number, source in enumerate(cells):
            if not any(_concerns(mutant, lines, ran[0]) for mutant in waiting.values() for lines in ran[number:]):
                return
            section = [n for n in range(number, len(cells)) if sections[n] == sections[number]]
            # As many cells as there is time for.
            part = [n for n in section if sum(facts[m]["seconds"] for m in section if m <= n) < seconds]
            concerned = [
                mutant
                for mutant in waiting.values()
                if (mutant.name, sections[number]) not in judged and _concerns(mutant, ran[number], ran[0])
            ]
            if part and number and concerned:
                gc.freeze()
                limit = 20 + 10 * sum(facts[n]["seconds"] for n in part)
                for mutant, message in forked(concerned, partial(self._try, shell, lesson, part), self.cores, limit):
                    if isinstance(message, int):
                        message = {"verdict": ENDLESS, "cell": number}
                    if message["verdict"] != SURVIVED:
                        by = f"{lesson}, cell {message['cell'] + 1}"
                        yield {"mutant": mutant.name, "verdict": message["verdict"], "by": by}
                        del waiting[mutant.name]
                        continue
                    if part == section:
                        judged.add((mutant.name, sections[number]))
                    yield {}
            self._run(shell, source)
            yield {"cell": number}

    def _try(self, shell, lesson, part, mutant):
        limit_memory()
        change_in_place(mutant)
        with _folder_of_its_own():
            for number in part:
                text, success = self._run(shell, self.cells[lesson][number])
                if not success or self.facts[lesson][number]["text"] not in (None, text):
                    yield {"verdict": KILLED, "cell": number}
                    return
        yield {"verdict": SURVIVED, "cell": number}

    def _run(self, shell, source):
        """Run a cell; gives what it prints, as nbval compares it, and whether it did not raise."""
        from IPython.utils.capture import capture_output
        from matplotlib import pyplot

        with capture_output() as captured:
            result = shell.run_cell(source)
        pyplot.close("all")
        text = captured.stdout
        for regex, replacement in self.volatile:
            text = regex.sub(replacement, text)
        return text, result.success


def _concerns(mutant, lines, imported):
    """Whether a cell runs the mutant's line, or, where that is run on import, its function."""
    if f"{mutant.path}:{mutant.line}" in lines:
        return True
    body = (f"{mutant.path}:{line}" for line in range(mutant.first, mutant.last + 1))
    return f"{mutant.path}:{mutant.line}" in imported and any(line in lines for line in body)


def _shell(folder):
    """An IPython shell in this process, as a notebook in ``folder`` finds it."""
    from IPython.core.interactiveshell import InteractiveShell

    os.chdir(folder)
    sys.path.insert(0, "")
    shell = InteractiveShell.instance(history_load_length=0)
    shell.history_manager.enabled = False
    builtins.get_ipython = lambda: shell
    return shell


def _watch_show_source():
    """Note what the lesson shows, as pairs of module and name."""
    sys.path.insert(0, str(ROOT))
    from cs231n import lesson

    shown, show_source = set(), lesson.show_source

    def noting(*objects):
        for item in map(inspect.unwrap, objects):
            shown.add((item.__module__.replace(".", "/") + ".py", item.__qualname__))
        show_source(*objects)

    lesson.show_source = noting
    return shown


def change_in_place(mutant):
    """Give the functions and classes of the mutant's module, which may be known elsewhere, the mutant's code."""
    module = importlib.import_module(module_of(mutant))
    changed = {"__name__": module.__name__, "__package__": module.__package__, "__file__": module.__file__}
    exec(compile(mutant.source, module.__file__, "exec"), changed)
    for name, new in changed.items():
        old = vars(module).get(name)
        if not _take_over(old, new) and getattr(new, "__module__", module.__name__) == module.__name__:
            setattr(module, name, new)


def _take_over(old, new):
    """Turn ``old`` into ``new`` where it stands; gives whether that could be done."""
    if old is new or type(old) is not type(new):
        return old is new
    if isinstance(old, types.FunctionType):
        if new.__module__ == old.__module__:
            old.__code__, old.__defaults__, old.__kwdefaults__ = new.__code__, new.__defaults__, new.__kwdefaults__
            for mine, other in zip(old.__closure__ or (), new.__closure__ or ()):
                if not _take_over(mine.cell_contents, other.cell_contents):
                    mine.cell_contents = other.cell_contents
        return True
    if isinstance(old, type):
        if new.__module__ == old.__module__:
            for name, attribute in vars(new).items():
                if name not in ("__dict__", "__weakref__") and not _take_over(vars(old).get(name), attribute):
                    setattr(old, name, attribute)
        return True
    if isinstance(old, (classmethod, staticmethod)):
        return _take_over(old.__func__, new.__func__)
    return False
