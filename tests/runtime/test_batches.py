"""Events in batches, from one proactor to another: watched on the broker by somebody else."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from gwproactor.config.events import EventSettings
from gwproactor.config.link import LinkSettings
from gwproactor.config.mqtt import MQTTVersion, broker_from_url
from gwproactor.config.proactor import ProactorSettings
from gwproactor.events.incoming import ReceivedEvent
from gwproactor.links.core.link_state import StateName
from gwproactor.runtime.proactor import Proactor
from gwproactor.wire.payloads import AnyEvent
from gwproactor_test.brokers import AnyBroker
from gwproactor_test.clients import client_of, until

CHILD, PARENT = "d1.site.scada", "d1.site"
SECONDS = 15.0
PLAIN = "gw/d1-site-scada/to/p/gridworks-event-data"
BATCH = "gw/d1-site-scada/to/p/gwproactor-batch"


class Node(Proactor):
    """One side: keeps the ids of the events that it is given, while it may."""

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        url: str,
        protocol: MQTTVersion = MQTTVersion.v5,
        link: dict[str, Any] | None = None,
        **events: Any,
    ) -> None:
        super().__init__(name, ProactorSettings(events=EventSettings(folder=folder, **events)))
        self.ids: list[str] = []
        self.may_handle = asyncio.Event()
        self.may_handle.set()
        is_child = name == CHILD
        self.peer = self.add_link(
            LinkSettings(
                peer_name=PARENT if is_child else CHILD,
                peer_short_name="p" if is_child else "s",
                subscription_name="s" if is_child else "p",
                upstream=is_child,
                downstream=not is_child,
                brokers=(broker_from_url(url, protocol=protocol),),
                **(link or {}),
            )
        )

    async def process_event(self, event: ReceivedEvent) -> None:
        await self.may_handle.wait()
        self.ids.append(event.event_id)

    def numbered(self) -> list[str]:
        """The application's events, which begin with `n`."""
        return [event_id for event_id in self.ids if event_id.startswith("n")]

    async def post(self, count: int, first: int = 0) -> list[str]:
        ids = [f"n{number}" for number in range(first, first + count)]
        for event_id in ids:
            self.post_event(AnyEvent(MessageId=event_id, Text="x" * 100))
        async with asyncio.timeout(SECONDS):
            await self.all_events_acked()
        return ids


@contextlib.asynccontextmanager
async def watched(broker: AnyBroker) -> AsyncIterator[Counter[str]]:
    """How many messages went over the broker, by topic."""
    topics: Counter[str] = Counter()

    async def watch(client: aiomqtt.Client) -> None:
        async for message in client.messages:
            topics[str(message.topic)] += 1

    async with client_of(broker) as client:
        await client.subscribe("gw/#")
        watching = asyncio.create_task(watch(client))
        try:
            yield topics
        finally:
            watching.cancel()
            await asyncio.wait([watching])


async def active(*nodes: Node) -> None:
    async with asyncio.timeout(SECONDS):
        for node in nodes:
            await node.peer.wait_for(StateName.active)


async def test_many_events_travel_in_few_messages(broker: AnyBroker, tmp_path: Path) -> None:
    async with (
        watched(broker) as topics,
        Node(PARENT, tmp_path / "p", url=broker.url) as parent,
        Node(CHILD, tmp_path / "c", url=broker.url) as child,
    ):
        await active(child, parent)
        ids = await child.post(2000)
        await until(lambda: parent.numbered() == ids)
    assert topics[BATCH] > 0
    assert topics[BATCH] + topics[PLAIN] < 200


async def test_one_event_goes_by_itself(broker: AnyBroker, tmp_path: Path) -> None:
    async with (
        watched(broker) as topics,
        Node(PARENT, tmp_path / "p", url=broker.url) as parent,
        Node(CHILD, tmp_path / "c", url=broker.url) as child,
    ):
        await active(child, parent)
        for number in range(20):
            await child.post(1, number)
        await until(lambda: len(parent.numbered()) == 20)
    assert topics[PLAIN] == 20


@pytest.mark.parametrize(
    "parent_options",
    [{"protocol": MQTTVersion.v311}, {"batches": False}, {"durability": "none"}],
    ids=["3.1.1", "not wanted", "inbox in memory"],
)
async def test_a_peer_that_takes_no_batches_gets_plain_messages(
    broker: AnyBroker, tmp_path: Path, parent_options: dict[str, Any]
) -> None:
    async with (
        watched(broker) as topics,
        Node(PARENT, tmp_path / "p", url=broker.url, **parent_options) as parent,
        Node(CHILD, tmp_path / "c", url=broker.url) as child,
    ):
        await active(child, parent)
        ids = await child.post(300)
        await until(lambda: parent.numbered() == ids)
        await until(lambda: topics[PLAIN] == 300)
    assert topics[BATCH] == 0


async def test_a_node_that_wants_no_batches_sends_none(broker: AnyBroker, tmp_path: Path) -> None:
    async with (
        watched(broker) as topics,
        Node(PARENT, tmp_path / "p", url=broker.url) as parent,
        Node(CHILD, tmp_path / "c", url=broker.url, batches=False) as child,
    ):
        await active(child, parent)
        ids = await child.post(300)
        await until(lambda: parent.numbered() == ids)
    assert topics[BATCH] == 0


async def test_a_peer_replaced_by_one_without_batches_gets_plain_messages(
    broker: AnyBroker, tmp_path: Path
) -> None:
    quick = {"ack_timeout_seconds": 0.5, "poll_seconds": 0.5}
    async with Node(CHILD, tmp_path / "c", url=broker.url, link=quick) as child:
        async with Node(PARENT, tmp_path / "p", url=broker.url) as parent:
            await active(child, parent)
            first = await child.post(300)
            await until(lambda: parent.numbered() == first)
        async with (
            watched(broker) as topics,
            Node(PARENT, tmp_path / "p", url=broker.url, protocol=MQTTVersion.v311) as parent,
        ):
            await active(parent)
            ids = await child.post(300, 300)
            await until(lambda: parent.numbered() == ids)
        assert topics[BATCH] == 0


async def test_what_a_full_inbox_refuses_comes_when_there_is_room(
    broker: AnyBroker, tmp_path: Path
) -> None:
    quick = {"ack_timeout_seconds": 0.3, "poll_seconds": 0.3}
    async with (
        Node(PARENT, tmp_path / "p", url=broker.url, max_bytes=30_000) as parent,
        Node(CHILD, tmp_path / "c", url=broker.url, link=quick) as child,
    ):
        await active(child, parent)
        parent.may_handle.clear()
        posting = asyncio.create_task(child.post(500))
        await child.peer.wait_for(StateName.awaiting_peer)  # what is refused is not acknowledged
        parent.may_handle.set()
        ids = await posting
        await until(lambda: sorted(parent.numbered()) == sorted(ids))
