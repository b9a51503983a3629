"""Whose event is next: each source in its own order, and one source after the other.

So an event of a source that has nothing waiting does not wait behind the million of another. Events
whose source is not known, as earlier versions stored them, may be of any: no younger event of
another source goes before them.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from itertools import takewhile
from operator import attrgetter

from gwproactor.events.core.sequence_queue import SequenceQueue
from gwproactor.events.store import EventRef


class Turns:
    """The sequences of what waits to be sent. Iterating gives them in the order of sending.

    Args:
        is_due: Whether an event is still to be sent; what is not is passed over.
    """

    def __init__(self, is_due: Callable[[int], bool]) -> None:
        self._is_due = is_due
        self._queues: OrderedDict[str, SequenceQueue] = OrderedDict()
        """By source; the first is the one whose turn it is."""

    def add(self, source: str, sequence: int) -> None:
        """Queue a new event, the youngest of all."""
        queue = self._queues.get(source)
        if queue is None:
            queue = self._queues[source] = SequenceQueue()
        queue.append(sequence)

    def put_back(self, refs: Iterable[EventRef]) -> None:
        """Put events that were taken back to their places in the order of their source.

        Sources that had none left are last, the one with the oldest event first.
        """
        by_source: dict[str, list[int]] = {}
        for ref in sorted(refs, key=attrgetter("sequence")):
            by_source.setdefault(ref.source, []).append(ref.sequence)
        for source, sequences in by_source.items():
            self._queues.setdefault(source, SequenceQueue()).put_back(sequences)

    def take(self, source: str, sequence: int) -> None:
        """Take an event, and forget those of its source before it; then it is another's turn."""
        queue = self._queues[source]
        while queue.popleft() != sequence:
            pass  # done before its turn came
        self._queues.move_to_end(source)
        self.trim(source)

    def remove(self, source: str, sequence: int) -> None:
        """Take out an event that waits for something else; it keeps nobody's turn."""
        queue = self._queues[source]
        passed = []
        while (first := queue.popleft()) != sequence:
            passed.append(first)
        queue.put_back(passed)
        self.trim(source)

    def has(self, source: str, sequence: int) -> bool:
        """Whether an event is queued and due; quick for one near the head."""
        queue = self._queues.get(source, ())
        return self._is_due(sequence) and any(
            each == sequence for each in takewhile(lambda other: other <= sequence, queue)
        )

    def trim(self, source: str) -> None:
        """Forget what is not to be sent any more, at the head of the queue of `source`."""
        queue = self._queues.get(source)
        while queue and not self._is_due(queue.first):
            queue.popleft()
        if queue is not None and not queue:
            del self._queues[source]

    def __iter__(self) -> Iterator[int]:
        if len(self._queues) == 1:
            return filter(self._is_due, next(iter(self._queues.values())))
        return self._in_turns()

    def _in_turns(self) -> Iterator[int]:
        """One of each source; before each of them what is older and of no known source."""
        queues = {source: filter(self._is_due, queue) for source, queue in self._queues.items()}
        unknown = queues.get("", iter(()))
        oldest = next(unknown, None)
        turns = deque(queues.items())
        while turns:
            source, sequences = turns.popleft()
            sequence = next(sequences, None) if source else oldest
            if sequence is None:
                continue
            while oldest is not None and oldest < sequence:
                yield oldest
                oldest = next(unknown, None)
            if sequence == oldest:
                oldest = next(unknown, None)
            yield sequence
            turns.append((source, sequences))
