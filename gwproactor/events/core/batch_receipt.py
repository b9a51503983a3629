"""What has become of the events of a received batch: one answer, when it is known of all. Pure."""

from collections.abc import Callable, Sequence


class BatchReceipt:
    """Counts the events of one batch that are still undecided.

    Args:
        count: How many events there are.
        answer: Called once, when all are decided, with the places of those that were refused.
    """

    def __init__(self, count: int, answer: Callable[[Sequence[int]], None]) -> None:
        self._undecided = count
        self._answer = answer
        self._refused: list[int] = []

    def taken(self) -> None:
        """One of them is safe."""
        self._decided()

    def refused(self, place: int) -> None:
        """The one at this place, counted from 0, is not taken."""
        self._refused.append(place)
        self._decided()

    def _decided(self) -> None:
        self._undecided -= 1
        if self._undecided == 0:
            self._answer(sorted(self._refused))
