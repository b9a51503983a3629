"""Events from one node to another: how many a second, after a wait, and one by itself.

Each contestant has a lane of its own: a Mosquitto, a parent, a child, each a process. The lanes
take turns, so that what the machine does meanwhile falls on all alike; those waiting are idle. The
child generates events of 200 bytes on command and says when the peer has acknowledged all of them,
as far as its own store shows that.

- A *burst*: from the first event's generation to the last one's ack.
- A *re-upload*: events are generated while the broker is away; from `active` to the last ack.
- *One* event on an idle link: from its generation to its ack. Here the floor takes part, too: bare
  sockets and files, which write, sync and send what must be, and do nothing else.
- What *waits*: a node is started over stored events; how long until it runs, and its memory.
"""

import asyncio
import random
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.contestants import (
    PREDECESSOR_PYTHON,
    Contestant,
    Role,
    gwproactor_version,
    predecessor_version,
)
from benchmarks.processes import Line, LineProcess
from benchmarks.reactivation import moment_of
from gwproactor.events.log.segment_log import SegmentLog
from gwproactor.events.store import StoredEvent
from gwproactor.wire.payloads import AnyEvent
from gwproactor_test.mosquitto import Mosquitto

Progress = Callable[[str], None]
PAUSE_SECONDS = (0.06, 0.18)
"""How long a link is idle before its next event, all in all."""

WARM_UP = 200
"""Imports, caches and files are cold the first time, and that is not what is asked."""


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Args:
        rounds: Turns of each lane with each burst and each re-upload.
        bursts: Events in a burst.
        reuploads: Events in a re-upload.
        singles: Events one by one.
        waiting: Stored events that a node is started over.
    """

    rounds: int = 3
    bursts: tuple[int, ...] = (1000, 20_000)
    reuploads: tuple[int, ...] = (10_000,)
    singles: int = 300
    waiting: tuple[int, ...] = (100_000, 1_000_000)


QUICK = Plan(rounds=1, bursts=(200,), reuploads=(200,), singles=10, waiting=(1000,))


def _program(module: str, durability: str) -> Callable[[Role, int, Path], list[str]]:
    def command(role: Role, port: int, folder: Path) -> list[str]:
        python = [sys.executable, "-m", f"benchmarks.contestants.{module}"]
        place = ["--role", role, "--port", str(port), "--folder", str(folder)]
        return [*python, *place, "--durability", durability]

    return command


def _ours(durability: str) -> Callable[[Role, int, Path], list[str]]:
    return _program("events_node", durability)


def _floor(durability: str) -> Contestant:
    label, command = f"bare sockets, {durability}", _program("bare_events", durability)
    return Contestant(
        f"floor-{durability}", label, command, lambda: "with MQTT 3.1.1", one_at_a_time=True
    )


def _predecessor(role: Role, port: int, folder: Path) -> list[str]:
    script = Path(__file__).parent / "contestants" / "predecessor_node.py"
    place = ["--role", role, "--port", str(port), "--folder", str(folder)]
    return [str(PREDECESSOR_PYTHON), "-I", str(script), *place, "--generate"]


CONTESTANTS = (
    Contestant("fsync", "gwproactor, fsync", _ours("fsync"), gwproactor_version),
    Contestant("os", "gwproactor, os", _ours("os"), gwproactor_version),
    Contestant("predecessor", "predecessor, unsynced", _predecessor, predecessor_version),
    _floor("fsync"),
    _floor("os"),
)


@dataclass
class Lane:
    """One contestant, running, and its samples: events a second, and milliseconds for one."""

    contestant: Contestant
    mosquitto: Mosquitto
    child: LineProcess
    samples: dict[str, list[float]] = field(default_factory=dict)

    def note(self, series: str, value: float) -> None:
        """Keep one sample."""
        self.samples.setdefault(series, []).append(value)

    async def burst(self, count: int) -> float:
        """Generate events; seconds until all are acknowledged."""
        await self.child.send(f"generate {count}")
        line = await self._line("drained")
        began = line["began"]
        assert isinstance(began, int)
        return (moment_of(line) - began) / 1e9

    async def reupload(self, count: int) -> float:
        """Generate events while the broker is away; seconds from `active` to the last ack."""
        await self.mosquitto.stop()
        await self.child.send(f"store {count}")
        await self._line("stored")
        await self.mosquitto.start()
        active = moment_of(await self.child.line_where(_is_active))
        return (moment_of(await self._line("drained")) - active) / 1e9

    async def _line(self, kind: str) -> Line:
        return await self.child.line_where(lambda line: line["kind"] == kind)


def _is_active(line: Line) -> bool:
    return line["kind"] == "transition" and line["new"] == "active"


@asynccontextmanager
async def running_lane(contestant: Contestant, folder: Path) -> AsyncIterator[Lane]:
    """Everything that one contestant needs, started, its link active; all gone after."""
    async with AsyncExitStack() as stack:
        mosquitto = await stack.enter_async_context(Mosquitto())

        async def node(role: Role) -> LineProcess:
            command = contestant.command(role, mosquitto.port, folder / f"{role}-data")
            return await stack.enter_async_context(LineProcess(command, folder / role))

        await node("parent")
        lane = Lane(contestant, mosquitto, await node("child"))
        await lane.child.line_where(_is_active)
        yield lane


async def measure(
    contestants: Sequence[Contestant], plan: Plan, say: Progress
) -> dict[str, dict[str, list[float]]]:
    """Run all contestants through everything, in turns.

    Returns:
        By contestant and series: `burst N` and `re-upload N` in events a second, `one` in
        milliseconds.

    Raises:
        BenchmarkError: A program ended, or something was not done in time.
    """
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gwproactor-bench-")))
        lanes = []
        for contestant in contestants:
            say(f"starting {contestant.label}")
            own_folder = folder / contestant.name
            own_folder.mkdir()
            lanes.append(await stack.enter_async_context(running_lane(contestant, own_folder)))
        for lane in lanes:
            await lane.burst(WARM_UP)
        await _measure_singles(lanes, plan.singles, say)
        await _measure_many(
            [lane for lane in lanes if not lane.contestant.one_at_a_time], plan, say
        )
        return {lane.contestant.name: lane.samples for lane in lanes}


async def _measure_many(lanes: Sequence[Lane], plan: Plan, say: Progress) -> None:
    for count in plan.bursts:
        say(f"bursts of {count}, in turns")
        for lane in [*lanes] * plan.rounds:
            lane.note(f"burst {count}", count / await lane.burst(count))
    for count in plan.reuploads:
        say(f"re-uploads of {count}, in turns")
        for lane in [*lanes] * plan.rounds:
            lane.note(f"re-upload {count}", count / await lane.reupload(count))


async def _measure_singles(lanes: Sequence[Lane], count: int, say: Progress) -> None:
    chance = random.Random(4113)
    say(f"{count} events one by one, in turns")
    for _ in range(count):
        for lane in lanes:
            await asyncio.sleep(chance.uniform(*PAUSE_SECONDS) / len(lanes))
            lane.note("one", await lane.burst(1) * 1000)


@dataclass(frozen=True)
class Waiting:
    """A node that was started over stored events."""

    count: int
    start_seconds: float
    memory_mib: float


async def measure_waiting(count: int, say: Progress) -> Waiting:
    """Start a node over stored events, its broker away; how long that takes, and its memory.

    The time is that from the process's start to its first word, less that of a node over nothing.
    """
    say(f"a node over {count} stored events")
    with tempfile.TemporaryDirectory(prefix="gwproactor-bench-") as name:
        folder = Path(name)
        await asyncio.to_thread(_fill, folder / "full" / "outbox", count)
        empty_seconds, _ = await _start(folder / "empty", folder / "a")
        seconds, memory_mib = await _start(folder / "full", folder / "b")
    return Waiting(count, seconds - empty_seconds, memory_mib)


def _fill(outbox: Path, count: int) -> None:
    log = SegmentLog(outbox, durable=False)
    log.open()
    filler = "x" * 60
    for first in range(1, count + 1, 1000):
        events = []
        for sequence in range(first, min(first + 1000, count + 1)):
            event = AnyEvent(Src="bench.child", Reading=filler, Value=sequence)
            payload = event.model_dump_json().encode()
            events.append(StoredEvent(sequence, event.MessageId, payload))
        log.commit(events, ())
    log.close()


async def _start(data: Path, files: Path) -> tuple[float, float]:
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with LineProcess(_ours("fsync")("child", 1, data), files) as process:
        line = await process.line_where(lambda line: line["kind"] == "ready")
        seconds = moment_of(line) / 1e9 - began
        return seconds, process.memory_mib()
