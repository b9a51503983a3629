"""Batches: many events in one message, and one answer for all of them; see docs/batches.md.

A peer that takes batches says so by a user property on its pings and acks, which MQTT 3.1.1 cannot
carry, so that a plain peer never sees a byte that it does not know. A batch is text in lines: an
envelope, and behind it the JSON of each event as it was stored, never parsed on the way out. Its
answer names the batch, and those events of it that were not taken.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, Field

from gwproactor.errors import DecodingError
from gwproactor.wire.codec import WireCodec, parse_event, parse_json_object, refuse_incomplete
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import MAX_ID_CHARACTERS

BATCH: Literal["gwproactor.batch"] = "gwproactor.batch"
BATCH_ANSWER: Literal["gwproactor.batch.ack"] = "gwproactor.batch.ack"

ANNOUNCEMENT = "gwproactor-batch"
"""Name of the user property by which a node says that it takes batches."""

MAX_BATCH_COUNT = 1000
"""Events in one batch: their answer is still short, and a loss repeats no more than a moment."""

MAX_BATCH_BYTES = 256 * 1024
"""Half a second on a slow uplink; below what any broker is set to refuse."""

_ANNOUNCED = re.compile(r"1;(\d{1,9});(\d{1,9})")


class BatchLimits(NamedTuple):
    """What a node takes in one batch.

    Attributes:
        max_count: Events.
        max_bytes: Bytes of the whole payload.
    """

    max_count: int
    max_bytes: int

    @property
    def announcement(self) -> tuple[str, str]:
        """The user property that says so."""
        return ANNOUNCEMENT, f"1;{self.max_count};{self.max_bytes}"


def announced_limits(user_properties: Iterable[tuple[str, str]]) -> BatchLimits | None:
    """What the sender of a ping or an ack takes; None where it takes no batches that we know.

    Args:
        user_properties: Of the packet. Of several announcements the first that is understood
            counts, so that later versions can be announced beside this one.
    """
    for name, value in user_properties:
        match = _ANNOUNCED.fullmatch(value) if name == ANNOUNCEMENT else None
        if match is not None and int(match[1]) and int(match[2]):
            return BatchLimits(int(match[1]), int(match[2]))
    return None


class EventBatch(BaseModel):
    """The first line of a batch; the events stand in the lines behind it."""

    MessageId: str = Field(min_length=1, max_length=MAX_ID_CHARACTERS)
    TypeName: Literal["gwproactor.batch"] = BATCH


class BatchAnswer(BaseModel):
    """Acknowledges all events of a batch but the refused ones.

    Args:
        AckMessageID: The id of the batch.
        Refused: Which of its events were not taken, counted from 0; ascending.
    """

    AckMessageID: str = Field(min_length=1, max_length=MAX_ID_CHARACTERS)
    Refused: list[Annotated[int, Field(ge=0, strict=True)]] = Field(
        default_factory=list, max_length=MAX_BATCH_COUNT
    )
    TypeName: Literal["gwproactor.batch.ack"] = BATCH_ANSWER


class BatchedEvent(NamedTuple):
    """One event of a received batch.

    Attributes:
        event_id: Its id; empty where it is no event.
        payload: Its JSON.
        fault: Why it is no event; empty where it is one.
    """

    event_id: str
    payload: bytes
    fault: str = ""


_CODEC = WireCodec((EventBatch, BatchAnswer))


def join_batch(envelope: bytes, events: Sequence[bytes]) -> bytes:
    """The payload of a batch.

    Args:
        envelope: The message whose payload is an `EventBatch`.
        events: The JSON of each event, in one line without its newline.
    """
    return b"\n".join((envelope, *events))


def decode_batch(
    topic: str, payload: bytes, limits: BatchLimits
) -> tuple[Message[Any], list[BatchedEvent]]:
    """Read a batch: its envelope and its events, those included that are none.

    Raises:
        TopicError: See `WireCodec.decode`.
        DecodingError: It is no batch, or a larger one than was announced.
    """
    if len(payload) > limits.max_bytes:
        raise DecodingError(f"a batch of {len(payload)} bytes; at most {limits.max_bytes}")
    envelope, *lines = payload.split(b"\n", limits.max_count + 1)
    if len(lines) > limits.max_count:
        raise DecodingError(f"a batch of more than {limits.max_count} events")
    return _CODEC.decode(topic, envelope), [_event_of(line) for line in lines]


def decode_answer(topic: str, payload: bytes) -> Message[Any]:
    """Read the answer to a batch.

    Raises:
        TopicError: See `WireCodec.decode`.
        DecodingError: It is none.
    """
    return _CODEC.decode(topic, payload)


def _event_of(line: bytes) -> BatchedEvent:
    try:
        fields = parse_json_object(line)
        refuse_incomplete(fields)
        event = parse_event(fields)
    except DecodingError as error:
        return BatchedEvent("", line, str(error))
    return BatchedEvent(event.MessageId, line)
