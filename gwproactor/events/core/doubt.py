"""Who is tried when the peer acknowledges nothing, though it is there. Pure.

Events that the peer never takes may fill the whole window, so that none behind them is sent and
could be acknowledged. So after two activations in a row that ended with an overdue ack and proved
nothing, half of the first window is left to those that were in flight, and the rest goes to events
behind them. When one of those left, or one sent after them, is acknowledged, all go in order again.
"""

from collections.abc import Callable, Iterable, Sequence

from gwproactor.events.core.turns import Turns
from gwproactor.events.core.window import Window
from gwproactor.events.store import EventRef

_PATIENCE = 2
"""Activations in a row that proved nothing, before others than the oldest are tried."""


class Doubt:
    """What is thought of events that were in flight when the link left `active`.

    Args:
        turns: The queues of what waits to be sent.
        is_due: Whether an event is still to be sent.
    """

    def __init__(self, turns: Turns, is_due: Callable[[int], bool]) -> None:
        self._turns = turns
        self._is_due = is_due
        self._fruitless_count = 0
        self._left: set[int] = set()
        self._behind: list[EventRef] = []
        self.proved_nothing = False
        """Whether the last activation ended with an overdue ack that proved nothing."""

    def activate(self, landed: Sequence[EventRef], window: Window) -> None:
        """The link has become active.

        Args:
            landed: What was in flight when the last activation ended, and is queued again.
            window: How many events may be in flight now.
        """
        self._fruitless_count = self._fruitless_count + 1 if self.proved_nothing else 0
        self.proved_nothing = False
        if self._fruitless_count >= _PATIENCE:
            self._let_others_pass(sorted(landed), window)
        elif not self._fruitless_count:
            self._let_all_go()

    def _let_others_pass(self, landed: Sequence[EventRef], window: Window) -> None:
        window.count = max(2, window.count)  # one of each kind at least
        count = window.count // 2
        self._left = {ref.sequence for ref in landed[:count]}
        for ref in landed[count:]:
            self._turns.remove(ref.source, ref.sequence)
            self._behind.append(ref)

    def acked(self, ref: EventRef, sent_before: Iterable[int]) -> None:
        """The peer took an event.

        Args:
            ref: The event.
            sent_before: The events that were sent before it and are still in flight.
        """
        if not self._behind:
            return
        nobody_is_left = not any(map(self._is_due, self._left))
        if nobody_is_left or ref.sequence in self._left or self._left.intersection(sent_before):
            self._let_all_go()

    def _let_all_go(self) -> None:
        behind, self._behind, self._left = self._behind, [], set()
        self._turns.put_back(ref for ref in behind if self._is_due(ref.sequence))
