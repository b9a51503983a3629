"""The links of a node, asked and told by their names: what the threaded predecessor's names mean.

A `LinkSet` gives out `Link` objects, which are what a new program uses. A program that was written
for the predecessor knows links by their names only, so here is each thing that can be done with a
`Link` as a method that takes the name. An unknown name is a `CommLinkMissing`.

What such a program once had to tell of its links (`process_mqtt_connected` and the like) is a mere
confirmation here (`confirmations`).
"""

from typing import Any

from result import Ok, Result

from gwproactor.errors import UsageError
from gwproactor.links.core.acks import AckWaitInfo
from gwproactor.links.core.link_manager_transition import LinkManagerTransition
from gwproactor.links.core.link_state import (
    CONNECTED_STATES,
    CommStateResult,
    InvalidCommStateInput,
    LinkState,
    StateName,
    TransitionName,
)
from gwproactor.links.core.link_states import CommLinkMissing
from gwproactor.links.core.subscriptions import QOS
from gwproactor.links.link import Link
from gwproactor.links.link_message_times import LinkMessageTimes
from gwproactor.links.link_set import LinkSet
from gwproactor.links.manager.confirmations import (
    confirmed,
    confirmed_loss,
    confirmed_timeout,
    taken,
)
from gwproactor.links.manager.mqtt_notices import (
    NO_CONNECTION,
    NO_ERROR,
    MQTTConnectFailPayload,
    MQTTConnectPayload,
    MQTTDisconnectPayload,
    MQTTReceiptPayload,
    MQTTSubackPayload,
)
from gwproactor.links.sent_messages import SentMessage
from gwproactor.wire.codec import MQTTCodec
from gwproactor.wire.envelope import Message


class NamedLinks(LinkSet):
    """The set of links of one node, by their names. For the event loop's thread."""

    def __getitem__(self, name: str) -> Link:
        """That link; raises CommLinkMissing where there is none."""
        return self._known(name)

    # What there is, and how it stands

    def link(self, name: str) -> LinkState | None:
        """The state machine of that link, to be read, or None."""
        return self[name].link_state if name in self else None

    def link_names(self) -> list[str]:
        """The names of all links, in the order in which they were added."""
        return [link.name for link in self]

    def link_state(self, name: str) -> StateName | None:
        """The state of that link, or None."""
        return self[name].state if name in self else None

    def stopped(self, name: str) -> bool:
        """Whether that link is stopped; an unknown one is not."""
        return self.link_state(name) is StateName.stopped

    def subscribed(self, link_name: str) -> bool:
        """Whether every subscription of that link is granted."""
        return all(status == "granted" for status in self._known(link_name).subscriptions.values())

    @property
    def upstream_client(self) -> str:
        """The name of the upstream link; empty where there is none."""
        return "" if self.upstream is None else self.upstream.name

    def num_acks(self, link_name: str) -> int:
        """How many acks that link waits for; none where there is no such link."""
        return self[link_name].num_acks if link_name in self else 0

    def get_message_times(self, link_name: str) -> LinkMessageTimes:
        """When that link last sent and received."""
        return self._known(link_name).message_times

    def update_recv_time(self, link_name: str) -> None:
        """Take the caller's word for it that a valid message came from that link's peer now."""
        self._known(link_name).heard()

    def decoder(self, link_name: str) -> MQTTCodec | None:
        """The codec of that link, or None where there is no such link."""
        return self[link_name].codec if link_name in self else None

    def decode(self, link_name: str, topic: str, payload: bytes) -> Message[Any]:
        """Read a payload as that link would; raises what its codec raises."""
        message: Message[Any] = self._known(link_name).codec.decode(topic, payload)
        return message

    # Messages

    def publish_message(
        self, client: str, message: Message[Any], qos: int = 0, context: Any = None
    ) -> SentMessage:
        """Send a message over a link, as it is; see `Link.publish`.

        Args:
            client: The link.
            message: The message; where its header has AckRequired, its ack is waited for. One
                whose header names no receiver goes to the link's peer.
            qos: The QoS to publish with.
            context: Anything to find again in what is returned, and in `ack_timeout_callback`.
        """
        link = self._known(client)
        addressed = _addressed(message, link.settings.peer_short_name)
        return link.publish(addressed, qos=qos, context=context)

    def publish_upstream(
        self, payload: Any, qos: QOS = QOS.AtMostOnce, **message_args: Any
    ) -> SentMessage:
        """Send a payload over the upstream link.

        Args:
            payload: A model with a `TypeName`.
            qos: The QoS to publish with.
            message_args: Further fields of the header.

        Raises:
            UsageError: There is no upstream link; or see `Link.publish`.
        """
        upstream = self._upstream()
        fields = {"Src": self._own_name, "Dst": upstream.settings.peer_short_name}
        message = Message[Any](**(fields | message_args), Payload=payload)
        return upstream.publish(message, qos=qos)

    def send_ack(self, link_name: str, message: Message[Any]) -> None:
        """Acknowledge a message; one without an id cannot be."""
        if message.Header.MessageId:
            self._known(link_name).acknowledge(message.Header.MessageId)

    async def send_ping(self, link_name: str) -> None:
        """Ask that link's peer for a sign of life, beside the pings that it is sent anyway."""
        await self._known(link_name).ping()

    def subscribe(self, client: str, topic: str, qos: int) -> tuple[int, int | None]:
        """Subscribe to one more topic filter; see `Link.subscribe`.

        Returns:
            0, or 4 where the link is not connected now and will ask when it is; and no number:
            `Link.subscribed` waits for the broker's answer.
        """
        link = self._known(client)
        link.subscribe(topic, qos)
        return NO_ERROR if link.state in CONNECTED_STATES else NO_CONNECTION, None

    # What a program may tell of its links

    def process_ack(self, link_name: str, message_id: str) -> None:
        """Treat a message as acknowledged by that link's peer; of an unknown one it is nothing."""
        if link_name in self:
            self[link_name].take_ack(message_id)

    def process_ack_timeout(
        self, wait_info: AckWaitInfo
    ) -> Result[LinkManagerTransition, BaseException]:
        """Confirm that an ack did not come; the link has drawn its conclusions already.

        Returns:
            Ok with the transition that followed, from a state to itself where none did or where it
            was told before; its `canceled_acks` are this wait and those that ended with it.
        """
        return Ok(confirmed_timeout(self._known(wait_info.link_name), wait_info))

    def process_mqtt_connected(self, message: Message[MQTTConnectPayload]) -> CommStateResult:
        """Confirm that a link is connected; Err where it is not."""
        link = self._known(message.Payload.client_name)
        return confirmed(link, TransitionName.mqtt_connected, must_be_connected=True)

    def process_mqtt_disconnected(
        self, message: Message[MQTTDisconnectPayload]
    ) -> Result[LinkManagerTransition, InvalidCommStateInput]:
        """Confirm that a link lost its connection; Err where it did not.

        Returns:
            Ok with the transition and its `canceled_acks`, once for each loss; where it was told
            before, from a state to itself and without any.
        """
        return confirmed_loss(self._known(message.Payload.client_name))

    def process_mqtt_connect_fail(
        self, message: Message[MQTTConnectFailPayload]
    ) -> CommStateResult:
        """Confirm that a link could not connect; Err where it is connected."""
        link = self._known(message.Payload.client_name)
        return confirmed(link, TransitionName.mqtt_connect_failed, must_be_connected=False)

    def process_mqtt_suback(self, message: Message[MQTTSubackPayload]) -> CommStateResult:
        """Confirm a SUBACK; Err where the link is not connected."""
        link = self._known(message.Payload.client_name)
        return confirmed(link, TransitionName.mqtt_suback, must_be_connected=True)

    def process_mqtt_message(self, message: Message[MQTTReceiptPayload]) -> CommStateResult:
        """Treat a packet as if it had come over that link: read, judged and handed on as any.

        Returns:
            Ok with the transition that followed, from a state to itself where none did.
        """
        return Ok(taken(self._known(message.Payload.client_name), message.Payload.message))

    # Helpers

    def _known(self, name: str) -> Link:
        if name not in self:
            raise CommLinkMissing(name)
        return super().__getitem__(name)

    def _upstream(self) -> Link:
        upstream = self.upstream
        if upstream is None:
            raise UsageError(f"{self._own_name} has no upstream link that events could go to")
        return upstream


def _addressed(message: Message[Any], receiver: str) -> Message[Any]:
    """The message, or one like it that names its receiver."""
    if message.Header.Dst:
        return message
    header = message.Header.model_copy(update={"Dst": receiver})
    return message.model_copy(update={"Header": header})
