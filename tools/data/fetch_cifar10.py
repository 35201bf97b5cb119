"""Fetch CIFAR-10 from the University of Toronto, check it and unpack it for the lessons.

Needs only Python; with tqdm installed it shows a progress bar. An interrupted download is resumed by the next run, and
the unpacked folder is moved into place in one step when it is complete and checked.
"""

import argparse
import contextlib
import errno
import hashlib
import http.client
import shutil
import sys
import tarfile
import urllib.error
import urllib.request
from pathlib import Path

try:
    from tqdm import tqdm
except ImportError:  # outside the workbook's environment
    tqdm = None

__all__ = ["FetchError", "fetch", "main"]

ARCHIVE = "cifar-10-python.tar.gz"
URL = f"https://www.cs.toronto.edu/~kriz/{ARCHIVE}"
ARCHIVE_MD5 = "c58f30108f718f92721af3b95e74349a"
FOLDER = "cifar-10-batches-py"
FILES_MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
    "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
}
CHUNK_BYTES = 1 << 20
AGAIN = "run the same command again"


class FetchError(Exception):
    """The data set could not be fetched; the message is one line that says why and what to do."""


def fetch(home, timeout=30):
    """Make sure that `home` holds the folder ``cifar-10-batches-py``.

    Does nothing if it is already there. An archive put into `home` by hand is used instead of a download, and kept.

    Parameters
    ----------
    home : path
        The folder to hold ``cifar-10-batches-py``; created if missing.
    timeout : float, default 30
        Give up after this many seconds without a byte from the server.

    Returns
    -------
    report : str
        One line that says what is in place.

    Raises
    ------
    FetchError
        The archive cannot be downloaded or is not the published one, the disk is full, or the folder that is already
        there holds something else.
    OSError
        `home` cannot be written.
    """
    home = Path(home)
    home.mkdir(parents=True, exist_ok=True)
    target, archive, part = home / FOLDER, home / ARCHIVE, home / f"{ARCHIVE}.part"
    if target.exists():
        if wrong := _not_as_published(target):
            raise FetchError(
                f"{target} is incomplete or not the published data set ({', '.join(wrong)}): left as it is. "
                f"To fetch CIFAR-10, move that folder away and {AGAIN}"
            )
        return f"CIFAR-10 is already in {target}: nothing to do"
    try:
        if not archive.exists():
            if _md5_of(part) != ARCHIVE_MD5:
                _download(part, timeout)
            _unpack(part, target)
        elif _md5_of(archive) == ARCHIVE_MD5:
            _unpack(archive, target)
        else:
            raise FetchError(f"{archive} is not the published archive (its MD5 differs). Delete it and {AGAIN}")
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise FetchError(f"the disk is full: fetching needs 360 MB in {home}. Free some and {AGAIN}") from error
    part.unlink(missing_ok=True)
    return f"CIFAR-10 is in {target}"


def _download(part, timeout):
    """Download the archive to `part`, resuming from what is already there."""
    by_hand = f"or download {URL} by hand and put it at {part.with_name(ARCHIVE)}"
    try:
        _receive(part, timeout)
    except (OSError, http.client.HTTPException) as error:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            raise
        reason = error if isinstance(error, urllib.error.HTTPError) else getattr(error, "reason", error)
        raise FetchError(f"cannot download {URL} ({reason}). To go on where it stopped, {AGAIN}, {by_hand}") from error
    md5 = _md5_of(part)
    if md5 != ARCHIVE_MD5:
        part.unlink()
        raise FetchError(
            f"what came from {URL} is not the published archive (its MD5 is {md5}): is there a proxy or a log-in page "
            f"in between? To start over, {AGAIN}, {by_hand}"
        )


def _receive(part, timeout):
    """Append to `part` the bytes of the archive that it lacks."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "cs231n-workbook", **({"Range": f"bytes={have}-"} if have else {})}
    try:
        answer = urllib.request.urlopen(urllib.request.Request(URL, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        if have and error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:  # nothing is left to send
            return
        raise
    if answer.status != http.client.PARTIAL_CONTENT:
        have = 0
    length = answer.headers.get("Content-Length")
    total = have + int(length) if length else None
    with answer, open(part, "ab" if have else "wb") as file, _progress_bar(file, have, total) as counted_file:
        # What has arrived, rather than a full chunk: nothing is lost when the connection breaks.
        while chunk := answer.read1(CHUNK_BYTES):
            counted_file.write(chunk)
            have += len(chunk)
    if total is not None and have < total:
        raise ConnectionError("the connection was cut")


def _progress_bar(file, have, total):
    """A context in which writing to the file moves a progress bar, if there is tqdm."""
    if tqdm is None:
        print("CIFAR-10: downloading; with tqdm installed there would be a progress bar", file=sys.stderr)
        return contextlib.nullcontext(file)
    return tqdm.wrapattr(file, "write", total, desc="CIFAR-10", initial=have, unit_divisor=1000)


def _unpack(archive, target):
    """Unpack into a folder beside `target` and rename it, so that `target` never holds half a data set."""
    work = target.with_name(".cifar-10-unpacking")
    shutil.rmtree(work, ignore_errors=True)  # left by a run that was killed
    try:
        with tarfile.open(archive) as tar:
            # The filter refuses whatever would land outside of the folder. Python before 3.10.12 and 3.11.4 has none.
            tar.extraction_filter = getattr(tarfile, "data_filter", lambda member, path: member)
            tar.extractall(work)
        if wrong := _not_as_published(work / FOLDER):
            raise FetchError(f"{archive} does not hold the published {', '.join(wrong)}. Delete it and {AGAIN}")
        (work / FOLDER).rename(target)
    except tarfile.TarError as error:
        raise FetchError(f"{archive} cannot be unpacked ({error}). Delete it and {AGAIN}") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _not_as_published(folder):
    """Names of the files of the data set that are missing from a folder or differ from the published ones."""
    return [name for name, md5 in FILES_MD5.items() if _md5_of(folder / name) != md5]


def _md5_of(path):
    """MD5 of a file, hexadecimal; None if there is no such file."""
    if not path.is_file():
        return None
    md5 = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            md5.update(chunk)
    return md5.hexdigest()


def main(arguments=None):
    """The command line: fetch CIFAR-10 and say in one line where it is.

    Parameters
    ----------
    arguments : list of str, default the command line's

    Returns
    -------
    status : int
        0 when the data set is there, 1 when it could not be fetched, 130 when interrupted.
    """
    parser = argparse.ArgumentParser(
        prog="get_datasets.sh",
        description=f"Fetch CIFAR-10 (170 MB, 187 MB unpacked) from {URL}, check it and unpack it.",
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
        print(fetch(folder))
    except (FetchError, OSError) as error:
        print(f"CIFAR-10: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"CIFAR-10: interrupted. To go on where it stopped, {AGAIN}", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
