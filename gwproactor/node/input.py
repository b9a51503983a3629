"""The node's input: lines of bytes, however long, from a pipe, a terminal or a file.

The stream is read only when the system says that bytes are there, so reading neither blocks nor
needs a thread, and the stream is left in the mode in which it was given. A regular file, which
cannot be waited for, is read in the default executor. Nothing is read ahead of what is asked
for, beyond one piece.
"""

import asyncio
import os
from collections.abc import AsyncIterator

_PIECE_BYTES = 64 * 1024
"""One read: what a pipe holds on Linux."""


class OverlongLine:
    """Stands for a line that was longer than allowed; its bytes are dropped."""


OVERLONG = OverlongLine()


class LineSplitter:
    """Cuts pieces of a stream into lines, in bounded memory. Pure.

    Args:
        max_line_bytes: Longest line in bytes, without its end.
    """

    def __init__(self, max_line_bytes: int) -> None:
        self._max_line_bytes = max_line_bytes
        self._rest = bytearray()
        self._overlong = False

    def feed(self, piece: bytes) -> list[bytes | OverlongLine]:
        """The lines that `piece` completes."""
        *ended, rest = piece.split(b"\n")
        lines = [self._complete(end) for end in ended]
        self._extend(rest)
        return lines

    def end(self) -> list[bytes | OverlongLine]:
        """The last line, where the stream does not end with a line end."""
        return [self._complete(b"")] if self._rest or self._overlong else []

    def _complete(self, end: bytes) -> bytes | OverlongLine:
        self._extend(end)
        line = OVERLONG if self._overlong else bytes(self._rest)
        self._rest.clear()
        self._overlong = False
        return line

    def _extend(self, part: bytes) -> None:
        if self._overlong or len(self._rest) + len(part) > self._max_line_bytes:
            self._overlong = True
            self._rest.clear()
        else:
            self._rest += part


async def read_lines(
    descriptor: int, max_line_bytes: int
) -> AsyncIterator[tuple[int, bytes | OverlongLine]]:
    """Iterate over the lines of a stream, numbered from 1, blank ones included.

    Args:
        descriptor: Where to read; it is neither closed nor changed.
        max_line_bytes: Longest line in bytes; `OVERLONG` stands for a longer one.

    Cancelling is safe; at most one piece that was read is then lost.
    """
    splitter = LineSplitter(max_line_bytes)
    number = 0
    while piece := await _read_piece(descriptor):
        for line in splitter.feed(piece):
            number += 1
            yield number, line
    for line in splitter.end():
        number += 1
        yield number, line


async def _read_piece(descriptor: int) -> bytes:
    """The next bytes of the stream, none at its end."""
    loop = asyncio.get_running_loop()
    readable = loop.create_future()
    try:
        loop.add_reader(descriptor, _resolve, readable)
    except PermissionError:  # a regular file: always ready, so the system refuses to watch it
        return await loop.run_in_executor(None, _read_file, descriptor)
    try:
        await readable
    finally:
        loop.remove_reader(descriptor)
    try:
        return os.read(descriptor, _PIECE_BYTES)
    except BlockingIOError:  # somebody else made the stream non-blocking and took the bytes
        return await _read_piece(descriptor)
    except OSError:  # a terminal that was hung up: no more will come
        return b""


def _read_file(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _PIECE_BYTES)
    except OSError:  # open for writing only, or on a disk that has gone: no more will come
        return b""


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
