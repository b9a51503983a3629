"""The names of event files: `{ISO time}.uid[{id}].json`, in folders `{ISO day}`.

They are those of the predecessor, so either finds what the other left. The time in a name is when
the event came; names of one folder tree grow strictly, also while the clock stands still or steps
back, because they are all that says in which order the events came.

An id that cannot be a part of a name, because it is too long or holds a `/`, say, stands in the
first line of its file instead, as JSON; such a file is called `{ISO time}.uid.event`. The
predecessor passes it over.
"""

import json
import re
from datetime import UTC, datetime, timedelta

FILENAME = re.compile(r"(?P<dt>.*?)\.uid\[(?P<uid>.*)\]\.json", re.DOTALL)
"""A name that holds its id. No time has `.uid[` in it, so the first one ends the time."""

_UNNAMED = re.compile(r"(?P<dt>.*)\.uid\.event")
_NAMEABLE = re.compile(r"[ !-.0-~]{0,200}")
"""Printable ASCII, which no file system changes, without `/`; a name has at most 255 bytes."""

_TICK = timedelta(microseconds=1)
_LAST_YEAR = 9000
"""A clock that shows a later one is broken, and times must be able to go on after it."""


def file_name(time: datetime, uid: str) -> str:
    """The name of the file for the event `uid` that came at `time`."""
    if _NAMEABLE.fullmatch(uid):
        return f"{time.isoformat()}.uid[{uid}].json"
    return f"{time.isoformat()}.uid.event"


def folder_name(time: datetime) -> str:
    """The name of the folder for the events of the day of `time`."""
    return datetime(time.year, time.month, time.day, tzinfo=UTC).isoformat()


def head_of(name: str, uid: str) -> bytes:
    """What stands in a file of that name before the content."""
    if _UNNAMED.fullmatch(name):
        return json.dumps(uid).encode("ascii") + b"\n"
    return b""


def parse_name(name: str) -> tuple[datetime, str | None] | None:
    """Time and id in the name of a file; None for a file that holds no event.

    The id is None where it stands in the file.
    """
    match = FILENAME.fullmatch(name) or _UNNAMED.fullmatch(name)
    time = parse_time(match["dt"]) if match else None
    if match is None or time is None:
        return None
    return time, match.groupdict().get("uid")


def parse_time(text: str) -> datetime | None:
    """The time that an ISO text says, UTC where it says no zone; None where it is none."""
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def parse_head(line: bytes) -> str | None:
    """The id in the first line of a file; None where there is none."""
    try:
        uid = json.loads(line)
    except ValueError:
        return None
    return uid if isinstance(uid, str) else None


class Stamps:
    """Times for names, each later than all before it."""

    def __init__(self) -> None:
        self._latest = datetime.min.replace(tzinfo=UTC)

    def saw(self, time: datetime) -> None:
        """Stay later than this one, too."""
        if time.year < _LAST_YEAR:
            self._latest = max(self._latest, time)

    def next(self) -> datetime:
        """A time for a new name: now, or as soon after the latest one as can be."""
        self._latest = max(datetime.now(UTC), self._latest + _TICK)
        return self._latest
