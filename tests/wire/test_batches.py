"""Batches on the wire: what is written is read, and what is none is refused in words."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwproactor.errors import DecodingError, WireError
from gwproactor.wire.batches import (
    ANNOUNCEMENT,
    BatchAnswer,
    BatchLimits,
    EventBatch,
    announced_limits,
    decode_answer,
    decode_batch,
    join_batch,
)
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import AnyEvent

SPECIFICATION = Path(__file__).parents[2] / "docs" / "batches.md"
LIMITS = BatchLimits(10, 100_000)
TOPIC = "gw/d1-p/to/s/gwproactor-batch"
ANSWER_TOPIC = "gw/d1-p/to/s/gwproactor-batch-ack"

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def envelope(payload: EventBatch | BatchAnswer) -> bytes:
    message = Message[Any](Src="d1.p", Dst="s", AckRequired=True, Payload=payload)
    return message.model_dump_json().encode()


def batch_of(*lines: bytes, batch_id: str = "b") -> bytes:
    return join_batch(envelope(EventBatch(MessageId=batch_id)), lines)


def line(event_id: str = "e", **fields: Any) -> bytes:
    return (
        AnyEvent(MessageId=event_id, TimeCreatedMs=1, Src="d1.p", **fields)
        .model_dump_json()
        .encode()
    )


@given(st.lists(st.tuples(texts.filter(bool), texts), min_size=1, max_size=10))
def test_what_is_written_is_read(events: list[tuple[str, str]]) -> None:
    lines = [line(event_id, Text=text) for event_id, text in events]
    message, read = decode_batch(TOPIC, batch_of(*lines), LIMITS)
    assert (message.Header.MessageId, message.Header.Src) == ("b", "d1.p")
    assert [tuple(event) for event in read] == [
        (event_id, text, "") for (event_id, _), text in zip(events, lines, strict=True)
    ]


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"{",
        b"[]",
        b'{"MessageId": "e"}',
        line("e").replace(b'"e"', b'""'),
        line("e").replace(b'"e"', b'"' + b"e" * 257 + b'"'),
        line("e").replace(b"gridworks.event", b"gridworks.other"),
        line("e").replace(b'"TimeCreatedMs":1', b'"TimeCreatedMs":"1"'),
        line("e", Value=1).replace(b":1}", b":1e999}"),
        b"\xff",
    ],
    ids=str,
)
def test_a_line_that_is_no_event_is_named_and_the_others_are_read(bad: bytes) -> None:
    _, read = decode_batch(TOPIC, batch_of(line("before"), bad, line("after")), LIMITS)
    assert [event.event_id for event in read] == ["before", "", "after"]
    assert [bool(event.fault) for event in read] == [False, True, False]


def test_a_batch_larger_than_was_announced_is_refused() -> None:
    with pytest.raises(DecodingError, match="more than 10 events"):
        decode_batch(TOPIC, batch_of(*[line()] * 11), LIMITS)
    with pytest.raises(DecodingError, match="at most 300"):
        decode_batch(TOPIC, batch_of(line(Text="x" * 300)), BatchLimits(10, 300))


def test_a_batch_on_another_topic_is_none() -> None:
    with pytest.raises(WireError):
        decode_batch("gw/d1-p/to/s/gridworks-ping", batch_of(line()), LIMITS)


@given(st.binary(max_size=300))
def test_whatever_comes_is_read_or_refused(payload: bytes) -> None:
    with pytest.raises(WireError):
        decode_batch(TOPIC, payload, LIMITS)
    with pytest.raises(WireError):
        decode_answer(ANSWER_TOPIC, payload)


@given(st.sets(st.integers(0, 999), max_size=20))
def test_an_answer_is_read(refused: set[int]) -> None:
    answer = BatchAnswer(AckMessageID="b", Refused=sorted(refused))
    message = decode_answer(ANSWER_TOPIC, envelope(answer))
    assert message.Payload == answer


@pytest.mark.parametrize("refused", [[-1], [1.5], ["1"], [0] * 1001, None, {}])
def test_an_answer_with_impossible_places_is_refused(refused: object) -> None:
    text = envelope(BatchAnswer(AckMessageID="b")).decode()
    text = text.replace('"Refused":[]', f'"Refused":{json.dumps(refused)}')
    with pytest.raises(DecodingError):
        decode_answer(ANSWER_TOPIC, text.encode())


@given(st.integers(1, 10**9 - 1), st.integers(1, 10**9 - 1))
def test_what_is_announced_is_understood(count: int, size_bytes: int) -> None:
    limits = BatchLimits(count, size_bytes)
    assert announced_limits([("other", "x"), limits.announcement]) == limits


@pytest.mark.parametrize(
    "value",
    ["", "1", "1;5", "2;5;5", "1;5;5;5", "1;0;5", "1;5;0", "1;-5;5", "1;5;9999999999", " 1;5;5"],
)
def test_what_is_no_announcement_says_nothing(value: str) -> None:
    assert announced_limits([(ANNOUNCEMENT, value)]) is None
    assert announced_limits([(ANNOUNCEMENT, value), (ANNOUNCEMENT, "1;5;6")]) == BatchLimits(5, 6)


def examples() -> dict[str, str]:
    """The blocks of the specification, by the heading word that follows the fence."""
    text = SPECIFICATION.read_text(encoding="utf-8")
    return dict(re.findall(r"```(batch|answer|property)\n(.*?)\n```", text, re.DOTALL))


def test_the_examples_of_the_specification_are_read() -> None:
    found = examples()
    assert announced_limits([tuple(found["property"].split(": "))]) == BatchLimits(1000, 262144)  # type: ignore[list-item]
    topic, _, payload = found["batch"].partition("\n")
    message, events = decode_batch(topic, payload.encode(), LIMITS)
    assert message.Header.MessageId == "7c9c1ce5-4b0a-4a0e-9d53-0a2e6a8e51f1"
    assert [(event.event_id[:4], event.fault) for event in events] == [("0d5c", ""), ("f1b3", "")]
    topic, _, payload = found["answer"].partition("\n")
    assert decode_answer(topic, payload.encode()).Payload == BatchAnswer(
        AckMessageID=message.Header.MessageId, Refused=[1]
    )
    assert (
        join_batch(envelope_like(message), [event.payload for event in events])
        == found["batch"].partition("\n")[2].encode()
    )


def envelope_like(message: Message[Any]) -> bytes:
    return message.model_dump_json().encode()
