"""The life of a link: connect, talk, and on loss back off and begin again, until it is stopped.

`run_link` is one coroutine, meant to be one named task. It makes connections, reads them and hands
what comes to the `Conversation`; it decides nothing about comm state. What else runs while a
connection stands, the event pump, ends by itself while the next connection is made. Cancelling is
how the link is stopped: at any moment, and at once, for nothing here waits for a broker to be let
go.

A fault of ours, wherever on the link it happens, ends the connection and surfaces here, in
`_guarded_round`: it is reported, and the link begins again after a pause (`own_faults`). So each
link is its own supervisor, and no other link learns of its trouble.
"""

import asyncio
import contextlib
import dataclasses
import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from gwproactor.config.link import LinkSettings
from gwproactor.errors import ConnectFailedError, ConnectionLostError, ConnectRefusedError
from gwproactor.links.conversation import Conversation
from gwproactor.links.core.pace import Pace
from gwproactor.links.core.presence import Intruder, Presence
from gwproactor.links.core.reception import shown_error
from gwproactor.links.event_pump import EventPump
from gwproactor.links.fault_desk import cancels_asked
from gwproactor.links.own_faults import FaultRest, stray_cancel
from gwproactor.links.presence_watch import PresenceWatch
from gwproactor.links.transport import (
    RECEIVE_MAXIMUM,
    Connection,
    ConnectOptions,
    Connector,
    ReceivedPacket,
    Will,
)

LEAST_PACKET_BYTES = 16 * 1024 * 1024
PAYLOADS_PER_PACKET = 4
"""The longest packet that is read is well above the longest payload that is accepted, so that one
that is merely too long is seen and reported; what is longer than this could only do harm."""

_STOP_CALLED = "stop called"


def max_packet_bytes(max_payload_bytes: int) -> int:
    """The longest MQTT packet that is read, for the longest payload that is accepted."""
    return max(LEAST_PACKET_BYTES, PAYLOADS_PER_PACKET * max_payload_bytes)


def connect_options(settings: LinkSettings, client_id: str) -> ConnectOptions:
    """What a link's settings mean for its connections."""
    will = settings.will
    return ConnectOptions(
        client_id=client_id,
        max_packet_bytes=max_packet_bytes(settings.max_payload_bytes),
        clean_start=not settings.keeps_session,
        session_expiry_seconds=settings.session_expiry_seconds,
        receive_maximum=settings.receive_maximum or RECEIVE_MAXIMUM,
        will=None if will is None else Will(will.topic, will.payload, will.qos, will.retain),
    )


@dataclass(frozen=True, slots=True)
class LinkParts:
    """What a running link is made of.

    Args:
        conversation: Does everything that happens on a connection.
        connector: Makes connections.
        options: For each connection.
        pace: When to connect again, and where to.
        presence: What is known of others under our client id.
        rest: How long the link rests after a fault of ours.
        pump: Sends the events.
    """

    conversation: Conversation
    connector: Connector
    options: ConnectOptions
    pace: Pace
    presence: Presence
    rest: FaultRest
    pump: EventPump


async def run_link(parts: LinkParts) -> None:
    """Run a link until it is cancelled; then it is stopped and leaves nothing behind.

    Raises:
        InvalidCommStateInput: It ran before.
    """
    parts.conversation.start()
    try:
        async with parts.pump:
            while True:
                await _guarded_round(parts)
    finally:
        parts.conversation.stop(_STOP_CALLED)


async def _guarded_round(parts: LinkParts) -> None:
    """One round; a fault of ours in it is reported, and paid with a pause."""
    cancels = cancels_asked()
    try:
        await _one_round(parts)
    except asyncio.CancelledError as error:
        if cancels_asked() > cancels:
            raise
        await _rest_after(parts, stray_cancel(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, it must end neither link nor node
        if cancels_asked() > cancels:  # it came while the link was being stopped
            parts.conversation.faults.failed(error, 0.0)
            raise asyncio.CancelledError from None
        await _rest_after(parts, error)


async def _rest_after(parts: LinkParts, fault: Exception) -> None:
    seconds = parts.rest.next_seconds(time.monotonic())
    parts.conversation.faults.failed(fault, seconds)
    await asyncio.sleep(seconds)


async def _one_round(parts: LinkParts) -> None:
    """Wait as long as the pace says, then try the brokers until a connection was a success."""
    delay, positions = parts.pace.next_round(time.monotonic())
    if delay > 0:
        await asyncio.sleep(delay)
    failures: list[str] = []
    for position in positions:
        try:
            if await _one_broker(parts, position):
                return
        except ConnectFailedError as error:
            parts.conversation.connect_failed(str(error), refused=False)
            failures.append(str(error))
        except ConnectRefusedError as error:
            parts.pace.refused(time.monotonic(), position)
            parts.conversation.connect_failed(str(error), refused=True)
    if failures and len(failures) == len(positions):
        parts.conversation.reports.nothing_reached(failures)


async def _one_broker(parts: LinkParts, position: int) -> bool:
    """Connect to one broker and talk until that is over; whether it had been a success.

    Raises:
        ConnectFailedError: No connection now.
        ConnectRefusedError: No connection until somebody acts.
    """
    options = dataclasses.replace(parts.options, greeting=parts.conversation.greeting())
    async with parts.connector(parts.pace.broker(position), options) as connection:
        return await _one_connection(parts, connection, position)


async def _one_connection(parts: LinkParts, connection: Connection, position: int) -> bool:
    began = time.monotonic()
    parts.conversation.faults.begin()
    activations = parts.conversation.activations
    broker = parts.pace.broker(position)
    client_id = broker.client_id or parts.options.client_id
    conflict = functools.partial(_conflict, parts, connection, client_id)
    watch = PresenceWatch(parts.presence, connection, str(broker), client_id, conflict)
    with contextlib.suppress(ConnectionLostError):  # the conversation knows it, with its reason
        await _talk(parts, connection, watch)
    now = time.monotonic()
    if not parts.conversation.reports.gave_up:
        parts.presence.lost(now)
    parts.conversation.faults.raise_last()
    was_active = parts.conversation.activations > activations
    success = parts.pace.lost(now, position, now - began, was_active=was_active)
    if not success:
        parts.conversation.reports.lost_too_soon()
    return success


def _conflict(parts: LinkParts, connection: Connection, client_id: str, intruder: Intruder) -> None:
    """Another node has our client id: say so, go, and stay away for a while."""
    seconds = parts.presence.pause_seconds()
    parts.conversation.reports.client_id_is_shared(client_id, intruder, seconds)
    parts.pace.stay_away(time.monotonic(), seconds)
    connection.close()


async def _talk(parts: LinkParts, connection: Connection, watch: PresenceWatch) -> None:
    """Read the connection until it is lost; raises ConnectionLostError in the end."""
    conversation, reason, cancels = parts.conversation, _STOP_CALLED, cancels_asked()
    try:
        conversation.connected(connection)
        watch.begin()
        parts.pump.begin(connection)
        await _read(parts, connection, watch)
    except ConnectionLostError as error:
        reason = str(error)
        raise
    except asyncio.CancelledError:
        if cancels_asked() > cancels:
            conversation.stop(reason)  # before the connection goes: this is no loss
            watch.end()
        else:
            reason = "a fault of this program, a stray cancel"
        raise
    except Exception as error:
        reason = f"a fault of this program, {shown_error(error)}"
        raise
    finally:
        parts.pump.end()
        conversation.disconnected(reason)


async def _read(parts: LinkParts, connection: Connection, watch: PresenceWatch) -> NoReturn:
    receiver, presence = parts.conversation.receiver, parts.presence

    def take(packets: Sequence[ReceivedPacket]) -> None:
        for packet in packets:
            if not (presence.armed and watch.take(packet)):
                receiver.received(packet)
        receiver.check_drops(connection)

    await connection.read(take)
