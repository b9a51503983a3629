"""Sets of sequences, kept as runs: what a segment puts, and what a whole log accounts for.

A node numbers its events without a gap, puts them in that order, and takes the record of none away
before all in its segment are done. So whatever number is missing among those of the segments that
are left was lost, or never written: by two nodes in one folder, a file that was removed or replaced
by hand, or a power cut where durability is less than `fsync`.

Only a start that could not read a segment leaves numbers out, and then more than any node uses in
a segment (`gwproactor.events.log.unread_segments`). And where a segment cannot be read for a while,
those behind it may go before it (`gwproactor.events.log.tidying`).
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate


class Sequences:
    """A set of numbers: a million that follow each other take no more room than one."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self) -> None:
        self._firsts = array("Q")
        self._lasts = array("Q")

    @property
    def run_count(self) -> int:
        """How many runs are kept; some may overlap."""
        return len(self._firsts)

    @property
    def highest(self) -> int:
        """The highest number noted; 0 where there is none."""
        return max(self._lasts, default=0)

    def add(self, sequence: int) -> None:
        """Note a number; in any order, but best in their own."""
        lasts = self._lasts
        if lasts and sequence == lasts[-1] + 1:
            lasts[-1] = sequence
        elif not lasts or not self._firsts[-1] <= sequence <= lasts[-1]:
            self._add_run(sequence, sequence)

    def skip_to(self, sequence: int) -> None:
        """Note that what lies between the highest and this one was left out on purpose."""
        self._add_run(self.highest + 1, sequence - 1)

    def _add_run(self, first: int, last: int) -> None:
        self._firsts.append(first)
        self._lasts.append(last)

    def missing(self, begin: int) -> Iterator[tuple[int, int]]:
        """Give the runs of numbers that are missing, from `begin` up to the highest noted."""
        for first, last in sorted(zip(self._firsts, self._lasts, strict=True)):
            if first > begin:
                yield begin, first - 1
            begin = max(begin, last + 1)

    def among(self, sequences: Iterable[int]) -> list[int]:
        """Give those of `sequences` that are in the set, in order."""
        runs = sorted(zip(self._firsts, self._lasts, strict=True))
        firsts = [first for first, _ in runs]
        reached = list(accumulate((last for _, last in runs), max))
        return [
            sequence
            for sequence in sorted(set(sequences))
            if (before := bisect_right(firsts, sequence)) and sequence <= reached[before - 1]
        ]
