"""How long to wait before the next attempt: generators of seconds, and one object that runs them.

Pure: nothing here waits or knows a clock; randomness is given by the caller.

`reconnect_delays` is for a broker that cannot be reached. The first attempt is made at once, for
most losses are over when they are noticed. For the first ten seconds attempts stay close together,
so that a broker that restarts is met within a quarter of a second. After that nobody is helped by
haste, and the delays double up to ten seconds. Each delay but the first is drawn evenly from zero
to its full length ("full jitter"), so that a thousand clients of one broker do not come back in
the same instant.

`retry_delays` is for what was refused and may be granted later, when somebody has changed
something: never at once, doubling from one second to a minute, and drawn from the upper half of
each length only, for here haste is pure noise.
"""

import random as _random
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final

from gwproactor.errors import SettingsError

Random = Callable[[], float]
"""A source of numbers, even between 0 and 1."""

FIRST_DELAY_SECONDS: Final = 0.05
"""Longer than a broker's process needs to accept after its start (5 to 21 ms, measured)."""

EARLY_CEILING_SECONDS: Final = 0.25
"""A broker that comes back early is met this soon, and four attempts a second burden nobody."""

EARLY_SECONDS: Final = 10.0
"""Restarts of a broker or a router's port are over in this time, or they take minutes."""

CEILING_SECONDS: Final = 10.0
"""Longest delay: a link is back this soon after any outage, at little cost meanwhile."""

RETRY_FIRST_SECONDS: Final = 1.0
RETRY_CEILING_SECONDS: Final = 60.0
"""A refusal lasts until somebody acts; once a minute is soon enough to notice that they did."""

MAX_CONFIGURED_DELAYS: Final = 1000
"""Delays read from a configured iterable, which may be endless; the last one repeats."""


def reconnect_delays(random: Random = _random.random) -> Iterator[float]:
    """Yield the seconds to wait before each attempt of one outage, without end.

    Args:
        random: Gives numbers between 0 and 1 for the jitter.
    """
    yield 0.0
    waited, ceiling = 0.0, FIRST_DELAY_SECONDS
    while True:
        delay = random() * ceiling
        yield delay
        waited += delay
        limit = EARLY_CEILING_SECONDS if waited < EARLY_SECONDS else CEILING_SECONDS
        ceiling = min(2 * ceiling, limit)


def retry_delays(random: Random = _random.random) -> Iterator[float]:
    """Yield the seconds to wait before asking again for what was refused, without end.

    Args:
        random: Gives numbers between 0 and 1 for the jitter.
    """
    ceiling = RETRY_FIRST_SECONDS
    while True:
        yield ceiling * (1 + random()) / 2
        ceiling = min(2 * ceiling, RETRY_CEILING_SECONDS)


class Backoff:
    """The delays between the attempts of one link, begun anew after each success.

    Args:
        delays: Seconds, in order; the last repeats when they run out. None for
            `reconnect_delays`. At most 1000 are read, at once.
        random: Gives numbers between 0 and 1 for the jitter of `reconnect_delays`; seconds that
            are given are taken as they are.

    Raises:
        SettingsError: There is no delay at all, or one is not a number of seconds.
    """

    def __init__(
        self, delays: Iterable[float] | None = None, *, random: Random = _random.random
    ) -> None:
        self._random = random
        self._configured = None if delays is None else _checked(delays)
        self._run = self._begin()

    @property
    def longest_seconds(self) -> float:
        """The longest delay: what a refusal costs, for haste does not help against one."""
        return CEILING_SECONDS if self._configured is None else max(self._configured)

    def next_seconds(self, *, refused: bool = False) -> float:
        """Return the seconds to wait before the next attempt.

        Args:
            refused: The last attempt was refused (login, certificate, protocol), so that trying
                again soon cannot help: the longest delay.
        """
        delay = next(self._run)
        return self.longest_seconds if refused else delay

    def restart(self) -> None:
        """Begin anew, after a success."""
        self._run = self._begin()

    def _begin(self) -> Iterator[float]:
        if self._configured is None:
            return reconnect_delays(self._random)
        return _then_the_last(self._configured)


def _then_the_last(delays: tuple[float, ...]) -> Iterator[float]:
    yield from delays
    while True:
        yield delays[-1]


def _checked(delays: Iterable[float]) -> tuple[float, ...]:
    configured = tuple(float(delay) for delay in islice(delays, MAX_CONFIGURED_DELAYS))
    if not configured:
        raise SettingsError("backoff needs at least one delay; example: [0, 0.1, 1, 10]")
    for delay in configured:
        if not 0 <= delay < float("inf"):
            raise SettingsError(f"backoff delay {delay} is not a number of seconds, zero or more")
    return configured
