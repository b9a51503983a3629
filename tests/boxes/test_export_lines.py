"""The lines of an export: they are events, and give back what the store had, byte for byte."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwproactor.boxes.export_lines import MEMBER, Imported, export_line, import_line
from gwproactor.errors import DecodingError, UsageError
from gwproactor.events.store import MAX_PRIORITY, StoredEvent
from gwproactor.wire.payloads import AnyEvent

texts = st.text(max_size=12)
fields = st.dictionaries(texts, st.none() | texts | st.floats(-1e6, 1e6), max_size=4)
priorities = st.integers(-MAX_PRIORITY, MAX_PRIORITY)


def event_json(more: dict[str, Any] | None = None, **known: Any) -> bytes:
    event = AnyEvent(**{"MessageId": "e1", "TimeCreatedMs": 1, "Src": "d1.s", **known})
    return json.dumps(event.model_dump() | (more or {}), ensure_ascii=False).encode()


def stored(payload: bytes, tag: str = "", source: str = "", priority: int = 0) -> StoredEvent:
    return StoredEvent(1, "e1", payload, tag, source, priority)


@given(fields, texts, texts, priorities, st.sampled_from(["", " ", "  \t"]))
def test_what_is_exported_is_imported_as_it_was(
    more: dict[str, Any], tag: str, source: str, priority: int, blanks: str
) -> None:
    payload = event_json({f"x{name}": value for name, value in more.items()})
    line = export_line(stored(payload + blanks.encode(), tag, source, priority))
    assert line.count(b"\n") == 1
    assert json.loads(line)["MessageId"] == "e1", "each line is an event"
    assert import_line(line) == Imported("e1", payload, tag, source or "d1.s", priority)


@given(st.none() | texts | st.dictionaries(texts, texts, max_size=3), priorities)
def test_an_event_with_such_a_member_of_its_own_keeps_it(own: object, priority: int) -> None:
    for more in ({MEMBER: own}, {"nested": {MEMBER: own}}, {MEMBER: {"tag": "mine"}}):
        payload = event_json(more)
        for compact in (payload, payload.replace(b": ", b":").replace(b", ", b",")):
            line = export_line(stored(compact, priority=priority))
            assert import_line(line) == Imported("e1", compact, "", "d1.s", priority)


@given(texts, texts, priorities)
def test_a_line_that_another_program_has_written_anew_is_read(
    tag: str, source: str, priority: int
) -> None:
    line = export_line(stored(event_json({"n": 1.5}), tag, source, priority))
    fields = json.loads(line)
    for anew in (
        json.dumps(fields),
        json.dumps(fields, sort_keys=True, ensure_ascii=False),
        json.dumps(dict(reversed(fields.items())), separators=(",", ":")),
    ):
        found = import_line(anew.encode())
        assert json.loads(found.payload) == json.loads(event_json({"n": 1.5}))
        assert found._replace(payload=b"") == Imported("e1", b"", tag, source or "d1.s", priority)


def test_what_earlier_versions_exported_is_read() -> None:
    payload = event_json()
    assert import_line(payload + b"\r\n") == Imported("e1", payload, "", "d1.s", 0)


def test_what_says_nothing_gets_no_member() -> None:
    payload = event_json()
    assert export_line(stored(payload)) == payload + b"\n"
    assert export_line(stored(b"{}", "line")) == b"{}\n"


@pytest.mark.parametrize(
    ("member", "error", "said"),
    [
        ("x", DecodingError, "is no object"),
        (None, DecodingError, "is no object"),
        ({"tag": 1}, DecodingError, "tag and source as text"),
        ({"source": None}, DecodingError, "tag and source as text"),
        ({"priority": "5"}, DecodingError, "whole number"),
        ({"priority": True}, DecodingError, "whole number"),
        ({"priority": 100}, UsageError, "priority is 100"),
    ],
)
def test_a_wrong_member_is_refused(member: object, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        import_line(event_json({MEMBER: member}))


@pytest.mark.parametrize("line", [b"", b"[]", b"{", b'{"MessageId": "x", "TimeCreatedMs": 1}'])
def test_what_is_no_event_is_refused(line: bytes) -> None:
    with pytest.raises(DecodingError):
        import_line(line)
