"""Link reactivation: how long until a link is active again, after a cut and after an outage.

Each contestant has a lane of its own: a Mosquitto, a relay before it, a child that connects through
the relay, a parent that connects directly. The lanes take turns, one disturbance each, so that what
the machine does meanwhile falls on all alike; those waiting are idle.

- A *cut* ends the child's connection at the relay, by turns in order (FIN) and at once (RST). From
  the moment before it is done until the child reports `active`.
- An *outage* stops Mosquitto, and starts it again after a second in which nothing listens where the
  child connects. From the moment both accept connections again until the child reports `active`.

A pause of random length lies before each disturbance: long enough for what the last one caused to
be over, random so that no contestant's timers fall in step with it.
"""

import asyncio
import random
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.contestants import Contestant, Role
from benchmarks.processes import Line, LineProcess
from gwproactor_test.mosquitto import Mosquitto

CUTS = 200
OUTAGES = 20
QUICK_CUTS = 10
QUICK_OUTAGES = 1
# Imports, caches and files are cold the first time, and that is not what is asked.
WARM_UP_CUTS = 4
AWAY_SECONDS = 1.0
PAUSE_SECONDS = (0.05, 0.15)
CUT_KINDS = ("close", "reset")

Progress = Callable[[str], None]


@dataclass
class Lane:
    """One contestant, running, and its samples by scenario, in milliseconds."""

    contestant: Contestant
    mosquitto: Mosquitto
    relay: LineProcess
    child: LineProcess
    samples_ms: dict[str, list[float]] = field(default_factory=dict)

    async def cut(self, kind: str) -> float:
        """End the child's connection; milliseconds until it is active again."""
        await self.relay.send(kind)
        return await self._until_active(await self._moment_of(kind))

    async def outage(self) -> float:
        """Take the broker away for a while; milliseconds from its return until active."""
        await self.relay.send("down")
        await self._moment_of("down")
        await self.mosquitto.stop()
        await asyncio.sleep(AWAY_SECONDS)
        await self.mosquitto.start()
        await self.relay.send("up")
        return await self._until_active(await self._moment_of("up"))

    async def until_first_active(self) -> None:
        """Wait until the child's link is active for the first time."""
        await self._until_active(0)

    async def _moment_of(self, command: str) -> int:
        line = await self.relay.line_where(lambda line: line["kind"] == command)
        return moment_of(line)

    async def _until_active(self, since: int) -> float:
        def is_active(line: Line) -> bool:
            return (
                line["kind"] == "transition" and line["new"] == "active" and moment_of(line) > since
            )

        return (moment_of(await self.child.line_where(is_active)) - since) / 1e6


def moment_of(line: Line) -> int:
    """When a line says that it happened, `monotonic_ns`."""
    moment = line["t"]
    assert isinstance(moment, int)
    return moment


@asynccontextmanager
async def running_lane(contestant: Contestant, folder: Path) -> AsyncIterator[Lane]:
    """Everything that one contestant needs, started, its link active; all gone after."""
    async with AsyncExitStack() as stack:
        mosquitto = await stack.enter_async_context(Mosquitto())
        relay_command = [sys.executable, "-m", "benchmarks.relay"]
        relay = await stack.enter_async_context(
            LineProcess([*relay_command, "--target-port", str(mosquitto.port)], folder / "relay")
        )
        relay_port = (await relay.line_where(lambda line: line["kind"] == "ready"))["port"]
        assert isinstance(relay_port, int)

        async def node(role: Role, port: int) -> LineProcess:
            command = contestant.command(role, port, folder / f"{role}-data")
            return await stack.enter_async_context(LineProcess(command, folder / role))

        await node("parent", mosquitto.port)
        lane = Lane(contestant, mosquitto, relay, await node("child", relay_port))
        await lane.until_first_active()
        yield lane


async def _pause(chance: random.Random) -> None:
    await asyncio.sleep(chance.uniform(*PAUSE_SECONDS))


async def _measure_cuts(lanes: Sequence[Lane], cuts: int, chance: random.Random) -> None:
    for index in range(-WARM_UP_CUTS, cuts):
        kind = CUT_KINDS[index % len(CUT_KINDS)]
        for lane in lanes:
            await _pause(chance)
            latency_ms = await lane.cut(kind)
            if index >= 0:
                lane.samples_ms.setdefault(kind, []).append(latency_ms)


async def _measure_outages(lanes: Sequence[Lane], outages: int, chance: random.Random) -> None:
    for _ in range(outages):
        for lane in lanes:
            await _pause(chance)
            lane.samples_ms.setdefault("outage", []).append(await lane.outage())


async def measure(
    contestants: Sequence[Contestant], *, cuts: int, outages: int, say: Progress
) -> dict[str, dict[str, list[float]]]:
    """Run all contestants through all scenarios, in turns.

    Args:
        contestants: Who is measured.
        cuts: How many cuts each, half of each kind.
        outages: How many restarts of the broker each.
        say: Told in a few words what goes on.

    Returns:
        By contestant and scenario (`close`, `reset`, `outage`), latencies in milliseconds in the
        order in which they were measured.

    Raises:
        BenchmarkError: a program ended, or a link was not active again in time.
    """
    chance = random.Random(4113)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gwproactor-bench-")))
        lanes = []
        for contestant in contestants:
            say(f"starting {contestant.label}")
            own_folder = folder / contestant.name
            own_folder.mkdir()
            lanes.append(await stack.enter_async_context(running_lane(contestant, own_folder)))
        say(f"{cuts} cuts each, in turns")
        await _measure_cuts(lanes, cuts, chance)
        say(f"{outages} restarts of the broker each, in turns")
        await _measure_outages(lanes, outages, chance)
        return {lane.contestant.name: lane.samples_ms for lane in lanes}
