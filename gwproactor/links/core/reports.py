"""What a link reports to a user, and how often: at once, and then ever more rarely.

A broker that refuses a login refuses it at every attempt. Told each time, it would bury everything
else; told once, somebody who comes later would not know that it goes on. So each trouble has a
pause that doubles while it lasts. Pure: told the time in monotonic seconds.
"""

from dataclasses import dataclass
from typing import Final

from gwproactor.links.core.effects import Report, ReportKind
from gwproactor.links.core.subscriptions import Answer, suback_reason

FIRST_PAUSE_SECONDS: Final = 60.0
"""Somebody who watches wants to see that it goes on."""

LONGEST_PAUSE_SECONDS: Final = 3600.0
"""Nobody who did not react in an hour reads more than one line an hour."""

MAX_TROUBLES: Final = 1000
"""Different troubles remembered; the one reported longest ago makes room."""


@dataclass(slots=True)
class _Trouble:
    next_at: float
    pause_seconds: float
    unreported: int = 0


class ReportRate:
    """Decides whether a trouble that came again is reported again.

    Args:
        first_pause_seconds: Rest after the first report; it doubles with each further one.
        longest_pause_seconds: What it doubles to.
    """

    def __init__(
        self,
        first_pause_seconds: float = FIRST_PAUSE_SECONDS,
        longest_pause_seconds: float = LONGEST_PAUSE_SECONDS,
    ) -> None:
        self._first_pause_seconds = first_pause_seconds
        self._longest_pause_seconds = longest_pause_seconds
        self._troubles: dict[str, _Trouble] = {}

    def again(self, now: float, trouble: str) -> int | None:
        """Take note of a trouble.

        Args:
            now: The present moment.
            trouble: What tells it from other troubles.

        Returns:
            None when it is not to be reported now, else how often it came unreported meanwhile.
        """
        known = self._troubles.get(trouble)
        if known is None:
            self._remember(now, trouble, self._first_pause_seconds)
            return 0
        if now < known.next_at:
            known.unreported += 1
            return None
        del self._troubles[trouble]
        self._remember(now, trouble, min(2 * known.pause_seconds, self._longest_pause_seconds))
        return known.unreported

    def told(self, now: float, trouble: str, details: str) -> str | None:
        """Take note of a trouble, as `again`, and say what is to be told of it now.

        Args:
            now: The present moment.
            trouble: What tells it from other troubles.
            details: What there is to say of it this time.

        Returns:
            None when it is not to be reported now; else the details, after how often it came
            unreported meanwhile: a text that is cut loses its end.
        """
        unreported = self.again(now, trouble)
        if not unreported:
            return None if unreported is None else details
        times = "once" if unreported == 1 else f"{unreported} times"
        return f"({times} more since the last report) {details}"

    def over(self, trouble: str) -> None:
        """Take note that a trouble is over; if it comes again it is reported at once."""
        self._troubles.pop(trouble, None)

    def _remember(self, now: float, trouble: str, pause_seconds: float) -> None:
        if len(self._troubles) >= MAX_TROUBLES:
            del self._troubles[next(iter(self._troubles))]
        self._troubles[trouble] = _Trouble(now + pause_seconds, pause_seconds)


class Reports:
    """The reports of one link.

    Args:
        link_name: The link, which every summary names.
    """

    def __init__(self, link_name: str) -> None:
        self._link_name = link_name
        self._rate = ReportRate()

    def report(
        self, now: float, kind: ReportKind, summary: str, details: str, about: str = ""
    ) -> tuple[Report, ...]:
        """Report a trouble, or nothing when that was done a short while ago.

        Args:
            now: The present moment.
            kind: What it is about.
            summary: One line, without the link's name.
            details: What else there is to say.
            about: Tells troubles of one kind apart: a topic filter.
        """
        told = self._rate.told(now, _key(kind, about), details)
        if told is None:
            return ()
        is_error = kind is not ReportKind.qos_lowered
        return (Report(kind, f"link '{self._link_name}': {summary}", told, is_error),)

    def over(self, kind: ReportKind, about: str = "") -> None:
        """Take note that a trouble is over."""
        self._rate.over(_key(kind, about))

    def suback(
        self, now: float, topic_filter: str, answer: Answer, code: int
    ) -> tuple[Report, ...]:
        """Report what is wrong with a SUBACK's answer for one filter, if anything.

        Args:
            now: The present moment.
            topic_filter: The filter.
            answer: What the reason code means for it.
            code: The reason code.
        """
        reason = suback_reason(code)
        if answer is Answer.refused:
            summary = f"subscription to '{topic_filter}' refused"
            details = f"{reason}; the link cannot be active; asked again later"
            kind = ReportKind.subscription_refused
            return self.report(now, kind, summary, details, topic_filter)
        if answer is Answer.granted_lower:
            self.over(ReportKind.subscription_refused, topic_filter)
            summary = f"subscription to '{topic_filter}' granted at a lower QoS"
            return self.report(now, ReportKind.qos_lowered, summary, reason, topic_filter)
        if answer is Answer.granted:
            self.subscription_fine(topic_filter)
        return ()

    def subscription_fine(self, topic_filter: str) -> None:
        """Take note that every trouble with a filter is over."""
        self.over(ReportKind.subscription_refused, topic_filter)
        self.over(ReportKind.qos_lowered, topic_filter)


def _key(kind: ReportKind, about: str) -> str:
    return f"{kind} {about}"
