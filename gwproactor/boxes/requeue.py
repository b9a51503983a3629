"""Events that were set aside go back: dead letters to the handler, refused ones to the peer.

A dead letter goes back in three steps, each safe to be the last one before a kill: the event is put
into the inbox; its id is taken out of those seen, for the node would else take it for handled; and
the dead letter is removed. A refused event is put into the outbox under its old sequence, which is
its place among the others of its source, and then removed here; where a node keeps event files, it
goes to their end. Done again, either goes on where it stopped.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from gwproactor.boxes.box import Box, Boxes
from gwproactor.boxes.event_files import EventFiles
from gwproactor.errors import UsageError
from gwproactor.events.disk.folder import DataFolder
from gwproactor.events.log.seen_log import forget_keys
from gwproactor.events.log.segment_log import SegmentLog
from gwproactor.events.store import EventRef, StoredEvent

_EVENTS_IN_A_COMMIT = 1000


def requeue(boxes: Boxes, event_ids: Collection[str] | None, box: Box | None = None) -> int:
    """Put dead letters back into the inbox and refused events into the outbox; return how many.

    Args:
        boxes: Whose.
        event_ids: Which; None for all.
        box: Where refused events go, the log or the files; what is there already when not given.

    Raises:
        UsageError: One of them was not set aside, or refused events may go into the log or the
            files; nothing was changed.
        StoreLockedError: A node runs on the folder; the message names it.
        StoreError: Not all can be read, and nothing was changed; or not all was done. Calling
            again does the rest.
    """
    with DataFolder(boxes.data, "gwproactor events requeue") as folder, ExitStack() as stack:

        def opened(box: Box) -> SegmentLog:
            return stack.enter_context(_opened(boxes.path(box)))

        dead, inbox, refused = map(opened, (Box.dead_letters, Box.inbox, Box.refused))
        letters, unsent = list(dead.pending()), list(refused.pending())
        _check(event_ids, [*letters, *unsent])
        letters, unsent = _chosen(letters, event_ids), _chosen(unsent, event_ids)
        outbox: _ToLog | _ToFiles | None = None
        if unsent:
            to_files = boxes.box_to_send(box) is Box.files
            outbox = (
                _ToFiles(refused, EventFiles(boxes.path(Box.files)))
                if to_files
                else _ToLog(refused, opened(Box.outbox))
            )
        _Letters(dead, inbox, folder.seen_path).move(letters)
        if outbox is not None:
            outbox.move(unsent)
    return len(letters) + len(unsent)


def _opened(path: Path) -> closing[SegmentLog]:
    log = SegmentLog(path)
    log.open_whole()
    return closing(log)


def _check(event_ids: Collection[str] | None, refs: Sequence[EventRef]) -> None:
    unknown = set(event_ids or ()).difference(ref.event_id for ref in refs)
    if unknown:
        raise UsageError(
            f"no dead letter has the id {sorted(unknown)[0]!r}, nor any refused event;"
            " nothing was changed"
        )


def _chosen(refs: Sequence[EventRef], event_ids: Collection[str] | None) -> list[EventRef]:
    return [ref for ref in refs if event_ids is None or ref.event_id in event_ids]


def _groups(log: SegmentLog, refs: Sequence[EventRef]) -> Iterator[Sequence[StoredEvent]]:
    for start in range(0, len(refs), _EVENTS_IN_A_COMMIT):
        group = refs[start : start + _EVENTS_IN_A_COMMIT]
        yield log.read([ref.sequence for ref in group]).events


class _Letters:
    """Dead letters, on their way back to the handler."""

    def __init__(self, dead: SegmentLog, inbox: SegmentLog, seen: Path) -> None:
        self._dead, self._inbox, self._seen = dead, inbox, seen
        self._waiting = {(ref.tag, ref.event_id) for ref in inbox.pending()}

    def move(self, refs: Sequence[EventRef]) -> None:
        """Put them back."""
        for events in _groups(self._dead, refs):
            keys = [(event.tag, event.event_id) for event in events]
            fresh = [e for e, key in zip(events, keys, strict=True) if key not in self._waiting]
            first = self._inbox.next_sequence
            puts = [event._replace(sequence=first + n) for n, event in enumerate(fresh)]
            self._inbox.commit(puts, ())
            forget_keys(self._seen, keys)
            self._dead.commit((), [event.sequence for event in events], sync_removals=True)


class _ToFiles:
    """Refused events, on their way back to the event files."""

    def __init__(self, refused: SegmentLog, files: EventFiles) -> None:
        self._refused, self._files = refused, files
        self._waiting = files.ids()

    def move(self, refs: Sequence[EventRef]) -> None:
        """Put them back."""
        for events in _groups(self._refused, refs):
            for event in events:
                if event.event_id not in self._waiting:
                    self._files.add(event.event_id, event.payload)
                    self._waiting.add(event.event_id)
            self._refused.commit((), [event.sequence for event in events], sync_removals=True)


class _ToLog:
    """Refused events, on their way back to the log of the outbox.

    No place is given out that any event of either store has, or had: what goes to the end must
    neither replace another one nor take the place of one that is still to come.
    """

    def __init__(self, refused: SegmentLog, outbox: SegmentLog) -> None:
        self._refused, self._outbox = refused, outbox
        waiting = list(outbox.pending())
        self._waiting = {ref.event_id for ref in waiting}
        self._taken = {ref.sequence for ref in waiting}
        outbox.skip_to(refused.next_sequence)

    def move(self, refs: Sequence[EventRef]) -> None:
        """Put them back."""
        for events in _groups(self._refused, refs):
            self._outbox.commit(self._placed(self._fresh(events)), ())
            self._refused.commit((), [event.sequence for event in events], sync_removals=True)

    def _fresh(self, events: Sequence[StoredEvent]) -> Iterator[StoredEvent]:
        """Those whose id is not in the outbox; they are, from now on."""
        for event in events:
            if event.event_id not in self._waiting:
                self._waiting.add(event.event_id)
                yield event

    def _placed(self, events: Iterable[StoredEvent]) -> list[StoredEvent]:
        """The same, each in a place of its own.

        In a new outbox an old place may be another's; such an event goes to the end.
        """
        in_place: list[StoredEvent] = []
        others: list[StoredEvent] = []
        for event in events:
            (others if event.sequence in self._taken else in_place).append(event)
        first = self._outbox.next_sequence
        moved = [event._replace(sequence=first + n) for n, event in enumerate(others)]
        self._taken.update(event.sequence for event in (*in_place, *moved))
        return [*in_place, *moved]
