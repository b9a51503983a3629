"""A queue of sequences, in their order, at eight bytes each: a million events may wait in it.

What goes back to its place, because it was not taken after all, lies before the rest in a deque;
that is never much.
"""

from array import array
from collections import deque
from collections.abc import Iterable, Iterator

_BLOCK_COUNT = 1024
"""Sequences in one array: few enough to let go of early, many enough to cost nothing each."""


class SequenceQueue:
    """Sequences, the lowest first; what is appended is higher than all that is there."""

    __slots__ = ("_blocks", "_returned", "_start")

    def __init__(self) -> None:
        self._returned: deque[int] = deque()
        self._blocks: deque[array[int]] = deque()
        self._start = 0  # in the first block

    def __bool__(self) -> bool:
        return bool(self._returned or self._blocks)

    def __len__(self) -> int:
        return len(self._returned) + sum(map(len, self._blocks)) - self._start

    def __iter__(self) -> Iterator[int]:
        yield from self._returned
        start = self._start
        for block in self._blocks:
            for place in range(start, len(block)):
                yield block[place]
            start = 0

    @property
    def first(self) -> int:
        """The lowest sequence; there must be one."""
        return self._returned[0] if self._returned else self._blocks[0][self._start]

    def append(self, sequence: int) -> None:
        """Add a sequence at the end."""
        blocks = self._blocks
        if not blocks or len(blocks[-1]) >= _BLOCK_COUNT:
            blocks.append(array("Q"))
        blocks[-1].append(sequence)

    def popleft(self) -> int:
        """Take the lowest sequence; there must be one."""
        if self._returned:
            return self._returned.popleft()
        block = self._blocks[0]
        sequence = block[self._start]
        self._start += 1
        if self._start == len(block):
            self._blocks.popleft()
            self._start = 0
        return sequence

    def put_back(self, sequences: Iterable[int]) -> None:
        """Put sequences that were taken back to their places."""
        returned = sorted(sequences)
        if not returned:
            return
        highest = returned[-1]
        while self and self.first < highest:
            returned.append(self.popleft())
        self._returned.extendleft(sorted(returned, reverse=True))
