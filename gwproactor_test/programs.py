"""Programs of a few lines in a process of their own, for tests of signals and exit statuses.

async with running(PROGRAM, str(folder)) as process:
assert await line_of(process) == "ready"
process.send_signal(signal.SIGTERM)
assert await process.wait() == 0
assert shutdown_reasons(folder) == ["SIGTERM"]
"""

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

SECONDS = 60.0
"""Longest time for a program, on a machine that has much else to do."""


@contextlib.asynccontextmanager
async def running(source: str, *arguments: str, **environment: str) -> AsyncIterator[Process]:
    """Run Python source; whatever runs at the end of the context is killed.

    Args:
        source: The program.
        arguments: Its arguments.
        environment: Its environment, beside what Python needs.
    """
    needed = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "PYTHONPATH": str(ROOT),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", source, *arguments),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        env=needed | environment,
    )
    try:
        async with asyncio.timeout(SECONDS):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def line_of(process: Process) -> str:
    """The next line that it prints; empty at the end."""
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()


def shutdown_reasons(folder: Path) -> list[str]:
    """What shutdown events say that wait in the outbox logs below a folder, in their order."""
    logs = sorted(folder.rglob("outbox/*.log"))
    lines = "\n".join(log.read_text(errors="replace") for log in logs).splitlines()
    found = [line for line in lines if '"TypeName":"gridworks.event.shutdown"' in line]
    decoder = json.JSONDecoder()
    return [decoder.raw_decode(line[line.index('{"MessageId"') :])[0]["Reason"] for line in found]
