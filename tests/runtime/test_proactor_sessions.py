"""Proactors whose broker keeps their sessions: QoS 1 until a message was processed."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from gwproactor.config.link import LinkSettings
from gwproactor.config.mqtt import broker_from_url
from gwproactor.config.proactor import ProactorSettings
from gwproactor.links.link import Link
from gwproactor.links.received_message import ReceivedMessage
from gwproactor.runtime import mailbox
from gwproactor.runtime.proactor import Proactor
from gwproactor.wire.codec import WireCodec
from gwproactor.wire.envelope import Message
from gwproactor_test.brokers import AnyBroker
from gwproactor_test.clients import until

CHILD, PARENT = "d1.site.scada", "d1.site"
SECONDS = 10.0
KEPT = {"qos": 1, "session_expiry_seconds": 3600}


class Order(BaseModel):
    """A message of the application."""

    Number: int
    TypeName: Literal["test.order"] = "test.order"


class Child(Proactor):
    """Notes the orders it gets; fails with those that it is told to, or never ends with them."""

    def __init__(self, url: str, **values: Any) -> None:
        super().__init__(CHILD, ProactorSettings(**values))
        self.orders: list[int] = []
        self.failures = 0
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.to_parent = self.add_link(
            LinkSettings(
                peer_name=PARENT,
                peer_short_name="p",
                subscription_name="s",
                brokers=(broker_from_url(url),),
                **KEPT,
            ),
            codec=WireCodec([Order]),
        )

    async def process_message(self, message: Message[Any]) -> None:
        number = message.Payload.Number
        self.orders.append(number)
        await self.may_end.wait()
        if self.failures:
            self.failures -= 1
            raise ValueError("cannot")


@contextlib.asynccontextmanager
async def parent_of(url: str) -> AsyncIterator[Link]:
    proactor = Proactor(PARENT, ProactorSettings())
    link = proactor.add_link(
        LinkSettings(
            peer_name=CHILD,
            peer_short_name="s",
            subscription_name="p",
            qos=1,
            brokers=(broker_from_url(url),),
        ),
        codec=WireCodec([Order]),
    )
    async with proactor:
        yield link


async def order(link: Link, *numbers: int, **options: Any) -> None:
    """Send orders, and return when the broker has them: it takes packets in their order."""
    for number in numbers:
        link.send(Order(Number=number), ack_required=False, **options)
    link.subscribe(f"fence/{numbers[-1]}")
    await link.subscribed(f"fence/{numbers[-1]}", timeout_seconds=SECONDS)


async def test_what_a_stopped_node_did_not_process_comes_to_the_next_run(
    broker: AnyBroker,
) -> None:
    async with parent_of(broker.url) as to_child:
        child = Child(broker.url)
        child.may_end.clear()
        async with child:
            await child.to_parent.wait_for(timeout_seconds=SECONDS)
            await order(to_child, 1, 2, 3)
            await until(lambda: child.orders == [1])
        await order(to_child, 4)
        again = Child(broker.url)
        async with again:
            await until(lambda: again.orders == [1, 2, 3, 4])
        third = Child(broker.url)
        async with third:
            await order(to_child, 5)
            await until(lambda: third.orders[-1:] == [5])
            assert third.orders == [5]


async def test_a_handler_that_fails_gets_it_again(
    broker: AnyBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox, "FIRST_RETRY_SECONDS", 0.01)
    child = Child(broker.url)
    child.failures = 2
    async with parent_of(broker.url) as to_child, child:
        await child.to_parent.wait_for(timeout_seconds=SECONDS)
        await order(to_child, 1)
        await until(lambda: child.orders == [1, 1, 1])
        await order(to_child, 2)
        await until(lambda: child.orders == [1, 1, 1, 2])


async def test_a_reconnection_while_it_is_processed_makes_no_second_one(
    broker: AnyBroker,
) -> None:
    child = Child(broker.url)
    child.may_end.clear()
    async with parent_of(broker.url) as to_child, child:
        await child.to_parent.wait_for(timeout_seconds=SECONDS)
        await order(to_child, 1, 2)
        await until(lambda: child.orders == [1])
        await broker.stop()
        await child.to_parent.wait_for("connecting", timeout_seconds=SECONDS)
        await to_child.wait_for("connecting", timeout_seconds=SECONDS)
        await broker.start()
        await to_child.wait_for(timeout_seconds=SECONDS)
        await child.to_parent.wait_for(timeout_seconds=SECONDS)
        await order(to_child, 3)
        child.may_end.set()
        await until(lambda: child.orders[-1:] == [3])
        assert child.orders == [1, 2, 3]


async def test_handlers_get_user_properties_and_content_type(broker: AnyBroker) -> None:
    child, got = Child(broker.url), list[ReceivedMessage]()

    @child.on_received
    async def note(received: ReceivedMessage) -> None:
        got.append(received)

    async with parent_of(broker.url) as to_child, child:
        await child.to_parent.wait_for(timeout_seconds=SECONDS)
        await order(
            to_child,
            1,
            user_properties=(("site", "north"),),
            content_type="application/json",
            expiry_seconds=1000,
        )
        await until(lambda: len(got) == 1)
    packet = got[0].packet
    assert packet.user_properties == (("site", "north"),)
    assert packet.content_type == "application/json"
    assert packet.expiry_seconds in range(990, 1001)
    assert got[0].message.Payload == Order(Number=1)


async def test_a_killed_process_gets_again_what_it_had_not_processed(broker: AnyBroker) -> None:
    """Kill -9 in the midst of a handler; orders that were processed before do not come again."""
    async with parent_of(broker.url) as to_child:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _HANGS_AT_3, str(Path(__file__).parent), broker.url),
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(SECONDS):
                assert await process.stdout.readline() == b"active\n"
                await order(to_child, 1, 2, 3, 4)
                assert await process.stdout.readline() == b"at 3\n"
        finally:
            process.send_signal(signal.SIGKILL)
            await process.wait()
        again = Child(broker.url)
        async with again:
            await until(lambda: again.orders[-1:] == [4])
            assert again.orders == [3, 4]


_HANGS_AT_3 = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from test_proactor_sessions import Child


class Hanging(Child):
    async def process_message(self, message):
        if message.Payload.Number == 3:
            await asyncio.sleep(0.1)  # the acks of the others are on their way by now
            print("at 3", flush=True)
            await asyncio.Event().wait()


async def main():
    child = Hanging(sys.argv[2])
    async with child:
        await child.to_parent.wait_for()
        print("active", flush=True)
        await asyncio.Event().wait()


asyncio.run(main())
"""
