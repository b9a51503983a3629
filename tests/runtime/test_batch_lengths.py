"""Batches that are too long for a broker, and answers that come late."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from gwproactor.events.store import EventRef, StoredEvent
from gwproactor.links.core.link_state import Transition
from gwproactor.runtime.observer import Observer
from gwproactor.wire.payloads import AnyEvent
from gwproactor_test.broker import Limits
from gwproactor_test.brokers import AnyBroker, MakeBroker
from gwproactor_test.clients import until
from gwproactor_test.mosquitto import Mosquitto
from gwproactor_test.relay import Relay
from tests.runtime.test_batches import BATCH, CHILD, PARENT, Node, active, watched

LIMIT_BYTES = 20_000


class Losses(Observer):
    """Counts how often a link left `active`."""

    def __init__(self) -> None:
        self.count = 0

    def link_transitioned(self, transition: Transition) -> None:
        self.count += transition.deactivated()


async def test_a_batch_longer_than_the_broker_says_it_takes_goes_in_shorter_ones(
    make_broker: MakeBroker, tmp_path: Path
) -> None:
    broker = await make_broker(limits=Limits(packet_bytes=LIMIT_BYTES))
    losses = Losses()
    async with (
        watched(broker) as topics,
        Node(PARENT, tmp_path / "p", url=broker.url) as parent,
        Node(CHILD, tmp_path / "c", url=broker.url) as child,
    ):
        await active(child, parent)
        child.observe(losses)
        ids = await child.post(2000)
        await until(lambda: parent.numbered() == ids)
        assert losses.count == 0
    assert topics[BATCH] > 0


async def test_a_batch_that_the_broker_drops_without_a_word_makes_the_next_ones_shorter(
    needs_mosquitto: None, tmp_path: Path
) -> None:
    """Mosquitto's `message_size_limit` is announced to nobody."""
    losses = Losses()
    async with (
        Mosquitto(settings={"message_size_limit": str(LIMIT_BYTES)}) as broker,
        watched(broker) as topics,
        Node(PARENT, tmp_path / "p", url=broker.url) as parent,
        Node(CHILD, tmp_path / "c", url=broker.url, link={"ack_timeout_seconds": 0.5}) as child,
    ):
        await active(child, parent)
        child.observe(losses)
        ids = await child.post(4000)
        await until(lambda: sorted(parent.numbered()) == sorted(ids))
        more = await child.post(4000, 4000)
        await until(lambda: sorted(parent.numbered()) == sorted([*ids, *more]))
        # Halved from 262,144 bytes to 16,384; without that each few hundred events cost one.
        assert 0 < losses.count <= 15
    assert topics[BATCH] > 0


async def test_an_answer_on_a_later_connection_still_acknowledges(
    broker: AnyBroker, tmp_path: Path
) -> None:
    async with (
        Relay(broker.port) as relay,
        Node(PARENT, tmp_path / "p", url=broker.url) as parent,
        Node(CHILD, tmp_path / "c", url=relay.url) as child,
    ):
        await active(child, parent)
        await child.post(300)  # the window is wide now
        await until(lambda: parent._events.incoming.pending_count == 0)
        may_commit = hold_commits(parent)
        tickets = [child.post_event(AnyEvent(MessageId=f"n{300 + n}")) for n in range(50)]
        # All have come: what a cut takes with it nobody sends again while events are held.
        await until(lambda: parent._events.incoming.pending_count >= 50)
        child.hold_events()  # so that only the answer can acknowledge
        losses = Losses()
        child.observe(losses)
        await relay.cut(reset=True)
        await until(lambda: losses.count >= 1 and child.peer.active)
        may_commit.set()
        async with asyncio.timeout(15):
            for ticket in tickets:
                await ticket.acked()
        await until(lambda: parent.numbered() == [f"n{n}" for n in range(350)])


def hold_commits(node: Node) -> asyncio.Event:
    """Let the inbox of a node wait before it writes, until what is returned is set."""
    writer = node._events.incoming._writer
    may_commit, commit = asyncio.Event(), writer._commit

    async def held(puts: Sequence[StoredEvent], removals: Sequence[EventRef]) -> None:
        await may_commit.wait()
        await commit(puts, removals)

    writer._commit = held
    return may_commit
