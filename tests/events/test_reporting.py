"""What the world hears of trouble and damage."""

from gwproactor.events.reporting import ReportedTrouble, report_damages
from gwproactor.events.store import Damage

Told = list[tuple[str, str]]


def told_of(*causes: str) -> tuple[ReportedTrouble, Told]:
    """Trouble with these causes, one after the other, and what was told of it."""
    told: Told = []
    trouble = ReportedTrouble("The disk", lambda *report: told.append(report))
    for cause in causes:
        trouble.failed(cause)
    return trouble, told


def test_trouble_and_its_end_are_told_once() -> None:
    trouble, told = told_of("full", "still full")
    assert trouble.cause == "still full"
    trouble.worked()
    trouble.worked()
    assert told == [
        ("The disk is in trouble", "full"),
        ("The disk works again", "the trouble was: still full"),
    ]
    assert trouble.cause == ""


def test_what_works_is_not_told() -> None:
    trouble, told = told_of()
    trouble.worked()
    assert told == []


def test_each_damage_is_told_with_its_place() -> None:
    told: Told = []
    damages = [Damage("a.log, bytes 3 to 9", "it is torn", "e1"), Damage("b.log", "no line")]
    report_damages(lambda *report: told.append(report), "A stored event", damages)
    assert [summary for summary, _ in told] == [
        "A stored event is damaged: e1",
        "A stored event is damaged: its id cannot be read",
    ]
    assert told[0][1].startswith("a.log, bytes 3 to 9: it is torn.")
