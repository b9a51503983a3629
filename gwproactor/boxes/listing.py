"""What the events of a box say of themselves: rows to choose from, and counts."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple

from pydantic_core import from_json

from gwproactor.boxes.box import Progress, no_progress
from gwproactor.boxes.reader import BoxReader
from gwproactor.errors import UsageError
from gwproactor.events.store import StoredEvent


class Row(NamedTuple):
    """One event in a list.

    Attributes:
        id: Its id.
        time: When it was created, ISO, UTC; empty where it does not say.
        type: Its TypeName.
        source: Where it was created.
        bytes: The length of its JSON.
        link: The link that it came over; of an event on its way, what its maker noted.
        priority: What it is worth where there is no room for all.
    """

    id: str
    time: str
    type: str
    source: str
    bytes: int
    link: str
    priority: int


class Choice(NamedTuple):
    """Which events are wanted.

    Attributes:
        type_name: The beginning of the TypeName.
        since: Created then or later.
        until: Created before.
        limit: At most so many; None for all.
    """

    type_name: str = ""
    since: datetime | None = None
    until: datetime | None = None
    limit: int | None = None


def time_of(text: str, option: str) -> datetime:
    """Read an ISO time, UTC where it names no zone.

    Raises:
        UsageError: It is none; the message names `option`.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{option} is {text!r}, which is no ISO time; example: 2026-11-20T06:30:00"
        ) from None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def fields_of(event: StoredEvent) -> dict[str, Any]:
    """The fields of an event; empty where it is no JSON object."""
    try:
        fields = from_json(event.payload)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def created_at(fields: dict[str, Any]) -> datetime | None:
    """When an event says that it was created."""
    try:
        return datetime.fromtimestamp(fields["TimeCreatedMs"] / 1000, UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return None


def rows(events: Iterable[StoredEvent], choice: Choice) -> Iterator[Row]:
    """List the events that are wanted, in their order."""
    return islice(_chosen(events, choice), choice.limit)


def _chosen(events: Iterable[StoredEvent], choice: Choice) -> Iterator[Row]:
    for event in events:
        fields = fields_of(event)
        type_name, time = str(fields.get("TypeName", "")), created_at(fields)
        if not type_name.startswith(choice.type_name) or not _is_within(time, choice):
            continue
        yield Row(
            event.event_id,
            "" if time is None else time.isoformat(timespec="milliseconds"),
            type_name,
            str(fields.get("Src", "")),
            len(event.payload),
            event.tag,
            event.priority,
        )


def _is_within(time: datetime | None, choice: Choice) -> bool:
    if choice.since is None and choice.until is None:
        return True
    if time is None:
        return False
    return (choice.since is None or time >= choice.since) and (
        choice.until is None or time < choice.until
    )


def stats(reader: BoxReader, progress: Progress = no_progress) -> dict[str, Any]:
    """Counts of one box: how many events of which types, from when to when, and their files."""
    types: Counter[str] = Counter()
    oldest: datetime | None = None
    newest: datetime | None = None
    for done, event in enumerate(reader):
        progress(done, len(reader))
        fields = fields_of(event)
        types[str(fields.get("TypeName", ""))] += 1
        time = created_at(fields)
        if time is not None:
            oldest = time if oldest is None else min(oldest, time)
            newest = time if newest is None else max(newest, time)
    return {
        "events": sum(types.values()),
        "types": dict(types.most_common()),
        "oldest": oldest and oldest.isoformat(timespec="milliseconds"),
        "newest": newest and newest.isoformat(timespec="milliseconds"),
        "files": reader.file_count,
        "file_bytes": reader.file_bytes,
        "live_bytes": reader.live_bytes,
        "damaged": len(reader.damages),
    }
