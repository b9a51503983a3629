import asyncio
import json
import os
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gwproactor.node.output import HIGH_WATER_BYTES, LineOutput, OutputClosedError


class Pipe:
    """A pipe with a LineOutput on its writing end."""

    def __init__(self) -> None:
        self.reader, self._writer = os.pipe()
        self.output = LineOutput(self._writer)

    def read(self) -> list[dict[str, Any]]:
        """What can be read at once, as lines."""
        return [json.loads(line) for line in os.read(self.reader, 1 << 20).splitlines()]

    def close_reader(self) -> None:
        if self.reader >= 0:
            os.close(self.reader)
        self.reader = -1

    def close(self) -> None:
        self.output.close()
        self.close_reader()
        os.close(self._writer)


@pytest.fixture
async def pipe() -> AsyncIterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


async def test_a_line_is_there_at_once(pipe: Pipe) -> None:
    before = time.monotonic_ns()
    pipe.output.line("ready", {"pid": 1})
    (line,) = pipe.read()
    assert (line["kind"], line["pid"]) == ("ready", 1)
    assert before <= line["t"] <= time.monotonic_ns()


async def test_the_moment_may_be_given(pipe: Pipe) -> None:
    pipe.output.line("acked", {"id": "i"}, t=7)
    assert pipe.read() == [{"kind": "acked", "t": 7, "id": "i"}]


async def test_a_slow_reader_holds_back_and_gets_everything(pipe: Pipe) -> None:
    count = 0
    while len(pipe.output._waiting) < HIGH_WATER_BYTES:
        pipe.output.line("event", {"n": count})
        count += 1
    assert os.get_blocking(pipe.output._descriptor)
    room = asyncio.create_task(pipe.output.room())
    await asyncio.sleep(0)
    assert not room.done()
    flushed = asyncio.create_task(pipe.output.flush())
    text = b""
    while not flushed.done():
        text += await asyncio.to_thread(os.read, pipe.reader, 65536)
        await asyncio.sleep(0)
    await room
    while text.count(b"\n") < count:
        text += os.read(pipe.reader, 65536)
    assert [json.loads(line)["n"] for line in text.splitlines()] == list(range(count))


async def test_a_full_output_is_told(pipe: Pipe) -> None:
    full = asyncio.create_task(pipe.output.full())
    pipe.output.line("event", {})
    await asyncio.sleep(0)
    assert not full.done()
    while len(pipe.output._waiting) < HIGH_WATER_BYTES:
        pipe.output.line("event", {"text": "x" * 1000})
    await asyncio.wait_for(full, 5)


async def test_a_reader_that_goes_is_noticed_without_writing(pipe: Pipe) -> None:
    pipe.close_reader()
    await asyncio.wait_for(pipe.output.wait_closed(), 5)
    with pytest.raises(OutputClosedError):
        await pipe.output.room()
    pipe.output.line("event", {})
    assert not pipe.output._waiting


async def test_a_reader_that_goes_wakes_who_waits(pipe: Pipe) -> None:
    while len(pipe.output._waiting) < HIGH_WATER_BYTES:
        pipe.output.line("event", {"text": "x" * 1000})
    waiting = [asyncio.create_task(pipe.output.flush()), asyncio.create_task(pipe.output.room())]
    await asyncio.sleep(0)
    pipe.close_reader()
    results = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 5)
    assert [type(result) for result in results] == [OutputClosedError] * 2


async def test_a_file_takes_lines_too(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as file:
        output = LineOutput(file.fileno())
        for n in range(10_000):
            output.line("event", {"n": n})
        await output.flush()
        output.close()
    lines = (tmp_path / "out").read_bytes().splitlines()
    assert [json.loads(line)["n"] for line in lines] == list(range(10_000))


async def test_what_ends_early_ends_with_a_line(pipe: Pipe) -> None:
    while not pipe.output._waiting:
        pipe.output.line("event", {"text": "x" * 1000})
    pipe.output.close()
    assert {line["kind"] for line in pipe.read()} == {"event"}


async def test_a_line_longer_than_a_pipe_arrives(pipe: Pipe) -> None:
    pipe.output.line("event", {"text": "x" * 300_000})
    pipe.output.line("event", {"text": "y"})
    flushed = asyncio.create_task(pipe.output.flush())
    text = b""
    while text.count(b"\n") < 2:
        text += await asyncio.to_thread(os.read, pipe.reader, 65536)
        await asyncio.sleep(0)
    await flushed
    assert [len(json.loads(line)["text"]) for line in text.splitlines()] == [300_000, 1]


async def test_a_socket_serves_and_its_end_is_noticed() -> None:
    """As where the parent is a program that gives its children sockets, not pipes."""
    ours, theirs = socket.socketpair()
    output = LineOutput(theirs.fileno())
    output.line("ready", {"pid": 1})
    assert json.loads(ours.recv(1000))["pid"] == 1
    ours.close()
    await asyncio.wait_for(output.wait_closed(), 5)
    theirs.close()


async def test_a_socket_that_also_brings_input_is_no_end() -> None:
    """Standard input and output may be one socket; its input may end before its output."""
    ours, theirs = socket.socketpair()
    output = LineOutput(theirs.fileno())
    ours.send(b"an input line\n")
    ours.shutdown(socket.SHUT_WR)
    await asyncio.sleep(0.01)  # turns of the loop in which the end could be misread
    output.line("ready", {"pid": 1})
    assert json.loads(ours.recv(1000))["pid"] == 1
    assert theirs.recv(100) == b"an input line\n"
    output.close()
    ours.close()
    theirs.close()
