"""How often waiting events were sent, and how far the last time came."""

from dataclasses import dataclass, field
from typing import Protocol


class ReuploadState(Protocol):
    """How far a re-upload has come; `gwproactor.links.core.reupload_progress` has one."""

    @property
    def total(self) -> int:
        """How many events had waited."""
        ...

    @property
    def sent(self) -> int:
        """How many of them have been sent."""
        ...

    @property
    def acked(self) -> int:
        """How many of them were acknowledged."""
        ...

    @property
    def left(self) -> int:
        """How many of them are still to be acknowledged."""
        ...


@dataclass
class ReuploadCounts:
    """How often the sending of waiting events has begun, and how often all were acknowledged.

    Of the last one also how many events had waited, how many of them were sent, acknowledged, and
    are left; brought up to date about once a second and at the end.
    """

    started: int = 0
    completed: int = 0
    total: int = field(default=0, compare=False)
    sent: int = field(default=0, compare=False)
    acked: int = field(default=0, compare=False)
    left: int = field(default=0, compare=False)

    def start(self) -> None:
        """Count one begun."""
        self.started += 1

    def complete(self) -> None:
        """Count one completed."""
        self.completed += 1

    def note(self, state: ReuploadState) -> None:
        """Take note of how far the last one has come."""
        self.total, self.sent, self.acked = state.total, state.sent, state.acked
        self.left = state.left

    def __str__(self) -> str:
        return f"{self.started} reuploads started, {self.completed} completed"

    def as_data(self) -> dict[str, object]:
        """All of it as new values that JSON can hold."""
        return {
            "reuploads_started": self.started,
            "reuploads_completed": self.completed,
            "last_reupload": {
                "total": self.total,
                "sent": self.sent,
                "acked": self.acked,
                "left": self.left,
            },
        }
