"""Messages that wait for a receiver while the broker keeps them as well.

After a reconnection the broker delivers such a message again, though the first copy still waits.
That is the same packet, and is put in once; the new delivery is the one that is acknowledged.
"""

from gwproactor.links.received_message import ReceivedMessage


class HeldPackets:
    """Of the messages not dealt with, those that the broker keeps, by link and packet id."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, int], ReceivedMessage] = {}

    def __len__(self) -> int:
        """How many there are."""
        return len(self._held)

    def waits_already(self, received: ReceivedMessage) -> bool:
        """Whether it came before and is not dealt with yet; if not, remember it."""
        if not received.holds_broker:
            return False
        first = self._held.get(_key(received))
        if first is not None and first.stands_for(received):
            return True
        self._held[_key(received)] = received
        return False

    def done(self, received: ReceivedMessage) -> None:
        """It is dealt with: forget it, and let the broker do so too."""
        if self._held.get(_key(received)) is received:
            del self._held[_key(received)]
        received.done()


def _key(received: ReceivedMessage) -> tuple[str, int]:
    return received.link_name, received.packet.packet_id
