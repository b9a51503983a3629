"""What a proactor reports as problems, kept for a test to look at.

notes = ProblemNotes(proactor)
await until(lambda: notes.summaries() == ["Task 'meter' died"])
"""

from gwproactor.runtime.observer import Observer
from gwproactor.runtime.proactor import Proactor
from gwproactor.wire.payloads import ProblemEvent


class ProblemNotes(Observer):
    """Keeps the problems of a proactor.

    Args:
        proactor: Is observed from now on.

    Attributes:
        events: The problems, in their order.
    """

    def __init__(self, proactor: Proactor) -> None:
        self.events: list[ProblemEvent] = []
        proactor.observe(self)

    def problem(self, event: ProblemEvent) -> None:
        """Keep a problem."""
        self.events.append(event)

    def summaries(self) -> list[str]:
        """What the problems are, in a line each."""
        return [event.Summary for event in self.events]
