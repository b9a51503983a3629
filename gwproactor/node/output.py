"""The node's output: one JSON object a line, never delayed, never lost, never in the way.

A line is written as soon as the reader of the stream takes it. While the reader is slow, lines
wait here and `room` holds back whoever makes more of them; the event loop goes on, so pings do
too. The stream is written only when the system says that it takes bytes, and then in pieces so
small that the call cannot block; the stream itself is left in the mode in which it was given,
because a terminal shares it with other programs.
"""

import asyncio
import contextlib
import os
import select
import stat
import time
from collections.abc import Callable, Mapping

from pydantic_core import to_json

from gwproactor.errors import GwproactorError

_PIECE_BYTES = select.PIPE_BUF
"""What a pipe that is ready takes without blocking, by POSIX."""

_GONE = select.POLLHUP | select.POLLERR
"""What poll says of a pipe or socket that nobody can read any more."""

HIGH_WATER_BYTES = 256 * 1024
"""So much may wait for a slow reader before `room` holds back the makers of lines."""


class OutputClosedError(GwproactorError):
    """The reader of the output has gone."""


class LineOutput:
    """Writes lines of JSON to a file descriptor. For one event loop, and only on it.

    Args:
        descriptor: Where to write; it is neither closed nor changed.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._waiting = bytearray()
        self._accepted_bytes = 0
        self._awaited: dict[asyncio.Event, Callable[[], bool]] = {}
        self._loop = asyncio.get_running_loop()
        self._watching = False
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._closed = False
        mode = os.fstat(descriptor).st_mode
        self._tells_end = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
        if self._tells_end:  # "readable" is how the loop says that the reader has gone
            self._loop.add_reader(descriptor, self._see_whether_reader_has_gone)

    def line(self, kind: str, fields: Mapping[str, object], *, t: int | None = None) -> None:
        """Write one line, at once where the reader takes it; drop it where the reader has gone.

        Args:
            kind: The line's kind.
            fields: What else it says.
            t: When it happened, in `time.monotonic_ns()`; now when not given.
        """
        if self._closed:
            return
        moment = time.monotonic_ns() if t is None else t
        text = to_json({"kind": kind, "t": moment, **fields}) + b"\n"
        self._waiting += text
        self._accepted_bytes += len(text)
        if not self._watching:
            self._write_what_is_taken()
        else:
            self._wake()

    async def full(self) -> None:
        """Wait until so many bytes are waiting that no more should be made. Cancelling is safe.

        Raises:
            OutputClosedError: The reader has gone.
        """
        await self._until(lambda: len(self._waiting) >= HIGH_WATER_BYTES)

    async def room(self) -> None:
        """Wait until so few bytes are waiting that more may be made. Cancelling is safe.

        Raises:
            OutputClosedError: The reader has gone.
        """
        await self._until(lambda: len(self._waiting) < HIGH_WATER_BYTES)

    async def flush(self) -> None:
        """Wait until every line so far is with the system. Cancelling is safe.

        Raises:
            OutputClosedError: The reader has gone.
        """
        target = self._accepted_bytes
        await self._until(lambda: self._accepted_bytes - len(self._waiting) >= target)

    async def wait_closed(self) -> None:
        """Wait until the reader has gone. Cancelling is safe."""
        with contextlib.suppress(OutputClosedError):
            await self._until(lambda: False)

    def close(self) -> None:
        """Let go of the stream; lines that still wait are dropped."""
        self._watch(False)
        self._forget_end()
        self._closed = True
        self._waiting.clear()
        self._wake()

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not self._closed and not condition():
            holds = asyncio.Event()
            self._awaited[holds] = condition
            try:
                await holds.wait()
            finally:
                del self._awaited[holds]
        if self._closed:
            raise OutputClosedError

    def _wake(self) -> None:
        """Wake those whose time has come, and nobody else: most lines are of no matter to them."""
        for holds, condition in self._awaited.items():
            if self._closed or condition():
                holds.set()

    def _see_whether_reader_has_gone(self) -> None:
        """Close if so; else a socket has something to read, or half an end, which is no matter."""
        if any(event & _GONE for _, event in self._poll.poll(0)):
            self.close()
        else:
            self._forget_end()

    def _forget_end(self) -> None:
        if self._tells_end:
            self._loop.remove_reader(self._descriptor)
        self._tells_end = False

    def _write_what_is_taken(self) -> None:
        try:
            while self._waiting and self._poll.poll(0):
                written = os.write(self._descriptor, _whole_lines(self._waiting[:_PIECE_BYTES]))
                del self._waiting[:written]
        except BlockingIOError:  # somebody else made the stream non-blocking; it takes more later
            pass
        except OSError:
            self.close()
            return
        self._watch(bool(self._waiting))
        self._wake()

    def _watch(self, wanted: bool) -> None:
        if wanted and not self._watching:
            self._loop.add_writer(self._descriptor, self._write_what_is_taken)
        elif self._watching and not wanted:
            self._loop.remove_writer(self._descriptor)
        self._watching = wanted


def _whole_lines(piece: bytearray) -> bytearray:
    """The lines of `piece` that are whole, so that what ends early ends with a line; else all."""
    return piece[: piece.rfind(b"\n") + 1] or piece
