"""Which events are sent next, which are in flight, and what follows when the peer takes one not.

It decides and never does: the time comes in as a number of seconds.

**Order and window.** The events of one source are sent strictly in their order, and the sources
take turns (`gwproactor.events.core.turns`). At most as many as the window says
(`gwproactor.events.core.window`) are in flight, and never more than so many bytes, except that one
event alone is always let through. What was in flight when the link became inactive goes back to the
head of its queue, and so does what the peer refused in a batch.

**An event that the peer does not take** must hold up nobody, and must not be mistaken for a peer
that is gone. What tells them apart is what happens to others. An ack that is overdue, while an
event that was *sent later* over the same activation *is* acknowledged, is a failed try of this very
event: it is put off and the others go on (`gwproactor.events.core.refusals`). With it go the
tries of those that have waited nearly as long, or each of them would cost the link its `active`.
Without such an ack nothing is held against anybody, and all go again in order.

Where nothing is proved again and again, others are tried (`gwproactor.events.core.doubt`). What
brings the connection down is found out, too (`gwproactor.events.core.breakers`).

An event that this node finds it cannot send is withheld: kept, and no longer in the way.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence

from gwproactor.events.core.breakers import SOON_SECONDS, Breakers
from gwproactor.events.core.doubt import Doubt, Ending
from gwproactor.events.core.flights import Flights
from gwproactor.events.core.pending import Pending, first_within
from gwproactor.events.core.refusals import MAX_SEND_TRIES, Refusals
from gwproactor.events.core.turns import Turns
from gwproactor.events.core.window import Window
from gwproactor.events.store import EventRef

MAX_WINDOW_BYTES = 4 * 1024 * 1024
"""Large events must not flood the broker, nor fill the memory while they wait for their acks."""


class Departures:
    """The events that the peer has not acknowledged, on their way out.

    Args:
        pending: All events that are pending.
        window: How many may be in flight.
        max_window_bytes: And so many bytes.
        max_tries: So often an event is sent that the peer does not take, while it takes others.
    """

    def __init__(
        self,
        pending: Pending[str],
        window: Window,
        max_window_bytes: int = MAX_WINDOW_BYTES,
        max_tries: int = MAX_SEND_TRIES,
    ) -> None:
        self._pending = pending
        self.window = window
        """How many events may be in flight, and how many go into one message."""
        self._max_window_bytes = max_window_bytes
        self._turns = Turns(self._is_due)
        self._refusals = Refusals(max_tries, self._is_due)
        self._withheld: set[int] = set()
        self._flights = Flights()
        self._landed = Flights()
        """What was in flight when the last activation ended."""
        self.active = False
        """Whether events may be sent."""
        self._acked_place = -1
        self._doubt = Doubt(self._turns, self._is_due)
        self._breakers = Breakers(self._turns, self._is_due)

    @property
    def in_flight_count(self) -> int:
        """How many events have been sent since the activation and not been acked."""
        return len(self._flights)

    def is_in_flight(self, ref: EventRef) -> bool:
        """Whether this event has been sent and not been acked."""
        return ref in self._flights

    def is_queued(self, ref: EventRef) -> bool:
        """Whether this event waits for its turn."""
        return self._breakers.holds(ref) or self._turns.has(ref.source, ref.sequence)

    def _is_due(self, sequence: int) -> bool:
        return sequence not in self._withheld and self._pending.has(sequence)

    # From activation to activation

    def activate(self) -> None:
        """The link has become active: send from the oldest un-acked event on."""
        self.deactivate()
        self.window.restart()
        landed = filter(self.is_queued, self._landed.refs())
        self._doubt.activate(list(landed), self.window)
        self._breakers.activate()
        self.active, self._landed, self._acked_place = True, Flights(), -1

    def deactivate(self) -> None:
        """The link is not active any more: nothing is in flight, everything is to be sent again."""
        if self.active:
            self._breakers.clear_all()
            self._end()

    def connection_lost(self, now_seconds: float) -> list[EventRef]:
        """The link is not active any more, because the connection is lost.

        Returns:
            What has brought it down again and again: it is withheld, and to be set aside.
        """
        if not self.active:
            return []
        if not self._flights.was_sent_since(now_seconds - SOON_SECONDS):
            self.deactivate()
            return []
        breaker = self._breakers.lost(self._flights.refs(), now_seconds)
        self._end()
        if breaker is None:
            return []
        self.withhold(breaker)
        return [breaker]

    def _end(self) -> None:
        self.active = False
        self._landed, self._flights = self._flights, Flights()
        self._turns.put_back(self._landed.refs())

    # Events go out

    def add(self, ref: EventRef) -> None:
        """Queue a new event, the youngest of all."""
        self._turns.add(ref.source, ref.sequence)

    def add_late(self, refs: Iterable[EventRef]) -> None:
        """Queue events at their places, whichever these are."""
        self._turns.put_back(refs)

    def sendable(self, now_seconds: float) -> list[EventRef]:
        """Give the events that may be sent now, in order; none while the link is not active."""
        self._turns.put_back(self._refusals.take_due(now_seconds))
        refs: list[EventRef] = []
        room = self.window.count - len(self._flights) if self.active else 0
        room_bytes = self._max_window_bytes - self._flights.size_bytes
        if room <= 0:
            return refs
        if self._breakers.one_at_a_time:
            only = None if self._flights else self._breakers.choose(self._waiting(), now_seconds)
            return [] if only is None else [only]
        for ref in self._waiting():
            room -= 1
            room_bytes -= ref.size_bytes
            first = not refs
            if room < 0 or (room_bytes < 0 and not (first and not self._flights)):
                break
            if self._refusals.goes_alone(ref.sequence):
                return [ref] if first else refs
            refs.append(ref)
        return refs

    def wake_at_seconds(self) -> float | None:
        """When to ask for what is sendable though nothing has happened; None for never."""
        moments = [self._refusals.wake_at_seconds]
        if not self._flights:
            moments.append(self._breakers.wake_at_seconds)
        return min((moment for moment in moments if moment is not None), default=None)

    def upcoming(self, count: int, size_bytes: int) -> list[EventRef]:
        """Give the next events of the queue, at most so many, whether they may be sent or not."""
        return first_within(self._waiting(), count, size_bytes)

    def _waiting(self) -> Iterator[EventRef]:
        """What waits to be sent, in order."""
        for sequence in self._turns:
            ref = self._pending.at(sequence)
            assert ref is not None  # else it would not be due
            yield ref

    def sent(self, refs: Sequence[EventRef], now_seconds: float) -> None:
        """Note that these events, as `sendable` gave them, are in flight."""
        self._breakers.sent(now_seconds)
        one_by_one = self.window.batch_count == 1
        for ref in refs:
            if self._breakers.one_at_a_time:
                self._dequeue(ref)
            else:
                self._turns.take(ref.source, ref.sequence)
            self._pending.bring_near(ref)
            alone = one_by_one or self._refusals.goes_alone(ref.sequence)
            self._flights.start(ref, now_seconds, alone=alone)

    # Events come back

    def returned(self, event_ids: Iterable[str]) -> None:
        """The peer has not taken these events of a batch, and said so: they are sent again."""
        found = (self._flights.get(event_id) for event_id in event_ids)
        refs = [flight.ref for flight in found if flight is not None]
        self._turns.put_back(ref for ref in refs if self._flights.end(ref))

    def overdue(
        self, event_ids: Collection[str], now_seconds: float, *, in_batch: bool
    ) -> list[EventRef]:
        """The peer has not acknowledged these events in time, which ends the activation.

        It may have ended already; what is said is of the events that were in flight then.

        Args:
            event_ids: The events of one message.
            now_seconds: The present moment, monotonic.
            in_batch: That message was a batch, so that no single event is known to be at fault.

        Returns:
            Events that were tried often enough: they are withheld, and to be set aside.
        """
        flights = self._flights or self._landed
        found = (flights.get(event_id) for event_id in event_ids)
        late = [flight for flight in found if flight is not None]
        if not late:
            return []
        if late[0].place > self._acked_place:
            self._doubt.ending = Ending.NOTHING_PROVED
            return []
        self._doubt.ending = Ending.REFUSAL
        if in_batch:
            for flight in late:
                self._refusals.suspect(flight.ref.sequence)
            return []
        latest = (late[0].sent_at + now_seconds) / 2
        failed = [
            flight.ref
            for flight in flights
            if flight is late[0]
            or (flight.alone and flight.place < self._acked_place and flight.sent_at <= latest)
        ]
        return [ref for ref in failed if self.try_failed(ref, now_seconds)]

    def try_failed(self, ref: EventRef, now_seconds: float) -> bool:
        """This very event could not be sent: put it off. True where that was the last try.

        Args:
            ref: The event, in flight until now.
            now_seconds: The present moment, monotonic.
        """
        self._landed.end(ref)
        if self.is_queued(ref):
            self._dequeue(ref)
        elif not self._flights.end(ref):
            return False  # it has been acked or dropped meanwhile
        if not self._refusals.failed(ref, now_seconds):
            return False
        self.withhold(ref)
        return True

    def put_off(self, ref: EventRef, until_seconds: float) -> None:
        """Let an event wait that was about to be sent, and others pass meanwhile."""
        self._dequeue(ref)
        self._refusals.put_off(ref, until_seconds)

    def _dequeue(self, ref: EventRef) -> None:
        """Take out an event that is queued; those before it stay."""
        if not self._breakers.take(ref):
            self._turns.remove(ref.source, ref.sequence)

    def withhold(self, ref: EventRef) -> None:
        """Send an event no more in this run: it is kept, and holds up nobody."""
        self._withheld.add(ref.sequence)
        self._breakers.clear(ref)
        self._leave(ref)

    # Events are done

    def acked(self, ref: EventRef) -> None:
        """The peer has an event, whether it was in flight or not."""
        flight = self._flights.get(ref.event_id)
        self.withhold(ref)
        self._refusals.forget(ref.sequence)
        self._breakers.acked(ref, was_in_flight=flight is not None)
        if flight is not None:
            self._acked_place = max(self._acked_place, flight.place)
            before = self._flights.before(flight)
            self._doubt.acked(ref, (other.ref.sequence for other in before))

    def forget(self, ref: EventRef) -> None:
        """An event is not pending any more."""
        self._withheld.discard(ref.sequence)
        self._refusals.forget(ref.sequence)
        self._breakers.clear(ref)
        self._leave(ref)

    def _leave(self, ref: EventRef) -> None:
        """An event is not to be sent any more: it leaves the air, or its queue."""
        if not self._flights.end(ref):
            self._turns.trim(ref.source)
