"""Where a message goes that is sent within a node: to an actor, the proactor, or over a link.

A message is addressed by the name in its header's `Dst`. Who it is from does not matter: a link, an
actor, a thread. Threads hand theirs in by bounded queues, whose items the loop sends on in order:
a thread that waits for room by queues of its own, one for each receiver; who never waits by a
common one. An order to the proactor, an event or a problem waits for nobody's room, and so behind
no data; what is for the watchdog goes to it from the thread's own hands.
"""

import asyncio
import contextlib
import time
from collections.abc import Hashable
from typing import Any, Protocol

from result import Err

from gwproactor.actors.queues import SyncAsyncQueue, ThreadEnd
from gwproactor.actors.thread_queues import MESSAGES_IN_A_TURN, ThreadQueues
from gwproactor.errors import MailboxFullError, NotRunningError, TaskDiedError, UsageError
from gwproactor.links.core.reports import ReportRate
from gwproactor.links.link import Link
from gwproactor.links.manager.link_manager import LinkManager
from gwproactor.links.received_message import ReceivedMessage
from gwproactor.message import KnownNames, Shutdown
from gwproactor.runtime.communicators import Communicators
from gwproactor.runtime.home_loop import HomeLoop
from gwproactor.runtime.mailbox import Mailbox, type_of
from gwproactor.runtime.names import checked_message, is_message
from gwproactor.runtime.unknown_receivers import UnknownReceivers
from gwproactor.runtime.watchdog import WatchdogManager
from gwproactor.texts import in_words, traceback_text
from gwproactor.waiting import Progress
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import EventBase, ProblemEvent, is_event_type

SHUTDOWN = Shutdown().TypeName


class Principal(Protocol):
    """Whose post it is: the proactor, as far as messages give it orders."""

    def post_event(self, event: EventBase) -> object:
        """Hand in an event."""
        ...

    def report_problem(self, summary: str, details: str = "", is_error: bool = True) -> None:
        """Report a problem."""
        ...

    def tell_problem(self, event: ProblemEvent) -> None:
        """Report a problem that is an event already."""
        ...

    def stop(self, reason: str = ...) -> None:
        """Stop in good order."""
        ...

    def fail(self, error: BaseException, details: str = "") -> None:
        """Stop in good order, with an error."""
        ...


class PostOffice:
    """Sends messages on. For the event loop's thread, but for `queue` and what a `QueueHost` has.

    Args:
        own_name: This node's long name.
        home: The loop to send on.
        principal: The proactor.
        own_mailbox: Where messages go that are for the proactor.
        communicators: Who else there is.
        links: And which links.
        watchdog: Takes pats.
        max_messages: So many may wait in the queue of the threads.
    """

    def __init__(
        self,
        own_name: str,
        home: HomeLoop,
        principal: Principal,
        own_mailbox: Mailbox,
        communicators: Communicators,
        links: LinkManager,
        watchdog: WatchdogManager,
        *,
        max_messages: int,
    ) -> None:
        self._own_name = own_name
        self._principal = principal
        self._own_mailbox = own_mailbox
        self._communicators = communicators
        self._links = links
        self._watchdog = watchdog
        self._home = home
        self._rate = ReportRate()
        self._own_names = ("", own_name, KnownNames.proactor)
        self._unknown = UnknownReceivers(self._own_names, principal.report_problem)
        self.queue: SyncAsyncQueue[Message[Any]] = SyncAsyncQueue(max_messages)
        """The messages of threads that do not wait for their receivers."""
        self._own_queues = ThreadQueues(self._send_when_there_is_room, max_messages)
        self.queue.loop_end.host = self
        self._progress = Progress()
        self.left_count = 0
        """How many messages of threads came too late to be sent on before the stop."""

    def mailbox_of(self, received: ReceivedMessage) -> Mailbox:
        """The mailbox of the actor that a peer's message names, or else the proactor's own."""
        found = self._communicators.mailbox(received.message.Header.Dst)
        if found is not None:
            return found
        if received.link_name in self._links:
            link = self._links[received.link_name]
            self._unknown.note(received, link.settings, self._actor_names())
        return self._own_mailbox

    def send(self, message: Message[Any]) -> None:
        """Send a message; see `Proactor.send`."""
        self._home.check("send", "send_threadsafe")
        receiver = checked_message(message).Header.Dst
        mailbox = self._communicators.mailbox(receiver)
        if mailbox is not None:
            self._put(mailbox, message)
        elif receiver in self._own_names:
            self._take(message)
        elif receiver == KnownNames.watchdog_manager:
            self._pat(message)
        else:
            self._publish(self._link_to(receiver), message)

    def mailbox_to_wait_for(self, message: Message[Any]) -> Mailbox | None:
        """The mailbox for which a message is; see `Proactor.await_processing`."""
        mailbox = self._mailbox_for(checked_message(message))
        if mailbox is not None:
            self._links.stats.add_message(message)
        return mailbox

    def open_queue(self, loop: asyncio.AbstractEventLoop) -> ThreadEnd[Any]:
        """One more queue for a thread; see `QueueHost`."""
        return self._own_queues.open(loop)

    def hear(self, item: Any) -> bool:
        """Take in a sign of life, which goes to the watchdog at once; see `QueueHost`.

        What the watchdog has to say against one, the loop reports, where it is sent as any message.
        """
        message = checked_message(item)
        if message.Header.Dst != KnownNames.watchdog_manager:
            return False
        return not self.queue.closed and self._watchdog.process_message(message).is_ok()

    def receiver_of(self, item: Any) -> Hashable:
        """The mailbox that a message would wait for; see `QueueHost`."""
        return self._mailbox_for(item)

    async def run(self) -> None:
        """Send on what threads hand in, until the queue is closed and empty."""
        count = 0
        self._progress.start()
        try:
            async for message in self.queue.loop_end:
                self._progress.took_one()
                self._send_on(message)
                self._progress.is_done_with_it()
                count += 1
                if count % MESSAGES_IN_A_TURN == 0:
                    await asyncio.sleep(0)
        finally:
            self._progress.stop()

    async def sent_on(self) -> None:
        """Wait until what threads have written before now is sent on. Cancelling is safe."""
        await self._own_queues.sent_on()
        await self._progress.through(len(self.queue))

    def close(self) -> None:
        """Take nothing more from threads; what was taken is still sent on."""
        self.queue.close()
        self._own_queues.close()

    async def settle(self, timeout_seconds: float) -> None:
        """Wait, after `close`, until what waits is sent on, and report what is not."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._progress.through(len(self.queue))
                await self._own_queues.sent_on()
        self.left_count += await self._own_queues.settle(0) + len(self.queue)
        if self.left_count:
            summary = f"{self.left_count} messages of threads were not sent"
            self._principal.report_problem(summary, "their receivers had no room, or had stopped")

    async def _send_when_there_is_room(self, message: Message[Any]) -> None:
        mailbox = self._mailbox_for(message)
        if mailbox is not None:
            await mailbox.room()
        self._send_on(message)

    def _mailbox_for(self, message: Message[Any]) -> Mailbox | None:
        """The mailbox that `send` would put it into; None where it goes into none."""
        mailbox = self._communicators.mailbox(message.Header.Dst)
        if mailbox is not None or message.Header.Dst not in self._own_names:
            return mailbox
        type_name = message.Header.MessageType
        return None if type_name == SHUTDOWN or is_event_type(type_name) else self._own_mailbox

    def _send_on(self, message: Message[Any]) -> None:
        try:
            self.send(message)
        except MailboxFullError:
            pass  # the mailbox has counted and reported it
        except NotRunningError:
            self.left_count += 1  # `settle` reports it
        except Exception as error:  # noqa: BLE001 - it is reported
            self._report(message, error)

    def _report(self, item: Any, error: Exception) -> None:
        """Report what a thread wrote that could not be sent on, at a bounded rate."""
        what = type_of(item) if is_message(item) else type(item).__name__
        summary = f"A {what} of a thread was not sent: {in_words(error)}"
        told = self._rate.told(time.monotonic(), summary, traceback_text(error))
        if told is not None:
            self._principal.report_problem(summary, told)

    def _put(self, mailbox: Mailbox, message: Message[Any]) -> None:
        mailbox.put(message)
        self._links.stats.add_message(message)

    def _take(self, message: Message[Any]) -> None:
        """Deal with a message to the proactor: an order, an event, or one of the application."""
        payload: Any = message.Payload
        if message.Header.MessageType == SHUTDOWN:
            self._stop(payload, message.Header.Src)
        elif isinstance(payload, ProblemEvent):
            self._principal.tell_problem(payload)
        elif is_event_type(message.Header.MessageType):
            self._principal.post_event(payload)
        else:
            self._put(self._own_mailbox, message)

    def _stop(self, order: Any, sender: str) -> None:
        """Stop the proactor; the first line of the reason is the error's, where there is one."""
        if not isinstance(getattr(order, "Reason", None), str):
            raise UsageError(f"a {SHUTDOWN} has a Reason, a text; {type(order).__name__} has none")
        if getattr(order, "Failed", False):
            summary, _, details = order.Reason.partition("\n")
            self._principal.fail(TaskDiedError(summary), details)
        else:
            self._principal.stop(order.Reason or f"'{sender}' asked for it")

    def _actor_names(self) -> str:
        return ", ".join(sorted(each.name for each in self._communicators)) or "none"

    def _pat(self, message: Message[Any]) -> None:
        match self._watchdog.process_message(message):
            case Err(error):
                raise error

    def _link_to(self, receiver: str) -> Link:
        if receiver in self._links:
            return self._links[receiver]
        names_of = {
            link: (link.settings.peer_name, link.settings.peer_short_name) for link in self._links
        }
        found = [link for link, names in names_of.items() if receiver in names]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(sorted(link.name for link in found))
            raise UsageError(
                f"several links lead to '{receiver}': {names}; give one of these names"
            )
        names = ", ".join(sorted({each.name for each in (*self._communicators, *self._links)}))
        raise UsageError(
            f"nobody here is named '{receiver}', and no link or peer; names: {names or 'none'}"
        )

    def _publish(self, link: Link, message: Message[Any]) -> None:
        """Send it to the link's peer; there the node speaks, whoever of it has sent the message."""
        names = {"Src": self._own_name, "Dst": link.settings.peer_short_name}
        header = message.Header.model_copy(update=names)
        link.publish(message.model_copy(update={"Header": header}))
