"""What a proactor does with its actors: adding them, finding them, and sending messages."""

import asyncio
import contextlib
from typing import Any, TypeVar

from result import Err, Ok, Result

from gwproactor.actors.queues import LoopEnd
from gwproactor.errors import NotRunningError, QueueClosedError, UsageError
from gwproactor.interfaces import CommunicatorInterface
from gwproactor.links.manager.link_manager import LinkManager
from gwproactor.message import KnownNames
from gwproactor.runtime.communicators import Communicators
from gwproactor.runtime.home_loop import HomeLoop
from gwproactor.runtime.mailbox import Mailbox
from gwproactor.runtime.names import check_communicator_name, checked_type
from gwproactor.runtime.oversight import Oversight
from gwproactor.runtime.post_office import PostOffice
from gwproactor.wire.envelope import Message

T = TypeVar("T")


class Mail:
    """The part of a proactor that is about actors and messages within the node.

    Everything is for the event loop's thread, but for `send_threadsafe`.
    """

    _name: str
    _communicators: Communicators
    _mailbox: Mailbox
    _post_office: PostOffice
    _links: LinkManager
    _oversight: Oversight
    _home: HomeLoop

    def add_communicator(self, communicator: CommunicatorInterface) -> None:
        """Add an actor, or whatever else has a name that messages can be addressed to.

        A `Runnable` one is started with the proactor, in the order of these calls, and at once
        where that runs already; it is stopped with the proactor, the last one first.

        Raises:
            NotRunningError: The actors are being stopped.
            UsageError: It is no communicator; or there is one of that name, or a link or peer; or
                the name is reserved, or cannot be one level of a topic; or what it lets monitor is
                wrong.
            Exception: What its `start` raises. In each case nothing of it was added.
        """
        self._home.check("add_communicator")
        checked_type(communicator, CommunicatorInterface, "what add_communicator is given")
        links = (link.settings for link in self._links)
        check_communicator_name(communicator.name, self._name, links, self._communicators)
        with contextlib.ExitStack() as undoing:  # all or nothing, so that it can be tried again
            watchdog = self._oversight.watchdog
            for monitored in communicator.monitored_names:
                watchdog.add_monitored_name(monitored)
                undoing.callback(watchdog.remove_monitored_name, monitored.name)
            self._communicators.add(communicator)
            undoing.pop_all()

    def get_communicator(self, name: str) -> CommunicatorInterface | None:
        """The communicator of that name, or None.

        Raises:
            UsageError: A name is a string.
        """
        return self._communicators.get(checked_type(name, str, "a communicator's name"))

    def get_communicator_as_type(self, name: str, type_: type[T]) -> T | None:
        """The communicator of that name, or None.

        Raises:
            UsageError: It is not of that type.
        """
        found = self.get_communicator(name)
        if found is None or isinstance(found, type_):
            return found
        raise UsageError(f"communicator '{name}' is a {type(found).__name__}, no {type_.__name__}")

    def get_communicator_names(self) -> set[str]:
        """The names of all communicators."""
        return {each.name for each in self._communicators}

    def send(self, message: Message[Any]) -> None:
        """Send a message where its `Dst` says.

        That is the name of an actor; of a link, or its peer's long or short name, and then it goes
        over that link, with this node as its sender; or `proactor`, this node's name, or nothing,
        and then it is for the proactor itself: an event is generated, a `Shutdown` stops it, any
        other message comes to `process_message`.

        Raises:
            MailboxFullError: The actor does not keep up; the message was not taken.
            NotRunningError: The proactor has stopped; the message was not taken.
            ConnectionLostError: The link has no connection.
            UsageError: Nobody has that name; or the caller is another thread; or see
                `Link.publish`.
        """
        self._post_office.send(message)

    async def await_processing(self, message: Message[Any]) -> Result[bool, BaseException]:
        """Send a message where its `Dst` says, and wait until this node has dealt with it.

        For who must not be faster than an actor: where its mailbox is full, this waits for room.
        An actor that waits for itself waits for ever; so does `process_message` of the proactor.
        What nobody here has to deal with is sent as by `send`, and nothing is waited for: an event,
        a `Shutdown`, a message over a link. Cancelling is safe; what was put into a mailbox is
        dealt with all the same.

        Returns:
            Ok(True); Err with what the actor failed with, which is not reported then, or with a
            NotRunningError where the proactor stops before it came to the message.

        Raises:
            ConnectionLostError: See `send`.
            UsageError: See `send`.
        """
        mailbox = self._post_office.mailbox_to_wait_for(message)
        if mailbox is None:
            self.send(message)
            return Ok(True)
        try:
            await mailbox.process(message)
        except Exception as error:  # noqa: BLE001 - it is the caller's
            return Err(error)
        return Ok(True)

    def send_threadsafe(self, message: Message[Any]) -> None:
        """The same from any thread. It never waits; messages of a thread keep their order.

        A message that cannot be sent on becomes a problem event. A pat counts at once.

        Raises:
            QueueFullError: The loop does not keep up; the message was not taken.
            NotRunningError: The proactor is not started, or stopped.
        """
        try:
            if self._home.loop is None:
                raise NotRunningError("the proactor does not run: start it before threads send")
            if not self._post_office.hear(message):
                self._post_office.queue.thread_end.put_nowait(message)
        except QueueClosedError:
            raise NotRunningError("the proactor has stopped; the message was not sent") from None

    @property
    def dropped_message_count(self) -> int:
        """How many messages the mailboxes, the proactor's own among them, had no room for."""
        in_mailboxes = self._mailbox.dropped_count + self._communicators.dropped_count
        return in_mailboxes + self._post_office.left_count

    async def process_messages(self) -> None:
        """Send on the messages that threads hand in; the proactor runs this as a task."""
        await self._post_office.run()

    @property
    def async_receive_queue(self) -> LoopEnd[Message[Any]] | None:
        """The queue whose messages are sent on by their `Dst`; None before the start.

        Its `thread_end` is for threads, which wait there while it is full; what then finds its
        receiver's mailbox full is dropped. An `AsyncQueueWriter` waits for the receiver as well.
        """
        return None if self._home.loop is None else self._post_office.queue.loop_end

    @property
    def event_loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop that the proactor runs on; None before the start."""
        return self._home.loop

    @property
    def upstream_client(self) -> str:
        """The name of the upstream link; empty where there is none."""
        return self._links.upstream_client

    @property
    def primary_peer_client(self) -> str:
        """The name of the link to the primary peer; empty where there is none."""
        return self._links.primary_peer_client

    async def _deal_with_mail(self, timeout_seconds: float) -> None:
        """Give what was sent before the stop its time, and what follows from it.

        A message may be passed on from one to the next. So there are as many rounds as there are
        receivers; who writes to each other in circles never comes to an end.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                for _ in (self, *self._communicators):
                    await self._post_office.sent_on()
                    await asyncio.gather(self._mailbox.drained(), self._communicators.drained())

    async def _end_actors(self, timeout_seconds: float) -> None:
        """Stop the actors, the last first; what they need is spared."""
        await self._communicators.stop(
            timeout_seconds,
            sent_on=self._post_office.sent_on,
            spared=(KnownNames.io_loop_manager,),
        )
