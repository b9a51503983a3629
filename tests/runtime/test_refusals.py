"""Proactors whose peer never takes some of their events."""

import asyncio
from pathlib import Path

import pytest

from gwproactor.boxes.box import Boxes
from gwproactor.boxes.requeue import requeue
from gwproactor.config.mqtt import MQTTVersion
from gwproactor.errors import EventRefusedError
from gwproactor.events.core import doubt, refusals
from gwproactor.wire.payloads import AnyEvent
from gwproactor_test.broker import Limits
from gwproactor_test.brokers import AnyBroker, MakeBroker
from gwproactor_test.clients import until
from tests.runtime.test_batches import CHILD, PARENT, Node, active

LONG = 20_000
SMALL = {"max_payload_bytes": 10_000}
QUICK = {"ack_timeout_seconds": 0.5}
PATIENCE_SECONDS = 50.0
"""Each refusal takes an ack timeout to be noticed, and there are sixteen of them."""


def long_event(number: int) -> AnyEvent:
    return AnyEvent(MessageId=f"n-long-{number}", Text="x" * LONG)


@pytest.mark.parametrize("batches", [True, False])
async def test_events_that_the_peer_refuses_for_ever_hold_up_nobody(
    broker: AnyBroker, tmp_path: Path, batches: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight at the head of one source, more than the first window holds."""
    monkeypatch.setattr(doubt, "_PATIENCE", 3)
    monkeypatch.setattr(refusals, "FIRST_DELAY_SECONDS", 0.1)
    async with Node(
        CHILD, tmp_path / "c", url=broker.url, link=QUICK, send_tries=2, batches=batches
    ) as child:
        tickets = [child.post_event(long_event(number)) for number in range(8)]
        for number in range(100):
            child.post_event(AnyEvent(MessageId=f"n{number}"))
        good = [f"n{number}" for number in range(100)]
        async with Node(PARENT, tmp_path / "p", url=broker.url, link=SMALL) as parent:
            await active(child, parent)
            async with asyncio.timeout(PATIENCE_SECONDS):
                for ticket in tickets:
                    with pytest.raises(EventRefusedError):
                        await ticket.acked()
            await until(lambda: set(parent.numbered()) == set(good))
            assert child.refused_event_count == 8
    assert await asyncio.to_thread(requeue, Boxes(tmp_path / "c"), None) == 8
    async with (
        Node(PARENT, tmp_path / "p", url=broker.url) as parent,
        Node(CHILD, tmp_path / "c", url=broker.url, batches=batches) as child,
    ):
        await until(lambda: len(parent.numbered()) == 8)
        assert parent.numbered() == [f"n-long-{number}" for number in range(8)]


async def test_an_event_on_which_the_broker_closes_the_connection_is_found_and_set_aside(
    make_broker: MakeBroker, tmp_path: Path
) -> None:
    """In MQTT 3.1.1 it has no other way to say that a message is too long."""
    broker = await make_broker(limits=Limits(packet_bytes=LONG))
    old = MQTTVersion.v311
    async with (
        Node(CHILD, tmp_path / "c", url=broker.url, protocol=old) as child,
        Node(PARENT, tmp_path / "p", url=broker.url, protocol=old) as parent,
    ):
        before = [child.post_event(AnyEvent(MessageId=f"n{number}")) for number in range(3)]
        ticket = child.post_event(long_event(0))
        behind = [child.post_event(AnyEvent(MessageId=f"n{number}")) for number in range(3, 20)]
        async with asyncio.timeout(PATIENCE_SECONDS):
            with pytest.raises(EventRefusedError, match="longer than the broker takes"):
                await ticket.acked()
            for each in (*before, *behind):
                await each.acked()
        assert child.refused_event_count == 1
        assert sorted(parent.numbered()) == sorted(f"n{number}" for number in range(20))
