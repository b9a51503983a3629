"""Events as they are kept and sent: checked by the sender as the peer will check them.

An event that the peer refuses would be sent again and again, and stand in the way of the others. So
it is refused here, where its maker can still be told. Pure.
"""

import functools

from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from gwproactor.config.link import LinkSettings
from gwproactor.errors import DecodingError, UsageError, WireError
from gwproactor.wire.codec import (
    encode_event,
    parse_event,
    parse_json_object,
    refuse_incomplete,
)
from gwproactor.wire.payloads import EVENT_PREFIX, EventBase, is_event_type


def event_payload(event: EventBase, source: str, upstream: LinkSettings) -> bytes:
    """The JSON of an event for the upstream peer, in UTF-8.

    Args:
        event: The event; its `Src` becomes `source` where it has none, as in the reference.
        source: Long name of this node.
        upstream: The link that it is to go over.

    Raises:
        UsageError: It is no event, or one that JSON cannot hold or the peer must refuse.
    """
    _refuse_what_is_no_event(event)
    if not event.Src:
        event = _with_source(event, source)
    payload = _json_of(event)
    _refuse_unsendable(event, payload, source, upstream)
    return payload


def _with_source(event: EventBase, source: str) -> EventBase:
    """The event with its source; a copy where it is frozen."""
    try:
        event.Src = source
    except ValidationError:
        return event.model_copy(update={"Src": source})
    return event


def _refuse_what_is_no_event(event: object) -> None:
    """Raise UsageError for anything but a model with the texts that every event has."""
    if not (
        isinstance(event, BaseModel)
        and isinstance(getattr(event, "MessageId", None), str)
        and isinstance(getattr(event, "Src", None), str)
        and isinstance(getattr(event, "TypeName", None), str)
    ):
        raise UsageError(f"{type(event).__name__} is no event: make it an AnyEvent or an EventBase")


def _json_of(event: EventBase) -> bytes:
    """The event's JSON; raises UsageError when it holds what JSON cannot."""
    try:
        return event.model_dump_json().encode()
    except (TypeError, ValueError) as error:
        raise UsageError(f"the event cannot be sent: {error}") from None


def _refuse_unsendable(
    event: EventBase, payload: bytes, source: str, upstream: LinkSettings
) -> None:
    """Raise UsageError for an event that the peer would refuse again and again.

    The event is read here as the peer reads it: one that is never acknowledged would stand in the
    way of the others for ever. It costs some 5 us.
    """
    if not is_event_type(event.TypeName):
        raise UsageError(
            f"the TypeName of an event begins with {EVENT_PREFIX}, not {event.TypeName!r}"
        )
    try:
        _read_as_the_peer(event, payload)
    except (WireError, ValueError) as error:
        raise UsageError(f"the event cannot be sent: {error}") from None
    envelope_bytes = _envelope_bytes(source, upstream.peer_short_name, event.TypeName)
    size_bytes = envelope_bytes + len(to_json(event.MessageId)) + len(payload)
    if size_bytes > upstream.max_payload_bytes:
        raise UsageError(
            f"the event is too large: {size_bytes} bytes in its envelope,"
            f" of at most {upstream.max_payload_bytes} (max_payload_bytes of the link)"
        )


def _read_as_the_peer(event: EventBase, payload: bytes) -> None:
    fields = parse_json_object(payload)
    refuse_incomplete(fields)
    read = parse_event(fields)
    if (read.MessageId, read.TypeName) != (event.MessageId, event.TypeName):
        raise DecodingError("its JSON has another MessageId or TypeName than itself")


@functools.lru_cache(maxsize=256)
def _envelope_bytes(source: str, destination: str, type_name: str) -> int:
    """How long the envelope of an event is, without its id and its payload."""
    _topic, envelope = encode_event(source, destination, "", type_name, b"")
    return len(envelope) - len(b'""')
