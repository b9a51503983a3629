"""The buffer between the socket and the link."""

import asyncio

import pytest

from gwproactor.links.mqtt import packet_buffer
from gwproactor.links.mqtt.packet_buffer import PacketBuffer
from gwproactor.links.transport import ReceivedPacket


def packet(payload: bytes = b"") -> ReceivedPacket:
    return ReceivedPacket("topic", payload)


async def test_everything_is_taken_at_once() -> None:
    buffer = PacketBuffer()
    buffer.put(packet(b"1"))
    buffer.put(packet(b"2"))
    assert await buffer.take() == [packet(b"1"), packet(b"2")]


async def test_taking_waits() -> None:
    buffer = PacketBuffer()
    taking = asyncio.create_task(buffer.take())
    await asyncio.sleep(0)
    assert not taking.done()
    buffer.put(packet())
    buffer.put(packet())
    assert len(await taking) == 2


async def test_the_end_comes_behind_what_waits() -> None:
    buffer = PacketBuffer()
    buffer.put(packet())
    buffer.close()
    assert len(await buffer.take()) == 1
    assert await buffer.take() == []
    assert await buffer.take() == []


async def test_the_end_wakes_the_reader() -> None:
    buffer = PacketBuffer()
    taking = asyncio.create_task(buffer.take())
    await asyncio.sleep(0)
    buffer.close()
    assert await taking == []


async def test_cancelling_takes_nothing() -> None:
    buffer = PacketBuffer()
    taking = asyncio.create_task(buffer.take())
    await asyncio.sleep(0)
    taking.cancel()
    buffer.put(packet())
    await asyncio.wait([taking])
    assert taking.cancelled()
    assert len(await buffer.take()) == 1


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
    assert len(await buffer.take()) == 2
    buffer.put(packet())
    assert buffer.dropped == 3
