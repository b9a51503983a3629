"""Running what sends or receives events in a test, and killing programs that do."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test


class Events(Protocol):
    """`OutgoingEvents` and `IncomingEvents` are such."""

    async def open(self) -> None:
        """Take in what earlier runs left."""
        ...

    async def run(self) -> None:
        """Write, until `close`."""
        ...

    def close(self) -> Awaitable[None]:
        """Write what remains, and let go of the stores."""
        ...


EventsT = TypeVar("EventsT", bound=Events)


@asynccontextmanager
async def running_events(events: EventsT) -> AsyncIterator[EventsT]:
    """Open events, run them while the block does, and close them."""
    await events.open()
    run = asyncio.create_task(events.run())
    try:
        yield events
    finally:
        await events.close()
        await run


async def killed_script(script: str, *arguments: object, lines: int) -> list[list[str]]:
    """Run a Python script, kill it after so many lines; return the words of all it said.

    A last line that it did not finish is left out.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, *map(str, arguments), stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    said = [await process.stdout.readline() for _ in range(lines)]
    process.send_signal(signal.SIGKILL)
    said += (await process.stdout.read()).splitlines(keepends=True)
    await process.wait()
    return [line.decode().split() for line in said if line.endswith(b"\n")]


def check_machine(
    machine: type[RuleBasedStateMachine], *, examples: int = 100, steps: int = 40
) -> None:
    """Run a state machine: so many times, with so many steps at most."""
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=examples, stateful_step_count=steps, deadline=None),
    )
