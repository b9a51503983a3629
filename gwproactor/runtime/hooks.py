"""What of a proactor a derived class may override, or replace by a handler of its own.

Every hook is called on the event loop, and must not block it. A hook that is a coroutine may take
its time: while it runs, only what waits for it waits. What a hook raises becomes a problem event
and goes no further, unless the setting `stop_when_handler_fails` says that the proactor is to end.
"""

import asyncio
import contextlib
import logging
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from result import Ok

from gwproactor.config.proactor import ProactorSettings
from gwproactor.errors import HandlerFailedError, NotRunningError
from gwproactor.events.incoming import ReceivedEvent
from gwproactor.events.persisters.persister import PersisterInterface
from gwproactor.interfaces import ProcessResult
from gwproactor.links.core.link_state import Transition
from gwproactor.links.received_message import ReceivedMessage
from gwproactor.runtime.event_flow import event_files
from gwproactor.runtime.exits import exits_end
from gwproactor.runtime.mailbox import Letter
from gwproactor.runtime.outcomes import call_plain, settled
from gwproactor.runtime.own_tasks import OwnTasks
from gwproactor.stats import ProactorStats
from gwproactor.texts import in_words, traceback_text
from gwproactor.waiting import is_being_cancelled
from gwproactor.wire.envelope import Message

logger = logging.getLogger(__name__)

Outcome = ProcessResult | Awaitable[ProcessResult]
"""What a handler returns: it may be a plain function or a coroutine, and raise what goes wrong or
return it as `Err`."""

EventHandler = Callable[[ReceivedEvent], Outcome]

MessageHandler = Callable[[Message[Any]], Outcome]

ReceivedHandler = Callable[[ReceivedMessage], Outcome]


class Hooks(OwnTasks):
    """The hooks of a proactor, and the handlers that take their place."""

    _settings: ProactorSettings

    def __init__(self) -> None:
        super().__init__()
        self._event_handler: EventHandler = self.process_event
        self._message_handler: MessageHandler = self.process_message
        self._received_handler: ReceivedHandler = self.process_received

    # What there is to begin with

    @classmethod
    def make_event_persister(cls, settings: ProactorSettings) -> PersisterInterface | None:
        """Make what keeps the events for the upstream peer, where that is not the log store.

        Override it to keep events in a way of your own: any `PersisterInterface` serves. It is
        called from a thread of its own, by nobody else while the proactor runs.

        Args:
            settings: The proactor's settings.

        Returns:
            The persister; None for the store that `settings.events` names.
        """
        return event_files(settings.events)

    @classmethod
    def make_stats(cls) -> ProactorStats:
        """Make what counts; override it to count more."""
        return ProactorStats()

    def start_tasks(self) -> None:
        """Begin tasks of the application, with `add_task`; called when everything else runs.

        What it raises ends the proactor before it has begun.
        """

    # What comes

    async def process_event(self, event: ReceivedEvent) -> ProcessResult:
        """Deal with an event from a peer; called once for each id, one event at a time.

        When it returns, the event is marked done. When it raises, or returns Err, the event comes
        again after a while, and after too many tries it is set aside.
        """
        logger.warning("nobody handles events: %s from %s", event.event_id, event.link_name)
        return Ok(True)

    async def process_message(self, message: Message[Any]) -> ProcessResult:
        """Deal with a message that is neither event, ack nor ping, one at a time.

        It comes from a peer, or was sent to the proactor within the node. What is raised, or
        returned as Err, becomes a problem event. A peer's message was acknowledged when it came
        into the mailbox; one of QoS 1 or 2 the broker delivers again until this succeeds, and so
        does the proactor, up to `handler_tries` times.
        """
        logger.warning("nobody handles messages: %s", message.Header.MessageType)
        return Ok(True)

    async def process_received(self, received: ReceivedMessage) -> ProcessResult:
        """Deal with a message and what MQTT says of it: topic, user properties, content type.

        Calls `process_message`, or what took its place; override it, or use `on_received`, for a
        program that needs more than the message.
        """
        await settled(self._message_handler(received.message))
        return Ok(True)

    # What happens to links

    def link_activated(self, transition: Transition) -> None:
        """A link has become active: its peer is there. Called at that very moment.

        Args:
            transition: Which link, from which state, and why.
        """

    def link_deactivated(self, transition: Transition) -> None:
        """A link is not active any more: nobody knows whether its peer is there.

        At the stop of the proactor the actors have ended before; what is sent to them is dropped.

        Args:
            transition: Which link, to which state, and why.
        """

    # Handlers in place of the hooks

    def on_event(self, handler: EventHandler) -> EventHandler:
        """Let `handler` take the place of `process_event`. Serves as a decorator."""
        self._event_handler = handler
        return handler

    def on_message(self, handler: MessageHandler) -> MessageHandler:
        """Let `handler` take the place of `process_message`. Serves as a decorator."""
        self._message_handler = handler
        return handler

    def on_received(self, handler: ReceivedHandler) -> ReceivedHandler:
        """Let `handler` take the place of `process_received`. Serves as a decorator."""
        self._received_handler = handler
        return handler

    # How they are called

    @abstractmethod
    def report_problem(self, summary: str, details: str = "", is_error: bool = True) -> None:
        """See `Proactor`."""

    async def _handle_event(self, event: ReceivedEvent) -> None:
        with self._ending_where_asked("events"):
            await settled(self._event_handler(event))

    async def _handle_letter(self, letter: Letter) -> None:
        with self._ending_where_asked("messages"):
            if isinstance(letter, ReceivedMessage):
                await settled(self._received_handler(letter))
            else:
                await settled(self._message_handler(letter))

    def _call_link_hooks(self, transition: Transition) -> None:
        """Tell a derived class, where a link became active or ceased to be."""
        try:
            with self._ending_where_asked("links"), self._bearing_closed_mailboxes():
                if transition.activated():
                    call_plain(self.link_activated, transition)
                elif transition.deactivated():
                    call_plain(self.link_deactivated, transition)
        except Exception as error:
            logger.exception("a hook failed")
            summary = f"The handler of links failed at {transition}"
            self.report_problem(summary, traceback_text(error))

    @contextlib.contextmanager
    def _bearing_closed_mailboxes(self) -> Iterator[None]:
        """While the proactor stops, let a hook send to an actor: links end after the actors."""
        try:
            yield
        except NotRunningError as error:
            if not self._stop_requested.is_set():
                raise
            logger.debug("a hook came too late: %s", error)

    @contextlib.contextmanager
    def _ending_where_asked(self, what: str) -> Iterator[None]:
        """End the proactor over what a handler raises, where the settings ask for that.

        And over `sys.exit` always.
        """
        try:
            with exits_end(self, f"the handler of {what}"):
                yield
        except (Exception, asyncio.CancelledError) as error:
            if self._settings.stop_when_handler_fails and not is_being_cancelled():
                failed = HandlerFailedError(f"the handler of {what} failed: {in_words(error)}")
                failed.__cause__ = error
                self.fail(failed, traceback_text(error))
            raise
