"""The handle of a link: waiting, iterating, sending and awaiting acks."""

import asyncio
import contextlib
from typing import Any

import pytest
from pydantic import BaseModel

from gwproactor.config.mqtt import broker_from_url
from gwproactor.errors import (
    AckTimeoutError,
    ConnectionLostError,
    NotRunningError,
    UsageError,
)
from gwproactor.links import transition_stream
from gwproactor.links.core.link_state import StateName, Transition, TransitionName
from gwproactor.links.manager.link_clients import LinkClient
from gwproactor.links.manager.mqtt_notices import NO_CONNECTION
from gwproactor.links.mqtt.aiomqtt_transport import connect_with_aiomqtt
from gwproactor.links.received_message import ReceivedMessage
from gwproactor.links.transport import ConnectOptions, ReceivedPacket
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import ACK, PING, AnyEvent
from gwproactor.wire.topics import encode_topic
from gwproactor_test.brokers import AnyBroker
from gwproactor_test.link_pair import (
    CHILD,
    CHILD_SHORT,
    PARENT,
    PARENT_SHORT,
    WAIT_SECONDS,
    End,
    child_settings,
    link_pair,
    parent_settings,
    running,
)
from gwproactor_test.packets import next_packets
from gwproactor_test.relay import Relay


class Odd(BaseModel):
    TypeName: str = "odd/#"


def event() -> AnyEvent:
    return AnyEvent(Src=CHILD)


# Waiting for a state


async def test_it_says_what_it_is(broker: AnyBroker) -> None:
    settings = child_settings(broker_from_url(broker.url))
    end = End(CHILD, settings)
    assert end.link.name == PARENT
    assert end.link.settings is settings
    assert end.link.state is StateName.not_started
    assert not end.link.active


async def test_waiting_for_the_present_state_returns_at_once(broker: AnyBroker) -> None:
    async with link_pair(broker.url, broker.url) as (child, _):
        await child.link.wait_for(timeout_seconds=0)
        await child.link.wait_for([StateName.connecting, StateName.active], timeout_seconds=0)
        await child.link.wait_for("active", timeout_seconds=0)
        await child.link.wait_for(["connecting", "active"], timeout_seconds=0)


@pytest.mark.parametrize("state", ["", "actve", ["active", "asleep"]])
async def test_waiting_for_what_is_no_state(state: str | list[str]) -> None:
    with pytest.raises(UsageError, match="awaiting_peer"):
        await End(CHILD, child_settings()).link.wait_for(state)


async def test_a_timeout_names_the_state(broker: AnyBroker) -> None:
    child = End(CHILD, child_settings(broker_from_url(broker.url)))
    async with running(child):
        await child.link.wait_for(StateName.awaiting_peer, timeout_seconds=WAIT_SECONDS)
        with pytest.raises(TimeoutError, match=r"not active within 0\.01 s; it is awaiting_peer"):
            await child.link.wait_for(timeout_seconds=0.01)


async def test_a_state_that_is_passed_through_counts(broker: AnyBroker) -> None:
    child = End(CHILD, child_settings(broker_from_url(broker.url)))
    parent = End(PARENT, parent_settings(broker_from_url(broker.url)))
    waiting = [
        asyncio.create_task(child.link.wait_for(state, timeout_seconds=WAIT_SECONDS))
        for state in (StateName.connecting, StateName.awaiting_peer, StateName.active)
    ]
    async with running(child, parent):
        await asyncio.gather(*waiting)


async def test_waiting_ends_when_the_link_is_stopped(broker: AnyBroker) -> None:
    child = End(CHILD, child_settings(broker_from_url(broker.url)))
    async with running(child):
        waiting = asyncio.create_task(child.link.wait_for())
        await child.link.wait_for(StateName.awaiting_peer, timeout_seconds=WAIT_SECONDS)
    with pytest.raises(NotRunningError):
        await waiting
    with pytest.raises(NotRunningError):
        await child.link.wait_for()
    await child.link.wait_for(StateName.stopped)


async def test_waiting_can_be_cancelled(broker: AnyBroker) -> None:
    async with link_pair(broker.url, broker.url) as (child, _):
        waiting = asyncio.create_task(child.link.wait_for(StateName.connecting))
        other = asyncio.create_task(child.link.wait_for(StateName.connecting))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        await broker.stop()
        await asyncio.wait_for(other, WAIT_SECONDS)
    assert not child.link._transition_streams


# Transitions


async def test_transitions_are_given_in_order_until_the_end(broker: AnyBroker) -> None:
    async def watch() -> list[Transition]:
        return [transition async for transition in child.link.transitions()]

    child = End(CHILD, child_settings(broker_from_url(broker.url)))
    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    parent = End(PARENT, parent_settings(broker_from_url(broker.url)))
    async with running(child, parent):
        await child.active()
    seen = await asyncio.wait_for(watching, WAIT_SECONDS)
    assert seen == child.heard.transitions
    assert seen[-1].new_state is StateName.stopped
    assert [transition async for transition in child.link.transitions()] == []


async def test_a_cancelled_anext_goes_on_with_the_next(broker: AnyBroker) -> None:
    async with link_pair(broker.url, broker.url) as (child, _):
        transitions = child.link.transitions()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(transitions), 0.01)
        assert len(child.link._transition_streams) == 1
        await broker.stop()
        assert (await anext(transitions)).transition_name is TransitionName.mqtt_disconnected
        del transitions
        assert not child.link._transition_streams


@pytest.mark.parametrize("seconds", [0, -1, float("-inf")])
async def test_without_time_there_is_a_mere_look(broker: AnyBroker, seconds: float) -> None:
    async with link_pair(broker.url, broker.url) as (child, _):
        await child.link.wait_for("active", timeout_seconds=seconds)
        (own_filter,) = child.link.subscriptions
        await child.link.subscribed(own_filter, timeout_seconds=seconds)
        for waiting in (
            child.link.wait_for("connecting", timeout_seconds=seconds),
            child.link.request(event(), timeout_seconds=seconds),
        ):
            with pytest.raises(TimeoutError, match="within 0 s"):
                await waiting


async def test_a_stopped_link_says_so_to_who_wants_to_send(broker: AnyBroker) -> None:
    """Not that it has no connection now, which would mean that one may come."""
    async with link_pair(broker.url, broker.url) as (child, parent):
        received = ReceivedMessage(
            "link",
            Message[Any](Src=PARENT, Payload=event()),
            ReceivedPacket("a", b"", correlation_data=b"1"),
            0.0,
        )
        await parent.stop()
        message = Message[Any](Src=PARENT, Payload=event())
        for send in (
            lambda: parent.link.send(event()),
            lambda: parent.link.publish(message),
            lambda: parent.link.publish_bytes("a", b""),
            lambda: parent.link.reply(received, event()),
        ):
            with pytest.raises(NotRunningError, match="is stopped"):
                send()
        with pytest.raises(NotRunningError, match="is stopped"):
            await parent.link.request(event(), timeout_seconds=1)
        parent.link.acknowledge("m")  # a handler that is late need not care
        await parent.link.ping()
        assert LinkClient(parent.link).publish("a", b"", 0).rc == NO_CONNECTION
        assert child.link.active


NO_SECONDS: list[Any] = [float("nan"), "1", True]


@pytest.mark.parametrize("seconds", NO_SECONDS)
async def test_what_is_no_timeout_is_refused(broker: AnyBroker, seconds: Any) -> None:
    async with link_pair(broker.url, broker.url) as (child, _):
        with pytest.raises(UsageError, match="timeout_seconds"):
            await child.link.wait_for("stopped", timeout_seconds=seconds)
        with pytest.raises(UsageError, match="timeout_seconds"):
            await child.link.request(event(), timeout_seconds=seconds)
        with pytest.raises(UsageError, match="timeout_seconds"):
            await child.link.subscribed("a", timeout_seconds=seconds)
        with pytest.raises(UsageError, match="no state"):
            await child.link.wait_for([])
    with pytest.raises(NotRunningError):
        child.link.subscribe("a")


async def test_leaving_the_iteration_forgets_it(broker: AnyBroker) -> None:
    async with link_pair(broker.url, broker.url) as (child, _):
        async with contextlib.aclosing(child.link.transitions()) as transitions:
            following = asyncio.ensure_future(anext(transitions))
            await asyncio.sleep(0)
            assert len(child.link._transition_streams) == 1
            await broker.stop()
            assert (await following).transition_name is TransitionName.mqtt_disconnected
        assert not child.link._transition_streams


async def test_a_slow_iterator_loses_the_oldest(
    broker: AnyBroker, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transition_stream, "TRANSITIONS_KEPT", 2)
    async with (
        link_pair(relay.url, broker.url) as (child, _),
        contextlib.aclosing(child.link.transitions()) as transitions,
    ):
        first = asyncio.ensure_future(anext(transitions))
        await asyncio.sleep(0)
        await relay.cut()
        await first
        await child.active()
        kept = [await anext(transitions) for _ in range(2)]
    assert kept[-1].new_state is StateName.active
    assert kept[0].old_state is not first.result().new_state


# Sending


async def test_a_message_is_received_and_its_ack_awaited(broker: AnyBroker) -> None:
    async with link_pair(broker.url, broker.url) as (child, parent):
        sent = child.link.send(event())
        await sent.acked()
        await sent.acked()
        assert [message.Header.MessageId for message in parent.heard.messages] == [sent.message_id]
        assert sent.message_id in child.heard.acked


async def test_without_ack_there_is_nothing_to_wait_for(broker: AnyBroker) -> None:
    async with link_pair(broker.url, broker.url) as (child, parent):
        await child.link.send(event(), ack_required=False).acked()
        await parent.heard.until(lambda: parent.heard.messages)
        assert not parent.heard.messages[0].Header.AckRequired


async def test_an_ack_that_does_not_come(broker: AnyBroker) -> None:
    quick = {"ack_timeout_seconds": 0.2, "poll_seconds": 0.5}
    async with link_pair(broker.url, broker.url, changes=quick) as (child, parent):
        parent.heard.acknowledge = None
        sent = child.link.send(event())
        with pytest.raises(AckTimeoutError, match=sent.message_id):
            await sent.acked()
        await child.heard.until(
            lambda: any(transition.deactivated() for transition in child.heard.transitions)
        )
        await child.active()


async def test_a_loss_ends_the_waiting_for_acks(broker: AnyBroker, relay: Relay) -> None:
    async with link_pair(relay.url, broker.url) as (child, parent):
        parent.heard.acknowledge = None
        sent = child.link.send(event())
        unheard = child.link.send(event())  # nobody asks: no warning of an unretrieved exception
        waiting = [asyncio.create_task(sent.acked()) for _ in range(2)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.wait(waiting[:1])
        await relay.cut()
        with pytest.raises(ConnectionLostError):
            await asyncio.wait_for(waiting[1], WAIT_SECONDS)
        assert unheard.message_id


async def test_the_same_id_sent_again_takes_the_place_of_the_first(broker: AnyBroker) -> None:
    async with link_pair(broker.url, broker.url) as (child, _):
        payload = event()
        first, second = child.link.send(payload), child.link.send(payload)
        with pytest.raises(ConnectionLostError, match="sent again"):
            await first.acked()
        await second.acked()


async def test_a_ping_with_its_id_in_the_payload_only_is_acknowledged(broker: AnyBroker) -> None:
    """A header field that is not given is taken from the payload."""
    options = ConnectOptions(client_id="another-peer", max_packet_bytes=100_000)
    url = broker_from_url(broker.url)
    child = End(CHILD, child_settings(url))
    async with connect_with_aiomqtt(url, options) as peer, running(child):
        await peer.subscribe([(encode_topic(CHILD, PARENT_SHORT, ACK), 0)])
        await child.link.wait_for(StateName.awaiting_peer, timeout_seconds=WAIT_SECONDS)
        ping = b'{"MessageId":"of-the-payload","AckRequired":true,"TypeName":"gridworks.ping"}'
        envelope = b'{"Header":{"Src":"d1.parent"},"Payload":%b,"TypeName":"gw"}' % ping
        peer.publish(encode_topic(PARENT, CHILD_SHORT, PING), envelope)
        async with asyncio.timeout(WAIT_SECONDS):
            [packet] = await next_packets(peer)
        assert b'"AckMessageID":"of-the-payload"' in packet.payload
        assert child.link.active


async def test_sending_without_a_connection(broker: AnyBroker) -> None:
    child = End(CHILD, child_settings(broker_from_url(broker.url)))
    with pytest.raises(ConnectionLostError, match="no connection"):
        child.link.send(event())
    child.link.acknowledge("anything")


class Holder(BaseModel):
    TypeName: str = "my.type"
    MessageId: object = ""
    held: object = None


@pytest.mark.parametrize(
    "payload",
    [
        "text",
        None,
        {},
        object(),
        Holder(held=object()),
        Holder(held="\ud800"),
        Holder(held=b"\xff"),
        Holder(TypeName="\ud800"),
        Holder(MessageId=5),
    ],
)
async def test_what_is_no_payload_is_refused(broker: AnyBroker, payload: object) -> None:
    child = End(CHILD, child_settings(broker_from_url(broker.url)))
    async with running(child):
        await child.link.wait_for(StateName.awaiting_peer, timeout_seconds=WAIT_SECONDS)
        with pytest.raises(UsageError):
            child.link.send(payload)
        await child.link.send(event(), ack_required=False).acked()


async def test_a_payload_that_no_topic_can_be_made_of(broker: AnyBroker) -> None:
    async with link_pair(broker.url, broker.url) as (child, _):
        with pytest.raises(UsageError):
            child.link.send(Odd())
        assert child.link.active
