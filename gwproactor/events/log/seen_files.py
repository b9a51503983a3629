"""The ids seen from one peer, on disk: append-only files that rotate by count. Every call blocks.

A file has a header and lines of digests, one line a commit::

    # gwproactor seen ids, format 001, crc 2ab1c0de
    9ad1c2f3 1f2e3d4c5b6a79881f2e3d4c5b6a7988aa01…

A line that its checksum does not fit is reported and left out; its ids are forgotten, which matters
only if the peer sends one of them again. When the other files remember enough, the oldest is
removed. The small files that restarts leave behind are joined at a start.
"""

import re
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from gwproactor.errors import StoreFormatError, StoreUnusableError
from gwproactor.events.core.seen_ids import DIGEST_BYTES, SeenIds, digest_of
from gwproactor.events.disk.append_file import AppendFile
from gwproactor.events.disk.file_calls import (
    FileCalls,
    describe,
    make_vanished_folder,
    store_error,
    sync_file,
)
from gwproactor.events.disk.repair import remove_leftovers, replace_file
from gwproactor.events.store import Damage

DEFAULT_MAX_IDS = 1_000_000
"""How far back a repeat is recognised: hours at full speed, years of an ordinary node."""

DEFAULT_IDS_PER_FILE = 1 << 16
"""A file is 2 MB, and forgetting one forgets a sixteenth of the memory."""

FORMAT = 1
_SPARE_FILES = 8
"""So many small files, left by restarts, are not worth the work of joining them."""

_DIGESTS_IN_A_LINE = 512
_HEADER = re.compile(rb"(# gwproactor seen ids, format (\d{3})), crc ([0-9a-f]{8})\n")
_LINE = re.compile(rb"([0-9a-f]{8}) ((?:[0-9a-f]{32})+)")
_NAME = re.compile(r"seen-(\d{10})\.log")


def encode_header() -> bytes:
    """Write the first line of a file."""
    text = f"# gwproactor seen ids, format {FORMAT:03}".encode()
    return b"%b, crc %08x\n" % (text, crc32(text))


def encode_line(digests: Sequence[bytes]) -> bytes:
    """Write one line of digests."""
    body = b"".join(digests).hex().encode()
    return b"%08x %b\n" % (crc32(body), body)


class Decoded(NamedTuple):
    """The digests of a file, and how many lines of it are damaged."""

    digests: list[bytes]
    damaged_lines: int


def decode_file(data: bytes, name: str) -> Decoded:
    """Read a whole file.

    Raises:
        StoreFormatError: It was written by a newer version.
    """
    match = _HEADER.match(data)
    is_sound = match is not None and crc32(match[1]) == int(match[3], 16)
    if match and is_sound and int(match[2]) > FORMAT:
        raise StoreFormatError(
            f"{name} has format {int(match[2])}, and this version reads up to {FORMAT}:"
            " update gwproactor, or give another folder"
        )
    *lines, unfinished = data.split(b"\n")
    del unfinished  # what a kill leaves of a line never reported written
    digests: list[bytes] = []
    damaged = int(match is not None and not is_sound)
    for line in lines[1:] if match else lines:
        found = _decode_line(line)
        digests += found
        damaged += not found
    return Decoded(digests, damaged)


def _decode_line(line: bytes) -> list[bytes]:
    match = _LINE.fullmatch(line)
    if match is None or crc32(match[2]) != int(match[1], 16):
        return []
    raw = bytes.fromhex(match[2].decode())
    return [raw[start : start + DIGEST_BYTES] for start in range(0, len(raw), DIGEST_BYTES)]


class SeenFiles:
    """The digests of one peer's ids; see the module's description.

    Args:
        folder: Where the files lie; created when missing.
        durable: Sync what is added.
        max_ids: So many are remembered at least.
        ids_per_file: A new file is begun after so many.
        files: The file operations.
    """

    def __init__(
        self,
        folder: Path,
        *,
        durable: bool = True,
        max_ids: int = DEFAULT_MAX_IDS,
        ids_per_file: int = DEFAULT_IDS_PER_FILE,
        files: FileCalls | None = None,
    ) -> None:
        self.ids = SeenIds()
        self._folder = folder
        self._durable = durable
        self._max_ids = max_ids
        self._ids_per_file = ids_per_file
        self._files = files or FileCalls()
        self._paths: deque[Path] = deque()
        self._file: AppendFile | None = None
        self._next_number = 1

    # Opening

    def open(self) -> list[Damage]:
        """Read every file once; return what is damaged.

        Raises:
            StoreUnusableError: The folder or a file cannot be read.
            StoreFormatError: A newer version wrote it.
        """
        try:
            self._files.make_folder(self._folder)
            remove_leftovers(self._files, self._folder)
            paths = [
                self._folder / n for n in self._files.names(self._folder) if _NAME.fullmatch(n)
            ]
            damages = self._load_all(paths)
            self._sync_all()
            self._forget_oldest()  # a power cut may bring back files that were removed
        except OSError as error:
            raise StoreUnusableError(f"cannot use {self._folder}: {describe(error)}") from error
        if paths:
            self._next_number = _number(paths[-1]) + 1
        return damages

    def _sync_all(self) -> None:
        """Sync what a killed run may have written and not synced: from here on it counts."""
        if self._durable and self._paths:
            for path in self._paths:
                sync_file(self._files, path)
            self._files.sync_folder(self._folder)

    def _load_all(self, paths: Sequence[Path]) -> list[Damage]:
        """Read the files into memory, one generation each, or one for several that are joined."""
        damages = []
        join = len(paths) > _SPARE_FILES + 2 * self._max_ids // self._ids_per_file
        group = _Group([], [], damaged=False)
        for path in paths:
            decoded = decode_file(self._files.read(path), str(path))
            if decoded.damaged_lines:
                damages.append(Damage(str(path), f"{decoded.damaged_lines} damaged lines of ids"))
            if not join or len(group.digests) + len(decoded.digests) > self._ids_per_file:
                self._take_in(group)
                group = _Group([], [], damaged=False)
            group = group.with_file(path, decoded)
        self._take_in(group)
        return damages

    def _take_in(self, group: "_Group") -> None:
        """Remember the digests of a group of files, and make one clean file of them."""
        if not group.paths:
            return
        self.ids.begin_generation()
        for digest in group.digests:
            self.ids.add(digest)
        self._paths.append(group.paths[-1])
        if group.damaged or len(group.paths) > 1:
            with suppress(OSError):  # next time, then
                data = encode_header() + b"".join(_lines(group.digests))
                replace_file(self._files, group.paths[-1], data)
                for path in group.paths[:-1]:
                    self._files.remove(path)

    # Adding

    def __contains__(self, event_id: str) -> bool:
        return digest_of(event_id) in self.ids

    def add(self, event_ids: Sequence[str]) -> None:
        """Remember ids, on the disk and then in memory. Adding one again does no harm.

        Raises:
            StoreError: None of them counts as remembered; repeat it.
        """
        digests = [digest_of(event_id) for event_id in event_ids]
        self._append(b"".join(_lines(digests)))
        for digest in digests:
            self.ids.add(digest)
        self._forget_oldest()

    def _append(self, lines: bytes) -> None:
        if self._file is not None and self.ids.newest_size >= self._ids_per_file:
            self.close()
        file = self._file or self._new_file()
        try:
            file.append(lines, sync=self._durable)
        except OSError as error:
            file.abandon()
            self._file = None
            make_vanished_folder(self._files, self._folder, error)
            raise store_error("write", file.path, error) from error
        if self._file is None:
            self._file = file
            self._next_number += 1
            self._paths.append(file.path)
            self.ids.begin_generation()

    def _new_file(self) -> AppendFile:
        path = self._folder / f"seen-{self._next_number:010}.log"
        return AppendFile(self._files, path, encode_header(), durable=self._durable)

    def _forget_oldest(self) -> None:
        """Remove the oldest files as long as the others remember enough."""
        while len(self.ids) - self.ids.oldest_size >= self._max_ids:
            with suppress(OSError):  # it is found, and removed, after the next start
                self._files.remove(self._paths[0])
            self._paths.popleft()
            self.ids.drop_generation()

    def close(self) -> None:
        """Close the file; everything added is where it should be already."""
        if self._file is not None:
            self._file.abandon()
            self._file = None


def forget_ids(folder: Path, event_ids: Sequence[str], files: FileCalls | None = None) -> None:
    """Take ids out of the files of one peer, while nobody else uses them.

    Raises:
        StoreUnusableError: A file cannot be read or written; doing it again does the rest.
    """
    files, unwanted = files or FileCalls(), {digest_of(event_id) for event_id in event_ids}
    try:
        names = [name for name in files.names(folder) if _NAME.fullmatch(name)]
        for path in (folder / name for name in names):
            digests = decode_file(files.read(path), str(path)).digests
            kept = [digest for digest in digests if digest not in unwanted]
            if len(kept) < len(digests):
                replace_file(files, path, encode_header() + b"".join(_lines(kept)))
    except FileNotFoundError:
        return  # nothing of this peer was ever dealt with
    except OSError as error:
        raise StoreUnusableError(f"cannot use {folder}: {describe(error)}") from error


class _Group(NamedTuple):
    """Files that are taken as one."""

    paths: list[Path]
    digests: list[bytes]
    damaged: bool

    def with_file(self, path: Path, decoded: Decoded) -> "_Group":
        return _Group(
            [*self.paths, path],
            self.digests + decoded.digests,
            damaged=self.damaged or decoded.damaged_lines > 0,
        )


def _number(path: Path) -> int:
    match = _NAME.fullmatch(path.name)
    return int(match[1]) if match else 0


def _lines(digests: Sequence[bytes]) -> list[bytes]:
    return [
        encode_line(digests[start : start + _DIGESTS_IN_A_LINE])
        for start in range(0, len(digests), _DIGESTS_IN_A_LINE)
    ]
