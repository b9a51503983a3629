"""Where a received message goes: an event into the inbox, any other into the mailbox.

The mailbox is emptied one message at a time by the application's handler. It is bounded: a message
of QoS 0 that finds no room is dropped without an acknowledgement, so that its sender knows. Of
those of QoS 1 and 2 only so many can be under way (Receive Maximum), so they are always taken, and
the broker keeps each until the handler has succeeded with it. One that the handler fails with comes
again after a while, without holding up the others; after too many tries it is reported and let
go. What the broker delivers again after a reconnection, while it still waits here, is not put in a
second time.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from gwproactor.links.received_message import ReceivedMessage
from gwproactor.links.reports import ReportRate
from gwproactor.runtime.tracebacks import traceback_text
from gwproactor.runtime.waiting import is_being_cancelled
from gwproactor.wire.payloads import is_event_type

logger = logging.getLogger(__name__)

ReceivedHandler = Callable[[ReceivedMessage], Awaitable[None]]

FIRST_RETRY_SECONDS = 1.0
"""A handler that failed is given a moment in which what it needs may come back."""

LONGEST_RETRY_SECONDS = 60.0
"""And is asked once a minute at least, up to the number of tries."""


class Dispatch:
    """Sorts received messages and runs the mailbox. For the event loop's thread.

    Args:
        handler: Is given each message of the mailbox; may be replaced at any time.
        max_messages: So many may wait in the mailbox.
        max_tries: So often a message of QoS 1 or 2 is given to a handler that fails with it.
        receive_event: Takes in an event: link's name, id, its JSON, whether it wants an ack, and
            what is to be called when it is safe.
        acknowledge: Acknowledges a message: link's name, id.
        report: Called with summary and details when something is wrong.
    """

    def __init__(
        self,
        handler: ReceivedHandler,
        *,
        max_messages: int,
        max_tries: int,
        receive_event: Callable[[str, str, bytes, bool, Callable[[], None]], None],
        acknowledge: Callable[[str, str], None],
        report: Callable[[str, str], None],
    ) -> None:
        self.handler = handler
        self._max_messages = max_messages
        self._max_tries = max_tries
        self._mailbox: asyncio.Queue[tuple[ReceivedMessage, int]] = asyncio.Queue()
        self._held: dict[tuple[str, int], ReceivedMessage] = {}
        """Of the messages not dealt with, those that the broker keeps, by link and packet id."""
        self._later: set[asyncio.TimerHandle] = set()
        self._receive_event = receive_event
        self._acknowledge = acknowledge
        self._report = report
        self._rate = ReportRate()

    def take(self, received: ReceivedMessage) -> None:
        """Take a message in; it is acknowledged once it is safe or in the mailbox.

        Args:
            received: Valid, and neither ack nor ping.
        """
        header, link_name = received.message.Header, received.link_name
        if is_event_type(header.MessageType):
            payload = received.message.Payload.model_dump_json().encode()
            wants_ack = received.wants_ack
            self._receive_event(link_name, header.MessageId, payload, wants_ack, received.done)
        elif self._mailbox.qsize() >= self._max_messages and not received.holds_broker:
            self._report_often("The mailbox is full: messages are dropped un-acked", link_name)
        else:
            if not self._waits_already(received):
                self._mailbox.put_nowait((received, 1))
            if received.wants_ack:
                self._acknowledge(link_name, header.MessageId)

    def _waits_already(self, received: ReceivedMessage) -> bool:
        """Whether it came before and is not dealt with yet; if not, remember it."""
        if not received.holds_broker:
            return False
        first = self._held.get(_key(received))
        if first is not None and first.stands_for(received):
            return True
        self._held[_key(received)] = received
        return False

    def _done(self, received: ReceivedMessage) -> None:
        if self._held.get(_key(received)) is received:
            del self._held[_key(received)]
        received.done()

    async def run(self) -> None:
        """Hand the messages of the mailbox to the handler, until cancelled."""
        try:
            while True:
                received, tries = await self._mailbox.get()
                if received.expired(time.monotonic()):
                    summary = f"A {received.message.Header.MessageType} expired in the mailbox"
                    self._report_often(summary, received.link_name)
                    self._done(received)
                else:
                    await self._handle(received, tries)
        finally:
            for timer in self._later:
                timer.cancel()

    async def _handle(self, received: ReceivedMessage, tries: int) -> None:
        try:
            await self.handler(received)
        except (Exception, asyncio.CancelledError) as error:
            if is_being_cancelled():
                raise
            logger.exception("the handler of messages failed")
            self._failed(received, tries, error)
        else:
            self._done(received)

    def _failed(self, received: ReceivedMessage, tries: int, error: BaseException) -> None:
        summary = f"The handler failed with a {received.message.Header.MessageType}"
        self._report_often(summary, traceback_text(error))
        if not received.holds_broker:
            return
        if tries >= self._max_tries:
            self._report(f"{summary} {tries} times; it is let go", traceback_text(error))
            self._done(received)
            return
        seconds = min(FIRST_RETRY_SECONDS * 2 ** (tries - 1), LONGEST_RETRY_SECONDS)
        self._again_in(seconds, received, tries + 1)

    def _again_in(self, seconds: float, received: ReceivedMessage, tries: int) -> None:
        def again() -> None:
            self._later.discard(timer)
            self._mailbox.put_nowait((received, tries))

        timer = asyncio.get_running_loop().call_later(seconds, again)
        self._later.add(timer)

    def _report_often(self, summary: str, details: str) -> None:
        """Report a problem that may come thousands of times, at a bounded rate."""
        unreported = self._rate.again(time.monotonic(), summary)
        if unreported is not None:
            again = f" ({unreported} times more since the last report)" if unreported else ""
            self._report(summary, details + again)


def _key(received: ReceivedMessage) -> tuple[str, int]:
    return received.link_name, received.packet.packet_id
