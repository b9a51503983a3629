"""Messages as a program sees them, over real brokers: topics, iteration, requests, properties."""

import asyncio
import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from gwproactor.config.link import LinkSettings, WillSettings
from gwproactor.config.mqtt import MQTTVersion, broker_from_url
from gwproactor.errors import (
    ConnectionLostError,
    NotRunningError,
    SubscriptionRefusedError,
    UsageError,
)
from gwproactor.links.core.subscriptions import SubscriptionStatus
from gwproactor.links.link import Link
from gwproactor.links.message_stream import Messages, MessageStreams
from gwproactor.links.mqtt.aiomqtt_transport import connect_with_aiomqtt
from gwproactor.links.received_message import ReceivedMessage
from gwproactor.links.transport import ConnectOptions, ReceivedPacket, SendOptions
from gwproactor.wire.codec import WireCodec
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import AnyEvent
from gwproactor_test.broker import Broker
from gwproactor_test.brokers import AnyBroker
from gwproactor_test.clients import until
from gwproactor_test.link_pair import (
    CHILD,
    CHILD_SHORT,
    PARENT,
    WAIT_SECONDS,
    End,
    child_settings,
    link_pair,
    running,
)
from gwproactor_test.packets import next_packets
from gwproactor_test.relay import Relay


class Question(AnyEvent):
    """An event, which any codec reads, to ask with."""

    def __init__(self, n: int) -> None:
        super().__init__(Src=CHILD, n=n)


class Note(BaseModel):
    """A message that is no event."""

    text: str = ""
    MessageId: str = ""
    TypeName: str = "test.note"


CODEC = WireCodec([Note])
OPTIONS = {"codec": CODEC}
NO_REQUEST = ReceivedMessage(
    "link", Message[Any](Src=PARENT, Payload=Note()), ReceivedPacket("a", b""), 0.0
)
STRANGER = ConnectOptions("stranger", 1 << 20)


def a_pair(url: str, **more: Any) -> contextlib.AbstractAsyncContextManager[tuple[End, End]]:
    return link_pair(url, url, child_options=OPTIONS, **more)


def texts(received: list[ReceivedMessage]) -> list[str]:
    return [each.message.Payload.text for each in received]


async def heard(end: End, count: int) -> None:
    """Wait until so many messages have come."""
    await end.heard.until(lambda: len(end.heard.received) >= count)


async def collect(link: Link, count: int, **options: Any) -> list[ReceivedMessage]:
    """The next messages, as an iteration gives them; started before this returns to the loop."""
    found = []
    async with contextlib.aclosing(link.messages(**options)) as messages:
        async for each in messages:
            found.append(each)
            if len(found) == count:
                return found
    return found


async def collect_all(messages: Messages) -> list[ReceivedMessage]:
    return [each async for each in messages]


async def begun(link: Link, count: int, **options: Any) -> "asyncio.Task[list[ReceivedMessage]]":
    task = asyncio.create_task(collect(link, count, **options))
    await asyncio.sleep(0)
    return task


# Further topics


async def test_a_topic_is_added_and_removed_while_active(broker: AnyBroker) -> None:
    """Strangers may speak there; they are heard, and are no sign of the peer."""
    note = Message[Any](Src="d1.other", Payload=Note(text="hello"))
    topic = note.mqtt_topic()
    async with (
        connect_with_aiomqtt(broker_from_url(broker.url), STRANGER) as stranger,
        a_pair(broker.url) as (child, _),
    ):
        child.link.subscribe("gw/d1-other/#", 1)
        await child.link.subscribed("gw/d1-other/#", timeout_seconds=WAIT_SECONDS)
        assert child.link.active
        assert list(child.link.subscriptions.values()) == [SubscriptionStatus.granted] * 2
        before = child.link.message_times.last_recv
        stranger.publish(topic, CODEC.encode(note), SendOptions(qos=1))
        await child.heard.until(lambda: child.heard.received)
        (received,) = child.heard.received
        assert (received.packet.topic, received.packet.qos) == (topic, 1)
        assert received.message.Payload.text == "hello"
        assert child.link.message_times.last_recv == before
        child.link.unsubscribe("gw/d1-other/#")
        assert list(child.link.subscriptions) == [f"gw/d1-parent/to/{CHILD_SHORT}/#"]
        with pytest.raises(UsageError, match="does not subscribe to"):
            await child.link.subscribed("gw/d1-other/#")
        with pytest.raises(UsageError, match="hears its peer by"):
            child.link.unsubscribe(f"gw/d1-parent/to/{CHILD_SHORT}/#")
    with pytest.raises(NotRunningError):
        await child.link.subscribed(f"gw/d1-parent/to/{CHILD_SHORT}/#")


async def test_topics_of_the_settings_are_there_after_every_connection(
    broker: AnyBroker, relay: Relay
) -> None:
    settings = LinkSettings.model_validate(
        child_settings(broker_from_url(relay.url)).model_dump(exclude={"brokers", "topics"})
        | {"brokers": (broker_from_url(relay.url),), "topics": ["gw/d1-other/#"]}
    )
    child = End(CHILD, settings, codec=CODEC)
    note = Message[Any](Src="d1.other", Payload=Note())
    async with (
        connect_with_aiomqtt(broker_from_url(broker.url), STRANGER) as stranger,
        running(child),
    ):
        for count in (1, 2):
            await child.link.wait_for("awaiting_peer", timeout_seconds=WAIT_SECONDS)
            stranger.publish(note.mqtt_topic(), CODEC.encode(note))
            await heard(child, count)
            await relay.cut()
            await child.link.wait_for("connecting", timeout_seconds=WAIT_SECONDS)


async def test_a_refused_topic_is_told_to_who_waits_for_it() -> None:
    async with (
        Broker(refuse_subscription=lambda _, topic: topic == "no/#") as broker,
        a_pair(broker.url) as (child, _),
    ):
        child.link.subscribe("no/#")
        with pytest.raises(SubscriptionRefusedError, match="refuses the subscription to 'no/#'"):
            await child.link.subscribed("no/#", timeout_seconds=WAIT_SECONDS)
        await child.not_active()
        child.link.unsubscribe("no/#")
        await child.active()


@pytest.mark.parametrize(
    ("topic_filter", "qos", "said"),
    [("a/#/b", None, "no topic filter"), ("a", 3, "3"), ("$share/g", None, "no shared filter")],
)
async def test_no_topic_filter_is_refused(topic_filter: str, qos: int | None, said: str) -> None:
    child = End(CHILD, child_settings())
    with pytest.raises(UsageError, match=said):
        child.link.subscribe(topic_filter, qos)


async def test_a_shared_topic_goes_to_one_of_its_members(
    broker: AnyBroker, broker_kind: str
) -> None:
    note = Message[Any](Src="d1.other", Payload=Note())
    url = broker_from_url(broker.url)
    ends = [End(f"{CHILD}{n}", child_settings(url), codec=CODEC) for n in (1, 2)]
    async with connect_with_aiomqtt(url, STRANGER) as stranger, running(*ends):
        for end in ends:
            await end.link.wait_for("awaiting_peer", timeout_seconds=WAIT_SECONDS)
            end.link.subscribe("$share/workers/gw/d1-other/#")
            if broker_kind == "embedded":  # which has none, and says so
                with pytest.raises(SubscriptionRefusedError):
                    await end.link.subscribed("$share/workers/gw/d1-other/#")
                return
            await end.link.wait_for("awaiting_peer", timeout_seconds=WAIT_SECONDS)
            await end.link.subscribed("$share/workers/gw/d1-other/#", timeout_seconds=WAIT_SECONDS)
        for _ in range(10):
            stranger.publish(note.mqtt_topic(), CODEC.encode(note))
        await until(lambda: sum(len(end.heard.received) for end in ends) >= 10)
        assert sum(len(end.heard.received) for end in ends) == 10


# Iteration


async def test_messages_are_iterated_over_instead_of_handled(broker: AnyBroker) -> None:
    async with a_pair(broker.url) as (child, parent):
        both = [await begun(child.link, 2), await begun(child.link, 2)]
        first = parent.link.send(Note(text="1"))
        parent.link.send(AnyEvent(Src=PARENT), ack_required=False)
        parent.link.send(Note(text="2"))
        for found in both:
            assert texts(await asyncio.wait_for(found, WAIT_SECONDS)) == ["1", "2"]
        await first.acked()
        parent.link.send(Note(text="3"))
        await child.heard.until(lambda: len(child.heard.received) == 2)
        types = [each.message.Header.MessageType for each in child.heard.received]
        assert types == ["gridworks.event.data", "test.note"]


async def test_an_iteration_ends_with_the_link_and_a_cancelled_one_takes_nothing(
    broker: AnyBroker,
) -> None:
    async with a_pair(broker.url) as (child, parent):
        cancelled, found = await begun(child.link, 1), await begun(child.link, 2)
        cancelled.cancel()
        await asyncio.wait([cancelled])
        parent.link.send(Note(text="1"))
        await until(lambda: child.link.num_acks == 0)
        await asyncio.sleep(0)
        waiting = await begun(child.link, 1)
        parent.link.send(Note(text="2"))
        await asyncio.wait_for(waiting, WAIT_SECONDS)
        assert texts(await asyncio.wait_for(found, WAIT_SECONDS)) == ["1", "2"]
        last = await begun(child.link, 1)
    assert await asyncio.wait_for(last, WAIT_SECONDS) == []
    assert await collect(child.link, 1) == []


async def test_what_finds_no_room_is_dropped_un_acked_and_told(broker: AnyBroker) -> None:
    async with (
        a_pair(broker.url) as (child, parent),
        contextlib.aclosing(child.link.messages(max_waiting=1)) as messages,
    ):
        first = asyncio.ensure_future(anext(messages))
        await asyncio.sleep(0)
        sent = [parent.link.send(Note(text=text)) for text in "123"]
        assert (await asyncio.wait_for(first, WAIT_SECONDS)).message.Payload.text == "1"
        await child.heard.until(lambda: child.heard.problems)
        assert "faster than they are iterated over" in child.heard.problem_texts()
        await sent[0].acked()
    with pytest.raises(ConnectionLostError):
        await sent[2].acked()


async def test_qos_1_is_done_when_the_next_is_asked_for(broker: AnyBroker) -> None:
    async with (
        a_pair(broker.url, changes={"qos": 1}) as (child, parent),
        contextlib.aclosing(child.link.messages()) as messages,
    ):
        first = asyncio.ensure_future(anext(messages))
        await asyncio.sleep(0)
        for text in "12":
            parent.link.send(Note(text=text))
        received = await asyncio.wait_for(first, WAIT_SECONDS)
        assert received.holds_broker
        await asyncio.wait_for(anext(messages), WAIT_SECONDS)
        assert not received.holds_broker


async def test_what_is_delivered_again_waits_once() -> None:
    streams, done = MessageStreams(list[ReceivedMessage]().append), list[ReceivedPacket]()
    packet = ReceivedPacket("a", b"", qos=1, packet_id=7)
    stream = streams.open(1, ended=False)
    for each in (packet, dataclasses.replace(packet, duplicate=True)):
        message = Message[Any](Src=PARENT, Payload=Note(text="1"))
        assert streams.put(ReceivedMessage("link", message, each, 0.0, finish=done.append))
    assert await stream.next() is not None
    assert not stream._waiting
    stream.leave()
    assert [each.duplicate for each in done] == [False, True]


async def test_a_cancelled_anext_takes_nothing_and_ends_nothing(broker: AnyBroker) -> None:
    async with a_pair(broker.url) as (child, parent):
        messages = child.link.messages()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(messages), 0.01)
        for text in "12":
            await parent.link.send(Note(text=text)).acked()
        assert [(await anext(messages)).message.Payload.text for _ in "12"] == ["1", "2"]
        await messages.aclose()
        assert [each async for each in messages] == []


async def test_an_iterator_that_nobody_holds_takes_no_messages(broker: AnyBroker) -> None:
    async with a_pair(broker.url) as (child, parent):
        messages = child.link.messages()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(messages), 0.01)
        del messages
        parent.link.send(Note(text="1"))
        await child.heard.until(lambda: child.heard.received)


@pytest.mark.parametrize("how", ["closed", "let go", "cancelled"])
async def test_who_leaves_over_a_message_does_not_stop_the_broker(
    broker: AnyBroker, how: str
) -> None:
    """Acknowledgements go in the order of the packets: one that never comes would hold up all."""
    changes = {"qos": 1, "receive_maximum": 3}
    async with a_pair(broker.url, changes=changes) as (child, parent):
        iterating, leaving, got = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def take_one() -> None:
            messages = child.link.messages()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(messages), 0.01)
            iterating.set()
            assert (await anext(messages)).message.Payload.text == "0"
            got.set()
            async with contextlib.AsyncExitStack() as stack:
                if how == "cancelled":
                    stack.push_async_callback(messages.aclose)
                await leaving.wait()
            if how == "closed":
                await messages.aclose()

        task = asyncio.create_task(take_one())
        await asyncio.wait_for(iterating.wait(), WAIT_SECONDS)
        sent = [parent.link.send(Note(text=str(n))) for n in range(3)]
        for each in sent:
            await each.acked()
        for n in range(3, 20):
            parent.link.send(Note(text=str(n)), ack_required=False)
        await asyncio.wait_for(got.wait(), WAIT_SECONDS)
        assert child.heard.received == []
        if how == "cancelled":
            task.cancel()
        leaving.set()
        await asyncio.wait([task])
        assert task.cancelled() or task.exception() is None
        del task
        await heard(child, 19)
        assert texts(child.heard.received) == [str(n) for n in range(1, 20)]


async def test_a_message_is_handed_back_only_where_nobody_saw_it() -> None:
    back, done = list[ReceivedMessage](), list[int]()
    streams = MessageStreams(back.append)

    def come(packet_id: int) -> None:
        packet = ReceivedPacket("a", b"", qos=1, packet_id=packet_id)
        message = Message[Any](Src=PARENT, Payload=Note(text=str(packet_id)))
        finish: Callable[[ReceivedPacket], None] = lambda each: done.append(each.packet_id)  # noqa: E731
        streams.put(ReceivedMessage("link", message, packet, 0.0, finish=finish))

    one, other = streams.open(9, ended=False), streams.open(9, ended=False)
    for packet_id in (1, 2, 3):
        come(packet_id)
    await one.next()
    await one.next()  # 1 is finished here and waits there
    streams.close(other)
    assert (done, back) == ([1], [])
    streams.close(one)
    streams.close(one)
    assert done == [1, 2]
    assert texts(back) == ["3"]
    assert not streams


async def test_what_was_not_processed_when_the_link_ended_is_left_to_the_broker(
    broker: AnyBroker,
) -> None:
    async with a_pair(broker.url, changes={"qos": 1}) as (child, parent):
        messages = child.link.messages()
        first = asyncio.ensure_future(anext(messages))
        await asyncio.sleep(0)
        for text in "12":
            await parent.link.send(Note(text=text)).acked()
        received = await first
    await messages.aclose()
    assert received.holds_broker
    assert child.heard.received == []


async def test_who_waits_for_the_next_learns_that_another_ended_the_iteration(
    broker: AnyBroker,
) -> None:
    async with a_pair(broker.url) as (child, _):
        messages = child.link.messages()
        waiting = asyncio.create_task(collect_all(messages))
        await asyncio.sleep(0)
        await messages.aclose()
        assert await asyncio.wait_for(waiting, WAIT_SECONDS) == []


@pytest.mark.parametrize("max_waiting", [0, -1])
async def test_an_iterator_with_no_room_is_refused(broker: AnyBroker, max_waiting: int) -> None:
    async with a_pair(broker.url) as (child, _):
        with pytest.raises(UsageError, match="max_waiting"):
            child.link.messages(max_waiting=max_waiting)


async def test_a_link_whose_listener_fails_is_not_deaf(
    broker: AnyBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"qos": 1, "receive_maximum": 2}
    async with a_pair(broker.url, changes=changes) as (child, parent):

        def fail(received: ReceivedMessage) -> None:
            came.append(received)
            child.heard._changed.set()
            raise RuntimeError("not today")

        came: list[ReceivedMessage] = []
        monkeypatch.setattr(child.heard, "message_received", fail)
        for text in "123456":
            parent.link.send(Note(text=text), ack_required=False)
        await child.heard.until(lambda: len(came) == 6)
        assert "let go" in child.heard.problem_texts()


# Requests


async def test_a_request_gets_its_reply(broker: AnyBroker) -> None:
    async with a_pair(broker.url) as (child, parent):
        parent.link._codec = child.link.codec
        asked = [
            asyncio.create_task(child.link.request(Question(n), timeout_seconds=WAIT_SECONDS))
            for n in range(3)
        ]
        await parent.heard.until(lambda: len(parent.heard.received) == 3)
        for request in reversed(parent.heard.received):
            parent.link.reply(request, Note(text=f"re {request.message.Payload.n}"))
        replies = await asyncio.gather(*asked)
        assert texts(replies) == ["re 0", "re 1", "re 2"]
        assert child.heard.received == []
        with pytest.raises(UsageError, match="no request"):
            child.link.reply(NO_REQUEST, Note())


async def test_a_reply_that_comes_too_late_is_an_ordinary_message(broker: AnyBroker) -> None:
    async with a_pair(broker.url) as (child, parent):
        with pytest.raises(TimeoutError, match="no reply within"):
            await child.link.request(Question(1), timeout_seconds=0.05)
        await parent.heard.until(lambda: parent.heard.received)
        parent.link.reply(parent.heard.received[0], Note(text="late"))
        await child.heard.until(lambda: child.heard.received)
        assert texts(child.heard.received) == ["late"]
        assert len(child.link._requests) == 0


async def test_a_request_ends_with_the_connection(broker: AnyBroker, relay: Relay) -> None:
    async with link_pair(relay.url, broker.url) as (child, parent):
        asked = asyncio.create_task(child.link.request(Question(1), timeout_seconds=WAIT_SECONDS))
        cancelled = asyncio.create_task(
            child.link.request(Question(2), timeout_seconds=WAIT_SECONDS)
        )
        await parent.heard.until(lambda: len(parent.heard.received) == 2)
        cancelled.cancel()
        await asyncio.wait([cancelled])
        assert len(child.link._requests) == 1
        await relay.cut()
        with pytest.raises(ConnectionLostError, match="before the reply came"):
            await asked


async def test_mqtt_311_has_no_requests_and_no_properties(broker: AnyBroker) -> None:
    async with a_pair(broker.url, protocol=MQTTVersion.v311) as (child, _):
        with pytest.raises(UsageError, match=r"request and reply needs MQTT 5.*set its protocol"):
            await child.link.request(Question(1), timeout_seconds=1)
        with pytest.raises(UsageError, match=r"set to MQTT 3\.1\.1"):
            child.link.send(Question(1), content_type="text/plain")
        with pytest.raises(UsageError, match="shared subscription"):
            child.link.subscribe("$share/g/a")
        with pytest.raises(UsageError, match="no QoS 3"):
            child.link.send(Question(1), qos=3)
        assert child.link.active


# What MQTT says of a message


async def test_properties_reach_the_receiver(broker: AnyBroker) -> None:
    async with a_pair(broker.url) as (child, parent):
        parent.link.send(
            Note(text="x"),
            qos=1,
            user_properties=[("k", "1"), ("k", "2")],
            content_type="application/json",
            expiry_seconds=100,
        )
        await child.heard.until(lambda: child.heard.received)
        packet = child.heard.received[0].packet
    assert packet.user_properties == (("k", "1"), ("k", "2"))
    assert (packet.content_type, packet.qos) == ("application/json", 0)
    assert packet.expiry_seconds in (99, 100)


async def test_a_will_is_published_when_the_link_vanishes_and_only_then(
    broker: AnyBroker, relay: Relay
) -> None:
    will = WillSettings(topic="gone/child", payload=b"I am gone", qos=1)
    async with connect_with_aiomqtt(broker_from_url(broker.url), STRANGER) as stranger:
        await stranger.subscribe([("gone/#", 1)])
        polite = End(CHILD, child_settings(broker_from_url(broker.url), will=will))
        async with running(polite):
            await polite.link.wait_for("awaiting_peer", timeout_seconds=WAIT_SECONDS)
        cut = End(CHILD, child_settings(broker_from_url(relay.url), will=will))
        async with running(cut):
            await cut.link.wait_for("awaiting_peer", timeout_seconds=WAIT_SECONDS)
            await relay.cut(reset=True)
            packets = await asyncio.wait_for(next_packets(stranger), WAIT_SECONDS)
    assert [(packet.topic, packet.payload) for packet in packets] == [("gone/child", b"I am gone")]
