"""How soon to connect again, and to which broker. Pure: told the time in monotonic seconds.

Backoff alone answers for a broker that cannot be reached. Two more things can go wrong fast:

- *A connection that is made and lost again at once*, over and over: a broker that accepts and
  drops, or two nodes with one client id that throw each other out. Each success would restart the
  backoff, and its first delay is zero. So a success counts as one only when the link became active
  on it, or it stood for `STEADY_SECONDS`; and each takes from an allowance that is large enough for
  a bad day and refills slowly. When that is used up, a connection that was active counts as a
  failure, so the backoff goes on, and the next attempt also waits until the allowance is out of
  debt. So there are never more than `RESTARTS_PER_SECOND` of these in the long run.
- *A broker that refuses* (login, certificate, protocol). Trying again soon cannot help and may lock
  an account, so it is left alone for the longest delay, while the others are tried as ever.
"""

from collections.abc import Sequence

from gwproactor.config.mqtt import MQTTClient
from gwproactor.links.core.backoff import Backoff
from gwproactor.links.core.message_times import BEFORE_ALL_TIME

STEADY_SECONDS = 10.0
"""A connection that stood so long was a success even if the peer never came."""

RESTARTS_AT_ONCE = 20
"""Losses in a row that are followed by an immediate attempt, however close they lie together."""

RESTARTS_PER_SECOND = 10.0
"""How fast that allowance refills: ten attempts a second are no burden for anybody."""


class Pace:
    """The delays and the choice of brokers of one link.

    Args:
        brokers: In the order in which they are tried.
        backoff: The delays between rounds through the brokers.
        prefer_working: After a success begin with its broker, otherwise with the first.
    """

    def __init__(
        self, brokers: Sequence[MQTTClient], backoff: Backoff, *, prefer_working: bool = False
    ) -> None:
        self._prefer_working = prefer_working
        self._first = 0
        self._brokers = tuple(brokers)
        self._backoff = backoff
        self._refused_until = [BEFORE_ALL_TIME] * len(self._brokers)
        self._allowance = float(RESTARTS_AT_ONCE)
        self._allowance_at: float | None = None
        self._away_until = BEFORE_ALL_TIME

    def next_round(self, now: float) -> tuple[float, list[int]]:
        """Begin a round.

        Returns:
            The seconds to wait before it, and the positions of the brokers to be tried then.
        """
        delay = self._backoff.next_seconds()
        free_at = min(self._refused_until)
        self._refill(now)
        in_debt_seconds = max(0.0, -self._allowance) / RESTARTS_PER_SECOND
        start = max(now + delay, now + in_debt_seconds, free_at, self._away_until)
        count = len(self._brokers)
        order = [(self._first + i) % count for i in range(count)]
        return start - now, [i for i in order if self._refused_until[i] <= start]

    def broker(self, position: int) -> MQTTClient:
        """The broker at a position."""
        return self._brokers[position]

    def refused(self, now: float, position: int) -> None:
        """Take note that a broker refused: it is left alone for the longest delay."""
        self._refused_until[position] = now + self._backoff.longest_seconds

    def stay_away(self, now: float, seconds: float) -> None:
        """Make no attempt for so long, whatever else holds: another node has our client id."""
        self._away_until = now + seconds

    def lost(self, now: float, position: int, lasted_seconds: float, *, was_active: bool) -> bool:
        """Take note that a connection ended.

        Args:
            now: The present moment.
            position: The position of its broker.
            lasted_seconds: How long the connection stood.
            was_active: The link was active on it.

        Returns:
            Whether it counts as a success, after which the next attempt is made at once.
        """
        self._refill(now)
        if not (was_active or lasted_seconds >= STEADY_SECONDS):
            return False
        if self._prefer_working:
            self._first = position
        self._allowance -= 1
        success = self._allowance >= 0
        if success:
            self._backoff.restart()
        return success

    def _refill(self, now: float) -> None:
        if self._allowance_at is not None:
            gained = (now - self._allowance_at) * RESTARTS_PER_SECOND
            self._allowance = min(self._allowance + gained, RESTARTS_AT_ONCE)
        self._allowance_at = now
