"""The messages of QoS 1 and 2 that the MQTT package holds until the broker has taken them.

It keeps them in a dictionary by packet id, from `publish` to the last acknowledgement, those that
wait for their turn as well as those under way. Written to the socket is therefore not gone from
memory. `HeldMessages` takes the place of that dictionary and knows what its messages weigh.
"""

from collections import OrderedDict
from typing import Protocol, TypeVar


class HeldMessage(Protocol):
    """What matters of a message here."""

    @property
    def payload(self) -> bytes | bytearray:
        """What is published."""
        ...

    @property
    def topic(self) -> str:
        """The topic that it is published on."""
        ...


M = TypeVar("M", bound=HeldMessage)


class HeldMessages(OrderedDict[int, M]):
    """Messages by packet id, in order, and how many bytes they are together. For the loop only."""

    def __init__(self) -> None:
        super().__init__()
        self.held_bytes = 0
        """The bytes of all payloads, and one for each character of a topic."""

    def __setitem__(self, packet_id: int, message: M) -> None:
        if packet_id in self:
            self.held_bytes -= _bytes_of(self[packet_id])
        super().__setitem__(packet_id, message)
        self.held_bytes += _bytes_of(message)

    def __delitem__(self, packet_id: int) -> None:
        self.held_bytes -= _bytes_of(self[packet_id])
        super().__delitem__(packet_id)

    def pop(self, packet_id: int) -> M:  # type: ignore[override] # nobody gives a default
        """Take a message out.

        Raises:
            KeyError: There is none of that id.
        """
        message = self[packet_id]
        del self[packet_id]
        return message

    def popitem(self, last: bool = True) -> tuple[int, M]:
        """Take out the newest message, or the oldest.

        Raises:
            KeyError: There is none.
        """
        for packet_id in reversed(self) if last else iter(self):
            return packet_id, self.pop(packet_id)
        raise KeyError("no message is held")

    def clear(self) -> None:
        """Take out all messages."""
        super().clear()
        self.held_bytes = 0


def _bytes_of(message: HeldMessage) -> int:
    return len(message.topic) + len(message.payload)
