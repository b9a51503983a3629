"""MQTT clients without comm state: connected again whenever they are lost, and told by a queue.

A `MQTTClientWrapper` is for programs that want the broker alone: no peer, no acks, no events. One
task connects, subscribes to all that is wanted, reads, and on loss backs off and begins again. What
happens is put into a queue as messages (`mqtt_notices`). Links need none of this;
`LinkManager.mqtt_clients` shows its links by the same methods.
"""

import asyncio
import contextlib
import itertools
import logging
import random
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gwproactor.config.mqtt import MQTTClient
from gwproactor.errors import (
    ConnectFailedError,
    ConnectionLostError,
    ConnectRefusedError,
    UsageError,
)
from gwproactor.links.core.backoff import Backoff
from gwproactor.links.core.pace import Pace
from gwproactor.links.fault_desk import cancels_asked
from gwproactor.links.link_task import max_packet_bytes
from gwproactor.links.listener import tell
from gwproactor.links.manager.client_subscriptions import ClientSubscriptions
from gwproactor.links.manager.mqtt_notices import (
    NO_CONNECTION,
    NO_ERROR,
    MQTTClientsPayload,
    MQTTConnectFailPayload,
    MQTTConnectPayload,
    MQTTDisconnectPayload,
    MQTTMessageModel,
    MQTTReceiptPayload,
    MQTTSubackPayload,
    notice,
)
from gwproactor.links.manager.notice_queue import NoticeQueue, put_of
from gwproactor.links.mqtt.aiomqtt_transport import connect_with_aiomqtt
from gwproactor.links.own_faults import FaultRest
from gwproactor.links.transport import (
    Connection,
    ConnectOptions,
    Connector,
    ReceivedPacket,
    SendOptions,
)
from gwproactor.wire.filters import checked_filter, is_topic_name

Logger = logging.Logger | logging.LoggerAdapter[Any]

_LOGGER = logging.getLogger(__name__)

MAX_PAYLOAD_BYTES = 1024 * 1024
"""Payloads for which there is always room in a packet."""


class MessageInfo(NamedTuple):
    """What became of a message that was to be published.

    Args:
        rc: 0 where it was handed to the connection, 4 where there is none.
        mid: Its number among this client's messages.
    """

    rc: int
    mid: int


class MQTTClientWrapper:
    """One MQTT client. For the event loop's thread.

    Args:
        name: Its name, which notices carry.
        client_config: The broker, and how to log in there.
        receive_queue: Takes the notices: whatever has a `put_nowait`, or else a `put` that does
            not wait.
        connector: Makes connections.
    """

    def __init__(
        self,
        name: str,
        client_config: MQTTClient,
        receive_queue: NoticeQueue,
        *,
        connector: Connector = connect_with_aiomqtt,
    ) -> None:
        self.name = name
        self._client_config = client_config
        self._put = put_of(receive_queue)
        self._connector = connector
        self._logger: Logger | None = None
        self._task: asyncio.Task[None] | None = None
        self._connection: Connection | None = None
        self._mids = itertools.count(1)
        self._subscriptions = ClientSubscriptions(self._mids, self._answered)

    # Starting and stopping

    def start(self) -> None:
        """Begin to connect, on the running loop.

        Raises:
            UsageError: It runs already.
        """
        if self._task is not None and not self._task.done():
            raise UsageError(f"MQTT client '{self.name}' runs already")
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"mqtt:{self.name}")

    def stop(self) -> None:
        """End it; `join` waits for that. Without a start nothing happens."""
        if self._task is not None:
            self._task.cancel()

    async def join(self) -> None:
        """Wait until it has ended. Cancel-safe."""
        if self._task is not None:
            await asyncio.wait([self._task])

    def connected(self) -> bool:
        """Whether there is a connection."""
        return self._connection is not None

    # Messages and subscriptions

    def publish(self, topic: str, payload: bytes, qos: int) -> MessageInfo:
        """Publish a message, now; without a connection it is dropped, and `rc` says so.

        Raises:
            UsageError: The topic or the QoS is none.
        """
        options = SendOptions(qos=_checked(qos))
        if not is_topic_name(topic):
            raise UsageError(f"{topic!r} is no topic to publish on")
        mid = next(self._mids)
        if self._connection is not None:
            with contextlib.suppress(ConnectionLostError):
                self._connection.publish(topic, payload, options)
                return MessageInfo(NO_ERROR, mid)
        return MessageInfo(NO_CONNECTION, mid)

    def subscribe(self, topic: str, qos: int) -> tuple[int, int | None]:
        """Subscribe to a topic filter, now and on every connection.

        What the broker refuses is asked for again after a second, then ever more rarely, once a
        minute at least.

        Returns:
            0 and the number that the SUBACK's notice will carry; or 4 and None where there is no
            connection now.

        Raises:
            UsageError: It is no topic filter, or no QoS.
        """
        try:
            checked_filter(topic)
        except ValueError as error:
            raise UsageError(str(error)) from None
        return self._subscriptions.want(topic, _checked(qos))

    def subscribe_all(self) -> tuple[int, int | None]:
        """Ask for everything again that is wanted; see `subscribe`."""
        return self._subscriptions.ask_all()

    def unsubscribe(self, topic: str) -> tuple[int, int | None]:
        """Subscribe to a topic filter no longer; see `subscribe`."""
        return self._subscriptions.forget(topic)

    def subscribed(self) -> bool:
        """Whether every topic filter that is wanted has been granted."""
        return self.connected() and not self.num_pending_subscriptions()

    def subscription_items(self) -> list[tuple[str, int]]:
        """Every topic filter that is wanted, with its QoS."""
        return self._subscriptions.items()

    def num_subscriptions(self) -> int:
        """How many topic filters are wanted."""
        return len(self._subscriptions.items())

    def num_pending_subscriptions(self) -> int:
        """How many of them have not been granted on this connection."""
        return self._subscriptions.pending_count()

    def handle_suback(self, suback: MQTTSubackPayload) -> int:  # noqa: ARG002 - noted when it came
        """Return how many topic filters have not been granted; a SUBACK is noted as it comes."""
        return self.num_pending_subscriptions()

    def _answered(self, mid: int, codes: Sequence[int]) -> None:
        tell(self.on_subscribe, None, None, mid, list(codes))

    # What happens, to be overridden by who wants to know at once; what they raise is logged

    def on_connect(self, _: Any, userdata: Any, flags: Mapping[str, int], rc: int) -> None:
        """A connection was made."""
        payload = MQTTConnectPayload(
            client_name=self.name, userdata=userdata, flags=dict(flags), rc=rc
        )
        self._tell(payload)

    def on_connect_fail(self, _: Any, userdata: Any) -> None:
        """An attempt to connect failed; `userdata` is the reason in words."""
        self._tell(MQTTConnectFailPayload(client_name=self.name, reason=str(userdata or "")))

    def on_disconnect(self, _: Any, userdata: Any, rc: int) -> None:
        """The connection is gone; `userdata` is the reason in words."""
        reason = str(userdata or "")
        self._tell(MQTTDisconnectPayload(client_name=self.name, rc=rc, reason=reason))

    def on_message(self, _: Any, userdata: Any, message: ReceivedPacket) -> None:
        """A PUBLISH came."""
        model = MQTTMessageModel(
            timestamp=time.monotonic(),
            topic=message.topic,
            payload=message.payload,
            qos=message.qos,
            retain=message.retain,
        )
        self._tell(MQTTReceiptPayload(client_name=self.name, userdata=userdata, message=model))

    def on_subscribe(self, _: Any, userdata: Any, mid: int, granted_qos: list[int]) -> None:
        """A SUBACK came."""
        payload = MQTTSubackPayload(
            client_name=self.name,
            userdata=userdata,
            mid=mid,
            granted_qos=tuple(granted_qos),
            num_pending_subscriptions=self.num_pending_subscriptions(),
        )
        self._tell(payload)

    def enable_logger(self, logger: Logger | None = None) -> None:
        """Log what happens, at DEBUG; to `gwproactor.links.mqtt` where no logger is given."""
        self._logger = logger or logging.getLogger("gwproactor.links.mqtt")

    def disable_logger(self) -> None:
        """Log nothing more."""
        self._logger = None

    def _tell(self, payload: MQTTClientsPayload) -> None:
        if self._logger is not None:
            self._logger.debug("%s: %s", self.name, type(payload).__name__)
        self._put(notice(payload))

    # The task

    async def _run(self) -> None:
        pace = Pace([self._client_config], Backoff())
        options = ConnectOptions(
            client_id=f"{self.name}-{uuid.uuid4().hex[:8]}",  # nobody keeps a session for it
            max_packet_bytes=max_packet_bytes(MAX_PAYLOAD_BYTES),
        )
        rest, cancels = FaultRest(random.random), cancels_asked()
        while True:
            try:
                await self._one_round(pace, options)
            except ConnectFailedError as error:
                tell(self.on_connect_fail, None, str(error))
            except ConnectRefusedError as error:
                pace.refused(time.monotonic(), 0)
                tell(self.on_connect_fail, None, str(error))
            except (Exception, asyncio.CancelledError) as error:
                asked = cancels_asked() > cancels
                if asked and isinstance(error, asyncio.CancelledError):
                    raise
                seconds = rest.next_seconds(time.monotonic())
                text = "MQTT client '%s' begins again in %.1f s, after a fault of this program"
                _LOGGER.exception(text, self.name, seconds)
                if asked:
                    raise asyncio.CancelledError from None
                await asyncio.sleep(seconds)

    async def _one_round(self, pace: Pace, options: ConnectOptions) -> None:
        delay, positions = pace.next_round(time.monotonic())
        await asyncio.sleep(delay)
        for position in positions:
            async with self._connector(self._client_config, options) as connection:
                began = time.monotonic()
                await self._talk(connection)
            now = time.monotonic()
            pace.lost(now, position, now - began, was_active=False)

    async def _talk(self, connection: Connection) -> None:
        self._connection, reason = connection, "stopped"
        try:
            flags = {"session present": int(connection.session_present)}
            tell(self.on_connect, None, None, flags, 0)
            self._subscriptions.begin(connection)
            await connection.read(lambda packets: self._take(connection, packets))
        except ConnectionLostError as error:
            reason = str(error)
        finally:
            self._connection = None
            self._subscriptions.end()
            tell(self.on_disconnect, None, reason, int(reason != "stopped"))

    def _take(self, connection: Connection, packets: Sequence[ReceivedPacket]) -> None:
        for packet in packets:
            tell(self.on_message, None, None, packet)
            connection.acknowledge(packet)


def _checked(qos: int) -> int:
    if qos not in (0, 1, 2):
        raise UsageError(f"there is no QoS {qos}; there are 0, 1 and 2")
    return int(qos)
