"""What a link manager hears from its links: counted, logged, and handed on."""

import asyncio
import contextlib
import logging

from gwproactor.links.acks import AckTimerCallback, AckWaitInfo
from gwproactor.links.link_state import Transition
from gwproactor.links.listener import LinkListener
from gwproactor.links.mqtt_clients import Logger
from gwproactor.links.received_message import ReceivedMessage
from gwproactor.logger import ProactorLogger
from gwproactor.stats import ProactorStats
from gwproactor.wire.envelope import Message


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
        """Is told of every message that comes, where it is set."""

    def link_transitioned(self, transition: Transition) -> None:
        """Count it, log it, hand it on."""
        self._stats.link(transition.link_name).comm_event_counts[transition.transition_name] += 1
        if isinstance(self._logger, ProactorLogger):
            self._logger.comm_event("%s", transition)
        elif self._logger is not None:
            self._logger.info("%s", transition)
        if self._listener is not None:
            self._listener.link_transitioned(transition)

    def message_received(self, received: ReceivedMessage) -> None:
        """Count it, log it, hand it on; into the queue too, where it is done when it is in."""
        header, link_name = received.message.Header, received.link_name
        self._stats.add_packet(link_name, received.packet.topic)
        self._stats.add_decoded_mqtt_message_type(link_name, header.MessageType)
        if self.mqtt_logger is not None and self.mqtt_logger.isEnabledFor(logging.DEBUG):
            self.mqtt_logger.debug("%s: %s", link_name, header.MessageType)
        if self.queue is not None:
            with contextlib.suppress(asyncio.QueueFull):
                self.queue.put_nowait(received.message)
                if self._listener is None:
                    received.done()
        if self._listener is not None:
            self._listener.message_received(received)

    def message_acked(self, link_name: str, message_id: str) -> None:
        """Hand it on."""
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
