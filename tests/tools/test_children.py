"""What is started ends with its block, whatever ends the block and whenever that happens."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from processes import ended

from tools.course import children
from tools.course.children import started

SLEEPS = [sys.executable, "-c", "import time; time.sleep(60)"]
# Prints the number of a child that has a session of its own, then waits.
PARENT = [
    sys.executable,
    "-c",
    (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen({SLEEPS!r}, start_new_session=True)\n"
        "print(child.pid, flush=True)\ntime.sleep(60)"
    ),
]


def test_a_process_ends_with_its_block():
    with started(SLEEPS) as process:
        assert process.poll() is None
    assert process.returncode is not None


def test_a_process_that_was_done_keeps_its_exit_status():
    with started([sys.executable, "-c", "raise SystemExit(3)"]) as process:
        process.wait(60)
    assert process.returncode == 3


def test_a_fault_in_the_block_ends_the_process_with_what_it_started():
    with pytest.raises(ZeroDivisionError), started(PARENT, stdout=subprocess.PIPE, text=True) as process:
        child = int(process.stdout.readline())
        raise ZeroDivisionError
    process.stdout.close()
    assert ended(process.pid)
    assert ended(child)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process groups")
def test_a_helper_that_lost_its_parent_is_ended():
    shell = ["sh", "-c", f"('{sys.executable}' -c 'import time; time.sleep(60)' & echo $!); echo; exec sleep 60"]
    with started(shell, stdout=subprocess.PIPE, text=True) as process:
        helper = int(process.stdout.readline())
        process.stdout.readline()  # by now the one that started the helper has gone
    process.stdout.close()
    assert ended(helper)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends Ctrl-C to a console, not to a process")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_the_start_leaves_no_process(monkeypatch, number):
    """The process runs already, but its number is known to nobody yet."""
    begun = []

    class Interrupted(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            begun.append(self.pid)
            os.kill(os.getpid(), number)
            time.sleep(0.01)

    handler = signal.signal(number, signal.default_int_handler)
    try:
        monkeypatch.setattr(children.subprocess, "Popen", Interrupted)
        with pytest.raises(KeyboardInterrupt), started(SLEEPS):
            pytest.fail("the block must not be entered")
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, handler)
    assert ended(*begun)


def test_a_program_that_is_not_there_is_told():
    with pytest.raises(FileNotFoundError), started(["no-such-program"]):
        pass


def test_another_thread_can_start_one():
    """Only the main one may set what a signal does."""
    codes = []

    def work():
        with started([sys.executable, "-c", ""]) as process:
            codes.append(process.wait(60))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(120)
    assert codes == [0]
