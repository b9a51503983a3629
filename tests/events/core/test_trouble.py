"""Trouble is told once, then at a bounded rate; and so is its end."""

from gwproactor.events.core.trouble import REPORT_PERIOD_SECONDS, Trouble


def test_the_first_failure_is_told_at_once_and_the_end_too() -> None:
    trouble = Trouble("The disk")
    told = trouble.failed("full", 0.0)
    assert told == ("The disk is in trouble", "full")
    assert trouble.cause == "full"
    assert trouble.worked() == ("The disk works again", "the trouble was: full")
    assert trouble.cause == ""
    assert trouble.worked() is None


def test_repeats_are_counted_and_told_seldom() -> None:
    trouble = Trouble("The disk")
    trouble.failed("full", 0.0)
    assert trouble.failed("full", 1.0) is None
    assert trouble.failed("full", REPORT_PERIOD_SECONDS - 1) is None
    told = trouble.failed("fuller", REPORT_PERIOD_SECONDS)
    assert told == ("The disk is in trouble", "fuller (3 failures since the last report)")


def test_coming_and_going_is_told_seldom_as_well() -> None:
    trouble = Trouble("The disk")
    trouble.failed("full", 0.0)
    told = [trouble.worked()]
    for second in range(1, 50):
        told += [trouble.failed("full", float(second)), trouble.worked()]
    assert len([report for report in told if report]) == 1
