"""A learner's code, as the tests of the exercises call it: in a process of its own, which only computes.

The tests draw the inputs and compare the results here, where no code of the learner's ever runs; there it can end
Python, patch pytest, or wait for input, and earns nothing by it.
"""

import atexit
import contextlib
import os
import queue
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import psutil

from tools.course import wire

__all__ = ["START_SECONDS", "Broken", "Failed", "Function", "Learner", "Missing", "Net", "TimedOut", "learner"]

TOKEN = "CS231N_LEARNER"  # environment variable by which what a learner's code has started is found
START_SECONDS = 60  # for Python and the imports
PATIENCE = 5  # times as long as it may work, code may also sleep, or wait for the processor


class Failed(AssertionError):
    """The learner's code raised an error.

    Parameters
    ----------
    error : dict
        As the learner's process describes it.

    Attributes
    ----------
    kind : str
        The name of the error's class.
    """

    def __init__(self, error):
        place = f" ({error['place']}{': ' if error['code'] else ''}{error['code']})" if error["place"] else ""
        super().__init__(f"{error['type']}: {error['message']}".rstrip(": ") + place)
        self.kind = error["type"]
        self.trail = error["trail"]


class Missing(Exception):
    """The learner's code is not written yet; the message is that of the exercise."""


class TimedOut(AssertionError):
    """The learner's code did not answer in time."""


class Broken(AssertionError):
    """The learner's code ended its process."""


class Learner:
    """The process that runs a learner's code, begun when it is first needed and after each end.

    Parameters
    ----------
    root : Path
        The learner's workbook.

    Attributes
    ----------
    seconds : float
        How long the processor may work on a call.
    """

    def __init__(self, root):
        self.root = Path(root)
        self.seconds = 10.0
        self.process = None
        self.opened = None  # the process and the lesson that it has read

    def ask(self, do, seconds=None, **details):
        """The answer to a request, encoded and decoded; ``seconds`` is how long it may take, if not the usual time."""
        if self.process is None:
            self._start()
        request = {"do": do, **{name: wire.encode(value, _refuse) for name, value in details.items()}}
        try:
            wire.send(self.process.stdin, request)
        except OSError:
            self.stop()
            raise Broken("your code ended Python itself") from None
        reply = self._reply(seconds or self.seconds)
        if "error" in reply:
            if reply["error"]["type"] == "Unwritten":
                raise Missing(reply["error"]["message"])
            raise Failed(reply["error"])
        return wire.decode(reply["value"], wire.Handle)

    def call(self, target, args, kwargs):
        """Call a function; dictionaries among its arguments are filled in as it has filled them in."""
        result, filled = self.ask("call", target=target, args=list(args), kwargs=kwargs)
        for value, content in zip(args, filled):
            if isinstance(value, dict):
                value.clear()
                value.update(content)
        return result

    def stop(self):
        """End the process and all that its code has started."""
        if self.process is None:
            return
        process, self.process = self.process, None
        process.kill()
        for other in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if other.environ().get(TOKEN) == self.token:
                    other.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()

    def _start(self):
        self.token = uuid.uuid4().hex
        here = Path(__file__).resolve()
        threads = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL")}
        self.process = subprocess.Popen(
            [sys.executable, here.with_name("learner_process.py"), self.root, here.parents[2]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **threads, TOKEN: self.token},
            start_new_session=True,  # Ctrl-C is for the judge
        )
        self.replies = queue.SimpleQueue()
        threading.Thread(target=_read, args=(self.process.stdout, self.replies), daemon=True).start()
        wire.send(self.process.stdin, {"do": "echo", "value": None})
        self._reply(START_SECONDS)

    def _reply(self, seconds):
        """The next reply, if it comes within seconds of the processor's time, which may be longer by the clock."""
        deadline, begun = time.monotonic() + PATIENCE * seconds, self._worked()
        while True:
            is_over = self.process.poll() is not None
            try:
                reply = self.replies.get(timeout=0.0 if is_over else 0.1)
            except queue.Empty:
                reply = None if is_over else ...
            if reply is None:
                self.stop()
                raise Broken("your code ended Python itself")
            if reply is not ...:
                return reply
            if time.monotonic() > deadline or self._worked() - begun > seconds:
                self.stop()
                raise TimedOut(f"stopped after {seconds:g} s: does a loop never end?")

    def _worked(self):
        """Seconds that the processor has worked for the process."""
        try:
            times = psutil.Process(self.process.pid).cpu_times()
        except psutil.Error:
            return 0.0
        return times.user + times.system


def _read(file, replies):
    with contextlib.suppress(OSError, ValueError):
        while (message := wire.receive(file)) is not None:
            replies.put(message)
    replies.put(None)


def _refuse(value):
    raise TypeError(f"{type(value).__name__} cannot be passed to a learner's code")


class Function:
    """A function of the learner's.

    Parameters
    ----------
    target : str or Handle
        ``"module:name"``, or what a definition of a lesson has returned.
    """

    def __init__(self, target):
        self.target = target
        self.__name__ = target.split(":")[1] if isinstance(target, str) else "function"

    def __call__(self, *args, **kwargs):
        return learner.call(self.target, args, kwargs)


class Net:
    """A network of the learner's.

    Attributes
    ----------
    params : dict of arrays
        Those of the network, as they are here: what is changed here is changed there before the next loss.
    """

    def __init__(self, target, *args, **kwargs):
        self.handle, self.params = learner.ask("net", target=target, args=list(args), kwargs=kwargs)

    def loss(self, X, y=None):
        return learner.ask("loss", net=self.handle, params=self.params, args=[X] if y is None else [X, y])

    def attribute(self, name):
        return learner.ask("attribute", object=self.handle, name=name)


learner = Learner(Path(__file__).resolve().parents[2])
atexit.register(learner.stop)
