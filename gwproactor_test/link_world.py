"""The world in which simulated links live: its clock, chance, and what it knows of the links.

A `World` is one heap of events: no loop, no socket, no clock. A `Ledger` notes what network and
broker did to one link, so that the link can be held against it without asking the link.

Times are multiples of 1/64 s, which are exact in binary.
"""

import heapq
import itertools
from collections.abc import Callable
from random import Random
from typing import Final

TICKS_PER_SECOND: Final = 64


class World:
    """The clock, what is under way, and chance.

    Args:
        seed: Decides every chance.
    """

    def __init__(self, seed: int) -> None:
        self.now = 0.0
        self.random = Random(seed)  # noqa: S311 - chance in a simulation, to be repeated
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self.watchers: list[Callable[[float], None]] = []
        """Each is called before time moves on, with the moment that comes next."""

    def at(self, moment: float, happens: Callable[[], None]) -> None:
        """Let something happen at a moment."""
        heapq.heappush(self._events, (moment, next(self._order), happens))

    def run_until(self, moment: float) -> None:
        """Let everything happen that is to happen until then."""
        while self._events and self._events[0][0] <= moment:
            then, _, happens = heapq.heappop(self._events)
            self._move_on(then)
            happens()
        self._move_on(moment)

    def _move_on(self, moment: float) -> None:
        if moment > self.now:
            for watch in self.watchers:
                watch(moment)
        self.now = moment

    def chance(self, probability: float) -> bool:
        """Throw a die."""
        return self.random.random() < probability

    def delay(self, longest_seconds: float) -> float:
        """Return a time that a packet takes."""
        return self.random.randint(1, int(longest_seconds * TICKS_PER_SECOND)) / TICKS_PER_SECOND


class Ledger:
    """The four conditions of one side, by what the network and the broker did to it.

    Args:
        ack_timeout_seconds: As of `LinkCore`.
        poll_seconds: As of `LinkCore`.
    """

    def __init__(self, ack_timeout_seconds: float, poll_seconds: float) -> None:
        self._ack_timeout_seconds = ack_timeout_seconds
        self._silence_seconds = poll_seconds + ack_timeout_seconds
        self._opened_at = 0.0
        self._may_be_old = False
        self.disconnected()

    def disconnected(self) -> None:
        """The connection is gone; nothing of it counts any more."""
        self.opened = self.subscribed = False
        self.heard_at = float("-inf")
        self._unacked: dict[str, float] = {}

    def connected(self, now: float, *, session_present: bool) -> None:
        """A connection begins, perhaps with messages from before."""
        self.opened = True
        self._opened_at = now
        self._may_be_old = session_present

    def activated(self) -> None:
        """What was sent before does not count."""
        self._unacked.clear()

    def sent(self, now: float, message_id: str) -> None:
        """A message went out that wants an ack."""
        self._unacked[message_id] = now

    def heard(self, now: float, sent_at: float, acked_id: str | None) -> None:
        """A message of the peer was delivered, perhaps an ack.

        In a session that was kept, one that was sent before this connection says nothing of the
        peer now, unless one that was sent since has come before it.
        """
        if sent_at >= self._opened_at:
            self._may_be_old = False
        if not self._may_be_old:
            self.heard_at = now
        if acked_id is not None:
            self._unacked.pop(acked_id, None)

    def holds_until(self) -> float:
        """When the four conditions end to hold, unless something is heard."""
        if not (self.opened and self.subscribed):
            return float("-inf")
        oldest = min(self._unacked.values(), default=float("inf"))
        return min(self.heard_at + self._silence_seconds, oldest + self._ack_timeout_seconds)
