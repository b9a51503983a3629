"""The outbox core against a naive model: order, window, budget, and what follows from an ack."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from gwproactor.config.limit_policy import LimitPolicy
from gwproactor.errors import StoreFullError
from gwproactor.events.core.outbox import Ack, Added, Outbox
from gwproactor.events.core.window import Window
from gwproactor.events.store import EventRef, event_size_bytes
from gwproactor_test.event_runs import check_machine

MAX_BYTES = 1500
FIRST_WINDOW = 2
MAX_WINDOW = 4
MAX_WINDOW_BYTES = 500

SOURCES = ["", "a", "b"]

event_ids = st.sampled_from([f"event-{n}" for n in range(12)])


class Thing:
    """One event as the model sees it."""

    def __init__(self, ref: EventRef) -> None:
        self.ref = ref
        self.stored = False
        self.acked = False
        self.in_flight = False


class OutboxMachine(RuleBasedStateMachine):
    """The model keeps all pending events in one list, and looks through it for every answer."""

    def __init__(self) -> None:
        super().__init__()
        self.things: list[Thing] = []
        self.turns: list[str] = []
        self.dropped: list[EventRef] = []
        self.backlog: list[Thing] = []
        self.active = False
        self.window = FIRST_WINDOW
        self.highest = 0
        self.late = list(range(3, 50))
        """Sequences of events that may come late."""

    @initialize(
        old=st.lists(st.sampled_from(SOURCES), max_size=3),
        policy=st.sampled_from(LimitPolicy),
        near_count=st.sampled_from([0, 1, 100]),
    )
    def restore(self, old: list[str], policy: LimitPolicy, near_count: int) -> None:
        self.policy = policy
        self.outbox = Outbox(
            max_bytes=MAX_BYTES,
            window=Window(FIRST_WINDOW, MAX_WINDOW),
            max_window_bytes=MAX_WINDOW_BYTES,
            when_full=policy,
            near_count=near_count,
        )
        refs = [EventRef(n + 5, f"old-{n}", 100, "line", source) for n, source in enumerate(old)]
        self.outbox.restore(refs, 50)
        self.highest = 49
        self.late = [n for n in self.late if n not in [ref.sequence for ref in refs]]
        for ref in refs:
            thing = Thing(ref)
            thing.stored = True
            self.things.append(thing)

    @rule(data=st.data(), sources=st.lists(st.sampled_from(SOURCES), min_size=1, max_size=3))
    @precondition(lambda self: len(self.late) > 3)
    def read_late(self, data: st.DataObject, sources: list[str]) -> None:
        """What could not be read before takes its place, and is no part of the backlog."""
        self.note_turns()
        refs = []
        for source in sources:
            n = data.draw(st.sampled_from(self.late))
            self.late.remove(n)
            refs.append(
                EventRef(n, f"late-{n}", 100, "line", source, data.draw(st.integers(-1, 1)))
            )
        refs.sort()
        assert self.outbox.restore_late(refs) == []
        for ref in refs:
            thing = Thing(ref)
            thing.stored = True
            self.things.append(thing)
        self.things.sort(key=lambda thing: thing.ref.sequence)

    def find(self, event_id: str) -> Thing | None:
        return next((thing for thing in self.things if thing.ref.event_id == event_id), None)

    def fly(self) -> list[Thing]:
        return [thing for thing in self.things if thing.in_flight]

    @rule(
        event_id=event_ids,
        size=st.sampled_from([0, 30, 300, 600, 1600]),
        source=st.sampled_from(SOURCES),
        priority=st.integers(-1, 1),
    )
    def add(self, event_id: str, size: int, source: str, priority: int) -> None:
        known = self.find(event_id)
        size_bytes = event_size_bytes(event_id, size, "t", source)

        def add() -> Added:
            return self.outbox.add(event_id, size, "t", source=source, priority=priority)

        if known is not None:
            assert add() == (known.ref, False, ())
            return
        victims = self.victims(size_bytes, priority)
        if victims is None:
            with pytest.raises(StoreFullError, match=f"max_bytes = {MAX_BYTES}"):
                add()
            return
        ref, is_new, dropped = add()
        assert is_new
        assert ref == EventRef(ref.sequence, event_id, size_bytes, "t", source, priority)
        assert ref.sequence > self.highest
        assert list(dropped) == [(thing.ref, thing.stored) for thing in victims]
        self.highest = ref.sequence
        for thing in victims:
            self.things.remove(thing)
            if not thing.stored:
                self.dropped.append(thing.ref)
        self.note_turns()
        self.things.append(Thing(ref))

    def victims(self, size_bytes: int, priority: int) -> list[Thing] | None:
        """What is to be dropped for an event; None when it is to be refused."""
        excess = sum(thing.ref.size_bytes for thing in self.things) + size_bytes - MAX_BYTES
        if excess <= 0:
            return []
        by_priority = self.policy is LimitPolicy.drop_lowest_priority
        order = [thing for thing in self.things if not thing.in_flight and not thing.acked]
        if self.policy is LimitPolicy.refuse or size_bytes > MAX_BYTES:
            order = []
        elif by_priority:
            order = [thing for thing in order if thing.ref.priority <= priority]
            order.sort(key=lambda thing: thing.ref.priority)
        victims = []
        for thing in order:
            victims.append(thing)
            excess -= thing.ref.size_bytes
            if excess <= 0:
                return victims
        return None

    @rule()
    def store_what_was_dropped(self) -> None:
        assert self.outbox.stored(self.dropped) == self.dropped
        assert all(self.outbox.is_stored(ref) for ref in self.dropped)
        self.dropped.clear()

    @rule(data=st.data())
    def stored(self, data: st.DataObject) -> None:
        waiting = [thing for thing in self.things if not thing.stored]
        count = data.draw(st.integers(0, len(waiting)))
        remove = self.outbox.stored([thing.ref for thing in waiting[:count]])
        assert remove == [thing.ref for thing in waiting[:count] if thing.acked]
        for thing in waiting[:count]:
            thing.stored = True

    @rule(event_id=event_ids | st.sampled_from(["old-0", "old-1", "unknown"]))
    def ack(self, event_id: str) -> None:
        thing = self.find(event_id)
        ack, ref = self.outbox.acked(event_id)
        if thing is None:
            assert (ack, ref) == (Ack.UNKNOWN, None)
            return
        assert ref == thing.ref
        if thing.acked:
            assert ack is Ack.REPEATED
            return
        assert ack is (Ack.REMOVE if thing.stored else Ack.HELD)
        thing.acked = True
        if thing.in_flight:
            thing.in_flight = False
            self.window = min(self.window + 1, MAX_WINDOW)

    @rule(data=st.data())
    def ack_many(self, data: st.DataObject) -> None:
        flying = self.fly()
        if not flying:
            return
        taken = data.draw(st.lists(st.sampled_from(flying), unique_by=id))
        self.outbox.departures.window.acked(len(taken))
        self.window = min(self.window + len(taken), MAX_WINDOW)
        for thing in taken:
            ack, ref = self.outbox.acked_in_batch(thing.ref.event_id)
            assert (ack, ref) == (Ack.REMOVE if thing.stored else Ack.HELD, thing.ref)
            thing.acked, thing.in_flight = True, False

    @rule(data=st.data())
    def refuse(self, data: st.DataObject) -> None:
        flying = self.fly()
        refused = data.draw(st.lists(st.sampled_from(flying), unique_by=id)) if flying else []
        self.outbox.departures.returned([*(thing.ref.event_id for thing in refused), "unknown"])
        for thing in refused:
            thing.in_flight = False

    @rule()
    def remove_what_is_done(self) -> None:
        done = [thing for thing in self.things if thing.stored and thing.acked]
        self.outbox.removed([thing.ref for thing in done])
        self.things = [thing for thing in self.things if thing not in done]

    @rule(data=st.data())
    @precondition(lambda self: self.things)
    def lose(self, data: st.DataObject) -> None:
        thing = data.draw(st.sampled_from(self.things))
        self.outbox.removed([thing.ref])
        self.things.remove(thing)
        assert not self.outbox.is_pending(thing.ref)

    @rule()
    def activate(self) -> None:
        self.deactivate()
        self.outbox.activate()
        self.backlog = [thing for thing in self.things if not thing.acked]
        self.active = True
        self.window = FIRST_WINDOW

    @rule()
    def deactivate(self) -> None:
        self.outbox.departures.deactivate()
        self.active = False
        for thing in self.things:
            thing.in_flight = False

    @rule(data=st.data())
    def send(self, data: st.DataObject) -> None:
        expected = self.sendable()
        assert self.outbox.departures.sendable(0) == [thing.ref for thing in expected]
        count = data.draw(st.integers(0, len(expected)))
        self.outbox.departures.sent([thing.ref for thing in expected[:count]], 0)
        for thing in expected[:count]:
            thing.in_flight = True
            self.turns.remove(thing.ref.source)
            self.turns.append(thing.ref.source)

    def waiting(self) -> list[Thing]:
        """What waits to be sent, in the order of sending."""
        left = [thing for thing in self.things if not thing.in_flight and not thing.acked]
        turns, order = self.turns.copy(), []
        while left:
            source = turns.pop(0)
            turns.append(source)
            own = [thing for thing in left if thing.ref.source == source]
            for thing in own[:1]:
                older = [
                    it for it in left if not it.ref.source and left.index(it) < left.index(thing)
                ]
                for it in [*older, thing]:
                    left.remove(it)
                    order.append(it)
        return order

    def sendable(self) -> list[Thing]:
        flying = self.fly()
        taken: list[Thing] = []
        for thing in self.waiting() if self.active else []:
            both = [*flying, *taken, thing]
            size = sum(other.ref.size_bytes for other in both)
            if len(both) > self.window or (size > MAX_WINDOW_BYTES and len(both) > 1):
                break
            taken.append(thing)
        return taken

    @invariant()
    def counts_agree(self) -> None:
        if not hasattr(self, "outbox"):
            return
        assert self.outbox.pending_count == len(self.things)
        assert self.outbox.pending_bytes == sum(thing.ref.size_bytes for thing in self.things)
        assert self.outbox.departures.in_flight_count == len(self.fly())
        assert self.outbox.unacked_count == sum(not thing.acked for thing in self.things)
        assert self.outbox.departures.window.count == self.window
        assert self.outbox.departures.active == self.active
        backlog = [thing for thing in self.backlog if thing in self.things and not thing.acked]
        assert self.outbox.backlog.left_count == len(backlog)
        for thing in self.things:
            assert self.outbox.is_pending(thing.ref)
            assert self.outbox.is_stored(thing.ref) == thing.stored
            assert self.outbox.departures.is_in_flight(thing.ref) == thing.in_flight

    @invariant()
    def each_source_in_its_order(self) -> None:
        if not hasattr(self, "outbox"):
            return
        self.note_turns()
        upcoming = self.outbox.departures.upcoming(1000, 10**9)
        assert upcoming == [thing.ref for thing in self.waiting()]

    def note_turns(self) -> None:
        """A source that has nothing waiting loses its turn; a new one comes last."""
        waiting = [t.ref.source for t in self.things if not t.in_flight and not t.acked]
        self.turns = [source for source in self.turns if source in waiting]
        self.turns += [source for source in dict.fromkeys(waiting) if source not in self.turns]


def test_outbox_agrees_with_the_model() -> None:
    check_machine(OutboxMachine)


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_outbox_agrees_with_the_model_at_length() -> None:
    check_machine(OutboxMachine, examples=3000, steps=80)


def test_five_in_flight_and_one_more_for_each_ack() -> None:
    outbox = Outbox()
    refs = [outbox.add(f"e{n}", 100).ref for n in range(100)]
    outbox.activate()
    first = outbox.departures.sendable(0)
    assert first == refs[:5]
    outbox.departures.sent(first, 0)
    assert outbox.departures.sendable(0) == []
    outbox.acked("e0")
    assert outbox.departures.sendable(0) == refs[5:7]  # its own place, and one more


def test_the_window_has_an_end() -> None:
    outbox = Outbox(window=Window(maximum=8))
    for n in range(100):
        outbox.add(f"e{n}", 100)
    outbox.activate()
    for n in range(50):
        outbox.departures.sent(outbox.departures.sendable(0), 0)
        outbox.acked(f"e{n}")
    outbox.departures.sent(outbox.departures.sendable(0), 0)
    assert outbox.departures.in_flight_count == 8


def test_a_restart_begins_with_the_oldest() -> None:
    outbox = Outbox()
    refs = [outbox.add(f"e{n}", 100).ref for n in range(8)]
    outbox.activate()
    outbox.departures.sent(outbox.departures.sendable(0), 0)
    outbox.acked("e2")
    outbox.departures.deactivate()
    assert outbox.departures.sendable(0) == []
    outbox.activate()
    assert outbox.departures.sendable(0) == [refs[n] for n in (0, 1, 3, 4, 5)]


def test_what_was_refused_goes_again_and_keeps_its_place() -> None:
    outbox = Outbox()
    refs = [outbox.add(f"e{n}", 100).ref for n in range(6)]
    outbox.activate()
    outbox.departures.sent(outbox.departures.sendable(0), 0)
    outbox.departures.returned(["e3", "e1"])
    assert outbox.departures.sendable(0) == [refs[1], refs[3]]
    outbox.departures.sent([refs[1]], 0)
    outbox.departures.deactivate()
    outbox.activate()
    assert outbox.departures.sendable(0) == refs[:5]


def test_an_event_larger_than_the_window_goes_alone() -> None:
    outbox = Outbox(max_window_bytes=1000)
    outbox.add("small", 10)
    large = outbox.add("large", 5000).ref
    outbox.activate()
    outbox.departures.sent(outbox.departures.sendable(0), 0)
    assert outbox.departures.sendable(0) == []
    outbox.acked("small")
    assert outbox.departures.sendable(0) == [large]


def test_upcoming_is_bounded() -> None:
    outbox = Outbox()
    for n in range(10):
        outbox.add(f"e{n}", 100)
    assert len(outbox.departures.upcoming(3, 10**6)) == 3
    assert len(outbox.departures.upcoming(10, 400)) == 2


def test_a_new_source_does_not_wait_behind_a_backlog() -> None:
    outbox = Outbox()
    backlog = [outbox.add(f"old{n}", 100, source="old").ref for n in range(1000)]
    new = [outbox.add(f"new{n}", 100, source="new").ref for n in range(2)]
    outbox.activate()
    assert outbox.departures.sendable(0) == [backlog[0], new[0], backlog[1], new[1], backlog[2]]


def test_what_has_no_known_source_goes_before_all_that_is_younger() -> None:
    outbox = Outbox()
    first = outbox.add("first", 100, source="a").ref
    unknown = outbox.add("unknown", 100).ref
    last = [outbox.add(name, 100, source=name).ref for name in ("a", "b")]
    outbox.activate()
    assert outbox.departures.sendable(0) == [first, unknown, *reversed(last)]  # it is the turn of b


def test_packed_events_are_acked_and_sent_as_others_are() -> None:
    outbox = Outbox(near_count=2)
    refs = [outbox.add(f"e{n}", 100, source="a").ref for n in range(100)]
    assert outbox.stored(refs) == []
    assert [outbox.add(f"e{n}", 100).ref for n in range(100)] == refs
    assert outbox.acked("e50") == (Ack.REMOVE, refs[50])
    outbox.removed([refs[50]])
    outbox.activate()
    outbox.departures.sent(outbox.departures.sendable(0), 0)
    assert outbox.departures.in_flight_count == 5
    outbox.departures.deactivate()
    assert outbox.departures.upcoming(1000, 10**9) == [*refs[:50], *refs[51:]]
