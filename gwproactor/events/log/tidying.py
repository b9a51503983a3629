"""Letting segments go that are not needed any more, and making wasteful ones smaller. It blocks.

A removal in one segment is about events in older ones, so segments go from the oldest on, when
nothing in them is live. Where garbage outweighs the rest, the live events of the oldest are written
again at the end, under their old sequence: one event that nobody takes does not keep the disk full.
When there is no room for the record of a removal, the oldest segments that it empties are deleted
without one. At any moment the folder can be read back whole.

**A segment that cannot be read now** cannot be written again. It is *passed over*: it stays where
it is, with its events, and those behind it go before it. What they remove of its events is written
once more at the end before they do, so that no restart brings any of them back. It is tried again
once a minute, and when it can be read it has its old place in the order. One that is damaged is
passed over as well; it goes when the turn of its last event has come.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from operator import attrgetter
from pathlib import Path

from gwproactor.errors import StoreError
from gwproactor.events.disk.file_calls import FileCalls, describe
from gwproactor.events.disk.repair import set_aside
from gwproactor.events.log.passed_note import PassedNote
from gwproactor.events.log.segment_index import Segment, SegmentIndex
from gwproactor.events.log.segments import Put, Removal, decode_segment
from gwproactor.events.store import StoredEvent

_SPARE_SEGMENTS = 8
"""So many small segments, left by restarts, are not worth the work of joining them."""

_COMPACTION_PAUSE_COMMITS = 64
"""After a failed compaction: the disk is in trouble, and the next commit will tell."""

_PASSED_PAUSE_SECONDS = 60.0
"""A disk that fails to read takes long to say so, and meanwhile serves nobody."""

_FAILURES_KEPT = 20
"""Until somebody takes them."""

WriteAgain = Callable[[Sequence[StoredEvent], Sequence[int]], None]
"""Writes puts and removals at the end of the log, synced; raises StoreError."""


class Tidying:
    """Tidies the segments of one log. Every call blocks.

    Args:
        files: The file operations.
        folder: Where the segments lie.
        index: What is known of them.
        write_again: Writes at the end of the log.
        durable: Let no power cut bring back a segment whose removals went with a younger one.
        segment_bytes: The size that a segment has in the end.
    """

    def __init__(
        self,
        files: FileCalls,
        folder: Path,
        index: SegmentIndex,
        write_again: WriteAgain,
        durable: bool,
        segment_bytes: int,
    ) -> None:
        self._files = files
        self._folder = folder
        self._index = index
        self._write_again = write_again
        self._durable = durable
        self._segment_bytes = segment_bytes
        self._compaction_pause = 0
        self._drop_may_come_back = False
        self._passed_due_at = 0.0
        self._failures: deque[str] = deque(maxlen=_FAILURES_KEPT)
        self._note = PassedNote(files, folder)

    @property
    def is_due(self) -> bool:
        """Whether `tidy` has something to do."""
        return bool(self._empty() or self._oldest_is_wasteful() or self._passed_are_due())

    def committed(self) -> None:
        """The log has taken something: it works."""
        self._compaction_pause = max(0, self._compaction_pause - 1)

    def tidy(self) -> None:
        """Remove segments that nothing lives in; compact the oldest where that is worth it.

        An error is kept to itself: nothing is lost by it, and the next commit will tell.
        """
        with suppress(OSError, StoreError):
            self._drop_empty()
            if self._oldest_is_wasteful():
                self._compact(self._index.segments[0])
                self._drop_empty()
            if self._passed_are_due():
                self._try_passed()

    def _empty(self) -> Segment | None:
        """A segment that may go at once, if there is one."""
        segments = self._index.segments
        if len(segments) > 1 and not segments[0].live_count:
            return segments[0]
        passed = min(self._index.passed, key=attrgetter("number"), default=None)
        if passed is None or passed.live_count or self._index.older_than(passed):
            return None
        return passed

    def _oldest_is_wasteful(self) -> bool:
        index, passed = self._index, self._index.passed
        if len(index.segments) < 2 or self._compaction_pause:
            return False
        total_bytes = index.total_bytes - sum(segment.size_bytes for segment in passed)
        live_bytes = index.live_bytes - sum(segment.live_bytes for segment in passed)
        allowed_bytes = 2 * live_bytes + 2 * self._segment_bytes
        allowed_segments = _SPARE_SEGMENTS + 2 * total_bytes // self._segment_bytes
        return total_bytes > allowed_bytes or len(index.segments) > allowed_segments

    def make_room(self, removed: Sequence[int]) -> bool:
        """Delete the oldest segments, as far as all in them is to be removed; False if none is.

        On a disk that is full to the last byte there is no room even for the record of a removal,
        and an event whose file is gone needs none.
        """
        segments = self._index.segments
        before = len(segments)
        with suppress(OSError, StoreError):
            while len(segments) > 1:
                homes = ((sequence, self._index.find(sequence)) for sequence in set(removed))
                here = [sequence for sequence, home in homes if home and home[0] is segments[0]]
                if len(here) < segments[0].live_count:
                    break
                for sequence in here:
                    self._index.remove(sequence)
                self._drop(segments[0])
        return len(segments) < before

    # Letting go

    def _drop_empty(self) -> None:
        while segment := self._empty():
            self._drop(segment)

    def _drop(self, segment: Segment) -> None:
        """Let go of a segment for good; one whose removals are needed and cannot be read stays.

        Before that of one whose turn was earlier: a power cut might bring that one back, and not
        the younger one that has its removals.

        Raises:
            OSError: It is there as before, or it is gone and a power cut may bring it back.
            StoreError: It is there as before.
        """
        self._sync_drop()
        if not self._keeps_removals(segment):
            return
        self._note.add(self._index.numbers_before(segment))
        if segment.damaged:
            set_aside(self._files, segment.path)
        else:
            self._files.remove(segment.path)
        self._index.drop(segment)
        self._drop_may_come_back = self._durable
        self._sync_drop()
        self._note.remove(segment.number)

    def _sync_drop(self) -> None:
        if self._drop_may_come_back:
            self._files.sync_folder(self._folder)
            self._drop_may_come_back = False

    def _keeps_removals(self, segment: Segment) -> bool:
        """Write again what a segment removes of older ones; False where it cannot be read now."""
        older = self._index.older_than(segment)
        if not older:
            return True
        records = self._records(segment)
        if records is None:
            return False
        said = [n for record in records if isinstance(record, Removal) for n in record.sequences]
        about = {n for other in older for n in other.sequences.among(said)}
        removed = sorted(n for n in about if self._index.find(n) is None)
        if removed:
            self._write_again((), removed)
        return True

    # Making smaller

    def _compact(self, segment: Segment) -> None:
        """Write the live events of a segment again at the end; where it cannot be, pass it over."""
        if segment.damaged:
            self._pass_over(segment, "what is damaged in it is told when its turn comes")
            return
        self._compaction_pause = _COMPACTION_PAUSE_COMMITS
        records = self._records(segment)
        if records is not None:
            puts = [record for record in records if isinstance(record, Put)]
            events = [put.event for put in puts if self._index.is_live(segment, put)]
            if len(events) == segment.live_count:
                # Encoded anew, not copied: a power cut may have taken the newline of the last one.
                self._write_again(events, ())
            else:
                segment.damaged = True
        self._compaction_pause = 0

    def _records(self, segment: Segment) -> Sequence[Put | Removal] | None:
        """Read a segment; one that the disk does not give back now is passed over: None."""
        try:
            return decode_segment(self._files.read(segment.path), str(segment.path)).records
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not segment.live_count:
                return []  # there will never be more
            self._failures.append(f"{segment.path}: {describe(error)}")
            self._pass_over(segment, describe(error))
            return None

    # Those that are passed over

    @property
    def passed_over(self) -> list[str]:
        """Those that cannot be read now, and why: file and reason, a line each."""
        return [f"{each.path}: {each.trouble}" for each in self._index.passed if not each.damaged]

    def take_failures(self) -> list[str]:
        """What could not be read since this was last asked: file and reason, a line each."""
        failures = list(self._failures)
        self._failures.clear()
        return failures

    def _pass_over(self, segment: Segment, reason: str) -> None:
        self._index.pass_over(segment, reason)
        self._passed_due_at = time.monotonic() + _PASSED_PAUSE_SECONDS

    def _passed_are_due(self) -> bool:
        return bool(self._index.passed) and time.monotonic() >= self._passed_due_at

    def _try_passed(self) -> None:
        """Try them again, the oldest first: it may be the one that the others wait for."""
        self._passed_due_at = time.monotonic() + _PASSED_PAUSE_SECONDS
        for segment in sorted(self._index.passed, key=attrgetter("number")):
            if not segment.live_count:
                self._drop(segment)
            elif not segment.damaged and self._records(segment) is not None:
                self._index.take_back(segment)
