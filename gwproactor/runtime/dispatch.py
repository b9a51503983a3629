"""Where a received message goes: an event into the inbox, any other into the mailbox.

The mailbox is emptied one message at a time by the application's handler. It is bounded: a message
that finds no room is dropped without an acknowledgement, so that its sender knows.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from gwproactor.links.reports import ReportRate
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import is_event_type

logger = logging.getLogger(__name__)

MessageHandler = Callable[[Message[Any]], Awaitable[None]]


class Dispatch:
    """Sorts received messages and runs the mailbox. For the event loop's thread.

    Args:
        handler: Is given each message of the mailbox; may be replaced at any time.
        max_messages: So many may wait in the mailbox.
        receive_event: Takes in an event: link's name, id, its JSON, whether it wants an ack.
        acknowledge: Acknowledges a message: link's name, id.
        report: Called with summary and details when something is wrong.
    """

    def __init__(
        self,
        handler: MessageHandler,
        *,
        max_messages: int,
        receive_event: Callable[[str, str, bytes, bool], None],
        acknowledge: Callable[[str, str], None],
        report: Callable[[str, str], None],
    ) -> None:
        self.handler = handler
        self._mailbox: asyncio.Queue[Message[Any]] = asyncio.Queue(max_messages)
        self._receive_event = receive_event
        self._acknowledge = acknowledge
        self._report = report
        self._rate = ReportRate()

    def take(self, link_name: str, message: Message[Any]) -> None:
        """Take a message in; it is acknowledged once it is safe or in the mailbox.

        Args:
            link_name: The link it came over.
            message: Valid, and neither ack nor ping.
        """
        header = message.Header
        if is_event_type(header.MessageType):
            payload = message.Payload.model_dump_json().encode()
            self._receive_event(link_name, header.MessageId, payload, header.AckRequired)
        elif self._mailbox.full():
            self._report_often("The mailbox is full: messages are dropped un-acked", link_name)
        else:
            self._mailbox.put_nowait(message)
            if header.AckRequired:
                self._acknowledge(link_name, header.MessageId)

    async def run(self) -> None:
        """Hand the messages of the mailbox to the handler, until cancelled."""
        while True:
            message = await self._mailbox.get()
            try:
                await self.handler(message)
            except Exception as error:
                logger.exception("the handler of messages failed")
                summary = f"The handler failed with a {message.Header.MessageType}"
                self._report_often(summary, repr(error))

    def _report_often(self, summary: str, details: str) -> None:
        """Report a problem that may come thousands of times, at a bounded rate."""
        unreported = self._rate.again(time.monotonic(), summary)
        if unreported is not None:
            again = f" ({unreported} times more since the last report)" if unreported else ""
            self._report(summary, details + again)
