"""What a peer does not take holds up nobody, and a peer that is gone condemns nothing.

A link is simulated in a few lines: what is sendable is sent, the peer acknowledges what it takes,
and when an ack is overdue the link leaves `active` and is back at once, as it is with a peer that
answers pings. As in a node, each such flap makes events of its own.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gwproactor.events.core.doubt import _PATIENCE
from gwproactor.events.core.outbox import Outbox
from gwproactor.events.core.refusals import FIRST_DELAY_SECONDS, MAX_DELAY_SECONDS
from gwproactor.events.core.window import FIRST_WINDOW, Window
from gwproactor.events.store import EventRef

ACK_SECONDS = 5.0
TRIES = 3


class Simulation:
    """An outbox, a link, and a peer that does not take some of the events."""

    def __init__(self, *events: tuple[str, bool], window: Window | None = None) -> None:
        self.outbox = Outbox(max_tries=TRIES, window=window)
        self.departures = self.outbox.departures
        self.now = 0.0
        self.bad: set[str] = set()
        self.acked: list[str] = []
        self.condemned: list[str] = []
        self.sent_at: dict[str, float] = {}
        self.flaps = 0
        self.takes_anything = True
        for source, is_bad in events:
            self.post(source, bad=is_bad)

    def post(self, source: str, *, bad: bool = False) -> str:
        event_id = f"e{self.outbox.pending_count + len(self.acked) + len(self.condemned)}"
        ref = self.outbox.add(event_id, 100, source=source).ref
        self.outbox.stored([ref])
        if bad:
            self.bad.add(event_id)
        return event_id

    def activate(self) -> None:
        self.outbox.activate()
        self.sent_at.clear()

    def exchange(self) -> None:
        """Send, and let the peer acknowledge, until there is nothing more to say."""
        while refs := self.departures.sendable(self.now):
            self.departures.sent(refs, self.now)
            self.sent_at.update((ref.event_id, self.now) for ref in refs)
            for ref in refs:
                if self.takes_anything and ref.event_id not in self.bad:
                    self.ack(ref)

    def ack(self, ref: EventRef) -> None:
        self.outbox.acked(ref.event_id)
        self.outbox.removed([ref])
        self.acked.append(ref.event_id)
        del self.sent_at[ref.event_id]

    def time_out(self) -> None:
        """The first event in flight is overdue, and the link leaves `active`."""
        first, sent_at = next(iter(self.sent_at.items()))
        self.now = max(self.now, sent_at + ACK_SECONDS)
        self.departures.deactivate()
        for ref in self.departures.overdue([first], self.now, in_batch=False):
            self.condemned.append(ref.event_id)
            self.outbox.removed([ref])
        self.flaps += 1

    def flap(self) -> None:
        """One activation, from its beginning to its end."""
        self.activate()
        self.exchange()
        if self.sent_at:
            self.time_out()
            self.post("node")
            self.post("node")

    def run(self) -> None:
        """Until nothing is pending."""
        while self.outbox.pending_count:
            self.flap()
            assert self.flaps < 1000
            if not self.departures.upcoming(1, 10**9) and self.outbox.pending_count:
                wake_at = self.departures.wake_at_seconds()
                assert wake_at is not None
                self.now = max(self.now, wake_at)


EVENTS = st.lists(st.tuples(st.sampled_from(["", "a", "b"]), st.booleans()), max_size=40)


@settings(deadline=None)
@given(EVENTS, st.integers(1, 8))
def test_all_that_is_good_is_taken_and_only_the_bad_is_condemned(
    events: list[tuple[str, bool]], window: int
) -> None:
    simulation = Simulation(*events, window=Window(window))
    simulation.run()
    assert set(simulation.condemned) == simulation.bad
    assert len(simulation.condemned) == len(simulation.bad)


@settings(deadline=None)
@given(EVENTS, st.integers(4, 8))
def test_the_good_do_not_wait_for_the_tries_of_the_bad(
    events: list[tuple[str, bool]], window: int
) -> None:
    simulation = Simulation(*events, window=Window(window))
    good = {f"e{n}" for n, (_, is_bad) in enumerate(events) if not is_bad}
    for _ in range(1 + _PATIENCE + 2 * TRIES * len(simulation.bad)):
        if not good <= set(simulation.acked):
            simulation.flap()
    assert good <= set(simulation.acked)


@settings(deadline=None)
@given(EVENTS, st.integers(0, 30))
def test_a_peer_that_takes_nothing_condemns_nothing(
    events: list[tuple[str, bool]], flaps: int
) -> None:
    simulation = Simulation(*((source, False) for source, _ in events))
    simulation.takes_anything = False
    for _ in range(flaps):
        simulation.flap()
    assert simulation.departures.wake_at_seconds() is None
    simulation.takes_anything = True
    simulation.run()
    assert simulation.condemned == []
    assert simulation.flaps <= flaps


@settings(deadline=None)
@given(EVENTS, st.integers(0, 20))
def test_mere_disconnections_count_for_nothing_and_keep_the_order(
    events: list[tuple[str, bool]], losses: int
) -> None:
    simulation = Simulation(*events)
    before = simulation.departures.upcoming(100, 10**9)
    for _ in range(losses):
        simulation.activate()
        refs = simulation.departures.sendable(simulation.now)
        simulation.departures.sent(refs, simulation.now)
        simulation.now += 3600
        simulation.departures.deactivate()
    assert simulation.departures.wake_at_seconds() is None
    sources = {ref.source for ref in before}
    after = simulation.departures.upcoming(100, 10**9)
    for source in sources:
        assert [r for r in after if r.source == source] == [r for r in before if r.source == source]


def test_a_peer_that_takes_nothing_for_a_while_changes_no_order() -> None:
    simulation = Simulation(*[("a", False)] * 20)
    simulation.takes_anything = False
    for _ in range(_PATIENCE - 1):
        simulation.flap()
    simulation.takes_anything = True
    simulation.run()
    old = [f"e{n}" for n in range(20)]
    assert [event_id for event_id in simulation.acked if event_id in old] == old


def test_what_is_late_with_the_overdue_one_is_held_against_it_too() -> None:
    simulation = Simulation(*[("a", True)] * 3, *[("a", False)] * 5)
    simulation.flap()
    assert simulation.acked == [f"e{n}" for n in range(3, 8)]
    assert simulation.departures.wake_at_seconds() == ACK_SECONDS + FIRST_DELAY_SECONDS
    assert not {"e0", "e1", "e2"} & {
        ref.event_id for ref in simulation.departures.upcoming(100, 10**9)
    }


def test_what_was_sent_shortly_before_is_not() -> None:
    simulation = Simulation(("a", True))
    simulation.activate()
    simulation.exchange()
    simulation.now = 4.9
    young = simulation.post("a", bad=True)
    simulation.post("a")
    simulation.exchange()
    simulation.time_out()
    assert [ref.event_id for ref in simulation.departures.upcoming(10, 10**9)] == [young]


def test_the_delays_grow_to_a_bound() -> None:
    outbox = Outbox(max_tries=12)
    ref = outbox.add("bad", 100).ref
    departures, now, delays = outbox.departures, 0.0, []
    for _ in range(11):
        outbox.activate()
        (sent,) = departures.sendable(now)
        departures.sent([sent], now)
        assert not departures.try_failed(ref, now)
        wake_at = departures.wake_at_seconds()
        assert wake_at is not None
        delays.append(wake_at - now)
        now = wake_at
        departures.deactivate()
    assert delays == [min(MAX_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2**n) for n in range(11)]
    outbox.activate()
    departures.sent(departures.sendable(now), now)
    assert departures.try_failed(ref, now)
    assert departures.sendable(now + 10_000) == []
    assert outbox.pending_count == 1  # until it is safe elsewhere


def test_an_ack_that_comes_after_all_ends_the_suspicion() -> None:
    simulation = Simulation(("a", True), ("a", False))
    simulation.flap()
    assert simulation.outbox.acked("e0")[1] is not None
    simulation.bad.clear()
    simulation.now += 10_000
    simulation.activate()
    simulation.exchange()
    assert "e0" not in simulation.acked  # it is not sent again
    assert simulation.sent_at == {}


def test_a_batch_without_an_answer_comes_again_one_by_one() -> None:
    window = Window(FIRST_WINDOW, batched_maximum=1000)
    simulation = Simulation(*[("a", False)] * 30, window=window)
    simulation.outbox.activate()
    window.allow_batches(True)
    window.acked(100)
    refs = simulation.departures.sendable(0)
    simulation.departures.sent(refs, 0)
    last = refs[-1]
    simulation.outbox.acked(last.event_id)
    batch = [ref.event_id for ref in refs[:3]]
    assert simulation.departures.overdue(batch, ACK_SECONDS, in_batch=True) == []
    simulation.departures.deactivate()
    simulation.outbox.activate()
    for expected in batch:
        (ref,) = simulation.departures.sendable(ACK_SECONDS)
        assert ref.event_id == expected
        simulation.departures.sent([ref], ACK_SECONDS)
    assert len(simulation.departures.sendable(ACK_SECONDS)) > 1


def test_others_pass_one_that_is_put_off_and_it_comes_in_its_place() -> None:
    simulation = Simulation(*[("a", False)] * 4)
    simulation.outbox.activate()
    first, second, *_ = simulation.departures.sendable(0)
    simulation.departures.put_off(second, 10.0)
    assert not simulation.departures.is_queued(second)
    assert [ref.event_id for ref in simulation.departures.sendable(9.9)] == ["e0", "e2", "e3"]
    assert [ref.event_id for ref in simulation.departures.sendable(10)] == ["e0", "e1", "e2", "e3"]
    assert simulation.departures.is_queued(first)


@pytest.mark.parametrize("happens_to_it", ["dropped", "acked"])
def test_what_is_put_off_and_gone_does_not_come_back(happens_to_it: str) -> None:
    simulation = Simulation(("a", False), ("a", False))
    simulation.outbox.activate()
    first, second = simulation.departures.sendable(0)
    simulation.departures.put_off(first, 10.0)
    simulation.outbox.acked(first.event_id)
    if happens_to_it == "dropped":
        simulation.outbox.removed([first])
    assert simulation.departures.sendable(20) == [second]
