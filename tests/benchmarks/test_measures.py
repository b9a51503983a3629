"""The arithmetic that the benchmarks' figures rest on."""

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.measures import Target, percentile, summarize

samples = st.lists(st.floats(min_value=0, max_value=1e6), min_size=1, max_size=300)


@pytest.mark.parametrize(
    ("percent", "expected"), [(1, 1), (50, 50), (99, 99), (99.5, 100), (100, 100)]
)
def test_percentile_of_one_to_a_hundred(percent: float, expected: int) -> None:
    assert percentile(list(range(100, 0, -1)), percent) == expected


def test_the_99th_percentile_of_few_samples_is_the_slowest() -> None:
    assert percentile([5.0, 1.0, 3.0], 99) == 5.0


@given(samples, st.floats(min_value=0.01, max_value=100))
def test_a_percentile_is_the_smallest_sample_that_covers_its_share(
    values: list[float], percent: float
) -> None:
    found = percentile(values, percent)
    needed = len(values) * percent / 100
    assert found in values
    assert sum(value <= found for value in values) >= needed
    assert sum(value < found for value in values) < needed


@pytest.mark.parametrize("percent", [0, -1, 100.1])
def test_what_is_no_percentage_is_refused(percent: float) -> None:
    with pytest.raises(ValueError, match="percentage"):
        percentile([1.0], percent)


def test_nothing_measured_is_refused() -> None:
    with pytest.raises(ValueError, match="no samples"):
        summarize([])


@given(samples)
def test_a_summary_is_in_order_and_has_the_median(values: list[float]) -> None:
    summary = summarize(values)
    assert summary.count == len(values)
    assert summary.fastest_ms == min(values)
    assert summary.slowest_ms == max(values)
    assert summary.median_ms == statistics.median(values)
    assert summary.median_ms <= summary.slowest_ms
    assert summary.fastest_ms <= summary.p99_ms <= summary.slowest_ms


def test_plain_data_is_rounded_to_microseconds() -> None:
    assert summarize([1.23456]).as_dict() == {
        "count": 1,
        "fastest_ms": 1.235,
        "median_ms": 1.235,
        "p99_ms": 1.235,
        "slowest_ms": 1.235,
    }


@pytest.mark.parametrize(
    ("target", "is_met"),
    [
        (Target("at most", 3.0, 3.0), True),
        (Target("at most", 3.1, 3.0), False),
        (Target("at least", 300.0, 300.0, at_least=True), True),
        (Target("at least", 299.9, 300.0, at_least=True), False),
    ],
)
def test_a_target_is_met_at_its_bound(target: Target, *, is_met: bool) -> None:
    assert target.is_met is is_met
