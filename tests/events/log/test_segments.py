"""The text of a segment: what is written is read, and damage costs only what it hits."""

from collections.abc import Iterator
from itertools import pairwise
from json.encoder import encode_basestring_ascii
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwproactor.errors import StoreFormatError
from gwproactor.events.log.flaws import blank_flaws
from gwproactor.events.log.records import encode_filler
from gwproactor.events.log.segments import (
    FORMAT,
    HEADER_BYTES,
    Contents,
    Put,
    decode_put,
    decode_segment,
    encode_header,
    encode_put,
    encode_removal,
)
from gwproactor.events.store import MAX_PRIORITY, StoredEvent

# Any id that JSON can hold, lone surrogates included, and any payload that is one line.
ids = st.text(st.characters(exclude_categories=()), min_size=1, max_size=40)
payloads = st.binary(max_size=80).map(lambda data: data.replace(b"\n", b" "))
events = st.builds(
    StoredEvent,
    st.integers(0, 10**12),
    ids,
    payloads,
    st.text(max_size=8),
    st.just("") | ids,
    st.integers(-MAX_PRIORITY, MAX_PRIORITY),
)
removals = st.lists(st.integers(0, 10**12), min_size=1, max_size=5)


def line_of(record: StoredEvent | list[int]) -> bytes:
    return encode_put(record) if isinstance(record, StoredEvent) else encode_removal(record)


def said(contents: Contents) -> list[StoredEvent | list[int]]:
    return [
        record.event if isinstance(record, Put) else list(record.sequences)
        for record in contents.records
    ]


EVENTS = [
    StoredEvent(1, "first", b'{"MessageId": "first"}', "line"),
    StoredEvent(2, 'se"co\\nd', b'{"n": 2}', ""),
    StoredEvent(3, "\udc80\u2028third", '{"text": "größer + 9ad1c2f3 5 "}'.encode(), "link"),
    StoredEvent(5, "fifth", b'"x" 1 {"n": 5}', "line", 'chi"ld', -7),
]
SEGMENT = (
    encode_header(1)
    + b"".join(map(encode_put, EVENTS))
    + encode_removal([10**6])
    + encode_filler(20)
    + encode_put(StoredEvent(4, "last", b"{}"))
)
ALL: list[StoredEvent | list[int]] = [*EVENTS, [10**6], StoredEvent(4, "last", b"{}")]


def lines() -> Iterator[tuple[int, int, StoredEvent | list[int] | None]]:
    """Where each line of the segment begins and ends, and what it says, behind the header."""
    start, records = HEADER_BYTES, iter(ALL)
    for line in SEGMENT[HEADER_BYTES:].splitlines(keepends=True):
        yield start, start + len(line), None if line.startswith(b"#") else next(records)
        start += len(line)


@given(st.lists(events | removals, max_size=8), st.integers(0, 10**15))
def test_what_is_written_is_read(records: list[StoredEvent | list[int]], first: int) -> None:
    data = encode_header(first) + b"".join(map(line_of, records))
    contents = decode_segment(data, "test")
    assert said(contents) == records
    assert contents.flaws == []
    assert contents.next_sequence >= first


@given(events)
def test_one_line_for_one_event(event: StoredEvent) -> None:
    line = encode_put(event)
    assert line.count(b"\n") == 1
    assert decode_put(line) == event


def test_a_line_is_readable() -> None:
    line = encode_put(StoredEvent(42, "d2b1", '{"text": "größer"}'.encode(), "line"))
    assert line.decode().endswith(' 42 "d2b1" "line" {"text": "größer"}\n')
    assert encode_removal([40, 41]).decode().endswith(" 40 41\n")


def test_source_and_priority_stand_behind_the_tag() -> None:
    line = encode_put(StoredEvent(43, "77f0", b"{}", "line", "child", 5))
    assert line.startswith(b"@ ")
    assert line.endswith(b' 43 "77f0" "line" "child" 5 {}\n')


def test_a_damaged_mark_makes_no_other_record() -> None:
    for event in EVENTS:
        line = encode_put(event)
        for mark in range(256):
            assert decode_put(bytes([mark]) + line[1:]) in (None, event)


VERSION_1 = (
    b"# gwproactor event log, format 001, next 00000000000000000001, crc 9c5f30bc\n"
    b'+ a1f89f15 31 1 "a" "line" {"MessageId": "a"}\n'
    b'+ 40644849 22 2 "b" "" "x" 5 {"n":1}\n'
    b"- 6abf4a82 1 7\n"
)


def test_what_version_1_wrote_is_read() -> None:
    contents = decode_segment(VERSION_1, "test")
    assert contents.flaws == []
    assert said(contents) == [
        StoredEvent(1, "a", b'{"MessageId": "a"}', "line"),
        StoredEvent(2, "b", b'"x" 5 {"n":1}', ""),
        [7],
    ]
    assert contents.next_sequence == 8


def test_an_unfinished_end_is_no_damage() -> None:
    for length in range(len(SEGMENT)):
        contents = decode_segment(SEGMENT[:length], "test")
        assert contents.flaws == []
        whole = [record for _, end, record in lines() if record and end - 1 <= length]
        assert said(contents) == whole  # a last one may lack its newline


def flipped(offset: int, mask: int) -> bytes:
    data = bytearray(SEGMENT)
    data[offset] ^= mask
    return bytes(data)


def test_a_flipped_bit_in_the_header_costs_nothing_and_is_named() -> None:
    for offset in range(HEADER_BYTES):
        for bit in range(8):
            contents = decode_segment(flipped(offset, 1 << bit), "test")
            assert said(contents) == ALL
            assert [flaw.reason for flaw in contents.flaws] == ["the header is damaged"]


def test_a_flipped_bit_costs_its_own_line_only_and_all_of_that_is_named() -> None:
    """In the mark, the checksum, the length, or anywhere else up to the newline."""
    for start, end, record in lines():
        for offset in range(start, end - 1):
            for bit in range(8):
                contents = decode_segment(flipped(offset, 1 << bit), "test")
                assert said(contents) == [other for other in ALL if other is not record]
                named = [(flaw.offset, flaw.end) for flaw in contents.flaws]
                assert (named[0][0], named[-1][1]) == (start, end)
                assert all(one[1] == next_[0] for one, next_ in pairwise(named))


def test_a_flipped_bit_in_a_newline_costs_nothing() -> None:
    """Also in the last one, and in that of a filler, which is named."""
    for start, end, record in lines():
        for bit in range(8):
            contents = decode_segment(flipped(end - 1, 1 << bit), "test")
            assert said(contents) == ALL
            named = [(flaw.offset, flaw.end) for flaw in contents.flaws]
            assert named == ([(start, end)] if record is None else [])


def test_the_damaged_event_is_named() -> None:
    for offset in range(HEADER_BYTES, len(SEGMENT)):
        contents = decode_segment(flipped(offset, 1), "test")
        for event in EVENTS:
            line = encode_put(event)
            id_text = encode_basestring_ascii(event.event_id).encode()
            start = SEGMENT.index(line) + line.index(id_text)
            if event not in said(contents) and not start <= offset < start + len(id_text):
                assert event.event_id in [flaw.event_id for flaw in contents.flaws]


@given(st.lists(st.tuples(st.integers(0, len(SEGMENT) - 1), st.integers(1, 255)), max_size=6))
def test_blanking_removes_the_damage_and_nothing_else(flips: list[tuple[int, int]]) -> None:
    data = bytearray(SEGMENT)
    for offset, mask in flips:
        data[offset] ^= mask
    contents = decode_segment(bytes(data), "test")
    clean = decode_segment(blank_flaws(bytes(data), contents), "test")
    assert clean.flaws == []
    assert clean.records == contents.records
    assert clean.next_sequence == contents.next_sequence


@given(st.binary(max_size=300))
def test_garbage_is_damage_and_nothing_worse(data: bytes) -> None:
    assert decode_segment(data, "test").records == []


@pytest.mark.parametrize("data", [b"", SEGMENT[:10], b"\0" * 500, b"\n" * 200])
def test_what_power_cuts_leave_is_read(data: bytes) -> None:
    assert decode_segment(data, "test").records == []


def test_a_newer_format_is_refused() -> None:
    newer = encode_header(1).replace(b"format 002", b"format 003")
    with pytest.raises(StoreFormatError, match=r"events-1.*format 3.*update gwproactor"):
        decode_segment(_with_checksum(newer), "events-1")
    assert FORMAT == 2


def test_a_damaged_format_number_is_no_newer_format() -> None:
    data = encode_header(1).replace(b"format 002", b"format 009") + encode_put(EVENTS[0])
    contents = decode_segment(data, "test")
    assert said(contents) == [EVENTS[0]]
    assert [flaw.reason for flaw in contents.flaws] == ["the header is damaged"]


def _with_checksum(header: bytes) -> bytes:
    text = header[: header.index(b", crc")]
    return b"%b, crc %08x\n" % (text, crc32(text))
