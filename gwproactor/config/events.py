"""Where events are kept, and how surely."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from gwproactor.config.limit_policy import LimitPolicy
from gwproactor.config.paths import UserPath
from gwproactor.config.table import Table

DEFAULT_MAX_BYTES = 500 * 1024 * 1024
"""Size of a store at which it is full: a week of an event a second, on any SD card."""


class Durability(StrEnum):
    """When an event counts as stored."""

    fsync = "fsync"
    """Synced to the disk: no power cut takes it."""
    os = "os"
    """Handed to the operating system: no kill -9 takes it, a power cut may."""
    none = "none"
    """Held in memory: the end of the process takes it."""


class EventStoreKind(StrEnum):
    """What keeps the events on their way to the upstream peer."""

    log = "log"
    """Append-only segments of readable lines: the quickest, and the one that is looked after."""
    files = "files"
    """A file for each event and a folder for each day, as the predecessor keeps them."""
    memory = "memory"
    """Nothing: the end of the process takes them."""


class InboxKind(StrEnum):
    """Where received events wait for their handler."""

    disk = "disk"
    """Each is acknowledged when it is stored; a slow handler costs the link nothing."""
    memory = "memory"
    """Each is acknowledged when its handler has succeeded."""


def _checked_command(words: tuple[str, ...]) -> tuple[str, ...]:
    if (words and not words[0].strip()) or any("\0" in word for word in words):
        raise ValueError("it must begin with a program's name, and hold no zero character")
    return words


class EventSettings(Table):
    """How a proactor keeps events.

    Args:
        folder: The data folder; created when missing, private to the user. None keeps events in
            memory, whatever the rest says.
        durability: When an event counts as stored.
        store: What keeps the events on their way.
        files_folder: Where they lie with `files`: the event folder of an installation of the
            predecessor, say. The folder `event` in the data folder when not given.
        pat_watchdog_args: With `files`: a command that pats the watchdog, with its arguments; run
            once a second while the start looks through many files.
        inbox: Where received events wait for their handler.
        handler_tries: So often a received event is given to a handler that fails with it, before
            it is set aside among the dead letters.
        send_tries: So often an event is sent that the upstream peer does not take while it takes
            others, before it is set aside among the refused events; 10 take 20 minutes.
        max_bytes: Size of the store in bytes, beyond which `when_full` applies to events that this
            node sends; received ones are refused, their sender has them still.
        when_full: What happens at that size. What is in flight is not dropped.
        max_window: Events in flight at most, however quick the peer, one in a message.
        batches: Take many events in one message, and send them so to a peer that takes them too.
    """

    folder: UserPath | None = None
    durability: Durability = Durability.fsync
    store: EventStoreKind = EventStoreKind.log
    files_folder: UserPath | None = None
    pat_watchdog_args: Annotated[tuple[str, ...], AfterValidator(_checked_command)] = Field(
        default=(), examples=[["/usr/bin/systemd-notify", "WATCHDOG=1"]]
    )
    inbox: InboxKind = InboxKind.disk
    handler_tries: int = Field(default=10, ge=1)
    send_tries: int = Field(default=10, ge=1)
    max_bytes: int = Field(default=DEFAULT_MAX_BYTES, ge=1)
    when_full: LimitPolicy = LimitPolicy.refuse
    max_window: int = Field(default=64, ge=1)
    batches: bool = True

    @model_validator(mode="after")
    def _check_what_is_for_files(self) -> Self:
        for name in ("files_folder", "pat_watchdog_args"):
            if getattr(self, name) and self.store is not EventStoreKind.files:
                raise ValueError(
                    f"{name} is for store = files, and store is {self.store}: leave one of them out"
                )
        return self

    @property
    def in_memory(self) -> bool:
        """Whether nothing at all is written."""
        return self.folder is None or self.durability is Durability.none

    @property
    def outbox_in_memory(self) -> bool:
        """Whether the events on their way are in memory only."""
        return self.in_memory or self.store is EventStoreKind.memory

    @property
    def inbox_in_memory(self) -> bool:
        """Whether received events are in memory only."""
        return self.in_memory or self.inbox is InboxKind.memory

    @property
    def takes_batches(self) -> bool:
        """Whether events are taken in batches.

        Not in memory: there each event is acknowledged when its handler has succeeded, and one
        answer for many would come too late.
        """
        return self.batches and not self.inbox_in_memory
