"""The proactor: the object that applications subclass or compose.

It owns what a node consists of (its links, its events, the mailbox of other messages) and the one
task under which all of that runs. Nothing here decides about comm state or delivery: the proactor
joins the parts and tells observers what they report.

A received message goes one way: an event into the inbox and from there to `process_event`, any
other message into the mailbox and from there to `process_message`. What this node has to say goes
the other way: `post_event` for what must not be lost, `Link.send` for the rest.

What a program can do with it stands in the modules of its base classes, one for each thing that it
is about; this one makes the parts.
"""

from gwproactor.config.link import checked_name
from gwproactor.config.proactor import ProactorSettings
from gwproactor.errors import UsageError
from gwproactor.events.counted_reports import CountedReports, say_rejected
from gwproactor.interfaces import ServicesInterface
from gwproactor.layout import HardwareLayout, NamesOnly, checked_layout
from gwproactor.links.manager.kept_events import window_of
from gwproactor.links.manager.link_manager import LinkManager
from gwproactor.runtime.communicators import Communicators
from gwproactor.runtime.dispatch import Dispatch
from gwproactor.runtime.event_flow import EventFlow
from gwproactor.runtime.event_hatch import EventHatch
from gwproactor.runtime.exits import exits_end
from gwproactor.runtime.io_loop import IOLoop
from gwproactor.runtime.mailbox import Mailbox
from gwproactor.runtime.names import checked_type
from gwproactor.runtime.one_run import OneRun
from gwproactor.runtime.orderly_end import REQUESTS_SHARE
from gwproactor.runtime.oversight import Oversight
from gwproactor.runtime.own_links import OwnLinks
from gwproactor.runtime.post_office import PostOffice
from gwproactor.runtime.reporting import quiet_logger
from gwproactor.runtime.web_services import WebServices
from gwproactor.stats import ProactorStats
from gwproactor.web.servers import WebServers


class Proactor(OwnLinks, WebServices, OneRun, ServicesInterface):
    """One node: its links, its events and its handlers on one event loop.

    Use it as an async context manager, or call `run_forever`. It may be made and filled before
    there is a loop; from its start on it is for that loop's thread, but for what says otherwise.

    Args:
        name: This node's long name, dotted, globally unique.
        settings: See `ProactorSettings`; read from the environment when not given.
        hardware_layout: What the site consists of: where actors find their nodes. Without one every
            name is a node.

    Raises:
        UsageError: The name cannot be one level of a topic, or an argument is something else.
        SettingsError: What the environment says cannot work.
    """

    def __init__(
        self,
        name: str,
        settings: ProactorSettings | None = None,
        hardware_layout: HardwareLayout | None = None,
    ) -> None:
        super().__init__()
        self._name = _checked_name(name)
        self._settings = _checked_settings(settings)
        self._layout = NamesOnly() if hardware_layout is None else checked_layout(hardware_layout)
        self._logger = quiet_logger(self._settings.logging)
        self._observers = []
        self._make_parts(self._settings)
        self.add_communicator(self._io_loop)

    def _make_parts(self, settings: ProactorSettings) -> None:
        self._events = EventFlow(
            self._name,
            settings.events,
            window_of(settings),
            handler=self._handle_event,
            acknowledge=self._acknowledge,
            on_stored=self._event_stored,
            on_acked=self._event_acked,
            report=self.report_problem,
            persister=self.make_event_persister(settings),
        )
        self._rejections = CountedReports(self.report_problem, say_rejected)
        self._hatch = EventHatch(self.post_event, self._reject)
        self._oversight = Oversight(self._label(), settings, self)
        self._links = LinkManager(
            self._name,
            settings,
            event_persister=self._events.outgoing,
            listener=self,
            batches=self._events.incoming if settings.events.takes_batches else None,
            stats=self.make_stats(),
            logger=self._logger,
        )
        self._links.events.on_reupload = self._reupload_progressed
        self._web = WebServers(
            self.report_problem,
            stop_seconds=settings.stop_seconds * REQUESTS_SHARE,
            guard=lambda what: exits_end(self, what),
        )
        self._mailbox = Mailbox(
            "the application",
            self._handle_letter,
            max_messages=settings.mailbox_messages,
            max_tries=settings.handler_tries,
            report=self.report_problem,
        )
        self._communicators = Communicators(
            settings.mailbox_messages,
            settings.handler_tries,
            overseer=self,
            guard=self._ending_where_asked,
        )
        self._post_office = PostOffice(
            self._name,
            self._home,
            self,
            self._mailbox,
            self._communicators,
            self._links,
            self._oversight.watchdog,
            max_messages=settings.mailbox_messages,
        )
        self._dispatch = Dispatch(
            self._post_office.mailbox_of, self._events.incoming.receive, self._acknowledge
        )
        self._io_loop = IOLoop(self.services, settings.tasks, self, settings.stop_seconds)

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


def _checked_name(name: str) -> str:
    try:
        return checked_name(checked_type(name, str, "the proactor's name"))
    except ValueError as error:
        raise UsageError(
            f"no proactor can be named {name!r}: {error}; example: d1.site.scada"
        ) from None


def _checked_settings(settings: ProactorSettings | None) -> ProactorSettings:
    if settings is None:
        return ProactorSettings()
    return checked_type(settings, ProactorSettings, "the proactor's settings")
