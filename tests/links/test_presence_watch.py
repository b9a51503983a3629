"""Two real nodes under one client id, and others who are no such nodes."""

import asyncio
import contextlib
import time
from itertools import repeat

from gwproactor.config.mqtt import MQTTClient, broker_from_url
from gwproactor.links.core.link_state import StateName, TransitionName
from gwproactor.links.core.pace import RESTARTS_AT_ONCE, RESTARTS_PER_SECOND
from gwproactor.links.core.presence import Presence, presence_topic
from gwproactor.links.link import Link
from gwproactor.links.mqtt.aiomqtt_transport import connect_with_aiomqtt
from gwproactor.links.transport import ConnectOptions, ReceivedPacket, SendOptions
from gwproactor_test.brokers import AnyBroker
from gwproactor_test.clients import until
from gwproactor_test.link_pair import (
    CHILD,
    PARENT,
    WAIT_SECONDS,
    End,
    child_settings,
    link_pair,
    parent_settings,
    running,
)
from gwproactor_test.packets import next_packets
from gwproactor_test.relay import Relay

PATIENCE_SECONDS = 60.0
"""They throw each other out before one can look around, for longer where the machine is busy."""

CLIENT_ID = f"{CHILD}-{PARENT}"
WATCHER = ConnectOptions(client_id="watcher", max_packet_bytes=100_000)


def presence_of(link: Link) -> Presence:
    return link._parts.presence


def connects(end: End) -> int:
    names = [transition.transition_name for transition in end.heard.transitions]
    return names.count(TransitionName.mqtt_connected)


def accused(end: End) -> bool:
    return "another node uses this node's MQTT client id" in end.heard.problem_texts()


async def kept_record(broker: MQTTClient) -> ReceivedPacket | None:
    """The presence record that the broker keeps, if there is one."""
    async with connect_with_aiomqtt(broker, WATCHER) as connection:
        topic = presence_topic(CLIENT_ID)
        await connection.subscribe([(topic, 0)])
        await connection.unsubscribe([topic])
        connection.publish("fence", b"")
        await connection.subscribe([("fence", 0)])
        connection.publish("fence", b"")
        packets = list(await next_packets(connection))
    return next((packet for packet in packets if packet.topic == topic), None)


async def test_two_nodes_with_one_client_id_do_not_throw_each_other_out_for_ever(
    broker: AnyBroker,
) -> None:
    url = broker_from_url(broker.url)
    one, two = End(CHILD, child_settings(url)), End(CHILD, child_settings(url))
    parent = End(PARENT, parent_settings(url))
    async with running(parent, one):
        await one.active()
        began = time.monotonic()
        async with running(two):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not (accused(one) or accused(two)):  # noqa: ASYNC110 - either may be it
                    await asyncio.sleep(0.02)
            loser, winner = (one, two) if accused(one) else (two, one)
            await winner.link.wait_for(timeout_seconds=PATIENCE_SECONDS)  # it may be in its backoff
            await loser.link.wait_for(StateName.connecting, timeout_seconds=WAIT_SECONDS)
            text = loser.heard.problem_texts()
            assert repr(CLIENT_ID) in text
            assert f"also that of '{CHILD}'" in text
            assert presence_of(winner.link)._instance_id in text
            assert "client_id of its own" in text
            at_most = 2 * (RESTARTS_AT_ONCE + RESTARTS_PER_SECOND * (time.monotonic() - began) + 2)
            assert connects(one) + connects(two) <= at_most


async def test_a_link_that_is_cut_again_and_again_is_not_told_of_another_node(
    broker: AnyBroker, relay: Relay
) -> None:
    async with link_pair(relay.url, broker.url) as (child, _):
        assert await kept_record(broker_from_url(broker.url)) is None
        for _ in range(8):
            await relay.cut()
            await child.not_active()
            await child.active()
        assert presence_of(child.link).armed
        assert not accused(child)
        await until(lambda: bool(presence_of(child.link)._written))
        record = await kept_record(broker_from_url(broker.url))
        assert record is not None
    assert await kept_record(broker_from_url(broker.url)) is None  # stopped in good order


async def test_a_node_that_was_killed_and_comes_back_is_not_accused(
    broker: AnyBroker, relay: Relay
) -> None:
    """The record of its dead predecessor is there, and nothing more."""
    dead = Presence(CHILD, "of the dead")
    async with connect_with_aiomqtt(broker_from_url(broker.url), WATCHER) as connection:
        topic = presence_topic(CLIENT_ID)
        connection.publish(topic, dead.record(0), SendOptions(retain=True))
    async with link_pair(relay.url, broker.url) as (child, _):
        for _ in range(6):
            await relay.cut()
            await child.not_active()
            await child.active()
        await until(lambda: bool(presence_of(child.link)._written))
        assert not accused(child)
        record = await kept_record(broker_from_url(broker.url))
        assert record is not None
        assert b"of the dead" not in record.payload


async def test_when_the_other_has_gone_the_link_stays(broker: AnyBroker) -> None:
    url = broker_from_url(broker.url)
    one, two = End(CHILD, child_settings(url)), End(CHILD, child_settings(url))
    parent = End(PARENT, parent_settings(url))
    for end in (one, two):
        presence_of(end.link)._pauses = repeat(0.5)
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(running(parent, one))
        other = await stack.enter_async_context(contextlib.AsyncExitStack())
        await other.enter_async_context(running(two))
        await until(lambda: accused(one) or connects(one) > 5)
        await other.aclose()
        await one.active()
        before = connects(one)
        await until(lambda: bool(presence_of(one.link)._written))
        assert connects(one) <= before + 1
        assert one.link.active
