import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwproactor.node.input import OVERLONG, LineSplitter, OverlongLine, read_lines

LIMIT = 10


def split_at_once(text: bytes) -> list[bytes | OverlongLine]:
    """What any way of cutting `text` into pieces must give."""
    lines = text.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    return [line if len(line) <= LIMIT else OVERLONG for line in lines]


@given(pieces=st.lists(st.binary(max_size=25).map(lambda b: b.replace(b"\x01", b"\n"))))
def test_lines_do_not_depend_on_the_pieces(pieces: list[bytes]) -> None:
    splitter = LineSplitter(LIMIT)
    lines = [line for piece in pieces for line in splitter.feed(piece)] + splitter.end()
    assert lines == split_at_once(b"".join(pieces))


def test_an_overlong_line_is_dropped_in_bounded_memory() -> None:
    splitter = LineSplitter(LIMIT)
    for _ in range(1000):
        assert splitter.feed(b"x" * 100) == []
        assert len(splitter._rest) <= LIMIT
    assert splitter.feed(b"\nshort\n") == [OVERLONG, b"short"]


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    for end in (reader, writer):
        try:
            os.close(end)
        except OSError:  # the test closed it
            continue


async def test_lines_come_from_a_pipe_as_they_are_written(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    lines = read_lines(reader, LIMIT)
    os.write(writer, b"a\n\nb")
    assert await anext(lines) == (1, b"a")
    assert await anext(lines) == (2, b"")
    os.close(writer)
    assert [line async for line in lines] == [(3, b"b")]


async def test_lines_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"one\ntwo\n" * 20000)
    with path.open("rb") as file:
        lines = [line async for line in read_lines(file.fileno(), LIMIT)]
    assert len(lines) == 40000
    assert lines[-1] == (40000, b"two")


async def test_the_null_device_is_at_its_end() -> None:
    device = os.open(os.devnull, os.O_RDONLY)
    assert [line async for line in read_lines(device, LIMIT)] == []
    os.close(device)


async def test_a_cancelled_reader_lets_go_of_the_stream(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    task = asyncio.ensure_future(anext(read_lines(reader, LIMIT)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not asyncio.get_running_loop().remove_reader(reader)
    assert os.get_blocking(reader)
    os.write(writer, b"a\n")
    assert await anext(read_lines(reader, LIMIT)) == (1, b"a")
