"""What one link is: who the peer is, where it is met, how patient we are."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    field_validator,
    model_validator,
)

from gwproactor.config.mqtt import URL_EXAMPLE, MQTTClient, MQTTVersion, broker_from_url
from gwproactor.config.table import Table
from gwproactor.wire.filters import checked_filter, is_shared, is_topic_name
from gwproactor.wire.timing import (
    DEFAULT_ACK_TIMEOUT_SECONDS,
    DEFAULT_POLL_SECONDS,
    SHORTEST_SECONDS,
)
from gwproactor.wire.topics import FORBIDDEN_IN_LEVELS

DEFAULT_MAX_PAYLOAD_BYTES = 1024 * 1024
"""Longest payload accepted from the broker: far above any event, far below any memory."""


LONGEST_PACKET_BYTES = 268_435_455
"""No packet can be longer (MQTT 5, section 2.1.4)."""

FOR_EVER_SECONDS = 0xFFFFFFFF
"""A session expiry that stands for none (MQTT 5, section 3.1.2.11.2)."""

MAX_RECONNECT_DELAYS = 1000
"""Delays read from an iterable, which may be endless; the last one repeats."""


def checked_name(name: str) -> str:
    """Return `name`, or raise ValueError when it cannot be one level of an MQTT topic."""
    if not name.strip("."):
        raise ValueError("a name cannot be empty, nor of dots only")
    if FORBIDDEN_IN_LEVELS.search(name):
        raise ValueError(
            "the name holds white space or one of / + #, or a character that a topic level"
            " cannot hold"
        )
    return name


def checked_short_name(name: str) -> str:
    """Return `name`, or raise ValueError when it is not one word."""
    if "." in name:
        raise ValueError("a short name must be one word without dots")
    return checked_name(name)


def _checked_topic(topic: str) -> str:
    if not is_topic_name(topic):
        raise ValueError("it is no topic that can be published on")
    return topic


def _checked_filter(topic_filter: str) -> str:
    try:
        return checked_filter(topic_filter)
    except ValueError as error:
        fault, _, _ = str(error).partition(";")  # without its example: the field has one
        raise ValueError(fault.replace(repr(topic_filter), "it")) from None


class WillSettings(Table):
    """What the broker publishes when this node's connection ends without a goodbye.

    Args:
        topic: Where.
        payload: What, as text or bytes.
        qos: With which QoS.
        retain: Whether the broker keeps it for later subscribers.
    """

    topic: Annotated[str, AfterValidator(_checked_topic)] = Field(examples=["site/status"])
    payload: bytes = Field(default=b"", max_length=65535)
    qos: int = Field(default=0, ge=0, le=2)
    retain: bool = False


class TopicSettings(Table):
    """One topic filter that a link subscribes to besides its own.

    Args:
        filter: The topic filter; `$share/GROUP/FILTER` shares its messages with a group.
        qos: The highest QoS at which the broker is to deliver; the link's when not given.
    """

    filter: Annotated[str, AfterValidator(_checked_filter)] = Field(examples=["site/+/reading"])
    qos: int | None = Field(default=None, ge=0, le=2)


def _from_url(value: object) -> object:
    return broker_from_url(value) if isinstance(value, str) else value


def _from_filter(value: object) -> object:
    return {"filter": value} if isinstance(value, str) else value


_Broker = Annotated[MQTTClient, BeforeValidator(_from_url), Field(examples=[URL_EXAMPLE])]

_Topic = Annotated[TopicSettings, BeforeValidator(_from_filter), Field(examples=["site/+/reading"])]


class LinkSettings(Table):
    """One link: a conversation with one peer over one of several brokers.

    Args:
        name: This node's name for the link; the peer's long name when not given.
        peer_name: Long name of the peer, dotted, globally unique.
        peer_short_name: Short name of the peer: what we address it by.
        subscription_name: This node's own short name: what the peer addresses us by.
        upstream: The peer is where this node's events go. At most one link of a node.
        downstream: The peer is where events come from.
        brokers: Brokers to try, in this order; a URL stands for its broker.
        ack_timeout_seconds: How long the peer may take to acknowledge a message.
        poll_seconds: A ping goes out after so long without sending or without receiving.
        max_payload_bytes: Longer payloads from the broker are refused.
        qos: The QoS of the link's subscription, and of messages and events that are sent. Acks and
            pings always travel with QoS 0: kept by a broker for later, they would say nothing true.
        topics: Further topic filters to subscribe to; a text stands for its filter.
        strict_sender: Only messages that name `peer_name` as their sender say that the peer is
            there; otherwise any valid message on the link's topics does.
        session_expiry_seconds: How long the broker keeps the session, with the messages of QoS 1
            and 2 that come meanwhile, after the connection; 0 for a clean session each time. With
            MQTT 3.1.1 there is no expiry: 0 or 4294967295 (for ever).
        receive_maximum: Messages of QoS 1 and 2 that the broker may have under way to this node,
            not yet processed. MQTT 5 only; 64 when not given.
        message_expiry_seconds: How long brokers keep a message that is sent for a peer that is
            away. MQTT 5 only; for ever when not given.
        will: What the broker publishes when the connection ends without a goodbye.
        reconnect_delays_seconds: Seconds to wait before each round of attempts to connect; any
            iterable, of which at most 1000 are read and the last repeats. The delays of
            `gwproactor.links.reconnect_delays` when not given.
        prefer_working_broker: After a connection that was a success, begin with its broker;
            otherwise with the first.
        presence: Tell a second node with the same client id by a presence record, which is written
            only after connections were lost in quick succession.
    """

    name: str = Field(default="", examples=["parent"])
    peer_name: Annotated[str, AfterValidator(checked_name)] = Field(examples=["d1.site"])
    peer_short_name: Annotated[str, AfterValidator(checked_short_name)] = Field(examples=["p"])
    subscription_name: Annotated[str, AfterValidator(checked_short_name)] = Field(examples=["s"])
    upstream: bool = False
    downstream: bool = False
    brokers: tuple[_Broker, ...] = Field(
        default=(MQTTClient(),), min_length=1, examples=[[URL_EXAMPLE]]
    )
    ack_timeout_seconds: float = Field(
        default=DEFAULT_ACK_TIMEOUT_SECONDS, ge=SHORTEST_SECONDS, le=3600, allow_inf_nan=False
    )
    poll_seconds: float = Field(
        default=DEFAULT_POLL_SECONDS, ge=SHORTEST_SECONDS, le=86400, allow_inf_nan=False
    )
    max_payload_bytes: int = Field(
        default=DEFAULT_MAX_PAYLOAD_BYTES, ge=1024, le=LONGEST_PACKET_BYTES
    )
    qos: int = Field(default=0, ge=0, le=2)
    topics: tuple[_Topic, ...] = Field(default=(), examples=[["site/+/reading"]])
    strict_sender: bool = True
    session_expiry_seconds: int = Field(default=0, ge=0, le=FOR_EVER_SECONDS)
    receive_maximum: int | None = Field(default=None, ge=1, le=65535, examples=[64])
    message_expiry_seconds: int | None = Field(default=None, ge=0, le=0xFFFFFFFF, examples=[3600])
    will: WillSettings | None = None
    reconnect_delays_seconds: tuple[Annotated[float, Field(ge=0, le=86400)], ...] | None = Field(
        default=None, min_length=1
    )
    prefer_working_broker: bool = False
    presence: bool = True

    @field_validator("reconnect_delays_seconds", mode="before")
    @classmethod
    def _any_iterable_of_seconds(cls, value: object) -> object:
        if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
            return value
        return tuple(islice(value, MAX_RECONNECT_DELAYS))

    @model_validator(mode="after")
    def _one_direction(self) -> Self:
        if self.upstream and self.downstream:
            raise ValueError("a link is upstream or downstream, not both")
        return self

    @model_validator(mode="after")
    def _what_mqtt_311_lacks(self) -> Self:
        old = [str(broker) for broker in self.brokers if broker.protocol is MQTTVersion.v311]
        lacking = list(self._needs_mqtt_5()) if old else []
        if lacking:
            raise ValueError(
                f"{' and '.join(lacking)}: MQTT 3.1.1 cannot do that, and {old[0]} is set to it;"
                " leave the setting out, or set the broker's protocol to 5"
            )
        return self

    def _needs_mqtt_5(self) -> Iterable[str]:
        if self.session_expiry_seconds not in (0, FOR_EVER_SECONDS):
            yield (
                f"session_expiry_seconds = {self.session_expiry_seconds}"
                f" (there it is 0 or {FOR_EVER_SECONDS}, for ever)"
            )
        if self.receive_maximum is not None:
            yield "receive_maximum"
        if self.message_expiry_seconds is not None:
            yield "message_expiry_seconds"
        for topic in self.topics:
            if is_shared(topic.filter):
                yield f"the shared subscription {topic.filter!r}"

    @property
    def keeps_session(self) -> bool:
        """Whether the broker keeps the session from one connection to the next."""
        return self.session_expiry_seconds > 0

    @property
    def link_name(self) -> str:
        """The name by which this node knows the link."""
        return self.name or self.peer_name
