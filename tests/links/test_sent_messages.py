"""From the core's word to who waits for an ack."""

import asyncio

import pytest

from gwproactor.errors import AckTimeoutError, ConnectionLostError
from gwproactor.links.sent_messages import SentMessages


async def test_each_outcome_reaches_who_waits() -> None:
    sent = SentMessages("link")
    messages = {name: sent.add(name) for name in ("acked", "expired", "cancelled")}
    waiting = [asyncio.create_task(message.acked()) for message in messages.values()]
    await asyncio.sleep(0)
    sent.acked("acked")
    sent.expired("expired")
    sent.cancelled("cancelled")
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert results[0] is None
    assert isinstance(results[1], AckTimeoutError)
    assert isinstance(results[2], ConnectionLostError)
    assert not sent._waiting


async def test_the_outcome_can_be_asked_for_later() -> None:
    sent = SentMessages("link")
    message = sent.add("id")
    sent.expired("id")
    for _ in range(2):
        with pytest.raises(AckTimeoutError):
            await message.acked()


async def test_what_is_not_known_is_ignored() -> None:
    sent = SentMessages("link")
    sent.acked("id")
    sent.expired("id")
    sent.cancelled("id")


async def test_cancelling_one_who_waits_leaves_the_others() -> None:
    sent = SentMessages("link")
    message = sent.add("id")
    waiting = [asyncio.create_task(message.acked()) for _ in range(2)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.wait(waiting[:1])
    sent.acked("id")
    await waiting[1]
