"""What is made of damage in a segment: a clean version of it, in which every record has its place.

A damaged line cost an event, mostly, whose sequence then is missing between those beside it. Where
that has been reported, the clean version says in the place of the damage that these sequences are
done with: else they would be called missing for as long as the segment is there. Whoever mends the
damaged copy by hand, and puts it back, has the events again.

No file is touched here.
"""

from bisect import bisect
from collections.abc import Callable
from pathlib import Path

from gwproactor.events.log.records import encode_filler
from gwproactor.events.log.segments import (
    HEADER_BYTES,
    Contents,
    Flaw,
    Put,
    encode_header,
    encode_removal,
)
from gwproactor.events.store import Damage

IsLive = Callable[[int], bool]
"""Whether an older segment has the event of a sequence."""


def blank_flaws(data: bytes, contents: Contents, is_live: IsLive | None = None) -> bytes:
    """Return the segment with its damage blanked.

    Args:
        data: The segment.
        contents: What it says.
        is_live: Tells what older segments have; None where nobody has heard of the damage yet, so
            that its losses are not to be noted.
    """
    clean = bytearray(data)
    losses = None if is_live is None else _Losses(contents, is_live)
    for flaw in contents.flaws:
        note = b"" if losses is None else losses.note(flaw)
        rest_bytes = flaw.end - flaw.offset - len(note)
        clean[flaw.offset : flaw.end] = note + (encode_filler(rest_bytes) if rest_bytes else b"")
    if contents.flaws and contents.flaws[0].offset == 0:
        clean[:HEADER_BYTES] = encode_header(contents.next_sequence)
    return bytes(clean)


def flaw_damage(path: Path, flaw: Flaw) -> Damage:
    """What a flaw in a segment is called."""
    return Damage(f"{path}, bytes {flaw.offset} to {flaw.end}", flaw.reason, flaw.event_id)


class _Losses:
    """What the damage in a segment has cost.

    Args:
        contents: What the segment says.
        is_live: Tells what older segments have.
    """

    def __init__(self, contents: Contents, is_live: IsLive) -> None:
        puts = [record for record in contents.records if isinstance(record, Put)]
        self._offsets = [put.offset for put in puts]
        self._sequences = [put.event.sequence for put in puts]
        self._known = set(self._sequences)
        self._begins_at = contents.begins_at
        self._is_live = is_live

    def note(self, flaw: Flaw) -> bytes:
        """The line that accounts for what is missing at a flaw; empty where it has no room there.

        What a younger segment puts is not harmed by it, for that comes later.
        """
        first, end = self._gap(flaw)
        room_bytes = flaw.end - flaw.offset
        if not 0 < first < end or end - first > room_bytes:
            return b""
        lost = [n for n in range(first, end) if n not in self._known and not self._is_live(n)]
        line = encode_removal(lost) if lost else b""
        return line if len(line) <= room_bytes else b""

    def _gap(self, flaw: Flaw) -> tuple[int, int]:
        """The sequences between the events before and behind a flaw: the first, and the end.

        Where none is behind it, one event is taken to have been there.
        """
        place = bisect(self._offsets, flaw.offset)
        first = self._sequences[place - 1] + 1 if place else self._begins_at
        behind = self._sequences[place : place + 1]
        return first, behind[0] if behind else first + 1
