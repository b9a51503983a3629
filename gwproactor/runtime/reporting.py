"""What a proactor tells of itself: to its log, to observers, and to the peer as problem events.

It hears everything that the links report, so it is a `LinkListener`, and passes on what is for
others: messages to where they belong, activations to the hooks.
"""

import logging
from collections.abc import Callable

from gwproactor.config.logging import LoggingSettings
from gwproactor.events.store import EventRef
from gwproactor.links.core.link_state import Transition
from gwproactor.links.core.reupload_progress import ReuploadState
from gwproactor.links.manager.link_manager import LinkManager
from gwproactor.links.received_message import ReceivedMessage
from gwproactor.logger import ProactorLogger
from gwproactor.logs.one_line import Lines
from gwproactor.runtime.dispatch import Dispatch
from gwproactor.runtime.exits import exits_end
from gwproactor.runtime.hooks import Hooks
from gwproactor.runtime.names import checked_type
from gwproactor.runtime.observer import Observer
from gwproactor.runtime.outcomes import call_plain
from gwproactor.texts import MAX_TEXT_BYTES, cut_to_bytes
from gwproactor.wire.payloads import ProblemEvent, ProblemType


def quiet_logger(settings: LoggingSettings) -> ProactorLogger:
    """The log of a proactor; silent until the program asks for it, as a library is to be."""
    base = logging.getLogger(settings.base_log_name)
    if not base.handlers:
        base.addHandler(logging.NullHandler())
    names = settings.qualified_logger_names()
    return ProactorLogger(
        names["base"], names["message_summary"], names["lifecycle"], names["comm_event"]
    )


class Reporting(Hooks):
    """The part of a proactor that hears and tells.

    For the event loop's thread, but for what says otherwise.
    """

    _name: str
    _logger: ProactorLogger
    _links: LinkManager
    _dispatch: Dispatch
    _observers: list[Observer]

    @property
    def logger(self) -> ProactorLogger:
        """The proactor's log, for its application too. For any thread."""
        return self._logger

    def observe(self, observer: Observer) -> None:
        """Tell `observer` what happens from now on.

        Raises:
            UsageError: It is no `Observer`.
        """
        self._observers.append(checked_type(observer, Observer, "an observer"))

    def report_problem(self, summary: str, details: str = "", is_error: bool = True) -> None:
        """Log a problem, tell observers, and send it upstream as an event where that is possible.

        From any thread; the loop reports it soon where that is another one.

        Args:
            summary: One line.
            details: What else there is to say; of more than 64 KiB the rest is left out.
            is_error: Somebody must act; otherwise it is a warning.
        """
        kind = ProblemType.error if is_error else ProblemType.warning
        summary = cut_to_bytes(summary, MAX_TEXT_BYTES)
        details = cut_to_bytes(details, MAX_TEXT_BYTES)
        self.tell_problem(ProblemEvent(ProblemType=kind, Summary=summary, Details=details))

    def tell_problem(self, event: ProblemEvent) -> None:
        """Report a problem that is an event already; see `report_problem`. From any thread.

        Args:
            event: Its `Src` is this node where it has none.
        """
        if self._home.is_elsewhere:
            self._home.call(lambda: self.tell_problem(event))
            return
        event = event.model_copy(update={"Src": event.Src or self._name})
        level = logging.ERROR if event.ProblemType is ProblemType.error else logging.WARNING
        self._logger.log(level, "%s: %s", event.Summary, Lines(event.Details))
        self._links.stats.add_problem(event.Summary)
        self._tell(lambda observer: observer.problem(event))
        self._links.events.generate_own(event)

    # What the links report (LinkListener)

    def link_transitioned(self, transition: Transition) -> None:
        """Tell observers, and the hooks; the log knows it from the links."""
        if transition:
            self._tell(lambda observer: observer.link_transitioned(transition))
            self._call_link_hooks(transition)

    def message_received(self, received: ReceivedMessage) -> None:
        """Pass a message on to where it belongs."""
        if not self._logger.path_enabled:
            self._dispatch.take(received)
            return
        header = received.message.Header
        self._logger.message_enter("%s from %s", header.MessageType, received.link_name)
        self._dispatch.take(received)
        self._logger.message_exit("%s for %s", header.MessageType, header.Dst or "everybody")

    def message_acked(self, link_name: str, message_id: str) -> None:
        """Nothing: who sent the message was told, and so were the events."""

    def ack_timed_out(self, link_name: str, message_id: str, context: object) -> None:
        """Nothing: who sent the message was told, and the link has left `active`."""

    def link_problem(
        self,
        link_name: str,  # noqa: ARG002 - the summary names it
        summary: str,
        details: str,
        is_error: bool,
    ) -> None:
        """Report what is wrong with a link."""
        self.report_problem(summary, details, is_error)

    def _event_stored(self, ref: EventRef) -> None:
        self._tell(lambda observer: observer.event_stored(ref))

    def _event_acked(self, ref: EventRef) -> None:
        self._tell(lambda observer: observer.event_acked(ref))

    def _reupload_progressed(self, state: ReuploadState) -> None:
        self._tell(lambda observer: observer.reupload_progressed(state))

    def _tell(self, call: Callable[[Observer], None]) -> None:
        for observer in self._observers:
            try:
                with exits_end(self, "an observer"):
                    call_plain(call, observer)
            except Exception:
                self._logger.exception("an observer failed")
