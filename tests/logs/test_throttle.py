"""The filter that withholds repetitions."""

import logging
import time
from typing import Any

import pytest

from gwproactor.config.logging import ThrottleSettings
from gwproactor.logs.throttle import RepeatFilter, kind_of


class Clock:
    """A clock that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def record(
    message: str, *args: object, level: int = logging.WARNING, name: str = "a"
) -> logging.LogRecord:
    return logging.LogRecord(name, level, "path", 1, message, args, None)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock: Clock) -> RepeatFilter:
    return RepeatFilter(ThrottleSettings(burst=2, window_seconds=60), clock=clock)


def test_repetitions_are_told_as_a_count(throttle: RepeatFilter, clock: Clock) -> None:
    shown = [throttle.filter(record("link %s is lost", "x")) for _ in range(50)]
    assert shown == [True, True] + 48 * [False]
    assert throttle.seconds_to_overdue() == 60
    clock.now += 60
    (told,) = throttle.overdue()
    assert told.getMessage() == "link x is lost ... 48 times more"
    assert (told.name, told.levelno) == ("a", logging.WARNING)


def test_a_single_one_is_told_as_such(throttle: RepeatFilter) -> None:
    for _ in range(3):
        throttle.filter(record("lost"))
    assert [told.getMessage() for told in throttle.rest()] == ["lost ... once more"]


def test_a_count_has_no_traceback(throttle: RepeatFilter) -> None:
    for _ in range(3):
        failed = record("failed")
        failed.exc_info = (ValueError, ValueError("x"), None)
        failed.exc_text = "Traceback"
        failed.details = "more"
        throttle.filter(failed)
    (told,) = throttle.rest()
    assert (told.exc_info, told.exc_text) == (None, None)
    assert not hasattr(told, "details")


def test_a_count_bears_the_time_at_which_it_is_told(throttle: RepeatFilter, clock: Clock) -> None:
    def withheld() -> None:
        for _ in range(3):
            throttle.filter(record("failed"))
        clock.now += 60

    withheld()
    before = time.time()
    (now,) = throttle.overdue()
    assert before <= now.created <= time.time()
    assert now.msecs == pytest.approx(now.created % 1 * 1000, abs=1)
    withheld()
    (then,) = throttle.overdue(now.created + 10)
    assert then.created == now.created + 10
    assert then.relativeCreated == pytest.approx(now.relativeCreated + 10_000, abs=1)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (record("%d bytes", 1), record("%d bytes", 22), True),
        (record("event 0f1e2d3c-aa lost"), record("event 99887766-bb lost"), True),
        (record("x" * 300 + "a"), record("x" * 300 + "b"), True),
        (record("link a lost"), record("link b lost"), False),
        (record("lost", name="a"), record("lost", name="b"), False),
        (record("lost"), record("lost", level=logging.ERROR), False),
    ],
)
def test_records_are_alike_that_differ_in_numbers(one: Any, other: Any, alike: bool) -> None:
    assert (kind_of(one) == kind_of(other)) == alike


def test_what_it_is_not_about_passes(throttle: RepeatFilter) -> None:
    assert all(throttle.filter(record("fine", level=logging.INFO)) for _ in range(9))
    assert throttle.seconds_to_overdue() is None


def test_what_it_is_about_can_be_chosen(clock: Clock) -> None:
    throttle = RepeatFilter(ThrottleSettings(burst=1), lambda r: r.name == "b", clock)
    assert all(throttle.filter(record("x", name="a")) for _ in range(9))
    assert [throttle.filter(record("x", name="b")) for _ in range(2)] == [True, False]
