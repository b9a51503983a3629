"""Events that the peer did not take though it took others: tried again ever later, then given up.

Each failed try puts an event off for a longer time, in which it holds up nobody; after `max_tries`
of them it is to be set aside. What counts as a try is decided by
`gwproactor.events.core.departures`. An event under suspicion is sent by itself, never in a batch,
so that no other is taken for the culprit. Tries are counted anew after a restart.
"""

from collections.abc import Callable
from heapq import heappop, heappush

from gwproactor.events.store import EventRef

MAX_SEND_TRIES = 10
"""With the delays below these take 20 minutes: time for a peer whose inbox is full for a while."""

FIRST_DELAY_SECONDS = 5.0
MAX_DELAY_SECONDS = 300.0


class Refusals:
    """The events under suspicion, and when each of them is due again.

    Args:
        max_tries: So often an event is sent before it is set aside.
        is_due: Whether an event is to be sent at all; what is not, is forgotten in time.
    """

    def __init__(self, max_tries: int, is_due: Callable[[int], bool]) -> None:
        self._max_tries = max_tries
        self._is_due = is_due
        self._tries: dict[int, int] = {}
        self._later: list[tuple[float, int, EventRef]] = []

    def suspect(self, sequence: int) -> None:
        """An event was among several of which one was not taken: let it go by itself."""
        self._tries.setdefault(sequence, 0)

    def goes_alone(self, sequence: int) -> bool:
        """Whether an event is to be sent by itself."""
        return sequence in self._tries

    def failed(self, ref: EventRef, now_seconds: float) -> bool:
        """A try failed: put the event off, and return whether that was the last try.

        Args:
            ref: The event, which is not queued.
            now_seconds: The present moment, monotonic.
        """
        tries = self._tries[ref.sequence] = self._tries.get(ref.sequence, 0) + 1
        if tries >= self._max_tries:
            return True
        doublings = min(tries - 1, 30)  # far beyond the longest delay; keeps the power small
        self.put_off(ref, now_seconds + min(MAX_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2**doublings))
        return False

    def put_off(self, ref: EventRef, until_seconds: float) -> None:
        """Let an event that is not queued wait, for whatever reason."""
        heappush(self._later, (until_seconds, ref.sequence, ref))

    def take_due(self, now_seconds: float) -> list[EventRef]:
        """Take out the events that have waited long enough and are still to be sent."""
        due = []
        while self._later and self._later[0][0] <= now_seconds:
            ref = heappop(self._later)[2]
            if self._is_due(ref.sequence):
                due.append(ref)
        return due

    @property
    def wake_at_seconds(self) -> float | None:
        """When the next of them has waited long enough; None where none waits."""
        return self._later[0][0] if self._later else None

    def forget(self, sequence: int) -> None:
        """The event is taken, or gone."""
        self._tries.pop(sequence, None)
