"""Dead letters go back to the inbox, so that the handler is given them once more.

Three steps, each safe to be the last one before a kill: the event is put into the inbox; its id is
taken out of those seen, for the node would else take it for handled; and the dead letter is
removed. Done again, they go on where they stopped.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

from gwproactor.boxes.box import Box
from gwproactor.errors import UsageError
from gwproactor.events.disk.folder import DataFolder
from gwproactor.events.log.seen_log import forget_keys
from gwproactor.events.log.segment_log import SegmentLog
from gwproactor.events.store import StoredEvent

_EVENTS_IN_A_COMMIT = 1000


def requeue(data: Path, event_ids: Collection[str] | None) -> int:
    """Put dead letters back into the inbox; return how many.

    Args:
        data: The data folder.
        event_ids: Which; None for all.

    Raises:
        UsageError: One of them is no dead letter; nothing was changed.
        StoreLockedError: A node runs on the folder; the message names it.
        StoreError: Not all was done; calling again does the rest.
    """
    with DataFolder(data, "gwproactor events requeue") as folder:
        dead, inbox = SegmentLog(Box.dead_letters.path(data)), SegmentLog(Box.inbox.path(data))
        try:
            dead.open()
            inbox.open()
            sequences = _chosen(dead, event_ids)
            for start in range(0, len(sequences), _EVENTS_IN_A_COMMIT):
                group = sequences[start : start + _EVENTS_IN_A_COMMIT]
                _move(dead, inbox, folder.seen_path, group)
        finally:
            dead.close()
            inbox.close()
    return len(sequences)


def _chosen(dead: SegmentLog, event_ids: Collection[str] | None) -> list[int]:
    refs = list(dead.pending())
    if event_ids is None:
        return [ref.sequence for ref in refs]
    unknown = set(event_ids).difference(ref.event_id for ref in refs)
    if unknown:
        raise UsageError(f"no dead letter has the id {sorted(unknown)[0]!r}; nothing was changed")
    return [ref.sequence for ref in refs if ref.event_id in event_ids]


def _move(dead: SegmentLog, inbox: SegmentLog, seen: Path, sequences: Sequence[int]) -> None:
    events = dead.read(sequences).events
    waiting = {(ref.tag, ref.event_id) for ref in inbox.pending()}
    fresh = [event for event in events if (event.tag, event.event_id) not in waiting]
    first = inbox.next_sequence
    puts: list[StoredEvent] = [
        event._replace(sequence=first + place) for place, event in enumerate(fresh)
    ]
    inbox.commit(puts, ())
    forget_keys(seen, [(event.tag, event.event_id) for event in events])
    dead.commit((), [event.sequence for event in events], sync_removals=True)
