"""What a link manager hears from its links: counted, logged, and handed on."""

import asyncio
import logging
import time

from gwproactor.links.comm_events import event_types
from gwproactor.links.core.acks import AckTimerCallback, AckWaitInfo
from gwproactor.links.core.link_state import Transition
from gwproactor.links.core.reports import ReportRate
from gwproactor.links.event_desk import EventDesk
from gwproactor.links.listener import LinkListener
from gwproactor.links.manager.mqtt_client import Logger
from gwproactor.links.received_message import ReceivedMessage
from gwproactor.links.transport import ReceivedPacket
from gwproactor.logger import ProactorLogger
from gwproactor.stats import ProactorStats
from gwproactor.wire.codec import type_name_of
from gwproactor.wire.envelope import Message

_LOGGER = logging.getLogger(__name__)

_QUEUE_FULL = "link '%s': the queue is full; %d messages were dropped since the last report"


class ManagerEars:
    """A `LinkListener` that keeps the counts and tells who else wants to know.

    Args:
        stats: Counts.
        logger: Is told of transitions; None for nobody.
        ack_timeout_callback: Is told of acks that did not come; None for nobody.
        listener: Hears everything; None for nobody.
    """

    def __init__(
        self,
        stats: ProactorStats,
        logger: Logger | None,
        ack_timeout_callback: AckTimerCallback | None,
        listener: LinkListener | None,
    ) -> None:
        self._stats = stats
        self._logger = logger
        self._ack_timeout_callback = ack_timeout_callback
        self._listener = listener
        self.queue: asyncio.Queue[Message[object]] | None = None
        """Takes every message that comes, where it is set."""
        self.mqtt_logger: Logger | None = None
        """Is told of every packet that comes, where it is set."""
        self.events: EventDesk | None = None
        """Is told of every transition, to make events of them, and of every ack."""
        self._rate = ReportRate()

    def link_transitioned(self, transition: Transition) -> None:
        """Count it, log it, hand it on."""
        counts = self._stats.link(transition.link_name).comm_event_counts
        for event in event_types(transition):
            counts[type_name_of(event)] += 1
        if isinstance(self._logger, ProactorLogger):
            self._logger.comm_event("%s", transition)
        elif self._logger is not None:
            self._logger.info("%s", transition)
        if self.events is not None:
            self.events.transitioned(transition)
        if self._listener is not None:
            self._listener.link_transitioned(transition)

    def packet_received(self, link_name: str, packet: ReceivedPacket, type_name: str) -> None:
        """Count it, log it: any packet, one that was refused too."""
        self._stats.add_packet(link_name, packet.topic)
        if type_name:
            self._stats.add_decoded_mqtt_message_type(link_name, type_name)
        if self.mqtt_logger is not None:
            size = len(packet.payload)
            self.mqtt_logger.debug("%s: %r, %d bytes", link_name, packet.topic, size)
        if isinstance(self._logger, ProactorLogger):
            self._logger.message_summary("IN mqtt", link_name, packet.topic, type_name or None)

    def message_sent(self, link_name: str, topic: str, awaited_id: str) -> None:
        """Count it, log it: any message of the link that went out."""
        self._stats.link(link_name).add_sent(topic)
        if isinstance(self._logger, ProactorLogger):
            self._logger.message_summary("OUT mqtt", link_name, topic, message_id=awaited_id)

    def message_received(self, received: ReceivedMessage) -> None:
        """Hand it on; into the queue too, where it is done when it is in."""
        if self.queue is not None and self._queued(received) and self._listener is None:
            received.done()
        if self._listener is not None:
            self._listener.message_received(received)

    def _queued(self, received: ReceivedMessage) -> bool:
        if self.queue is None:
            return False
        try:
            self.queue.put_nowait(received.message)
        except asyncio.QueueFull:
            unreported = self._rate.again(time.monotonic(), received.link_name)
            if unreported is not None:
                _LOGGER.warning(_QUEUE_FULL, received.link_name, unreported + 1)
            return False
        return True

    def message_acked(self, link_name: str, message_id: str) -> None:
        """Hand it on."""
        if self.events is not None:
            self.events.acked()
        if self._listener is not None:
            self._listener.message_acked(link_name, message_id)

    def ack_timed_out(self, link_name: str, message_id: str, context: object) -> None:
        """Count it, call back, hand it on."""
        self._stats.link(link_name).timeouts += 1
        if self._ack_timeout_callback is not None:
            self._ack_timeout_callback(AckWaitInfo(link_name, message_id, None, context))
        if self._listener is not None:
            self._listener.ack_timed_out(link_name, message_id, context)

    def link_problem(self, link_name: str, summary: str, details: str, is_error: bool) -> None:
        """Hand it on; log it where nobody else hears."""
        if self._listener is not None:
            self._listener.link_problem(link_name, summary, details, is_error=is_error)
        elif self._logger is not None:
            self._logger.log(
                logging.ERROR if is_error else logging.WARNING, "%s: %s", summary, details
            )
