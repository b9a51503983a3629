"""How far a re-upload has come: of what had waited when the upstream link became active. Pure."""

from typing import NamedTuple

PERIOD_SECONDS = 10.0
"""A line in the log so often at most: a re-upload of a day's events takes seconds, of a month's
minutes."""

OBSERVED_SECONDS = 1.0
"""Who observes is told so often at most, and of beginning and completion."""


class ReuploadState(NamedTuple):
    """How far a re-upload has come at one moment.

    Attributes:
        link_name: The upstream link.
        total: How many events had waited when it became active.
        sent: How many of them have been sent since.
        acked: How many of them the peer has acknowledged, or are set aside, dropped or damaged.
        left: How many of them are still to be acknowledged.
        completed: Whether none is left.
    """

    link_name: str
    total: int
    sent: int
    acked: int
    left: int
    completed: bool


class ReuploadProgress:
    """One re-upload, from an activation to its completion or to the end of the activation.

    Args:
        total: How many events had waited.
        now: When it began, monotonic seconds.
        link_name: The upstream link.
    """

    def __init__(self, total: int, now: float, link_name: str = "") -> None:
        self._link_name = link_name
        self.total = total
        """How many events had waited."""
        self.left = total
        """How many of them the peer has not acknowledged."""
        self.sent = 0
        """How many of them have been sent, as of the last ack."""
        self.began_at = now
        """When it began, monotonic seconds."""
        self._told_at = now
        self._observed_at = now

    @property
    def acked(self) -> int:
        """How many of them the peer has acknowledged."""
        return self.total - self.left

    @property
    def completed(self) -> bool:
        """Whether the peer has all of them."""
        return self.left == 0

    @property
    def state(self) -> ReuploadState:
        """All of it, as it is now."""
        return ReuploadState(
            self._link_name, self.total, self.sent, self.acked, self.left, self.completed
        )

    def is_to_be_observed(self, now: float) -> bool:
        """Whether an observer is to be told now; asked once after each `note`."""
        if not self.completed and now < self._observed_at + OBSERVED_SECONDS:
            return False
        self._observed_at = now
        return True

    def note(self, left: int, now: float, sent: int = 0) -> str:
        """Take note of acks; return what to write into the log, mostly nothing.

        Args:
            left: How many of them the peer has not acknowledged.
            now: The present moment, monotonic seconds.
            sent: How many of them have been sent.
        """
        self.left = min(self.left, left)
        self.sent = max(self.sent, min(sent, self.total))
        if self.completed:
            return f"re-upload completed: {self.total} events in {now - self.began_at:.1f} s"
        if now < self._told_at + PERIOD_SECONDS:
            return ""
        self._told_at = now
        return f"re-upload: {self.acked} of {self.total} events acknowledged, {self.sent} sent"
