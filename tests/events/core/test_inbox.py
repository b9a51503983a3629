"""The inbox core against a naive model: what is new, what is acknowledged when, what comes next."""

from dataclasses import dataclass

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from gwproactor.events.core.inbox import FENCE_TRIES, MAX_RETRY_SECONDS, Inbox, Key, Reception
from gwproactor.events.store import EventRef, event_size_bytes
from gwproactor_test.event_runs import check_machine

MAX_BYTES = 900
MAX_WAITING_BYTES = 400
MAX_UNMARKED = 3
MAX_TRIES = 3

keys = st.tuples(st.sampled_from(["child", "other"]), st.sampled_from([f"e{n}" for n in range(6)]))


@dataclass
class Thing:
    """One event as the model sees it; `stage` is one word of the module's picture."""

    ref: EventRef
    stage: str = "waiting"
    tries: int = 0
    due_seconds: float = 0.0


class InboxMachine(RuleBasedStateMachine):
    """The model keeps all events in one list, and looks through it for every answer."""

    def __init__(self) -> None:
        super().__init__()
        self.things: list[Thing] = []
        self.seen: set[Key] = set()
        self.now_seconds = 1000.0
        self.fence: list[int] = []  # sizes of those refused, ever longer

    @initialize(ack_when_handled=st.booleans(), old=st.integers(0, 2))
    def start(self, ack_when_handled: bool, old: int) -> None:
        self.ack_when_handled = ack_when_handled
        self.inbox = Inbox(
            max_bytes=MAX_BYTES,
            max_waiting_bytes=MAX_WAITING_BYTES,
            max_unmarked=MAX_UNMARKED,
            max_tries=MAX_TRIES,
            ack_when_handled=ack_when_handled,
        )
        refs = [EventRef(n + 3, f"old{n}", 80, "child") for n in range(old)]
        self.inbox.restore(refs, 20)
        self.things = [Thing(ref, "queued") for ref in refs]

    def at(self, stage: str) -> list[Thing]:
        return [thing for thing in self.things if thing.stage == stage]

    def size(self, things: list[Thing]) -> int:
        return sum(thing.ref.size_bytes for thing in things)

    def fits(self, size_bytes: int) -> bool:
        return (
            self.size(self.things) + size_bytes <= MAX_BYTES
            and self.size(self.at("waiting")) + size_bytes <= MAX_WAITING_BYTES
        )

    @property
    def is_fenced(self) -> bool:
        return len(self.fence) < FENCE_TRIES

    @rule(key=keys, payload_bytes=st.sampled_from([0, 50, 250, 300]))
    def receive(self, key: Key, payload_bytes: int) -> None:
        link_name, event_id = key
        seen = key in self.seen
        got = self.inbox.receive(link_name, event_id, payload_bytes, seen=seen)
        thing = next((t for t in self.things if (t.ref.tag, t.ref.event_id) == key), None)
        size = event_size_bytes(event_id, payload_bytes, link_name)
        if thing is not None:
            owed = self.ack_when_handled or thing.stage == "waiting"
            assert got == (Reception.WAITING if owed else Reception.KNOWN, None)
        elif seen:
            assert got == (Reception.KNOWN, None)
        elif not self.fits(size) or (not self.fits(max(self.fence, default=0)) and self.is_fenced):
            assert got == (Reception.REFUSED, None)
            if max(self.fence, default=0) <= size <= min(MAX_BYTES, MAX_WAITING_BYTES):
                self.fence.append(size)
        else:
            if self.fits(max(size, *self.fence, 0)):
                self.fence.clear()
            assert got.reception is Reception.NEW
            assert got.ref is not None
            assert got.ref == EventRef(got.ref.sequence, event_id, size, link_name)
            assert all(got.ref.sequence > other.ref.sequence for other in self.things)
            self.things.append(Thing(got.ref))

    @rule(data=st.data())
    def commit(self, data: st.DataObject) -> None:
        waiting = self.at("waiting")
        done = waiting[: data.draw(st.integers(0, len(waiting)))]
        acknowledge = self.inbox.committed([thing.ref for thing in done])
        assert acknowledge == ([] if self.ack_when_handled else [thing.ref for thing in done])
        for thing in done:
            thing.stage = "queued"

    def unmarked(self) -> list[Thing]:
        return [*self.at("handling"), *self.at("handled")]

    @rule()
    @precondition(lambda self: not self.at("handling"))
    def deliver(self) -> None:
        ref = self.inbox.next_delivery(self.now_seconds)
        expected = self.next_one()
        assert ref == (None if expected is None else expected.ref)
        if expected is not None:
            expected.stage = "handling"

    def next_one(self) -> Thing | None:
        if len(self.unmarked()) >= MAX_UNMARKED:
            return None
        due = [thing for thing in self.at("later") if thing.due_seconds <= self.now_seconds]
        if due:
            return min(due, key=lambda thing: (thing.due_seconds, thing.ref.sequence))
        return min(self.at("queued"), key=lambda thing: thing.ref.sequence, default=None)

    @rule()
    @precondition(lambda self: self.at("handling"))
    def handler_succeeds(self) -> None:
        self.at("handling")[0].stage = "handled"

    @rule(room=st.booleans())
    @precondition(lambda self: self.at("handling"))
    def handler_fails(self, room: bool) -> None:
        thing = self.at("handling")[0]
        failure = self.inbox.failed(thing.ref, self.now_seconds, may_set_aside=room)
        thing.tries += 1
        assert failure.tries == thing.tries
        if thing.tries >= MAX_TRIES and room:
            assert failure.retry_seconds is None
            thing.stage = "handled"  # set aside, which is to be marked like success
        else:
            assert failure.retry_seconds is not None
            assert 0 < failure.retry_seconds <= MAX_RETRY_SECONDS
            thing.stage = "later"
            thing.due_seconds = self.now_seconds + failure.retry_seconds

    @rule()
    @precondition(lambda self: self.at("handling"))
    def payload_cannot_be_read_now(self) -> None:
        thing = self.at("handling")[0]
        self.inbox.put_back(thing.ref)
        thing.stage = "queued"

    @rule(data=st.data())
    def mark(self, data: st.DataObject) -> None:
        handled = self.at("handled")
        done = handled[: data.draw(st.integers(0, len(handled)))]
        refs = [thing.ref for thing in done]
        assert self.inbox.marked(refs) == (refs if self.ack_when_handled else [])
        for thing in done:
            self.things.remove(thing)
            self.seen.add((thing.ref.tag, thing.ref.event_id))

    @rule(seconds=st.floats(0, 40))
    def time_passes(self, seconds: float) -> None:
        self.now_seconds += seconds

    @invariant()
    def counts_agree(self) -> None:
        if not hasattr(self, "inbox"):
            return
        assert self.inbox.pending_count == len(self.things)
        assert self.inbox.pending_bytes == self.size(self.things) <= MAX_BYTES
        assert self.inbox.unmarked_count == len(self.unmarked()) <= MAX_UNMARKED
        later = [thing.due_seconds for thing in self.at("later")]
        blocked = len(self.unmarked()) >= MAX_UNMARKED
        expected = None if blocked else min(later, default=None)
        assert self.inbox.wake_at_seconds() == expected


def test_inbox_agrees_with_the_model() -> None:
    check_machine(InboxMachine)


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_inbox_agrees_with_the_model_at_length() -> None:
    check_machine(InboxMachine, examples=3000, steps=80)


def test_the_delays_of_a_failing_handler_grow_to_a_bound() -> None:
    inbox = Inbox(max_tries=100)
    received = inbox.receive("child", "e", 10, seen=False)
    assert received.ref is not None
    inbox.committed([received.ref])
    now_seconds, delays = 0.0, []
    for _ in range(50):
        ref = inbox.next_delivery(now_seconds)
        assert ref == received.ref
        failure = inbox.failed(ref, now_seconds)
        assert failure.retry_seconds is not None
        delays.append(failure.retry_seconds)
        now_seconds += failure.retry_seconds
    assert delays == sorted(delays)
    assert delays[0] < 1
    assert delays[-1] == MAX_RETRY_SECONDS


def test_a_failing_event_holds_up_nobody() -> None:
    inbox = Inbox()
    refs = []
    for event_id in ("bad", "good"):
        received = inbox.receive("child", event_id, 10, seen=False)
        assert received.ref is not None
        refs.append(received.ref)
    inbox.committed(refs)
    bad = inbox.next_delivery(0.0)
    assert bad == refs[0]
    inbox.failed(bad, 0.0)
    assert inbox.next_delivery(0.0) == refs[1]


def received(inbox: Inbox, event_id: str, payload_bytes: int) -> Reception:
    return inbox.receive("child", event_id, payload_bytes, seen=False).reception


def test_those_that_fit_do_not_pass_one_that_did_not() -> None:
    """To its sender they would prove that it is refused for ever."""
    inbox = Inbox(max_bytes=1000)
    first = inbox.receive("child", "a", 500, seen=False).ref
    assert first is not None
    assert received(inbox, "long", 700) is Reception.REFUSED
    assert received(inbox, "b", 0) is Reception.REFUSED
    inbox.committed([first])
    assert inbox.next_delivery(0.0) == first
    inbox.marked([first])
    assert received(inbox, "long", 700) is Reception.NEW
    assert received(inbox, "b", 0) is Reception.NEW


def test_one_for_which_there_is_never_room_blocks_the_others_for_a_while_only() -> None:
    inbox = Inbox(max_bytes=1000)
    assert received(inbox, "a", 500) is Reception.NEW
    assert received(inbox, "far too long", 2000) is Reception.REFUSED
    assert received(inbox, "b", 0) is Reception.NEW
    for _ in range(FENCE_TRIES):
        assert received(inbox, "long", 700) is Reception.REFUSED
    assert received(inbox, "c", 0) is Reception.NEW
