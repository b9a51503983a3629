"""A link with an unmodified node of the predecessor, over Mosquitto, in both roles.

The predecessor runs in an environment of its own, since its packages have the names of ours, and
prints its transitions, and the acks that it takes, as `gwproactor node` does. What it makes of the
wire format counts here, not what we think that it does.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiomqtt
import pytest

from benchmarks.contestants import Role, predecessor_command
from gwproactor_test.clients import client_of, until
from gwproactor_test.mosquitto import Mosquitto
from gwproactor_test.nodes import Acked, Event, NodeProcess, Problem, Stored

CHILD = ("--name", "bench.child", "--short", "s", "--peer", "bench.parent", "--peer-short", "a")
PARENT = ("--name", "bench.parent", "--short", "a", "--peer", "bench.child", "--peer-short", "s")
# A peer that was killed says nothing: its silence is noticed by a ping, soon.
QUICK = ("--ack-timeout", "0.5", "--poll", "0.5")
STARTUP = "gridworks.event.startup"
# What the predecessor's child tells its parent when it comes up.
BEGINNING = {
    STARTUP,
    "gridworks.event.comm.mqtt.connect",
    "gridworks.event.comm.mqtt.fully.subscribed",
    "gridworks.event.comm.peer.active",
}

pytestmark = pytest.mark.usefixtures("needs_peer")


class Pair:
    """Starts the nodes of one test, ours and theirs; each keeps its folder when it starts again."""

    def __init__(self, broker: Mosquitto, folder: Path, stack: AsyncExitStack) -> None:
        self._broker = broker
        self._folder = folder
        self._stack = stack

    async def ours(self, role: Role) -> NodeProcess:
        """Start `gwproactor node`."""
        names = (*CHILD, "--upstream") if role == "child" else (*PARENT, "--downstream")
        place = ("--broker", self._broker.url, "--data", str(self._folder / "ours"), "--follow")
        return await self._stack.enter_async_context(NodeProcess(*names, *place, *QUICK))

    async def theirs(self, role: Role) -> NodeProcess:
        """Start a node of the predecessor."""
        command = predecessor_command(role, self._broker.port, self._folder / "theirs")
        return await self._stack.enter_async_context(NodeProcess(command=command))


@pytest.fixture
async def pair(mosquitto: Mosquitto, tmp_path: Path) -> AsyncIterator[Pair]:
    async with AsyncExitStack() as stack:
        yield Pair(mosquitto, tmp_path, stack)


async def killed(node: NodeProcess) -> None:
    node.kill()
    await node.died()


async def send_and_see_acked(child: NodeProcess, number: int) -> None:
    await child.send({"MessageId": f"event {number}", "n": number})
    await child.wait(Acked, lambda line: line.id == f"event {number}")


def types_of(parent: NodeProcess) -> set[str]:
    return {event.payload["TypeName"] for event in parent.of(Event)}


def started(parent: NodeProcess) -> list[str]:
    """Ids of the startup events that have arrived."""
    return [event.id for event in parent.of(Event) if event.payload["TypeName"] == STARTUP]


async def test_our_child_with_their_parent(pair: Pair) -> None:
    child, parent = await pair.ours("child"), await pair.theirs("parent")
    await child.wait_active()
    await parent.wait_active()
    await send_and_see_acked(child, 1)

    await killed(parent)
    await child.until(lambda: child.state == "awaiting_peer")
    await child.send({"MessageId": "event 2"})
    await child.wait(Stored, lambda line: line.id == "event 2")
    parent = await pair.theirs("parent")
    await parent.wait_active()
    await child.wait(Acked, lambda line: line.id == "event 2")
    await child.wait_active()

    await killed(child)
    child = await pair.ours("child")
    await child.wait_active()
    await send_and_see_acked(child, 3)
    assert parent.state == "active"
    assert child.of(Problem) == []


async def test_they_never_see_a_batch_however_many_events_wait(
    pair: Pair, mosquitto: Mosquitto
) -> None:
    child = await pair.ours("child")
    for number in range(300):
        await child.send({"MessageId": f"event {number}", "n": number})
    await child.until(lambda: len(child.of(Stored)) == 300)
    topics: Counter[str] = Counter()

    async def watch(client: aiomqtt.Client) -> None:
        async for message in client.messages:
            topics[str(message.topic).rpartition("/")[2]] += 1

    async with client_of(mosquitto) as client:
        await client.subscribe("gw/#")
        watching = asyncio.create_task(watch(client))
        parent = await pair.theirs("parent")
        await parent.wait_active()
        ours = {f"event {number}" for number in range(300)}
        await child.until(lambda: ours <= set(child.ids(Acked)))
        await send_and_see_acked(child, 300)
        await until(lambda: topics["gridworks-event-data"] >= 301)  # the witness may be behind
        watching.cancel()
        await asyncio.wait([watching])
    assert not [name for name in topics if name.startswith("gwproactor")]
    assert parent.of(Problem) == []


async def test_their_child_with_our_parent(pair: Pair) -> None:
    child, parent = await pair.theirs("child"), await pair.ours("parent")
    await child.wait_active()
    await parent.wait_active()
    await parent.until(lambda: types_of(parent) >= BEGINNING)
    assert {event.payload["Src"] for event in parent.of(Event)} == {"bench.child"}
    seen = parent.ids(Event)
    assert len(set(seen)) == len(seen)
    first_start = started(parent)
    await child.until(lambda: set(child.ids(Acked)) >= set(seen), "every event acked")

    # Stopped in order, it has marked what it printed: nothing is printed again.
    parent.terminate()
    assert await parent.exited() == 0
    parent = await pair.ours("parent")
    await parent.wait_active()

    await killed(child)
    await parent.until(lambda: parent.state == "awaiting_peer")
    child = await pair.theirs("child")
    await child.wait_active()
    await parent.wait_active()
    await parent.until(lambda: len(started(parent)) == 1)
    assert started(parent) != first_start
    await child.until(lambda: set(child.ids(Acked)) >= set(parent.ids(Event)), "every event acked")
    assert not set(seen) & set(parent.ids(Event))
    assert parent.of(Problem) == []
