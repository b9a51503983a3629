"""The lines of an export: each is an event's JSON, with what its store knows of it at the end.

    {"MessageId": "d2b1…", …,"_gwproactor":{"tag":"line","source":"d1.s","priority":5}}

So each line is an event, for other programs too, and taking the last member off gives back the very
bytes that were stored. What is empty, or 0, is left out, and the member where nothing is left; but
an event that has a member of that name itself always gets it. A line without it, from an earlier
version or from elsewhere, is an event with no tag and no priority, of the source in its `Src`.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic_core import to_json

from gwproactor.errors import DecodingError
from gwproactor.events.store import StoredEvent, check_event_id, check_priority, one_line
from gwproactor.wire.codec import parse_event, parse_json_object, refuse_incomplete

MEMBER = "_gwproactor"
_MARK = f',"{MEMBER}":'.encode()


class Imported(NamedTuple):
    """An event from elsewhere, checked.

    Attributes:
        event_id: Its id.
        payload: Its JSON in UTF-8, in one line.
        tag: As the store had it that it was exported from.
        source: Whose event it is.
        priority: As in that store.
    """

    event_id: str
    payload: bytes
    tag: str = ""
    source: str = ""
    priority: int = 0


def export_line(event: StoredEvent) -> bytes:
    """The line of one event, with its newline."""
    known = {"tag": event.tag, "source": event.source, "priority": event.priority}
    said = {name: value for name, value in known.items() if value}
    fields = event.payload.rstrip().removesuffix(b"}")
    if (not said and MEMBER.encode() not in fields) or fields.rstrip().endswith(b"{"):
        return event.payload + b"\n"
    text = json.dumps(said, separators=(",", ":")).encode("ascii")
    return b"%b%b%b}\n" % (fields, _MARK, text)


def import_line(text: bytes) -> Imported:
    """Read one line, ours or any event's JSON.

    Raises:
        DecodingError: It is no event.
        UsageError: What stands in it cannot be stored.
    """
    fields = parse_json_object(text)
    has_member = MEMBER in fields
    said = fields.pop(MEMBER, None)
    refuse_incomplete(fields)
    event = parse_event(fields)
    check_event_id(event.MessageId)
    payload = one_line(text.strip().replace(b"\r", b" "))
    if has_member:
        payload = _without_member(payload, fields)
    tag, source, priority = _known(said if has_member else {})
    return Imported(event.MessageId, payload, tag, source or event.Src, priority)


def _without_member(payload: bytes, fields: Mapping[str, Any]) -> bytes:
    """The event itself: as it was, where the member is still where we put it."""
    head, mark, tail = payload.rpartition(_MARK)
    try:
        if mark and isinstance(json.loads(tail.rstrip()[:-1]), dict):
            return head + b"}"
    except ValueError:
        pass  # another program has written the line anew
    return to_json(fields)


def _known(said: object) -> tuple[str, str, int]:
    """Tag, source and priority.

    Raises:
        DecodingError: They are of other types.
        UsageError: The priority is too high or too low.
    """
    if not isinstance(said, dict):
        raise DecodingError(f"its member {MEMBER} is no object")
    tag, source, priority = (
        said.get(name, default) for name, default in (("tag", ""), ("source", ""), ("priority", 0))
    )
    if not isinstance(tag, str) or not isinstance(source, str) or type(priority) is not int:
        raise DecodingError(
            f"its member {MEMBER} has tag and source as text, and priority as a whole number"
        )
    check_priority(priority)
    return tag, source, priority
