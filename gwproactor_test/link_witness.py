"""A witness at the transport of a real link: what passes there decides what its state must be.

The `Witness` stands between a link and its connections. From what goes through its hands, and from
nothing that the link says, it keeps the facts of a `LinkModel`: which connection, which SUBACKs,
which acks, which valid messages, at which moments. `check` then holds the link's state against the
four conditions. It needs a clock that the test moves (`moved_clock`), so that both know one time.
"""

import asyncio
import contextlib
import dataclasses
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, NoReturn

from gwproactor.config.link import LinkSettings
from gwproactor.config.mqtt import MQTTClient
from gwproactor.errors import ConnectionLostError, DecodingError
from gwproactor.links.core.link_state import StateName
from gwproactor.links.core.presence import TOPIC_PREFIX
from gwproactor.links.core.subscriptions import QOS, Subscription
from gwproactor.links.link import Link
from gwproactor.links.mqtt.aiomqtt_transport import connect_with_aiomqtt
from gwproactor.links.transport import Connection, ConnectOptions, ReceivedPacket, TakePackets
from gwproactor.wire.codec import WireCodec
from gwproactor.wire.payloads import Ack
from gwproactor.wire.topics import link_filter
from gwproactor_test.link_model import LinkModel
from gwproactor_test.moved_clock import MovedClock

CONNECT_SECONDS = 0.5
"""Longest attempt to connect, in real time: a test does not wait for a frozen relay."""

OF_THE_LIBRARY = "gwproactor/"
"""Topics beside those of the peers, on which the comm state does not depend."""

FACTS_KEPT = 40

BLURRED_SECONDS = 0.01
"""So near to a moment at which time alone changes something, witness and link may differ: each
looks at the clock for itself."""


class Witness:
    """Keeps a model of one link by what passes at its transport.

    Args:
        settings: The link's settings.
        clock: Its clock.
    """

    def __init__(self, settings: LinkSettings, clock: MovedClock) -> None:
        self._clock = clock
        self._peer_name = settings.peer_name
        topic_filter = link_filter(settings.peer_name, settings.subscription_name)
        self._own_topics = topic_filter.removesuffix("#")
        self._codec = WireCodec()
        self._fresh = False
        self._late_at = float("-inf")  # when an answer came last that was overdue
        self.model = LinkModel(settings.ack_timeout_seconds, settings.poll_seconds, started=True)
        self.connections = 0
        self.facts: deque[str] = deque(maxlen=FACTS_KEPT)
        """The last facts, for who looks for a fault."""

    @contextlib.asynccontextmanager
    async def connector(
        self, broker: MQTTClient, options: ConnectOptions
    ) -> AsyncIterator["WitnessedConnection"]:
        """Connect for the link; to be passed to it as its connector."""
        options = dataclasses.replace(options, timeout_seconds=CONNECT_SECONDS)
        async with connect_with_aiomqtt(broker, options) as connection:
            self.connections += 1
            self.model.disconnect()
            self.model.connected = self._fresh = True
            self.model.may_be_old = connection.session_present
            try:
                yield WitnessedConnection(connection, self)
            finally:
                self.lost()

    def now(self) -> float:
        """The present moment of the clock that the link looks at."""
        return self._clock.monotonic()

    def check(self, link: Link) -> None:
        """Hold the link's state against the four conditions.

        Raises:
            AssertionError: They differ.
        """
        now = self._lapse()
        if abs(self.model.next_change() - now) > BLURRED_SECONDS:
            told = f"{link.state} where the conditions are {self.model.conditions()}"
            assert link.state is self.model.state(), told
            assert link.active == (link.state is StateName.active)

    def lost(self) -> None:
        """The connection is gone."""
        self.facts.append(f"{self._lapse():.4f} lost")
        self.model.disconnect()

    def asked(self, subscriptions: Sequence[tuple[str, int]]) -> None:
        """A SUBSCRIBE goes out; the first one on a connection names every filter."""
        with self._fact(f"asked for {subscriptions}") as now:
            if self._fresh:
                self.model.wanted.clear()
            new = [name for name, _ in subscriptions if name not in self.model.wanted]
            if self.model.active() and not self._fresh:
                self.model.added_while_active.update(new)
            wanted = {name: Subscription(name, QOS(qos)) for name, qos in subscriptions}
            self.model.wanted |= wanted
            self.model.ask(now, wanted)
            self._fresh = False

    def answered(self, names: Sequence[str], codes: Sequence[int]) -> None:
        """A SUBACK came."""
        with self._fact(f"answered {codes} for {names}") as now:
            if self.model.overdue(now + BLURRED_SECONDS):
                self._late_at = now
            for name, code in zip(names, codes, strict=True):
                self.model.answer(now, name, code)

    def removed(self, names: Sequence[str]) -> None:
        """An UNSUBSCRIBE goes out."""
        with self._fact(f"removed {names}"):
            for name in names:
                self.model.forget(name)

    def sent(self, payload: bytes) -> None:
        """A message was handed to the connection."""
        header = json.loads(payload)["Header"]
        if header["AckRequired"]:
            with self._fact(f"sent {header['MessageType']} {header['MessageId']}") as now:
                self.model.end_wait(header["MessageId"])
                self.model.waits[header["MessageId"]] = now + self.model.ack_timeout_seconds

    def came(self, packet: ReceivedPacket) -> None:
        """A packet came; only a valid one of the peer is a fact."""
        if packet.retain or not packet.topic.startswith(self._own_topics):
            return
        try:
            message = self._codec.decode(packet.topic, packet.payload)
        except DecodingError:
            return
        if message.Header.Src == self._peer_name:
            self._heard(message.Payload.AckMessageID if isinstance(message.Payload, Ack) else "")

    def _heard(self, acked_id: str) -> None:
        with self._fact(f"heard, ack of {acked_id or 'nothing'}") as now:
            self.model.hear_ack(acked_id)
            if not self.model.may_be_old:
                self.model.last_valid, self.model.unanswered = now, False
        self.model.end_wait(acked_id)

    def gave_up(self, probed_at: float, last_byte: float) -> None:
        """The link closes its connection, for which it must have a reason."""
        now = self.now()
        patience = self.model.ack_timeout_seconds - BLURRED_SECONDS
        silent = last_byte <= probed_at <= now - patience
        late = now - self._late_at < BLURRED_SECONDS or self.model.overdue(now + BLURRED_SECONDS)
        assert silent or late, "given up without need"
        self.lost()

    def _lapse(self) -> float:
        now = self.now()
        self.model.lapse(now)
        return now

    @contextlib.contextmanager
    def _fact(self, what: str) -> Iterator[float]:
        now = self._lapse()
        self.facts.append(f"{now:.4f} {what}")
        was_active = self.model.active()
        yield now
        if self.model.active() and not was_active:
            self.model.waits_from_before = set(self.model.waits)
        elif was_active and not self.model.active():
            self.model.waits.clear()


def _is_presence(topics: Sequence[str]) -> bool:
    """Whether this is of the presence record, which is no part of the comm state."""
    return any(topic.startswith(TOPIC_PREFIX) for topic in topics)


class WitnessedConnection:
    """A connection whose every use a witness sees; anything else is the connection's own."""

    def __init__(self, connection: Connection, witness: Witness) -> None:
        self._connection = connection
        self._witness = witness
        self._probed_at = float("inf")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def subscribe(self, subscriptions: Sequence[tuple[str, int]]) -> asyncio.Future[Sequence[int]]:
        """As of `Connection`; the witness hears of the answer before the link does."""
        names = [name for name, _ in subscriptions]
        future = self._connection.subscribe(subscriptions)
        if _is_presence(names):
            return future
        self._witness.asked(subscriptions)
        future.add_done_callback(self._then(lambda codes: self._witness.answered(names, codes)))
        return future

    def _then(
        self, tell: Callable[[Sequence[int]], None]
    ) -> Callable[[asyncio.Future[Sequence[int]]], None]:
        def done(future: asyncio.Future[Sequence[int]]) -> None:
            if not future.cancelled() and future.exception() is None:
                tell(future.result())

        return done

    def unsubscribe(self, filters: Sequence[str]) -> asyncio.Future[Sequence[int]]:
        """As of `Connection`."""
        if not _is_presence(filters):
            self._witness.removed(filters)
        return self._connection.unsubscribe(filters)

    def publish(self, topic: str, payload: bytes, *options: Any) -> None:
        """As of `Connection`."""
        self._connection.publish(topic, payload, *options)
        if not _is_presence([topic]):
            self._witness.sent(payload)

    async def read(self, take: TakePackets) -> NoReturn:
        """As of `Connection`; the witness sees each packet just before the link does."""

        def show(packets: Sequence[ReceivedPacket]) -> None:
            for packet in packets:
                self._witness.came(packet)
                take([packet])

        try:
            await self._connection.read(show)
        except ConnectionLostError:
            self._witness.lost()
            raise

    def probe(self) -> None:
        """As of `Connection`."""
        self._probed_at = self._witness.now()
        self._connection.probe()

    def close(self) -> None:
        """As of `Connection`; a link closes one only when it gives it up."""
        self._witness.gave_up(self._probed_at, self._connection.last_byte_seconds)
        self._connection.close()
