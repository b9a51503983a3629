"""What a conversation tells of its troubles: each at once, then at a bounded rate."""

import time

from gwproactor.links.core.reports import ReportRate
from gwproactor.links.listener import LinkListener, tell


class ProblemDesk:
    """Reports the troubles of one link to its listener. For the loop only.

    Args:
        link_name: The link.
        listener: Hears of them.
    """

    def __init__(self, link_name: str, listener: LinkListener) -> None:
        self._link_name = link_name
        self._listener = listener
        self._rate = ReportRate()

    def report(self, what: str, details: str, *, is_error: bool = False) -> None:
        """Report a trouble, unless the same one was reported a short while ago.

        Args:
            what: The trouble, in words that are the same each time.
            details: This time.
            is_error: Somebody must act; otherwise it is a warning.
        """
        told = self._rate.told(time.monotonic(), what, details)
        if told is not None:
            self.tell(f"link '{self._link_name}': {what}", told, is_error=is_error)

    def over(self, what: str) -> None:
        """Take note that a trouble is over; if it comes again it is reported at once."""
        self._rate.over(what)

    def tell(self, summary: str, details: str, *, is_error: bool) -> None:
        """Report what somebody else has decided to report."""
        tell(self._listener.link_problem, self._link_name, summary, details, is_error=is_error)
