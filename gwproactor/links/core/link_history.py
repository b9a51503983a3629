"""What a link has been through: its last transitions, time in each state, how fast it came back.

Pure: told the time. Everything is bounded, however long the link runs: so many transitions, one
number for each state, one counter for each length of time.
"""

import bisect
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from gwproactor.links.core.link_state import StateName, Transition, TransitionName

MAX_TRANSITIONS: Final = 100
"""Transitions kept: some 25 outages."""

SHORTEST_BOUND_SECONDS: Final = 0.001
BOUNDS: Final = 30
"""Lengths of time are told apart by powers of two from a millisecond to six days."""


class PastTransition(NamedTuple):
    """A transition, and when it happened.

    Args:
        transition: From where to where, and why.
        at_seconds: When, monotonic seconds.
        at_ms: When, UTC milliseconds of the wall clock.
    """

    transition: Transition
    at_seconds: float
    at_ms: int


class Histogram:
    """How often which length of time occurred, to within a factor of two."""

    bounds_seconds: Final[Sequence[float]] = tuple(
        SHORTEST_BOUND_SECONDS * 2**power for power in range(BOUNDS)
    )
    """Upper bounds of the buckets; what is longer than the last one counts in one more bucket."""

    def __init__(self) -> None:
        self._counts = [0] * (len(self.bounds_seconds) + 1)
        self.count = 0
        self.total_seconds = 0.0
        self.longest_seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count one length of time."""
        self._counts[bisect.bisect_left(self.bounds_seconds, seconds)] += 1
        self.count += 1
        self.total_seconds += seconds
        self.longest_seconds = max(self.longest_seconds, seconds)

    def buckets(self) -> list[tuple[float, int]]:
        """Each bucket's upper bound in seconds, the last one infinite, and its count."""
        return list(zip((*self.bounds_seconds, float("inf")), self._counts, strict=True))

    def quantile_seconds(self, share: float) -> float:
        """So long or shorter was this share of them, rounded up to a bound; 0 where there are none.

        Args:
            share: From 0 to 1; 0.5 asks for the median.
        """
        wanted, seen = share * self.count, 0
        for bound, count in self.buckets():
            seen += count
            if count and seen >= wanted:
                return min(bound, self.longest_seconds)
        return self.longest_seconds

    def as_data(self) -> dict[str, Any]:
        """The same as plain data; buckets that are empty are left out."""
        return {
            "count": self.count,
            "total_seconds": self.total_seconds,
            "longest_seconds": self.longest_seconds,
            "buckets": [[bound, count] for bound, count in self.buckets() if count],
        }

    def __str__(self) -> str:
        if not self.count:
            return "none"
        median, rare = self.quantile_seconds(0.5), self.quantile_seconds(0.99)
        return (
            f"{self.count}, half within {median:.3g} s, 99 % within {rare:.3g} s,"
            f" longest {self.longest_seconds:.3g} s"
        )


class LinkHistory:
    """The history of one link. For the loop only.

    Args:
        max_transitions: How many transitions are kept; the oldest make room.
    """

    def __init__(self, max_transitions: int = MAX_TRANSITIONS) -> None:
        self._transitions: deque[PastTransition] = deque(maxlen=max_transitions)
        self._seconds_in: dict[StateName, float] = {}
        self._counts: Counter[TransitionName] = Counter()
        self._state = StateName.not_started
        self._since: float | None = None
        self._deactivated_at: float | None = None
        self.reactivations = Histogram()
        """From losing `active` to having it again."""

    def add(self, transition: Transition, at_seconds: float, at_ms: int) -> None:
        """Take note of a transition, or of a failed attempt to connect.

        Args:
            transition: From where to where, and why.
            at_seconds: When, monotonic seconds.
            at_ms: When, UTC milliseconds.
        """
        self._transitions.append(PastTransition(transition, at_seconds, at_ms))
        self._counts[transition.transition_name] += 1
        if transition.old_state is transition.new_state:
            return
        if self._since is not None:
            before = self._seconds_in.get(self._state, 0.0)
            self._seconds_in[self._state] = before + at_seconds - self._since
        self._state, self._since = transition.new_state, at_seconds
        if transition.deactivated():
            self._deactivated_at = at_seconds
        elif transition.activated() and self._deactivated_at is not None:
            self.reactivations.add(at_seconds - self._deactivated_at)
            self._deactivated_at = None

    @property
    def transitions(self) -> Sequence[PastTransition]:
        """The last transitions, oldest first."""
        return tuple(self._transitions)

    @property
    def counts(self) -> Mapping[TransitionName, int]:
        """How often each kind of transition happened, failed attempts included."""
        return dict(self._counts)

    def seconds_in_states(self, now: float) -> Mapping[StateName, float]:
        """How long the link has been in each state since it was started, up to now.

        Args:
            now: The present moment, monotonic seconds.
        """
        seconds = dict(self._seconds_in)
        if self._since is not None:
            seconds[self._state] = seconds.get(self._state, 0.0) + now - self._since
        return seconds

    def as_data(self, now: float) -> dict[str, Any]:
        """All of it as plain data, which JSON can hold but for infinity in the last bucket.

        Args:
            now: The present moment, monotonic seconds.
        """
        return {
            "transitions": [
                {
                    "t_ms": past.at_ms,
                    "transition": past.transition.transition_name.value,
                    "old": past.transition.old_state.value,
                    "new": past.transition.new_state.value,
                    "why": past.transition.reason,
                }
                for past in self._transitions
            ],
            "seconds": {state.value: s for state, s in self.seconds_in_states(now).items()},
            "counts": {name.value: count for name, count in self._counts.items()},
            "reactivations": self.reactivations.as_data(),
        }
