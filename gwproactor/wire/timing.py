"""How patient two peers are with each other, where nobody says otherwise.

The numbers belong to the wire: each end goes by them without being told by the other.
"""

import math
from typing import Final

from gwproactor.errors import UsageError

DEFAULT_ACK_TIMEOUT_SECONDS: Final = 5.0
"""How long a peer may take to acknowledge."""

DEFAULT_POLL_SECONDS: Final = 60.0
"""After so long without sending, or without receiving, a ping goes out."""

SHORTEST_SECONDS: Final = 0.001
"""Shortest of both that is taken: below a network's round trip a link could never be active."""


def checked_timeout(timeout_seconds: object) -> float | None:
    """Return how long to wait, zero or more; None for as long as it takes.

    What is below zero counts as zero: a caller whose deadline has passed wants what is there by
    now, and gets it, or TimeoutError at the next moment at which it would have to wait.

    Raises:
        UsageError: It is no number of seconds. A NaN, for one, compares with nothing, and an event
            loop with a timer of it stands still.
    """
    if timeout_seconds is None:
        return None
    if (
        isinstance(timeout_seconds, bool)
        or not isinstance(timeout_seconds, int | float)
        or math.isnan(timeout_seconds)
    ):
        raise UsageError(f"timeout_seconds is {timeout_seconds!r}; it is a number, or None")
    return max(0.0, timeout_seconds) if timeout_seconds < math.inf else None
