"""The core of one link: every decision about its comm state, and nothing else.

A `LinkCore` is told what happens (its inputs, each with the present moment) and returns what is to
be done (`effects`). It has no clock, socket, task or file, so a list of inputs
says all there is to say about how a link came to its state. What it decides by is the comm state's
table (`link_state`) and the four conditions (`link_conditions`).

*Catching up.* Every input that does not end the connection first does what fell due before it:
acks that did not come, silence, an overdue SUBACK, a broker that shows no byte, the next ping. So
it does not matter how late `tick` is called, except that things happen later. `deadline` says when
`tick` is wanted. Where the whole program stood still past it, answers may have come that nobody
has read yet: between `hold` and `resume` nothing is caught up with, so that they can be told first.

*After the end.* An input that comes from a connection already lost, given up or stopped changes
nothing. Only an ack is still an ack then.

*Hot path.* A message on an active link with nothing due takes the first branch of
`message_received`: two comparisons and two stores, no transition, no new object.
"""

import random as _random
from collections.abc import Iterable, Mapping
from enum import Enum

from gwproactor.errors import SettingsError
from gwproactor.links.core.acks import DEFAULT_ACK_DELAY, NEVER
from gwproactor.links.core.backoff import Random
from gwproactor.links.core.effects import (
    NOTHING,
    Acked,
    AcksCancelled,
    ConnectFailed,
    Effect,
    Effects,
    ReportKind,
    SendAck,
    Subscribe,
    Unsubscribe,
)
from gwproactor.links.core.link_conditions import LinkConditions
from gwproactor.links.core.link_state import LinkState, StateName
from gwproactor.links.core.message_times import BEFORE_ALL_TIME, LinkTimes
from gwproactor.links.core.reports import ReportRate, Reports
from gwproactor.links.core.subscriptions import (
    Answer,
    Subscription,
    SubscriptionRecord,
    suback_reason,
)
from gwproactor.wire.timing import DEFAULT_POLL_SECONDS, SHORTEST_SECONDS


class MessageKind(Enum):
    """What the core must know of a received message's type."""

    ack = "ack"
    ping = "ping"
    other = "other"


class LinkCore:
    """The decisions of one link. Not thread-safe; belongs to the task that runs the link.

    Inputs take `now`, monotonic seconds that never go back (a smaller value counts as the latest),
    and return the effects to be carried out, in order.

    Args:
        name: The link's name, which transitions carry.
        ack_timeout_seconds: How long peer and broker may take to answer.
        poll_seconds: A ping goes out after so long without sending or without receiving.
        subscriptions: What to subscribe to on every connection.
        random: Gives numbers between 0 and 1, for the jitter of retries.

    Raises:
        SettingsError: A number of seconds is not finite or below a millisecond.
    """

    def __init__(
        self,
        name: str,
        *,
        ack_timeout_seconds: float = DEFAULT_ACK_DELAY,
        poll_seconds: float = DEFAULT_POLL_SECONDS,
        subscriptions: Iterable[Subscription] = (),
        random: Random = _random.random,
    ) -> None:
        _check_seconds("ack_timeout_seconds", ack_timeout_seconds)
        _check_seconds("poll_seconds", poll_seconds)
        self._conditions = LinkConditions(
            name, ack_timeout_seconds, poll_seconds, tuple(subscriptions), random
        )
        self._times = self._conditions.times
        self._reports = Reports(name)
        self._failures = ReportRate()
        self._now = BEFORE_ALL_TIME
        self._wake = NEVER
        self.held = False
        """Whether catching up is put off."""

    @property
    def link_state(self) -> LinkState:
        """The comm state itself, to be read by others and changed by nobody."""
        return self._conditions.link_state

    @property
    def state(self) -> StateName:
        """The present comm state."""
        return self._conditions.link_state.state_name

    @property
    def active(self) -> bool:
        """Whether the four conditions hold."""
        return self._conditions.active

    @property
    def since(self) -> float:
        """When the present state began, monotonic seconds; minus infinity before `start`."""
        return self._conditions.since

    @property
    def times(self) -> LinkTimes:
        """When the link last sent and received, to be read by others."""
        return self._times

    @property
    def subscriptions(self) -> SubscriptionRecord:
        """What is subscribed to and how the broker answered, to be read by others."""
        return self._conditions.subscriptions

    @property
    def num_acks(self) -> int:
        """How many acks are waited for."""
        return len(self._conditions.acks)

    def deadline(self) -> float | None:
        """Return the moment when `tick` is wanted next, or None.

        Read it after every input. It may be earlier than needed, never later; a tick that comes too
        early does nothing but find the next deadline, which lies in the future.
        """
        return None if self._wake == NEVER else self._wake

    def tick(self, now: float) -> Effects:
        """Do what has fallen due."""
        if now < self._wake:
            return NOTHING
        now, out = self._begin(now)
        return self._end(out)

    def hold(self) -> None:
        """Put off whatever falls due, until `resume`."""
        self.held, self._wake = True, NEVER

    def resume(self) -> None:
        """Hold no longer; a `tick` is wanted now."""
        self.held = False
        self._end([])

    def start(self, now: float) -> Effects:
        """Begin: the task is about to connect.

        Raises:
            InvalidCommStateInput: The link was started before.
        """
        now, out = self._begin(now)
        self._conditions.move(self.link_state.start(), now, out)
        return self._end(out)

    def stop(self, now: float, reason: str = "stop called") -> Effects:
        """End the link for good."""
        now, out = self._begin_anew(now)
        self._conditions.move(self.link_state.stop(reason=reason), now, out)
        return self._end(out)

    def connected(self, now: float, *, session_present: bool = False) -> Effects:
        """Take note of a new connection; one that stood before is replaced by it.

        Args:
            now: The present moment.
            session_present: The broker kept the session from before, so what comes first may be
                old. Until an ack of a message that was sent on this connection has come, messages
                say nothing of the peer.

        Raises:
            InvalidCommStateInput: The link was not started.
        """
        now, out = self._begin_anew(now)
        self._conditions.lose("replaced by a new one", now, out)
        self._conditions.connect(now, out, session_present=session_present)
        self._failures.over("connect")
        self._reports.over(ReportKind.connect_refused)
        return self._end(out)

    def connect_failed(self, now: float, reason: str, *, refused: bool = False) -> Effects:
        """Take note that an attempt to connect failed.

        Args:
            now: The present moment.
            reason: Why, in words for a user and without a secret.
            refused: Somebody must act before it can succeed: login, certificate, protocol.
        """
        now, out = self._begin(now)
        if self.link_state.in_state(StateName.connecting):
            result = self.link_state.process_mqtt_connect_fail(reason=f"connect failed: {reason}")
            if self._failures.again(now, "connect") is not None:
                out.append(ConnectFailed(result.unwrap(), now))
            if refused:
                kind, summary = ReportKind.connect_refused, "the broker refused the connection"
                out += self._reports.report(now, kind, summary, reason)
        return self._end(out)

    def disconnected(self, now: float, reason: str = "no reason given") -> Effects:
        """Take note that the connection is lost; without one this changes nothing."""
        now, out = self._begin_anew(now)
        self._conditions.lose(reason, now, out)
        return self._end(out)

    def subscriptions_answered(self, now: float, answers: Mapping[str, int]) -> Effects:
        """Take note of SUBACKs.

        Args:
            now: The present moment.
            answers: The reason code for each topic filter that was answered.
        """
        now, out = self._begin(now, byte_at=now)
        refusal = ""
        for topic_filter, code in answers.items():
            answer = self.subscriptions.answered(now, topic_filter, code)
            out += self._reports.suback(now, topic_filter, answer, code)
            if answer is Answer.refused:
                refusal = f"subscription to '{topic_filter}' refused: {suback_reason(code)}"
        self._conditions.settle(now, out, incomplete=refusal)
        return self._end(out)

    def subscription_added(self, now: float, subscription: Subscription) -> Effects:
        """Subscribe to one more filter, or to a known one at another QoS, now and from now on."""
        now, out = self._begin(now)
        if self.subscriptions.want(subscription) and self._conditions.connected():
            topic_filter = subscription.Topic
            asked = self.subscriptions.ask(now, topic_filter, exempt=self.active)
            out.append(Subscribe((asked,)))
            self._conditions.settle(now, out, incomplete=f"subscription to '{topic_filter}' added")
        return self._end(out)

    def subscription_removed(self, now: float, topic_filter: str) -> Effects:
        """Subscribe to a filter no longer; an unknown one is nothing to remove."""
        now, out = self._begin(now)
        if self.subscriptions.forget(topic_filter):
            self._reports.subscription_fine(topic_filter)
            if self._conditions.connected():
                out.append(Unsubscribe((topic_filter,)))
                text = f"subscription to '{topic_filter}' removed"
                self._conditions.settle(now, out, complete=text)
        return self._end(out)

    def broker_heard(self, now: float, byte_at: float | None = None) -> Effects:
        """Take note of any byte from the broker, a message that could not be decoded included.

        Args:
            now: The present moment.
            byte_at: When the byte came, if earlier. What counts is a byte since the last
                `ProbeBroker`; call this before `tick` where bytes are looked for only now and then.
        """
        byte_at = now if byte_at is None else byte_at
        if now < self._wake and not self._conditions.probe.heard(now, byte_at):
            return NOTHING
        now, out = self._begin(now, byte_at=byte_at)
        return self._end(out)

    def message_received(
        self,
        now: float,
        kind: MessageKind = MessageKind.other,
        message_id: str = "",
        ack_required: bool = False,
    ) -> Effects:
        """Take note of a valid message from the peer; it counts as a byte from the broker too.

        A ping is acknowledged at once. Any other message that wants an ack gets it from the
        application, once accepted.

        Args:
            now: The present moment.
            kind: The message's type, as far as it matters here.
            message_id: The message's id; of an ack, the id of the message it acknowledges.
            ack_required: The sender wants an ack.
        """
        if self._conditions.active and now < self._wake:
            self._times.last_recv = self._now = max(now, self._now)
            if kind is MessageKind.other:
                return NOTHING
            out: list[Effect] = []
        else:
            now, out = self._begin(now, byte_at=now)
            if kind is MessageKind.ack:
                self._conditions.hear_ack(message_id)
            self._conditions.hear_peer(now, out)
            if kind is MessageKind.ping:
                self._conditions.ask_back(now, out)
            self._end(out)
        self._reply(kind, message_id, ack_required, out)
        return out

    def message_sent(self, now: float, message_id: str | None = None) -> Effects:
        """Take note that a message was handed to the connection.

        Args:
            now: The present moment.
            message_id: The message's id where it wants an ack, which is waited for from now on;
                without a connection that wait is over at once (`AcksCancelled`).
        """
        caught_up = self.tick(now)
        self._now = now = max(now, self._now)
        if not self._conditions.connected():
            cancelled = NOTHING if message_id is None else (AcksCancelled((message_id,)),)
            return [*caught_up, *cancelled]
        self._times.last_send = now
        if message_id is None:
            return caught_up
        return [*caught_up, *self._wait_for_ack(now, message_id)]

    def _begin(self, now: float, *, byte_at: float | None = None) -> tuple[float, list[Effect]]:
        self._now = now = max(now, self._now)
        if byte_at is not None:
            self._conditions.probe.heard(now, byte_at)
        out: list[Effect] = []
        if now >= self._wake:
            self._conditions.catch_up(now, out)
        return now, out

    def _begin_anew(self, now: float) -> tuple[float, list[Effect]]:
        """Begin an input that ends the connection, so that what fell due on it does not matter."""
        self._now = now = max(now, self._now)
        return now, []

    def _end(self, out: list[Effect]) -> list[Effect]:
        self._wake = NEVER if self.held else self._conditions.next_deadline()
        return out

    def _reply(
        self, kind: MessageKind, message_id: str, ack_required: bool, out: list[Effect]
    ) -> None:
        if kind is MessageKind.ack:
            out.append(Acked(message_id, self._conditions.acks.release(message_id)))
        elif kind is MessageKind.ping and ack_required and self._conditions.connected():
            out.append(SendAck(message_id))

    def _wait_for_ack(self, now: float, message_id: str) -> Effects:
        deadline = now + self._conditions.ack_timeout_seconds
        if not self.held:
            self._wake = min(self._wake, deadline)
        if self._conditions.acks.start(message_id, deadline, self._conditions.activations):
            return NOTHING
        summary = "too many messages wait for an ack"
        details = f"{self.num_acks} are open; the ack of a further message is not waited for"
        report = self._reports.report(now, ReportKind.too_many_acks, summary, details)
        return [AcksCancelled((message_id,)), *report]


def _check_seconds(name: str, seconds: float) -> None:
    if not SHORTEST_SECONDS <= seconds < NEVER:
        raise SettingsError(f"{name} is {seconds}; it must be finite and at least 0.001")
