"""Where a received message goes: an event into the inbox, any other into a mailbox.

The mailbox is that of the actor that the message names as its receiver, or else the proactor's own.
A message that a mailbox does not take is not acknowledged, so that its sender knows.
"""

from collections.abc import Callable

from gwproactor.links.received_message import ReceivedMessage
from gwproactor.runtime.mailbox import Mailbox
from gwproactor.wire.payloads import is_event_type


class Dispatch:
    """Sorts received messages. For the event loop's thread.

    Args:
        mailbox_of: Finds the mailbox for a message.
        receive_event: Takes in an event: link's name, id, its JSON, whether it wants an ack, and
            what is to be called when it is safe.
        acknowledge: Acknowledges a message: link's name, id.
    """

    def __init__(
        self,
        mailbox_of: Callable[[ReceivedMessage], Mailbox],
        receive_event: Callable[[str, str, bytes, bool, Callable[[], None]], None],
        acknowledge: Callable[[str, str], None],
    ) -> None:
        self._mailbox_of = mailbox_of
        self._receive_event = receive_event
        self._acknowledge = acknowledge

    def take(self, received: ReceivedMessage) -> None:
        """Take a message in; it is acknowledged once it is safe or in a mailbox.

        Args:
            received: Valid, and neither ack nor ping.
        """
        header, link_name = received.message.Header, received.link_name
        if is_event_type(header.MessageType):
            payload = received.message.Payload.model_dump_json().encode()
            wants_ack = received.wants_ack
            self._receive_event(link_name, header.MessageId, payload, wants_ack, received.done)
        elif self._mailbox_of(received).take(received) and received.wants_ack:
            self._acknowledge(link_name, header.MessageId)
