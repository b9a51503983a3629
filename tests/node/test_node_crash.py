"""Everything dies, at random: the sender, the receiver and the broker, while numbered events flow.

Each event is handed in until the node has called it stored. In the end every one of them has been
printed by the receiver; twice only where a kill of the receiver left it printed and not marked; and
in no log is anything damaged or missing. The moments come from a seed, which a failure names; with
`GWPROACTOR_SEED=n` the same are tried again, though how they fall against the processes is another
matter each time.
"""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Self

import pytest

from gwproactor.boxes.box import Boxes
from gwproactor.boxes.verify import verify
from gwproactor_test.brokers import AnyBroker
from gwproactor_test.nodes import (
    Event,
    NodeProcess,
    Ready,
    Stored,
    child_options,
    parent_options,
)

MAX_UNMARKED = 64
"""So many events may be printed and not yet marked, by the contract."""

EVENTS_AT_ONCE = 50

CHILD_SHARE, PARENT_SHARE = 0.6, 0.25
"""Of the deaths; the rest are the broker's."""

STARTS_KILLED = 0.2
"""The part of the kills that comes while the program starts."""


class Crashes:
    """A child, a parent and a broker, and what has become of the events."""

    def __init__(
        self, broker: AnyBroker, folder: Path, *, count: int, text_bytes: int, seed: int
    ) -> None:
        self._broker = broker
        self._options = {
            "child": child_options(broker.url, folder / "c", "--follow"),
            "parent": parent_options(broker.url, folder / "p"),
        }
        self._stacks: dict[str, AsyncExitStack] = {}
        self._nodes: dict[str, NodeProcess] = {}
        self._feeding: asyncio.Task[None] | None = None
        self._chance = random.Random(seed)
        self._text = "x" * text_bytes
        self._folder = folder
        self.deaths = Counter[str]()
        """How often each has died."""
        self.ids = [f"n{number}" for number in range(count)]
        self.stored: set[str] = set()
        self.printed: list[list[str]] = []
        """By each run of the parent."""

    async def __aenter__(self) -> Self:
        for who in self._options:
            await self._start(who)
        return self

    async def __aexit__(self, *exception: object) -> None:
        if self._feeding is not None:
            self._feeding.cancel()
            await asyncio.wait([self._feeding])
        for stack in self._stacks.values():
            await stack.aclose()

    async def _start(self, who: str) -> None:
        self._stacks[who] = AsyncExitStack()
        node = NodeProcess(*self._options[who])
        self._nodes[who] = await self._stacks[who].enter_async_context(node)

    async def one_death(self, share: int) -> None:
        """Let events flow for a moment, then kill somebody and start him again.

        Args:
            share: How many events may be handed in meanwhile.
        """
        if self._feeding is None or self._feeding.done():
            self._feeding = asyncio.create_task(self._feed(share))
        # Any moment must do, so here waiting for time itself is the point.
        if self._chance.random() < STARTS_KILLED:
            await asyncio.sleep(self._chance.uniform(0.0, 0.4))
        else:
            await asyncio.sleep(self._chance.uniform(0.3, 0.8))
        draw = self._chance.random()
        if draw < CHILD_SHARE:
            await self._kill("child")
        elif draw < CHILD_SHARE + PARENT_SHARE:
            await self._kill("parent")
        else:
            self.deaths["broker"] += 1
            await self._broker.kill()
            await asyncio.sleep(self._chance.uniform(0.0, 0.2))
            await self._broker.start()

    async def _kill(self, who: str) -> None:
        node = self._nodes[who]
        self.deaths[who] += 1
        node.kill()
        assert await node.exited() == -signal.SIGKILL
        if who == "child" and self._feeding is not None:
            await asyncio.wait([self._feeding])
        await self._stacks[who].aclose()
        self._take_note(who)
        await self._start(who)

    def _take_note(self, who: str) -> None:
        node = self._nodes[who]
        if who == "child":
            self.stored.update(node.ids(Stored))
        else:
            self.printed.append([each for each in node.ids(Event) if each.startswith("n")])

    def _unstored(self) -> list[str]:
        known = self.stored.union(self._nodes["child"].ids(Stored))
        return [event_id for event_id in self.ids if event_id not in known]

    async def _feed(self, count: int) -> None:
        """Hand in the next events that the child has not called stored."""
        child = self._nodes["child"]
        await feed(child, self._unstored()[:count], self._text)

    async def finish(self) -> None:
        """Hand in what is left, and wait until all is sent, acknowledged and printed."""
        if self._feeding is not None:
            await asyncio.wait([self._feeding])
        child, parent = self._nodes["child"], self._nodes["parent"]
        await feed(child, self._unstored(), self._text)
        await none_is_left(child, Stored, set(self.ids).difference(self.stored))
        await none_is_left(parent, Event, set(self.ids).difference(*self.printed))
        for node in (child, parent):
            await node.wait(Ready)  # before it, nothing but the system answers a signal
            node.terminate()
            assert await node.exited() == 0
        self._take_note("parent")
        for side in ("c", "p"):
            assert verify(Boxes(self._folder / side)) == []


async def none_is_left(
    node: NodeProcess, kind: type[Stored] | type[Event], missing: set[str]
) -> None:
    """Wait for lines with these ids as long as more come: after so many kills much may be left."""
    looked_at = 0
    while missing:
        await node.until(partial(has_more_lines, node, looked_at), f"{len(missing)} more")
        news = node.lines[looked_at:]
        looked_at += len(news)
        missing.difference_update(line.id for line in news if isinstance(line, kind))


def has_more_lines(node: NodeProcess, count: int) -> bool:
    return len(node.lines) > count


async def feed(child: NodeProcess, ids: Sequence[str], text: str) -> None:
    """Hand in events, as fast as the child takes them; ends early when it is killed."""
    for start in range(0, len(ids), EVENTS_AT_ONCE):
        group = ids[start : start + EVENTS_AT_ONCE]
        try:
            await child.send(*({"MessageId": event_id, "text": text} for event_id in group))
        except AssertionError:
            return


def assert_twice_only_what_a_kill_left_unmarked(runs: Sequence[Sequence[str]]) -> None:
    """Only the last 64 that a killed run printed may come again."""
    seen: set[str] = set()
    allowed: set[str] = set()
    for printed in runs:
        assert len(printed) == len(set(printed)), "twice in one run"
        assert seen & set(printed) <= allowed, "twice, though it was marked long ago"
        seen |= set(printed)
        allowed = allowed.difference(printed).union(printed[-MAX_UNMARKED:])


async def survive(
    broker: AnyBroker, folder: Path, *, count: int, text_bytes: int, kills: int, seed: int
) -> None:
    """Kill the child so often, and meanwhile the others, too."""
    seed = int(os.environ.get("GWPROACTOR_SEED", seed))
    try:
        async with Crashes(
            broker, folder, count=count, text_bytes=text_bytes, seed=seed
        ) as crashes:
            while crashes.deaths["child"] < kills:
                await crashes.one_death(count // kills)
            await crashes.finish()
        printed = [event_id for run in crashes.printed for event_id in run]
        assert set(printed) == set(crashes.ids), "lost"
        assert_twice_only_what_a_kill_left_unmarked(crashes.printed)
    except AssertionError as error:
        error.add_note(f"GWPROACTOR_SEED={seed}")
        raise


@pytest.mark.timeout(120)
async def test_eight_kills_lose_nothing(broker: AnyBroker, tmp_path: Path) -> None:
    await survive(broker, tmp_path, count=1200, text_bytes=100, kills=8, seed=12)


@pytest.mark.prove
@pytest.mark.timeout(1200)
async def test_two_hundred_kills_lose_nothing(broker: AnyBroker, tmp_path: Path) -> None:
    """Long events, so that segments fill, and are compacted, meanwhile."""
    seed = random.randrange(1 << 32)
    await survive(broker, tmp_path, count=20_000, text_bytes=1500, kills=200, seed=seed)
