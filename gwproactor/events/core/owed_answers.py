"""Who is to be told when a received event is safe: its sender, a batch, the broker. Pure.

An event may come several times before it is safe: by itself, in a batch, twice in one batch, and
again over a later connection. The *latest* batch answers for it, with each of the places at which
it stands there, for its sender has given up the earlier one; and the broker is held by the latest
copy, for the earlier ones are the same packet.
"""

from collections.abc import Callable
from typing import NamedTuple

from gwproactor.events.core.batch_receipt import BatchReceipt
from gwproactor.events.core.inbox import Key


class _Claim(NamedTuple):
    """The places of one event in a batch."""

    receipt: BatchReceipt
    places: list[int]


class OwedAnswers:
    """What is owed for events that are not safe yet.

    Args:
        acknowledge: Acknowledges an event to its sender: link's name, event's id.
    """

    def __init__(self, acknowledge: Callable[[str, str], None]) -> None:
        self._acknowledge = acknowledge
        self._without_ack: set[Key] = set()
        self._copies: dict[Key, Callable[[], None]] = {}
        self._claims: dict[Key, _Claim] = {}

    def ack_wanted(self, key: Key, *, wanted: bool) -> None:
        """Note whether the sender of an event waits for an ack of its own."""
        if wanted:
            self._without_ack.discard(key)
        else:
            self._without_ack.add(key)

    def hold_copy(self, key: Key, let_go: Callable[[], None]) -> None:
        """Hold the broker by this copy of an event; an earlier one is let go of."""
        earlier = self._copies.pop(key, None)
        self._copies[key] = let_go
        if earlier is not None:
            earlier()

    def holds_copy(self, key: Key) -> bool:
        """Whether the broker is held by a copy of this event."""
        return key in self._copies

    def claim(self, key: Key, receipt: BatchReceipt, place: int) -> None:
        """Let a batch answer for an event; an earlier batch answers that it was refused."""
        claim = self._claims.get(key)
        if claim is not None and claim.receipt is receipt:
            claim.places.append(place)
            return
        self._claims[key] = _Claim(receipt, [place])
        if claim is not None:
            for earlier in claim.places:
                claim.receipt.refused(earlier)

    def let_go(self, key: Key) -> None:
        """An event is safe, or its sender has it still: tell all but the sender."""
        tell = self._copies.pop(key, None)
        if tell is not None:
            tell()
        claim = self._claims.pop(key, None)
        if claim is not None:
            for _ in claim.places:
                claim.receipt.taken()

    def safe(self, key: Key) -> None:
        """An event is safe: tell everybody."""
        self.let_go(key)
        if key in self._without_ack:
            self._without_ack.remove(key)
        else:
            self._acknowledge(*key)
