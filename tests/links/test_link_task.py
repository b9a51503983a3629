"""The life of a link on real brokers: whatever happens to it, it comes back or ends cleanly."""

import asyncio
import contextlib
import random
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import pytest

from gwproactor.config.mqtt import MQTTClient, MQTTVersion, TLSInfo, broker_from_url
from gwproactor.errors import NotRunningError, PacketTooLargeError
from gwproactor.events.store import StoredEvent
from gwproactor.links.core.effects import SendPing
from gwproactor.links.core.link_core import LinkCore, MessageKind
from gwproactor.links.core.link_state import InvalidCommStateInput, StateName, TransitionName
from gwproactor.links.core.reception import Received
from gwproactor.links.link_task import max_packet_bytes
from gwproactor.links.mqtt.aiomqtt_transport import connect_with_aiomqtt
from gwproactor.links.transport import Connection, ConnectOptions, ReceivedPacket, SendOptions
from gwproactor.wire.codec import WireCodec
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import Ack, AnyEvent
from gwproactor.wire.topics import encode_topic
from gwproactor_test.broker import Broker, Limits
from gwproactor_test.brokers import AnyBroker
from gwproactor_test.certificates import Certificates
from gwproactor_test.clients import until
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
from gwproactor_test.listener import Listener
from gwproactor_test.mosquitto import Mosquitto
from gwproactor_test.packets import next_packets
from gwproactor_test.relay import Relay

MakeBroker = Callable[..., Awaitable[AnyBroker]]

QUICK = {"ack_timeout_seconds": 0.2, "poll_seconds": 0.2}
"""Short enough not to wait long, long enough for two busy cores."""

OPTIONS = ConnectOptions("witness", 1 << 24)
TO_CHILD = encode_topic(PARENT, CHILD_SHORT, "gridworks.event.data")


def names(end: End) -> list[TransitionName]:
    return [transition.transition_name for transition in end.heard.transitions]


async def receive(connection: Connection, count: int) -> list[bytes]:
    payloads: list[bytes] = []
    async with asyncio.timeout(WAIT_SECONDS):
        while len(payloads) < count:
            payloads += [packet.payload for packet in await next_packets(connection)]
    return payloads


def event(message_id: str = "", type_name: str = "gridworks.event.data") -> bytes:
    payload = AnyEvent(Src=PARENT, TypeName=type_name)
    if message_id:
        payload.MessageId = message_id
    message = Message[AnyEvent](Src=PARENT, Dst=CHILD_SHORT, AckRequired=True, Payload=payload)
    return WireCodec().encode(message)


# Becoming active, and again


@pytest.mark.parametrize("version", list(MQTTVersion))
async def test_two_links_become_active(broker: AnyBroker, version: MQTTVersion) -> None:
    async with link_pair(broker.url, broker.url, protocol=version) as (child, parent):
        assert child.link.active
        assert names(child)[:2] == [TransitionName.start_called, TransitionName.mqtt_connected]
    for end in (child, parent):
        assert end.link.state is StateName.stopped
        assert names(end)[-1] is TransitionName.stop_called
        assert TransitionName.mqtt_disconnected not in names(end)
        assert not end.heard.problems


@pytest.mark.parametrize("reset", [False, True])
async def test_a_cut_link_becomes_active_again(
    broker: AnyBroker, relay: Relay, reset: bool
) -> None:
    async with link_pair(relay.url, broker.url) as (child, _):
        for _ in range(10):
            await relay.cut(reset=reset)
            await child.not_active()
            await child.active()
        assert not child.heard.problems


async def test_after_a_good_setup_the_next_connection_does_not_wait_for_connack(
    broker: AnyBroker, relay: Relay
) -> None:
    """And an attempt that fails is followed by a polite one, in case that was the reason."""
    ahead: list[bool] = []

    def connector(settings: MQTTClient, options: ConnectOptions):  # type: ignore[no-untyped-def]
        ahead.append(options.greeting is not None)
        return connect_with_aiomqtt(settings, options)

    options = {"connector": connector}
    async with link_pair(relay.url, broker.url, child_options=options) as (child, _):
        await relay.cut()
        await child.not_active()
        await child.active()
        assert ahead == [False, True]
        relay.refuse()
        await relay.cut()
        async with asyncio.timeout(WAIT_SECONDS):
            while len(ahead) < 4:  # noqa: ASYNC110 - nobody tells of each attempt
                await asyncio.sleep(0.001)
        relay.accept()
        await child.active()
        assert ahead[:4] == [False, True, True, False]
        assert not any(ahead[4:])


async def test_a_broker_restart(broker: AnyBroker) -> None:
    async with link_pair(broker.url, broker.url) as (child, parent):
        for stop in (broker.stop, broker.kill):
            await stop()
            await child.not_active()
            await parent.not_active()
            await broker.start()
            await child.active()
            await parent.active()


async def test_silence_of_the_peer_ends_active(broker: AnyBroker) -> None:
    async with link_pair(broker.url, broker.url, changes=QUICK) as (child, parent):
        await parent.stop()
        await child.link.wait_for(StateName.awaiting_peer, timeout_seconds=WAIT_SECONDS)
        assert names(child)[-1] is TransitionName.response_timeout
        other = End(PARENT, parent.link.settings)
        async with running(other):
            await child.active()


@pytest.mark.parametrize("sends", [False, True])
async def test_what_came_while_the_loop_stood_still_came_in_time(sends: bool) -> None:
    """An ack that waits in the socket is read before anybody decides that it did not come."""
    async with Mosquitto() as broker:
        seconds = {"ack_timeout_seconds": 0.3, "poll_seconds": 60.0}
        async with link_pair(broker.url, broker.url, changes=seconds) as (child, _):
            async with connect_with_aiomqtt(broker_from_url(broker.url), OPTIONS) as peer:
                before = len(child.heard.transitions)
                sent = child.link.send(AnyEvent(Src=CHILD))
                ack = Ack(AckMessageID=sent.message_id)
                message = Message[Ack](Src=PARENT, Dst=CHILD_SHORT, Payload=ack)
                topic = encode_topic(PARENT, CHILD_SHORT, "gridworks.ack")
                peer.publish(topic, WireCodec().encode(message))
                time.sleep(0.5)  # noqa: ASYNC251 - the loop is to stand still
                if sends:
                    child.link.send(AnyEvent(Src=CHILD), ack_required=False)
                await sent.acked()
            assert len(child.heard.transitions) == before


async def test_a_frozen_connection_is_made_anew(broker: AnyBroker, relay: Relay) -> None:
    async with link_pair(relay.url, broker.url, changes=QUICK) as (child, _):
        relay.freeze(hold=False)
        await child.link.wait_for(StateName.connecting, timeout_seconds=WAIT_SECONDS)
        reasons = child.heard.transitions[-1].reason
        assert "not a byte from the broker" in reasons
        assert TransitionName.response_timeout in names(child)
        await relay.cut()
        relay.thaw()
        await child.active()


async def test_a_broker_without_the_peer_is_kept_for_long(broker: AnyBroker) -> None:
    """The broker's answers to probes keep a connection on which no peer is."""
    child = End(CHILD, child_settings(broker_from_url(broker.url), **QUICK))
    heard: list[float] = []
    original = LinkCore.broker_heard

    def broker_heard(core: LinkCore, now: float):  # type: ignore[no-untyped-def]
        heard.append(now)
        return original(core, now)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LinkCore, "broker_heard", broker_heard)
        async with running(child):
            await until(lambda: len(heard) >= 3)
            assert child.link.state is StateName.awaiting_peer
    assert TransitionName.mqtt_disconnected not in names(child)


async def test_failover_in_order_and_back_to_the_first(broker: AnyBroker, relay: Relay) -> None:
    """The first broker is preferred after each success."""
    async with Broker() as second, Relay(second.port) as second_relay:
        relay.refuse()
        brokers = (broker_from_url(relay.url), broker_from_url(second_relay.url))
        child = End(CHILD, child_settings(*brokers))
        at_first = End(PARENT, parent_settings(broker_from_url(broker.url)))
        at_second = End(PARENT, parent_settings(broker_from_url(second.url)))
        async with running(child, at_first, at_second):
            await child.active()
            assert second_relay.open_connections == 1
            relay.accept()
            await second_relay.cut()
            await child.not_active()
            await child.active()
            assert relay.open_connections == 1


async def test_brokers_that_accept_and_drop_are_not_hammered(embedded_broker: Broker) -> None:
    """Each connection is dropped once it is made; the attempts are spaced and reported."""
    child = End(CHILD, child_settings(broker_from_url(embedded_broker.url)))
    connections = 0

    async def drop_all() -> None:
        nonlocal connections
        while True:
            await child.link.wait_for(StateName.awaiting_peer, timeout_seconds=WAIT_SECONDS)
            connections += 1
            await embedded_broker.cut_all()
            await child.link.wait_for(StateName.connecting, timeout_seconds=WAIT_SECONDS)

    async with running(child):
        dropping = asyncio.create_task(drop_all())
        await child.heard.until(lambda: child.heard.problems)
        dropping.cancel()
        await asyncio.wait([dropping])
    assert "do not last" in child.heard.problem_texts()
    assert connections == 1


async def test_two_nodes_with_one_client_id_do_not_spin(broker: AnyBroker) -> None:
    """They throw each other out for ever, but not in a tight loop, and it is reported."""
    parent = End(PARENT, parent_settings(broker_from_url(broker.url)))
    twins = [End(CHILD, child_settings(broker_from_url(broker.url))) for _ in range(2)]
    async with running(parent):
        async with running(*twins):
            await twins[0].heard.until(lambda: twins[0].heard.problems or twins[1].heard.problems)
        assert "same client id" in twins[0].heard.problem_texts() + twins[1].heard.problem_texts()
        alone = End(CHILD, child_settings(broker_from_url(broker.url)))
        async with running(alone):
            await alone.active()


async def test_a_connection_that_was_given_up_is_told_as_such(
    broker: AnyBroker, relay: Relay
) -> None:
    """Nobody is sent to look for another client where the broker is just silent."""

    @contextlib.asynccontextmanager
    async def connector(settings: MQTTClient, options: ConnectOptions) -> AsyncIterator[Connection]:
        async with connect_with_aiomqtt(settings, options) as connection:
            relay.freeze(hold=False)
            yield connection

    settings = child_settings(broker_from_url(relay.url), **QUICK)
    child = End(CHILD, settings, connector=connector)
    async with running(child):
        await child.heard.until(lambda: child.heard.problems)
    assert "do not last" in child.heard.problem_texts()
    assert "given up: subscription to" in child.heard.problem_texts()
    assert "client id" not in child.heard.problem_texts()


async def test_a_ping_long_after_the_greeting_does_not_wait(broker: AnyBroker) -> None:
    async with link_pair(broker.url, broker.url) as (child, _):
        conversation = child.link._conversation
        conversation._greeter._greeted, waiting = True, conversation.core.num_acks
        conversation._ping(SendPing())
        assert conversation.core.num_acks == waiting + 1


# What is refused


async def test_login_refused_is_reported_once(make_broker: MakeBroker) -> None:
    broker = await make_broker(users={"user": "right"})
    url = broker.url.replace("//", "//user:wrong-secret@")
    child = End(CHILD, child_settings(broker_from_url(url)))
    async with running(child):
        await child.heard.until(lambda: child.heard.problems)
    [(summary, details, is_error)] = child.heard.problems
    assert "refused" in summary
    assert "login" in details
    assert is_error
    assert "secret" not in repr(child.heard.__dict__)
    assert names(child).count(TransitionName.mqtt_connect_failed) == 1


async def test_nothing_listens_is_reported_and_retried(broker: AnyBroker, relay: Relay) -> None:
    relay.refuse()
    child = End(CHILD, child_settings(broker_from_url(relay.url)))
    parent = End(PARENT, parent_settings(broker_from_url(broker.url)))
    async with running(child, parent):
        await child.heard.until(lambda: child.heard.problems)
        assert "nothing listens" in child.heard.problem_texts()
        assert child.link.state is StateName.connecting
        relay.accept()
        await child.active()


async def test_untrusted_certificate(make_broker: MakeBroker, certificates: Certificates) -> None:
    broker = await make_broker(tls=certificates.untrusted_server)
    tls = TLSInfo(use_tls=True, ca_cert_path=certificates.ca_file)
    child = End(CHILD, child_settings(broker_from_url(broker.url).with_tls(tls)))
    async with running(child):
        await child.heard.until(lambda: child.heard.problems)
    assert "ca_cert" in child.heard.problem_texts()


async def test_links_over_tls(make_broker: MakeBroker, certificates: Certificates) -> None:
    broker = await make_broker(tls=certificates.server)
    tls = TLSInfo(use_tls=True, ca_cert_path=certificates.ca_file)
    secured = broker_from_url(broker.url).with_tls(tls)
    child = End(CHILD, child_settings(secured))
    parent = End(PARENT, parent_settings(secured))
    async with running(child, parent):
        await child.active()
        await parent.active()


async def test_a_refused_subscription_keeps_the_link_out_of_active() -> None:
    refusing = True
    async with Broker(
        refuse_subscription=lambda client_id, _: refusing and client_id.startswith(CHILD)
    ) as broker:
        child = End(CHILD, child_settings(broker_from_url(broker.url)))
        parent = End(PARENT, parent_settings(broker_from_url(broker.url)))
        async with running(child, parent):
            await child.heard.until(lambda: child.heard.problems)
            assert "not authorized" in child.heard.problem_texts()
            assert not child.link.active
            refusing = False
            await child.active()


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        (TO_CHILD, b""),
        (TO_CHILD, b"\xff\xfe"),
        (TO_CHILD, b"null"),
        (TO_CHILD, b"{}"),
        (TO_CHILD, b'{"Header":{},"Payload":{},"TypeName":"gw"}'),
        (TO_CHILD, b"[" * 100_000),
        (TO_CHILD, b"x" * 600_000),
        (TO_CHILD, event(type_name="gridworks.event.other")),
        (encode_topic(PARENT, CHILD_SHORT, "no.such.type"), b"{}"),
        (TO_CHILD.removesuffix("/gridworks-event-data"), b"{}"),
        (TO_CHILD + "/more", b"{}"),
    ],
)
async def test_what_is_no_message_is_reported_and_does_no_harm(
    broker: AnyBroker, topic: str, payload: bytes
) -> None:
    async with (
        link_pair(broker.url, broker.url, changes={"max_payload_bytes": 500_000}) as (child, _),
        connect_with_aiomqtt(broker_from_url(broker.url), OPTIONS) as stranger,
    ):
        for _ in range(3):
            stranger.publish(topic, payload)
        stranger.publish(TO_CHILD, event("good"))
        await child.heard.until(lambda: child.heard.messages)
        assert [message.Header.MessageId for message in child.heard.messages] == ["good"]
        assert len(child.heard.problems) == 1
        assert "refused" in child.heard.problem_texts()
        assert len(child.heard.problem_texts()) < 2000
        assert child.link.active


async def test_strangers_are_no_sign_of_the_peer(broker: AnyBroker) -> None:
    """Garbage and retained messages on our topic neither make nor keep a link active."""
    async with connect_with_aiomqtt(broker_from_url(broker.url), OPTIONS) as stranger:
        stranger.publish(TO_CHILD, event("kept"), SendOptions(retain=True))
        child = End(CHILD, child_settings(broker_from_url(broker.url)))
        async with running(child):
            await child.heard.until(lambda: child.heard.problems)
            stranger.publish(TO_CHILD, b"garbage")
            await child.heard.until(lambda: len(child.heard.problems) == 2)
            assert child.link.state is StateName.awaiting_peer
    assert not child.heard.messages
    assert "retained" in child.heard.problem_texts()


async def test_only_what_is_valid_is_acknowledged(broker: AnyBroker) -> None:
    async with connect_with_aiomqtt(broker_from_url(broker.url), OPTIONS) as peer:
        acks = encode_topic(CHILD, PARENT_SHORT, "gridworks.ack")
        await peer.subscribe([(acks, 0)])
        child = End(CHILD, child_settings(broker_from_url(broker.url)))
        async with running(child):
            await child.link.wait_for(StateName.awaiting_peer, timeout_seconds=WAIT_SECONDS)
            unknown = event("bad").replace(b"gridworks.event.data", b"unheard.of")
            peer.publish(encode_topic(PARENT, CHILD_SHORT, "unheard.of"), unknown)
            peer.publish(TO_CHILD, event("good"))
            [ack] = await receive(peer, 1)
    assert WireCodec().decode(acks, ack).Payload == Ack(AckMessageID="good")


async def test_a_listener_that_fails_does_not_harm_the_link(
    broker: AnyBroker, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing:
        def __getattr__(self, name: str):  # type: ignore[no-untyped-def]
            raise_it = RuntimeError(f"{name} fails")

            def fail(*_args: object, **_kwargs: object) -> None:
                raise raise_it

            return fail

    child = End(CHILD, child_settings(broker_from_url(broker.url)))
    child.link._listener = child.link._conversation._listener = Failing()
    parent = End(PARENT, parent_settings(broker_from_url(broker.url)))
    async with running(child, parent):
        await child.active()
        await parent.active()
        parent.link.send(AnyEvent(Src=PARENT), ack_required=False)
        await child.link.send(AnyEvent(Src=CHILD)).acked()
    assert "message_received fails" in caplog.text


async def test_a_packet_that_cannot_be_handled_does_not_harm_the_link(broker: AnyBroker) -> None:
    """Not even where the fault is ours."""
    async with link_pair(broker.url, broker.url) as (child, parent):
        receiver, good = child.link._conversation.receiver, True
        received = receiver._received

        def fail_once(packet: ReceivedPacket, read: Received) -> bool:
            nonlocal good
            if read.kind is not MessageKind.other or good:
                return received(packet, read)
            good = True
            raise RuntimeError("a fault")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(receiver, "_received", fail_once)
            good = False
            parent.link.send(AnyEvent(Src=PARENT), ack_required=False)
            parent.link.send(AnyEvent(Src=PARENT, MessageId="next"), ack_required=False)
            await child.heard.until(lambda: child.heard.messages)
        assert [message.Header.MessageId for message in child.heard.messages] == ["next"]
        assert "could not be handled" in child.heard.problem_texts()
        assert child.link.active


# Events


class Events:
    """A source of events that hands out again, at each activation, what is not acknowledged."""

    def __init__(self, count: int, payload_bytes: int = 100) -> None:
        filler = "x" * payload_bytes
        self.unacked = {
            f"id-{number}": StoredEvent(
                number,
                f"id-{number}",
                AnyEvent(MessageId=f"id-{number}", Src=CHILD, Filler=filler)
                .model_dump_json()
                .encode(),
            )
            for number in range(count)
        }
        self.set_aside: dict[str, str] = {}
        self.for_ever: bool | None = None
        self._to_send: list[StoredEvent] = []
        self._sendable = asyncio.Event()

    async def next_to_send(self) -> list[StoredEvent]:
        while not self._to_send:
            self._sendable.clear()
            await self._sendable.wait()
        events, self._to_send = self._to_send[:7], self._to_send[7:]
        return events

    def activated(self) -> None:
        self._to_send = list(self.unacked.values())
        self._sendable.set()

    def deactivated(self, *, connection_lost: bool = False) -> None:
        self._to_send = []

    def unsendable(self, event_id: str, reason: str, *, for_ever: bool = True) -> None:
        self.for_ever = for_ever
        self.set_aside[event_id] = reason
        del self.unacked[event_id]

    def acked(self, event_id: str) -> bool:
        return self.unacked.pop(event_id, None) is not None

    batch_count = 1

    def allow_batches(self, allowed: bool) -> None:
        raise AssertionError(f"nobody takes batches here, nor says that: {allowed}")

    def overdue(self, event_ids: Sequence[str], *, in_batch: bool) -> None:
        assert not in_batch
        assert event_ids

    def acked_many(self, event_ids: Sequence[str], waited: float) -> None:
        raise AssertionError(f"no batch was sent: {event_ids}, {waited}")

    def refused(self, event_ids: Sequence[str]) -> None:
        raise AssertionError(f"no batch was sent: {event_ids}")


async def test_events_are_sent_until_they_are_acknowledged(broker: AnyBroker, relay: Relay) -> None:
    events = Events(300)
    async with link_pair(relay.url, broker.url, child_options={"events": events}) as (
        child,
        parent,
    ):
        for _ in range(5):
            await relay.cut(reset=True)
            await child.not_active()
            await child.active()
        await child.heard.until(lambda: not events.unacked)
        received = {message.Header.MessageId for message in parent.heard.messages}
        assert len(received) == 300


async def test_long_events_wait_for_the_socket(broker: AnyBroker) -> None:
    events = Events(4, payload_bytes=900_000)
    async with link_pair(broker.url, broker.url, child_options={"events": events}) as (child, _):
        await child.heard.until(lambda: not events.unacked)


async def test_an_event_that_is_none_does_not_end_the_link(broker: AnyBroker) -> None:
    events = Events(3)
    events.unacked["id-1"] = StoredEvent(1, "id-1", b"no event")
    async with link_pair(broker.url, broker.url, child_options={"events": events}) as (child, _):
        await child.heard.until(lambda: not events.unacked)
        assert set(events.set_aside) == {"id-1"}
        assert child.link.active


async def test_an_event_that_the_broker_does_not_take_is_set_aside(make_broker: MakeBroker) -> None:
    broker = await make_broker(limits=Limits(packet_bytes=20_000))
    events = Events(3)
    long = AnyEvent(MessageId="id-1", Src=CHILD, Filler="x" * 100_000).model_dump_json().encode()
    events.unacked["id-1"] = StoredEvent(1, "id-1", long)
    async with link_pair(broker.url, broker.url, child_options={"events": events}) as (child, _):
        await child.heard.until(lambda: not events.unacked)
        assert set(events.set_aside) == {"id-1"}
        assert "20000" in events.set_aside["id-1"]
        assert not events.for_ever  # another broker may take it
        with pytest.raises(PacketTooLargeError):
            child.link.send(AnyEvent(Src=CHILD, Filler="x" * 100_000))
        assert child.link.active


async def test_a_broker_that_does_not_even_take_a_ping_is_reported(make_broker: MakeBroker) -> None:
    broker = await make_broker(limits=Limits(packet_bytes=100))
    child = End(CHILD, child_settings(broker_from_url(broker.url), **QUICK))
    async with running(child):
        await child.heard.until(lambda: "cannot be sent" in child.heard.problem_texts())
        assert child.link.state is StateName.awaiting_peer


# Stopping


async def test_stopping_at_any_moment_leaves_nothing(broker: AnyBroker) -> None:
    """Two links are cancelled after a random number of turns of the loop; leaks are checked."""
    chance = random.Random(20261120)
    for _ in range(60):
        ends = [
            End(CHILD, child_settings(broker_from_url(broker.url)), events=Events(20)),
            End(PARENT, parent_settings(broker_from_url(broker.url))),
        ]
        async with running(*ends):
            for _ in range(chance.randrange(60)):
                await asyncio.sleep(0)
            await asyncio.sleep(chance.random() * 0.01)
        assert {end.link.state for end in ends} == {StateName.stopped}


@pytest.mark.parametrize("turns", range(7))
async def test_stopping_right_after_a_loss(broker: AnyBroker, turns: int) -> None:
    """Whichever turn of the loop the cancel comes in, it ends the link and is not swallowed."""
    made: list[Connection] = []

    @contextlib.asynccontextmanager
    async def connector(settings: MQTTClient, options: ConnectOptions) -> AsyncIterator[Connection]:
        async with connect_with_aiomqtt(settings, options) as connection:
            made.append(connection)
            yield connection

    settings = child_settings(broker_from_url(broker.url))
    child = End(CHILD, settings, events=Events(3), connector=connector)
    task = asyncio.create_task(child.link.run())
    await child.link.wait_for(StateName.awaiting_peer, timeout_seconds=WAIT_SECONDS)
    made[0].close()
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task], timeout=WAIT_SECONDS)
    ended = task.done()
    task.cancel()  # where the first one was lost, nothing is left behind
    await asyncio.wait([task])
    assert ended
    assert child.link.state is StateName.stopped


@pytest.mark.parametrize("moment", [StateName.connecting, StateName.active])
async def test_stopping_with_a_frozen_broker_is_quick(
    broker: AnyBroker, relay: Relay, moment: StateName
) -> None:
    child = End(CHILD, child_settings(broker_from_url(relay.url)), events=Events(200, 100_000))
    parent = End(PARENT, parent_settings(broker_from_url(broker.url)))
    if moment is StateName.connecting:
        relay.freeze()
    async with running(child, parent):
        await child.link.wait_for(moment, timeout_seconds=WAIT_SECONDS)
        await until(lambda: relay.accepted_connections == 1)
        relay.freeze()
        async with asyncio.timeout(1):
            await child.stop()
    assert child.link.state is StateName.stopped


async def test_a_server_that_never_answers_does_not_hold_the_stop() -> None:
    accepted = asyncio.Event()

    async def say_nothing(_socket: socket.socket) -> None:
        accepted.set()
        await asyncio.Event().wait()

    listener = Listener(say_nothing)
    listener.open()
    child = End(CHILD, child_settings(broker_from_url(f"mqtt://{listener.netloc}")))
    async with running(child):
        async with asyncio.timeout(WAIT_SECONDS):
            await accepted.wait()
        assert child.link.state is StateName.connecting
    listener.close()
    await listener.join(0)


async def test_a_link_runs_once(broker: AnyBroker) -> None:
    child = End(CHILD, child_settings(broker_from_url(broker.url)))
    async with running(child):
        await child.link.wait_for(StateName.awaiting_peer, timeout_seconds=WAIT_SECONDS)
        with pytest.raises(InvalidCommStateInput):
            await child.link.run()
        assert child.link.state is StateName.awaiting_peer
    with pytest.raises(NotRunningError):
        child.link.send(AnyEvent(Src=CHILD))


def test_packets_may_be_longer_than_payloads() -> None:
    assert max_packet_bytes(1024) == 16 * 1024 * 1024
    assert max_packet_bytes(10_000_000) == 40_000_000
