"""Names of event files: the predecessor's, in order, and for any id whatever."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwproactor.events.persisters.rolling_names import (
    Stamps,
    file_name,
    folder_name,
    head_of,
    parse_head,
    parse_name,
    parse_time,
)

TIME = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
times = st.datetimes(timezones=st.just(UTC))


def test_names_are_those_of_the_predecessor() -> None:
    assert file_name(TIME, "a-1") == "2024-05-06T07:08:09.123456+00:00.uid[a-1].json"
    assert folder_name(TIME) == "2024-05-06T00:00:00+00:00"


@given(times, st.text(st.characters(), max_size=256))
def test_any_id_is_found_again(time: datetime, uid: str) -> None:
    name = file_name(time, uid)
    assert len(name.encode()) <= 255
    assert not set(name) & {"/", "\0"}
    parsed = parse_name(name)
    assert parsed is not None
    in_head = head_of(name, uid)
    assert parsed == (time, None if in_head else uid)
    assert not in_head or parse_head(in_head.removesuffix(b"\n")) == uid


@pytest.mark.parametrize("uid", ["é", "a%2Fb", "x.uid[y].json", "", "b" * 210])
def test_whatever_the_predecessor_has_named_is_read(uid: str) -> None:
    assert parse_name(f"{TIME.isoformat()}.uid[{uid}].json") == (TIME, uid)


@pytest.mark.parametrize(
    "name",
    [
        "notes.txt",
        "yesterday.uid[a].json",
        "2024-05-06T07:08:09+00:00.uid[a].json.tmp",
        "2024-05-06T07:08:09+00:00.uid[a]!json",
        "0001-01-01T00:00:00+23:00.uid[a].json",
    ],
)
def test_other_names_hold_no_event(name: str) -> None:
    assert parse_name(name) is None


def test_a_time_without_a_zone_is_utc() -> None:
    assert parse_time("2024-05-06T07:08:09.123456") == TIME


@pytest.mark.parametrize("line", [b"", b"7", b"[]", b'"a', b"\xff"])
def test_a_first_line_without_an_id_is_noticed(line: bytes) -> None:
    assert parse_head(line) is None


def test_stamps_grow_though_the_clock_steps_back() -> None:
    stamps = Stamps()
    future = datetime.now(UTC) + timedelta(days=400)
    stamps.saw(future)
    stamps.saw(TIME)
    given_out = [stamps.next() for _ in range(3)]
    assert given_out == sorted(set(given_out))
    assert given_out[0] > future


def test_a_time_of_no_clock_does_not_stop_time() -> None:
    stamps = Stamps()
    stamps.saw(datetime.max.replace(tzinfo=UTC))
    assert stamps.next() < stamps.next() < datetime.now(UTC) + timedelta(days=1)
