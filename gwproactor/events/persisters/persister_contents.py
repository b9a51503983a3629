"""Events in a persister: sequences on one side, ids and contents on the other. Every call blocks.

A persister keeps content by its id and knows nothing else. So the sequences and tags of events live
here, in memory: at the start what is pending is numbered anew, in the persister's order, and its
tags are gone. And of two events with one id only the later one is kept.

**All or none.** A persister takes one content at a time. What a commit has persisted before it
failed is remembered, and a repetition goes on from there; until then none of it counts. A kill may
leave a part of a commit that was never reported done.

**What a persister does not keep** though it said `Ok`, as `StubPersister` does, stays in memory
until it is removed: what has been committed can be read back as long as the process lives.

**Damage.** What is gone, or is no JSON object, is named as damaged. When it is to be removed, the
persister is asked to set it aside; where it cannot, it stays where it is, and is named again by the
next run. Nothing unread is deleted. Everything else that a persister returns as an error, or
raises, is a `StoreError`: trying again may help. Mere warnings are noted, and are no errors.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from result import Err, Ok, Result

from gwproactor.errors import StoreError, StoreUnusableError, UsageError, WireError
from gwproactor.events.persisters.persister import PersisterInterface
from gwproactor.events.persisters.persister_errors import (
    DecodingError,
    FileMissing,
    UIDMissingWarning,
)
from gwproactor.events.store import (
    Damage,
    EventRef,
    ReadBack,
    StoredEvent,
    check_event_id,
    event_size_bytes,
    one_line,
)
from gwproactor.problems import Problems
from gwproactor.wire.codec import parse_json_object

_WARNINGS_KEPT = 1000
"""Between two reports; a persister that warns more often has been understood by then."""

_SHOWN_CHARACTERS = 100
"""Of an id that is too long to be one."""

T = TypeVar("T")


@dataclass(slots=True)
class _Held:
    """An event that is stored.

    Attributes:
        ref: What it is.
        payload: Its payload, only where the persister does not keep it.
        unreadable: Whether what the persister keeps of it is damaged.
    """

    ref: EventRef
    payload: bytes | None = None
    unreadable: bool = False


class PersisterContents:
    """What `PersisterStore` does, in its thread. For one thread at a time.

    Args:
        persister: Keeps the contents.

    Attributes:
        next_sequence: A number above every sequence of this run.
        size_bytes: What the events count, in bytes.
        warnings: What the persister has warned of; for somebody to take.
    """

    def __init__(self, persister: PersisterInterface) -> None:
        self.next_sequence = 1
        self.size_bytes = 0
        self.warnings: list[str] = []
        self.name = type(persister).__name__
        self._persister = persister
        self._held: dict[int, _Held] = {}
        self._sequences: dict[str, int] = {}
        self._persisted: dict[int, StoredEvent] = {}

    def pending(self) -> Iterable[EventRef]:
        """Give what is stored and not removed, in order of sequence."""
        return [self._held[sequence].ref for sequence in sorted(self._held)]

    # Opening

    def open(self) -> list[Damage]:
        """Let the persister find what there is, and number it.

        Raises:
            StoreUnusableError: It cannot.
        """
        try:
            self._done("find what is stored", self._persister.reindex)
            uids = self._call("list what is stored", self._persister.pending_ids)
            return [damage for uid in uids if (damage := self._take_in(uid))]
        except StoreError as error:
            raise StoreUnusableError(str(error)) from error

    def _take_in(self, uid: str) -> Damage | None:
        try:
            check_event_id(uid)
        except UsageError as error:
            return Damage(self.name, str(error), uid[:_SHOWN_CHARACTERS])
        content_bytes = self._call("say the size of", self._persister.content_bytes, uid)
        size_bytes = event_size_bytes(uid, content_bytes, "")
        self._hold(EventRef(self.next_sequence, uid, size_bytes), None)
        return None

    # Writing

    def commit(
        self, puts: Sequence[StoredEvent], removed: Sequence[int], *, sync_removals: bool
    ) -> None:
        """Put and remove; see `EventStore.commit`.

        Raises:
            StoreError: None of the puts counts. Of the removals, some may be done.
        """
        gone = set(removed)
        events = {event.sequence: event for event in puts if event.sequence not in gone}
        for event in events.values():
            self._persist(event)
        for event in events.values():
            self._replace(event)
        self._persisted.clear()
        self.next_sequence = max(self.next_sequence, *(event.sequence + 1 for event in puts), 1)
        for sequence in removed:
            self._remove(sequence)
        if sync_removals and removed:
            self._done("sync", self._persister.sync_removals)

    def _persist(self, event: StoredEvent) -> None:
        if self._persisted.get(event.sequence) == event or self._is_held(event):
            return
        self._keep_unread(event.event_id)
        self._done("persist", self._persister.persist, event.event_id, event.payload)
        self._persisted[event.sequence] = event

    def _is_held(self, event: StoredEvent) -> bool:
        """Whether this very event is stored; persisting it again would move it to the end."""
        held = self._held.get(event.sequence)
        if held is None or held.ref != event.ref:
            return False
        with suppress(StoreError):
            return self._event(held) == event
        return False

    def _replace(self, event: StoredEvent) -> None:
        """Note that an event is stored; whatever had its sequence or its id is not any more."""
        if event.sequence not in self._persisted:
            return  # it was stored before
        held = self._held.get(event.sequence)
        if held is not None and held.ref.event_id != event.event_id:
            self._remove(event.sequence)
        keeps = self._call("look for", self._persister.__contains__, event.event_id)
        self._hold(event.ref, None if keeps else event.payload)

    def _hold(self, ref: EventRef, payload: bytes | None) -> None:
        for sequence in {ref.sequence, self._sequences.get(ref.event_id, ref.sequence)}:
            self._forget(sequence)
        self._held[ref.sequence] = _Held(ref, payload)
        self._sequences[ref.event_id] = ref.sequence
        self.size_bytes += ref.size_bytes
        self.next_sequence = max(self.next_sequence, ref.sequence + 1)

    def _forget(self, sequence: int) -> None:
        held = self._held.pop(sequence, None)
        if held is not None:
            del self._sequences[held.ref.event_id]
            self.size_bytes -= held.ref.size_bytes

    def _remove(self, sequence: int) -> None:
        held = self._held.get(sequence)
        if held is None:
            return
        uid = held.ref.event_id
        if held.unreadable:
            self._keep_unread(uid)
        else:
            self._done("clear", self._persister.clear, uid)
        self._forget(sequence)

    def _keep_unread(self, uid: str) -> None:
        """Have damaged content of an id set aside, before something else happens to it."""
        held = self._held.get(self._sequences.get(uid, -1))
        if held is not None and held.unreadable:
            self._done("set aside", self._persister.set_aside, uid)

    def close(self) -> None:
        """Sync what has been removed; an error is no loss that was not allowed."""
        with suppress(StoreError):
            self._done("sync", self._persister.sync_removals)

    # Reading

    def read(self, sequences: Sequence[int]) -> ReadBack:
        """Read events back, in the order asked for; see `EventStore.read`.

        Raises:
            StoreError: The persister cannot read one of them now.
        """
        found = [self._held[sequence] for sequence in sequences if sequence in self._held]
        results = [self._event(held) for held in found]
        events = [result for result in results if isinstance(result, StoredEvent)]
        damages = [result for result in results if isinstance(result, Damage)]
        return ReadBack(events, damages)

    def _event(self, held: _Held) -> StoredEvent | Damage:
        payload = held.payload
        if payload is None:
            content = self._content(held)
            if isinstance(content, Damage):
                return content
            payload = one_line(content)
        return StoredEvent(held.ref.sequence, held.ref.event_id, payload, held.ref.tag)

    def _content(self, held: _Held) -> bytes | Damage:
        uid = held.ref.event_id
        result = self._call("retrieve", self._persister.retrieve, uid)
        match result:
            case Ok(bytes(content)):
                return self._sound(held, content)
            case Ok(None):
                return self._damage(held, "it is not there any more")
            case Err(Problems(errors=[*_, FileMissing() as error])):
                return self._damage(held, str(error))
            case Err(Problems(errors=[*_, DecodingError() as error])):
                held.unreadable = True
                return self._damage(held, str(error))
        raise StoreError(self._failure("retrieve", uid, result))

    def _sound(self, held: _Held, content: bytes) -> bytes | Damage:
        try:
            parse_json_object(content)
        except WireError as error:
            held.unreadable = True
            return self._damage(held, str(error))
        return content

    def _damage(self, held: _Held, reason: str) -> Damage:
        return Damage(self.name, reason, held.ref.event_id, held.ref.sequence)

    # What a persister says

    def _call(self, doing: str, function: Callable[..., T], *args: str | bytes) -> T:
        try:
            return function(*args)
        except Exception as error:  # whatever a user's persister raises
            raise StoreError(self._failure(doing, *args[:1], error)) from error

    def _done(
        self, doing: str, function: Callable[..., Result[T, Problems]], *args: str | bytes
    ) -> None:
        """Call, and note warnings.

        Raises:
            StoreError: It was not done.
        """
        result = self._call(doing, function, *args)
        match result:
            case Ok(_):
                return
            case Err(Problems(errors=[], warnings=[_, *_]) as problems):
                self._note(problems)
            case _:
                raise StoreError(self._failure(doing, *args[:1], result))

    def _note(self, problems: Problems) -> None:
        for warning in problems.warnings:
            if not isinstance(warning, UIDMissingWarning) and len(self.warnings) < _WARNINGS_KEPT:
                self.warnings.append(f"{type(warning).__name__}: {warning}")

    def _failure(self, doing: str, *what: object) -> str:
        *uid, outcome = what
        return f"{self.name} cannot {' '.join((doing, *map(str, uid)))}: {_cause(outcome)}"


def _cause(outcome: object) -> str:
    """In words what came of a call that failed."""
    match outcome:
        case Err(Problems(errors=[*_, error])):
            return str(error)
        case Err(error):
            return f"it returned Err({error!r})"
        case Exception():
            return f"{type(outcome).__name__}: {outcome}"
    return f"it returned {outcome!r}, which is no result"
