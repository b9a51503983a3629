"""Files that are there whole or not at all: written beside, synced, and renamed into place.

All of it blocks.
"""

from contextlib import suppress
from pathlib import Path

from gwproactor.events.disk.file_calls import FileCalls, write_all

UNFINISHED = "unfinished.tmp"
"""What is being written in a folder. One name, so that a disk that takes neither writes nor
removals does not fill up with attempts."""


def write_whole(files: FileCalls, path: Path, data: bytes, *, durable: bool) -> None:
    """Write a file in a folder of its own, which is made when missing.

    Args:
        files: The file operations.
        path: The file; one that is there is replaced.
        data: What is to be in it.
        durable: Let it outlive a power cut.

    Raises:
        OSError: After it the file may be there or not; where it is, it is whole.
    """
    files.make_folder(path.parent)
    unfinished = path.with_name(UNFINISHED)
    try:
        _write(files, unfinished, data, durable=durable)
        files.rename(unfinished, path)
    except OSError:
        with suppress(OSError):
            files.remove(unfinished)
        raise
    if durable:
        files.sync_folder(path.parent)


def _write(files: FileCalls, path: Path, data: bytes, *, durable: bool) -> None:
    descriptor = files.create(path)
    try:
        write_all(files, descriptor, data)
        if durable:
            files.sync(descriptor)
    finally:
        files.close(descriptor)
