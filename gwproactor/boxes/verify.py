"""Every byte of a data folder is read and checked; nothing is changed."""

from pathlib import Path

from gwproactor.boxes.box import Box, BoxReader, Progress, no_progress
from gwproactor.events.disk.file_calls import FileCalls, store_error
from gwproactor.events.log.seen_files import decode_file
from gwproactor.events.store import Damage

SEEN = "seen"
"""The folder of the ids seen, by link."""


def verify(data: Path, progress: Progress = no_progress) -> list[Damage]:
    """Return what is damaged: in the segments of each box, and among the ids seen.

    The unfinished last line that a kill leaves is no damage: nothing in it was ever reported.

    Raises:
        StoreError: A file cannot be read.
        StoreFormatError: A newer version wrote it.
    """
    damages: list[Damage] = []
    for box in Box:
        damages += BoxReader(box.path(data), progress).damages
    return damages + _damaged_ids(data / SEEN)


def _damaged_ids(folder: Path) -> list[Damage]:
    files, damages = FileCalls(), []
    for path in sorted(folder.glob("*/seen-*.log")):
        try:
            decoded = decode_file(files.read(path), str(path))
        except FileNotFoundError:
            continue  # a running node has removed it
        except OSError as error:
            raise store_error("read", path, error) from error
        if decoded.damaged_lines:
            damages.append(Damage(str(path), f"{decoded.damaged_lines} damaged lines of ids"))
    return damages
