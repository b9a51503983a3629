import json
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel

from gwproactor.errors import DecodingError, UsageError, WireError
from gwproactor.wire.codec import WireCodec, encode_event, parse_event, parse_json_object
from gwproactor.wire.envelope import Header, Message
from gwproactor.wire.payloads import (
    KNOWN_PAYLOADS,
    Ack,
    AnyEvent,
    Ping,
    ProblemEvent,
    ProblemType,
    is_event_type,
)

CAPTURE = Path(__file__).parent.parent / "data" / "peer-capture.txt"
CAPTURED = [line.split(" ", 1) for line in CAPTURE.read_text().splitlines() if line]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


STARTUP = {
    "TypeName": "gridworks.event.startup",
    "MessageId": "a",
    "TimeCreatedMs": 1,
    "Src": "d1.p",
}


def envelope(payload: Any, topic_type: str | None = None, **header: Any) -> tuple[str, bytes]:
    """Topic and bytes of a message as a peer `d1.p` would send it to `s`."""
    fields = {
        "Src": "d1.p",
        "Dst": "s",
        "MessageType": payload.get("TypeName", ""),
        "MessageId": payload.get("MessageId", ""),
        "TypeName": "gridworks.header",
    } | header
    content = {"Header": fields, "Payload": payload, "TypeName": "gw"}
    type_level = (topic_type or fields["MessageType"]).replace(".", "-")
    return f"gw/d1-p/to/s/{type_level}", json.dumps(content).encode()


@pytest.mark.parametrize(("topic", "payload"), CAPTURED)
def test_a_captured_message_is_read_and_written_byte_for_byte(topic: str, payload: str) -> None:
    codec = WireCodec()
    message = codec.decode(topic, payload.encode())
    assert codec.encode(message).decode() == payload
    assert message.mqtt_topic() == topic


def test_the_capture_is_there() -> None:
    assert len(CAPTURED) == 16


@pytest.mark.parametrize("topic_payload", [c for c in CAPTURED if "event" in c[0]])
def test_an_event_is_enveloped_without_parsing_it_again(topic_payload: list[str]) -> None:
    topic, payload = topic_payload
    fields = json.loads(payload)
    header, body = (
        fields["Header"],
        payload[payload.index('"Payload":') + 10 : -len(',"TypeName":"gw"}')],
    )
    assert encode_event(
        header["Src"], header["Dst"], header["MessageId"], header["MessageType"], body.encode()
    ) == (topic, payload.encode())


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), JSON))
@example({"AckRequired": []})
@example({"Dst": 5})
def test_an_unknown_event_keeps_all_its_fields(extra: dict[str, Any]) -> None:
    fields = extra | {
        "MessageId": "i",
        "TimeCreatedMs": 1,
        "Src": "d1.p",
        "TypeName": "gridworks.event.anything.new",
    }
    codec = WireCodec()
    message = codec.decode(*envelope(fields))
    assert isinstance(message.Payload, AnyEvent)
    assert json.loads(codec.encode(message))["Payload"] == fields


def test_a_known_event_keeps_fields_of_a_newer_version() -> None:
    event = ProblemEvent(Src="d1.p", ProblemType=ProblemType.warning, Summary="s")
    fields = event.model_dump(mode="json") | {"Version": "002", "New": [1]}
    message = WireCodec().decode(*envelope(fields))
    assert isinstance(message.Payload, ProblemEvent)
    assert message.Payload.model_dump(mode="json") == fields


@given(st.binary(max_size=200))
def test_garbage_is_a_wire_error(payload: bytes) -> None:
    with pytest.raises(WireError):
        WireCodec().decode("gw/d1-p/to/s/gridworks-ping", payload)


@given(JSON, st.sampled_from([cls.model_fields["TypeName"].default for cls in KNOWN_PAYLOADS]))
def test_any_json_is_a_message_or_a_wire_error(value: Any, type_name: str) -> None:
    fields = value | {"TypeName": type_name} if isinstance(value, dict) else {"TypeName": type_name}
    for topic, payload in (envelope(fields), ("gw/a/to/b/c", json.dumps(value).encode())):
        try:
            message = WireCodec().decode(topic, payload)
        except WireError:
            continue
        assert message.Payload.TypeName == type_name


@pytest.mark.parametrize(
    ("topic_and_payload", "said"),
    [
        (envelope({"TypeName": "my.type"}), "no payload class for TypeName 'my.type'"),
        (envelope({"TypeName": "gridworks.ping"}, topic_type="gridworks.ack"), "topic says"),
        (envelope({"TypeName": "gridworks.ack"}, MessageType="gridworks.ping"), "payload's Type"),
        (envelope({"TypeName": "gridworks.ack"}), "Payload.AckMessageID"),
        (envelope({"TypeName": "gridworks.ack", "AckMessageID": ""}), "Payload.AckMessageID"),
        (envelope({"TypeName": "gridworks.ping", "MessageId": "i" * 300}), "at most 256"),
        (envelope(STARTUP, MessageId="other"), "differs"),
        (envelope(STARTUP | {"TimeCreatedMs": "12"}), "Payload.TimeCreatedMs"),
        (envelope(STARTUP | {"TimeCreatedMs": 1.5}), "Payload.TimeCreatedMs"),
        (envelope({"TypeName": "gridworks.ping"}, Src=3), "Header.Src"),
        (("gw/a/to/b/c", b'{"Header": 1}'), "Header"),
        (("gw/a/to/b/c", b"[1]"), "an array"),
        (("gw/a/to/b/c", b"1e400"), "not JSON"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(topic_and_payload: tuple[str, bytes], said: str) -> None:
    with pytest.raises(DecodingError, match=said):
        WireCodec().decode(*topic_and_payload)


def test_header_fields_that_are_not_given_are_taken_from_the_payload() -> None:
    ping = {"TypeName": "gridworks.ping", "MessageId": "i", "AckRequired": True, "Dst": "s"}
    content = {"Header": {"Src": "d1.p"}, "Payload": ping, "TypeName": "gw"}
    message = WireCodec().decode("gw/d1-p/to/s/gridworks-ping", json.dumps(content).encode())
    assert message.Header == Header(
        Src="d1.p", Dst="s", MessageType="gridworks.ping", MessageId="i", AckRequired=True
    )


def test_header_fields_that_are_given_stay() -> None:
    ping = {"TypeName": "gridworks.ping", "MessageId": "i", "AckRequired": True, "Src": "x"}
    message = WireCodec().decode(*envelope(ping, MessageId="j", AckRequired=False))
    header = message.Header
    assert (header.Src, header.MessageId, header.AckRequired) == ("d1.p", "j", False)


def test_a_header_that_nothing_can_fill_is_refused() -> None:
    content = b'{"Header": {}, "Payload": 3, "TypeName": "gw"}'
    with pytest.raises(DecodingError, match=r"Header\.Src.*Header\.MessageType"):
        WireCodec().decode("gw/d1-p/to/s/x", content)


@pytest.mark.parametrize("field", ["MessageId", "TimeCreatedMs", "Src"])
@pytest.mark.parametrize("type_name", ["gridworks.event.startup", "gridworks.event.data"])
def test_nothing_is_invented_for_a_received_event(field: str, type_name: str) -> None:
    fields = STARTUP | {"TypeName": type_name}
    assert WireCodec().decode(*envelope(fields)).Payload.Src == "d1.p"
    del fields[field]
    with pytest.raises(DecodingError, match=f"the event has no {field}"):
        WireCodec().decode(*envelope(fields, MessageId="a"))


def test_an_input_lines_fields_are_not_read_into() -> None:
    assert parse_event({"TypeName": "gridworks.event.data"}).TimeCreatedMs > 0
    with pytest.raises(DecodingError, match=r"event\.TimeCreatedMs"):
        parse_event({"TypeName": "gridworks.event.data", "TimeCreatedMs": "12"})


def test_the_values_of_a_refused_payload_stay_out_of_the_error() -> None:
    fields = {"TypeName": "gridworks.ack", "AckMessageID": {"password": "hunter2"}}
    with pytest.raises(DecodingError) as caught:
        WireCodec().decode(*envelope(fields))
    assert "hunter2" not in str(caught.value)


def test_an_own_payload_class_is_decoded() -> None:
    class Reading(BaseModel):
        Value: float
        TypeName: Literal["my.reading"] = "my.reading"

    message = WireCodec([Reading]).decode(*envelope({"TypeName": "my.reading", "Value": 1.5}))
    assert message.Payload == Reading(Value=1.5)


def test_a_payload_class_without_type_name_is_refused() -> None:
    class Nameless(BaseModel):
        Value: float

    with pytest.raises(UsageError, match="Nameless needs a TypeName"):
        WireCodec([Nameless])


def test_what_json_cannot_hold_is_refused() -> None:
    for held in (object(), "\ud800", b"\xff", float("inf"), [float("nan")]):
        with pytest.raises(UsageError, match="cannot be sent"):
            WireCodec().encode(AnyEvent(held=held))


def test_a_text_that_speaks_of_nan_can_be_sent() -> None:
    assert b"NaN, Infinity" in WireCodec().encode(AnyEvent(held="NaN, Infinity"))


def test_bytes_pass_unchanged() -> None:
    assert WireCodec().encode(b"x") == b"x"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "not JSON"),
        (b"nonsense", "not JSON"),
        (b'{"a": NaN}', "not JSON"),
        (b'{"a": 1e400}', "not JSON"),
        (b'{"a": "\\ud800"}', "not JSON"),
        (b"\xff{}", "not JSON"),
        (b'{"a":' * 1000, "not JSON"),
        (b"3", "a number"),
        (b"null", "null"),
        (b'"x"', "a string"),
        (b"true", "true or false"),
    ],
)
def test_strict_json(text: bytes, said: str) -> None:
    with pytest.raises(DecodingError, match=said):
        parse_json_object(text)


def test_a_text_that_speaks_of_infinity_is_no_infinity() -> None:
    assert parse_json_object(b'{"a": "Infinity"}') == {"a": "Infinity"}


@given(JSON)
def test_strict_json_keeps_the_values(value: Any) -> None:
    assert parse_json_object(json.dumps({"v": value})) == {"v": value}


def test_events_are_told_by_their_type_name() -> None:
    assert is_event_type("gridworks.event.data")
    assert not is_event_type("gridworks.ping")


def test_acks_and_pings_round_trip() -> None:
    codec = WireCodec()
    for payload in (Ack(AckMessageID="i"), Ping()):
        message = Message[Any](Src="d1.p", Dst="s", Payload=payload)
        assert codec.decode(message.mqtt_topic(), codec.encode(message)) == message
        assert isinstance(message.Header, Header)
