"""From bytes to messages and back.

`MQTTCodec` is what a link needs; `WireCodec` is what it uses when nothing else is given. A link
tells acks, pings and events by the TypeName in the header, so a codec of another package, whose
messages have the same fields, serves as well.
"""

import functools
import json
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json, to_json

from gwproactor.errors import DecodingError, UnknownTypeError, UsageError
from gwproactor.wire.envelope import Header, Message, filled_header
from gwproactor.wire.payloads import (
    EVENT_FIELDS,
    KNOWN_PAYLOADS,
    AnyEvent,
    EventBase,
    is_event_type,
    new_message_id,
)
from gwproactor.wire.topics import ENVELOPE_TYPE, decode_topic, encode_part, encode_topic

ModelT = TypeVar("ModelT", bound=BaseModel)

_SHOWN_ERRORS = 3
"""So many faults of one payload are named: enough to find the cause, short enough for a log."""


_ANY_ID = new_message_id()
"""Stands for the id where an envelope is prepared: a text that nothing else contains."""

_Envelope = Message[Any]
"""Looked up once: each time it is written, pydantic searches for the class that it made of it."""

_KNOWN_EVENTS = {
    cls.model_fields["TypeName"].default: cls
    for cls in KNOWN_PAYLOADS
    if issubclass(cls, EventBase)
}


class MQTTCodec(Protocol):
    """Turns a link's messages into payloads and back."""

    def encode(self, content: Any, /) -> bytes:
        """The payload that carries `content`: a message, or bytes that are sent as they are."""
        ...

    def decode(self, topic: str, payload: bytes, /) -> Any:
        """The message in `payload`; raises any exception when there is none."""
        ...


class WireCodec:
    """The codec of the wire format.

    Args:
        payloads: Further payload classes; each stands for the default of its `TypeName` field.

    Raises:
        UsageError: A payload class has no default for `TypeName`.
    """

    def __init__(self, payloads: Iterable[type[BaseModel]] = ()) -> None:
        self._classes = {type_name_of(cls): cls for cls in (*KNOWN_PAYLOADS, *payloads)}

    def encode(self, content: BaseModel | bytes) -> bytes:
        """The UTF-8 JSON of a message; bytes pass unchanged.

        Raises:
            UsageError: The message holds what JSON cannot.
        """
        if isinstance(content, bytes):
            return content
        try:
            text = to_json(content, inf_nan_mode="constants")
            if b"NaN" in text or b"Infinity" in text:
                from_json(text, allow_inf_nan=False)
        except (TypeError, ValueError) as error:
            raise UsageError(f"the message cannot be sent: {error}") from None
        return text

    def decode(self, topic: str, payload: bytes) -> Message[Any]:
        """Read a message and check that its topic says the same.

        Raises:
            TopicError: The topic is not one of a link's.
            UnknownTypeError: No payload class stands for its TypeName.
            DecodingError: The payload is no envelope, or of another type than it says.
        """
        parts = decode_topic(topic)
        fields = parse_json_object(payload)
        header = _header_of(fields)
        if fields.get("TypeName") != ENVELOPE_TYPE:
            raise DecodingError(f"the envelope's TypeName is not {ENVELOPE_TYPE!r}")
        if encode_part(header.MessageType) != encode_part(parts.message_type):
            raise DecodingError(
                f"the topic says {parts.message_type!r}, the envelope {header.MessageType!r}"
            )
        model = self._payload(header, fields.get("Payload"))
        return _Envelope.model_construct(Header=header, Payload=model, TypeName="gw")

    def _payload(self, header: Header, fields: object) -> BaseModel:
        cls = self._classes.get(header.MessageType)
        if cls is None:
            if not is_event_type(header.MessageType):
                raise UnknownTypeError(f"no payload class for TypeName {header.MessageType!r}")
            cls = AnyEvent
        if not isinstance(fields, dict) or fields.get("TypeName") != header.MessageType:
            raise DecodingError(f"the payload's TypeName is not {header.MessageType!r}")
        if is_event_type(header.MessageType):
            refuse_incomplete(fields)
        model = _validated(cls, fields, "Payload")
        if isinstance(model, EventBase) and model.MessageId != header.MessageId:
            raise DecodingError("the event's MessageId differs from the header's")
        return model


def refuse_incomplete(fields: Mapping[str, Any]) -> None:
    """Raise DecodingError for an event that does not say what only its maker knows."""
    missing = [field for field in EVENT_FIELDS if field not in fields]
    if missing:
        raise DecodingError(f"the event has no {' and no '.join(missing)}")


def _header_of(envelope: Mapping[str, Any]) -> Header:
    """The header, with what it lacks and the payload has."""
    given = envelope.get("Header")
    if isinstance(given, dict):
        given = filled_header(given, envelope.get("Payload"))
    return _validated(Header, given, "Header")


def parse_event(fields: Mapping[str, Any]) -> EventBase:
    """The event that these fields make: of its known class, or an `AnyEvent`.

    Raises:
        DecodingError: They make none; the message names the field.
    """
    cls = _KNOWN_EVENTS.get(str(fields.get("TypeName")), AnyEvent)
    return _validated(cls, fields, "event")


@functools.lru_cache(maxsize=256)
def type_name_of(payload: type[BaseModel]) -> str:
    """The TypeName that a payload class stands for.

    Raises:
        UsageError: The class has no string as the default of a field `TypeName`.
    """
    field = payload.model_fields.get("TypeName")
    if field is None or not isinstance(field.default, str):
        raise UsageError(
            f"{payload.__name__} needs a TypeName field with a default,"
            ' as in TypeName: Literal["my.type"] = "my.type"'
        )
    return field.default


def encode_event(
    source: str, destination: str, event_id: str, type_name: str, payload_json: bytes
) -> tuple[str, bytes]:
    """Topic and envelope of an event whose JSON is at hand, without parsing it again.

    Args:
        source: Long name of the sending node.
        destination: Short name of the receiving node.
        event_id: The event's MessageId.
        type_name: The event's TypeName.
        payload_json: The event itself.
    """
    topic, before_id, before_payload = _envelope_of_events(source, destination, type_name)
    envelope = b'%b%b%b%b,"TypeName":"gw"}' % (
        before_id,
        to_json(event_id),
        before_payload,
        payload_json,
    )
    return topic, envelope


@functools.lru_cache(maxsize=256)
def _envelope_of_events(source: str, destination: str, type_name: str) -> tuple[str, bytes, bytes]:
    """The topic of such events, and their envelope: up to the id, and from there to the event."""
    header = Header(
        Src=source, Dst=destination, MessageType=type_name, MessageId=_ANY_ID, AckRequired=True
    )
    envelope = b'{"Header":%b,"Payload":' % header.model_dump_json().encode()
    before_id, before_payload = envelope.split(to_json(_ANY_ID))
    return encode_topic(source, destination, type_name), before_id, before_payload


def parse_json_object(text: bytes | str) -> dict[str, Any]:
    """Read one JSON object strictly: no NaN, no infinity, no half characters, bounded depth.

    Raises:
        DecodingError: It is no such object; the message says where it goes wrong.
    """
    try:
        value = from_json(text, allow_inf_nan=False)
        _refuse_overflow(value)
    except ValueError as error:
        raise DecodingError(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise DecodingError(f"not a JSON object, but {_json_name(value)}")
    return value


def _refuse_overflow(value: object) -> None:
    """Raise ValueError for a number too large for a double, such as 1e400.

    It reads as infinity, which JSON cannot carry on. The quick look spares nearly every message
    the slow one.
    """
    if b"Infinity" in to_json(value, inf_nan_mode="constants"):
        json.dumps(value, allow_nan=False)


def _validated(cls: type[ModelT], fields: object, place: str) -> ModelT:
    try:
        return cls.model_validate(fields)
    except ValidationError as error:
        faults = [
            ".".join((place, *map(str, fault["loc"])))
            + ": "
            + fault["msg"].removeprefix("Value error, ")
            for fault in error.errors(include_input=False, include_url=False)[:_SHOWN_ERRORS]
        ]
        raise DecodingError("; ".join(faults)) from None


def _json_name(value: object) -> str:
    names = {list: "an array", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
