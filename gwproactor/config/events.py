"""Where events are kept, and how surely."""

from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

DEFAULT_MAX_BYTES = 500 * 1024 * 1024
"""Size of a store at which it refuses more: a week of an event a second, on any SD card."""


class Durability(StrEnum):
    """When an event counts as stored."""

    fsync = "fsync"
    """Synced to the disk: no power cut takes it."""
    os = "os"
    """Handed to the operating system: no kill -9 takes it, a power cut may."""
    none = "none"
    """Held in memory: the end of the process takes it."""


class EventSettings(BaseModel):
    """How a proactor keeps events.

    Args:
        folder: The data folder; created when missing, private to the user. None keeps events in
            memory, whatever `durability` says.
        durability: When an event counts as stored.
        max_bytes: Size of the store in bytes, beyond which new events are refused.
        initial_window: Events in flight just after a link became active.
        max_window: Events in flight at most, however quick the peer, one in a message.
        batches: Take many events in one message, and send them so to a peer that takes them too.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    folder: Path | None = None
    durability: Durability = Durability.fsync
    max_bytes: int = Field(default=DEFAULT_MAX_BYTES, ge=1)
    initial_window: int = Field(default=5, ge=1)
    max_window: int = Field(default=64, ge=1)
    batches: bool = True

    @property
    def in_memory(self) -> bool:
        """Whether nothing is written."""
        return self.folder is None or self.durability is Durability.none

    @property
    def takes_batches(self) -> bool:
        """Whether events are taken in batches.

        Not in memory: there each event is acknowledged when its handler has succeeded, and one
        answer for many would come too late.
        """
        return self.batches and not self.in_memory
