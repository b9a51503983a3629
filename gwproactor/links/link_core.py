"""The core of one link: every decision about its comm state, and nothing else.

A `LinkCore` is told what happens (its inputs, each with the present moment) and returns what is to
be done (`gwproactor.links.effects`). It has no clock, socket, task or file, so a list of inputs
says all there is to say about how a link came to its state.

How it works
============
*Catching up.* Every input first does what fell due before it: acks that did not come, silence, an
overdue SUBACK, a broker that shows no byte, the next ping. So it does not matter how late `tick`
is called, except that things happen later. `deadline` says when `tick` is wanted.

*Condition 1.* The connection stands from `connected` until `disconnected`, `stop`, or until the
core itself gives it up (`GiveUp`); what the old connection still delivers changes nothing then.

*Condition 2.* On a connection every filter is subscribed to at once; `SubscriptionRecord` knows
which are missing. A refusal keeps the link out of `active`, is reported, and is followed by another
attempt later. A SUBACK that does not come at all means that the connection is not what it seems.

*Condition 3.* Each ack that is waited for carries the number of the activation it began in. When
one expires that began in the present activation, the link leaves `active`. An older one, such as
the ping that went out before the peer was there, expires without effect on the state.

*Condition 4.* What counts is the last valid message, never what was sent. See `LinkTimes`.

*When the peer does not respond* the broker is probed, for what is silent may be the connection
(`BrokerProbe`), and the peer is pinged once more unless that was done within the poll seconds; a
single message lost on the way thus costs a round trip, not a minute.

*Hot path.* A message on an active link with nothing due takes the first branch of
`message_received`: two comparisons and two stores, no transition, no new object.
"""

import random as _random
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Final

from result import Err

from gwproactor.errors import SettingsError
from gwproactor.links.acks import DEFAULT_ACK_DELAY, NEVER, AckDeadlines
from gwproactor.links.backoff import Random
from gwproactor.links.broker_probe import BrokerProbe
from gwproactor.links.effects import (
    NOTHING,
    Acked,
    AckExpired,
    AcksCancelled,
    ConnectFailed,
    Effect,
    Effects,
    GiveUp,
    ProbeBroker,
    Report,
    ReportKind,
    SendAck,
    SendPing,
    Subscribe,
    Transitioned,
    Unsubscribe,
)
from gwproactor.links.link_state import (
    PEER_HEARD_STATES,
    SETUP_COMPLETE_STATES,
    CommStateResult,
    LinkState,
    StateName,
)
from gwproactor.links.message_times import BEFORE_ALL_TIME, LinkTimes
from gwproactor.links.reports import ReportRate
from gwproactor.links.subscriptions import (
    Answer,
    Subscription,
    SubscriptionRecord,
    suback_reason,
)

SHORTEST_SECONDS: Final = 0.001
"""Shortest timeout that is taken: below a network's round trip a link could never be active."""


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
        poll_seconds: float = 60.0,
        subscriptions: Iterable[Subscription] = (),
        random: Random = _random.random,
    ) -> None:
        _check_seconds("ack_timeout_seconds", ack_timeout_seconds)
        _check_seconds("poll_seconds", poll_seconds)
        self._ack_timeout_seconds = ack_timeout_seconds
        self._link_state = LinkState(name)
        self._times = LinkTimes(poll_seconds, ack_timeout_seconds)
        self._subscriptions = SubscriptionRecord(subscriptions, ack_timeout_seconds, random)
        self._acks = AckDeadlines()
        self._probe = BrokerProbe(poll_seconds, ack_timeout_seconds)
        self._rate = ReportRate()
        self._activation = 0
        self._active = False
        self._now = self._since = BEFORE_ALL_TIME
        self._wake = NEVER

    @property
    def link_state(self) -> LinkState:
        """The comm state itself, to be read by others and changed by nobody."""
        return self._link_state

    @property
    def state(self) -> StateName:
        """The present comm state."""
        return self._link_state.state_name

    @property
    def active(self) -> bool:
        """Whether the four conditions hold."""
        return self._active

    @property
    def since(self) -> float:
        """When the present state began, monotonic seconds; minus infinity before `start`."""
        return self._since

    @property
    def times(self) -> LinkTimes:
        """When the link last sent and received, to be read by others."""
        return self._times

    @property
    def subscriptions(self) -> SubscriptionRecord:
        """What is subscribed to and how the broker answered, to be read by others."""
        return self._subscriptions

    @property
    def num_acks(self) -> int:
        """How many acks are waited for."""
        return len(self._acks)

    def deadline(self) -> float | None:
        """Return the moment when `tick` is wanted next, or None.

        Read it after every input. It may be earlier than needed, never later; a tick that comes too
        early does nothing but find the next deadline.
        """
        return None if self._wake == NEVER else self._wake

    def tick(self, now: float) -> Effects:
        """Do what has fallen due."""
        if now < self._wake:
            return NOTHING
        now, out = self._begin(now)
        return self._end(out)

    def start(self, now: float) -> Effects:
        """Begin: the task is about to connect.

        Raises:
            InvalidCommStateInput: The link was started before.
        """
        now, out = self._begin(now)
        self._move(self._link_state.start(), now, out)
        return self._end(out)

    def stop(self, now: float, reason: str = "stop called") -> Effects:
        """End the link for good; whatever comes later changes nothing."""
        now, out = self._begin(now)
        self._move(self._link_state.stop(reason=reason), now, out)
        return self._end(out)

    def connected(self, now: float) -> Effects:
        """Take note of a new connection; one that stood before is replaced by it.

        Raises:
            InvalidCommStateInput: The link was not started.
        """
        now, out = self._begin(now)
        self._lose("replaced by a new one", now, out)
        self._move(self._link_state.process_mqtt_connected(), now, out)
        if self._link_state.connected():
            self._rate.over(ReportKind.connect_refused)
            self._rate.over("connect_failed")
            if asked := self._subscriptions.ask_all(now):
                out.append(Subscribe(asked))
            self._settle("nothing to subscribe to", now, out)
        return self._end(out)

    def connect_failed(self, now: float, reason: str, *, refused: bool = False) -> Effects:
        """Take note that an attempt to connect failed.

        Args:
            now: The present moment.
            reason: Why, in words for a user and without a secret.
            refused: Somebody must act before it can succeed: login, certificate, protocol.
        """
        now, out = self._begin(now)
        if self._link_state.in_state(StateName.connecting):
            result = self._link_state.process_mqtt_connect_fail(reason=f"connect failed: {reason}")
            if self._rate.again(now, "connect_failed") is not None:
                out.append(ConnectFailed(result.unwrap(), now))
            if refused:
                summary = f"link '{self._link_state.name}': the broker refused the connection"
                self._report(ReportKind.connect_refused, "", summary, reason, now, out)
        return self._end(out)

    def disconnected(self, now: float, reason: str = "no reason given") -> Effects:
        """Take note that the connection is lost; without one this changes nothing."""
        now, out = self._begin(now)
        self._lose(reason, now, out)
        return self._end(out)

    def subscriptions_answered(self, now: float, answers: Mapping[str, int]) -> Effects:
        """Take note of SUBACKs.

        Args:
            now: The present moment.
            answers: The reason code for each topic filter that was answered.
        """
        now, out = self._begin(now, broker_heard=True)
        if self._link_state.connected():
            refusal = "subscription missing"
            for topic_filter, code in answers.items():
                if self._answered(topic_filter, code, now, out) is Answer.refused:
                    refusal = f"subscription to '{topic_filter}' refused: {suback_reason(code)}"
            self._settle("all subscriptions acknowledged", now, out, refusal)
        return self._end(out)

    def subscription_added(self, now: float, subscription: Subscription) -> Effects:
        """Subscribe to one more filter, or to a known one at another QoS, now and from now on."""
        now, out = self._begin(now)
        if self._subscriptions.want(subscription) and self._link_state.connected():
            topic_filter = subscription.Topic
            asked = self._subscriptions.ask(now, topic_filter, exempt=self._active)
            out.append(Subscribe((asked,)))
            self._settle("", now, out, f"subscription to '{topic_filter}' added")
        return self._end(out)

    def subscription_removed(self, now: float, topic_filter: str) -> Effects:
        """Subscribe to a filter no longer; an unknown one is nothing to remove."""
        now, out = self._begin(now)
        if self._subscriptions.forget(topic_filter):
            self._trouble_over(topic_filter)
            if self._link_state.connected():
                out.append(Unsubscribe((topic_filter,)))
                self._settle(f"subscription to '{topic_filter}' removed", now, out)
        return self._end(out)

    def broker_heard(self, now: float) -> Effects:
        """Take note of any byte from the broker, a message that could not be decoded included."""
        if now < self._wake:
            self._probe.heard(now)
            return NOTHING
        now, out = self._begin(now, broker_heard=True)
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
        if self._active and now < self._wake:
            self._times.last_recv = self._now = max(now, self._now)
            if kind is MessageKind.other:
                return NOTHING
            out: list[Effect] = []
        else:
            now, out = self._begin(now, broker_heard=True)
            self._hear_peer(now, out)
            self._end(out)
        self._reply(kind, message_id, ack_required, out)
        return out

    def message_sent(self, now: float, message_id: str | None = None) -> Effects:
        """Take note that a message was handed to the connection.

        Args:
            now: The present moment.
            message_id: The message's id where it wants an ack, which is waited for from now on.
        """
        if now >= self._wake:
            now, out = self._begin(now)
            self._end(out)
            return [*out, *self._sent(now, message_id)]
        return self._sent(max(now, self._now), message_id)

    def _begin(self, now: float, *, broker_heard: bool = False) -> tuple[float, list[Effect]]:
        self._now = now = max(now, self._now)
        if broker_heard:
            self._probe.heard(now)
        out: list[Effect] = []
        if now >= self._wake:
            self._catch_up(now, out)
        return now, out

    def _end(self, out: list[Effect]) -> list[Effect]:
        self._wake = self._next_deadline()
        return out

    def _next_deadline(self) -> float:
        if not self._link_state.connected():
            return NEVER
        state, times = self._link_state.state_name, self._times
        return min(
            self._acks.next_deadline(),
            self._subscriptions.next_deadline(),
            self._probe.next_deadline(),
            times.ping_at() if state in SETUP_COMPLETE_STATES else NEVER,
            times.silence_at() if state in PEER_HEARD_STATES else NEVER,
        )

    def _catch_up(self, now: float, out: list[Effect]) -> None:
        self._expire_acks(now, out)
        self._notice_silence(now, out)
        self._notice_missing_answers(now, out)
        if not self._link_state.connected():
            return
        if again := self._subscriptions.ask_again(now):
            out.append(Subscribe(again))
        if self._probe.due(now):
            self._probe_broker(now, out)
        if self.state in SETUP_COMPLETE_STATES and self._times.ping_at() <= now:
            self._ping(now, out)

    def _expire_acks(self, now: float, out: list[Effect]) -> None:
        expired = self._acks.expire(now)
        out.extend(AckExpired(ack.message_id) for ack in expired)
        for ack in expired:
            if self._active and ack.epoch == self._activation:
                reason = f"no answer to message {ack.message_id} within"
                reason += f" {self._ack_timeout_seconds:g} s"
                result = self._link_state.process_ack_timeout(reason=reason)
                self._response_timeout(result, now, out)

    def _notice_silence(self, now: float, out: list[Effect]) -> None:
        if self.state in PEER_HEARD_STATES and self._times.silence_at() <= now:
            reason = f"nothing heard from the peer for {self._times.silence_seconds:g} s"
            self._response_timeout(self._link_state.process_silence(reason=reason), now, out)

    def _response_timeout(self, result: CommStateResult, now: float, out: list[Effect]) -> None:
        self._move(result, now, out)
        self._probe_broker(now, out)
        pinged_recently = now < self._times.last_ping + self._times.poll_seconds
        if self.state in SETUP_COMPLETE_STATES and not pinged_recently:
            self._ping(now, out)

    def _notice_missing_answers(self, now: float, out: list[Effect]) -> None:
        within = f"within {self._ack_timeout_seconds:g} s"
        if overdue := self._subscriptions.overdue(now):
            reason = f"subscription to '{overdue[0]}' not answered {within}"
        elif self._probe.unanswered(now):
            reason = f"not a byte from the broker {within} of asking"
        else:
            return
        out.append(GiveUp(reason))
        self._lose(f"given up, {reason}", now, out)

    def _probe_broker(self, now: float, out: list[Effect]) -> None:
        if self._probe.ask(now):
            out.append(ProbeBroker())

    def _ping(self, now: float, out: list[Effect]) -> None:
        self._times.sent_ping(now)
        out.append(SendPing())

    def _hear_peer(self, now: float, out: list[Effect]) -> None:
        if self._link_state.connected():
            self._times.last_recv = now
            self._move(self._link_state.process_mqtt_message(), now, out)

    def _reply(
        self, kind: MessageKind, message_id: str, ack_required: bool, out: list[Effect]
    ) -> None:
        if kind is MessageKind.ack:
            out.append(Acked(message_id, self._acks.release(message_id)))
        elif kind is MessageKind.ping and ack_required and self._link_state.connected():
            out.append(SendAck(message_id))

    def _sent(self, now: float, message_id: str | None) -> Effects:
        self._now = now
        if not self._link_state.connected():
            return NOTHING if message_id is None else (AcksCancelled((message_id,)),)
        self._times.last_send = now
        return NOTHING if message_id is None else self._wait_for_ack(now, message_id)

    def _wait_for_ack(self, now: float, message_id: str) -> Effects:
        deadline = now + self._ack_timeout_seconds
        self._wake = min(self._wake, deadline)
        if self._acks.start(message_id, deadline, self._activation):
            return NOTHING
        out: list[Effect] = [AcksCancelled((message_id,))]
        summary = f"link '{self._link_state.name}': too many messages wait for an ack"
        details = f"{self.num_acks} are open; the ack of a further message is not waited for"
        self._report(ReportKind.too_many_acks, "", summary, details, now, out)
        return out

    def _answered(self, topic_filter: str, code: int, now: float, out: list[Effect]) -> Answer:
        answer = self._subscriptions.answered(now, topic_filter, code)
        where = f"link '{self._link_state.name}': subscription to '{topic_filter}'"
        if answer is Answer.refused:
            kind, summary = ReportKind.subscription_refused, f"{where} refused"
            details = f"{suback_reason(code)}; the link cannot be active; asked again later"
            self._report(kind, topic_filter, summary, details, now, out)
        elif answer is not Answer.nothing_new:
            self._trouble_over(topic_filter, ReportKind.subscription_refused)
        if answer is Answer.granted_lower:
            kind, summary = ReportKind.qos_lowered, f"{where} granted at a lower QoS"
            self._report(kind, topic_filter, summary, suback_reason(code), now, out)
        return answer

    def _settle(
        self, complete: str, now: float, out: list[Effect], incomplete: str = "subscription missing"
    ) -> None:
        """Hold the state against the subscriptions; the two texts say why it changes."""
        if not self._subscriptions.complete():
            self._move(self._link_state.process_setup_incomplete(reason=incomplete), now, out)
        elif self.state not in SETUP_COMPLETE_STATES:
            self._move(self._link_state.process_mqtt_suback(0, reason=complete), now, out)
            self._ping(now, out)

    def _lose(self, reason: str, now: float, out: list[Effect]) -> None:
        result = self._link_state.process_mqtt_disconnected(reason=f"connection lost: {reason}")
        self._move(result, now, out)

    def _move(self, result: CommStateResult, now: float, out: list[Effect]) -> None:
        """Carry a transition's consequences; one that changed nothing has none."""
        if isinstance(result, Err):
            raise result.err_value
        transition = result.ok_value
        if not transition:
            return
        out.append(Transitioned(transition, now))
        self._since, self._active = now, transition.active()
        if not self._link_state.connected():
            self._subscriptions.disconnected()
            self._probe.rest()
        elif transition.activated():
            self._activation += 1
            self._probe.rest()
        else:
            self._probe.watch(now)
        if transition.deactivated() or not self._link_state.connected():
            self._cancel_acks(out)

    def _cancel_acks(self, out: list[Effect]) -> None:
        if cancelled := self._acks.clear():
            out.append(AcksCancelled(cancelled))

    def _report(
        self,
        kind: ReportKind,
        about: str,
        summary: str,
        details: str,
        now: float,
        out: list[Effect],
    ) -> None:
        unreported = self._rate.again(now, f"{kind} {about}".rstrip())
        if unreported is None:
            return
        if unreported:
            details += f"; {unreported} more since the last report"
        out.append(Report(kind, summary, details, is_error=kind is not ReportKind.qos_lowered))

    def _trouble_over(self, topic_filter: str, *kinds: ReportKind) -> None:
        for kind in kinds or (ReportKind.subscription_refused, ReportKind.qos_lowered):
            self._rate.over(f"{kind} {topic_filter}")


def _check_seconds(name: str, seconds: float) -> None:
    if not SHORTEST_SECONDS <= seconds < NEVER:
        raise SettingsError(f"{name} is {seconds}; it must be finite and at least 0.001")
