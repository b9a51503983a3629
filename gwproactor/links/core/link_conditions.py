"""The four conditions of one link, and what follows when one of them changes.

`LinkConditions` holds the comm state together with the records it depends on, and turns "this has
happened, at this moment" into transitions and further effects, appended to a list that the caller
gives. `link_core.LinkCore` is the only user: it takes the inputs from outside.

*Condition 1.* The connection stands from `connect` until `lose`, which the link itself calls when
it gives the connection up.

*Condition 2.* `SubscriptionRecord` knows which filters are missing; `settle` holds the state
against it.

*Condition 3.* Each ack that is waited for carries the number of the activation it began in. When
one expires that began in the present activation, the link leaves `active`. An older one, such as
the ping that went out before the peer was there, expires without effect on the state.

*Condition 4.* What counts is the last valid message, never what was sent: see `LinkTimes`. On a
session that the broker kept, messages may be hours old: there the ack of a message that was sent on
this very connection must come first.

*When the peer does not respond*, the broker is probed, for what is silent may be the connection
(`BrokerProbe`), and the peer is pinged once more, unless that was done so lately that the answer
may be on its way: a single message that was lost costs a round trip, not the poll seconds.
"""

from collections import deque

from result import Err

from gwproactor.links.core.acks import NEVER, AckDeadlines
from gwproactor.links.core.backoff import Random
from gwproactor.links.core.broker_probe import BrokerProbe
from gwproactor.links.core.effects import (
    AckExpired,
    AcksCancelled,
    Effect,
    GiveUp,
    ProbeBroker,
    SendPing,
    Subscribe,
    Transitioned,
    Unsubscribe,
)
from gwproactor.links.core.link_state import (
    PEER_HEARD_STATES,
    SETUP_COMPLETE_STATES,
    CommStateResult,
    LinkState,
    Transition,
)
from gwproactor.links.core.message_times import BEFORE_ALL_TIME, LinkTimes
from gwproactor.links.core.subscriptions import Subscription, SubscriptionRecord

OVERDUE_KEPT = 1000
"""Late acks that still show the peer on a resumed session: far more than are on their way."""


class LinkConditions:
    """The state of one link and the records that decide it.

    Args:
        name: The link's name.
        ack_timeout_seconds: How long peer and broker may take to answer.
        poll_seconds: A ping goes out after so long without sending or without receiving.
        subscriptions: What to subscribe to on every connection.
        random: Gives numbers between 0 and 1, for the jitter of retries.
    """

    def __init__(
        self,
        name: str,
        ack_timeout_seconds: float,
        poll_seconds: float,
        subscriptions: tuple[Subscription, ...],
        random: Random,
    ) -> None:
        self.ack_timeout_seconds = ack_timeout_seconds
        self.link_state = LinkState(name)
        self.times = LinkTimes(poll_seconds, ack_timeout_seconds)
        self.subscriptions = SubscriptionRecord(subscriptions, ack_timeout_seconds, random)
        self.acks = AckDeadlines()
        self.probe = BrokerProbe(poll_seconds, ack_timeout_seconds)
        self.activations = 0
        self.active = False
        self.since = BEFORE_ALL_TIME
        self.may_be_old = False
        self._overdue: deque[str] = deque(maxlen=OVERDUE_KEPT)
        """Messages of this connection whose acks are late; kept while `may_be_old`."""

    def connected(self) -> bool:
        """Tell whether the connection stands."""
        return self.link_state.connected()

    def setup_complete(self) -> bool:
        """Tell whether what is sent can be answered."""
        return self.link_state.state_name in SETUP_COMPLETE_STATES

    def peer_heard(self) -> bool:
        """Tell whether the peer's last message still counts."""
        return self.link_state.state_name in PEER_HEARD_STATES

    def next_deadline(self) -> float:
        """Return when `catch_up` has something to do next, or infinity."""
        if not self.connected():
            return NEVER
        return min(
            self.acks.next_deadline(),
            self.subscriptions.next_deadline(),
            self.probe.next_deadline(),
            self.times.ping_at() if self.setup_complete() else NEVER,
            self.times.silence_at() if self.peer_heard() else NEVER,
        )

    def catch_up(self, now: float, out: list[Effect]) -> None:
        """Do whatever fell due by `now`."""
        self._expire_acks(now, out)
        self._notice_silence(now, out)
        self._notice_missing_answers(now, out)
        if not self.connected():
            return
        if again := self.subscriptions.ask_again(now):
            out.append(Subscribe(again))
        if self.probe.due(now):
            self._probe_broker(now, out)
        if self.setup_complete() and self.times.ping_at() <= now:
            self._ping(now, out)

    def connect(self, now: float, out: list[Effect], *, session_present: bool) -> None:
        """A connection was made: subscribe to everything."""
        self.may_be_old = session_present
        self._overdue.clear()
        self.move(self.link_state.process_mqtt_connected(), now, out)
        if not self.connected():
            return
        if dropped := self.subscriptions.take_dropped():
            out.append(Unsubscribe(dropped))
        if asked := self.subscriptions.ask_all(now):
            out.append(Subscribe(asked))
        self.settle(now, out, complete="nothing to subscribe to")

    def lose(self, reason: str, now: float, out: list[Effect]) -> None:
        """The connection is gone, if there was one."""
        result = self.link_state.process_mqtt_disconnected(reason=f"connection lost: {reason}")
        self.move(result, now, out)

    def settle(
        self,
        now: float,
        out: list[Effect],
        *,
        complete: str = "all subscriptions acknowledged",
        incomplete: str = "a subscription is missing",
    ) -> None:
        """Hold the state against the subscriptions; the two texts say why it changes."""
        if not self.connected():
            return
        if not self.subscriptions.complete():
            self.move(self.link_state.process_setup_incomplete(reason=incomplete), now, out)
        elif not self.setup_complete():
            self.move(self.link_state.process_mqtt_suback(0, reason=complete), now, out)
            self._ping(now, out)

    def hear_ack(self, message_id: str) -> None:
        """An ack came; if it is that of a message of this connection, it cannot be an old one.

        A late one neither: where each round trip is longer than the ack timeout, all are late.
        """
        if message_id in self.acks or message_id in self._overdue:
            self.may_be_old = False
            self._overdue.clear()

    def hear_peer(self, now: float, out: list[Effect]) -> None:
        """A valid message came; without a connection it is one of an old connection.

        Nor does it count where the broker may have kept it for hours (`may_be_old`).
        """
        if self.connected() and not self.may_be_old:
            self.times.last_recv = now
            self.move(self.link_state.process_mqtt_message(), now, out)

    def ask_back(self, now: float, out: list[Effect]) -> None:
        """A ping came; where it may be old, ask the peer whether it is there now.

        Otherwise a peer that comes after us would wait for our next ping, a whole poll.
        """
        pinging = any(isinstance(effect, SendPing) for effect in out)
        if self.may_be_old and self.setup_complete() and not pinging:
            self._ping(now, out)

    def move(self, result: CommStateResult, now: float, out: list[Effect]) -> None:
        """Carry the consequences of a transition; one that changed nothing has none.

        Raises:
            InvalidCommStateInput: There is no transition, but this error.
        """
        if isinstance(result, Err):
            raise result.err_value
        transition = result.ok_value
        if not transition:
            return
        out.append(Transitioned(transition, now))
        self.since, self.active = now, transition.active()
        self.activations += transition.activated()
        if not self.connected():
            self.subscriptions.disconnected()
        if transition.deactivated() or not self.connected():
            self._cancel_acks(transition, out)
        if self.active or not self.connected():
            self.probe.rest()
        else:
            self.probe.watch(now)

    def _expire_acks(self, now: float, out: list[Effect]) -> None:
        """Whoever is told of an ack that did not come finds all that follows from it done."""
        expired = self.acks.expire(now)
        if self.may_be_old:
            self._overdue.extend(ack.message_id for ack in expired)
        counting = [ack for ack in expired if ack.epoch == self.activations]
        if counting and self.active:
            what = f"message {counting[0].message_id}"
            reason = f"no answer to {what} within {self.ack_timeout_seconds:g} s"
            self._response_timeout(self.link_state.process_ack_timeout(reason=reason), now, out)
        out.extend(AckExpired(ack.message_id) for ack in expired)

    def _notice_silence(self, now: float, out: list[Effect]) -> None:
        if self.peer_heard() and self.times.silence_at() <= now:
            reason = f"nothing heard from the peer for {self.times.silence_seconds:g} s"
            self._response_timeout(self.link_state.process_silence(reason=reason), now, out)

    def _response_timeout(self, result: CommStateResult, now: float, out: list[Effect]) -> None:
        self.move(result, now, out)
        self._probe_broker(now, out)
        pinged_recently = now < self.times.last_ping + self.ack_timeout_seconds
        if self.setup_complete() and not pinged_recently:
            self._ping(now, out)

    def _notice_missing_answers(self, now: float, out: list[Effect]) -> None:
        within = f"within {self.ack_timeout_seconds:g} s"
        if overdue := self.subscriptions.overdue(now):
            reason = f"subscription to '{overdue[0]}' not answered {within}"
        elif self.probe.unanswered(now):
            reason = f"not a byte from the broker {within} of asking"
        else:
            return
        out.append(GiveUp(reason))
        self.lose(f"given up, {reason}", now, out)

    def _probe_broker(self, now: float, out: list[Effect]) -> None:
        if self.probe.ask(now):
            out.append(ProbeBroker())

    def _ping(self, now: float, out: list[Effect]) -> None:
        self.times.sent_ping(now)
        out.append(SendPing())

    def _cancel_acks(self, because: Transition, out: list[Effect]) -> None:
        if cancelled := self.acks.clear():
            out.append(AcksCancelled(cancelled, because))
