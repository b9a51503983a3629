"""What had waited when the link became active, and how far that has come. Pure."""

from collections.abc import Collection, Iterable, Sequence

from gwproactor.events.store import EventRef


class Backlog:
    """The events that were there at an activation.

    Args:
        end: They are those of lower sequences.
        count: How many they are.
    """

    def __init__(self, end: int = 1, count: int = 0) -> None:
        self._end = end
        self._came_back: set[str] = set()
        self._late: set[int] = set()
        self.left_count = count
        """How many of them are not acked."""
        self.sent_count = 0
        """How many of them have been sent, each counted once."""

    def sent(self, refs: Sequence[EventRef]) -> None:
        """These events are sent; some may be of the backlog."""
        if self.left_count:
            for ref in refs:
                if self._has(ref) and ref.event_id not in self._came_back:
                    self.sent_count += 1

    def came_back(self, event_ids: Collection[str]) -> None:
        """These events were sent, and will be sent once more."""
        if self.left_count:
            self._came_back.update(event_ids)

    def came_late(self, refs: Iterable[EventRef]) -> None:
        """These events could not be read before: they are old, but were not there."""
        self._late.update(ref.sequence for ref in refs)

    def left(self, ref: EventRef) -> None:
        """An event is acked or gone."""
        if self._has(ref):
            self.left_count -= 1

    def _has(self, ref: EventRef) -> bool:
        return ref.sequence < self._end and ref.sequence not in self._late
