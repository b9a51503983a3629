"""How many events may be in flight, and how many go into one message. Pure.

After an activation few events go out, as a plain peer is used to; each ack lets one more go.
Towards a peer that takes batches the window grows far beyond what single messages need, and shrinks
again when acks come late: what is in flight must be acknowledged well within the ack timeout, or a
slow peer would be taken for a lost one.
"""

FIRST_WINDOW = 5
"""What a plain peer is used to after an activation."""

MAX_WINDOW = 64
"""Enough to keep a peer busy over a broker; few enough to be acked well within the ack timeout."""

MAX_BATCHED_WINDOW = 4096
"""In batches; a tenth of a second's work of a quick receiver, and a bounded repetition."""

_MESSAGES_IN_FLIGHT = 4
"""So many batches make a full window: while one is acknowledged the next ones are on their way."""

_QUICK = 0.1
_LATE = 0.25
"""Shares of the ack timeout: acks quicker than the one widen the window, later than the other halve
it. Between them it stays."""


class Window:
    """The number of events that may be in flight.

    Args:
        first: After an activation, and at least.
        maximum: At most, one event a message.
        batched_maximum: At most, in batches; None to send none.
    """

    def __init__(
        self,
        first: int = FIRST_WINDOW,
        maximum: int = MAX_WINDOW,
        batched_maximum: int | None = MAX_BATCHED_WINDOW,
    ) -> None:
        self._first = first
        self._maximum = max(first, maximum)
        self._batches_wanted = batched_maximum is not None
        self._batched_maximum = max(self._maximum, batched_maximum or 0)
        self._limit = self._maximum
        self._batches_allowed = False
        self.count = first
        """How many events may be in flight now."""

    @property
    def batch_count(self) -> int:
        """How many events should go into one message, where the peer takes several."""
        return max(1, self.count // _MESSAGES_IN_FLIGHT) if self._batches_allowed else 1

    def restart(self) -> None:
        """The link has become active."""
        self.allow_batches(False)
        self.count = self._first

    def allow_batches(self, allowed: bool) -> None:
        """The peer takes batches, or does so no longer."""
        self._batches_allowed = allowed and self._batches_wanted
        self._limit = self._batched_maximum if self._batches_allowed else self._maximum
        self.count = min(self.count, self._limit)

    def acked(self, events: int = 1, waited: float = 0.0) -> None:
        """Events in flight were acknowledged.

        Args:
            events: How many, by one ack.
            waited: How long the ack took, as a share of the ack timeout.
        """
        if waited >= _LATE:
            self.count = max(self._first, self.count // 2)
        elif waited <= _QUICK:
            self.count = min(self.count + events, self._limit)
