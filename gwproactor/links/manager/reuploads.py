"""Which events of a re-upload were sent and not acknowledged, and which wait for their turn.

A re-upload begins with so many events at once, and sends one more for each that is acknowledged, so
that a peer that comes back is not flooded. The proactor's own outbox does the same for all events
and by itself; this is the piece for programs that send stored events on their own.
"""

import itertools
import logging
from collections.abc import Iterable
from typing import Any, ClassVar, Final, Protocol

DEFAULT_INITIAL_EVENTS: Final = 5
"""What a plain peer is used to after an activation."""


class ReuploadStats(Protocol):
    """Counts re-uploads; `gwproactor.stats.LinkStats` is one."""

    def start_reupload(self) -> None:
        """One has begun."""
        ...

    def complete_reupload(self) -> None:
        """One is complete."""
        ...


class Reuploads:
    """The events of one re-upload, by their ids. For one thread.

    Args:
        logger: Is told of beginning and end.
        num_initial_events: How many are sent at once in the beginning.
    """

    NUM_INITIAL_EVENTS: ClassVar[int] = DEFAULT_INITIAL_EVENTS
    stats: ReuploadStats | None = None
    """Counts re-uploads, where it is set."""

    def __init__(
        self,
        logger: "logging.Logger | logging.LoggerAdapter[Any]",
        num_initial_events: int = DEFAULT_INITIAL_EVENTS,
    ) -> None:
        self._logger = logger
        self._num_initial_events = max(1, num_initial_events)
        self._pending: dict[str, None] = {}
        self._unacked: dict[str, None] = {}

    @property
    def num_reupload_pending(self) -> int:
        """How many events wait to be sent."""
        return len(self._pending)

    @property
    def num_reuploaded_unacked(self) -> int:
        """How many were sent and are not acknowledged."""
        return len(self._unacked)

    def reuploading(self) -> bool:
        """Whether a re-upload is under way."""
        return bool(self._pending or self._unacked)

    def start_reupload(self, pending_events: list[str]) -> list[str]:
        """Begin a re-upload of these events, whatever was under way before.

        Args:
            pending_events: Their ids, in the order in which they are to be sent; one that stands
                there twice is sent once.

        Returns:
            Those that are to be sent now.
        """
        self.clear()
        self._pending = dict.fromkeys(pending_events)
        first = self._send_next(self._num_initial_events)
        if first:
            self._logger.info(
                "re-upload of %d events begins with %d", len(pending_events), len(first)
            )
            if self.stats is not None:
                self.stats.start_reupload()
        return first

    def process_ack_for_reupload(self, ack_id: str) -> list[str]:
        """Take note of an ack, and return what is to be sent next: one event or none.

        The ack of an event that was not sent yet, as from an earlier connection, spares sending it.
        """
        was_reuploading = self.reuploading()
        self._pending.pop(ack_id, None)
        following: list[str] = []
        if ack_id in self._unacked:
            del self._unacked[ack_id]
            following = self._send_next(1)
        self._note_end(was_reuploading=was_reuploading)
        return following

    def clear_unacked_event(self, ack_id: str) -> None:
        """Forget an event that was sent, as one that cannot be read; nothing follows it."""
        was_reuploading = self.reuploading()
        self._unacked.pop(ack_id, None)
        self._note_end(was_reuploading=was_reuploading)

    def clear(self) -> None:
        """Forget everything: the link was lost."""
        self._pending.clear()
        self._unacked.clear()

    def get_str(self, verbose: bool = True, num_events: int = 5) -> str:
        """Return the counts as a text.

        Args:
            verbose: Name events too.
            num_events: How many of each kind at most.
        """
        counts = (
            f"Reuploads: {self.num_reupload_pending} pending, {self.num_reuploaded_unacked} unacked"
        )
        if not verbose:
            return counts
        lines = [counts]
        for what, ids in (("pending", self._pending), ("unacked", self._unacked)):
            lines += [f"  {what}: {each}" for each in itertools.islice(ids, num_events)]
        return "\n".join(lines)

    def _send_next(self, count: int) -> list[str]:
        following = list(itertools.islice(self._pending, count))
        self._move(following)
        return following

    def _move(self, ids: Iterable[str]) -> None:
        for each in ids:
            del self._pending[each]
            self._unacked[each] = None

    def _note_end(self, *, was_reuploading: bool) -> None:
        if was_reuploading and not self.reuploading():
            self._logger.info("re-upload complete")
            if self.stats is not None:
                self.stats.complete_reupload()
