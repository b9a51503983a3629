"""The times of last sending and receiving as a program sees them, with a clock of their own.

A thin shell around `core.message_times`: `LinkMessageTimes` is a snapshot of one link,
`MessageTimes` a table of them by the link's name. Times are monotonic seconds, so that a step of
the wall clock moves nothing.
"""

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from gwproactor.links.core.message_times import BEFORE_ALL_TIME, next_ping_seconds

DEFAULT_LINK_POLL_SECONDS: Final = 60.0
"""Seconds without sending or receiving until a ping: the wire format's default."""

IMPORT_TIME_SECONDS: Final = time.monotonic()
"""What relative times count from: a short number is easier to read than the machine's uptime."""


@dataclass
class LinkMessageTimes:
    """When one link last sent and received.

    Args:
        last_send: When anything was sent last, monotonic seconds.
        last_recv: When anything valid was received last.
        last_ping: When a ping was sent last.
        clock: What tells the present moment on the same scale.
    """

    last_send: float = field(default_factory=time.monotonic)
    last_recv: float = field(default_factory=time.monotonic)
    last_ping: float = field(default=BEFORE_ALL_TIME, kw_only=True)
    clock: Callable[[], float] = field(
        default=time.monotonic, kw_only=True, repr=False, compare=False
    )

    def next_ping_second(self, link_poll_seconds: float) -> float:
        """Return the moment when the next ping is due, monotonic seconds."""
        return next_ping_seconds(self.last_send, self.last_recv, self.last_ping, link_poll_seconds)

    def seconds_until_next_ping(self, link_poll_seconds: float) -> float:
        """Return the seconds from now until the next ping; below zero when it is overdue."""
        return self.next_ping_second(link_poll_seconds) - self.clock()

    def time_to_send_ping(self, link_poll_seconds: float) -> bool:
        """Tell whether a ping is due."""
        return self.seconds_until_next_ping(link_poll_seconds) <= 0

    def get_str(
        self, link_poll_seconds: float = DEFAULT_LINK_POLL_SECONDS, relative: bool = True
    ) -> str:
        """Return the times as one line for a log.

        Args:
            link_poll_seconds: The link's poll seconds.
            relative: Count from the import of this module, not from the clock's zero.
        """
        zero = IMPORT_TIME_SECONDS if relative else 0.0
        return (
            f"now {self.clock() - zero:.2f}  poll {link_poll_seconds:.2f}"
            f"  sent {self.last_send - zero:.2f}  received {self.last_recv - zero:.2f}"
            f"  next ping {self.next_ping_second(link_poll_seconds) - zero:.2f}"
            f" (in {self.seconds_until_next_ping(link_poll_seconds):.2f} s)"
        )

    def __str__(self) -> str:
        return self.get_str()


class MessageTimes:
    """The times of any number of links, by name. Belongs to the loop's thread.

    Args:
        clock: What tells the present moment in seconds, never going back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._links: dict[str, LinkMessageTimes] = {}

    def add_link(self, name: str) -> None:
        """Begin a link's times at this moment."""
        now = self._clock()
        self._links[name] = LinkMessageTimes(now, now, clock=self._clock)

    def get_copy(self, link_name: str) -> LinkMessageTimes:
        """Return a snapshot of a link's times.

        Raises:
            KeyError: There is no link of that name.
        """
        return dataclasses.replace(self._links[link_name])

    def link_names(self) -> list[str]:
        """Return the names of all links, in the order in which they were added."""
        return list(self._links)

    def update_send(self, link_name: str, now: float | None = None) -> None:
        """Take note that something was sent, at `now` or this moment."""
        self._links[link_name].last_send = self._clock() if now is None else now

    def update_recv(self, link_name: str, now: float | None = None) -> None:
        """Take note that something valid was received, at `now` or this moment."""
        self._links[link_name].last_recv = self._clock() if now is None else now
