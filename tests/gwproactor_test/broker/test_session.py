"""One session against a model: window, order, packet ids, expiry; no socket, no clock."""

from collections import deque

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from mqtt5 import DisconnectReasonCode, Packet, PublishPacket, QoS

from gwproactor_test.broker.rules import Counters, Limits
from gwproactor_test.broker.session import MAX_PACKET_ID, NEVER, Delivery, Message, Session

QUEUED = 4
IN_FLIGHT = 3


class FakeOutlet:
    """An outlet that keeps what it is sent."""

    def __init__(self) -> None:
        self.sent: list[PublishPacket] = []
        self.congested = False

    def send(self, packet: Packet) -> bool:
        assert isinstance(packet, PublishPacket)
        self.sent.append(packet)
        return True

    def dismiss(self, reason: DisconnectReasonCode) -> None:
        raise AssertionError(f"dismissed: {reason}")


class SessionMachine(RuleBasedStateMachine):
    """Drives a session with any sequence of messages, acknowledgements and reconnects."""

    @initialize()
    def begin(self) -> None:
        self.now = 0.0
        self.counters = Counters()
        limits = Limits(queued_messages=QUEUED, in_flight_messages=IN_FLIGHT)
        self.session = Session("me", limits, self.counters, lambda: self.now)
        self.session.expiry_seconds = 100
        self.outlet: FakeOutlet | None = None
        self.window = 0
        self.number = 0
        # The model: payloads in order, of which the first `sent` are with the client.
        self.waiting: deque[bytes] = deque()
        self.sent: dict[int, bytes] = {}
        self.dropped = 0

    @precondition(lambda self: self.outlet is None)
    @rule(receive_maximum=st.integers(1, 5))
    def connect(self, receive_maximum: int) -> None:
        self.outlet = FakeOutlet()
        self.window = min(receive_maximum, IN_FLIGHT)
        before = list(self.sent.values())
        self.session.attach(self.outlet, receive_maximum)
        self.session.resume()
        again = [p.payload for p in self.outlet.sent if p.duplicate]
        assert again == before[: self.window]
        self.unsent_again = before[self.window :]
        self._take()

    @precondition(lambda self: self.outlet is not None)
    @rule()
    def disconnect(self) -> None:
        self.outlet = None
        self.session.detach()

    @rule(qos=st.sampled_from([0, 1]))
    def publish(self, qos: int) -> None:
        self.number += 1
        payload = str(self.number).encode()
        packet = PublishPacket("a", payload, qos=QoS.AT_MOST_ONCE)
        self.session.deliver(Delivery(Message(packet, qos), qos, retain=False, identifiers=[]))
        if qos:
            if len(self.waiting) >= QUEUED:
                self.dropped += 1
            else:
                self.waiting.append(payload)
        self._take()

    @precondition(lambda self: self.outlet is not None and self.sent)
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        packet_id = data.draw(st.sampled_from(sorted(self.sent)))
        del self.sent[packet_id]
        self.session.acknowledge(packet_id)
        self._take()

    @rule(packet_id=st.integers(1, MAX_PACKET_ID))
    def acknowledge_what_was_never_sent(self, packet_id: int) -> None:
        if packet_id not in self.sent:
            self.session.acknowledge(packet_id)
            assert self.outlet is None or self.outlet.sent == []

    @invariant()
    def nothing_is_lost_but_what_was_counted(self) -> None:
        assert self.counters.dropped_qos1 == self.dropped
        assert len(self.session._in_flight) == len(self.sent)
        assert len(self.session._queue) == len(self.waiting)
        assert len(self.sent) <= IN_FLIGHT
        assert not self.session.expired

    def _take(self) -> None:
        """Compare what the client was sent with the model."""
        if self.outlet is None:
            return
        for packet in self.outlet.sent:
            if packet.qos == QoS.AT_MOST_ONCE:
                assert packet.packet_id is None
            elif packet.duplicate:
                assert packet.packet_id is not None
                assert self.sent[packet.packet_id] == packet.payload
            else:
                assert packet.packet_id is not None
                assert packet.packet_id not in self.sent
                assert packet.payload == self.waiting.popleft()
                self.sent[packet.packet_id] = packet.payload
        self.outlet.sent.clear()
        if len(self.sent) < self.window:
            assert not self.waiting


TestSession = SessionMachine.TestCase


def _session(now: list[float]) -> Session:
    return Session("me", Limits(), Counters(), lambda: now[0])


def test_it_expires_after_its_interval() -> None:
    now = [0.0]
    session = _session(now)
    session.expiry_seconds = 10
    session.attach(FakeOutlet(), 1)
    now[0] = 1000.0
    assert not session.expired
    session.detach()
    now[0] += 9.9
    assert not session.expired
    now[0] += 0.1
    assert session.expired


def test_it_can_be_kept_for_ever() -> None:
    now = [0.0]
    session = _session(now)
    session.expiry_seconds = NEVER
    session.detach()
    now[0] = 1e12
    assert not session.expired


def test_messages_that_expire_while_they_wait_are_not_sent() -> None:
    now = [0.0]
    session = _session(now)
    for expires_at in (5.0, None, 20.5):
        packet = PublishPacket("a", str(expires_at).encode(), qos=QoS.AT_MOST_ONCE)
        message = Message(packet, 1, expires_at)
        session.deliver(Delivery(message, 1, retain=False, identifiers=[]))
    now[0] = 10.0
    outlet = FakeOutlet()
    session.attach(outlet, 10)
    session.resume()
    assert [(p.payload, p.message_expiry_interval) for p in outlet.sent] == [
        (b"None", None),
        (b"20.5", 11),
    ]


def test_packet_ids_wrap_around_those_in_use() -> None:
    session = _session([0.0])
    outlet = FakeOutlet()
    session.attach(outlet, 10)
    packet = PublishPacket("a", b"")
    for _ in range(MAX_PACKET_ID + 5):
        session.deliver(Delivery(Message(packet, 1), 1, retain=False, identifiers=[]))
        packet_id = outlet.sent[-1].packet_id
        assert packet_id is not None
        if packet_id != 3:
            session.acknowledge(packet_id)
    assert [p.packet_id for p in outlet.sent[-5:]] == [1, 2, 4, 5, 6]
