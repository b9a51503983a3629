"""Messages of peers to an actor that is not there: told as a problem, at a bounded rate.

A name that nobody has is an error to who sends within the node. A peer cannot be told: it has its
ack as soon as the message is in the mailbox of the application, which may know what to do with it,
and mostly does not. So the operator is told, of each name. A peer that makes up ever new names is
told of as one trouble.
"""

import time
from collections.abc import Callable, Container

from gwproactor.config.link import LinkSettings
from gwproactor.links.core.reports import ReportRate
from gwproactor.links.received_message import ReceivedMessage
from gwproactor.wire.topics import link_filter

MAX_NAMES = 20
"""Mistakes in a program's names are a few; what comes to more is made up."""

MAX_NAME_CHARACTERS = 100
"""Shown of a name that a peer may have made as long as it likes."""


class UnknownReceivers:
    """Takes note of them. For the event loop's thread.

    Args:
        own_names: By which messages within the node are for the proactor.
        report: Is told, with summary, details and whether it is an error.
    """

    def __init__(self, own_names: Container[str], report: Callable[[str, str, bool], None]) -> None:
        self._own_names = own_names
        self._report = report
        self._told: set[str] = set()
        self._rate = ReportRate()

    def note(self, received: ReceivedMessage, link: LinkSettings, known: str) -> None:
        """Take note of a message that is for no actor; it may be for the node itself.

        Args:
            received: The message.
            link: The settings of its link.
            known: The names of the actors, for the report.
        """
        header = received.message.Header
        if header.Dst in self._own_names or not _is_from_peer_to_part(received, link):
            return
        name = header.Dst[:MAX_NAME_CHARACTERS]
        if name not in self._told and len(self._told) < MAX_NAMES:
            self._told.add(name)
        trouble = name if name in self._told else ""
        details = f"process_message got it; actors: {known}"
        told = self._rate.told(time.monotonic(), trouble, details)
        if told is not None:
            what = f"a {header.MessageType} for {name!r}, whom nobody knows"
            self._report(f"link '{link.link_name}': {what}", told, False)


def _is_from_peer_to_part(received: ReceivedMessage, link: LinkSettings) -> bool:
    """Whether the peer sent it to this node, and addressed it further.

    What was heard on other topics, a program has subscribed to for reasons of its own.
    """
    own_topics = link_filter(link.peer_name, link.subscription_name).removesuffix("#")
    is_further = received.message.Header.Dst != link.subscription_name
    return is_further and received.packet.topic.startswith(own_topics)
