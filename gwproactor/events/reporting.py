"""How the parts of the events tell the world of problems: trouble that lasts, and damage."""

import time
from collections.abc import Callable, Iterable

from gwproactor.events.core.trouble import Report, Trouble
from gwproactor.events.store import Damage

ReportProblem = Callable[[str, str], None]
"""Tells the world about a problem: a summary in one line, and details."""


def no_report(_summary: str, _details: str) -> None:
    """Nobody wants to hear it."""


class ReportedTrouble:
    """A `Trouble` of which the world hears, by the monotonic clock.

    Args:
        what: The thing that may fail, as the beginning of a sentence.
        report: Is told what is worth telling. Must not raise.
    """

    def __init__(self, what: str, report: ReportProblem) -> None:
        self._trouble = Trouble(what)
        self._report = report

    @property
    def cause(self) -> str:
        """Why it fails now; empty when it does not."""
        return self._trouble.cause

    def failed(self, cause: str) -> None:
        """It failed just now."""
        self._tell(self._trouble.failed(cause, time.monotonic()))

    def worked(self) -> None:
        """It worked just now."""
        self._tell(self._trouble.worked())

    def _tell(self, report: Report | None) -> None:
        if report is not None:
            self._report(report.summary, report.details)


def report_damages(report: ReportProblem, what: str, damages: Iterable[Damage]) -> None:
    """Tell of each event that a store cannot read any more.

    Args:
        report: Is told.
        what: What each of them is: "A stored event".
        damages: What cannot be read.
    """
    for damage in damages:
        report(
            f"{what} is damaged: {damage.event_id or 'its id cannot be read'}",
            f"{damage.place}: {damage.reason}. What is left of it is kept in the folder"
            " `damaged` of the store.",
        )
