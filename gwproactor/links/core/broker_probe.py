"""Whether the broker is still there while the peer is not: when to ask it, when to give up.

A connection can be half open: packets vanish and no reset comes. On an active link the peer's
messages prove that the broker is there. On a link that is not active the broker itself is asked
(`ProbeBroker`, an MQTT PINGREQ) and must show a byte within the ack timeout; any byte will do. A
broker that answers is asked again at the rhythm of the poll, so that a peer that is merely absent
costs next to nothing, for ever. Pure: told the time in monotonic seconds.
"""

from gwproactor.links.core.acks import NEVER


class BrokerProbe:
    """The questions to one broker.

    Args:
        poll_seconds: Rest between an answer and the next question.
        answer_timeout_seconds: How long the broker may take to show a byte.
    """

    __slots__ = ("_answer_by", "_answer_timeout_seconds", "_ask_at", "_asked_at", "_poll_seconds")

    def __init__(self, poll_seconds: float, answer_timeout_seconds: float) -> None:
        self._poll_seconds = poll_seconds
        self._answer_timeout_seconds = answer_timeout_seconds
        self._ask_at = NEVER
        self._answer_by = NEVER
        self._asked_at = NEVER

    def rest(self) -> None:
        """Ask nothing: the link is active, or there is no connection."""
        self._ask_at = self._answer_by = NEVER

    def watch(self, now: float) -> None:
        """Begin to ask, the first time after the poll seconds, unless that was begun already."""
        if self.next_deadline() == NEVER:
            self._ask_at = now + self._poll_seconds

    def ask(self, now: float) -> bool:
        """Take note that the question goes out. Returns False when one is open already."""
        if self._answer_by != NEVER:
            return False
        self._asked_at = now
        self._ask_at, self._answer_by = NEVER, now + self._answer_timeout_seconds
        return True

    def heard(self, now: float, byte_at: float) -> bool:
        """Take note of a byte from the broker.

        Args:
            now: The present moment.
            byte_at: When the byte came; one from before the question is no answer to it.

        Returns:
            True when it answered the question that was open.
        """
        if self._answer_by == NEVER or byte_at < self._asked_at:
            return False
        self._answer_by, self._ask_at = NEVER, now + self._poll_seconds
        return True

    def due(self, now: float) -> bool:
        """Tell whether the next question is due."""
        return self._ask_at <= now

    def unanswered(self, now: float) -> bool:
        """Tell whether the question that is open should have been answered by `now`."""
        return self._answer_by <= now

    def next_deadline(self) -> float:
        """Return when `due` or `unanswered` becomes true, or infinity."""
        return min(self._ask_at, self._answer_by)
