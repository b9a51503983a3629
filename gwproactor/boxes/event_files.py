"""Writing to the event files of a node whose `store` is `files`, while it does not run."""

from pathlib import Path

from result import Err, Result

from gwproactor.errors import StoreError
from gwproactor.events.persisters.timed_rolling_files import TimedRollingFilePersister
from gwproactor.problems import Problems


class EventFiles:
    """The files in one folder, which are pending events. A file holds the event alone.

    Args:
        folder: The folder of the day folders; created when missing.

    Raises:
        StoreError: What is there cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._persister = TimedRollingFilePersister(folder, trim=False)
        self._done("read", self._persister.reindex())

    def ids(self) -> set[str]:
        """The ids of what is there."""
        return set(self._persister.pending_ids())

    def add(self, event_id: str, payload: bytes) -> None:
        """Put an event behind all others, durably.

        Raises:
            StoreError: It could not be written.
        """
        self._done("write to", self._persister.persist(event_id, payload))

    def _done(self, doing: str, outcome: Result[bool | None, Problems]) -> None:
        match outcome:
            case Err(Problems(errors=[*_, error])):
                raise StoreError(f"cannot {doing} {self._folder}: {error}")
