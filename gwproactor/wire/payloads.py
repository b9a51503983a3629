"""The payloads that every node knows.

They are recognised by `TypeName`, never by class, so that messages made by another package with
the same type names are understood as well.
"""

import os
import time
import uuid
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gwproactor.wire.topics import FORBIDDEN_IN_LEVELS

ACK: Literal["gridworks.ack"] = "gridworks.ack"
PING: Literal["gridworks.ping"] = "gridworks.ping"
EVENT_PREFIX = "gridworks.event"
"""A payload whose TypeName begins so is an event, known or not."""

DEFAULT_EVENT_TYPE = "gridworks.event.data"

MAX_TYPE_CHARACTERS = 256
"""Longest TypeName of an event: far above any in use, far below what a topic can hold."""

MAX_ID_CHARACTERS = 256
"""Longest message id: seven times a uuid's text, and short enough to remember a million."""


_IDS_AT_ONCE = 256
"""Ids made from one look at the system's randomness, which costs more than all the rest of them."""

_fresh_ids: list[str] = []

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_fresh_ids.clear)  # else both would use the same ids


def new_message_id() -> str:
    """A fresh message id, uuid4 as text. From any thread."""
    try:
        return _fresh_ids.pop()
    except IndexError:
        random_bytes = os.urandom(16 * _IDS_AT_ONCE)
        _fresh_ids.extend(
            str(uuid.UUID(bytes=random_bytes[start : start + 16], version=4))
            for start in range(16, len(random_bytes), 16)
        )
        return str(uuid.UUID(bytes=random_bytes[:16], version=4))


def now_ms() -> int:
    """The wall clock in UTC milliseconds: for timestamps, never for durations."""
    return time.time_ns() // 1_000_000


class Ack(BaseModel):
    """Acknowledges one message; never acknowledged itself."""

    AckMessageID: str = Field(min_length=1, max_length=MAX_ID_CHARACTERS)
    TypeName: Literal["gridworks.ack"] = ACK


class Ping(BaseModel):
    """Keep-alive, and the first message after subscribing. Travels with AckRequired."""

    MessageId: str = Field(default_factory=new_message_id, max_length=MAX_ID_CHARACTERS)
    TypeName: Literal["gridworks.ping"] = PING


class EventBase(BaseModel):
    """What every event has. Fields that a class does not know are kept.

    What an event that is made here does not say of itself is filled in; one that is received must
    have said it. Numbers must be finite: an infinity or NaN is refused when the event is handed in.

    Args:
        MessageId: Identifies the event for ever; the receiver delivers it once.
        TimeCreatedMs: When it was created, UTC milliseconds; a text of digits is refused.
        Src: Long name of the node where it was created.
        TypeName: Begins with `gridworks.event`.
    """

    # Written as NaN, which is no JSON, they are noticed; as null they would be a lie.
    model_config = ConfigDict(extra="allow", ser_json_inf_nan="constants")

    MessageId: str = Field(
        default_factory=new_message_id, min_length=1, max_length=MAX_ID_CHARACTERS
    )
    TimeCreatedMs: int = Field(default_factory=now_ms, strict=True)
    Src: str = ""
    TypeName: str


def _checked_event_type(type_name: str) -> str:
    """Return it, or raise ValueError: it becomes a level of a topic, and says what it is."""
    if not is_event_type(type_name) or FORBIDDEN_IN_LEVELS.search(type_name):
        raise ValueError(
            f"the TypeName of an event begins with {EVENT_PREFIX} and holds no white space,"
            " no control character and none of / + #"
        )
    return type_name


class AnyEvent(EventBase):
    """An event of a type that has no class of its own here."""

    TypeName: Annotated[str, AfterValidator(_checked_event_type)] = Field(
        default=DEFAULT_EVENT_TYPE, max_length=MAX_TYPE_CHARACTERS
    )


class StartupEvent(EventBase):
    """The node has started."""

    TypeName: Literal["gridworks.event.startup"] = "gridworks.event.startup"


class ShutdownEvent(EventBase):
    """The node stops, and why."""

    TypeName: Literal["gridworks.event.shutdown"] = "gridworks.event.shutdown"
    Reason: str
    Version: str = "001"


class ProblemType(StrEnum):
    """How bad a problem is."""

    error = "error"
    warning = "warning"


class ProblemEvent(EventBase):
    """Something went wrong, in one line and in full."""

    TypeName: Literal["gridworks.event.problem"] = "gridworks.event.problem"
    ProblemType: ProblemType
    Summary: str
    Details: str = ""
    Version: str = "001"


class CommEvent(EventBase):
    """A link's comm state changed; `PeerName` is the link's name at the sender."""

    PeerName: str
    Version: str = "001"


class MQTTConnectEvent(CommEvent):
    """The link's broker accepted the connection."""

    TypeName: Literal["gridworks.event.comm.mqtt.connect"] = "gridworks.event.comm.mqtt.connect"


class MQTTConnectFailedEvent(CommEvent):
    """No connection to the link's broker could be made."""

    TypeName: Literal["gridworks.event.comm.mqtt.connect.failed"] = (
        "gridworks.event.comm.mqtt.connect.failed"
    )


class MQTTDisconnectEvent(CommEvent):
    """The connection to the link's broker was lost."""

    TypeName: Literal["gridworks.event.comm.mqtt.disconnect"] = (
        "gridworks.event.comm.mqtt.disconnect"
    )


class MQTTFullySubscribedEvent(CommEvent):
    """Every subscription of the link is acknowledged."""

    TypeName: Literal["gridworks.event.comm.mqtt.fully.subscribed"] = (
        "gridworks.event.comm.mqtt.fully.subscribed"
    )


class ResponseTimeoutEvent(CommEvent):
    """The peer did not answer in time, or fell silent."""

    TypeName: Literal["gridworks.event.comm.response.timeout"] = (
        "gridworks.event.comm.response.timeout"
    )


class PeerActiveEvent(CommEvent):
    """The link became active."""

    TypeName: Literal["gridworks.event.comm.peer.active"] = "gridworks.event.comm.peer.active"


KNOWN_PAYLOADS: tuple[type[BaseModel], ...] = (
    Ack,
    Ping,
    StartupEvent,
    ShutdownEvent,
    ProblemEvent,
    MQTTConnectEvent,
    MQTTConnectFailedEvent,
    MQTTDisconnectEvent,
    MQTTFullySubscribedEvent,
    ResponseTimeoutEvent,
    PeerActiveEvent,
)
"""Every payload class of this module that stands for one TypeName."""


EVENT_FIELDS = ("MessageId", "TimeCreatedMs", "Src")
"""What a received event says of itself, besides its TypeName: nobody else can know."""


def is_event_type(type_name: str) -> bool:
    """Whether a payload of this TypeName is an event."""
    return type_name.startswith(EVENT_PREFIX)
