"""Events that bring the connection down: found out one at a time, not on suspicion alone. Pure.

A broker of MQTT 3.1.1 has no other answer to a message that is too long for it than to close the
connection. Such an event would be sent again by each activation, first of all, and end it again.

**Suspicion.** When the connection was lost three times in a row right after something had been
sent, with the same events in flight each time, these are suspects, and events go one at a time. In
each activation others go first, the shortest of those next in turn; when they are acknowledged, the
suspects follow. One that is acknowledged is none any more. Where there are no
others, a suspect waits a while for some, and is then sent all the same.

**Proof.** An event is taken to be at fault when eight times in a row the connection was lost soon
after it had been sent alone, though others had been acknowledged just before over the same
connection: one the first time, two the second, three from then on. Soon is within twice the time
that the slowest of those took to be acknowledged, for a broker closes as soon as it has read how
long a packet is; so a long event on a slow line is not blamed for being longer in danger than
others. Where nothing is acknowledged there is no proof. When an activation ends in any other way,
all suspicion is gone.

**How sure that is.** Let a connection that fails at random outlive one such time with probability
x. Before the eight strikes 21 others get through, and each strike comes within two such times:
x^21 (1 - x^2)^8, which is 3 in a million at its greatest, where connections live for three and a
half such times on the average, and less than one in ten million from twelve on. An event that is
condemned all the same is kept, and can be put back with `gwproactor events requeue`.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from gwproactor.events.core.turns import Turns
from gwproactor.events.store import EventRef

REASON = (
    "the connection was lost right after it was sent, again and again, while other events went"
    " through: it is longer than the broker takes, perhaps"
)
"""Why such an event is refused, in words for a user."""

SOON_SECONDS = 2.0
"""A loss that comes later after the last sending has another reason: a broker closes as soon as it
has read how long a packet is."""

_LOSSES = 3
"""In a row, before events go one at a time."""

_STRIKES = 8
"""Losses in a row that prove that an event is at fault; see above how well."""

_MAX_OTHERS = 3
"""So many are enough to go before it: a node itself makes as many with each loss."""

_LEAST_SOON_SECONDS = 0.1
"""A busy machine may need that long to notice that a connection is lost."""

_CHOICE = 100
"""Of so many next in turn the shortest goes first."""

_FIRST_UNPROVED_SECONDS = 1.0
_MAX_UNPROVED_SECONDS = 60.0
"""How long a suspect waits for others that could go first, from loss to loss."""


class Breakers:
    """What is suspected of bringing the connection down.

    Args:
        turns: The queues of what waits to be sent.
        is_due: Whether an event is still to be sent.
    """

    def __init__(self, turns: Turns, is_due: Callable[[int], bool]) -> None:
        self._turns = turns
        self._is_due = is_due
        self._losses = 0
        self._unproved_at_seconds = 0.0
        self._unproved_delays = _unproved_delays()
        self._suspects: dict[int, EventRef] = {}
        self._strikes: dict[int, int] = {}
        self._held: dict[int, EventRef] = {}
        """Suspects that are not in the queues while the link is active."""
        self._acked_count = 0
        """How many events have been acknowledged in this activation."""
        self._timed_count = 0
        self._sent_at_seconds = 0.0
        self._slowest_seconds = 0.0
        """How long an ack took at most in this activation, while events go one at a time."""

    @property
    def one_at_a_time(self) -> bool:
        """Whether there is to be no more than one event in flight."""
        return self._losses >= _LOSSES

    def activate(self) -> None:
        """The link has become active: suspects wait apart."""
        self._acked_count = self._timed_count = 0
        self._slowest_seconds = 0.0
        if self.one_at_a_time:
            for sequence, ref in self._suspects.items():
                if self._turns.has(ref.source, sequence):
                    self._turns.remove(ref.source, sequence)
                    self._held[sequence] = ref

    def choose(self, waiting: Iterator[EventRef], now_seconds: float) -> EventRef | None:
        """The one event to be sent next; `waiting` gives those in the queues.

        To be asked as soon as the last one is acknowledged.
        """
        self._time_ack(now_seconds)
        held = (ref for ref in self._suspects.values() if ref.sequence in self._held)
        suspect = next((ref for ref in held if self._is_due(ref.sequence)), None)
        if suspect is None:
            return next(waiting, None)
        if self._is_proof(suspect):
            return suspect
        is_time = now_seconds >= self._unproved_at_seconds
        return min(islice(waiting, _CHOICE), key=_size_bytes, default=suspect if is_time else None)

    @property
    def wake_at_seconds(self) -> float | None:
        """When to choose again though nothing has happened; None for never."""
        return self._unproved_at_seconds if any(map(self._is_due, self._held)) else None

    def _is_proof(self, suspect: EventRef) -> bool:
        """Whether so many others have gone through that it is this event's fault if it does not."""
        return self._acked_count > min(self._strikes.get(suspect.sequence, 0), _MAX_OTHERS - 1)

    def _time_ack(self, now_seconds: float) -> None:
        if self._acked_count > self._timed_count:
            self._timed_count = self._acked_count
            seconds = now_seconds - self._sent_at_seconds
            self._slowest_seconds = max(self._slowest_seconds, seconds)

    def _is_soon(self, now_seconds: float) -> bool:
        """Whether the last sending was so short a time ago that it may be the reason of a loss."""
        soon_seconds = max(2 * self._slowest_seconds, _LEAST_SOON_SECONDS)
        return now_seconds - self._sent_at_seconds <= soon_seconds

    def holds(self, ref: EventRef) -> bool:
        """Whether an event waits apart."""
        return ref.sequence in self._held

    def take(self, ref: EventRef) -> bool:
        """Take an event that waits apart; False where it does not."""
        return self._held.pop(ref.sequence, None) is not None

    def lost(self, in_flight: Sequence[EventRef], now_seconds: float) -> EventRef | None:
        """The connection was lost right after these events had been sent.

        Returns:
            The one that is at fault for certain.
        """
        self.put_back()
        if self.one_at_a_time:
            (ref,) = in_flight
            return self._lost_with(ref, now_seconds)
        again = {ref.sequence: ref for ref in in_flight if ref.sequence in self._suspects}
        self._losses = self._losses + 1 if again else 1
        self._suspects = again or {ref.sequence: ref for ref in in_flight}
        return None

    def _lost_with(self, ref: EventRef, now_seconds: float) -> EventRef | None:
        if ref.sequence not in self._suspects:
            self._suspects[ref.sequence] = ref
            self._strikes.clear()  # it was not the others, or not they alone
        elif not self._is_proof(ref):
            self._suspects[ref.sequence] = self._suspects.pop(ref.sequence)  # others come first
            self._unproved_at_seconds = now_seconds + next(self._unproved_delays)
        elif not self._is_soon(now_seconds):
            self._strikes.pop(ref.sequence, None)
        else:
            strikes = self._strikes[ref.sequence] = self._strikes.get(ref.sequence, 0) + 1
            if strikes >= _STRIKES:
                self.clear(ref)
                return ref
        return None

    def sent(self, now_seconds: float) -> None:
        """An event has been sent, alone where they go one at a time."""
        self._sent_at_seconds = now_seconds
        self._timed_count = self._acked_count

    def acked(self, ref: EventRef, *, was_in_flight: bool) -> None:
        """The peer has an event."""
        self._acked_count += was_in_flight
        self.clear(ref)

    def clear(self, ref: EventRef) -> None:
        """An event is no suspect, or is gone."""
        self.take(ref)
        self._strikes.pop(ref.sequence, None)
        if self._suspects.pop(ref.sequence, None) is not None and not self._suspects:
            self._begin_anew()

    def clear_all(self) -> None:
        """The activation has ended in another way."""
        self.put_back()
        self._suspects.clear()
        self._strikes.clear()
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._losses = 0
        self._unproved_at_seconds = 0.0
        self._unproved_delays = _unproved_delays()

    def put_back(self) -> None:
        """Let all wait in the queues again."""
        held, self._held = self._held, {}
        self._turns.put_back(held.values())


def _size_bytes(ref: EventRef) -> int:
    return ref.size_bytes


def _unproved_delays() -> Iterator[float]:
    delay_seconds = _FIRST_UNPROVED_SECONDS
    while True:
        yield delay_seconds
        delay_seconds = min(2 * delay_seconds, _MAX_UNPROVED_SECONDS)
