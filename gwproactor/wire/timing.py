"""How patient two peers are with each other, where nobody says otherwise.

The numbers belong to the wire: each end goes by them without being told by the other.
"""

from typing import Final

DEFAULT_ACK_TIMEOUT_SECONDS: Final = 5.0
"""How long a peer may take to acknowledge."""

DEFAULT_POLL_SECONDS: Final = 60.0
"""After so long without sending, or without receiving, a ping goes out."""

SHORTEST_SECONDS: Final = 0.001
"""Shortest of both that is taken: below a network's round trip a link could never be active."""
