import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gwproactor.config.mqtt import MQTTClient, broker_from_url
from gwproactor.errors import UsageError
from gwproactor.links.core import backoff
from gwproactor.links.manager.mqtt_client import MQTTClientWrapper
from gwproactor.links.manager.mqtt_clients import MQTTClients
from gwproactor.links.manager.mqtt_notices import (
    MQTTConnectFailPayload,
    MQTTConnectPayload,
    MQTTDisconnectPayload,
    MQTTReceiptPayload,
    MQTTSubackPayload,
)
from gwproactor.links.mqtt.aiomqtt_transport import connect_with_aiomqtt
from gwproactor.links.transport import Connection, ConnectOptions
from gwproactor.wire.envelope import Message
from gwproactor_test.broker import Broker
from gwproactor_test.brokers import AnyBroker
from gwproactor_test.clients import until
from gwproactor_test.relay import Relay


class Notices:
    """A receive queue that keeps everything and can wait for a kind of notice."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Message[Any]] = asyncio.Queue()

    def put(self, item: Message[Any], /) -> None:
        self.queue.put_nowait(item)

    async def next(self, kind: type[Any]) -> Any:
        async with asyncio.timeout(10):
            while not isinstance(payload := (await self.queue.get()).Payload, kind):
                pass
        return payload


@contextlib.asynccontextmanager
async def running(client: MQTTClientWrapper) -> AsyncIterator[None]:
    client.start()
    try:
        yield
    finally:
        client.stop()
        await client.join()


async def test_it_tells_all_that_happens_and_comes_back(broker: AnyBroker, relay: Relay) -> None:
    notices = Notices()
    client = MQTTClientWrapper("c", broker_from_url(relay.url), notices)
    assert client.subscribe("a/+", 1) == (4, None)
    async with running(client):
        assert (await notices.next(MQTTConnectPayload)).rc == 0
        suback = await notices.next(MQTTSubackPayload)
        assert (suback.granted_qos, suback.num_pending_subscriptions) == ((1,), 0)
        assert client.handle_suback(suback) == 0
        assert client.subscribed()
        assert client.publish("a/b", b"\x00\xff", 1).rc == 0
        receipt = await notices.next(MQTTReceiptPayload)
        assert (receipt.client_name, receipt.message.topic, receipt.message.payload) == (
            ("c", "a/b", b"\x00\xff")
        )
        await relay.cut()
        assert (await notices.next(MQTTDisconnectPayload)).rc != 0
        await notices.next(MQTTSubackPayload)
        assert client.subscription_items() == [("a/+", 1)]
        rc, mid = client.subscribe("b", 0)
        assert (rc, (await notices.next(MQTTSubackPayload)).mid) == (0, mid)
        assert client.unsubscribe("b")[0] == 0
        assert (client.num_subscriptions(), client.num_pending_subscriptions()) == (1, 0)
    assert (await notices.next(MQTTDisconnectPayload)).rc == 0
    assert not client.connected()


async def test_a_queue_of_asyncio_serves_as_it_is(embedded_broker: Broker) -> None:
    queue: asyncio.Queue[Message[Any]] = asyncio.Queue()
    client = MQTTClientWrapper("c", broker_from_url(embedded_broker.url), queue)
    async with running(client):
        notice = await asyncio.wait_for(queue.get(), 10)
    assert isinstance(notice.Payload, MQTTConnectPayload)


async def test_nobody_there_is_told_with_the_reason_and_publishing_says_so() -> None:
    notices = Notices()
    client = MQTTClientWrapper("c", MQTTClient(host="127.0.0.1", port=1), notices)
    async with running(client):
        failed = await notices.next(MQTTConnectFailPayload)
        assert "connection refused" in failed.reason
        assert client.publish("a", b"", 0).rc == 4
        assert client.unsubscribe("a") == (4, None)
        with pytest.raises(UsageError, match="runs already"):
            client.start()


@pytest.mark.parametrize(
    ("topic", "qos", "said"), [("a/#/b", 0, "no topic filter"), ("a", 3, "QoS 3")]
)
def test_what_cannot_be_subscribed_to_is_refused(topic: str, qos: int, said: str) -> None:
    client = MQTTClientWrapper("c", MQTTClient(), Notices())
    with pytest.raises(UsageError, match=said):
        client.subscribe(topic, qos)
    assert client.num_subscriptions() == 0


async def test_a_derived_class_hears_at_once(broker: AnyBroker) -> None:
    class Derived(MQTTClientWrapper):
        def on_message(self, _: Any, userdata: Any, message: Any) -> None:
            heard.append(message.payload)
            if len(heard) == 1:
                raise ValueError("is logged, and costs nothing")

    heard: list[bytes] = []
    notices = Notices()
    client = Derived("c", broker_from_url(broker.url), notices)
    client.subscribe("a", 0)
    async with running(client):
        await notices.next(MQTTSubackPayload)
        for payload in (b"x", b"y"):
            client.publish("a", payload, 0)
        await until(lambda: heard == [b"x", b"y"])


async def test_what_the_broker_refuses_is_asked_for_again_on_the_same_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backoff, "RETRY_FIRST_SECONDS", 0.01)
    monkeypatch.setattr(backoff, "RETRY_CEILING_SECONDS", 0.02)
    allowed, notices = {"a"}, Notices()
    async with Broker(refuse_subscription=lambda _, topic: topic not in allowed) as broker:
        client = MQTTClientWrapper("c", broker_from_url(broker.url), notices)
        for topic in ("a", "b", "c"):
            client.subscribe(topic, 1)
        async with running(client):
            first = await notices.next(MQTTSubackPayload)
            assert first.granted_qos == (1, 0x87, 0x87)
            assert (first.num_pending_subscriptions, client.subscribed()) == (2, False)
            again = await notices.next(MQTTSubackPayload)
            assert again.granted_qos[0] == 0x87
            assert again.mid > first.mid
            client.unsubscribe("c")
            allowed.add("b")
            await until(client.subscribed)
            told = [notices.queue.get_nowait().Payload for _ in range(notices.queue.qsize())]
            assert {type(each) for each in told} == {MQTTSubackPayload}
            assert (told[-1].granted_qos, told[-1].num_pending_subscriptions) == ((1,), 0)


async def test_what_was_refused_is_no_affair_of_a_lost_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backoff, "RETRY_FIRST_SECONDS", 0.01)
    notices = Notices()
    async with Broker(refuse_subscription=lambda *_: True) as broker:
        client = MQTTClientWrapper("c", broker_from_url(broker.url), notices)
        client.subscribe("a", 1)
        async with running(client):
            await notices.next(MQTTSubackPayload)
            await broker.stop()
            await notices.next(MQTTDisconnectPayload)
            assert client._subscriptions._retry._handle is None
            assert client.subscribe_all() == (4, None)
            await broker.start()
            await notices.next(MQTTSubackPayload)


async def test_a_fault_of_ours_does_not_end_it(
    embedded_broker: Broker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(backoff, "RETRY_FIRST_SECONDS", 0.01)
    failures = iter([RuntimeError("once"), asyncio.CancelledError("that nobody asked for")])

    @contextlib.asynccontextmanager
    async def connect(config: MQTTClient, options: ConnectOptions) -> AsyncIterator[Connection]:
        async with connect_with_aiomqtt(config, options) as connection:
            for failure in failures:
                raise failure
            try:
                yield connection
            finally:
                raise RuntimeError("while it is being stopped")

    notices = Notices()
    connector: Any = connect
    config = broker_from_url(embedded_broker.url)
    client = MQTTClientWrapper("c", config, notices, connector=connector)
    with caplog.at_level(logging.ERROR, "gwproactor"):
        async with running(client):
            await notices.next(MQTTConnectPayload)
    assert caplog.text.count("after a fault of this program") == 3
    assert client._task is not None
    assert client._task.cancelled()


async def test_a_set_of_clients_shares_one_queue(
    broker: AnyBroker, caplog: pytest.LogCaptureFixture
) -> None:
    clients, queue = MQTTClients(), asyncio.Queue[Any](3)
    config = broker_from_url(broker.url)
    clients.add_client("up", config, upstream=True)
    clients.add_client("peer", config, primary_peer=True)
    clients.enable_loggers()
    with pytest.raises(UsageError, match="'up' already"):
        clients.add_client("up", config)
    with pytest.raises(UsageError, match="upstream client already"):
        clients.add_client("other", config, upstream=True)
    with pytest.raises(UsageError, match="primary peer's client already"):
        clients.add_client("other", config, primary_peer=True)
    with pytest.raises(UsageError, match="clients: peer, up"):
        clients.client_wrapper("unknown")
    assert (clients.upstream().name, clients.primary_peer().name) == ("up", "peer")
    with caplog.at_level(logging.DEBUG, "gwproactor"):
        clients.start(asyncio.get_running_loop(), queue)
        late = clients.add_client("late", config)
        names = {(await asyncio.wait_for(queue.get(), 10)).Header.Src for _ in range(3)}
    assert names == {"up", "peer", "late"}
    assert late.connected()
    assert "MQTTConnectPayload" in caplog.text
    clients.disable_loggers()
    assert clients.subscribe("up", "a", 0)[0] == 0
    assert clients.num_subscriptions("up") == 1
    with caplog.at_level(logging.WARNING, "gwproactor"):
        queue.put_nowait("so that three losses find no room")
        clients.stop()
        await clients.join()
    assert "notices are dropped" in caplog.text
    assert not clients.connected("up")
