"""What a link tells the program around it, and a guard against its mistakes."""

import logging
from collections.abc import Callable, Sequence
from typing import ParamSpec, Protocol

from gwproactor.links.core.link_state import Transition
from gwproactor.links.received_message import ReceivedMessage

_P = ParamSpec("_P")

_LOGGER = logging.getLogger(__name__)


class LinkListener(Protocol):
    """Hears everything that a link reports.

    Each method is called on the event loop in the order in which things happen, and must neither
    block nor wait. What one raises is logged and does not harm the link.
    """

    def link_transitioned(self, transition: Transition) -> None:
        """The comm state changed, or an attempt to connect failed.

        In a failed attempt old and new state are the same. The first of an outage is told, then
        they come at a bounded rate.
        """
        ...

    def message_received(self, received: ReceivedMessage) -> None:
        """A valid message came that is neither ack nor ping.

        Where it `wants_ack`, call `Link.acknowledge` once it is accepted; call its `done` once it
        is processed.
        """
        ...

    def message_acked(self, link_name: str, message_id: str) -> None:
        """The peer acknowledged a message, in time or not."""
        ...

    def ack_timed_out(self, link_name: str, message_id: str, context: object) -> None:
        """The peer did not acknowledge a message in time.

        Args:
            link_name: The link.
            message_id: The message.
            context: What its sender gave to find again; None where nothing was given.
        """
        ...

    def link_problem(self, link_name: str, summary: str, details: str, is_error: bool) -> None:
        """Something went wrong that a person should know. Comes at a bounded rate.

        Args:
            link_name: The link.
            summary: One line.
            details: What else there is to say.
            is_error: Somebody must act; otherwise it is a warning.
        """
        ...


class BatchInbox(Protocol):
    """Takes the events that came in one message; `IncomingEvents` is one."""

    def receive_batch(
        self,
        link_name: str,
        events: Sequence[tuple[str, bytes]],
        answer: Callable[[Sequence[int]], None],
    ) -> None:
        """Take them in; see `IncomingEvents.receive_batch`."""
        ...


def tell(hear: Callable[_P, None], *args: _P.args, **kwargs: _P.kwargs) -> bool:
    """Call a listener's method; what it raises is logged and goes no further.

    Returns whether it raised nothing.
    """
    try:
        hear(*args, **kwargs)
    except Exception:
        _LOGGER.exception("a link's listener failed: %r", hear)
        return False
    return True
