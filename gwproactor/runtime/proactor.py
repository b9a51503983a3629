"""The proactor: the object that applications subclass or compose.

It owns what a node consists of (its links, its events, the mailbox of other messages) and the one
task under which all of that runs. Nothing here decides about comm state or delivery: the proactor
joins the parts and tells observers what they report.

A received message goes one way: an event into the inbox and from there to `process_event`, any
other message into the mailbox and from there to `process_message`. What this node has to say goes
the other way: `post_event` for what must not be lost, `Link.send` for the rest.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable

from gwproactor.config.link import LinkSettings, checked_name
from gwproactor.config.proactor import ProactorSettings
from gwproactor.errors import StoreError, UsageError
from gwproactor.interfaces import ServicesInterface
from gwproactor.layout import HardwareLayout, NamesOnly
from gwproactor.links.link import Link
from gwproactor.links.manager.kept_events import window_of
from gwproactor.links.manager.link_manager import LinkManager
from gwproactor.runtime.communicators import Communicators, RunsTasks
from gwproactor.runtime.dispatch import Dispatch
from gwproactor.runtime.event_flow import EventFlow
from gwproactor.runtime.event_hatch import EventHatch
from gwproactor.runtime.io_loop import IOLoop
from gwproactor.runtime.mail import Mail
from gwproactor.runtime.mailbox import Mailbox
from gwproactor.runtime.names import check_link_names
from gwproactor.runtime.oversight import Oversight
from gwproactor.runtime.own_events import OwnEvents
from gwproactor.runtime.post_office import PostOffice
from gwproactor.runtime.reporting import Reporting, quiet_logger
from gwproactor.runtime.tasks import SupervisedTask
from gwproactor.runtime.web_services import WebServices
from gwproactor.stats import ProactorStats
from gwproactor.texts import MAX_TEXT_BYTES, cut_to_bytes, in_words, traceback_text
from gwproactor.waiting import until_any
from gwproactor.web.servers import WebServers
from gwproactor.wire.codec import MQTTCodec
from gwproactor.wire.payloads import (
    ShutdownEvent,
    StartupEvent,
)

logger = logging.getLogger(__name__)

_FAREWELL_SECONDS = 0.3
"""How long a stop waits for the peer to acknowledge the last events: a few round trips."""


class Proactor(OwnEvents, WebServices, Mail, Reporting, ServicesInterface):
    """One node: its links, its events and its handlers on one event loop.

    Use it as an async context manager, or call `run_forever`. Everything is for the event loop's
    thread, and made within a running loop.

    Args:
        name: This node's long name, dotted, globally unique.
        settings: See `ProactorSettings`; read from the environment when not given.
        hardware_layout: What the site consists of: where actors find their nodes. Without one every
            name is a node.

    Raises:
        UsageError: The name cannot be one level of a topic.
    """

    def __init__(
        self,
        name: str,
        settings: ProactorSettings | None = None,
        hardware_layout: HardwareLayout | None = None,
    ) -> None:
        super().__init__()
        try:
            self._name = checked_name(name)
        except ValueError as error:
            raise UsageError(
                f"no proactor can be named {name!r}: {error}; example: d1.site.scada"
            ) from None
        self._settings = settings or ProactorSettings()
        self._layout = NamesOnly() if hardware_layout is None else hardware_layout
        self._logger = quiet_logger(self._settings.logging)
        self._observers = []
        self._stop_now = asyncio.Event()
        self._start_error: Exception | None = None
        self._events = EventFlow(
            self._name,
            self._settings.events,
            window_of(self._settings),
            handler=self._handle_event,
            acknowledge=self._acknowledge,
            on_stored=lambda ref: self._tell(lambda observer: observer.event_stored(ref)),
            on_acked=lambda ref: self._tell(lambda observer: observer.event_acked(ref)),
            report=self.report_problem,
            persister=self.make_event_persister(self._settings),
        )
        self._hatch = EventHatch(self.post_event)
        self._oversight = Oversight(self._label(), self._settings, self)
        self._links = LinkManager(
            self._name,
            self._settings,
            event_persister=self._events.outgoing,
            listener=self,
            batches=self._events.incoming if self._settings.events.takes_batches else None,
            stats=self.make_stats(),
            logger=self._logger,
        )
        self._links.events.on_reupload = lambda state: self._tell(
            lambda observer: observer.reupload_progressed(state)
        )
        self._web = WebServers(self.report_problem, stop_seconds=self._settings.stop_seconds / 2)
        limits = self._settings.mailbox_messages, self._settings.handler_tries
        self._mailbox = Mailbox(
            "the application",
            self._handle_letter,
            max_messages=limits[0],
            max_tries=limits[1],
            report=self.report_problem,
        )
        self._communicators = Communicators(
            *limits, report=self.report_problem, guard=self._ending_where_asked
        )
        self._post_office = PostOffice(
            self._name,
            self,
            self._mailbox,
            self._communicators,
            self._links,
            self._oversight.watchdog,
            max_messages=self._settings.mailbox_messages,
        )
        self._dispatch = Dispatch(
            self._post_office.mailbox_of, self._events.incoming.receive, self._acknowledge
        )
        # half the time, so that what does not end can be named before the stop goes on without it
        seconds = self._settings.stop_seconds / 2
        self._io_loop = IOLoop(self.services, self._settings.tasks, self, seconds)
        self.add_communicator(self._io_loop)

    # What it consists of

    @property
    def name(self) -> str:
        """This node's long name."""
        return self._name

    @property
    def services(self) -> ServicesInterface:
        """The proactor, as actors know it."""
        return self

    @property
    def publication_name(self) -> str:
        """The name under which this node sends: its long name."""
        return self._name

    @property
    def settings(self) -> ProactorSettings:
        """What the proactor was told."""
        return self._settings

    @property
    def hardware_layout(self) -> HardwareLayout:
        """What the site consists of."""
        return self._layout

    @property
    def stats(self) -> ProactorStats:
        """What has been counted; `str` of it is a text, `as_data` what JSON can hold."""
        return self._links.stats

    def add_link(self, settings: LinkSettings, codec: MQTTCodec | None = None) -> Link:
        """Add a link to a peer; one that is added while the proactor runs begins at once.

        Args:
            settings: The link's settings.
            codec: Turns messages into payloads and back; the wire format's when not given.

        Raises:
            UsageError: There is a link or a communicator of that name, or a communicator of the
                peer's; or a second upstream link, or one that it would disturb.
            NotRunningError: The proactor is stopped.
        """
        check_link_names(settings, self._communicators)
        return self._links.add(settings, codec=codec)

    async def remove_link(self, name: str) -> None:
        """Stop a link and forget it; who waits for anything of it is told. Cancel-safe.

        Events for the upstream peer wait for another upstream link, or for the next run.

        Raises:
            UsageError: There is no such link.
        """
        self.link(name)
        await self._links.remove(name)

    def link(self, name: str) -> Link:
        """The link of that name.

        Raises:
            UsageError: There is none.
        """
        if name not in self._links:
            known = ", ".join(sorted(link.name for link in self._links)) or "none"
            raise UsageError(f"there is no link '{name}'; links: {known}")
        return self._links[name]

    # What runs

    def stop(self, reason: str = "stop called", *, wait_for_acks: bool = False) -> None:
        """Ask the proactor to stop in good order; `join` waits for that.

        It sends a shutdown event, makes durable what is not yet, and closes everything within
        `stop_seconds`. Pending events are sent by the next run.

        Args:
            reason: Why; stands in the shutdown event.
            wait_for_acks: Stop only when the peer has acknowledged every event, the shutdown event
                included, however long that takes. Calling again without it stops at once.
        """
        if not wait_for_acks:
            self._stop_now.set()
        super().stop(reason)

    def _label(self) -> str:
        return f"proactor {self._name}"

    def _service_name(self) -> str:
        return str(self._settings.paths.name)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._logger.lifecycle("%s starts", self._label())
        self._oversight.watch_loop()
        try:
            await self._events.open()
            await self._run_tasks()
        except StoreError as error:
            failure = self._start_error or self._failure
            if failure is None:
                raise
            failure.add_note(str(error))
        finally:
            await self._web.stop()
            await self._stop_communicators(self._settings.stop_seconds)
            self._close_mailboxes()
            self._io_loop.stop()  # it was perhaps never started, and has coroutines all the same
            self._hatch.close()
            self._links.events.discard()
            await self._oversight.close()
            await self._events.close(self._settings.stop_seconds)
            await self._hatch.settle()
            self._logger.lifecycle("%s has stopped", self._label())
        if self._start_error is not None:
            raise self._start_error
        self._raise_failure()

    async def _run_tasks(self) -> None:
        """Begin everything, wait until it is to stop, and end it in good order."""
        run = self._oversight.run_endless
        run("outgoing events", self._events.outgoing.run)
        threads = run("events of other threads", self._hatch.run)
        run("incoming events", self._events.incoming.run)
        self._links.events.generate_own(StartupEvent(Src=self._name))
        talking = [run("mailbox", self._mailbox.run)]
        if await self._web_is_bound():  # else this may be a second node, which is to dial nobody
            talking.append(run("links", self._links.run))
        self._hatch.open()
        messages = run("messages of threads", self.process_messages)

        def begin(what: str, work: Callable[[], Awaitable[None]]) -> SupervisedTask:
            talking.append(run(what, work))
            return talking[-1]

        if self._start_error is None:
            await self._start_application(begin)
        await self._stop_requested.wait()
        self._logger.lifecycle("%s stops: %s", self._label(), self._stop_reason)
        deadline = time.monotonic() + self._settings.stop_seconds
        await self._web.stop()
        await self._end_tasks()
        await self._stop_communicators(self._settings.stop_seconds)
        await messages.wait()
        await self._drain_mailboxes(deadline - time.monotonic())
        self._hatch.close()
        await self._say_farewell()
        await _end(self._settings.stop_seconds, *talking)
        self._links.events.flush()
        await _end(self._settings.stop_seconds, threads)
        await self._close_events()

    async def _web_is_bound(self) -> bool:
        try:
            await self._web.bind()
        except Exception as error:  # noqa: BLE001 - it is raised when everything has ended
            self._could_not_start("web servers", error)
            return False
        return True

    async def _start_application(self, begin: RunsTasks) -> None:
        """Start what is the application's; where that fails, end in good order and say why."""
        what = "web servers"
        try:
            await self._web.serve()
            what = "tasks of the application"
            self._communicators.start(begin)
            self._begin_oversight()
            self.start_tasks()
        except Exception as error:  # noqa: BLE001 - it is raised when everything has ended
            name = self._communicators.starting
            self._could_not_start(f"actor '{name}'" if name else what, error)
            return
        self._ready.set()
        self._logger.lifecycle("%s runs", self._label())
        self._oversight.notify.ready()

    def _could_not_start(self, what: str, error: Exception) -> None:
        self._start_error = error
        summary = f"{what} could not start"
        self.report_problem(summary, traceback_text(error))
        self._stop_reason = f"{summary}: {in_words(error)}"
        self.stop(self._stop_reason)

    async def _close_events(self) -> None:
        try:
            await self._events.close(self._settings.stop_seconds)
        except StoreError as error:
            count = self.pending_event_count - self.stored_event_count
            raise StoreError(f"{error}; {count} events were not stored") from error

    async def _say_farewell(self) -> None:
        """Tell the peer that this node stops, and wait for its acks as long as was asked for."""
        self._links.events.flush()
        await until_any(self.all_events_acked(), self._stop_now.wait())
        self._oversight.notify.stopping(self._stop_reason)
        self._links.events.flush()
        reason = cut_to_bytes(self._stop_reason, MAX_TEXT_BYTES)
        self._links.events.generate_own(ShutdownEvent(Src=self._name, Reason=reason))
        await until_any(self.all_events_acked(), self._stop_now.wait())
        upstream = self._links.upstream
        if upstream is not None and upstream.active:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FAREWELL_SECONDS):
                    await self.all_events_acked()

    # Helpers

    def _acknowledge(self, link_name: str, message_id: str) -> None:
        if link_name in self._links:  # an inbox may hold events of a link that is no more
            self._links[link_name].acknowledge(message_id)


async def _end(timeout_seconds: float, *tasks: SupervisedTask) -> None:
    """End tasks, as far as they let themselves be ended; who does not is reported later."""
    for task in tasks:
        task.cancel()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_seconds):
            for task in tasks:
                await task.wait()
