import itertools

from hypothesis import given
from hypothesis import strategies as st

from gwproactor.web.poll_troubles import LONG_SECONDS, PollReport, PollTroubles


def test_the_first_failure_is_told_and_then_that_it_works_again() -> None:
    troubles = PollTroubles()
    assert troubles.failed(0.0, "request", "no") == PollReport("request", "no", is_error=True)
    assert troubles.failed(10.0, "request", "no") is None
    assert troubles.worked(20.0) == PollReport(
        "works again", "after 2 failed polls in 20 s", is_error=False
    )
    assert troubles.worked(30.0) is None
    assert (troubles.failure_count, troubles.failures_in_a_row) == (2, 0)


def test_what_goes_on_is_told_with_the_number_of_failures_between() -> None:
    troubles = PollTroubles()
    told = [troubles.failed(float(now), "request", "no") for now in range(0, 180, 10)]
    assert [report.details for report in told if report] == [
        "no",
        "(5 times more since the last report) no",
    ]


def test_kinds_are_told_apart() -> None:
    troubles = PollTroubles()
    assert troubles.failed(0.0, "request", "no") is not None
    assert troubles.failed(1.0, "converter", "no") is not None


def test_one_that_was_not_told_is_not_told_to_be_over() -> None:
    troubles = PollTroubles()
    troubles.failed(0.0, "request", "no")
    assert troubles.worked(1.0) is not None
    assert troubles.failed(2.0, "request", "no") is None
    assert troubles.worked(3.0) is None


def test_what_nobody_wants_to_know_is_counted() -> None:
    troubles = PollTroubles()
    assert troubles.failed(0.0, "request", "no", tell=False) is None
    assert troubles.worked(1.0) is None
    assert troubles.failure_count == 1
    assert troubles.failed(2.0, "request", "no") is not None


def test_what_worked_for_long_is_told_at_once_when_it_fails() -> None:
    troubles = PollTroubles()
    troubles.failed(0.0, "request", "no")
    troubles.worked(1.0)
    assert troubles.failed(1.0 + LONG_SECONDS, "request", "no") is not None
    # and then a pause begins that is no longer than after the very first
    assert troubles.failed(70.0 + LONG_SECONDS, "request", "no") is not None


@given(st.lists(st.tuples(st.booleans(), st.floats(min_value=0.1, max_value=30)), max_size=400))
def test_however_it_flaps_little_is_told_and_the_end_is_told_right(
    polls: list[tuple[bool, float]],
) -> None:
    troubles, now = PollTroubles(), 0.0
    told: list[tuple[float, PollReport]] = []
    for works, seconds in polls:
        now += seconds
        report = troubles.worked(now) if works else troubles.failed(now, "request", "no")
        if report is not None:
            told.append((now, report))
    errors = [moment for moment, report in told if report.is_error]
    assert all(other - one >= 60 for one, other in itertools.pairwise(errors))
    good_news = [not report.is_error for _, report in told]
    assert not any(one and other for one, other in itertools.pairwise(good_news))
    assert good_news[:1] != [True]
    if polls and polls[-1][0] and told:
        assert not told[-1][1].is_error, "it works, and the last that was told is that it does not"
