"""Events as they are kept and sent: checked by the sender as the peer will check them.

An event that the peer refuses would be sent again and again, and stand in the way of the others. So
it is refused here, where its maker can still be told. Pure.
"""

from pydantic import BaseModel

from gwproactor.config.link import LinkSettings
from gwproactor.errors import UsageError, WireError
from gwproactor.wire.codec import WireCodec, encode_event
from gwproactor.wire.payloads import EVENT_PREFIX, EventBase, is_event_type

_PEERS_CODEC = WireCodec()
"""Reads events as any peer does."""


def event_payload(event: EventBase, source: str, upstream: LinkSettings) -> bytes:
    """The JSON of an event for the upstream peer, in UTF-8.

    Args:
        event: The event; its `Src` is `source` where it has none.
        source: Long name of this node.
        upstream: The link that it is to go over.

    Raises:
        UsageError: It is no event, or one that JSON cannot hold or the peer must refuse.
    """
    _refuse_what_is_no_event(event)
    if not event.Src:
        event = event.model_copy(update={"Src": source})
    payload = _json_of(event)
    _refuse_unsendable(event, payload, source, upstream)
    return payload


def _refuse_what_is_no_event(event: object) -> None:
    """Raise UsageError for anything but a model with the texts that every event has."""
    texts = (getattr(event, name, None) for name in ("MessageId", "Src", "TypeName"))
    if not isinstance(event, BaseModel) or not all(isinstance(text, str) for text in texts):
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
    way of the others for ever. It costs some 20 us.
    """
    type_name, destination = event.TypeName, upstream.peer_short_name
    if not is_event_type(type_name):
        raise UsageError(f"the TypeName of an event begins with {EVENT_PREFIX}, not {type_name!r}")
    try:
        topic, envelope = encode_event(source, destination, event.MessageId, type_name, payload)
        _PEERS_CODEC.decode(topic, envelope)
    except (WireError, ValueError) as error:
        raise UsageError(f"the event cannot be sent: {error}") from None
    if len(envelope) > upstream.max_payload_bytes:
        raise UsageError(
            f"the event is too large: {len(envelope)} bytes in its envelope,"
            f" of at most {upstream.max_payload_bytes} (max_payload_bytes of the link)"
        )
