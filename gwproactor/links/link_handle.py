"""What a link is, how it stands, and what it has been through: what all parts of `Link` share."""

from gwproactor.config.link import LinkSettings
from gwproactor.config.mqtt import MQTTVersion
from gwproactor.errors import NotRunningError, UsageError
from gwproactor.links.conversation import Conversation
from gwproactor.links.core.link_history import LinkHistory
from gwproactor.links.core.link_state import LinkState, StateName
from gwproactor.links.link_message_times import LinkMessageTimes
from gwproactor.wire.codec import MQTTCodec


class LinkHandle:
    """One link, to be looked at. For the loop only, as all that is derived from it.

    Args:
        settings: The link's settings.
        codec: Turns messages into payloads and back.
    """

    _conversation: Conversation

    def __init__(self, settings: LinkSettings, codec: MQTTCodec) -> None:
        self._settings = settings
        self._codec = codec
        self._history = LinkHistory()

    @property
    def name(self) -> str:
        """The name by which this node knows the link."""
        return self._settings.link_name

    @property
    def settings(self) -> LinkSettings:
        """What the link was told."""
        return self._settings

    @property
    def state(self) -> StateName:
        """The present comm state."""
        return self._conversation.core.state

    @property
    def active(self) -> bool:
        """Whether the peer is known to be there: all four conditions hold."""
        return self._conversation.core.active

    @property
    def history(self) -> LinkHistory:
        """What the link has been through; to be read."""
        return self._history

    @property
    def codec(self) -> MQTTCodec:
        """What turns messages into payloads and back."""
        return self._codec

    @property
    def link_state(self) -> LinkState:
        """The state machine; to be read, and changed by the link alone."""
        return self._conversation.core.link_state

    @property
    def message_times(self) -> LinkMessageTimes:
        """When the link last sent and received, as a snapshot."""
        times = self._conversation.core.times
        return LinkMessageTimes(times.last_send, times.last_recv, last_ping=times.last_ping)

    @property
    def num_acks(self) -> int:
        """How many acks the link waits for."""
        return self._conversation.core.num_acks

    def _require_not_stopped(self) -> None:
        if self.state is StateName.stopped:
            raise NotRunningError(f"link '{self.name}' is stopped")

    def _require_mqtt_5(self, what: str) -> None:
        for broker in self._settings.brokers:
            if broker.protocol is not MQTTVersion.v5:
                raise UsageError(
                    f"{what} needs MQTT 5, and {broker} is set to {broker.protocol.value};"
                    " set its protocol to 5"
                )
