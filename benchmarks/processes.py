"""Programs that speak JSON lines, as the harness of a benchmark holds them.

A `LineProcess` is used with `async with`: it is running inside and gone after, by SIGTERM first and
SIGKILL where that does not serve. Its standard error goes to a file, whose end is shown when a line
that is waited for does not come.
"""

import asyncio
import json
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

Line = dict[str, object]

# Longer than anything compared takes, the predecessor's slowest return included.
WAIT_SECONDS = 60.0
STOP_SECONDS = 5.0
# A line may carry an event; a node's own limit is a mebibyte.
LINE_LIMIT_BYTES = 4 * 1024 * 1024
ERROR_LINES_SHOWN = 20


class BenchmarkError(Exception):
    """A contestant or a tool did not do its part, so that nothing can be measured."""


class LineProcess:
    """A running program whose standard output is JSON, one object a line.

    Args:
        argv: The command.
        errors: The file that gets its standard error.
        is_read: Whether its lines are of interest; otherwise its output goes nowhere, since a pipe
            that nobody empties holds its writer back.
    """

    def __init__(self, argv: Sequence[str], errors: Path, *, is_read: bool = True) -> None:
        self._argv = argv
        self._errors = errors
        self._is_read = is_read
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        with self._errors.open("wb") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *self._argv,
                stdin=PIPE,
                stdout=PIPE if self._is_read else DEVNULL,
                stderr=errors,
                limit=LINE_LIMIT_BYTES,
            )
        return self

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        process = self._running()
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(self._gone(process), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await self._gone(process)

    async def send(self, command: str) -> None:
        """Write one line to its standard input."""
        stdin = self._running().stdin
        assert stdin is not None
        stdin.write(command.encode() + b"\n")
        await stdin.drain()

    async def line_where(self, accept: Callable[[Line], bool]) -> Line:
        """The next line that `accept` accepts; those before it are dropped.

        Raises:
            BenchmarkError: it ended, or no such line came in time.
        """
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while not accept(line := await self._next_line()):
                    pass
        except TimeoutError:
            raise BenchmarkError(self._complaint("said nothing of interest")) from None
        return line

    async def _next_line(self) -> Line:
        stdout = self._running().stdout
        assert stdout is not None
        data = await stdout.readline()
        if not data:
            raise BenchmarkError(self._complaint("ended"))
        line: Line = json.loads(data)
        return line

    @staticmethod
    async def _gone(process: Process) -> None:
        """Wait for the end, emptying the pipe: a full one could keep a program from ending."""
        if process.stdout is not None:
            while await process.stdout.read(LINE_LIMIT_BYTES):
                pass
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()

    def _running(self) -> Process:
        if self._process is None:
            raise BenchmarkError(f"{self._argv[0]} is not started")
        return self._process

    def _complaint(self, what: str) -> str:
        lines = self._errors.read_text(errors="replace").splitlines()[-ERROR_LINES_SHOWN:]
        return "\n".join([f"{' '.join(self._argv)} {what}; its last words:", *lines])
