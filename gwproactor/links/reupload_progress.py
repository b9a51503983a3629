"""How far a re-upload has come: of what had waited when the upstream link became active. Pure."""

PERIOD_SECONDS = 10.0
"""A line in the log so often at most: a re-upload of a day's events takes seconds, of a month's
minutes."""


class ReuploadProgress:
    """One re-upload, from an activation to its completion or to the end of the activation.

    Args:
        total: How many events had waited.
        now: When it began, monotonic seconds.
    """

    def __init__(self, total: int, now: float) -> None:
        self.total = total
        """How many events had waited."""
        self.left = total
        """How many of them the peer has not acknowledged."""
        self.began_at = now
        """When it began, monotonic seconds."""
        self._told_at = now

    @property
    def acked(self) -> int:
        """How many of them the peer has acknowledged."""
        return self.total - self.left

    @property
    def completed(self) -> bool:
        """Whether the peer has all of them."""
        return self.left == 0

    def note(self, left: int, now: float) -> str:
        """Take note of acks; return what to write into the log, mostly nothing.

        Args:
            left: How many of them the peer has not acknowledged.
            now: The present moment, monotonic seconds.
        """
        self.left = min(self.left, left)
        if self.completed:
            return f"re-upload completed: {self.total} events in {now - self.began_at:.1f} s"
        if now < self._told_at + PERIOD_SECONDS:
            return ""
        self._told_at = now
        return f"re-upload: {self.acked} of {self.total} events acknowledged"
