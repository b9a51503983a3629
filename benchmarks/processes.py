"""Programs that speak JSON lines, as the harness of a benchmark holds them.

A `LineProcess` is used with `async with`: it is running inside and gone after, by SIGTERM first and
SIGKILL where that does not serve. What it prints goes to files, and the harness looks into them now
and then. So nobody is woken by a line while something is being measured: on a machine with two
cores a reader at the end of a pipe costs more than the figures in question.
"""

import asyncio
import json
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Self

Line = dict[str, object]

# Longer than anything compared takes, the predecessor's 20,000 events on a busy machine included.
WAIT_SECONDS = 300.0
# Between two looks at a file: longer than a fast link takes, so that its run is not disturbed.
LOOK_SECONDS = 0.025
STOP_SECONDS = 5.0
ERROR_LINES_SHOWN = 20


class BenchmarkError(Exception):
    """A contestant or a tool did not do its part, so that nothing can be measured."""


class LineProcess:
    """A running program whose standard output is JSON, one object a line.

    Args:
        argv: The command.
        files: Where its output goes: this path, with `.out` and `.err` added.
    """

    def __init__(self, argv: Sequence[str], files: Path) -> None:
        self._argv = argv
        self._out = files.with_suffix(".out")
        self._err = files.with_suffix(".err")
        self._process: Process | None = None
        self._lines: BinaryIO | None = None
        self._partial = b""

    async def __aenter__(self) -> Self:
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = await asyncio.create_subprocess_exec(
                *self._argv, stdin=PIPE, stdout=out, stderr=err
            )
        self._lines = self._out.open("rb")
        return self

    async def __aexit__(self, *_exception: object) -> None:
        process, lines = self._running()
        lines.close()
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def send(self, command: str) -> None:
        """Write one line to its standard input."""
        stdin = self._running()[0].stdin
        assert stdin is not None
        stdin.write(command.encode() + b"\n")
        await stdin.drain()

    async def line_where(self, accept: Callable[[Line], bool]) -> Line:
        """The next line that `accept` accepts; those before it are dropped.

        Raises:
            BenchmarkError: it ended, or no such line came in time.
        """
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            # Asked before the look, so that the last lines of a program that ended are seen.
            has_ended = self._running()[0].returncode is not None
            while (line := self._next_line()) is not None:
                if accept(line):
                    return line
            if has_ended:
                raise BenchmarkError(self._complaint("ended"))
            if time.monotonic() > deadline:
                raise BenchmarkError(self._complaint("did not say what was waited for"))
            await asyncio.sleep(LOOK_SECONDS)

    def memory_mib(self) -> float:
        """Its resident memory now, as Linux tells it."""
        status = Path(f"/proc/{self._running()[0].pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024

    def _next_line(self) -> Line | None:
        self._partial += self._running()[1].readline()
        if not self._partial.endswith(b"\n"):
            return None
        line: Line = json.loads(self._partial)
        self._partial = b""
        return line

    def _running(self) -> tuple[Process, BinaryIO]:
        if self._process is None or self._lines is None:
            raise BenchmarkError(f"{self._argv[0]} is not started")
        return self._process, self._lines

    def _complaint(self, what: str) -> str:
        lines = self._err.read_text(errors="replace").splitlines()[-ERROR_LINES_SHOWN:]
        return "\n".join([f"{' '.join(self._argv)} {what}; its last words:", *lines])
