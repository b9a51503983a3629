"""Which events have been dealt with, link by link: what makes a repeat a repeat.

Each link remembers its last million ids at least, so that a busy peer never pushes out what a quiet
one has sent. `SeenLog` keeps them across restarts, in `gwproactor.events.log.seen_files`, whose
calls are made from a thread of their own; `MemorySeen` forgets them with the process.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from gwproactor.errors import StoreUnusableError
from gwproactor.events.core.seen_ids import SeenIds, digest_of
from gwproactor.events.disk.disk_thread import DiskThread
from gwproactor.events.disk.file_calls import FileCalls, describe
from gwproactor.events.log.seen_files import (
    DEFAULT_IDS_PER_FILE,
    DEFAULT_MAX_IDS,
    SeenFiles,
    forget_ids,
)
from gwproactor.events.store import Damage

Key = tuple[str, str]
"""A link's name and an event's id: what identifies a received event."""

_PREFIX = "link-"
_MAX_NAME_CHARS = 200
"""File systems allow 255 bytes."""


class Seen(Protocol):
    """Remembers keys. For the loop's thread; cancelling is safe, and adding again does no harm."""

    async def open(self) -> Sequence[Damage]:
        """Read what is there, and return what of it is damaged; raises as `EventStore.open`."""
        ...

    def __contains__(self, key: Key) -> bool: ...

    async def add(self, keys: Iterable[Key]) -> None:
        """Remember `keys`, as durably as was asked for; raises StoreError."""
        ...

    async def close(self) -> None:
        """Let go of files and threads. A second call does nothing."""
        ...


class MemorySeen:
    """Remembers keys in memory.

    Args:
        max_ids: So many are remembered of each link at least.
    """

    def __init__(self, *, max_ids: int = DEFAULT_MAX_IDS) -> None:
        self._max_ids = max_ids
        self._ids_per_generation = min(DEFAULT_IDS_PER_FILE, max_ids)
        self._links: defaultdict[str, SeenIds] = defaultdict(SeenIds)

    async def open(self) -> Sequence[Damage]:
        """Nothing to read."""
        return []

    def __contains__(self, key: Key) -> bool:
        link_name, event_id = key
        return link_name in self._links and digest_of(event_id) in self._links[link_name]

    async def add(self, keys: Iterable[Key]) -> None:
        """Remember `keys`."""
        for link_name, event_id in keys:
            ids = self._links[link_name]
            if not len(ids) or ids.newest_size >= self._ids_per_generation:
                ids.begin_generation()
            ids.add(digest_of(event_id))
            while len(ids) - ids.oldest_size >= self._max_ids:
                ids.drop_generation()

    async def close(self) -> None:
        """Nothing to let go of."""


class SeenLog:
    """Remembers keys on disk, each link's in a folder of its own.

    Args:
        folder: The folder of those folders; created when missing, private to the user.
        durable: Durability `fsync`; without it, `os`.
        max_ids: So many are remembered of each link at least.
        ids_per_file: A link's file is full with so many.
        files: The file operations; a test gives its own.
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
        self._folder = folder
        self._durable = durable
        self._max_ids = max_ids
        self._ids_per_file = ids_per_file
        self._files = files or FileCalls()
        self._links: dict[str, SeenFiles] = {}
        self._disk = DiskThread(f"gwproactor-{folder.name}")
        self._closed = False

    async def open(self) -> Sequence[Damage]:
        """Read what is remembered of every link; see `Seen.open`."""
        return await self._disk.run(self._open)

    def _open(self) -> list[Damage]:
        try:
            self._files.make_folder(self._folder)
            names = self._files.names(self._folder)
        except OSError as error:
            raise StoreUnusableError(f"cannot use {self._folder}: {describe(error)}") from error
        damages: list[Damage] = []
        for name in names:
            if name.startswith(_PREFIX):
                self._links[name], found = self._open_link(name)
                damages += found
        return damages

    def _open_link(self, name: str) -> tuple[SeenFiles, list[Damage]]:
        link = SeenFiles(
            self._folder / name,
            durable=self._durable,
            max_ids=self._max_ids,
            ids_per_file=self._ids_per_file,
            files=self._files,
        )
        return link, link.open()

    def __contains__(self, key: Key) -> bool:
        link_name, event_id = key
        link = self._links.get(_folder_name(link_name))
        return link is not None and event_id in link

    async def add(self, keys: Iterable[Key]) -> None:
        """Remember `keys`: one write and one sync for each link among them."""
        await self._disk.run(self._add, list(keys))

    def _add(self, keys: Sequence[Key]) -> None:
        by_folder: defaultdict[str, list[str]] = defaultdict(list)
        for link_name, event_id in keys:
            by_folder[_folder_name(link_name)].append(event_id)
        for name, event_ids in by_folder.items():
            if name not in self._links:
                self._links[name], _ = self._open_link(name)
            self._links[name].add(event_ids)

    async def close(self) -> None:
        """Close the files, and end the thread. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        await self._disk.run_last(self._close)

    def _close(self) -> None:
        for link in self._links.values():
            link.close()


def forget_keys(folder: Path, keys: Iterable[Key]) -> None:
    """Take keys out of the folder of a `SeenLog` that nobody uses. It blocks.

    Raises:
        StoreUnusableError: A file cannot be read or written; doing it again does the rest.
    """
    by_folder: defaultdict[str, list[str]] = defaultdict(list)
    for link_name, event_id in keys:
        by_folder[_folder_name(link_name)].append(event_id)
    for name, event_ids in by_folder.items():
        forget_ids(folder / name, event_ids)


@lru_cache(maxsize=1024)
def _folder_name(link_name: str) -> str:
    """A folder for a link's name, whatever is in it."""
    quoted = quote(link_name, safe="", errors="surrogatepass")
    if len(quoted) > _MAX_NAME_CHARS:
        quoted = digest_of(link_name).hex()
    return _PREFIX + quoted
