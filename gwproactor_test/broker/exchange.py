"""The state of a broker without its sockets: sessions, subscriptions and retained messages.

Connections call it when a packet has arrived; it decides who gets what, and sends through the
sessions' outlets. It reads the clock it was given and touches nothing else.
"""

import itertools
import time
from collections.abc import Callable, Iterable

from mqtt5 import (
    ConnectPacket,
    DisconnectReasonCode,
    PubAckReasonCode,
    PublishPacket,
    RetainHandling,
    SubAckReasonCode,
    SubscribePacket,
    TopicFilter,
    UnsubAckReasonCode,
    UnsubscribePacket,
)

from gwproactor.wire.filters import is_topic_filter, topic_matches
from gwproactor_test.broker.rules import Counters, Rules
from gwproactor_test.broker.session import Delivery, Message, Outlet, Session, Subscription
from gwproactor_test.broker.topics import TopicTree

SHARED_PREFIX = "$share/"


class TooManySessionsError(Exception):
    """No session can be added: the limit is reached and none has expired."""


class Exchange:
    """Who is subscribed to what, and what waits for whom.

    Args:
        rules: of the broker.
        clock: monotonic seconds.
    """

    def __init__(self, rules: Rules, clock: Callable[[], float] = time.monotonic) -> None:
        self.counters = Counters()
        self._rules = rules
        self._clock = clock
        self._sessions: dict[str, Session] = {}
        self._tree: TopicTree[Subscription] = TopicTree()
        self._retained: dict[str, Message] = {}
        self._assigned = itertools.count(1)

    def client_ids(self) -> list[str]:
        """The ids of connected clients."""
        return [s.client_id for s in self._sessions.values() if s.outlet is not None]

    def unused_client_id(self) -> str:
        """A client id for a client that brought none."""
        return next(
            name
            for number in self._assigned
            if (name := f"assigned-{number}") not in self._sessions
        )

    # Sessions

    def connect(self, client_id: str, packet: ConnectPacket, outlet: Outlet) -> bool:
        """Give `outlet` the session of `client_id`; say whether there was one already.

        A connection that the session had is dismissed.

        Raises:
            TooManySessionsError: there is no room for another.
        """
        session = self._sessions.get(client_id)
        if session is not None and session.outlet is not None:
            session.outlet.dismiss(DisconnectReasonCode.SESSION_TAKEN_OVER)
            session.detach()
        if session is not None and (packet.clean_start or session.expired):
            self._forget(session)
            session = None
        present = session is not None
        if session is None:
            session = self._new_session(client_id)
        session.expiry_seconds = packet.session_expiry_interval
        session.attach(outlet, packet.receive_max)
        return present

    def session(self, client_id: str) -> Session:
        """The session of a connected client."""
        return self._sessions[client_id]

    def disconnect(self, session: Session, outlet: Outlet) -> None:
        """Take `outlet` from its session, unless another connection has taken that over."""
        if session.outlet is not outlet:
            return
        session.detach()
        if session.expired:
            self._forget(session)

    def _new_session(self, client_id: str) -> Session:
        if len(self._sessions) >= self._rules.limits.sessions:
            self._forget_expired()
        if len(self._sessions) >= self._rules.limits.sessions:
            raise TooManySessionsError
        session = Session(client_id, self._rules.limits, self.counters, self._clock)
        self._sessions[client_id] = session
        return session

    def _forget_expired(self) -> None:
        for session in [s for s in self._sessions.values() if s.expired]:
            self._forget(session)

    def _forget(self, session: Session) -> None:
        for topic_filter in session.subscriptions:
            self._tree.discard(topic_filter, session.client_id)
        session.subscriptions.clear()
        del self._sessions[session.client_id]

    # Publishing

    def publish(self, packet: PublishPacket, origin: Session | None = None) -> PubAckReasonCode:
        """Deliver a message to every subscription that matches, and retain it if it says so."""
        self.counters.received += 1
        message = self._message(packet)
        if packet.retain and not self._retain(message):
            return PubAckReasonCode.QUOTA_EXCEEDED
        subscriptions = self._tree.match(packet.topic)
        for subscription in subscriptions:
            session = subscription.session
            if session.expired:
                self._forget(session)
            elif not (subscription.no_local and session is origin):
                retain = packet.retain and subscription.retain_as_published
                session.deliver(_delivery(message, subscription, retain=retain))
        if not subscriptions:
            return PubAckReasonCode.NO_MATCHING_SUBSCRIBERS
        return PubAckReasonCode.SUCCESS

    def _message(self, packet: PublishPacket) -> Message:
        lifetime = packet.message_expiry_interval
        expires_at = None if lifetime is None else self._clock() + lifetime
        return Message(packet, int(packet.qos), expires_at)

    def _retain(self, message: Message) -> bool:
        topic = message.packet.topic
        if not message.packet.payload:
            self._retained.pop(topic, None)
        elif topic in self._retained or len(self._retained) < self._rules.limits.retained_messages:
            self._retained[topic] = message
        else:
            return False
        return True

    # Subscribing

    def subscribe(
        self, session: Session, packet: SubscribePacket
    ) -> tuple[list[SubAckReasonCode], list[Delivery]]:
        """Add subscriptions; return the reason codes, and the retained messages to be sent."""
        codes: list[SubAckReasonCode] = []
        retained: list[Delivery] = []
        identifiers = [] if packet.subscription_id is None else [packet.subscription_id]
        for wanted in packet.topic_filters:
            refusal = self._refusal(session, wanted.pattern)
            if refusal is not None:
                codes.append(refusal)
                continue
            is_new = wanted.pattern not in session.subscriptions
            subscription = self._add(session, wanted, identifiers)
            codes.append(SubAckReasonCode(subscription.qos))
            if _wants_retained(wanted, is_new=is_new):
                retained.extend(self._retained_for(wanted.pattern, subscription))
        return codes, retained

    def unsubscribe(self, session: Session, packet: UnsubscribePacket) -> list[UnsubAckReasonCode]:
        """Remove subscriptions; return the reason codes."""
        return [self._remove(session, pattern) for pattern in packet.patterns]

    def _refusal(self, session: Session, topic_filter: str) -> SubAckReasonCode | None:
        if topic_filter.startswith(SHARED_PREFIX):
            return SubAckReasonCode.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED
        if not is_topic_filter(topic_filter):
            return SubAckReasonCode.TOPIC_FILTER_INVALID
        if self._rules.refuse_subscription(session.client_id, topic_filter):
            return SubAckReasonCode.NOT_AUTHORIZED
        known = topic_filter in session.subscriptions
        if not known and len(session.subscriptions) >= self._rules.limits.subscriptions:
            return SubAckReasonCode.QUOTA_EXCEEDED
        return None

    def _add(self, session: Session, wanted: TopicFilter, identifiers: list[int]) -> Subscription:
        subscription = Subscription(
            session,
            qos=min(int(wanted.max_qos), self._rules.max_qos),
            no_local=wanted.no_local,
            retain_as_published=wanted.retain_as_published,
            identifiers=identifiers,
        )
        session.subscriptions[wanted.pattern] = subscription
        self._tree.put(wanted.pattern, session.client_id, subscription)
        return subscription

    def _remove(self, session: Session, topic_filter: str) -> UnsubAckReasonCode:
        if session.subscriptions.pop(topic_filter, None) is None:
            return UnsubAckReasonCode.NO_SUBSCRIPTION_EXISTED
        self._tree.discard(topic_filter, session.client_id)
        return UnsubAckReasonCode.SUCCESS

    def _retained_for(self, topic_filter: str, subscription: Subscription) -> Iterable[Delivery]:
        now = self._clock()
        for topic, message in list(self._retained.items()):
            if message.expires_at is not None and now >= message.expires_at:
                del self._retained[topic]
            elif topic_matches(topic_filter, topic):
                yield _delivery(message, subscription, retain=True)


def _delivery(message: Message, subscription: Subscription, *, retain: bool) -> Delivery:
    qos = min(message.qos, subscription.qos)
    return Delivery(message, qos, retain, subscription.identifiers)


def _wants_retained(wanted: TopicFilter, *, is_new: bool) -> bool:
    if wanted.retain_handling == RetainHandling.SEND_ALWAYS:
        return True
    return is_new and wanted.retain_handling == RetainHandling.SEND_IF_SUBSCRIPTION_NOT_EXISTS
