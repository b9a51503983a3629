"""The buffer between the socket and the link."""

import asyncio
from collections.abc import Sequence

import pytest

from gwproactor.links.mqtt import packet_buffer
from gwproactor.links.mqtt.packet_buffer import PacketBuffer
from gwproactor.links.transport import ReceivedPacket


def packet(payload: bytes = b"") -> ReceivedPacket:
    return ReceivedPacket("topic", payload)


class Reader:
    """Reads a buffer in a task."""

    def __init__(self, buffer: PacketBuffer) -> None:
        self.taken: list[list[bytes]] = []
        self.task = asyncio.create_task(buffer.read(self._take))

    def _take(self, packets: Sequence[ReceivedPacket]) -> None:
        self.taken.append([packet.payload for packet in packets])


async def test_what_waits_is_taken_at_once() -> None:
    buffer = PacketBuffer()
    buffer.put(packet(b"1"))
    buffer.put(packet(b"2"))
    buffer.close()
    reader = Reader(buffer)
    await reader.task
    assert reader.taken == [[b"1", b"2"]]


async def test_what_comes_is_handed_over_without_a_turn_of_the_loop() -> None:
    buffer = PacketBuffer()
    reader = Reader(buffer)
    await asyncio.sleep(0)
    assert not reader.task.done()
    buffer.put(packet(b"1"))
    buffer.put(packet(b"2"))
    buffer.hand_over()
    assert reader.taken == [[b"1", b"2"]]
    buffer.hand_over()
    buffer.close()
    await reader.task
    assert reader.taken == [[b"1", b"2"]]


async def test_the_end_comes_behind_what_waits() -> None:
    buffer = PacketBuffer()
    reader = Reader(buffer)
    await asyncio.sleep(0)
    buffer.put(packet(b"1"))
    buffer.close()
    buffer.hand_over()
    await reader.task
    assert reader.taken == [[b"1"]]
    await Reader(buffer).task


async def test_cancelling_takes_nothing() -> None:
    buffer = PacketBuffer()
    cancelled = Reader(buffer)
    await asyncio.sleep(0)
    cancelled.task.cancel()
    await asyncio.wait([cancelled.task])
    buffer.put(packet(b"1"))
    buffer.hand_over()
    assert cancelled.taken == []
    buffer.close()
    reader = Reader(buffer)
    await reader.task
    assert reader.taken == [[b"1"]]


async def test_what_the_reader_raises_is_raised_where_it_reads() -> None:
    buffer = PacketBuffer()

    def refuse(_packets: Sequence[ReceivedPacket]) -> None:
        raise KeyError("refused")

    reading = asyncio.create_task(buffer.read(refuse))
    await asyncio.sleep(0)
    buffer.put(packet(b"1"))
    buffer.hand_over()
    buffer.put(packet(b"2"))
    buffer.hand_over()  # nobody takes it any more
    with pytest.raises(KeyError, match="refused"):
        await reading
    with pytest.raises(KeyError, match="refused"):
        await buffer.read(refuse)
    buffer.close()
    await buffer.read(refuse)


@pytest.mark.parametrize(
    ("limit", "value"), [("MAX_WAITING_PACKETS", 2), ("MAX_WAITING_BYTES", 20)]
)
async def test_what_finds_no_room_is_counted(
    monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(packet_buffer, limit, value)
    buffer = PacketBuffer()
    for _ in range(5):
        buffer.put(packet(b"x" * 10))
    assert buffer.dropped == 3
    reader = Reader(buffer)
    await asyncio.sleep(0)
    assert reader.taken == [[b"x" * 10] * 2]
    buffer.put(packet())
    assert buffer.dropped == 3
    buffer.close()
    await reader.task
