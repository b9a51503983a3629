"""Which sequences a log accounts for. Nothing is read here.

A node numbers its events without a gap, puts them in that order, and takes the record of none away
before all in its segment are done. So whatever number is missing among those of the segments that
are left was lost, or never written: by two nodes in one folder, a file that was removed or replaced
by hand, or a power cut where durability is less than `fsync`.

Only a start that could not read a segment leaves numbers out, and then more than any node uses in
a segment (`gwproactor.events.log.unread_segments`).
"""

from collections.abc import Iterator


class Sequences:
    """A set of numbers, kept as runs: a million that follow each other take no more than one."""

    def __init__(self) -> None:
        self._runs: list[tuple[int, int]] = []

    @property
    def highest(self) -> int:
        """The highest number noted; 0 where there is none."""
        return max((last for _, last in self._runs), default=0)

    def add(self, sequence: int) -> None:
        """Note a number; in any order, but best in their own."""
        first, last = self._runs[-1] if self._runs else (sequence, sequence - 1)
        if self._runs and first <= sequence <= last:
            return
        if self._runs and sequence == last + 1:
            self._runs[-1] = first, sequence
        else:
            self._runs.append((sequence, sequence))

    def skip_to(self, sequence: int) -> None:
        """Note that what lies between the highest and this one was left out on purpose."""
        self._runs.append((self.highest + 1, sequence - 1))

    def missing(self, begin: int) -> Iterator[tuple[int, int]]:
        """Give the runs of numbers that are missing, from `begin` up to the highest noted."""
        for first, last in sorted(self._runs):
            if first > begin:
                yield begin, first - 1
            begin = max(begin, last + 1)
