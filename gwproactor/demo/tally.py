"""What became of every reading, and how soon links came back: counted from ids and moments.

Pure: what happened goes in, with the moment where that matters, and a `Result` comes out. Nothing
is counted that was not reported by the node concerned: `stored` by the child, `delivered` by the
handler of the parent.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from gwproactor.demo.scenario import NodeName

OVERDUE = "ack overdue"
"""Cause of a comeback that no step is to blame for: an ack came too late."""


@dataclass(frozen=True, slots=True)
class Comeback:
    """A link that became active again.

    Args:
        node: Whose link.
        cause: What it came back from.
        seconds: How long that took, from the cut or from the broker's return.
    """

    node: NodeName
    cause: str
    seconds: float

    @property
    def milliseconds(self) -> float:
        """How long it took, in milliseconds, to the microsecond."""
        return round(self.seconds * 1000, 3)


@dataclass(frozen=True, slots=True)
class Result:
    """What the demo proves, or fails to.

    Args:
        stored: Readings that the child reported to be durable.
        delivered: Readings that the parent's handler was given.
        lost: Readings that were stored and never delivered.
        twice: Readings that were delivered more than once.
        comebacks: Every link that became active again, in order.
    """

    stored: int
    delivered: int
    lost: int
    twice: int
    comebacks: tuple[Comeback, ...] = ()

    @property
    def good(self) -> bool:
        """Whether there was something stored, and all of it was delivered, once."""
        return self.lost == self.twice == 0 < self.stored == self.delivered

    @property
    def reactivations_ms(self) -> list[float]:
        """How long each link took to become active again, in milliseconds."""
        return [comeback.milliseconds for comeback in self.comebacks]


class Tally:
    """Counts readings by their ids."""

    def __init__(self) -> None:
        self._stored: set[str] = set()
        self._delivered: Counter[str] = Counter()

    def stored(self, event_id: str) -> None:
        """The child reported that a reading is durable."""
        self._stored.add(event_id)

    def delivered(self, event_id: str) -> None:
        """The parent's handler was given a reading."""
        self._delivered[event_id] += 1

    @property
    def stored_count(self) -> int:
        """Readings stored so far."""
        return len(self._stored)

    @property
    def complete(self) -> bool:
        """Whether everything stored has been delivered."""
        return self._stored <= self._delivered.keys()

    def result(self, comebacks: Iterable[Comeback] = ()) -> Result:
        """What it comes to."""
        return Result(
            stored=len(self._stored),
            delivered=len(self._delivered),
            lost=len(self._stored - self._delivered.keys()),
            twice=sum(count > 1 for count in self._delivered.values()),
            comebacks=tuple(comebacks),
        )


class Comebacks:
    """Times each link from what took its peer away to being active again."""

    def __init__(self) -> None:
        self.all: list[Comeback] = []
        self._pending: dict[NodeName, tuple[str, float]] = {}

    def disturbed(self, node: NodeName, cause: str, now: float) -> None:
        """A step has just cut the node's connection, or has just brought the broker back."""
        self._pending[node] = (cause, now)

    def deactivated(self, node: NodeName, now: float) -> None:
        """The node's link has left `active`; where no step is to blame, time runs from here."""
        self._pending.setdefault(node, (OVERDUE, now))

    def activated(self, node: NodeName, now: float) -> Comeback | None:
        """The node's link is active.

        Returns:
            The comeback; None at the first time, which comes back from nothing.
        """
        if node not in self._pending:
            return None
        cause, since = self._pending.pop(node)
        comeback = Comeback(node, cause, now - since)
        self.all.append(comeback)
        return comeback
