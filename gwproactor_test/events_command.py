"""`gwproactor events` in tests: data folders to look at, and calls with what came of them."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gwproactor.cli import main
from gwproactor.events.log.segment_log import SegmentLog
from gwproactor.events.persisters.timed_rolling_files import TimedRollingFilePersister
from gwproactor.events.store import StoredEvent
from gwproactor.wire.payloads import AnyEvent


class Ended(NamedTuple):
    """What a call came to."""

    status: int
    output: str
    errors: str


def call(capfd: pytest.CaptureFixture[str], *arguments: str | Path) -> Ended:
    """Call it."""
    status = main(["events", *map(str, arguments)])
    return Ended(status, *capfd.readouterr())


def run(capfd: pytest.CaptureFixture[str], *arguments: str | Path, status: int = 0) -> str:
    """Call it where nothing is to be complained of; its output."""
    ended = call(capfd, *arguments)
    assert (ended.status, ended.errors) == (status, "")
    return ended.output


def refused(capfd: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """Call it where it can do nothing; the one line that says why."""
    ended = call(capfd, *arguments)
    assert (ended.status, ended.output) == (2, "")
    assert len(ended.errors.splitlines()) == 1
    assert ended.errors.startswith("gwproactor: ")
    return ended.errors


def ids(output: str) -> list[str]:
    """The ids in lines of JSON."""
    return [json.loads(line)["id"] for line in output.splitlines()]


# What there is to be looked at

HOUR_MS = 3_600_000
SOME_DAY_MS = 1_794_000_000_000  # 2026-11-06T21:20:00Z

LEFT = [1, 2, 4, 5, 6, 7, 8, 9]
"""The numbers of the events in a folder that was filled."""


def stored(number: int, sequence: int, **fields: Any) -> StoredEvent:
    """An event with a tag and a priority, `number` hours after that day."""
    event = AnyEvent(
        MessageId=f"e{number}",
        TimeCreatedMs=SOME_DAY_MS + number * HOUR_MS,
        Src="d1.s",
        TypeName="gridworks.event.even" if number % 2 == 0 else "gridworks.event.odd",
        **fields,
    )
    payload = event.model_dump_json().encode()
    return StoredEvent(sequence, event.MessageId, payload, "line", "", number % 3)


def fill(folder: Path) -> Path:
    """Make a data folder whose outbox has held ten events, in several segments, less two."""
    log = SegmentLog(folder / "outbox", segment_bytes=600)
    log.open()
    for number in range(10):
        log.commit([stored(number, number + 1)], ())
    log.commit((), [1, 4])
    log.close()
    return folder


def fill_files(folder: Path) -> Path:
    """Make a data folder with the same events, a file for each."""
    persister = TimedRollingFilePersister(folder / "event", durable=False)
    for number in LEFT:
        event = stored(number, 1)
        persister.persist(event.event_id, event.payload)
    return folder


def damage(data: Path) -> Path:
    """Flip a bit in the outbox; the segment that has it."""
    path = sorted((data / "outbox").iterdir())[1]
    content = bytearray(path.read_bytes())
    content[content.index(b"d1.s")] ^= 1
    path.write_bytes(content)
    return path
