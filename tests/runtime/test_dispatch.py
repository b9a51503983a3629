import asyncio
import logging
from typing import Any

import pytest

from gwproactor.runtime.dispatch import Dispatch
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import AnyEvent, Ping
from gwproactor_test.clients import until


class Desk:
    """A Dispatch with notes of everything it does."""

    def __init__(self, max_messages: int = 3) -> None:
        self.handled: list[str] = []
        self.events: list[tuple[str, str, bytes, bool]] = []
        self.acknowledged: list[tuple[str, str]] = []
        self.reports: list[tuple[str, str]] = []
        self.dispatch = Dispatch(
            self.handle,
            max_messages=max_messages,
            receive_event=lambda *event: self.events.append(event),
            acknowledge=lambda *message: self.acknowledged.append(message),
            report=lambda *report: self.reports.append(report),
        )

    async def handle(self, message: Message[Any]) -> None:
        self.handled.append(message.Header.MessageId)


def message(message_id: str, *, ack_required: bool = True) -> Message[Any]:
    """One that is neither ack, ping nor event; a ping's payload under another name will do."""
    found = Message[Any](Src="a.b", Payload=Ping(MessageId=message_id), AckRequired=ack_required)
    return found.model_copy(
        update={"Header": found.Header.model_copy(update={"MessageType": "some.type"})}
    )


@pytest.mark.parametrize("wants_ack", [True, False])
async def test_an_event_goes_to_the_inbox_and_is_not_acknowledged_here(wants_ack: bool) -> None:
    desk = Desk()
    event = AnyEvent(MessageId="e", n=1)
    desk.dispatch.take("link", Message[Any](Src="a.b", Payload=event, AckRequired=wants_ack))
    ((link, event_id, payload, ack_required),) = desk.events
    assert (link, event_id, ack_required) == ("link", "e", wants_ack)
    assert AnyEvent.model_validate_json(payload) == event
    assert desk.acknowledged == []


async def test_messages_are_acknowledged_when_taken_and_handled_in_order() -> None:
    desk = Desk()
    desk.dispatch.take("link", message("1"))
    desk.dispatch.take("link", message("2", ack_required=False))
    desk.dispatch.take("link", message("3"))
    assert desk.acknowledged == [("link", "1"), ("link", "3")]
    running = asyncio.create_task(desk.dispatch.run())
    await until(lambda: desk.handled == ["1", "2", "3"])
    running.cancel()
    await asyncio.wait([running])


async def test_a_full_mailbox_drops_unacknowledged_and_tells_once() -> None:
    desk = Desk(max_messages=2)
    for number in range(1000):
        desk.dispatch.take("link", message(str(number)))
    assert desk.acknowledged == [("link", "0"), ("link", "1")]
    ((summary, details),) = desk.reports
    assert "mailbox is full" in summary
    assert details == "link"


async def test_a_handler_that_raises_is_reported_and_the_next_message_comes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = Desk(max_messages=100)

    async def fail(message: Message[Any]) -> None:
        desk.handled.append(message.Header.MessageId)
        if message.Header.MessageId != "99":
            raise ValueError("cannot")

    desk.dispatch.handler = fail
    for number in range(100):
        desk.dispatch.take("link", message(str(number)))
    with caplog.at_level(logging.CRITICAL, "gwproactor"):
        running = asyncio.create_task(desk.dispatch.run())
        await until(lambda: desk.handled[-1:] == ["99"])
        running.cancel()
        await asyncio.wait([running])
    ((summary, details),) = desk.reports
    assert "some.type" in summary
    assert "ValueError('cannot')" in details
