"""What had waited when the link became active, and how far that has come. Pure."""

from collections.abc import Collection, Sequence

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
        self.left_count = count
        """How many of them are not acked."""
        self.sent_count = 0
        """How many of them have been sent, each counted once."""

    def sent(self, refs: Sequence[EventRef]) -> None:
        """These events are sent; some may be of the backlog."""
        if self.left_count:
            for ref in refs:
                if ref.sequence < self._end and ref.event_id not in self._came_back:
                    self.sent_count += 1

    def came_back(self, event_ids: Collection[str]) -> None:
        """These events were sent, and will be sent once more."""
        if self.left_count:
            self._came_back.update(event_ids)

    def left(self, ref: EventRef) -> None:
        """An event is acked or gone."""
        if ref.sequence < self._end:
            self.left_count -= 1
