"""Fetch CIFAR-10 from the University of Toronto, check it and unpack it for the lessons.

Needs only Python; with tqdm installed it shows a progress bar. The download stays in a work folder until it is
complete and checked, and is moved into place in one step: an interrupted run leaves no partial data set, and the next
run resumes where it stopped.
"""

import argparse
import contextlib
import errno
import gzip
import hashlib
import http.client
import os
import shutil
import sys
import tarfile
import urllib.error
import urllib.request
import zlib
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
try:
    from tqdm import tqdm
except ImportError:  # outside the workbook's environment
    tqdm = None

__all__ = ["CIFAR10", "FetchError", "Published", "fetch", "main"]

FOLDER = "cifar-10-batches-py"
WORK_FOLDER = ".cifar-10-fetch"
BATCHES = ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"]
CHUNK_BYTES = 1 << 20
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
AGAIN = "Run the same command again"


@dataclass(frozen=True)
class Published:
    """What is published about an archive and its files.

    Parameters
    ----------
    url : str
        Where the archive is; the last part of its path is the archive's file name.
    archive_md5 : str
        MD5 of the archive, hexadecimal.
    archive_bytes : int
        Size of the archive.
    files : dict
        MD5 of each file to unpack, by its name in the folder ``cifar-10-batches-py``.
    files_bytes : int
        Total size of those files, for checking the free space.
    """

    url: str
    archive_md5: str
    archive_bytes: int
    files: dict
    files_bytes: int


CIFAR10 = Published(
    url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    archive_md5="c58f30108f718f92721af3b95e74349a",
    archive_bytes=170_498_071,
    files={
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
        "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
    },
    files_bytes=187_000_000,
)


class FetchError(Exception):
    """The data set could not be fetched; the message is one line that says why and what to do."""


def fetch(home, published=CIFAR10, timeout=30):
    """Make sure that `home` holds the folder ``cifar-10-batches-py``.

    Does nothing if it is already there. An archive put into `home` by hand is used instead of a download.

    Parameters
    ----------
    home : path
        The folder to hold ``cifar-10-batches-py``; created if missing.
    published : Published, default CIFAR10
        Where the archive comes from, and the checksums to verify.
    timeout : float, default 30
        Give up after this many seconds without a byte from the server.

    Returns
    -------
    report : str
        One line that says what is in place.

    Raises
    ------
    FetchError
        The server cannot be reached or does not send the archive, the disk is full, or the folder is damaged.
    OSError
        `home` cannot be written.
    """
    home = Path(home)
    home.mkdir(parents=True, exist_ok=True)
    target, work, archive = home / FOLDER, home / WORK_FOLDER, home / published.url.rpartition("/")[2]
    with _alone_in(home):
        report = _report_on(target, published)
        if report:
            shutil.rmtree(work, ignore_errors=True)
            return report
        try:
            if os.path.lexists(archive):
                _check_archive(archive, published)
                _check_free_space(home, published.files_bytes)
            else:
                archive = work / (archive.name + ".part")
                _download(archive, home, published, timeout)
            _unpack(archive, work / FOLDER, published)
            os.rename(work / FOLDER, target)
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            shutil.rmtree(work, ignore_errors=True)
            raise FetchError(f"the disk is full: {home}. Free {_megabytes(_needed(published))}. {AGAIN}") from error
        finally:
            # Keep only the part of the archive that has arrived, for the next run.
            shutil.rmtree(work / FOLDER, ignore_errors=True)
            with contextlib.suppress(OSError):
                work.rmdir()
        shutil.rmtree(work, ignore_errors=True)
    return f"CIFAR-10 is in {target}"


def _report_on(target, published):
    """One line on the data set in place, or None if there is none."""
    if not os.path.lexists(target):
        return None
    as_published = [name for name, md5 in published.files.items() if _md5_of(target / name) == md5]
    if len(as_published) == len(published.files):
        return f"CIFAR-10 is already in {target}: nothing to do"
    missing = [name for name in BATCHES if not (target / name).is_file()]
    if not missing and not set(BATCHES) & set(as_published):
        return (
            f"{target} holds another copy of CIFAR-10, not the published one: left untouched "
            "(to fetch the published one, move that folder away first)"
        )
    wrong = ", ".join(missing or [name for name in published.files if name not in as_published])
    raise FetchError(f"{target} is {'incomplete' if missing else 'damaged'} ({wrong}). Delete that folder. {AGAIN}")


@contextlib.contextmanager
def _alone_in(home):
    """Wait until no other run works in `home`.

    The folder itself is locked, so no lock file stays behind. Where folders cannot be locked, the worst that happens
    is that two runs spoil each other's download, which the MD5 reveals.
    """
    if fcntl is None:
        yield
        return
    handle = os.open(home, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _note(f"another run is fetching into {home}: waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        os.close(handle)


def _download(part, home, published, timeout):
    """Download the archive to `part`, resuming from what is already there."""
    have = part.stat().st_size if part.is_file() else 0
    if have and _md5_of(part) == published.archive_md5:
        return
    _check_free_space(home, _needed(published) - have)
    _receive(part, have, home, published, timeout)
    md5 = _md5_of(part)
    if md5 == published.archive_md5:
        return
    part.unlink()
    if not have:
        raise FetchError(
            f"what {published.url} sent is not the published archive "
            f"(its MD5 is {md5}, not {published.archive_md5}): is there a proxy or a log-in page in between? "
            + _by_hand(home, published)
        )
    _note("what is left of an earlier download does not match: starting over")
    _download(part, home, published, timeout)


def _receive(part, have, home, published, timeout):
    """Append to `part` the archive's bytes after the first `have`."""
    headers = {"User-Agent": "cs231n-workbook", **({"Range": f"bytes={have}-"} if have else {})}
    with contextlib.ExitStack() as stack:
        with _told_as_fetch_errors(home, published):
            try:
                answer = stack.enter_context(
                    urllib.request.urlopen(urllib.request.Request(published.url, headers=headers), timeout=timeout)
                )
            except urllib.error.HTTPError as error:
                error.close()
                if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
                    return
                raise
        if answer.status != http.client.PARTIAL_CONTENT:
            have = 0
        length = answer.headers.get("Content-Length", "")
        total = have + int(length) if length.isdecimal() else None
        part.parent.mkdir(exist_ok=True)
        file = stack.enter_context(open(part, "ab" if have else "wb"))
        bar = stack.enter_context(_progress_bar(have, total))
        # Anything longer than the archive is not the archive, so there is no need to read it to its end.
        while have <= published.archive_bytes:
            with _told_as_fetch_errors(home, published):
                # What has arrived, rather than a full chunk: nothing is lost when the connection breaks.
                chunk = answer.read1(CHUNK_BYTES)
            if not chunk:
                break
            file.write(chunk)
            file.flush()  # if killed now, the next run resumes after this chunk
            have += len(chunk)
            bar.update(len(chunk))
    if total is not None and have < min(total, published.archive_bytes):
        raise FetchError(_cut(home, published))


@contextlib.contextmanager
def _told_as_fetch_errors(home, published):
    try:
        yield
    except urllib.error.HTTPError as error:
        problem = f"{published.url} answered {error.code} {error.reason}"
    except TimeoutError:
        problem = f"{published.url} has stopped answering"
    except urllib.error.URLError as error:
        problem = f"cannot reach {published.url} ({getattr(error.reason, 'strerror', None) or error.reason})"
    except (OSError, http.client.HTTPException) as error:
        raise FetchError(_cut(home, published)) from error
    else:
        return
    raise FetchError(f"{problem}. {_by_hand(home, published)}")


def _cut(home, published):
    return f"the connection was cut. {AGAIN}: it resumes where it stopped. {_by_hand(home, published)}"


def _by_hand(home, published):
    archive = Path(home) / published.url.rpartition("/")[2]
    return f"{AGAIN} later, or download {published.url} by hand, put it at {archive} and then run the command"


def _check_archive(archive, published):
    md5 = _md5_of(archive)
    if md5 != published.archive_md5:
        raise FetchError(
            f"{archive} is not the published archive (its MD5 is {md5}, not {published.archive_md5}). "
            f"Delete it or download it again. {AGAIN}"
        )


def _check_free_space(home, needed):
    free = shutil.disk_usage(home).free
    if free < needed:
        raise FetchError(
            f"not enough space: {_megabytes(needed)} are needed in {home}, {_megabytes(free)} are free. "
            f"Free some. {AGAIN}"
        )


def _needed(published):
    return published.archive_bytes + published.files_bytes


def _unpack(archive, into, published):
    """Write the published files of `archive` into the new folder `into`.

    Nothing else is unpacked: no folder, no link, no file of another name, none larger than all of them together.
    """
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    missing = {f"{FOLDER}/{name}": name for name in published.files}
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                if member.name in missing and member.isreg() and member.size <= published.files_bytes:
                    with tar.extractfile(member) as source, open(into / missing.pop(member.name), "xb") as file:
                        shutil.copyfileobj(source, file, CHUNK_BYTES)
    except (tarfile.TarError, EOFError, ValueError, gzip.BadGzipFile, zlib.error) as error:
        raise FetchError(f"{archive} cannot be unpacked ({error}). Delete it. {AGAIN}") from error
    wrong = [name for name, md5 in published.files.items() if _md5_of(into / name) != md5]
    if wrong:
        raise FetchError(f"{archive} does not hold the published {', '.join(wrong)}. Delete it. {AGAIN}")


def _md5_of(path):
    """MD5 of a file, hexadecimal; None if there is no such file."""
    if not path.is_file():
        return None
    md5 = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            md5.update(chunk)
    return md5.hexdigest()


def _progress_bar(have, total):
    if tqdm is None:
        _note("downloading; with tqdm installed there would be a progress bar")
        return contextlib.nullcontext(SimpleNamespace(update=lambda count: None))
    return tqdm(desc="CIFAR-10", initial=have, total=total, unit="B", unit_scale=True, unit_divisor=1000)


def _megabytes(count):
    return f"{max(count, 0) / 1e6:.0f} MB"


def _note(line):
    print(f"CIFAR-10: {line}", file=sys.stderr)


def main(arguments=None, published=CIFAR10):
    """The command line: fetch CIFAR-10 and say in one line where it is.

    Parameters
    ----------
    arguments : list of str, default the command line's
    published : Published, default CIFAR10
        Passed to :func:`fetch`.

    Returns
    -------
    status : int
        0 when the data set is there, 1 when it could not be fetched, 130 when interrupted.
    """
    parser = argparse.ArgumentParser(
        prog="get_datasets.sh",
        description=f"Fetch CIFAR-10 (170 MB, 187 MB unpacked) from {published.url}, check it and unpack it.",
        epilog="Does nothing if the data set is already there. An interrupted download is resumed by the next run.",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(__file__).resolve().parents[2] / "datasets",
        help=f"folder to hold {FOLDER} (default: the workbook's datasets); if it is another one, "
        "set the environment variable CS231N_CIFAR10_DIR to it, so that the lessons find it",
    )
    folder = parser.parse_args(arguments).folder
    try:
        print(fetch(folder, published))
    except (FetchError, OSError) as error:
        _note(str(error))
        return 1
    except KeyboardInterrupt:
        _note(f"interrupted. {AGAIN}: it resumes where it stopped")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
