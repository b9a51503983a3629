"""Who is tried when the peer acknowledges nothing, though it is there. Pure.

Events that the peer never takes may fill the whole window, so that none behind them is sent and
could be acknowledged. So after ten activations in a row that ended with an overdue ack and proved
nothing, half of the first window is left to those that were in flight, and the rest goes to events
behind them. When one of those left, or one sent after them, is acknowledged, all go in order again.

Before that the order is kept, for a peer may only be in trouble: with a disk that is full, say. Of
one that has just refused an event, less is to be expected: there two activations are enough.
"""

from collections.abc import Callable, Iterable, Sequence
from enum import Enum, auto

from gwproactor.events.core.turns import Turns
from gwproactor.events.core.window import Window
from gwproactor.events.store import EventRef

_PATIENCE = 10
"""Activations in a row that proved nothing, before others than the oldest are tried: a minute, with
the usual ack timeout."""

_PATIENCE_WITH_REFUSERS = 2
"""The same where the last one that proved anything proved that the peer refuses some events."""


class Ending(Enum):
    """How an activation ended."""

    LOSS = auto()
    """By something that says nothing of events."""
    NOTHING_PROVED = auto()
    """By an overdue ack, and nothing sent later was acknowledged."""
    REFUSAL = auto()
    """By an overdue ack, though something sent later was acknowledged."""


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
        self._patience = _PATIENCE
        self._left: set[int] = set()
        self._behind: list[EventRef] = []
        self.ending = Ending.LOSS
        """How the last activation ended, or this one is about to."""

    def activate(self, landed: Sequence[EventRef], window: Window) -> None:
        """The link has become active.

        Args:
            landed: What was in flight when the last activation ended, and is queued again.
            window: How many events may be in flight now.
        """
        ending, self.ending = self.ending, Ending.LOSS
        if ending is Ending.NOTHING_PROVED:
            self._fruitless_count += 1
            if self._fruitless_count >= self._patience:
                self._let_others_pass(sorted(landed), window)
            return
        self._fruitless_count = 0
        self._patience = _PATIENCE_WITH_REFUSERS if ending is Ending.REFUSAL else _PATIENCE
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
