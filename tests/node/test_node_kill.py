"""Kill -9, again and again, at random moments: nothing stored is lost, nothing is printed twice.

The moments are drawn from a seeded generator: some lie in the start of the program, most in the
midst of the stream, a while after a random number of lines was printed.
"""

import asyncio
import contextlib
import functools
import itertools
import random
import signal
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from gwproactor_test.broker import Broker
from gwproactor_test.brokers import AnyBroker
from gwproactor_test.mosquitto import Mosquitto
from gwproactor_test.nodes import (
    Acked,
    Event,
    NodeProcess,
    Stored,
    child_options,
    parent_options,
)

MAX_UNMARKED = 64
"""So many events may be printed and not yet marked, by the contract."""

EVENTS_AT_ONCE = 20
EVENTS_AHEAD = 200
MOST_LINES = 400
"""Lines printed before a kill: enough for many commits, and the window at its widest."""

STARTS_KILLED = 0.2
"""The part of the kills that comes before the stream."""


def has_lines(node: NodeProcess, count: int) -> bool:
    return len(node.lines) >= count


async def stream(child: NodeProcess, run: int) -> None:
    """Send events, on and on, until the child is killed, without running far ahead of the acks."""
    for count in itertools.count(0, EVENTS_AT_ONCE):
        ids = [f"{run}-{count + n}" for n in range(EVENTS_AT_ONCE)]
        await child.send(*({"MessageId": event_id, "text": "x" * 100} for event_id in ids))
        enough = 2 * (count - EVENTS_AHEAD)  # each event makes two lines: stored, acked
        try:
            await child.until(functools.partial(has_lines, child, enough))
        except AssertionError:
            return  # killed


@contextlib.asynccontextmanager
async def streaming(child: NodeProcess, run: int) -> AsyncIterator[asyncio.Task[None]]:
    sending = asyncio.create_task(stream(child, run))
    try:
        yield sending
    finally:
        sending.cancel()
        await asyncio.wait([sending])


async def kill_some_time(node: NodeProcess, moments: random.Random) -> None:
    """Kill at a random moment. Any must do, so here waiting for time itself is the point."""
    if moments.random() < STARTS_KILLED:
        await asyncio.sleep(moments.uniform(0.0, 0.4))
    else:
        count = moments.randrange(MOST_LINES)
        await node.until(lambda: len(node.lines) >= count, f"{count} lines")
        await asyncio.sleep(moments.uniform(0.0, 0.01))
    node.kill()
    assert await node.exited() == -signal.SIGKILL


async def kill_child(
    broker: AnyBroker, folder: Path, kills: int, durability: str, seed: int
) -> None:
    moments = random.Random(seed)
    options = child_options(broker.url, folder / "c", "--durability", durability)
    stored: set[str] = set()
    acked: list[str] = []
    async with NodeProcess(*parent_options(broker.url, folder / "p")) as parent:
        for run in range(kills):
            async with NodeProcess(*options) as child, streaming(child, run):
                await kill_some_time(child, moments)
            stored.update(child.ids(Stored))
            acked += child.ids(Acked)
        async with NodeProcess(*options) as last:
            last.end_input()
            assert await last.exited() == 0
        acked += last.ids(Acked)
        wanted = stored.union(acked)  # a kill may come between the ack and the line `stored`
        await parent.until(lambda: wanted <= set(parent.ids(Event)), "all that was stored")
        parent.terminate()
        assert await parent.exited() == 0
    assert stored, "no run was long enough to store anything"
    printed = parent.ids(Event)
    assert len(printed) == len(set(printed)), "printed twice"
    assert set(acked) <= set(printed), "acked and never printed"
    assert_order_is_kept(printed)


def assert_order_is_kept(printed: Sequence[str]) -> None:
    """Events of one run arrive in the order of its lines."""
    numbers: dict[str, int] = {}
    for event_id in printed:
        run, _, number = event_id.partition("-")
        if run.isdigit() and number.isdigit():
            assert numbers.get(run, -1) < int(number), f"{event_id} came after {numbers[run]}"
            numbers[run] = int(number)


async def test_a_child_killed_twenty_times_loses_nothing_it_called_stored(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    await kill_child(mosquitto, tmp_path, kills=20, durability="fsync", seed=20)


async def test_the_same_over_the_embedded_broker(embedded_broker: Broker, tmp_path: Path) -> None:
    """Less often: what is killed does not know whose broker it is."""
    await kill_child(embedded_broker, tmp_path, kills=6, durability="os", seed=6)


@pytest.mark.prove
@pytest.mark.timeout(600)
@pytest.mark.parametrize("durability", ["fsync", "os"])
async def test_a_child_killed_a_hundred_times(
    broker: AnyBroker, tmp_path: Path, durability: str
) -> None:
    await kill_child(broker, tmp_path, kills=100, durability=durability, seed=100)


async def kill_parent(broker: AnyBroker, folder: Path, kills: int, seed: int) -> None:
    moments = random.Random(seed)
    options = parent_options(broker.url, folder / "p")
    runs: list[list[str]] = []
    async with (
        NodeProcess(*child_options(broker.url, folder / "c")) as child,
        streaming(child, 0) as sending,
    ):
        for _ in range(kills):
            async with NodeProcess(*options) as parent:
                await kill_some_time(parent, moments)
            runs.append(parent.ids(Event))
        sending.cancel()
        async with NodeProcess(*options) as parent:
            child.end_input()
            assert await child.exited() == 0
            everything = set(child.ids(Stored))
            before = {event_id for printed in runs for event_id in printed}
            await parent.until(lambda: everything <= before | set(parent.ids(Event)))
            parent.terminate()
            assert await parent.exited() == 0
        runs.append(parent.ids(Event))
    assert everything
    assert_twice_only_what_a_kill_left_unmarked(runs)


def assert_twice_only_what_a_kill_left_unmarked(runs: Sequence[Sequence[str]]) -> None:
    """Only the last 64 that a killed run printed may come again, in the next run."""
    seen: set[str] = set()
    allowed: set[str] = set()
    for printed in runs:
        assert len(printed) == len(set(printed)), "twice in one run"
        assert seen & set(printed) <= allowed, "twice, though it was marked long ago"
        seen |= set(printed)
        allowed |= set(printed[-MAX_UNMARKED:])


async def test_a_killed_parent_loses_nothing_and_repeats_a_few(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """Over one broker; the longer proof below goes over both."""
    await kill_parent(mosquitto, tmp_path, kills=5, seed=5)


@pytest.mark.prove
@pytest.mark.timeout(600)
async def test_a_parent_killed_fifty_times(broker: AnyBroker, tmp_path: Path) -> None:
    await kill_parent(broker, tmp_path, kills=50, seed=50)
