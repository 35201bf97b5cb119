"""The fetcher, against a server on this machine: whole, broken off, wrong, interrupted."""

import errno
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import tools.data.fetch_cifar10 as fetcher
from cs231n.data import cifar10, lesson_data

REPOSITORY = Path(__file__).resolve().parents[2]


def md5(content):
    return hashlib.md5(content).hexdigest()


def archive_of(members):
    """A .tar.gz of files, by (name, content), and of symbolic links, by (name, Path(target))."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if isinstance(content, Path):
                member.type, member.linkname, content = tarfile.SYMTYPE, str(content), b""
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


CONTENTS = {name: os.urandom(20_000) for name in fetcher.FILES_MD5}
MEMBERS = [(f"{fetcher.FOLDER}/{name}", content) for name, content in CONTENTS.items()]
ARCHIVE = archive_of(MEMBERS)


class Handler(BaseHTTPRequestHandler):
    timeout = 10

    def do_GET(self):
        server, asked = self.server, self.headers.get("Range")
        server.asked.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and server.ranges else 0
        status = 416 if start >= len(server.body) else server.status
        if status != 200:
            return self.send_error(status)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(server.body) - start))
        self.end_headers()
        self.wfile.write(server.body[start : server.cut_at])
        if server.stalls:
            self.rfile.read(1)  # returns when the client gives up

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    """A server whose attributes say how it answers; `asked` holds the ranges that it was asked for."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        vars(server).update(body=ARCHIVE, status=200, ranges=True, cut_at=None, stalls=False, asked=[])
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        monkeypatch.setenv("no_proxy", "*")
        monkeypatch.setattr(fetcher, "URL", f"http://127.0.0.1:{server.server_port}/{fetcher.ARCHIVE}")
        monkeypatch.setattr(fetcher, "ARCHIVE_MD5", md5(ARCHIVE))
        monkeypatch.setattr(fetcher, "FILES_MD5", {name: md5(content) for name, content in CONTENTS.items()})
        yield server
        server.shutdown()


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "data sets"
    folder.mkdir()
    return folder


def assert_whole(home):
    """The published files are there, and nothing else."""
    assert os.listdir(home) == [fetcher.FOLDER]
    assert {path.name: path.read_bytes() for path in (home / fetcher.FOLDER).iterdir()} == CONTENTS


def assert_refused(home, *expected, timeout=30):
    """The fetcher gives up in one line, and leaves nothing that the loader would take for CIFAR-10."""
    with pytest.raises(fetcher.FetchError) as error:
        fetcher.fetch(home, timeout)
    assert not (home / fetcher.FOLDER).exists()
    (line,) = str(error.value).splitlines()
    for part in expected:
        assert part in line


@pytest.mark.parametrize("tqdm", [fetcher.tqdm, None])
def test_the_archive_is_fetched_and_unpacked(server, home, monkeypatch, capsys, tqdm):
    monkeypatch.setattr(fetcher, "tqdm", tqdm)
    assert fetcher.main(["--folder", str(home)]) == 0
    assert_whole(home)
    printed = capsys.readouterr()
    assert printed.out == f"CIFAR-10 is in {home / fetcher.FOLDER}\n"
    assert ("100%" in printed.err) == (tqdm is not None)


@pytest.mark.parametrize("harm", [None, Path.unlink, lambda path: path.write_bytes(b"another copy")])
def test_what_is_in_place_is_left_as_it_is(server, home, capsys, harm):
    fetcher.fetch(home)
    if harm:
        harm(home / fetcher.FOLDER / "data_batch_3")
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*")}
    assert fetcher.main(["--folder", str(home)]) == (1 if harm else 0)
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*")} == before
    assert len(server.asked) == 1
    told = "not the published data set (data_batch_3): left as it is" if harm else "nothing to do"
    assert told in "".join(capsys.readouterr())


def test_an_archive_put_there_by_hand_is_used_and_kept(server, home):
    (home / fetcher.ARCHIVE).write_bytes(ARCHIVE)
    fetcher.fetch(home)
    assert server.asked == []
    assert sorted(os.listdir(home)) == [fetcher.FOLDER, fetcher.ARCHIVE]


def test_a_wrong_archive_put_there_by_hand_is_refused(server, home):
    (home / fetcher.ARCHIVE).write_bytes(ARCHIVE[:-1])
    assert_refused(home, f"{home / fetcher.ARCHIVE} is not the published archive", "Delete it")
    assert os.listdir(home) == [fetcher.ARCHIVE]


@pytest.mark.parametrize(
    ("answer", "told"),
    [({"status": 404}, "404: Not Found"), ({"body": b"<html>Log in</html>"}, "is not the published archive")],
)
def test_what_a_server_sends_instead_is_told_and_not_kept(server, home, answer, told):
    vars(server).update(answer)
    assert_refused(home, fetcher.URL, told, f"by hand and put it at {home / fetcher.ARCHIVE}")
    assert os.listdir(home) == []


@pytest.mark.parametrize("ranges", [True, False])
def test_a_download_that_broke_off_is_resumed(server, home, capsys, ranges):
    server.cut_at, server.ranges = 70_000, ranges
    assert_refused(home, "the connection was cut", "To go on where it stopped")
    server.cut_at = None
    fetcher.fetch(home)
    assert_whole(home)
    assert server.asked == [None, "bytes=70000-"]
    assert "100%" in capsys.readouterr().err


def test_a_server_that_stalls_is_given_up(server, home):
    server.cut_at, server.stalls = 70_000, True
    assert_refused(home, "timed out", "To go on where it stopped", timeout=0.1)


def test_a_leftover_that_does_not_fit_is_thrown_away(server, home):
    (home / f"{fetcher.ARCHIVE}.part").write_bytes(bytes(len(ARCHIVE)))
    assert_refused(home, "is not the published archive", "To start over")
    fetcher.fetch(home)
    assert_whole(home)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_disk_that_is_full_is_told(server, home):
    (home / f"{fetcher.ARCHIVE}.part").symlink_to("/dev/full")
    assert_refused(home, "the disk is full", str(home))


@pytest.mark.parametrize(
    ("stop", "told"), [(OSError(errno.ENOSPC, "No space"), (1, "is full")), (KeyboardInterrupt(), (130, "interrupted"))]
)
def test_stopped_while_unpacking_it_leaves_nothing_half(server, home, monkeypatch, capsys, stop, told):
    def stopped(tar, folder):
        tar.extract(MEMBERS[0][0], folder)
        raise stop

    with monkeypatch.context() as patch:
        patch.setattr(tarfile.TarFile, "extractall", stopped)
        assert fetcher.main(["--folder", str(home)]) == told[0]
    assert told[1] in capsys.readouterr().err.splitlines()[-1]
    assert os.listdir(home) == [f"{fetcher.ARCHIVE}.part"]
    # A killed run cannot tidy up.
    (home / ".cifar-10-unpacking" / fetcher.FOLDER / "half").mkdir(parents=True)
    fetcher.fetch(home)
    assert_whole(home)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "members",
    [
        [("../../escaped", b"")],
        [("up", Path("../..")), ("up/escaped", b"")],
        MEMBERS[1:],
        [(MEMBERS[0][0], b"other content"), *MEMBERS[1:]],
    ],
    ids=["path", "link", "missing file", "other file"],
)
def test_what_an_archive_should_not_hold_is_refused(server, home, monkeypatch, members):
    server.body = archive_of(members)
    monkeypatch.setattr(fetcher, "ARCHIVE_MD5", md5(server.body))
    assert_refused(home, "Delete it")
    assert os.listdir(home.parent) == [home.name]


def test_a_folder_that_cannot_be_made_is_told_in_one_line(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert fetcher.main(["--folder", str(tmp_path / "file")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("CIFAR-10: ") and "file" in line


def test_the_shell_command_works_from_any_folder_with_nothing_but_python(tmp_path):
    workbook = tmp_path / "my work book"
    for path in ("datasets/get_datasets.sh", "tools/data/fetch_cifar10.py"):
        (workbook / path).parent.mkdir(parents=True)
        shutil.copy(REPOSITORY / path, workbook / path)
    python = workbook / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "$@"\n')  # without site-packages
    python.chmod(0o755)
    done = subprocess.run(
        ["bash", workbook / "datasets" / "get_datasets.sh", "--folder", "a b"],
        cwd=tmp_path,
        env={**os.environ, "https_proxy": "http://127.0.0.1:9", "no_proxy": ""},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"CIFAR-10: cannot download {fetcher.URL} (")
    assert f"by hand and put it at {Path('a b', fetcher.ARCHIVE)}" in line


def test_names_and_sums_are_those_that_torchvision_and_the_loader_know():
    known = pytest.importorskip("torchvision.datasets").CIFAR10
    files = [*known.train_list, *known.test_list, [known.meta["filename"], known.meta["md5"]]]
    assert fetcher.FILES_MD5 == dict(files)
    assert (fetcher.URL, fetcher.ARCHIVE_MD5, fetcher.FOLDER) == (known.url, known.tgz_md5, known.base_folder)
    assert fetcher.FOLDER == lesson_data.BATCHES_FOLDER
    assert {*cifar10.TRAINING_BATCHES, cifar10.TEST_BATCH} < set(fetcher.FILES_MD5)
