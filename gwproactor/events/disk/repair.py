"""What is done with a file in which bytes are damaged, so that nothing unread is deleted.

A copy of the whole file goes into the folder `damaged` beside it, for a person to look at. Then a
clean version, with every sound record in its old place, is renamed over the file: at the next start
it is an ordinary one.
"""

from contextlib import suppress
from pathlib import Path

from gwproactor.events.disk.file_calls import FileCalls, write_all

DAMAGED_FOLDER = "damaged"
_UNFINISHED = ".tmp"


def remove_leftovers(files: FileCalls, folder: Path) -> None:
    """Remove clean versions that a kill left unfinished."""
    for name in files.names(folder):
        if name.endswith(_UNFINISHED):
            files.remove(folder / name)


def repair(files: FileCalls, path: Path, data: bytes, clean: bytes) -> None:
    """Keep a copy of a damaged file, and put its clean version in its place.

    Where the disk does not let us, the file stays as it is, and is reported again next time.

    Args:
        files: The file operations.
        path: The file.
        data: What it contains.
        clean: The same without the damage.
    """
    with suppress(OSError):
        _write(files, _free_place(files, path), data)
        replace_file(files, path, clean)


def replace_file(files: FileCalls, path: Path, data: bytes) -> None:
    """Give a file new content, or leave it as it is, whatever happens in between.

    Raises:
        OSError: It is as it was.
    """
    unfinished = path.with_name(path.name + _UNFINISHED)
    _write(files, unfinished, data)
    files.rename(unfinished, path)
    files.sync_folder(path.parent)


def set_aside(files: FileCalls, path: Path) -> None:
    """Move a damaged file that is no longer needed out of the way.

    Raises:
        OSError: It is still where it was.
    """
    with suppress(FileNotFoundError):
        files.rename(path, _free_place(files, path))


def _free_place(files: FileCalls, path: Path) -> Path:
    """A name in the folder of damaged files that is not taken yet."""
    folder = path.parent / DAMAGED_FOLDER
    files.make_folder(folder)
    taken = set(files.names(folder))
    name, count = path.name, 1
    while name in taken:
        count += 1
        name = f"{path.name}.{count}"
    return folder / name


def _write(files: FileCalls, path: Path, data: bytes) -> None:
    descriptor = files.create(path)
    try:
        write_all(files, descriptor, data)
        files.sync(descriptor)
    except OSError:
        with suppress(OSError):
            files.remove(path)
        raise
    finally:
        files.close(descriptor)
