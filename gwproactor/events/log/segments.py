r"""The text of a segment: what the log store writes, and how it is read after any accident.

A segment is a text file. Its first line is the header, of fixed length; each further line is one
record::

    # gwproactor event log, format 002, next 00000000000000000042, crc 2ab1c0de
    + 9ad1c2f3 96 42 "d2b1…" "line" {"MessageId": "d2b1…", …}
    @ 5d70a2b8 107 43 "77f0…" "line" "child" 5 {"MessageId": "77f0…", …}
    - 11223344 5 40 41

`+` puts an event: its sequence, its id and its tag as JSON strings in ASCII, and its payload in
clear. `@` does so for an event that has a source, a JSON string too, and a priority. `-` removes
events by their sequences. Before them stand the CRC-32 of the body and its length in bytes; the
body is everything after the length and its blank, without the newline. The checksum of a `@` begins
with that mark, so that a damaged mark is not taken for a `+`. A line of blanks, with or without a
`#` before them, says nothing. Later lines win over earlier ones.

**Reading** trusts a record whose checksum fits and nothing else. Where one does not, reading goes
on after the next newline, so a flipped byte costs its own record only; where the newline itself was
hit, the length says where the next record begins. What is damaged is returned as byte ranges, with
the id where it can still be made out. Only an unfinished last line, which is what a kill or a power
cut leaves of something never reported stored, is passed over in silence.

**Format.** `next` is a sequence above every one used before this segment: it keeps sequences
growing when all older segments are gone. A segment of a higher format number is refused. Format 1
had no `@`; the rest is the same, so a damaged header leaves no doubt about any record.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from json.encoder import encode_basestring_ascii
from typing import NamedTuple, TypeVar
from zlib import crc32

from gwproactor.errors import StoreFormatError
from gwproactor.events.log.records import (
    broken_filler_end,
    encode_record,
    filler_end,
    line_end,
    looks_like_record,
    record_at,
)
from gwproactor.events.store import StoredEvent

T = TypeVar("T")

FORMAT = 2
_MAX_NUMBER_DIGITS = 20
"""Enough for a count that never ends; a longer run of digits is damage, not a number."""

_HEADER = re.compile(
    rb"(# gwproactor event log, format (\d{3}), next (\d{20})), crc ([0-9a-f]{8})\n"
)
_SEQUENCE = re.compile(rb"(\d{1,20}) ")
_PUT = re.compile(rb'(\d{1,20}) ("(?:[^"\\]|\\.)*") ("(?:[^"\\]|\\.)*") ')
_ORIGIN = re.compile(rb'("(?:[^"\\]|\\.)*") (-?\d{1,2}) ')
_FIRST_STRING = re.compile(rb'[^"]{0,50}("(?:[^"\\]|\\.)*")')


class Put(NamedTuple):
    """A record that puts an event: where its line is, and what it says."""

    offset: int
    line_bytes: int
    event: StoredEvent


class Removal(NamedTuple):
    """A record that removes events."""

    sequences: tuple[int, ...]


class Line(NamedTuple):
    """Where the line of an event stands, whatever it says."""

    offset: int
    line_bytes: int
    sequence: int


class Flaw(NamedTuple):
    """A range of bytes that is no record, nor an unfinished last line."""

    offset: int
    end: int
    reason: str
    event_id: str


class Contents(NamedTuple):
    """Everything that one segment says.

    Attributes:
        next_sequence: A sequence above all of it.
        records: In order.
        flaws: What is damaged.
        begins_at: The sequence in its header: whatever has it, or a higher one, was first put into
            this segment or a younger one. 0 where the header is damaged.
    """

    next_sequence: int
    records: list[Put | Removal]
    flaws: list[Flaw]
    begins_at: int = 0


_ReadAt = Callable[[bytes, int], tuple[T | None, int]]
"""Reads the record at a position; gives it, None where it is damaged, and where the next begins."""


def encode_header(next_sequence: int) -> bytes:
    """Write the first line of a segment; its length is always `HEADER_BYTES`."""
    text = f"# gwproactor event log, format {FORMAT:03}, next {next_sequence:020}".encode()
    return b"%b, crc %08x\n" % (text, crc32(text))


HEADER_BYTES = len(encode_header(0))


def encode_put(event: StoredEvent) -> bytes:
    """Write the line that puts `event`. Its payload must be one line; its id may be any text."""
    head = (
        f"{event.sequence} {encode_basestring_ascii(event.event_id)}"
        f" {encode_basestring_ascii(event.tag)} "
    )
    if not event.source and not event.priority:
        return encode_record(b"+", head.encode("ascii") + event.payload)
    head += f"{encode_basestring_ascii(event.source)} {event.priority} "
    return encode_record(b"@", head.encode("ascii") + event.payload)


def encode_removal(sequences: Sequence[int]) -> bytes:
    """Write the line that removes the events with `sequences`."""
    return encode_record(b"-", " ".join(map(str, sequences)).encode("ascii"))


def decode_put(line: bytes) -> StoredEvent | None:
    """Read back the one line that `encode_put` wrote; None when it is damaged."""
    record, _ = _record_at(line, 0)
    return record.event if isinstance(record, Put) else None


def decode_segment(data: bytes, name: str) -> Contents:
    """Read a whole segment.

    Args:
        data: The bytes of the file.
        name: The file, for the message of an error.

    Raises:
        StoreFormatError: The segment was written by a newer version.
    """
    begins_at, position, flaws = _decode_header(data, name)
    records: list[Put | Removal] = []
    items: Iterator[Put | Removal | Flaw] = _scan(data, position, _record_at)
    for item in items:
        if isinstance(item, Flaw):
            flaws.append(item)
        else:
            records.append(item)
    used = max(map(_highest, records), default=0)
    return Contents(max(begins_at, used + 1), records, flaws, begins_at)


def locate_events(data: bytes, name: str) -> Iterator[Line | Removal | Flaw]:
    """Say where the events of a segment stand, with removals and damage, in their order.

    Every checksum is looked at, and no event is read: that takes a third of the time.

    Raises:
        StoreFormatError: The segment was written by a newer version.
    """
    _, position, flaws = _decode_header(data, name)
    yield from flaws
    items: Iterator[Line | Removal | Flaw] = _scan(data, position, _line_at)
    yield from items


def _decode_header(data: bytes, name: str) -> tuple[int, int, list[Flaw]]:
    """Return the next sequence, where the records begin, and what is wrong with the header."""
    match = _HEADER.match(data)
    if match is not None and crc32(match[1]) == int(match[4], 16):
        if int(match[2]) > FORMAT:
            raise StoreFormatError(
                f"{name} has format {int(match[2])}, and this version reads up to {FORMAT}:"
                " update gwproactor, or give another folder"
            )
        return int(match[3]), match.end(), []
    if b"\n" not in data and len(data) < HEADER_BYTES:
        return 0, len(data), []  # the very first write was cut short: nothing was ever stored here
    end = min(HEADER_BYTES, len(data))
    return 0, end, [Flaw(0, end, "the header is damaged", "")]


def _scan(data: bytes, position: int, read_at: _ReadAt[T]) -> Iterator[T | Flaw]:
    while position < len(data):
        position, begin = filler_end(data, position), position
        if position > begin:
            continue
        record, position = read_at(data, begin)
        if record is not None:
            yield record
        elif flaw := _flaw_at(data, begin):
            yield flaw
            position = flaw.end
        else:
            return


def _record_at(data: bytes, position: int) -> tuple[Put | Removal | None, int]:
    """Read the record that begins at `position`; None when there is no sound one."""
    mark, body, end = record_at(data, position)
    if mark == b"-":
        return _removal(body), end
    event = _event(body, has_origin=mark == b"@") if mark else None
    return event and Put(position, end - position, event), end


def _line_at(data: bytes, position: int) -> tuple[Line | Removal | None, int]:
    """Find the record that begins at `position`; None when there is no sound one."""
    mark, body, end = record_at(data, position)
    if mark == b"-":
        return _removal(body), end
    match = _SEQUENCE.match(body)
    return Line(position, end - position, int(match[1])) if match else None, end


def _event(body: bytes, *, has_origin: bool) -> StoredEvent | None:
    match = _PUT.match(body)
    origin = _ORIGIN.match(body, match.end()) if match and has_origin else None
    if match is None or (has_origin and origin is None):
        return None
    try:
        event_id, tag = _text(match[2]), _text(match[3])
        source = _text(origin[1]) if origin else ""
    except ValueError:
        return None
    if origin is None:
        return StoredEvent(int(match[1]), event_id, body[match.end() :], tag)
    payload, priority = body[origin.end() :], int(origin[2])
    return StoredEvent(int(match[1]), event_id, payload, tag, source, priority)


def _text(quoted: bytes) -> str:
    """Read a JSON string; nearly always there is nothing in it to be unescaped."""
    if b"\\" in quoted or not quoted.isascii():
        return str(json.loads(quoted))
    return quoted[1:-1].decode("ascii")


def _removal(body: bytes) -> Removal | None:
    words = body.split(b" ")
    if not all(word.isdigit() and len(word) <= _MAX_NUMBER_DIGITS for word in words):
        return None
    return Removal(tuple(map(int, words)))


def _highest(record: Put | Removal) -> int:
    return record.event.sequence if isinstance(record, Put) else max(record.sequences)


def _flaw_at(data: bytes, position: int) -> Flaw | None:
    """What is damaged from `position` on; None when it is merely the unfinished last line."""
    end = broken_filler_end(data, position) or line_end(data, position)
    if end == len(data) and not data.endswith(b"\n"):
        return None
    is_record = looks_like_record(data, position)
    reason = "its checksum does not fit" if is_record else "it is no record"
    return Flaw(position, end, reason, guess_id(data[position:end]))


def guess_id(line: bytes) -> str:
    """Give the id in a damaged line, as far as it can be made out."""
    match = _FIRST_STRING.match(line)
    if match is None:
        return ""
    try:
        return str(json.loads(match[1]))
    except ValueError:
        return ""
