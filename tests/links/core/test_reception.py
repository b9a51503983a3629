"""What is a message of the peer, and what is not."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwproactor.links.core.link_core import MessageKind
from gwproactor.links.core.reception import Received, Reception, Refusal
from gwproactor.links.transport import ReceivedPacket
from gwproactor.wire.codec import WireCodec
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import ACK, Ping
from gwproactor.wire.payloads import PING as PING_TYPE
from gwproactor.wire.topics import encode_topic
from gwproactor_test.link_pair import CHILD_SHORT, PARENT, child_settings

CODEC = WireCodec()
RECEPTION = Reception(child_settings(max_payload_bytes=1024), CODEC, lambda _: False)
TOPIC = encode_topic(PARENT, CHILD_SHORT, "gridworks.ping")
PING = CODEC.encode(Message[Ping](Src=PARENT, Dst=CHILD_SHORT, AckRequired=True, Payload=Ping()))


def refusal(packet: ReceivedPacket) -> Refusal:
    read = RECEPTION.read(packet)
    assert isinstance(read, Refusal)
    return read


def test_a_message_is_read() -> None:
    read = RECEPTION.read(ReceivedPacket(TOPIC, PING))
    assert isinstance(read, Received)
    assert read.kind is MessageKind.ping
    assert read.ack_required
    assert read.message_id == read.message.Header.MessageId
    assert read.message.Header.Src == PARENT


def test_the_filter_covers_the_topics() -> None:
    assert RECEPTION.topic_filter == "gw/d1-parent/to/c/#"


@pytest.mark.parametrize(
    "topic",
    ["", "other", "gw/d1-parent/to/cc/x", "gw/d1-stranger/to/c/gridworks-ping", "\ufffd"],
)
def test_a_strangers_topic(topic: str) -> None:
    assert "none of this link's" in refusal(ReceivedPacket(topic, PING)).what


def test_a_retained_message() -> None:
    assert "retained" in refusal(ReceivedPacket(TOPIC, PING, retain=True)).what


def test_a_payload_that_is_too_long() -> None:
    assert "1025 bytes" in refusal(ReceivedPacket(TOPIC, b" " * 1025)).details


@pytest.mark.parametrize("sender", ["d1-parent", "d1.stranger", ""])
def test_a_message_of_another_sender(sender: str) -> None:
    """`d1-parent` and `d1.parent` have the same topics."""
    ping = CODEC.encode(Message[Ping](Src=sender, Dst=CHILD_SHORT, Payload=Ping()))
    refused = refusal(ReceivedPacket(TOPIC, ping))
    assert "another sender" in refused.what
    assert repr(sender) in refused.details


def test_kinds_of_faults_are_told_apart() -> None:
    unknown = PING.replace(b"gridworks.ping", b"my.type")
    topic = encode_topic(PARENT, CHILD_SHORT, "my.type")
    stranger = PING.replace(PARENT.encode(), b"d1-parent")
    packets = [(topic, unknown), (TOPIC, b"garbage"), (TOPIC, stranger)]
    kinds = {refusal(ReceivedPacket(topic, payload)).what for topic, payload in packets}
    assert len(kinds) == 3


def test_a_codec_may_raise_anything() -> None:
    class Raising:
        def encode(self, content: object, /) -> bytes:
            raise NotImplementedError

        def decode(self, topic: str, payload: bytes, /) -> object:
            raise ZeroDivisionError("z" * 10_000)

    read = Reception(child_settings(), Raising(), lambda _: False).read(ReceivedPacket(TOPIC, PING))
    assert isinstance(read, Refusal)
    assert "ZeroDivisionError" in read.details
    assert len(read.details) < 1500


class Returning:
    """A codec of an application that makes of every packet what the test says."""

    def __init__(self, message: object) -> None:
        self.message = message

    def encode(self, content: object, /) -> bytes:
        raise NotImplementedError

    def decode(self, topic: str, payload: bytes, /) -> object:
        return self.message


def made(payload: object = None, **header: object) -> SimpleNamespace:
    """A message with a header, of which a field that is given as `...` is missing."""
    fields = {"Src": PARENT, "MessageId": "m", "AckRequired": True, "MessageType": "x", **header}
    kept = {name: value for name, value in fields.items() if value is not ...}
    return SimpleNamespace(Header=SimpleNamespace(**kept), Payload=payload)


@pytest.mark.parametrize(
    "message",
    [
        None,
        made(Src=...),
        made(Src=["d1.parent"]),
        made(MessageId=...),
        made(MessageId=None),
        made(MessageId="\ud800"),
        made(MessageId="x" * 257),
        made(MessageType=...),
        made(AckRequired=...),
        made(AckRequired="no"),
        made(MessageType=PING_TYPE, MessageId="\ud800"),
        made(MessageType=ACK),
        made({"AckMessageID": "m"}, MessageType=ACK),
        made(SimpleNamespace(AckMessageID=["m"]), MessageType=ACK),
        made(SimpleNamespace(AckMessageID="\ud800"), MessageType=ACK),
    ],
)
def test_a_codec_may_return_anything(message: object) -> None:
    read = Reception(child_settings(), Returning(message), lambda _: False).read(
        ReceivedPacket(TOPIC, PING)
    )
    assert isinstance(read, Refusal)


def test_what_the_link_uses_is_taken_from_any_object() -> None:
    ack = made(SimpleNamespace(AckMessageID="acked"), MessageType=ACK, AckRequired=False)
    read = Reception(child_settings(), Returning(ack), lambda _: False).read(
        ReceivedPacket(TOPIC, b"")
    )
    assert isinstance(read, Received)
    assert read[:3] == (MessageKind.ack, "acked", False)


def test_long_topics_are_cut_in_reports() -> None:
    assert len(refusal(ReceivedPacket("t" * 65_535, b"")).details) < 300


@given(st.one_of(st.just(TOPIC), st.text()), st.binary(max_size=2000))
def test_nothing_raises(topic: str, payload: bytes) -> None:
    assert isinstance(RECEPTION.read(ReceivedPacket(topic, payload)), Received | Refusal)
