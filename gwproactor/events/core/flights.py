"""What is in flight in one activation: sent, and not acknowledged. Pure."""

from collections.abc import Iterator
from itertools import takewhile
from typing import NamedTuple

from gwproactor.events.store import EventRef


class Flight(NamedTuple):
    """An event in flight.

    Attributes:
        ref: The event.
        place: Its place in the order of sending, in this activation.
        sent_at: When it was sent, monotonic seconds.
        alone: It was sent by itself for certain.
    """

    ref: EventRef
    place: int
    sent_at: float
    alone: bool


class Flights:
    """The events in flight, in the order in which they were sent."""

    def __init__(self) -> None:
        self._flights: dict[str, Flight] = {}
        self._next_place = 0
        self.size_bytes = 0
        """What all of them count."""

    def __len__(self) -> int:
        return len(self._flights)

    def __iter__(self) -> Iterator[Flight]:
        return iter(self._flights.values())

    def __contains__(self, ref: EventRef) -> bool:
        return ref.event_id in self._flights

    def get(self, event_id: str) -> Flight | None:
        """The event of that id."""
        return self._flights.get(event_id)

    def refs(self) -> list[EventRef]:
        """The events."""
        return [flight.ref for flight in self]

    def start(self, ref: EventRef, now_seconds: float, *, alone: bool) -> None:
        """An event is sent."""
        self._flights[ref.event_id] = Flight(ref, self._next_place, now_seconds, alone)
        self._next_place += 1
        self.size_bytes += ref.size_bytes

    def end(self, ref: EventRef) -> bool:
        """An event is in flight no more; return whether it was."""
        if self._flights.pop(ref.event_id, None) is None:
            return False
        self.size_bytes -= ref.size_bytes
        return True

    def before(self, flight: Flight) -> Iterator[Flight]:
        """Those that were sent before this one."""
        return takewhile(lambda other: other.place < flight.place, self)

    def was_sent_since(self, moment_seconds: float) -> bool:
        """Whether anything in flight was sent since that moment."""
        last = next(reversed(self._flights.values()), None)
        return last is not None and last.sent_at >= moment_seconds
