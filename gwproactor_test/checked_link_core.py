"""A link core with a model beside it, compared after every input.

`CheckedLinkCore` has the inputs of `LinkCore`. What is compared: the state, the acks, pings, the
probes of the broker, retries, and when the core wants to be woken. The comparison is exact, so
times must be exact in binary: use multiples of 1/64 s.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from gwproactor.links.core.effects import (
    NOTHING,
    Acked,
    AckExpired,
    AcksCancelled,
    ConnectFailed,
    Effect,
    Effects,
    GiveUp,
    ProbeBroker,
    SendAck,
    SendPing,
    Subscribe,
    Transitioned,
)
from gwproactor.links.core.link_core import LinkCore, MessageKind
from gwproactor.links.core.link_state import LINK_TABLE, StateName, TransitionName
from gwproactor.links.core.subscriptions import Subscription
from gwproactor_test.link_model import FOREVER, LinkModel

LONGEST_RETRY_SECONDS: Final = 60.0


class CheckedLinkCore:
    """A link core with a model beside it; every input is an input of `LinkCore`, and checked.

    Args:
        name: The link's name.
        ack_timeout_seconds: How long peer and broker may take to answer.
        poll_seconds: A ping goes out after so long without sending or without receiving.
        subscriptions: What to subscribe to on every connection.

    Raises:
        AssertionError: From any input: the core and the model differ.
    """

    def __init__(
        self,
        name: str,
        *,
        ack_timeout_seconds: float,
        poll_seconds: float,
        subscriptions: Iterable[Subscription] = (),
    ) -> None:
        self.core = LinkCore(
            name,
            ack_timeout_seconds=ack_timeout_seconds,
            poll_seconds=poll_seconds,
            subscriptions=(wanted := tuple(subscriptions)),
            random=lambda: 0.5,
        )
        self.model = LinkModel(ack_timeout_seconds, poll_seconds)
        self.model.wanted = {subscription.Topic: subscription for subscription in wanted}
        self.now = 0.0
        self.steps = 0
        self._state = StateName.not_started
        self._not_active_since = 0.0
        self._probed_at: float | None = None
        self._asks_back = False
        self._last_byte = self._last_sent = self._last_ping = self._last_valid = -FOREVER
        self._open_acks: set[str] = set()

    @property
    def state(self) -> StateName:
        """The core's state, which is the model's."""
        return self.core.state

    def deadline(self) -> float | None:
        """When `tick` is wanted."""
        return self.core.deadline()

    def tick(self, now: float) -> Effects:
        """Let time pass."""
        self._pass_time(now)
        return self._compare(self.core.tick(now))

    def hold(self) -> None:
        """`LinkCore.hold`: from now on nothing lapses in the model either."""
        self.core.hold()
        assert self.core.deadline() is None

    def resume(self, now: float) -> Effects:
        """`LinkCore.resume`, and the tick that is wanted then."""
        self.core.resume()
        return self.tick(now)

    def start(self, now: float) -> Effects:
        """`LinkCore.start`."""
        self._pass_time(now)
        self.model.started = True
        return self._compare(self.core.start(now))

    def stop(self, now: float) -> Effects:
        """`LinkCore.stop`."""
        self.model.stopped = True
        self.model.disconnect()
        self._pass_time(now)
        return self._compare(self.core.stop(now))

    def connected(self, now: float, *, session_present: bool = False) -> Effects:
        """`LinkCore.connected`."""
        self.model.disconnect()
        self._pass_time(now)
        if not self.model.stopped:
            self.model.connected = True
            self.model.may_be_old = session_present
            self.model.ask(now, self.model.wanted)
            self._not_active_since, self._probed_at = now, None
        effects = self.core.connected(now, session_present=session_present)
        asked = {s for e in effects if isinstance(e, Subscribe) for s in e.subscriptions}
        wanted = self.model.wanted.values() if self.model.connected else ()
        assert asked == set(wanted), "not every filter is subscribed to"
        return self._compare(effects)

    def connect_failed(
        self, now: float, reason: str = "nobody there", *, refused: bool = False
    ) -> Effects:
        """`LinkCore.connect_failed`."""
        self._pass_time(now)
        effects = self.core.connect_failed(now, reason, refused=refused)
        told = any(isinstance(effect, ConnectFailed) for effect in effects)
        assert not told or self.model.state() is StateName.connecting
        return self._compare(effects)

    def disconnected(self, now: float, reason: str = "reset") -> Effects:
        """`LinkCore.disconnected`."""
        self.model.disconnect()
        self._pass_time(now)
        return self._compare(self.core.disconnected(now, reason))

    def subscriptions_answered(self, now: float, answers: Mapping[str, int]) -> Effects:
        """`LinkCore.subscriptions_answered`, after a tick."""
        before = [*self.tick(now), *self.broker_heard(now)]
        for name, code in answers.items():
            self.model.answer(now, name, code)
        if self._was_active and not self.model.active():
            self.model.waits.clear()
        return [*before, *self._compare(self.core.subscriptions_answered(now, answers))]

    def subscription_added(self, now: float, subscription: Subscription) -> Effects:
        """`LinkCore.subscription_added`, after a tick."""
        before = self.tick(now)
        name = subscription.Topic
        if self.model.wanted.get(name) != subscription:
            was_active = self.model.active()
            self.model.forget(name)
            self.model.wanted[name] = subscription
            if self.model.connected:
                self.model.ask(now, [name])
            if was_active:
                self.model.added_while_active.add(name)
        return [*before, *self._compare(self.core.subscription_added(now, subscription))]

    def subscription_removed(self, now: float, topic_filter: str) -> Effects:
        """`LinkCore.subscription_removed`, after a tick."""
        before = self.tick(now)
        self.model.forget(topic_filter)
        return [*before, *self._compare(self.core.subscription_removed(now, topic_filter))]

    def broker_heard(self, now: float, byte_at: float | None = None) -> Effects:
        """`LinkCore.broker_heard`."""
        self._pass_time(now, byte_at=now if byte_at is None else byte_at)
        return self._compare(self.core.broker_heard(now, byte_at))

    def message_received(
        self,
        now: float,
        kind: MessageKind = MessageKind.other,
        message_id: str = "",
        ack_required: bool = False,
    ) -> Effects:
        """`LinkCore.message_received`."""
        self._pass_time(now, byte_at=now)
        if kind is MessageKind.ack:
            self.model.hear_ack(message_id)
        if self.model.connected and not self.model.may_be_old:
            self.model.last_valid = self._last_valid = now
            self.model.unanswered = False
        self._asks_back = kind is MessageKind.ping and self.model.may_be_old
        effects = self.core.message_received(now, kind, message_id, ack_required)
        if kind is MessageKind.ack:
            in_time = self.model.end_wait(message_id)
            assert effects[-1] == Acked(message_id, in_time)
        setup = self.model.connected and self.model.every_subscription_acknowledged()
        assert SendPing() in effects or not (self._asks_back and setup)
        must_answer = kind is MessageKind.ping and ack_required and self.model.connected
        assert (SendAck(message_id) in effects) == must_answer
        compared = self._compare(effects)
        self._asks_back = False
        return compared

    def message_sent(self, now: float, message_id: str | None = None) -> Effects:
        """`LinkCore.message_sent`."""
        self._pass_time(now)
        effects = self.core.message_sent(now, message_id)
        self._follow(effects)
        if self.model.connected:
            self._last_sent = now
        if message_id is not None and self.model.connected:
            self._open_acks.add(message_id)
            self.model.end_wait(message_id)
            self.model.waits[message_id] = now + self.model.ack_timeout_seconds
        elif message_id is not None:
            assert AcksCancelled((message_id,)) in effects
        return self._compare(effects, followed=True)

    def _pass_time(self, now: float, *, byte_at: float = -FOREVER) -> None:
        """Bring the model to the present moment, before an input."""
        self.now = now
        self.steps += 1
        if self._probed_at is not None and byte_at >= self._probed_at:
            self._probed_at, self._last_byte = None, now
        self._was_active = self.model.active()
        self._was_heard = self.model.connected and self.model.conditions()[2:] == (True, True)
        self._was_setup = self.model.connected and self.model.every_subscription_acknowledged()
        if not self.core.held:
            self.model.lapse(now)
        self._timed_out = self._was_heard and False in self.model.conditions()[2:]
        self._must_give_up = (
            self.model.connected
            and not self.core.held
            and (self.model.overdue(now) or self._probe_unanswered())
        )
        if self._must_give_up:
            self.model.disconnect()

    def _probe_unanswered(self) -> bool:
        patience = self.model.ack_timeout_seconds
        return self._probed_at is not None and self._probed_at + patience <= self.now

    def _compare(self, effects: Effects, *, followed: bool = False) -> Effects:
        if not followed:
            self._follow(effects)
        self._check_state()
        self._check_acks()
        self._check_probes()
        self._check_pings(effects)
        self._check_deadline()
        if not self.core.held:
            self._check_nothing_is_overdue()
        return effects

    def _follow(self, effects: Effects) -> None:
        """Take note of what the core wants done."""
        gave_up = any(isinstance(effect, GiveUp) for effect in effects)
        assert gave_up == self._must_give_up, "given up without need, or not in need"
        for effect in effects:
            self._follow_one(effect)
        self._must_give_up = False

    def _follow_one(self, effect: Effect) -> None:
        match effect:
            case Transitioned(transition, at_seconds):
                assert transition.old_state is self._state
                assert at_seconds == self.now
                assert transition.reason
                step = (transition.transition_name, transition.old_state, transition.new_state)
                assert step in LINK_TABLE
                self._state = transition.new_state
                if transition.activated():
                    self.model.waits_from_before = set(self.model.waits)
            case Acked(message_id):
                self._open_acks.discard(message_id)
            case AckExpired(message_id):
                self._open_acks.remove(message_id)
            case AcksCancelled(message_ids):
                self._open_acks.difference_update(message_ids)
            case ProbeBroker():
                assert self._probed_at is None, "asked while a question is open"
                assert self._timed_out or self._probe_rest() >= self.model.poll_seconds
                self._probed_at = self.now
            case Subscribe(subscriptions):
                self._follow_subscribe(subscriptions)
            case _:
                pass

    def _follow_subscribe(self, subscriptions: tuple[Subscription, ...]) -> None:
        for subscription in subscriptions:
            refused_at = self.model.refused.get(subscription.Topic)
            if refused_at is not None:
                assert self.now - refused_at >= 0.5, "a refused filter is asked for in haste"
                self.model.ask(self.now, [subscription.Topic])

    def _check_state(self) -> None:
        assert self.core.state is self._state, "a transition was not told"
        assert self.core.state is self.model.state()
        assert self.core.active == self.model.active()
        assert set(self.core.subscriptions.pending()) == set(self.model.asked)
        assert set(self.core.subscriptions.refused()) == set(self.model.refused)
        if self._was_active and not self.model.active():
            self._not_active_since = self.now

    def _check_acks(self) -> None:
        assert self._open_acks == set(self.model.waits), "an ack was lost or told twice"
        assert self.core.num_acks == len(self._open_acks)

    def _check_probes(self) -> None:
        if not self.model.connected or self.model.active():
            self._probed_at = None
            return
        if self._timed_out:
            assert self._probed_at is not None, "the broker is not asked"

    def _probe_rest(self) -> float:
        return self.now - max(self._not_active_since, self._last_byte)

    def _check_pings(self, effects: Effects) -> None:
        pings = sum(isinstance(effect, SendPing) for effect in effects)
        poll = self.model.poll_seconds
        setup = self.model.connected and self.model.every_subscription_acknowledged()
        if pings:
            rested = self.now - self._last_ping >= poll or self.now - self._last_sent >= poll
            assert pings == 1, "two pings at once"
            asked = rested or (setup and not self._was_setup) or self._reconnected(effects)
            assert asked or self._peer_did_not_respond(effects) or self._asks_back
            self._last_ping = self._last_sent = self.now

    def _peer_did_not_respond(self, effects: Effects) -> bool:
        """Whether the peer did not respond, and has had its time to answer the last ping."""
        return self.now - self._last_ping >= self.model.ack_timeout_seconds and any(
            isinstance(effect, Transitioned)
            and effect.transition.transition_name is TransitionName.response_timeout
            for effect in effects
        )

    def _reconnected(self, effects: Effects) -> bool:
        return any(
            isinstance(effect, Transitioned)
            and effect.transition.new_state is StateName.awaiting_setup_and_peer
            for effect in effects
        )

    def _check_nothing_is_overdue(self) -> None:
        poll = self.model.poll_seconds
        connected = self.model.connected
        if connected and self.model.every_subscription_acknowledged():
            assert self.now - self._last_sent < poll, "the peer is not told that we are here"
            assert self.now - max(self._last_valid, self._last_ping) < poll, "nobody asks the peer"
        if connected and not self.model.active() and self._probed_at is None:
            assert self._probe_rest() < poll, "a broker can be gone unnoticed"
        for refused_at in self.model.refused.values():
            assert self.now - refused_at < LONGEST_RETRY_SECONDS, "never asked for again"

    def _check_deadline(self) -> None:
        if self.core.held:
            assert self.core.deadline() is None, "it would be woken before all is told"
            return
        wake = FOREVER if (deadline := self.core.deadline()) is None else deadline
        assert wake > self.now, "the shell would spin"
        assert wake <= self.model.next_change(), "the shell would be late"
        if self._probed_at is not None:
            assert wake <= self._probed_at + self.model.ack_timeout_seconds
        assert self.core.tick(self.now) == NOTHING, "a tick that is not due did something"
