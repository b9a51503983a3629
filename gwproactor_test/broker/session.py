"""A client's session: its subscriptions, and the QoS 1 messages it has not acknowledged.

A session outlives the connection when the client asked for that. What a connected client is sent
goes through an `Outlet`; without one, QoS 1 messages wait in the queue and QoS 0 messages are
lost. At most `window` messages are in flight; an acknowledgement makes room for the next one.
After a reconnect those in flight are sent again first, marked as duplicates, in their old order.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from mqtt5 import DisconnectReasonCode, Packet, PublishPacket, QoS

from gwproactor_test.broker.rules import Counters, Limits

NEVER = 0xFFFFFFFF
"""Session expiry interval of a session that is kept for ever."""

MAX_PACKET_ID = 65535


class Outlet(Protocol):
    """The connection of a session, as the session sees it."""

    @property
    def congested(self) -> bool:
        """Whether so much waits to be sent that QoS 0 messages should be dropped."""

    def send(self, packet: Packet) -> bool:
        """Send; False if the packet is larger than the client accepts."""

    def dismiss(self, reason: DisconnectReasonCode) -> None:
        """Tell the client why, and end the connection."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One topic filter of one session, and the options it came with."""

    session: "Session"
    qos: int
    no_local: bool
    retain_as_published: bool
    identifiers: list[int]


@dataclass(frozen=True, slots=True)
class Message:
    """A published message; `packet` is as its publisher sent it."""

    packet: PublishPacket
    qos: int
    expires_at: float | None = None

    def outgoing(self, delivery: "Delivery", now: float) -> PublishPacket:
        """Return the packet that carries this message to one subscriber."""
        came = self.packet
        left = None if self.expires_at is None else max(0, math.ceil(self.expires_at - now))
        return PublishPacket(
            came.topic,
            came.payload,
            qos=QoS.AT_LEAST_ONCE if delivery.qos else QoS.AT_MOST_ONCE,
            retain=delivery.retain,
            packet_id=delivery.packet_id,
            duplicate=delivery.duplicate,
            payload_format_indicator=came.payload_format_indicator,
            message_expiry_interval=left,
            content_type=came.content_type,
            response_topic=came.response_topic,
            correlation_data=came.correlation_data,
            subscription_ids=delivery.identifiers,
            user_properties=came.user_properties,
        )


@dataclass(slots=True, eq=False)
class Delivery:
    """A message on its way to one subscriber."""

    message: Message
    qos: int
    retain: bool
    identifiers: list[int]
    packet_id: int | None = None
    duplicate: bool = False


class Session:
    """The state that the broker keeps for one client id.

    Args:
        client_id: whose session it is.
        limits: of the broker.
        counters: of the broker.
        clock: monotonic seconds.
    """

    def __init__(
        self, client_id: str, limits: Limits, counters: Counters, clock: Callable[[], float]
    ) -> None:
        self.client_id = client_id
        self.subscriptions: dict[str, Subscription] = {}
        self.outlet: Outlet | None = None
        self.expiry_seconds = 0
        self._expires_at: float | None = None
        self._limits = limits
        self._counters = counters
        self._clock = clock
        self._window = 0
        self._queue: deque[Delivery] = deque()
        self._in_flight: dict[int, Delivery] = {}
        self._again: deque[Delivery] = deque()
        self._last_packet_id = 0

    @property
    def expired(self) -> bool:
        """Whether it was left alone for longer than its expiry interval."""
        return self._expires_at is not None and self._clock() >= self._expires_at

    def attach(self, outlet: Outlet, receive_maximum: int) -> None:
        """Connect it; `resume` then sends what waits, after the CONNACK."""
        self.outlet = outlet
        self._expires_at = None
        self._window = min(receive_maximum, self._limits.in_flight_messages)

    def detach(self) -> None:
        """Disconnect it; its expiry interval begins."""
        self.outlet = None
        if self.expiry_seconds != NEVER:
            self._expires_at = self._clock() + self.expiry_seconds

    def resume(self) -> None:
        """Send again what was in flight, then what waits."""
        self._again = deque(self._in_flight.values())
        self._fill_window()

    def deliver(self, delivery: Delivery) -> None:
        """Send a message now, or keep it, or drop and count it."""
        if delivery.qos:
            self._deliver_tracked(delivery)
        elif self.outlet is not None and (
            self.outlet.congested or not self._send(self.outlet, delivery)
        ):
            self._counters.dropped_qos0 += 1

    def acknowledge(self, packet_id: int) -> None:
        """Take a PUBACK; one that was not expected is ignored."""
        delivery = self._in_flight.pop(packet_id, None)
        if delivery is None:
            return
        if delivery in self._again:
            self._again.remove(delivery)
        self._fill_window()

    def _deliver_tracked(self, delivery: Delivery) -> None:
        if len(self._queue) >= self._limits.queued_messages:
            self._counters.dropped_qos1 += 1
            return
        self._queue.append(delivery)
        self._fill_window()

    def _fill_window(self) -> None:
        while self.outlet is not None and (delivery := self._next()) is not None:
            self._send_tracked(self.outlet, delivery)

    def _next(self) -> Delivery | None:
        """Take the message to be sent next, if the window has room for one."""
        if len(self._in_flight) - len(self._again) >= self._window:
            return None
        if self._again:
            return self._again.popleft()
        while self._queue:
            delivery = self._queue.popleft()
            if not self._is_stale(delivery):
                return delivery
        return None

    def _send_tracked(self, outlet: Outlet, delivery: Delivery) -> None:
        if delivery.packet_id is None:
            delivery.packet_id = self._free_packet_id()
        if self._send(outlet, delivery):
            self._in_flight[delivery.packet_id] = delivery
            delivery.duplicate = True
        else:
            self._in_flight.pop(delivery.packet_id, None)
            self._counters.dropped_qos1 += 1

    def _send(self, outlet: Outlet, delivery: Delivery) -> bool:
        sent = outlet.send(delivery.message.outgoing(delivery, self._clock()))
        self._counters.sent += sent
        return sent

    def _is_stale(self, delivery: Delivery) -> bool:
        expires_at = delivery.message.expires_at
        return expires_at is not None and self._clock() >= expires_at

    def _free_packet_id(self) -> int:
        packet_id = self._last_packet_id % MAX_PACKET_ID + 1
        while packet_id in self._in_flight:
            packet_id = packet_id % MAX_PACKET_ID + 1
        self._last_packet_id = packet_id
        return packet_id
