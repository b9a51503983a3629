"""Where faults of ours are brought to, from all over a link; see `own_faults`.

What happens in the link's own task is raised there. What the loop calls, a timer's callback or that
of a future, is `guarded`: a fault in it would else end in the loop's exception handler, and the
link would go on without whatever it was about. Here it ends the connection, and so comes to the
link's task, where `raise_last` raises it.
"""

import asyncio
from collections.abc import Callable

from gwproactor.links.own_faults import only_one
from gwproactor.links.problem_desk import ProblemDesk
from gwproactor.texts import traceback_text


class FaultDesk:
    """The faults of ours in one link. For the loop only.

    Args:
        problems: Takes reports.
        give_up: Ends the connection, with a reason; False where there is none.
    """

    def __init__(self, problems: ProblemDesk, give_up: Callable[[str], bool]) -> None:
        self._problems = problems
        self._give_up = give_up
        self._last: Exception | None = None

    def begin(self) -> None:
        """A connection begins: what ended the last one must not end this one too.

        A fault is left over where the last connection ended by another one, which was raised.
        """
        last, self._last = self._last, None
        if last is not None:
            self._report(last, "another fault came with it")

    def guarded(self, step: Callable[[], None]) -> Callable[[], None]:
        """The same step, for the loop to call: what it raises is noted."""

        def guarded() -> None:
            try:
                step()
            except Exception as error:  # noqa: BLE001 - the link's task raises it again
                self.note(error)

        return guarded

    def note(self, error: Exception) -> None:
        """Take note of a fault beside the link's task: the connection ends."""
        if self._give_up("a fault of this program"):
            self._last = error
        else:
            self._report(error, "the link goes on")

    def raise_last(self) -> None:
        """Raise the fault that ended the last connection, if one did."""
        last, self._last = self._last, None
        if last is not None:
            raise last

    def failed(self, error: Exception, pause_seconds: float) -> None:
        """Report a fault, after which the link begins again when it has rested.

        Args:
            error: The fault.
            pause_seconds: The rest; zero where the link is being stopped, and does not begin again.
        """
        begins = f"the link begins again in {pause_seconds:.1f} s"
        self._report(error, begins if pause_seconds else "the link was being stopped")

    def _report(self, error: Exception, what_follows: str) -> None:
        error = only_one(error)
        what = f"a fault of this program ({type(error).__name__})"
        self._problems.report(what, f"{what_follows}; {traceback_text(error)}", is_error=True)


def cancels_asked() -> int:
    """How often this task was asked to end."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()
