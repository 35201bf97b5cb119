"""Contenders that take turns, each in a process of its own.

Two thread pools in one process slow each other down, unevenly. So every contender gets a process, whose threads may use
all cores, and only the one whose turn it is runs. Machine-wide changes of speed, during one pair of turns, meet both,
so that ratios are steadier than times.
"""

import multiprocessing
import os
import signal
import statistics
import time
import traceback
from contextlib import contextmanager
from dataclasses import dataclass

import threadpoolctl

__all__ = ["Contender", "Timing", "blas_kernels", "ratio_of_medians", "take_turns"]

# What a shell sets to hold back thread pools; a contender uses the cores there are.
THREAD_LIMITS = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OMP_THREAD_LIMIT",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
TURN = 0.15  # seconds


class Contender:
    """An object in a process of its own.

    To take turns it needs the methods ``prepare()``, which gives the arguments of a step and is not timed, and
    ``step(*arguments)``.

    Parameters
    ----------
    name : str
    make : callable
        Found by import; makes the object, there.
    *args
        For ``make``.
    """

    def __init__(self, name, make, *args):
        self.name = name
        context = multiprocessing.get_context("spawn")
        self._pipe, other_end = context.Pipe()
        self._process = context.Process(target=_serve, args=(other_end, make, args), name=name, daemon=True)
        with _without_thread_limits():
            self._process.start()
        other_end.close()

    def call(self, method, *args):
        """The result of ``method(*args)`` of the object; an exception there is a RuntimeError here."""
        return self._ask(_call, method, *args)

    def kernels(self):
        """:func:`blas_kernels` of the process."""
        return self._ask(_kernels)

    def turn(self, steps):
        """Seconds of each of ``steps`` steps, and the CPU seconds the process used since its last turn had ended."""
        return self._ask(_turn, steps)

    def _ask(self, function, *args):
        try:
            self._pipe.send((function, args))
            result, error = self._pipe.recv()
        except (EOFError, BrokenPipeError):
            self._process.join(1)
            raise RuntimeError(f"{self.name}: its process ended, exit code {self._process.exitcode}") from None
        if error:
            raise RuntimeError(f"{self.name}: {error}")
        return result

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._pipe.close()
        self._process.join(5)
        self._process.kill()


@contextmanager
def _without_thread_limits():
    limits = {name: os.environ.pop(name) for name in THREAD_LIMITS if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(limits)


def _serve(pipe, make, args):
    """Answer what the parent asks until it closes its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        subject = _Subject(make(*args))
    except Exception:
        error = traceback.format_exc()
        subject = None
    while True:
        try:
            function, args = pipe.recv()
        except EOFError:
            return
        if subject is None:
            pipe.send((None, error))
            continue
        try:
            pipe.send((function(subject, *args), None))
        except Exception:
            pipe.send((None, traceback.format_exc()))


@dataclass
class _Subject:
    contender: object
    cpu_at_rest: float | None = None


def _call(subject, method, *args):
    subject.cpu_at_rest = None
    return getattr(subject.contender, method)(*args)


def _kernels(subject):
    return blas_kernels()


def _turn(subject, steps):
    idle = 0.0 if subject.cpu_at_rest is None else time.process_time() - subject.cpu_at_rest
    seconds = []
    for _ in range(steps + 1):
        arguments = subject.contender.prepare()
        start = time.perf_counter()
        subject.contender.step(*arguments)
        seconds.append(time.perf_counter() - start)
    subject.cpu_at_rest = _come_to_rest()
    return seconds[1:], idle  # the first step fetches back what the others pushed out of the caches


def _come_to_rest():
    """Wait until no thread of this process runs any more, and give the CPU seconds the process has used.

    After its last task a thread of OpenBLAS keeps spinning for 2^26 cycles, one of OpenMP for some milliseconds, and
    would slow down whose turn comes next.
    """
    used = time.process_time()
    for _ in range(20):
        time.sleep(0.03)
        before, used = used, time.process_time()
        if used - before < 0.001:
            break
    return used


def blas_kernels():
    """What computes NumPy's matrix products here, such as ``OpenBLAS 0.3.31 (Haswell kernels, 2 threads)``."""
    found = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
    names = {"openblas": "OpenBLAS", "mkl": "MKL", "blis": "BLIS", "flexiblas": "FlexiBLAS"}
    return (
        "; ".join(
            f"{names.get(pool['internal_api'], pool['internal_api'])} {pool['version']} "
            f"({pool.get('architecture', 'unknown')} kernels, {pool['num_threads']} threads)"
            for pool in found
        )
        or "unknown BLAS"
    )


@dataclass
class Timing:
    """What came of taking turns.

    Attributes
    ----------
    seconds : dict of lists
        For each contender's name the median step of each turn.
    steps : int
        Of a turn.
    idle_load : float
        The CPU time that waiting contenders used, as a share of the time the others' turns took.
    """

    seconds: dict
    steps: int
    idle_load: float

    def median(self, name):
        return statistics.median(self.seconds[name])


def take_turns(contenders, turns, turn_seconds=TURN, after_turn=lambda: None):
    """Let the contenders run one after the other, ``turns`` times.

    Parameters
    ----------
    contenders : list of Contender
    turns : int
    turn_seconds : float
        What a turn of the slowest should take at least; all make the same number of steps.
    after_turn : callable
        Called after each turn, ``turns * len(contenders)`` times in all.

    Returns
    -------
    Timing
    """
    slowest = max(statistics.median(contender.turn(3)[0]) for contender in contenders)
    steps = max(3, round(turn_seconds / slowest))
    seconds = {contender.name: [] for contender in contenders}
    idle_cpu = working = 0.0
    for _ in range(turns):
        for contender in contenders:
            times, idle = contender.turn(steps)
            seconds[contender.name].append(statistics.median(times))
            working += sum(times)
            idle_cpu += idle
            after_turn()
    return Timing(seconds, steps, idle_cpu / (working * (len(contenders) - 1)) if len(contenders) > 1 else 0.0)


def ratio_of_medians(ours, theirs):
    """The median of ``ours`` over that of ``theirs``, and the quartiles of the ratios turn by turn.

    Parameters
    ----------
    ours, theirs : sequences of float
        Two turns or more, in order.

    Returns
    -------
    ratio, lower, upper : float
    """
    lower, _, upper = statistics.quantiles([a / b for a, b in zip(ours, theirs, strict=True)], n=4, method="inclusive")
    return statistics.median(ours) / statistics.median(theirs), lower, upper
