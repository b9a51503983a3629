"""A link core under any sequence of inputs and times, held against a model after every input.

Times are multiples of an eighth of a second, so that core and model agree to the bit.
"""

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gwproactor.links.core.link_core import MessageKind
from gwproactor.links.core.link_state import StateName
from gwproactor.links.core.subscriptions import QOS, Subscription
from gwproactor_test.checked_link_core import CheckedLinkCore

ACK_TIMEOUT_SECONDS = 2.0
POLL_SECONDS = 8.0
LEAST_STEPS = 20_000
"""Fewer prove too little, whatever Hypothesis makes of its settings."""

FILTERS = ("a/#", "b/+", "c")
MESSAGES = ("m1", "m2", "m3", "m4")

quarters = st.integers(1, 4) | st.integers(1, 48)
filters = st.sampled_from(FILTERS)
subscriptions = st.builds(Subscription, filters, st.sampled_from(QOS))
rarely = st.sampled_from((False,) * 7 + (True,))
"""Without it most runs would end, or lose their connection, before anything happened."""

codes = st.sampled_from((0, 0, 0, 1, 2, 0x80, 0x87, 0x42))


class LinkCoreMachine(RuleBasedStateMachine):
    """Drives one core; `CheckedLinkCore` raises where it and the model differ."""

    steps = 0

    @initialize(
        wanted=st.lists(subscriptions, max_size=3, unique_by=lambda s: s.Topic),
        not_started=rarely,
    )
    def build(self, wanted: list[Subscription], not_started: bool) -> None:
        self.now = 0.0
        self.link = CheckedLinkCore(
            "peer",
            ack_timeout_seconds=ACK_TIMEOUT_SECONDS,
            poll_seconds=POLL_SECONDS,
            subscriptions=wanted,
        )
        if not not_started:
            self.link.start(self.now)

    @invariant()
    def count(self) -> None:
        """Called after each step, which has been checked by then."""
        self.steps += 1

    def started(self) -> bool:
        return self.link.state is not StateName.not_started

    @rule(quarters=quarters)
    def wait(self, quarters: int) -> None:
        """A shell that is on time: it ticks at each deadline."""
        self.link.resume(self.now)
        until = self.now + quarters / 4
        while (deadline := self.link.deadline()) is not None and deadline <= until:
            self.now = deadline
            self.link.tick(deadline)
        self.now = until
        self.link.tick(until)

    @rule(quarters=quarters)
    def oversleep(self, quarters: int) -> None:
        """A shell that is late: the next input finds everything overdue."""
        self.now += quarters / 4

    @rule()
    def stand_still(self) -> None:
        """A shell that finds itself late first tells what has come, then resumes."""
        self.link.hold()

    @precondition(lambda self: self.link.core.held)
    @rule()
    def resume(self) -> None:
        self.link.resume(self.now)

    @rule()
    def tick(self) -> None:
        self.link.tick(self.now)

    @precondition(lambda self: not self.started())
    @rule()
    def start(self) -> None:
        self.link.start(self.now)

    @rule(really=rarely, quite_really=rarely)
    def stop(self, really: bool, quite_really: bool) -> None:
        if really and quite_really:
            self.link.stop(self.now)

    @precondition(started)
    @rule(really=rarely, session_present=rarely)
    def connected(self, really: bool, session_present: bool) -> None:
        if really or self.link.state is StateName.connecting:
            self.link.connected(self.now, session_present=session_present)

    @precondition(started)
    @rule(codes=st.lists(codes, min_size=3, max_size=3))
    def connected_and_answered(self, codes: list[int]) -> None:
        if self.link.state is StateName.connecting:
            self.link.connected(self.now)
        self.link.subscriptions_answered(self.now, dict(zip(FILTERS, codes, strict=True)))

    @precondition(started)
    @rule()
    def activated(self) -> None:
        """The way to `active`, which single inputs find too rarely."""
        if self.link.state is StateName.connecting:
            self.link.connected(self.now)
        self.link.subscriptions_answered(self.now, dict.fromkeys(FILTERS, 0))
        self.link.message_received(self.now)

    @rule(refused=st.booleans())
    def connect_failed(self, refused: bool) -> None:
        self.link.connect_failed(self.now, refused=refused)

    @rule(really=rarely)
    def disconnected(self, really: bool) -> None:
        if really:
            self.link.disconnected(self.now)

    @rule(answers=st.dictionaries(filters, codes))
    def answered(self, answers: dict[str, int]) -> None:
        self.link.subscriptions_answered(self.now, answers)

    @rule(subscription=subscriptions)
    def add(self, subscription: Subscription) -> None:
        self.link.subscription_added(self.now, subscription)

    @rule(topic_filter=filters)
    def remove(self, topic_filter: str) -> None:
        self.link.subscription_removed(self.now, topic_filter)

    @rule(earlier_quarters=st.just(0) | st.integers(0, 16))
    def byte(self, earlier_quarters: int) -> None:
        self.link.broker_heard(self.now, self.now - earlier_quarters / 4)

    @rule(
        kind=st.sampled_from(MessageKind),
        message_id=st.sampled_from(MESSAGES),
        ack_required=st.booleans(),
    )
    def receive(self, kind: MessageKind, message_id: str, ack_required: bool) -> None:
        self.link.message_received(self.now, kind, message_id, ack_required)

    @rule(message_id=st.none() | st.sampled_from(MESSAGES))
    def send(self, message_id: str | None) -> None:
        self.link.message_sent(self.now, message_id)

    @rule(burst=st.lists(st.tuples(st.sampled_from(MESSAGES), st.integers(0, 4)), max_size=5))
    def send_many(self, burst: list[tuple[str, int]]) -> None:
        """Several that want an ack within one ack timeout, the same one again among them."""
        for message_id, eighths in burst:
            self.link.message_sent(self.now, message_id)
            self.now += eighths / 8


def prove(max_examples: int, steps: int) -> int:
    """Run the machine; returns how many steps it took, the first one of each run left out."""
    total = 0

    class Counted(LinkCoreMachine):
        def teardown(self) -> None:
            nonlocal total
            total += self.steps - 1

    run_state_machine_as_test(
        Counted,
        settings=settings(
            max_examples=max_examples,
            stateful_step_count=steps,
            deadline=None,
            phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )
    return total


def test_core_and_model_agree() -> None:
    assert prove(max_examples=600, steps=60) >= LEAST_STEPS


@pytest.mark.prove
@pytest.mark.timeout(1800)
def test_core_and_model_agree_for_minutes() -> None:
    assert prove(max_examples=8_000, steps=100) >= 20 * LEAST_STEPS
