"""The outbox core against a naive model: order, window, budget, and what follows from an ack."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gwproactor.errors import StoreFullError
from gwproactor.events.core.outbox import Ack, Outbox
from gwproactor.events.core.window import Window
from gwproactor.events.store import EventRef, event_size_bytes

MAX_BYTES = 1500
FIRST_WINDOW = 2
MAX_WINDOW = 4
MAX_WINDOW_BYTES = 500

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
        self.outbox = Outbox(
            max_bytes=MAX_BYTES,
            window=Window(FIRST_WINDOW, MAX_WINDOW),
            max_window_bytes=MAX_WINDOW_BYTES,
        )
        self.things: list[Thing] = []
        self.active = False
        self.window = FIRST_WINDOW
        self.highest = 0

    @initialize(count=st.integers(0, 3))
    def restore(self, count: int) -> None:
        refs = [EventRef(n + 5, f"old-{n}", 100, "line") for n in range(count)]
        self.outbox.restore(refs, 50)
        self.highest = 49
        for ref in refs:
            thing = Thing(ref)
            thing.stored = True
            self.things.append(thing)

    def find(self, event_id: str) -> Thing | None:
        return next((thing for thing in self.things if thing.ref.event_id == event_id), None)

    def fly(self) -> list[Thing]:
        return [thing for thing in self.things if thing.in_flight]

    @rule(event_id=event_ids, size=st.sampled_from([0, 30, 300, 600]))
    def add(self, event_id: str, size: int) -> None:
        known = self.find(event_id)
        size_bytes = event_size_bytes(event_id, size, "t")
        room = sum(thing.ref.size_bytes for thing in self.things) + size_bytes <= MAX_BYTES
        if known is not None:
            assert self.outbox.add(event_id, size, "t") == (known.ref, False)
        elif not room:
            with pytest.raises(StoreFullError, match=f"max_bytes = {MAX_BYTES}"):
                self.outbox.add(event_id, size, "t")
        else:
            ref, is_new = self.outbox.add(event_id, size, "t")
            assert is_new
            assert ref == EventRef(ref.sequence, event_id, size_bytes, "t")
            assert ref.sequence > self.highest
            self.highest = ref.sequence
            self.things.append(Thing(ref))

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
        self.outbox.window.acked(len(taken))
        self.window = min(self.window + len(taken), MAX_WINDOW)
        for thing in taken:
            ack, ref = self.outbox.acked_in_batch(thing.ref.event_id)
            assert (ack, ref) == (Ack.REMOVE if thing.stored else Ack.HELD, thing.ref)
            thing.acked, thing.in_flight = True, False

    @rule(data=st.data())
    def refuse(self, data: st.DataObject) -> None:
        flying = self.fly()
        refused = data.draw(st.lists(st.sampled_from(flying), unique_by=id)) if flying else []
        self.outbox.refused([*(thing.ref.event_id for thing in refused), "unknown"])
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
        self.active = True
        self.window = FIRST_WINDOW

    @rule()
    def deactivate(self) -> None:
        self.outbox.deactivate()
        self.active = False
        for thing in self.things:
            thing.in_flight = False

    @rule(data=st.data())
    def send(self, data: st.DataObject) -> None:
        expected = self.sendable()
        assert self.outbox.sendable() == [thing.ref for thing in expected]
        count = data.draw(st.integers(0, len(expected)))
        self.outbox.sent([thing.ref for thing in expected[:count]])
        for thing in expected[:count]:
            thing.in_flight = True

    def sendable(self) -> list[Thing]:
        flying = self.fly()
        taken: list[Thing] = []
        for thing in self.things if self.active else []:
            if thing.in_flight or thing.acked:
                continue
            both = [*flying, *taken, thing]
            size = sum(other.ref.size_bytes for other in both)
            if len(both) > self.window or (size > MAX_WINDOW_BYTES and len(both) > 1):
                break
            taken.append(thing)
        return taken

    @invariant()
    def counts_agree(self) -> None:
        assert self.outbox.pending_count == len(self.things)
        assert self.outbox.pending_bytes == sum(thing.ref.size_bytes for thing in self.things)
        assert self.outbox.in_flight_count == len(self.fly())
        assert self.outbox.unacked_count == sum(not thing.acked for thing in self.things)
        assert self.outbox.window.count == self.window
        assert self.outbox.active == self.active
        for thing in self.things:
            assert self.outbox.is_pending(thing.ref)
            assert self.outbox.is_stored(thing.ref) == thing.stored
            assert self.outbox.is_in_flight(thing.ref) == thing.in_flight

    @invariant()
    def what_comes_next_is_the_oldest(self) -> None:
        waiting = [t.ref for t in self.things if not t.in_flight and not t.acked]
        assert self.outbox.upcoming(1000, 10**9) == waiting


def test_outbox_agrees_with_the_model() -> None:
    run_state_machine_as_test(
        OutboxMachine, settings=settings(max_examples=100, stateful_step_count=40, deadline=None)
    )


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_outbox_agrees_with_the_model_at_length() -> None:
    run_state_machine_as_test(
        OutboxMachine, settings=settings(max_examples=3000, stateful_step_count=80, deadline=None)
    )


def test_five_in_flight_and_one_more_for_each_ack() -> None:
    outbox = Outbox()
    refs = [outbox.add(f"e{n}", 100).ref for n in range(100)]
    outbox.activate()
    first = outbox.sendable()
    assert first == refs[:5]
    outbox.sent(first)
    assert outbox.sendable() == []
    outbox.acked("e0")
    assert outbox.sendable() == refs[5:7]  # its own place, and one more


def test_the_window_has_an_end() -> None:
    outbox = Outbox(window=Window(maximum=8))
    for n in range(100):
        outbox.add(f"e{n}", 100)
    outbox.activate()
    for n in range(50):
        outbox.sent(outbox.sendable())
        outbox.acked(f"e{n}")
    outbox.sent(outbox.sendable())
    assert outbox.in_flight_count == 8


def test_a_restart_begins_with_the_oldest() -> None:
    outbox = Outbox()
    refs = [outbox.add(f"e{n}", 100).ref for n in range(8)]
    outbox.activate()
    outbox.sent(outbox.sendable())
    outbox.acked("e2")
    outbox.deactivate()
    assert outbox.sendable() == []
    outbox.activate()
    assert outbox.sendable() == [refs[n] for n in (0, 1, 3, 4, 5)]


def test_what_was_refused_goes_again_and_keeps_its_place() -> None:
    outbox = Outbox()
    refs = [outbox.add(f"e{n}", 100).ref for n in range(6)]
    outbox.activate()
    outbox.sent(outbox.sendable())
    outbox.refused(["e3", "e1"])
    assert outbox.sendable() == [refs[1], refs[3]]
    outbox.sent([refs[1]])
    outbox.deactivate()
    outbox.activate()
    assert outbox.sendable() == refs[:5]


def test_an_event_larger_than_the_window_goes_alone() -> None:
    outbox = Outbox(max_window_bytes=1000)
    outbox.add("small", 10)
    large = outbox.add("large", 5000).ref
    outbox.activate()
    outbox.sent(outbox.sendable())
    assert outbox.sendable() == []
    outbox.acked("small")
    assert outbox.sendable() == [large]


def test_upcoming_is_bounded() -> None:
    outbox = Outbox()
    for n in range(10):
        outbox.add(f"e{n}", 100)
    assert len(outbox.upcoming(3, 10**6)) == 3
    assert len(outbox.upcoming(10, 400)) == 2
