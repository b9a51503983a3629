"""What is reported, and how often."""

import itertools

from gwproactor.links.core import reports
from gwproactor.links.core.effects import ReportKind
from gwproactor.links.core.reports import ReportRate, Reports
from gwproactor.links.core.subscriptions import Answer


def test_the_same_trouble_is_reported_ever_more_rarely() -> None:
    rate = ReportRate()
    told = [now for now in range(0, 20_000, 10) if rate.again(float(now), "trouble") is not None]
    pauses = [later - earlier for earlier, later in itertools.pairwise(told)]
    assert pauses[:6] == [60, 120, 240, 480, 960, 1920]
    assert set(pauses[6:]) == {3600}


def test_what_was_not_reported_is_counted() -> None:
    rate = ReportRate()
    assert rate.again(0.0, "trouble") == 0
    assert rate.again(1.0, "trouble") is None
    assert rate.again(2.0, "trouble") is None
    assert rate.again(60.0, "trouble") == 2
    assert rate.again(61.0, "trouble") is None
    assert rate.again(180.0, "trouble") == 1


def test_a_trouble_that_was_over_is_news() -> None:
    rate = ReportRate()
    rate.again(0.0, "trouble")
    rate.over("trouble")
    rate.over("trouble")
    assert rate.again(1.0, "trouble") == 0


def test_troubles_are_apart_and_bounded() -> None:
    rate = ReportRate()
    for number in range(reports.MAX_TROUBLES + 1):
        assert rate.again(0.0, str(number)) == 0
    assert rate.again(1.0, str(reports.MAX_TROUBLES)) is None
    assert rate.again(1.0, "0") == 0, "the oldest made room"


def test_what_is_told_says_how_often_it_came_untold() -> None:
    rate = ReportRate(first_pause_seconds=10.0)
    assert rate.told(0.0, "fire", "it burns") == "it burns"
    assert [rate.told(now, "fire", "it burns") for now in (1.0, 2.0)] == [None, None]
    assert rate.told(10.0, "fire", "still") == "(2 times more since the last report) still"


def test_a_report_names_the_link_and_says_what_was_left_out() -> None:
    link = Reports("peer")
    (first,) = link.report(0.0, ReportKind.connect_refused, "refused", "bad password")
    assert first.summary == "link 'peer': refused"
    assert first.is_error
    assert link.report(1.0, ReportKind.connect_refused, "refused", "bad password") == ()
    (later,) = link.report(60.0, ReportKind.connect_refused, "refused", "bad password")
    assert later.details == "(once more since the last report) bad password"


def test_subacks() -> None:
    link = Reports("peer")
    assert link.suback(0.0, "a", Answer.granted, 0) == ()
    assert link.suback(0.0, "a", Answer.nothing_new, 0x80) == ()
    (refused,) = link.suback(0.0, "a", Answer.refused, 0x87)
    assert "not authorized" in refused.details
    assert refused.is_error
    (lowered,) = link.suback(1.0, "a", Answer.granted_lower, 0)
    assert "'a' granted at a lower QoS" in lowered.summary
    assert not lowered.is_error
    assert link.suback(2.0, "a", Answer.refused, 0x87), "it had been granted meanwhile"
    link.subscription_fine("a")
    assert link.suback(3.0, "a", Answer.refused, 0x87)
