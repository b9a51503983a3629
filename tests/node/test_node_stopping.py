"""How a node ends: in every state within two seconds, with everything pending kept."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gwproactor_test.broker import Broker
from gwproactor_test.brokers import AnyBroker
from gwproactor_test.clients import client_of, until
from gwproactor_test.nodes import (
    NODE_COMMAND,
    Acked,
    Event,
    NodeProcess,
    Ready,
    Stopped,
    Stored,
    Transition,
    child_options,
    parent_options,
)
from gwproactor_test.relay import Relay

STOP_SECONDS = 2.0
"""What the contract grants. Nothing here needs it all: a stop takes some 10 ms to 500 ms."""

THOUSANDS = 2000

LARGE_EVENTS = [{"n": n, "text": "x" * 4000} for n in range(400)]
"""More than a pipe holds and the 256 KiB that may wait in the node."""

MANY_SMALL = 4000
"""Lines whose `stored` are more than that."""

PINGS = 5


@asynccontextmanager
async def frozen(port: int) -> AsyncIterator[Relay]:
    """A relay that accepts connections and lets nothing through."""
    async with Relay(port) as relay:
        relay.freeze()
        yield relay


async def stopped(node: NodeProcess, number: int = signal.SIGTERM) -> Stopped:
    """Send a signal and wait for the end, by the contract's own measure."""
    node.send_signal(number)
    assert await node.exited(timeout_seconds=STOP_SECONDS) == 0
    (last,) = node.of(Stopped)
    assert last is node.lines[-1]
    return last


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_in_every_state(
    embedded_broker: Broker, tmp_path: Path, number: int
) -> None:
    """Nothing listens; the broker says nothing; nobody is there; somebody is."""
    async with (
        frozen(embedded_broker.port) as silent,
        NodeProcess(*child_options("mqtt://127.0.0.1:1", tmp_path / "1")) as refused,
        NodeProcess(*child_options(silent.url, tmp_path / "2")) as connecting,
        NodeProcess(*child_options("mqtt://127.0.0.1:1", tmp_path / "3")) as ending,
        NodeProcess(*parent_options(embedded_broker.url, tmp_path / "4")) as parent,
    ):
        for node in (refused, connecting, ending):
            await node.send({"n": 1})
            await node.wait(Stored)
        ending.end_input()
        await connecting.until(lambda: silent.accepted_connections > 0)
        await parent.until(lambda: parent.state == "awaiting_peer")
        for node in (refused, connecting, ending):
            last = await stopped(node, number)
            assert (last.reason, last.pending > 1) == ("signal", True)
        async with NodeProcess(*child_options(embedded_broker.url, tmp_path / "1")) as active:
            await active.wait_active()
            last = await stopped(active, number)
            assert last.reason == "signal"
            assert active.ids(Acked) == refused.ids(Stored)
        assert (await stopped(parent, number)).pending == 0


async def test_impatience_changes_nothing(embedded_broker: Broker, tmp_path: Path) -> None:
    """A signal again and again, up to the very end."""
    async with (
        NodeProcess(*parent_options(embedded_broker.url, tmp_path / "p")) as parent,
        NodeProcess(*child_options(embedded_broker.url, tmp_path / "c")) as child,
    ):
        for node in (child, parent):
            await node.wait_active()
        for node in (child, parent):
            ending = asyncio.create_task(node.exited(timeout_seconds=STOP_SECONDS))
            while not ending.done():
                node.send_signal(signal.SIGTERM)
                node.send_signal(signal.SIGINT)
                await asyncio.sleep(0.002)
            assert await ending == 0
            assert node.lines[-1].kind == "stopped"


async def test_closed_streams_are_told(tmp_path: Path) -> None:
    """The shell's `<&-` and `>&-`."""
    words = " ".join([*NODE_COMMAND, *child_options("mqtt://127.0.0.1:1", tmp_path / "c")])
    for closing, name in (("<&-", "input"), ("</dev/null >&-", "output")):
        async with NodeProcess(command=("/bin/sh", "-c", f"exec {words} {closing}")) as node:
            assert await node.exited() == 2
        assert node.errors.startswith(f"gwproactor: standard {name} is closed")
        assert len(node.errors.splitlines()) == 1


async def test_a_frozen_broker_holds_up_no_stop(broker: AnyBroker, tmp_path: Path) -> None:
    async with (
        Relay(broker.port, broker.host) as relay,
        NodeProcess(*parent_options(broker.url, tmp_path / "p")) as parent,
        NodeProcess(*child_options(relay.url, tmp_path / "c", "--poll", "60")) as child,
    ):
        await child.wait_active()
        relay.freeze()
        await child.send(*({"n": n} for n in range(THOUSANDS)))
        await child.until(lambda: len(child.of(Stored)) == THOUSANDS)
        last = await stopped(child)
        assert last.pending >= THOUSANDS
        relay.thaw()

        async with NodeProcess(*child_options(broker.url, tmp_path / "c")) as again:
            again.end_input()
            assert await again.exited() == 0
        assert again.of(Stopped)[0].pending == 0
        assert set(again.ids(Acked)) | set(child.ids(Acked)) == set(child.ids(Stored))
        ids = child.ids(Stored)
        await parent.until(lambda: set(ids) <= set(parent.ids(Event)))
        await stopped(parent)
    mine = [event.payload["n"] for event in parent.of(Event) if "n" in event.payload]
    assert sorted(mine) == list(range(THOUSANDS)), "each of them, and none twice"


async def test_thousands_pending_hold_up_no_stop(embedded_broker: Broker, tmp_path: Path) -> None:
    """Stopped while lines come in, events go out and acks come back."""
    async with (
        NodeProcess(*parent_options(embedded_broker.url, tmp_path / "p")) as parent,
        NodeProcess(*child_options(embedded_broker.url, tmp_path / "c")) as child,
    ):
        await child.wait_active()
        writing = asyncio.create_task(child.send(*({"n": n} for n in range(5000))))
        await child.until(lambda: len(child.of(Acked)) > 100)
        last = await stopped(child)
        await writing
        assert await child.exited() == 0
        assert (await stopped(parent)).pending == 0
    assert last.pending >= len(child.of(Stored)) - len(child.of(Acked))


async def test_a_reader_that_hangs_holds_up_no_stop(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    url = embedded_broker.url
    async with (
        NodeProcess(*parent_options(url, tmp_path / "p")) as parent,
        NodeProcess(*child_options(url, tmp_path / "c")) as child,
    ):
        await parent.wait_active()
        parent.pause_output()
        await child.send(*LARGE_EVENTS)
        child.end_input()
        assert await child.exited() == 0
        parent.terminate()
        assert await parent.died(timeout_seconds=STOP_SECONDS) == 0
        parent.resume_output()
        assert await parent.exited() == 0
        # What was not printed was not handled either: the next run prints the rest.
        async with NodeProcess(*parent_options(url, tmp_path / "p")) as later:
            await later.until(lambda: len(numbers(parent) + numbers(later)) >= len(LARGE_EVENTS))
            await stopped(later)
    assert len(numbers(parent)) < len(LARGE_EVENTS)
    both = numbers(parent) + numbers(later)
    assert sorted(both) == list(range(len(LARGE_EVENTS))), "stopped in order, none comes twice"


def numbers(parent: NodeProcess) -> list[int]:
    return [event.payload["n"] for event in parent.of(Event) if "n" in event.payload]


class Pings:
    """Counts the pings on a broker, by sender."""

    def __init__(self) -> None:
        self.by_topic: Counter[str] = Counter()

    def have_come(self, count: int) -> bool:
        """Whether both nodes have sent so many."""
        return len(self.by_topic) == 2 and min(self.by_topic.values()) >= count


@asynccontextmanager
async def counting_pings(broker: AnyBroker) -> AsyncIterator[Pings]:
    pings = Pings()

    async def count() -> None:
        async for message in client.messages:
            pings.by_topic[str(message.topic)] += 1

    async with client_of(broker) as client:
        await client.subscribe("gw/+/to/+/gridworks-ping")
        counting = asyncio.create_task(count())
        yield pings
        counting.cancel()


async def test_a_slow_reader_holds_back_events_and_no_pings(
    broker: AnyBroker, tmp_path: Path
) -> None:
    """While nobody reads the parent's output: events are acked, then nothing moves but pings."""
    quick = ("--ack-timeout", "2", "--poll", "0.1")
    async with (
        NodeProcess(*parent_options(broker.url, tmp_path / "p", *quick)) as parent,
        NodeProcess(*child_options(broker.url, tmp_path / "c", "--follow", *quick)) as child,
    ):
        await parent.wait_active()
        parent.pause_output()
        await child.send(*LARGE_EVENTS)
        await child.until(lambda: len(child.of(Acked)) == len(LARGE_EVENTS))
        async with counting_pings(broker) as pings:
            await until(lambda: pings.have_come(PINGS))
        assert len(numbers(parent)) < len(LARGE_EVENTS)
        parent.resume_output()
        await parent.until(lambda: len(numbers(parent)) == len(LARGE_EVENTS))
        child.terminate()
        parent.terminate()
        assert (await child.exited(), await parent.exited()) == (0, 0)
    for node in (child, parent):
        assert [step.new for step in node.of(Transition)].count("active") == 1
    assert numbers(parent) == list(range(len(LARGE_EVENTS)))


async def test_a_slow_reader_of_the_childs_output_costs_no_line(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    """More lines than the output takes: input is held back, pings are not."""
    quick = ("--ack-timeout", "2", "--poll", "0.1")
    url = embedded_broker.url
    async with (
        NodeProcess(*parent_options(url, tmp_path / "p", *quick)) as parent,
        NodeProcess(*child_options(url, tmp_path / "c", *quick)) as child,
    ):
        await child.wait_active()
        child.pause_output()
        writing = asyncio.create_task(child.send(*({"n": n} for n in range(MANY_SMALL))))
        async with counting_pings(embedded_broker) as pings:
            await until(lambda: pings.have_come(PINGS))
        child.resume_output()
        await writing
        child.end_input()
        assert await child.exited() == 0
        await stopped(parent)
    assert [stored.line for stored in child.of(Stored)] == list(range(1, MANY_SMALL + 1))
    assert sorted(child.ids(Acked)) == sorted(child.ids(Stored))
    assert [step.new for step in parent.of(Transition)].count("active") == 1


async def test_a_closed_output_ends_it_as_a_signal_does(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    """Noticed at once, without anything to print; what is pending is kept."""
    async with NodeProcess(*child_options(embedded_broker.url, tmp_path / "c")) as child:
        await child.send({"n": 1})
        await child.wait(Stored)
        await child.until(lambda: child.state == "awaiting_peer")
        child.close_output()
        assert await child.exited(timeout_seconds=STOP_SECONDS) == 0
    async with (
        NodeProcess(*parent_options(embedded_broker.url, tmp_path / "p")) as parent,
        NodeProcess(*child_options(embedded_broker.url, tmp_path / "c")) as again,
    ):
        again.end_input()
        assert await again.exited() == 0
        assert again.ids(Acked) == child.ids(Stored)
        parent.close_output()
        assert await parent.exited(timeout_seconds=STOP_SECONDS) == 0


async def test_input_end_waits_for_acks_and_follow_does_not_end(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    url = embedded_broker.url
    async with (
        NodeProcess(*child_options(url, tmp_path / "c")) as child,
        NodeProcess(*child_options("mqtt://127.0.0.1:1", tmp_path / "f", "--follow")) as follower,
    ):
        await child.wait(Ready)
        for node in (child, follower):
            await node.send({"n": 1})
            node.end_input()
            await node.wait(Stored)
        assert not {"acked", "stopped"} & {line.kind for line in child.lines}
        async with NodeProcess(*parent_options(url, tmp_path / "p")) as parent:
            assert await child.exited() == 0
            assert child.lines[-1] == Stopped(child.lines[-1].t, "input_end", 0)
            assert child.ids(Acked) == child.ids(Stored)
            await stopped(parent)
        assert follower.of(Stopped) == []
        assert (await stopped(follower)).reason == "signal"


@pytest.mark.parametrize("mqtt", ["5", "3.1.1"])
async def test_many_short_lines_hold_up_neither_the_link_nor_the_stop(
    embedded_broker: Broker, tmp_path: Path, mqtt: str
) -> None:
    """A pipe holds some 20,000 of the shortest events, which are seconds of work."""
    options = ("--ack-timeout", "0.5", "--poll", "0.5", "--mqtt", mqtt)
    lines = tmp_path / "lines"
    lines.write_bytes(b"{}\n" * 300_000)
    command = ("sh", "-c", f'exec "$@" < {lines}', "sh", *NODE_COMMAND)
    async with (
        NodeProcess(
            *parent_options(embedded_broker.url, tmp_path / "p", *options, "--durability", "os")
        ),
        NodeProcess(
            *child_options(embedded_broker.url, tmp_path / "c", *options), command=command
        ) as child,
    ):
        await child.wait_active()
        await child.until(lambda: len(child.of(Stored)) > 5000)
        last = await stopped(child)
    assert last.pending > 0 or mqtt == "5"  # batches are through before the stop is
    assert len(child.of(Stored)) < 300_000
    whys = [transition.why for transition in child.of(Transition)]
    assert "response_timeout" not in whys
