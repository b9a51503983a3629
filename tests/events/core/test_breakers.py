"""An event that brings the connection down is found out, and no other is taken for it.

A broker is simulated in a few lines: it takes what is sent, but closes the connection on some
events, and at times for reasons of its own.
"""

from collections.abc import Callable
from functools import partial
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gwproactor.events.core.breakers import SOON_SECONDS
from gwproactor.events.core.outbox import Outbox
from gwproactor.events.core.window import Window
from gwproactor.events.store import EventRef

ACK_SECONDS = 0.01
FOR_EVER = 1e9
ENOUGH = 200
"""Activations in which everything must have come to its end."""


class Line:
    """An outbox, a link that is active again at once, and the broker behind it."""

    def __init__(
        self,
        *,
        ack_seconds: float = ACK_SECONDS,
        seconds_a_byte: float = 0.0,
        life_seconds: Callable[[], float] = lambda: FOR_EVER,
    ) -> None:
        self.outbox = Outbox(window=Window(5, 64))
        self.departures = self.outbox.departures
        self.ack_seconds = ack_seconds
        self.seconds_a_byte = seconds_a_byte
        self.life_seconds = life_seconds
        self.now = 0.0
        self.breaking: set[str] = set()
        self.acked: list[str] = []
        self.condemned: list[str] = []
        self.activations = 0
        self.posted = 0

    def post(self, *, size_bytes: int = 100, breaks: bool = False, source: str = "") -> str:
        event_id = f"e{self.posted}"
        self.posted += 1
        if breaks:
            self.breaking.add(event_id)
        self.outbox.stored([self.outbox.add(event_id, size_bytes, source=source).ref])
        return event_id

    def make_events(self) -> None:
        """As a node does with each loss."""
        for _ in range(3):
            self.post(source="the node")

    def activation(self) -> None:
        """One activation, until there is nothing to be sent, or the connection is lost."""
        self.outbox.activate()
        self.activations += 1
        life_seconds = self.life_seconds()
        end = self.now + life_seconds
        while refs := self.next():
            if self.now >= end:
                break
            self.departures.sent(refs, self.now)
            if self.breaking.intersection(ref.event_id for ref in refs):
                self.now += 0.001
                return self.lose()
            size_bytes = sum(ref.size_bytes for ref in refs)
            flight_seconds = self.ack_seconds + size_bytes * self.seconds_a_byte
            if self.now + flight_seconds >= end:
                break
            self.now += flight_seconds
            self.ack(refs)
        if life_seconds < FOR_EVER:
            self.now = max(end, self.now)
            self.lose()
        return None

    def next(self) -> list[EventRef]:
        """What may be sent, if need be after a while."""
        while not (refs := self.departures.sendable(self.now)):
            wake_at = self.departures.wake_at_seconds()
            if wake_at is None:
                break
            self.now = max(self.now, wake_at)
        return refs

    def ack(self, refs: list[EventRef]) -> None:
        for ref in refs:
            self.outbox.acked(ref.event_id)
            self.outbox.removed([ref])
            self.acked.append(ref.event_id)

    def lose(self) -> None:
        for ref in self.departures.connection_lost(self.now):
            self.condemned.append(ref.event_id)
            self.outbox.removed([ref])
        self.now += 0.5

    def run(self, each_time: Callable[[], object] = lambda: None) -> None:
        """Activate again and again; in a node each loss makes events of its own."""
        while self.outbox.pending_count and self.activations < ENOUGH:
            each_time()
            self.activation()


@pytest.mark.parametrize("place", range(8))
def test_it_is_found_and_all_others_arrive(place: int) -> None:
    line = Line()
    for number in range(20):
        line.post(breaks=number == place)
    line.run(line.make_events)
    assert line.condemned == [f"e{place}"]
    assert sorted(line.acked) == sorted({f"e{n}" for n in range(line.posted)} - {f"e{place}"})
    assert line.activations <= 12


@settings(max_examples=200, deadline=None)
@given(
    events=st.lists(st.tuples(st.booleans(), st.sampled_from(["a", "b", "c"])), max_size=12),
    sizes=st.randoms(use_true_random=False),
)
def test_whichever_they_are_they_are_found_and_no_other(
    events: list[tuple[bool, str]], sizes: Random
) -> None:
    line = Line()
    for breaks, source in events:
        line.post(breaks=breaks, source=source, size_bytes=sizes.randint(1, 10_000))
    line.run(line.make_events)
    assert sorted(line.condemned) == sorted(line.breaking)
    assert sorted([*line.acked, *line.condemned]) == sorted(f"e{n}" for n in range(line.posted))
    assert line.activations < ENOUGH


@settings(max_examples=200, deadline=None)
@given(life_ms=st.integers(1, 4000), ack_ms=st.integers(1, 4000), count=st.integers(1, 12))
def test_a_broker_that_restarts_again_and_again_condemns_none(
    life_ms: int, ack_ms: int, count: int
) -> None:
    line = Line(ack_seconds=ack_ms / 1000, life_seconds=lambda: life_ms / 1000)
    for number in range(count):
        line.post(size_bytes=1000 * (number + 1))
    for _ in range(60):
        line.post(source="the node")
        line.activation()
    assert line.condemned == []


@pytest.mark.parametrize(
    ("ack_seconds", "long_seconds", "life_seconds"),
    [(0.2, 0.2, 1.0), (0.1, 1.5, 1.5), (0.05, 1.2, 1.0), (0.05, 0.5, 0.2)],
)
def test_a_line_that_fails_at_random_condemns_none(
    ack_seconds: float, long_seconds: float, life_seconds: float
) -> None:
    """Not the long event either, which is in danger for longer than all others."""
    long_bytes = 20_000
    for seed in range(100):
        random = Random(seed)
        line = Line(
            ack_seconds=ack_seconds,
            seconds_a_byte=(long_seconds - ack_seconds) / long_bytes,
            life_seconds=partial(random.expovariate, 1 / life_seconds),
        )
        line.post(size_bytes=long_bytes)
        for _ in range(30):
            line.post()
        while line.outbox.pending_count and line.activations < ENOUGH:
            line.post(source="the node")
            line.activation()
        assert (seed, line.condemned) == (seed, [])


def test_a_loss_that_comes_late_is_no_strike() -> None:
    """Six losses in a row come soon after the event, and then one comes a second later."""
    line = Line()
    event_id = line.post(breaks=True)
    for turn in range(ENOUGH):
        for _ in range(4):
            line.post()
        line.outbox.activate()
        while refs := line.next():
            line.departures.sent(refs, line.now)
            if refs[0].event_id == event_id or len(refs) > 1:
                break
            line.now += ACK_SECONDS
            line.ack(refs)
        line.now += 0.001 if turn < 3 or turn % 7 else 1.0
        line.lose()
    assert line.condemned == []


def test_where_every_event_breaks_it_none_is_condemned() -> None:
    """As where the broker lets the node do all but publish."""
    line = Line()
    for _ in range(30):
        line.post(breaks=True)
        line.activation()
    assert line.condemned == []


def test_alone_it_is_not_condemned() -> None:
    line = Line()
    line.post(breaks=True)
    line.run()
    assert (line.condemned, line.acked, line.activations) == ([], [], ENOUGH)
    assert line.now > 60 * (ENOUGH - 20), "and tried once a minute"


@pytest.mark.parametrize("other_end", ["late", "otherwise"])
def test_an_activation_that_ends_otherwise_clears_all(other_end: str) -> None:
    line = Line()
    line.post(breaks=True)
    for turn in range(ENOUGH):
        line.post()
        if turn % 5 < 4:
            line.activation()
            continue
        line.outbox.activate()
        line.departures.sent(line.departures.sendable(line.now), line.now)
        if other_end == "late":
            assert line.departures.connection_lost(line.now + SOON_SECONDS + 0.1) == []
        else:
            line.departures.deactivate()
    assert line.condemned == []


def test_after_it_events_are_sent_many_at_a_time_again() -> None:
    line = Line()
    line.post(breaks=True)
    for _ in range(20):
        line.post()
    line.run(line.make_events)
    for _ in range(20):
        line.post()
    line.outbox.activate()
    assert len(line.departures.sendable(line.now)) == 5


def test_one_that_is_dropped_or_cannot_be_read_is_no_suspect_any_more() -> None:
    line = Line()
    event_id = line.post(breaks=True)
    for _ in range(3):
        line.activation()
    other = line.post()
    line.outbox.activate()
    ref = line.outbox.find(event_id)
    assert ref is not None
    (first,) = line.departures.sendable(line.now)
    assert first.event_id == other
    line.departures.sent([first], line.now)
    assert line.departures.sendable(line.now) == []
    assert line.departures.wake_at_seconds() is None, "the ack will say when to go on"
    line.ack([first])
    assert line.departures.sendable(line.now) == [ref]
    assert line.departures.is_queued(ref)
    line.departures.put_off(ref, line.now + 1)
    assert not line.departures.is_queued(ref)
    assert line.departures.sendable(line.now) == []
    line.outbox.removed([ref])
    rest = [line.post() for _ in range(3)]
    assert [each.event_id for each in line.departures.sendable(line.now)] == rest


@pytest.mark.parametrize("others", [0, 20])
def test_one_that_is_withheld_is_no_suspect_any_more(others: int) -> None:
    """Else others would go one at a time for nothing, and an empty queue would ask for a turn."""
    line = Line()
    event_id = line.post(breaks=True)
    for _ in range(3):
        line.activation()
    for _ in range(others):
        line.post()
    line.outbox.activate()
    ref = line.outbox.find(event_id)
    assert ref is not None
    line.departures.withhold(ref)
    assert len(line.departures.sendable(line.now)) == min(others, 5)
    assert line.departures.wake_at_seconds() is None
