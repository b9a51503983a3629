"""The arithmetic of a benchmark: samples in, the few numbers that a reader compares out.

Latencies are skewed, so the figures are ranks and not means: the median says what is usual, the
99th percentile what one may meet. A percentile is a sample that was measured (nearest rank), never
a value between two: of 20 samples the 99th percentile is the slowest.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Summary:
    """What is told of one series of latencies, in milliseconds."""

    count: int
    fastest_ms: float
    median_ms: float
    p99_ms: float
    slowest_ms: float

    def as_dict(self) -> dict[str, float]:
        """The same as plain data, rounded to the microsecond."""
        return {name: round(value, 3) for name, value in asdict(self).items()}


def percentile(samples: Sequence[float], percent: float) -> float:
    """The smallest sample that at least `percent` of all samples do not exceed.

    Raises:
        ValueError: there are no samples, or `percent` is not in (0, 100].
    """
    if not samples:
        raise ValueError("no samples")
    if not 0 < percent <= 100:
        raise ValueError(f"{percent} is not a percentage above 0")
    rank = math.ceil(len(samples) * percent / 100)
    return sorted(samples)[rank - 1]


def summarize(samples_ms: Sequence[float]) -> Summary:
    """The summary of a series that is not empty.

    Raises:
        ValueError: there are no samples.
    """
    return Summary(
        count=len(samples_ms),
        fastest_ms=percentile(samples_ms, percent=1e-9),
        median_ms=statistics.median(samples_ms),
        p99_ms=percentile(samples_ms, percent=99),
        slowest_ms=percentile(samples_ms, percent=100),
    )


@dataclass(frozen=True)
class Target:
    """A bound that a figure must keep: at most, or with `at_least`, no less."""

    text: str
    value: float
    bound: float
    at_least: bool = False

    @property
    def is_met(self) -> bool:
        """Whether the figure keeps its bound; reaching it exactly does."""
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    @property
    def comparison(self) -> str:
        """What is bounded, its figure and its bound, in one line."""
        return f"{self.text}: {self.value:.2f} {'≥' if self.at_least else '≤'} {self.bound:g}"
