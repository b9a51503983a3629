"""What one link is: who the peer is, where it is met, how patient we are."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from gwproactor.config.mqtt import MQTTClient, broker_from_url
from gwproactor.wire.timing import (
    DEFAULT_ACK_TIMEOUT_SECONDS,
    DEFAULT_POLL_SECONDS,
    SHORTEST_SECONDS,
)
from gwproactor.wire.topics import FORBIDDEN_IN_LEVELS

DEFAULT_MAX_PAYLOAD_BYTES = 1024 * 1024
"""Longest payload accepted from the broker: far above any event, far below any memory."""


def checked_name(name: str) -> str:
    """Return `name`, or raise ValueError when it cannot be one level of an MQTT topic."""
    if not name.strip("."):
        raise ValueError("a name cannot be empty, nor of dots only; example: d1.site.scada")
    if FORBIDDEN_IN_LEVELS.search(name):
        raise ValueError(
            f"the name {name!r} holds white space or one of / + #, or a character that a"
            " topic level cannot hold;"
            " example: d1.site.scada"
        )
    return name


def checked_short_name(name: str) -> str:
    """Return `name`, or raise ValueError when it is not one word."""
    if "." in name:
        raise ValueError(f"the short name {name!r} must be one word without dots; example: s")
    return checked_name(name)


class LinkSettings(BaseModel):
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
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: str = ""
    peer_name: str
    peer_short_name: str
    subscription_name: str
    upstream: bool = False
    downstream: bool = False
    brokers: tuple[MQTTClient, ...] = Field(default=(MQTTClient(),), min_length=1)
    ack_timeout_seconds: float = Field(
        default=DEFAULT_ACK_TIMEOUT_SECONDS, ge=SHORTEST_SECONDS, le=3600, allow_inf_nan=False
    )
    poll_seconds: float = Field(
        default=DEFAULT_POLL_SECONDS, ge=SHORTEST_SECONDS, le=86400, allow_inf_nan=False
    )
    max_payload_bytes: int = Field(default=DEFAULT_MAX_PAYLOAD_BYTES, ge=1024)

    @field_validator("brokers", mode="before")
    @classmethod
    def _urls_are_brokers(cls, value: object) -> object:
        if isinstance(value, str):
            raise ValueError('brokers is a list; example: ["mqtt://localhost:1883"]')  # noqa: TRY004
        if not isinstance(value, list | tuple):
            return value
        return tuple(broker_from_url(item) if isinstance(item, str) else item for item in value)

    @field_validator("peer_name")
    @classmethod
    def _peer_name_is_a_name(cls, value: str) -> str:
        return checked_name(value)

    @field_validator("peer_short_name", "subscription_name")
    @classmethod
    def _short_names_are_words(cls, value: str) -> str:
        return checked_short_name(value)

    @model_validator(mode="after")
    def _one_direction(self) -> Self:
        if self.upstream and self.downstream:
            raise ValueError("a link is upstream or downstream, not both")
        return self

    @property
    def link_name(self) -> str:
        """The name by which this node knows the link."""
        return self.name or self.peer_name
