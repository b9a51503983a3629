"""One client's connection: its login, its packets, its keep-alive, and its end.

The connection reads whatever has arrived, handles the packets in it one after the other, and
writes all answers of one turn of the loop in one go. It ends when the client says so, leaves,
is silent for one and a half keep-alives, breaks the protocol, or is dismissed. Unless the client
said goodbye properly, its will is published then.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from mqtt5 import (
    ConnAckPacket,
    ConnAckReasonCode,
    ConnectPacket,
    DisconnectPacket,
    DisconnectReasonCode,
    PingReqPacket,
    PingRespPacket,
    PubAckPacket,
    PublishPacket,
    QoS,
    SubAckPacket,
    SubscribePacket,
    UnsubAckPacket,
    UnsubscribePacket,
    Will,
)

from gwproactor.wire.filters import is_topic_name
from gwproactor_test.broker.codec import (
    CODECS,
    Codec,
    FrameSplitter,
    ProtocolFault,
    protocol_level,
)
from gwproactor_test.broker.exchange import Exchange, TooManySessionsError
from gwproactor_test.broker.mqtt311 import REFUSE_VERSION
from gwproactor_test.broker.packet_writer import PacketWriter
from gwproactor_test.broker.rules import Rules
from gwproactor_test.broker.session import Session
from gwproactor_test.listener import READ_CHUNK_BYTES, Streams

KEEP_ALIVE_FACTOR = 1.5
"""Keep-alives of silence after which the protocol has a broker give a client up."""


class Connection:
    """Serves one client over one pair of streams.

    Args:
        streams: of the connection, after any TLS handshake.
        exchange: of the broker.
        rules: of the broker.
    """

    def __init__(self, streams: Streams, exchange: Exchange, rules: Rules) -> None:
        self._reader, writer = streams
        self.writer = PacketWriter(writer, rules.limits.buffer_bytes)
        self.closed = asyncio.Event()
        self._exchange = exchange
        self._rules = rules
        self._loop = asyncio.get_running_loop()
        self._splitter = FrameSplitter(rules.limits.packet_bytes)
        self._codec: Codec | None = None
        self._session: Session | None = None
        self._will: PublishPacket | None = None
        self._silence_seconds = 0.0
        self._heard_at = self._loop.time()
        self._silence: asyncio.TimerHandle | None = None

    @property
    def client_id(self) -> str | None:
        """Whose connection it is; None before the login."""
        return None if self._session is None else self._session.client_id

    async def run(self) -> None:
        """Serve the client until the connection is closed."""
        try:
            await self._serve()
        except ProtocolFault as fault:
            self.writer.dismiss(fault.reason)
        except OSError:
            pass  # the client is gone: a reset, or a broken TLS record
        finally:
            self._leave()
            self.writer.hang_up()
            try:
                await self.writer.closed()
            finally:
                self.closed.set()

    async def _serve(self) -> None:
        async with contextlib.aclosing(self._frames()) as frames:
            try:
                async with asyncio.timeout(self._rules.limits.connect_seconds):
                    first = await anext(frames, None)
            except TimeoutError:
                return
            if first is None or not self._log_in(first):
                return
            async for frame in frames:
                if self.writer.ending:
                    return
                self._handle(frame)

    async def _frames(self) -> AsyncGenerator[memoryview, None]:
        while data := await self._reader.read(READ_CHUNK_BYTES):
            self._heard_at = self._loop.time()
            for frame in self._splitter.feed(data):
                yield frame
            if self.writer.congested:
                await self.writer.drain()

    # The login

    def _log_in(self, frame: memoryview) -> bool:
        level = protocol_level(frame)
        if level is None:
            raise ProtocolFault(DisconnectReasonCode.PROTOCOL_ERROR)
        if level not in self._rules.levels or level not in CODECS:
            self.writer.send_bytes(REFUSE_VERSION)
            return False
        codec = CODECS[level]
        packet = codec.decode(frame)
        if not isinstance(packet, ConnectPacket):
            raise ProtocolFault(DisconnectReasonCode.PROTOCOL_ERROR)
        self._codec = codec
        self.writer.speak(codec)
        refusal = self._refusal(packet, level)
        if refusal is None:
            refusal = self._admit(packet)
        if refusal is not None:
            self.writer.send(ConnAckPacket(reason_code=refusal))
        return refusal is None

    def _refusal(self, packet: ConnectPacket, level: int) -> ConnAckReasonCode | None:
        if packet.authentication_method is not None:
            return ConnAckReasonCode.BAD_AUTHENTICATION_METHOD
        if not packet.client_id and not packet.clean_start and level == min(CODECS):
            return ConnAckReasonCode.CLIENT_ID_NOT_VALID
        if not self._rules.admits(packet.username, packet.password):
            return ConnAckReasonCode.BAD_USER_NAME_OR_PASSWORD
        if packet.will is not None and not _has_valid_topics(packet.will):
            return ConnAckReasonCode.TOPIC_NAME_INVALID
        if packet.will is not None and packet.will.qos == QoS.EXACTLY_ONCE:
            return ConnAckReasonCode.QUALITY_NOT_SUPPORTED
        return None

    def _admit(self, packet: ConnectPacket) -> ConnAckReasonCode | None:
        client_id = packet.client_id or self._exchange.unused_client_id()
        try:
            present = self._exchange.connect(client_id, packet, self.writer)
        except TooManySessionsError:
            return ConnAckReasonCode.QUOTA_EXCEEDED
        self._session = self._exchange.session(client_id)
        self._will = None if packet.will is None else _will_packet(packet.will)
        self.writer.limit(packet.max_packet_size)
        self._watch_silence(packet.keep_alive)
        self.writer.send(self._welcome(packet, client_id, present=present))
        self._session.resume()
        return None

    def _welcome(self, packet: ConnectPacket, client_id: str, *, present: bool) -> ConnAckPacket:
        return ConnAckPacket(
            session_present=present,
            assigned_client_id=None if packet.client_id else client_id,
            max_qos=QoS.AT_LEAST_ONCE,
            max_packet_size=self._rules.limits.packet_bytes,
            shared_subscription_available=False,
        )

    # What the client sends

    def _handle(self, frame: memoryview) -> None:
        assert self._codec is not None
        assert self._session is not None
        packet = self._codec.decode(frame)
        match packet:
            case PublishPacket():
                self._on_publish(packet, self._session)
            case PubAckPacket():
                self._session.acknowledge(packet.packet_id)
            case SubscribePacket():
                self._on_subscribe(packet, self._session)
            case UnsubscribePacket():
                self._on_unsubscribe(packet, self._session)
            case PingReqPacket():
                self.writer.send(PingRespPacket())
            case DisconnectPacket():
                self._on_disconnect(packet, self._session)
            case _:
                raise ProtocolFault(DisconnectReasonCode.PROTOCOL_ERROR)

    def _on_publish(self, packet: PublishPacket, session: Session) -> None:
        fault = _fault_of(packet)
        if fault is not None:
            raise ProtocolFault(fault)
        reason = self._exchange.publish(packet, session)
        if packet.packet_id is not None:
            self.writer.send(PubAckPacket(packet.packet_id, reason_code=reason))

    def _on_subscribe(self, packet: SubscribePacket, session: Session) -> None:
        if not packet.topic_filters or not packet.packet_id:
            raise ProtocolFault(DisconnectReasonCode.PROTOCOL_ERROR)
        codes, retained = self._exchange.subscribe(session, packet)
        self.writer.send(SubAckPacket(packet.packet_id, codes))
        for delivery in retained:
            session.deliver(delivery)

    def _on_unsubscribe(self, packet: UnsubscribePacket, session: Session) -> None:
        if not packet.patterns or not packet.packet_id:
            raise ProtocolFault(DisconnectReasonCode.PROTOCOL_ERROR)
        codes = self._exchange.unsubscribe(session, packet)
        self.writer.send(UnsubAckPacket(packet.packet_id, codes))

    def _on_disconnect(self, packet: DisconnectPacket, session: Session) -> None:
        if packet.reason_code != DisconnectReasonCode.DISCONNECT_WITH_WILL_MESSAGE:
            self._will = None
        if packet.session_expiry_interval is not None:
            session.expiry_seconds = packet.session_expiry_interval
        self.writer.hang_up()

    # Silence and the end

    def _watch_silence(self, keep_alive_seconds: int) -> None:
        self._silence_seconds = keep_alive_seconds * KEEP_ALIVE_FACTOR
        if keep_alive_seconds:
            self._silence = self._loop.call_later(self._silence_seconds, self._check_silence)

    def _check_silence(self) -> None:
        due = self._heard_at + self._silence_seconds
        if self._loop.time() >= due:
            self.writer.dismiss(DisconnectReasonCode.KEEP_ALIVE_TIMEOUT)
        else:
            self._silence = self._loop.call_at(due, self._check_silence)

    def _leave(self) -> None:
        if self._silence is not None:
            self._silence.cancel()
        if self._session is not None:
            self._exchange.disconnect(self._session, self.writer)
        if self._will is not None:
            self._exchange.publish(self._will)
            self._will = None


def _fault_of(packet: PublishPacket) -> DisconnectReasonCode | None:
    """What is wrong with a message that could be read, if anything."""
    if packet.qos == QoS.EXACTLY_ONCE:
        return DisconnectReasonCode.QOS_NOT_SUPPORTED
    if packet.topic_alias is not None:
        return DisconnectReasonCode.TOPIC_ALIAS_INVALID
    if not _has_valid_topics(packet):
        return DisconnectReasonCode.TOPIC_NAME_INVALID
    if packet.packet_id == 0:
        return DisconnectReasonCode.MALFORMED_PACKET
    return None


def _has_valid_topics(message: PublishPacket | Will) -> bool:
    response_topic = message.response_topic
    if response_topic is not None and not is_topic_name(response_topic):
        return False
    return is_topic_name(message.topic)


def _will_packet(will: Will) -> PublishPacket:
    return PublishPacket(
        will.topic,
        will.payload or b"",
        qos=will.qos,
        retain=will.retain,
        packet_id=None if will.qos == QoS.AT_MOST_ONCE else 1,
        payload_format_indicator=will.payload_format_indicator,
        message_expiry_interval=will.message_expiry_interval,
        content_type=will.content_type,
        response_topic=will.response_topic,
        correlation_data=will.correlation_data,
        user_properties=will.user_properties,
    )
