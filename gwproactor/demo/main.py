"""The command `gwproactor demo`: a screen on a terminal, lines of JSON everywhere else."""

import asyncio
import logging
import secrets
import sys
import tempfile
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from gwproactor.demo.lines import Lines
from gwproactor.demo.live import fits_a_screen, show_live
from gwproactor.demo.network import network
from gwproactor.demo.play import Play
from gwproactor.demo.scenario import SCENARIO, Step
from gwproactor.demo.screen import Screen
from gwproactor.demo.tally import Result
from gwproactor.demo.view import View
from gwproactor.errors import LinkError, TransportError
from gwproactor.node.output import LineOutput, OutputClosedError
from gwproactor.runtime.stop_signals import calling_on_stop_signals

GOOD, FAILED, INTERRUPTED = 0, 1, 130
"""Exit statuses; the last is what a shell reports after Ctrl-C."""


def main(as_json: bool, broker_url: str | None) -> int:
    """Run the demo.

    Args:
        as_json: Print lines of JSON, also on a terminal.
        broker_url: The user's own broker; None for one in this process.

    Returns:
        0 when everything stored was delivered, once; 1 when it was not, or the broker cannot be
        used; 130 when it was interrupted.

    Raises:
        SettingsError: The URL cannot be used.
        StoreError: The disk does not take the events.
    """
    # What is logged is reported too, and shown; a terminal has no room for it twice.
    logging.getLogger("gwproactor").addHandler(logging.NullHandler())
    console = Console()
    on_screen = not as_json and fits_a_screen(console)
    try:
        return asyncio.run(_on_screen(console, broker_url) if on_screen else _as_lines(broker_url))
    except (TransportError, LinkError) as error:
        sys.stderr.write(f"gwproactor demo: {error}\n")
        return FAILED


async def demo(view: View, broker_url: str | None, steps: Sequence[Step] = SCENARIO) -> Result:
    """Perform the demo for a view; cancelling ends it in good order.

    Args:
        view: Who is shown what happens.
        broker_url: The user's own broker; None for one in this process.
        steps: What is done to the connections.

    Raises:
        SettingsError: The URL cannot be used.
        TransportError: The user's broker cannot be reached, or refuses.
        LinkError: The links never became active.
        StoreError: The disk does not take the events.
    """
    run_id = secrets.token_hex(4)
    with tempfile.TemporaryDirectory(prefix="gwproactor-demo-") as folder:
        async with network(broker_url, run_id) as between:
            return await Play(between, view, Path(folder), run_id).run(steps)


async def _on_screen(console: Console, broker_url: str | None) -> int:
    screen = Screen()
    async with show_live(screen, console):
        result = await _unless_interrupted(demo(screen, broker_url))
    if result is None:
        console.print("Interrupted; nothing is left behind.")
        return INTERRUPTED
    console.print(screen.summary(result))
    return GOOD if result.good else FAILED


async def _as_lines(broker_url: str | None) -> int:
    output = LineOutput(sys.stdout.fileno())
    try:
        result = await _unless_interrupted(_while_read(output, demo(Lines(output), broker_url)))
    except OutputClosedError:
        return FAILED
    finally:
        output.close()
    if result is None:
        return INTERRUPTED
    return GOOD if result.good else FAILED


async def _while_read(output: LineOutput, work: Coroutine[Any, Any, Result]) -> Result:
    """Do the work, and see that its last lines are read, however slow the reader is.

    Raises:
        OutputClosedError: The reader has gone; the work was ended in good order.
    """
    working = asyncio.create_task(work, name="demo")
    closing = asyncio.create_task(output.wait_closed(), name="demo: output")
    try:
        await asyncio.wait((working, closing), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (working, closing):
            task.cancel()
        await asyncio.wait((working, closing))
    if working.cancelled():
        raise OutputClosedError
    result = working.result()
    await output.flush()
    return result


async def _unless_interrupted(work: Coroutine[Any, Any, Result]) -> Result | None:
    """What the work comes to; None when a signal, or the end of the output, cancelled it."""
    working = asyncio.create_task(work, name="demo, until a signal")

    with calling_on_stop_signals(lambda _: working.cancel()):
        await asyncio.wait([working])
    return None if working.cancelled() else working.result()
