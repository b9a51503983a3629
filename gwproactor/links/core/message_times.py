"""When a link last sent and received, and what follows from it: the next ping, and silence.

Pure: told the time in monotonic seconds, always by the caller.

Two rules, and a third that keeps them finite:

- After `poll_seconds` without sending, or without receiving, a ping goes out. The first tells the
  peer that we are there, the second asks whether the peer is.
- When nothing valid has come for `poll_seconds` and one ack timeout, the peer counts as silent:
  the ping had its time to be answered, and was not. It does not matter what we sent meanwhile.
- A ping that was sent because nothing comes counts as an answer to that question for another
  `poll_seconds`, so a silent peer is asked once in that time and no more often.
"""

from dataclasses import dataclass
from typing import Final

BEFORE_ALL_TIME: Final = float("-inf")


def next_ping_seconds(
    last_send: float, last_recv: float, last_ping: float, poll_seconds: float
) -> float:
    """Return the moment when the next ping is due.

    Args:
        last_send: When anything was sent last.
        last_recv: When anything valid was received last.
        last_ping: When a ping was sent last.
        poll_seconds: How long sending and receiving may each rest.
    """
    return min(last_send, max(last_recv, last_ping)) + poll_seconds


@dataclass(slots=True)
class LinkTimes:
    """The times of one link.

    Args:
        poll_seconds: How long sending and receiving may each rest before a ping goes out.
        ack_timeout_seconds: How long the peer may take to answer it.
        last_send: When anything was sent last.
        last_recv: When anything valid was received last.
        last_ping: When a ping was sent last.
    """

    poll_seconds: float
    ack_timeout_seconds: float
    last_send: float = BEFORE_ALL_TIME
    last_recv: float = BEFORE_ALL_TIME
    last_ping: float = BEFORE_ALL_TIME

    @property
    def silence_seconds(self) -> float:
        """How long nothing valid may come before the peer counts as silent."""
        return self.poll_seconds + self.ack_timeout_seconds

    def sent_ping(self, now: float) -> None:
        """Take note of a ping that goes out."""
        self.last_send = self.last_ping = now

    def ping_at(self) -> float:
        """Return the moment when the next ping is due."""
        return next_ping_seconds(self.last_send, self.last_recv, self.last_ping, self.poll_seconds)

    def silence_at(self) -> float:
        """Return the moment when the peer counts as silent unless something comes before."""
        return self.last_recv + self.silence_seconds
