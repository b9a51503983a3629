"""Every byte of a data folder is read and checked; nothing is changed.

Checked are the checksum of every record, that each can be read, that no sequence is missing or
used twice, that no segment is missing between others, the event files, and the ids seen. What a
running node does meanwhile is no damage.
"""

from pathlib import Path

from gwproactor.boxes.box import Box, Boxes, Progress, no_progress
from gwproactor.boxes.files_reader import FilesReader
from gwproactor.boxes.log_reader import read_segment, segments_in
from gwproactor.events.disk.file_calls import FileCalls, store_error
from gwproactor.events.disk.repair import DAMAGED_FOLDER
from gwproactor.events.log.flaws import flaw_damage
from gwproactor.events.log.passed_note import PassedNote
from gwproactor.events.log.seen_files import decode_file
from gwproactor.events.log.segment_index import segment_name
from gwproactor.events.log.segments import Contents, Put, decode_segment
from gwproactor.events.log.sequences import Sequences
from gwproactor.events.log.unread_segments import SEQUENCES_LEFT_FREE
from gwproactor.events.store import Damage, StoredEvent

SEEN = "seen"
"""The folder of the ids seen, by link."""


def verify(boxes: Boxes, progress: Progress = no_progress) -> list[Damage]:
    """Return what is damaged or missing.

    The unfinished last line that a kill leaves is no damage: nothing in it was ever reported.

    Raises:
        StoreError: A file cannot be read.
        StoreFormatError: A newer version wrote it.
    """
    damages: list[Damage] = []
    for box in Box:
        path = boxes.path(box)
        if box is Box.files:
            damages += _damaged_files(path, progress)
        else:
            damages += _damaged_log(path, progress, may_have_gaps=box is Box.refused)
    return damages + _damaged_ids(boxes.data / SEEN)


def _damaged_log(folder: Path, progress: Progress, *, may_have_gaps: bool) -> list[Damage]:
    """Look at one log; one that has only some of the events of another one has gaps."""
    files = FileCalls()
    check = _LogCheck(folder, _passed_over(files, folder), may_have_gaps=may_have_gaps)
    numbers = segments_in(files, folder)
    for done, number in enumerate(numbers):
        progress(done, len(numbers))
        path = folder / segment_name(number)
        data = read_segment(files, path)
        if data is None:
            check.forget_older()
        else:
            check.take(number, path, decode_segment(data, str(path)))
    progress(len(numbers), len(numbers))
    return check.outcome()


def _passed_over(files: FileCalls, folder: Path) -> frozenset[int]:
    try:
        return PassedNote(files, folder).read()
    except NotADirectoryError:
        return frozenset()
    except OSError as error:
        raise store_error("read", folder, error) from error


class _LogCheck:
    """What the segments of one log say together, taken from the oldest on."""

    def __init__(self, folder: Path, passed: frozenset[int], *, may_have_gaps: bool) -> None:
        self._folder = folder
        self._passed = passed
        self._may_have_gaps = may_have_gaps
        self._damages: list[Damage] = []
        self.forget_older()

    def forget_older(self) -> None:
        """A segment is gone: a running node has removed it, and before it all that are older."""
        self._last_number: int | None = None
        self._begins_at = 0
        self._sequences = Sequences()
        self._live: dict[int, str] = {}

    def take(self, number: int, path: Path, contents: Contents) -> None:
        """Look at the next segment."""
        if self._last_number is None:
            self._begins_at = contents.begins_at or contents.next_sequence
        elif number > self._last_number + 1:
            self._note_hole(self._last_number, number, contents.begins_at)
        self._last_number = number
        if contents.begins_at - self._sequences.highest > SEQUENCES_LEFT_FREE:
            self._sequences.skip_to(contents.begins_at)
        self._damages += [flaw_damage(path, flaw) for flaw in contents.flaws]
        for record in contents.records:
            if isinstance(record, Put):
                self._note(path, record.event)
                continue
            for sequence in record.sequences:
                self._sequences.add(sequence)
                self._live.pop(sequence, None)

    def _note_hole(self, before: int, behind: int, begins_at: int) -> None:
        """Segments are missing between these two; where one waited to be read, they may be."""
        if before not in self._passed:
            names = (segment_name(missing) for missing in range(before + 1, behind))
            self._damages += [Damage(str(self._folder / name), "it is missing") for name in names]
        elif begins_at > self._sequences.highest + 1:
            self._sequences.skip_to(begins_at)

    def _note(self, path: Path, event: StoredEvent) -> None:
        self._sequences.add(event.sequence)
        other = self._live.setdefault(event.sequence, event.event_id)
        if other != event.event_id:
            words = f"sequence {event.sequence} is used twice, by {other} too"
            self._damages.append(Damage(str(path), words, event.event_id, event.sequence))
            self._live[event.sequence] = event.event_id

    def outcome(self) -> list[Damage]:
        """All that was found; what is missing last."""
        if self._may_have_gaps:
            return self._damages
        return self._damages + [
            Damage(str(self._folder), self._missing(first, last), "", first)
            for first, last in self._sequences.missing(self._begins_at)
        ]

    def _missing(self, first: int, last: int) -> str:
        what = f"sequence {first} is" if first == last else f"sequences {first} to {last} are"
        words = f"{what} missing: neither an event nor an ack has it"
        if self._damages:
            words += ", as far as that can be read"
        elif (self._folder / DAMAGED_FOLDER).is_dir():
            words += f"; what a start has found damaged is kept in {DAMAGED_FOLDER}"
        return words


def _damaged_files(folder: Path, progress: Progress) -> list[Damage]:
    reader = FilesReader(folder)
    for done, _ in enumerate(reader):
        progress(done, len(reader))
    return reader.damages


def _damaged_ids(folder: Path) -> list[Damage]:
    files, damages = FileCalls(), []
    for path in sorted(folder.glob("*/seen-*.log")):
        try:
            decoded = decode_file(files.read(path), str(path))
        except FileNotFoundError:
            continue  # a running node has removed it
        except OSError as error:
            raise store_error("read", path, error) from error
        if decoded.damaged_lines:
            damages.append(Damage(str(path), f"{decoded.damaged_lines} damaged lines of ids"))
    return damages
