import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from result import Err, Ok

from gwproactor.config.mqtt import MQTTClient, broker_from_url
from gwproactor.config.proactor import ProactorSettings
from gwproactor.errors import ConnectionLostError, StoreError, UsageError
from gwproactor.events.core.outbox import Outbox
from gwproactor.events.memory_store import MemoryStore
from gwproactor.events.outgoing import OutgoingEvents
from gwproactor.events.persisters.simple_directory_writer import SimpleDirectoryWriter
from gwproactor.events.persisters.timed_rolling_files import TimedRollingFilePersister
from gwproactor.links import (
    AckWaitInfo,
    AsyncioTimerManager,
    CommLinkMissing,
    LinkManager,
    LinkManagerTransition,
    MQTTConnectFailPayload,
    MQTTConnectPayload,
    MQTTDisconnectPayload,
    MQTTMessageModel,
    MQTTReceiptPayload,
    MQTTSubackPayload,
    StateName,
    TransitionName,
)
from gwproactor.logger import ProactorLogger
from gwproactor.stats import ProactorStats, ReuploadCounts
from gwproactor.wire.codec import WireCodec
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import AnyEvent, Ping
from gwproactor_test.brokers import AnyBroker
from gwproactor_test.clients import until
from gwproactor_test.link_pair import WAIT_SECONDS, Recorder
from gwproactor_test.moved_clock import moved_clock
from gwproactor_test.relay import Relay

A, B = "d1.a", "d1.b"


class Note(BaseModel):
    """A message that is no event."""

    MessageId: str = ""
    TypeName: str = "test.note"


CODEC = WireCodec([Note])


def note(message_id: str) -> Message[Any]:
    return Message[Any](Src=A, Dst="d1-b", MessageId=message_id, AckRequired=True, Payload=Note())


def manager(name: str, **options: Any) -> LinkManager:
    settings = ProactorSettings.without_environment(ack_timeout_seconds=5.0)
    return LinkManager(name, settings, **options)


@contextlib.asynccontextmanager
async def started(*managers: LinkManager, queue: Any = None) -> AsyncIterator[None]:
    for each in managers:
        each.start(asyncio.get_running_loop(), queue)
    try:
        yield
    finally:
        for each in managers:
            each.stop()
            await each.join()


@contextlib.asynccontextmanager
async def a_pair(
    broker: AnyBroker, **options: Any
) -> AsyncIterator[tuple[LinkManager, LinkManager]]:
    """Two managers, each with a link of the first naming generation to the other, both active."""
    config = broker_from_url(broker.url)
    a, b = manager(A, **options), manager(B)
    a.add_mqtt_link(B, config, CODEC, upstream=True, primary_peer=True)
    b.add_mqtt_link(A, config, CODEC)
    async with started(a), started(b):
        await a[B].wait_for("active", timeout_seconds=WAIT_SECONDS)
        await b[A].wait_for("active", timeout_seconds=WAIT_SECONDS)
        yield a, b


async def test_two_links_of_names_alone_understand_each_other(broker: AnyBroker) -> None:
    stats = ProactorStats()
    async with a_pair(broker, stats=stats) as (a, b):
        async with contextlib.aclosing(b[A].messages()) as messages:
            next_message = asyncio.ensure_future(anext(messages))
            await asyncio.sleep(0)
            message = Message[Any](
                Src=A, Dst="d1-b", MessageId="m", AckRequired=True, Payload=Note()
            )
            sent = a.publish_message(B, message, qos=1, context="mine")
            await sent.acked()
            received = await asyncio.wait_for(next_message, WAIT_SECONDS)
        assert sent.context == "mine"
        assert (received.message.Header.MessageId, received.packet.qos) == ("m", 0)
        assert (a.link_names(), a.link_state(B), a.stopped(B)) == ([B], StateName.active, False)
        assert (a.upstream_client, a.primary_peer_client, b.upstream_client) == (B, B, "")
        assert a.subscribed(B)
        assert a.num_acks(B) == 0
        assert a.link(B) is a[B].link_state
        assert [ask("unknown") for ask in (a.link, a.link_state, a.decoder)] == [None] * 3
        assert a.decoder(B) is CODEC
        assert a.decode(B, message.mqtt_topic(), CODEC.encode(message)) == message
        await b.send_ping(A)
        assert a.get_message_times(B).last_send <= a.get_message_times(B).clock()
        assert a.start_ping_tasks() == []
    counted = stats.link(B)
    assert counted.comm_event_counts["gridworks.event.comm.peer.active"] == 1
    assert counted.num_received_by_type["gridworks.ack"] >= 1
    assert counted.num_received == sum(counted.num_received_by_type.values())
    assert counted.num_sent == sum(counted.num_sent_by_topic.values()) > 0
    assert counted.num_sent_by_topic[message.mqtt_topic()] >= 1
    assert a.stopped(B)


async def test_messages_also_go_into_the_queue(broker: AnyBroker) -> None:
    queue: asyncio.Queue[Any] = asyncio.Queue()
    config = broker_from_url(broker.url)
    a, b = manager(A), manager(B)
    a.add_mqtt_link(B, config, CODEC, upstream=True)
    b.add_mqtt_link(A, config, CODEC)
    async with started(a), started(b, queue=queue):
        await a[B].wait_for("active", timeout_seconds=WAIT_SECONDS)
        a.publish_upstream(Note(MessageId="n"), AckRequired=False)
        message = await asyncio.wait_for(queue.get(), WAIT_SECONDS)
    assert (message.Header.Src, message.Payload.MessageId) == (A, "n")


async def test_an_ack_that_does_not_come_is_called_back_with_its_context(broker: AnyBroker) -> None:
    missed: list[AckWaitInfo] = []
    settings = ProactorSettings.without_environment(ack_timeout_seconds=0.2)
    config = broker_from_url(broker.url)
    a = LinkManager(A, settings, ack_timeout_callback=missed.append)
    link = a.add_mqtt_link(B, config, CODEC)
    async with started(a):
        await link.wait_for("awaiting_peer", timeout_seconds=WAIT_SECONDS)
        a.publish_message(B, note("m"), context="mine")
        await until(lambda: any(wait.message_id == "m" for wait in missed))
        (wait,) = (wait for wait in missed if wait.message_id == "m")
        assert wait == AckWaitInfo(B, "m", None, "mine")
        transition = a.process_ack_timeout(wait).unwrap()
        assert transition.transition_name is TransitionName.response_timeout
        assert transition.canceled_acks == [wait]
    assert a.stats.link(B).timeouts >= 1


async def test_a_loss_is_told_once_with_the_acks_that_it_cancelled(broker: AnyBroker) -> None:
    told: list[LinkManagerTransition] = []

    def timed_out(wait: AckWaitInfo) -> None:
        told.append(a.process_ack_timeout(wait).unwrap())

    config = broker_from_url(broker.url)
    b = manager(B)
    with moved_clock() as clock:
        a = manager(A, ack_timeout_callback=timed_out, timer_manager=clock)
        a.add_mqtt_link(B, config, CODEC)
        b.add_mqtt_link(A, config, CODEC)
        async with started(a), started(b):
            await a[B].wait_for("active", timeout_seconds=WAIT_SECONDS)
            await b[A].wait_for("active", timeout_seconds=WAIT_SECONDS)
            await until(lambda: a.num_acks(B) == 0)  # of its pings
            a.publish_message(B, note("first"), context="mine")
            await clock.run(1.0)
            a.publish_message(B, note("second"), context="too")
            await clock.run(4.5)  # nobody acknowledges a note
            (loss,) = told
            step = (loss.transition_name, loss.old_state, loss.new_state)
            assert step == ("response_timeout", "active", "awaiting_peer")
            assert loss.canceled_acks == [
                AckWaitInfo(B, "first", None, "mine"),
                AckWaitInfo(B, "second", None, "too"),
            ]
            again = a.process_ack_timeout(AckWaitInfo(B, "first", None)).unwrap()
            assert (bool(again), len(again.canceled_acks)) == (False, 1)


async def test_a_lost_connection_is_told_once_with_the_acks_that_it_cancelled(
    broker: AnyBroker, relay: Relay
) -> None:
    notice = _notice(MQTTDisconnectPayload(client_name=B))
    a, b = manager(A), manager(B)
    a.add_mqtt_link(B, broker_from_url(relay.url), CODEC)
    b.add_mqtt_link(A, broker_from_url(broker.url), CODEC)
    async with started(a), started(b):
        for _ in range(2):
            await a[B].wait_for("active", timeout_seconds=WAIT_SECONDS)
            assert a.process_mqtt_disconnected(notice).is_err()
            a.publish_message(B, note("m"))
            await relay.cut()
            await a[B].wait_for("connecting", timeout_seconds=WAIT_SECONDS)
            await a[B].wait_for("active", timeout_seconds=WAIT_SECONDS)
            loss = a.process_mqtt_disconnected(notice).unwrap()  # it is back already
            assert (loss.old_state, loss.new_state) == ("active", "connecting")
            assert AckWaitInfo(B, "m", None) in loss.canceled_acks
            assert loss.reason.startswith("connection lost")
            assert a.process_mqtt_disconnected(notice).is_err()


async def test_no_caller_makes_a_link_connected_that_is_not() -> None:
    a = manager(A)
    a.add_mqtt_link(B, MQTTClient(host="127.0.0.1", port=1))
    async with started(a):
        await a[B].wait_for("connecting")
        connected = a.process_mqtt_connected(_notice(MQTTConnectPayload(client_name=B)))
        assert isinstance(connected, Err)
        assert "own connection" in str(connected.err_value)
        suback = a.process_mqtt_suback(_notice(MQTTSubackPayload(client_name=B)))
        assert isinstance(suback, Err)
        for same in (
            a.process_mqtt_disconnected(_notice(MQTTDisconnectPayload(client_name=B))),
            a.process_mqtt_connect_fail(_notice(MQTTConnectFailPayload(client_name=B))),
        ):
            assert isinstance(same, Ok)
            assert not same.ok_value
        a.process_ack(B, "m")
        a.update_recv_time(B)
        assert a.link_state(B) is StateName.connecting


async def test_what_a_program_confirms_and_feeds(broker: AnyBroker) -> None:
    heard = Recorder()
    async with a_pair(broker, listener=heard) as (a, _):
        assert a.process_mqtt_connected(_notice(MQTTConnectPayload(client_name=B))).is_ok()
        assert a.process_mqtt_suback(_notice(MQTTSubackPayload(client_name=B))).is_ok()
        assert a.process_mqtt_disconnected(_notice(MQTTDisconnectPayload(client_name=B))).is_err()
        fed = Message[Any](Src=B, Dst="d1-a", MessageId="fed", Payload=Note())
        packet = MQTTMessageModel(topic=fed.mqtt_topic(), payload=CODEC.encode(fed))
        result = a.process_mqtt_message(
            _notice(MQTTReceiptPayload(client_name=B, message=packet))
        ).unwrap()
        assert (result.old_state, result.new_state) == (StateName.active, StateName.active)
        assert [message.Header.MessageId for message in heard.messages] == ["fed"]
        wanting = Message[Any](Src=B, MessageId="w", AckRequired=True, Payload=Ping())
        a.send_ack(B, wanting)


@contextlib.asynccontextmanager
async def in_memory(acked: list[str]) -> AsyncIterator[OutgoingEvents]:
    events = OutgoingEvents(
        MemoryStore(),
        Outbox(),
        on_stored=lambda _: None,
        on_acked=lambda ref: acked.append(ref.event_id),
        report=lambda *_: None,
    )
    await events.open()
    writer = asyncio.create_task(events.run())
    try:
        yield events
    finally:
        await events.close()
        await asyncio.wait([writer])


@contextlib.asynccontextmanager
async def acking(broker: AnyBroker) -> AsyncIterator[Recorder]:
    """B's side: whatever wants an ack gets it."""
    heard = Recorder()
    b = manager(B, listener=heard)
    heard.acknowledge = b.add_mqtt_link(A, broker_from_url(broker.url), CODEC).acknowledge
    async with started(b):
        yield heard


def event_types(heard: Recorder) -> list[str]:
    """The TypeNames of the events received, without what they have in common."""
    prefix = "gridworks.event."
    return [each.Header.MessageType.removeprefix(prefix) for each in heard.messages]


CAME_UP = ["comm.mqtt.connect", "comm.mqtt.fully.subscribed", "comm.peer.active"]


async def test_events_go_to_whom_keeps_them(broker: AnyBroker) -> None:
    acked: list[str] = []
    async with in_memory(acked) as events, acking(broker) as heard:
        a = manager(A, event_persister=events)
        a.add_mqtt_link(B, broker_from_url(broker.url), CODEC, upstream=True)
        async with started(a), asyncio.timeout(WAIT_SECONDS):
            await a[B].wait_for("active")
            assert a.generate_event(AnyEvent(MessageId="e")) == Ok(True)
            assert a.num_pending >= 1
            await until(lambda: a.num_reuploaded_unacked == 0 and a.num_pending == 0)
            assert a.get_reuploads_str() == (
                "Reuploads: 0 pending, 0 unacked; 0 events in all, upstream active"
            )
            assert not a.reuploading()
        assert acked[-1] == "e"
        # What happened before an event is told before it.
        assert event_types(heard) == [*CAME_UP, "data"]
        assert {each.Payload.Src for each in heard.messages} == {A}
        refused = a.generate_event(AnyEvent(MessageId="x" * 100, n="x" * 2_000_000))
        assert "too large" in str(refused.err())


async def test_a_persister_keeps_events_from_one_run_to_the_next(
    broker: AnyBroker, tmp_path: Path
) -> None:
    config = broker_from_url(broker.url)
    a = manager(A, event_persister=TimedRollingFilePersister(tmp_path))
    a.add_mqtt_link(B, config, CODEC, upstream=True)
    assert "while the node is running" in str(a.generate_event(AnyEvent()).err())
    async with started(a):
        await a[B].wait_for("awaiting_peer", timeout_seconds=WAIT_SECONDS)
        a.generate_event(AnyEvent(MessageId="e")).unwrap()
        assert a.num_reupload_pending == 0
        assert a.stop() == Ok(True)
        assert a.stopped(B)
    assert a.num_pending == 4

    a = manager(A, event_persister=TimedRollingFilePersister(tmp_path))
    a.add_mqtt_link(B, config, CODEC, upstream=True)
    async with acking(broker) as heard, started(a), asyncio.timeout(WAIT_SECONDS):
        await a[B].wait_for("active")
        a.events.flush()
        await until(lambda: len(heard.messages) == 8 and a.num_pending == 0)
        assert a.stats.link(B).reupload_counts == ReuploadCounts(started=1, completed=1)
    first = ["startup", *CAME_UP[:2], "data"]
    assert event_types(heard) == [*first, "startup", *CAME_UP]
    assert heard.messages[3].Header.MessageId == "e"
    persister = TimedRollingFilePersister(tmp_path)
    persister.reindex().unwrap()
    assert persister.pending_ids() == []


class CountingTimers(AsyncioTimerManager):
    """Counts the timers that were started."""

    started = 0

    def start_timer(self, delay_seconds: float, callback: Callable[[], None]) -> Any:
        self.started += 1
        return super().start_timer(delay_seconds, callback)


async def test_it_takes_what_the_reference_takes_in_that_order(
    broker: AnyBroker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "t")
    settings = ProactorSettings.without_environment(mqtt_link_poll_seconds=7, ack_timeout_seconds=3)
    logger = ProactorLogger("t", "t.messages", "t.life", "t.comm")
    stats, timers = ProactorStats(), CountingTimers()
    persister = SimpleDirectoryWriter(tmp_path)
    a = LinkManager(A, settings, logger, stats, persister, timers, lambda _wait: None)
    link = a.add_mqtt_link(B, broker_from_url(broker.url), CODEC, True, True)
    assert (link.settings.poll_seconds, link.settings.ack_timeout_seconds) == (7, 3)
    a.start(asyncio.get_running_loop(), asyncio.Queue())
    await link.wait_for("awaiting_peer", timeout_seconds=WAIT_SECONDS)
    assert a.stop() == Ok(True)
    await a.join()
    told = [each.getMessage() for each in caplog.records if each.name == "t.comm"]
    assert "awaiting_setup_and_peer -- mqtt_suback --> awaiting_peer" in told[2]
    assert timers.started
    assert stats.link(B).comm_event_counts["gridworks.event.comm.mqtt.connect"] == 1


async def test_a_persister_that_does_not_work_ends_the_links(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    a = manager(A, event_persister=TimedRollingFilePersister(tmp_path / "file"))
    a.start()
    with pytest.raises(StoreError):
        await a.join()
    assert isinstance(a.stop(), Err)


async def test_what_a_full_queue_does_not_take_is_told(
    broker: AnyBroker, caplog: pytest.LogCaptureFixture
) -> None:
    queue: asyncio.Queue[Any] = asyncio.Queue(maxsize=1)
    config = broker_from_url(broker.url)
    a, b = manager(A), manager(B)
    a.add_mqtt_link(B, config, CODEC)
    b.add_mqtt_link(A, config, CODEC)
    async with started(a), started(b, queue=queue):
        await a[B].wait_for("active", timeout_seconds=WAIT_SECONDS)
        for number in range(3):
            message = Message[Any](Src=A, MessageId=f"{number}", Payload=Note())
            a.publish_message(B, message)  # names no receiver, and goes to the peer
        await until(lambda: b.stats.link(A).num_received_by_type["test.note"] == 3)
    assert queue.get_nowait().Header.MessageId == "0"
    assert caplog.text.count("the queue is full; 1 messages were dropped") == 1


async def test_links_by_the_methods_of_mqtt_clients(broker: AnyBroker) -> None:
    async with a_pair(broker) as (a, _):
        client = a.mqtt_client_wrapper(B)
        assert client.connected()
        assert client.subscribed()
        assert client.subscription_items() == [("gw/d1-b/to/d1-a/#", 0)]
        assert client.subscribe("further/+", 1)[0] == 0
        await a[B].subscribed("further/+", timeout_seconds=WAIT_SECONDS)
        assert (client.num_subscriptions(), client.num_pending_subscriptions()) == (2, 0)
        assert client.publish("somewhere", b"bytes", 1).rc == 0
        assert client.unsubscribe("further/+")[0] == 0
        assert a.mqtt_clients().upstream().name == a.mqtt_clients().primary_peer().name == B
        for refused in (client.start, client.stop):
            with pytest.raises(UsageError, match="LinkManager"):
                refused()
        with pytest.raises(UsageError, match="add_mqtt_link"):
            a.mqtt_clients().add_client("x", MQTTClient())
    assert client.publish("somewhere", b"", 0).rc == 4
    assert client.subscribe_all() == (4, None)


async def test_subscriptions_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    a = manager(A)
    a.add_mqtt_link(B, MQTTClient())
    a.subscribe(B, "x/y", 0)
    with caplog.at_level(logging.INFO, "gwproactor"):
        a.log_subscriptions("tag ")
    assert "tag d1.b: x/y is unsent" in caplog.text


async def test_each_mistake_is_named() -> None:
    a = manager(A)
    assert a.stop() == Ok(True)
    a.add_mqtt_link(B, MQTTClient(), primary_peer=True)
    with pytest.raises(UsageError, match="primary peer already"):
        a.add_mqtt_link("d1.c", MQTTClient(), primary_peer=True)
    for ask in (a.subscribed, a.get_message_times, a.update_recv_time, a.__getitem__):
        with pytest.raises(CommLinkMissing):
            ask("unknown")
    assert a.num_acks("unknown") == 0
    a.process_ack("unknown", "m")
    assert a.subscribe(B, "t", 0) == (4, None)
    with pytest.raises(UsageError, match="no upstream link"):
        a.publish_upstream(Note())
    with pytest.raises(UsageError, match="no upstream link"):
        a.post_event(AnyEvent())
    with pytest.raises(ConnectionLostError):
        a.publish_message(B, Message[Any](Src=A, Dst="b", Payload=Note()))
    await a.remove(B)
    assert a.primary_peer_client == ""
    assert not a.stats.has_link(B)
    a.add_mqtt_link(B, MQTTClient(host="127.0.0.1", port=1), upstream=True)
    with pytest.raises(UsageError, match="no event_persister"):
        a.post_event(AnyEvent())
    async with started(a):
        with pytest.raises(UsageError, match="started already"):
            a.start()
    assert a.stop() == Ok(True)


def _notice(payload: Any) -> Message[Any]:
    return Message[Any](Src=B, Payload=payload)
