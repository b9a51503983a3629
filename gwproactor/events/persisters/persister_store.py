"""Any persister as the `EventStore` port, so that users' own serve: its calls are made in a thread.

What becomes of sequences, failures and damage is said in
`gwproactor.events.persisters.persister_contents`.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import ParamSpec, TypeVar

from gwproactor.events.disk.disk_thread import DiskThread
from gwproactor.events.persisters.persister import PersisterInterface
from gwproactor.events.persisters.persister_contents import PersisterContents
from gwproactor.events.reporting import ReportProblem
from gwproactor.events.store import (
    ALL_READ,
    Damage,
    EventRef,
    FoundLate,
    ReadBack,
    StoredEvent,
)

_REPORT_PERIOD_SECONDS = 60.0
"""Warnings are reported at most so often."""

_WARNINGS_SHOWN = 5

P = ParamSpec("P")
T = TypeVar("T")


class PersisterStore:
    """A persister behind the `EventStore` port.

    Args:
        persister: Keeps the contents. From `open` to `close` nobody else may call it.
        report: Is told, in the loop's thread and at a bounded rate, what the persister warns of.
    """

    def __init__(
        self, persister: PersisterInterface, *, report: ReportProblem | None = None
    ) -> None:
        self._contents = PersisterContents(persister)
        self._disk = DiskThread("gwproactor-persister")
        self._report = report
        self._told_at_seconds = float("-inf")
        self._closed = False

    async def open(self) -> Sequence[Damage]:
        """Let the persister find what earlier runs left; see `EventStore.open`."""
        return await self._run(self._contents.open)

    def pending(self) -> Iterable[EventRef]:
        """Give what is stored and not removed, in order of sequence; for right after `open`."""
        return self._contents.pending()

    async def read_again(self) -> FoundLate:
        """Nothing more: a persister names at its start what it cannot read."""
        return ALL_READ

    @property
    def next_sequence(self) -> int:
        """A number above every sequence of this run."""
        return self._contents.next_sequence

    def skip_to(self, next_sequence: int) -> None:
        """Give out nothing below it, in this run; for right after `open`."""
        self._contents.next_sequence = max(self._contents.next_sequence, next_sequence)

    @property
    def size_bytes(self) -> int:
        """What the events count, in bytes."""
        return self._contents.size_bytes

    async def commit(
        self, puts: Sequence[StoredEvent], removed: Sequence[int], *, sync_removals: bool = False
    ) -> None:
        """Put and remove, one after the other; see `EventStore.commit`."""
        await self._run(self._contents.commit, puts, removed, sync_removals=sync_removals)

    async def read(self, sequences: Sequence[int]) -> ReadBack:
        """Read events back, in the order asked for; see `EventStore.read`."""
        return await self._run(self._contents.read, sequences)

    async def close(self) -> None:
        """Sync removals, and end the thread. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        await self._disk.run_last(self._contents.close)

    async def _run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await self._disk.run(function, *args, **kwargs)
        finally:
            self._tell_warnings()

    def _tell_warnings(self) -> None:
        """Report what the persister warned of, the first few in full."""
        now_seconds, warnings = time.monotonic(), self._contents.warnings
        if not warnings or now_seconds < self._told_at_seconds + _REPORT_PERIOD_SECONDS:
            return
        self._told_at_seconds, self._contents.warnings = now_seconds, []
        if self._report is not None:
            more = len(warnings) - _WARNINGS_SHOWN
            words = "; ".join(warnings[:_WARNINGS_SHOWN]) + (f"; and {more} more" * (more > 0))
            self._report(f"{self._contents.name} warns", words)
