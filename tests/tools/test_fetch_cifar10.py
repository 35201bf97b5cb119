"""The fetcher, against a server on this machine: whole, broken off, wrong, interrupted, twice at once."""

import contextlib
import dataclasses
import errno
import gzip
import hashlib
import io
import os
import pickle
import random
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import tools.data.fetch_cifar10 as fetcher
from cs231n.data import cifar10
from tools.data.fetch_cifar10 import FetchError

REPOSITORY = Path(__file__).resolve().parents[2]
IMAGES_PER_BATCH = 10


def batch(name):
    """A batch file of a few images."""
    pixels = random.Random(name).randbytes(IMAGES_PER_BATCH * 3072)
    data = np.frombuffer(pixels, np.uint8).reshape(IMAGES_PER_BATCH, 3072)
    return pickle.dumps({b"data": data, b"labels": list(range(IMAGES_PER_BATCH))}, protocol=4)


CONTENTS = {**{name: batch(name) for name in fetcher.BATCHES}, "batches.meta": bytes(100)}


def md5(content):
    return hashlib.md5(content).hexdigest()


def archive_of(members):
    """A .tar.gz of (name or TarInfo, content) pairs."""
    buffer = io.BytesIO()
    # Without the time of day in it, so that every process makes the same archive.
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        for member, content in members:
            if isinstance(member, str):
                member = tarfile.TarInfo(member)
                member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def special(name, kind, target=""):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member, b""


MEMBERS = [(f"cifar-10-batches-py/{name}", content) for name, content in CONTENTS.items()]
ARCHIVE = archive_of([special("cifar-10-batches-py", tarfile.DIRTYPE), *MEMBERS])


def published(url, archive=ARCHIVE):
    return fetcher.Published(
        url=url,
        archive_md5=md5(archive),
        archive_bytes=len(archive),
        files={name: md5(content) for name, content in CONTENTS.items()},
        files_bytes=sum(map(len, CONTENTS.values())),
    )


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        state = self.server.state
        asked = self.headers.get("Range")
        state.asked.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and state.ranges else 0
        status = 416 if start and start >= len(state.body) else state.status
        if status != 200:
            self.send_error(status)
            return
        self.send_response(206 if start else 200)
        if state.length:
            self.send_header("Content-Length", str(len(state.body) - start))
        self.end_headers()
        body = state.body[start : state.cut_at]
        for first in range(0, len(body), 8192):
            self.wfile.write(body[first : first + 8192])
            state.sent += 8192
            time.sleep(state.pause)
        if state.stall:
            state.released.wait(120)  # until the test is over

    def log_message(self, *_):
        pass

    def handle(self):
        with contextlib.suppress(ConnectionError):  # the client was killed
            super().handle()


@pytest.fixture
def server(monkeypatch):
    """A server whose `state` says how it answers."""
    monkeypatch.setenv("no_proxy", "*")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http_server:
        http_server.daemon_threads = True
        http_server.state = SimpleNamespace(
            body=ARCHIVE,
            status=200,
            ranges=True,
            length=True,
            cut_at=None,
            pause=0,
            stall=False,
            released=threading.Event(),
            asked=[],
            sent=0,
        )
        http_server.url = f"http://127.0.0.1:{http_server.server_port}/cifar-10-python.tar.gz"
        thread = threading.Thread(target=http_server.serve_forever, args=(0.02,))
        thread.start()
        yield http_server
        http_server.state.released.set()
        http_server.shutdown()
        thread.join()


@pytest.fixture
def home(tmp_path):
    return tmp_path / "data sets"


def assert_whole(home):
    """The published files are there, and nothing else."""
    assert os.listdir(home) == ["cifar-10-batches-py"]
    folder = home / "cifar-10-batches-py"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENTS


@pytest.fixture
def assert_never_half(monkeypatch):
    """A check that the loader finds the whole data set in a folder, or none."""
    monkeypatch.setattr(cifar10, "IMAGES_PER_BATCH", IMAGES_PER_BATCH)

    def assert_never_half(home):
        folder = home / "cifar-10-batches-py"
        if folder.exists():
            Xtr, Ytr, Xte, _ = cifar10.load_CIFAR10(folder)
            assert (len(Xtr), len(Xte)) == (5 * IMAGES_PER_BATCH, IMAGES_PER_BATCH)
            assert Ytr.tolist() == 5 * list(range(IMAGES_PER_BATCH))

    return assert_never_half


def one_line(error):
    line = str(error.value)
    assert "\n" not in line
    return line


def test_the_archive_is_fetched_checked_and_unpacked(server, home, capsys):
    assert fetcher.fetch(home, published(server.url)) == f"CIFAR-10 is in {home / 'cifar-10-batches-py'}"
    assert_whole(home)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "100%" in printed.err


def test_without_tqdm_it_fetches_too(server, home, monkeypatch, capsys):
    monkeypatch.setattr(fetcher, "tqdm", None)
    fetcher.fetch(home, published(server.url))
    assert_whole(home)
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_where_all_is_there_nothing_is_done(server, home):
    fetcher.fetch(home, published(server.url))
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*")}
    assert "nothing to do" in fetcher.fetch(home, published(server.url))
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*")} == before
    assert len(server.state.asked) == 1


def test_another_copy_is_left_untouched(server, home):
    folder = home / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name in fetcher.BATCHES:
        (folder / name).write_bytes(b"my own " + name.encode())
    assert "another copy" in fetcher.fetch(home, published(server.url))
    assert all((folder / name).read_bytes() == b"my own " + name.encode() for name in fetcher.BATCHES)
    assert sorted(os.listdir(folder)) == sorted(fetcher.BATCHES)
    assert server.state.asked == []


@pytest.mark.parametrize(("harm", "told"), [("unlink", "incomplete"), ("truncate", "damaged")])
def test_a_damaged_folder_is_named_and_left(server, home, harm, told):
    fetcher.fetch(home, published(server.url))
    victim = home / "cifar-10-batches-py" / "data_batch_3"
    victim.unlink() if harm == "unlink" else os.truncate(victim, 100)
    with pytest.raises(FetchError, match=rf"is {told} \(data_batch_3\)\. Delete that folder") as error:
        fetcher.fetch(home, published(server.url))
    one_line(error)
    assert (home / "cifar-10-batches-py" / "data_batch_1").exists()


def test_an_archive_put_there_by_hand_is_used_and_kept(server, home):
    home.mkdir()
    (home / "cifar-10-python.tar.gz").write_bytes(ARCHIVE)
    fetcher.fetch(home, published(server.url))
    assert server.state.asked == []
    assert (home / "cifar-10-python.tar.gz").read_bytes() == ARCHIVE
    (home / "cifar-10-python.tar.gz").unlink()
    assert_whole(home)


def test_a_wrong_archive_put_there_by_hand_is_refused(server, home):
    home.mkdir()
    (home / "cifar-10-python.tar.gz").write_bytes(ARCHIVE[:-1])
    with pytest.raises(FetchError, match=r"cifar-10-python.tar.gz is not the published archive.*Delete it") as error:
        fetcher.fetch(home, published(server.url))
    one_line(error)
    assert os.listdir(home) == ["cifar-10-python.tar.gz"]


@pytest.mark.parametrize(("status", "reason"), [(404, "Not Found"), (503, "Service Unavailable")])
def test_an_error_of_the_server_is_told(server, home, status, reason):
    server.state.status = status
    with pytest.raises(FetchError, match=f"answered {status} {reason}.* by hand, put it at") as error:
        fetcher.fetch(home, published(server.url))
    one_line(error)
    assert os.listdir(home) == []


def test_no_network_is_told(home, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(FetchError, match=r"cannot reach http://127.0.0.1:9/.*by hand") as error:
        fetcher.fetch(home, published("http://127.0.0.1:9/cifar-10-python.tar.gz"))
    one_line(error)
    assert os.listdir(home) == []


def test_a_stalled_download_is_given_up_and_resumed(server, home):
    server.state.cut_at, server.state.stall = 50_000, True
    with pytest.raises(FetchError, match=r"stopped answering.*by hand") as error:
        fetcher.fetch(home, published(server.url), timeout=0.3)
    one_line(error)
    assert os.listdir(home) == [fetcher.WORK_FOLDER]
    server.state.cut_at, server.state.stall = None, False
    fetcher.fetch(home, published(server.url))
    assert_whole(home)
    assert server.state.asked == [None, "bytes=50000-"]


def test_a_server_that_never_answers_is_given_up(home, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/cifar-10-python.tar.gz"
        with pytest.raises(FetchError, match="stopped answering"):
            fetcher.fetch(home, published(url), timeout=0.3)


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        HEAD + b"Content-Le",
        HEAD + b"Content-Length: 99\r\n\r\nabc",
        HEAD + b"Content-Length: ninety-nine\r\n\r\nabc",
        HEAD + b"Content-Length: -99\r\n\r\nabc",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\nabc",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nnine\r\nabc",
        b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n",
        b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 5-7/9\r\n\r\nabc",
        HEAD + b"x" * 100_000,
        HEAD + b"X: y\r\n" * 1000 + b"\r\n",
    ],
    ids=range(12),
)
def test_an_answer_that_makes_no_sense_is_told(home, monkeypatch, answer):
    monkeypatch.setenv("no_proxy", "*")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            with contextlib.suppress(ConnectionError), listener.accept()[0] as connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/cifar-10-python.tar.gz"
        with pytest.raises(FetchError) as error:
            fetcher.fetch(home, published(url), timeout=5)
        thread.join()
    assert url in one_line(error)
    assert not (home / "cifar-10-batches-py").exists()


@pytest.mark.parametrize("ranges", [True, False])
def test_a_cut_download_is_resumed(server, home, ranges):
    server.state.cut_at, server.state.ranges = 70_000, ranges
    with pytest.raises(FetchError, match=r"connection was cut. Run the same command again: it resumes") as error:
        fetcher.fetch(home, published(server.url))
    one_line(error)
    assert not (home / "cifar-10-batches-py").exists()
    server.state.cut_at = None
    fetcher.fetch(home, published(server.url))
    assert_whole(home)
    assert server.state.asked == [None, "bytes=70000-"]


@pytest.mark.parametrize("length", [True, False])
def test_wrong_bytes_are_refused_and_not_kept(server, home, length):
    server.state.body, server.state.length = b"<html>Please log in</html>", length
    with pytest.raises(FetchError, match=r"is not the published archive.*log-in page.*by hand") as error:
        fetcher.fetch(home, published(server.url))
    one_line(error)
    assert os.listdir(home) == []


def test_endless_bytes_are_not_taken(server, home):
    server.state.body, server.state.length = bytes(30_000_000), False
    with pytest.raises(FetchError, match="is not the published archive"):
        fetcher.fetch(home, published(server.url))
    assert os.listdir(home) == []
    assert server.state.sent < 30_000_000


@pytest.mark.parametrize(
    "left", [b"something else", ARCHIVE + b"more", bytes(len(ARCHIVE))], ids=["short", "long", "as long"]
)
def test_a_leftover_that_does_not_fit_is_thrown_away(server, home, left):
    (home / fetcher.WORK_FOLDER).mkdir(parents=True)
    (home / fetcher.WORK_FOLDER / "cifar-10-python.tar.gz.part").write_bytes(left)
    fetcher.fetch(home, published(server.url))
    assert_whole(home)


def test_a_leftover_that_is_whole_needs_no_network(server, home):
    work = home / fetcher.WORK_FOLDER
    (work / "cifar-10-batches-py").mkdir(parents=True)
    (work / "cifar-10-batches-py" / "data_batch_1").write_bytes(b"half")
    (work / "cifar-10-python.tar.gz.part").write_bytes(ARCHIVE)
    fetcher.fetch(home, published(server.url))
    assert_whole(home)
    assert server.state.asked == []


def test_a_leftover_beside_a_whole_data_set_is_removed(server, home):
    fetcher.fetch(home, published(server.url))
    (home / fetcher.WORK_FOLDER / "cifar-10-batches-py").mkdir(parents=True)
    fetcher.fetch(home, published(server.url))
    assert_whole(home)


NAME = "cifar-10-batches-py/data_batch_1"


@pytest.mark.parametrize(
    "member",
    [
        ("../escaped", b"x"),
        ("cifar-10-batches-py/../../escaped", b"x"),
        ("cifar-10-batches-py/more/data_batch_1", b"x"),
        ("cifar-10-batches-py/readme.html", b"x"),
        ("/tmp/escaped", b"x"),
        ("/cifar-10-batches-py/data_batch_1", b"x"),
        ("cifar-10-batches-py/../cifar-10-batches-py/data_batch_1", b"x"),
        ("cifar-10-batches-py\\..\\..\\escaped", b"x"),
        ("C:escaped", b"x"),
        special("cifar-10-batches-py/link", tarfile.SYMTYPE, "/etc/passwd"),
        special("cifar-10-batches-py/link", tarfile.SYMTYPE, "../../escaped"),
        special("cifar-10-batches-py/link", tarfile.LNKTYPE, "../../escaped"),
        special("cifar-10-batches-py", tarfile.SYMTYPE, "/tmp"),
        special("../escaped", tarfile.DIRTYPE),
        special("cifar-10-batches-py/disk", tarfile.BLKTYPE),
    ],
    ids=lambda member: getattr(member[0], "name", member[0]),
)
def test_what_else_an_archive_holds_is_not_unpacked(server, home, member):
    server.state.body = archive_of([member, *MEMBERS])
    fetcher.fetch(home, published(server.url, server.state.body))
    assert_whole(home)
    assert os.listdir(home.parent) == [home.name]
    assert not Path("/tmp/escaped").exists()


def test_nothing_is_written_through_a_link_of_the_archive(server, home):
    outside = home.parent / "outside"
    outside.mkdir()
    links = [
        special("cifar-10-batches-py", tarfile.SYMTYPE, str(outside)),
        special("cifar-10-batches-py/link", tarfile.SYMTYPE, str(outside)),
        ("cifar-10-batches-py/link/escaped", b"x"),
    ]
    server.state.body = archive_of([*links, *MEMBERS])
    fetcher.fetch(home, published(server.url, server.state.body))
    assert_whole(home)
    assert os.listdir(outside) == []


@pytest.mark.parametrize(
    "members",
    [
        [special(NAME, tarfile.SYMTYPE, "/etc/passwd"), *MEMBERS[1:]],
        [special(NAME, tarfile.LNKTYPE, MEMBERS[1][0]), *MEMBERS[1:]],
        [*MEMBERS[1:], special(NAME, tarfile.LNKTYPE, MEMBERS[1][0])],
        [special(NAME, tarfile.LNKTYPE, "../../../secret"), *MEMBERS[1:]],
        [special(NAME, tarfile.FIFOTYPE), *MEMBERS[1:]],
        [special(NAME, tarfile.CHRTYPE), *MEMBERS[1:]],
        [(NAME, b"other content"), *MEMBERS[1:]],
        [(NAME, b"other content"), *MEMBERS],
        MEMBERS[1:],
    ],
    ids=[
        "symbolic link",
        "hard link",
        "hard link to a file before",
        "hard link outside",
        "pipe",
        "device",
        "other content",
        "twice",
        "missing",
    ],
)
def test_an_archive_without_a_published_file_is_refused(server, home, members):
    home.mkdir()
    (home.parent / "secret").write_bytes(CONTENTS["data_batch_1"])
    server.state.body = archive_of(members)
    with pytest.raises(FetchError, match="does not hold the published data_batch_1") as error:
        fetcher.fetch(home, published(server.url, server.state.body))
    one_line(error)
    assert not (home / "cifar-10-batches-py").exists()


# Without the blocks of zeros that end a tar file, it is read to the end of the compressed data, with its checksum.
ENDLESS = gzip.compress(gzip.decompress(ARCHIVE).rstrip(b"\0"), mtime=0)


@pytest.mark.parametrize(
    "body",
    [b"", b"no archive", ARCHIVE[:60_000], ENDLESS[:-8] + bytes(8), gzip.compress(b"no tar file")],
    ids=["empty", "foreign", "truncated", "wrong checksum", "another file"],
)
def test_what_is_no_archive_is_refused(server, home, body):
    server.state.body = body
    with pytest.raises(FetchError, match="cannot be unpacked") as error:
        fetcher.fetch(home, published(server.url, body))
    one_line(error)
    assert not (home / "cifar-10-batches-py").exists()


def test_a_file_that_would_fill_the_disk_is_not_unpacked(server, home, monkeypatch):
    bomb = bytes(published(server.url).files_bytes + 1)
    server.state.body = archive_of([(NAME, bomb), *MEMBERS[1:]])
    written = []
    monkeypatch.setattr(fetcher.shutil, "copyfileobj", lambda source, file, size: written.append(Path(file.name).name))
    with pytest.raises(FetchError, match="does not hold the published data_batch_1"):
        fetcher.fetch(home, published(server.url, server.state.body))
    assert sorted(written) == sorted(set(CONTENTS) - {"data_batch_1"})


def altered(archive, rng):
    """An archive with some bytes other than they were, before or after compression."""
    compressed = rng.random() < 0.5
    content = bytearray(archive if compressed else gzip.decompress(archive))
    # Of a tar file, the blocks of 512 bytes that head a member, with their checksum put right.
    heads = [0] if compressed else [at for at in range(0, len(content), 512) if content[at : at + 5] == b"cifar"]
    for _ in range(rng.choice([1, 1, 3, 30])):
        head = rng.choice(heads)
        content[head + rng.randrange(len(content) if compressed else 512)] = rng.randrange(256)
        if not compressed:
            content[head + 148 : head + 156] = b" " * 8
            content[head + 148 : head + 156] = b"%06o\0 " % sum(content[head : head + 512])
    if rng.random() < 0.2:
        del content[rng.randrange(len(content)) :]
    return bytes(content) if compressed else gzip.compress(content, 1)


def test_an_altered_archive_is_refused_or_holds_the_published_files(home, monkeypatch, assert_never_half):
    monkeypatch.setattr(fetcher, "tqdm", None)
    rng = random.Random(0)
    refused = 0
    for _ in range(100):
        body = altered(ARCHIVE, rng)
        home.mkdir()
        (home / "cifar-10-python.tar.gz").write_bytes(body)
        try:
            fetcher.fetch(home, published("http://127.0.0.1:9/cifar-10-python.tar.gz", body))
        except FetchError:
            refused += 1
            assert os.listdir(home) == ["cifar-10-python.tar.gz"]
        else:
            (home / "cifar-10-python.tar.gz").unlink()
            assert_whole(home)
            assert_never_half(home)
        assert os.listdir(home.parent) == [home.name]
        shutil.rmtree(home)
    assert 30 < refused < 100


@pytest.mark.parametrize(
    "headers",
    [{"GNU.sparse.map": "a,b"}, {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}, {"size": "-1"}, {"size": "9" * 20}],
    ids=lambda headers: next(iter(headers)),
)
def test_an_archive_with_headers_that_make_no_sense_is_refused(home, headers):
    member, content = tarfile.TarInfo(NAME), CONTENTS["data_batch_1"]
    member.size, member.pax_headers = len(content), headers
    body = archive_of([(member, content), *MEMBERS[1:]])
    home.mkdir()
    (home / "cifar-10-python.tar.gz").write_bytes(body)
    with pytest.raises(FetchError, match="cannot be unpacked|does not hold the published"):
        fetcher.fetch(home, published("http://127.0.0.1:9/cifar-10-python.tar.gz", body))
    assert os.listdir(home) == ["cifar-10-python.tar.gz"]


class Mkdir:
    """Pickles as a call of os.mkdir."""

    def __reduce__(self):
        return os.mkdir, ("touched_by_a_pickle",)


def test_code_in_a_batch_is_not_run_even_where_every_sum_is_right(server, home, monkeypatch, assert_never_half):
    monkeypatch.chdir(home.parent)
    code = pickle.dumps({b"data": Mkdir(), b"labels": []}, protocol=2)
    server.state.body = archive_of([MEMBERS[0], (MEMBERS[1][0], code), *MEMBERS[2:]])
    wanted = published(server.url, server.state.body)
    fetcher.fetch(home, dataclasses.replace(wanted, files={**wanted.files, "data_batch_2": md5(code)}))
    with pytest.raises(ValueError, match=r"data_batch_2 is not a batch .*\.mkdir, which is foreign to it and was"):
        assert_never_half(home)
    assert os.listdir() == [home.name]


def test_too_little_space_is_told_before_anything_is_fetched(server, home, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(FetchError, match=r"not enough space: 0 MB are needed in .*, 0 MB are free") as error:
        fetcher.fetch(home, published(server.url))
    one_line(error)
    assert os.listdir(home) == []
    assert server.state.asked == []


@pytest.mark.parametrize("fails_at", ["download", "unpack"])
def test_a_disk_that_fills_up_is_told_and_given_back(server, home, monkeypatch, fails_at):
    class Full(io.BytesIO):
        def write(self, content):
            raise OSError(errno.ENOSPC, "No space left on device")

    def open_on_full_disk(path, mode="r"):
        if mode == ("wb" if fails_at == "download" else "xb"):
            return Full()
        return open(path, mode)

    monkeypatch.setattr(fetcher, "open", open_on_full_disk, raising=False)
    with pytest.raises(FetchError, match="the disk is full") as error:
        fetcher.fetch(home, published(server.url))
    one_line(error)
    assert os.listdir(home) == []


RUN = f"""
import sys
sys.path[:0] = sys.argv[3:]
import {Path(__file__).stem} as test
sys.exit(test.fetcher.main(["--folder", sys.argv[1]], test.published(sys.argv[2])))
"""


def start(server, home):
    """The command line in a process of its own, fetching from the server."""
    return subprocess.Popen(
        [sys.executable, "-c", RUN, home, server.url, REPOSITORY, Path(__file__).parent],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(true):
    deadline = time.monotonic() + 120  # the machine may be busy
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_killed_at_any_moment_it_leaves_no_half_data_set(server, home, assert_never_half):
    server.state.pause = 0.01
    for _ in range(6):
        begun = len(server.state.asked)
        process = start(server, home)
        wait_until(lambda: len(server.state.asked) > begun or process.poll() is not None)  # noqa: B023
        time.sleep(random.uniform(0, 0.4))
        process.kill()
        process.communicate()
        assert process.returncode in (0, -signal.SIGKILL)
        assert_never_half(home)
    fetcher.fetch(home, published(server.url))
    assert_whole(home)


def test_where_one_of_two_is_killed_the_other_goes_on(server, home):
    # Less than a buffer of Python's holds: what has come must not wait there.
    server.state.cut_at, server.state.stall = 1_000, True
    killed = start(server, home)
    part = home / fetcher.WORK_FOLDER / "cifar-10-python.tar.gz.part"
    wait_until(lambda: part.exists() and part.stat().st_size == 1_000)
    other = start(server, home)
    assert "waiting for it" in other.stderr.readline()
    server.state.cut_at, server.state.stall = None, False
    killed.kill()
    killed.communicate()
    other.communicate()
    assert other.returncode == 0
    assert_whole(home)
    assert server.state.asked == [None, "bytes=1000-"]


def test_the_loader_finds_the_whole_data_set_or_none_while_it_is_fetched(server, home, monkeypatch, assert_never_half):
    looks = []

    def looking(step):
        def looking_around(*arguments):
            looks.append(step)
            assert_never_half(home)
            done = step(*arguments)
            assert_never_half(home)
            return done

        return looking_around

    for module, step in ((fetcher, "_md5_of"), (fetcher.shutil, "copyfileobj"), (fetcher.os, "rename")):
        monkeypatch.setattr(module, step, looking(getattr(module, step)))
    fetcher.fetch(home, published(server.url))
    assert_whole(home)
    assert len(looks) > 2 * len(CONTENTS)


def test_killed_at_any_step_of_the_unpacking_it_leaves_no_half_data_set(server, home, monkeypatch):
    class Killed(BaseException):
        pass

    def killed(*_):
        raise Killed

    for step in (fetcher.tarfile, "open"), (fetcher.shutil, "copyfileobj"), (fetcher.os, "rename"):
        with monkeypatch.context() as patch:
            # A killed process cleans nothing up.
            patch.setattr(fetcher.shutil, "rmtree", lambda *_, **__: None)
            patch.setattr(*step, killed)
            with pytest.raises(Killed):
                fetcher.fetch(home, published(server.url))
        assert os.listdir(home) == [fetcher.WORK_FOLDER]
        fetcher.fetch(home, published(server.url))
        assert_whole(home)
        shutil.rmtree(home)


def test_interrupted_it_says_so_and_goes_on_the_next_time(server, home):
    server.state.cut_at, server.state.stall = 50_000, True
    process = start(server, home)
    part = home / fetcher.WORK_FOLDER / "cifar-10-python.tar.gz.part"
    wait_until(lambda: part.exists() and part.stat().st_size)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130
    assert out == ""
    assert err.splitlines()[-1] == "CIFAR-10: interrupted. Run the same command again: it resumes where it stopped"
    assert "Traceback" not in err
    kept = part.stat().st_size
    assert kept > 0
    server.state.cut_at, server.state.stall = None, False
    fetcher.fetch(home, published(server.url))
    assert_whole(home)
    assert server.state.asked[-1] == f"bytes={kept}-"


def test_two_at_once_both_succeed_and_fetch_once(server, home):
    server.state.pause = 0.01
    both = [start(server, home) for _ in range(2)]
    outputs = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert_whole(home)
    assert server.state.asked == [None]
    assert sorted("already" in out for out, _ in outputs) == [False, True]


def test_without_locks_it_fetches_too(server, home, monkeypatch):
    monkeypatch.setattr(fetcher, "fcntl", None)
    fetcher.fetch(home, published(server.url))
    assert_whole(home)


def test_a_file_system_without_locks_is_no_obstacle(server, home, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(fetcher.fcntl, "flock", no_locks)
    fetcher.fetch(home, published(server.url))
    assert_whole(home)


def test_the_command_says_in_one_line_where_the_data_is(server, home, capsys):
    assert fetcher.main(["--folder", str(home)], published(server.url)) == 0
    assert capsys.readouterr().out == f"CIFAR-10 is in {home / 'cifar-10-batches-py'}\n"


def test_the_command_tells_a_folder_that_cannot_be_made(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert fetcher.main(["--folder", str(tmp_path / "file")]) == 1
    err = capsys.readouterr().err
    assert err.startswith("CIFAR-10: ")
    assert len(err.splitlines()) == 1
    assert "file" in err


@pytest.fixture
def workbook(tmp_path):
    """A copy of the command in a workbook whose path has spaces."""
    root = tmp_path / "my work book"
    for path in ("datasets/get_datasets.sh", "tools/data/fetch_cifar10.py"):
        (root / path).parent.mkdir(parents=True)
        shutil.copy(REPOSITORY / path, root / path)
    return root


def run_command(workbook, *arguments, **variables):
    return subprocess.run(
        ["bash", "datasets/get_datasets.sh", *arguments],
        cwd=workbook,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_shell_command_without_a_network_fails_in_one_line(workbook):
    nowhere = "http://127.0.0.1:9"
    done = run_command(workbook, https_proxy=nowhere, HTTPS_PROXY=nowhere, no_proxy="", NO_PROXY="", CDPATH=".")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("CIFAR-10: cannot reach https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz (")
    assert len(done.stderr.splitlines()) == 1
    assert str(workbook / "datasets" / "cifar-10-python.tar.gz") in done.stderr
    assert os.listdir(workbook / "datasets") == ["get_datasets.sh"]


def test_the_shell_command_passes_its_arguments_on(workbook):
    done = run_command(workbook, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("usage: get_datasets.sh")
    assert run_command(workbook, "--unknown").returncode == 2


def test_the_shell_command_prefers_the_workbook_s_own_python(workbook):
    python = workbook / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\nprintf "%s|" own "$@"\n')
    python.chmod(0o755)
    done = run_command(workbook, "--folder", "a b")
    assert done.stdout == f"own|{workbook}/tools/data/fetch_cifar10.py|--folder|a b|"


def test_the_published_sums_are_those_that_torchvision_knows():
    published_as = pytest.importorskip("torchvision.datasets").CIFAR10
    known = dict([*published_as.train_list, *published_as.test_list])
    known[published_as.meta["filename"]] = published_as.meta["md5"]
    assert fetcher.CIFAR10.files == known
    assert fetcher.CIFAR10.archive_md5 == published_as.tgz_md5
    assert fetcher.CIFAR10.url == published_as.url
    assert published_as.base_folder == fetcher.FOLDER
