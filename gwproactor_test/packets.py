"""What comes over a connection, asked for now and then."""

from collections.abc import Sequence

from gwproactor.links.transport import Connection, ReceivedPacket


class _EnoughError(Exception):
    """Ends the reading with the first packets."""

    def __init__(self, packets: Sequence[ReceivedPacket]) -> None:
        super().__init__("they have come")
        self.packets = packets


async def next_packets(connection: Connection) -> Sequence[ReceivedPacket]:
    """Everything that has come since the last call; waits until there is something. Cancel-safe.

    Raises:
        ConnectionLostError: The connection is gone.
    """
    try:
        await connection.read(_enough)
    except _EnoughError as enough:
        return enough.packets


def _enough(packets: Sequence[ReceivedPacket]) -> None:
    raise _EnoughError(packets)
