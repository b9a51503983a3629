"""What is a message of the peer, and what is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwproactor.links.reception import Reception, Refusal
from gwproactor.links.transport import ReceivedPacket
from gwproactor.wire.codec import WireCodec
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import Ping
from gwproactor.wire.topics import encode_topic
from gwproactor_test.link_pair import CHILD_SHORT, PARENT, child_settings

CODEC = WireCodec()
RECEPTION = Reception(child_settings(max_payload_bytes=1024), CODEC)
TOPIC = encode_topic(PARENT, CHILD_SHORT, "gridworks.ping")
PING = CODEC.encode(Message[Ping](Src=PARENT, Dst=CHILD_SHORT, AckRequired=True, Payload=Ping()))


def refusal(packet: ReceivedPacket) -> Refusal:
    read = RECEPTION.read(packet)
    assert isinstance(read, Refusal)
    return read


def test_a_message_is_read() -> None:
    read = RECEPTION.read(ReceivedPacket(TOPIC, PING))
    assert isinstance(read, Message)
    assert read.Header.Src == PARENT


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

    read = Reception(child_settings(), Raising()).read(ReceivedPacket(TOPIC, PING))
    assert isinstance(read, Refusal)
    assert "ZeroDivisionError" in read.details
    assert len(read.details) < 1500


def test_long_topics_are_cut_in_reports() -> None:
    assert len(refusal(ReceivedPacket("t" * 65_535, b"")).details) < 300


@given(st.one_of(st.just(TOPIC), st.text()), st.binary(max_size=2000))
def test_nothing_raises(topic: str, payload: bytes) -> None:
    assert isinstance(RECEPTION.read(ReceivedPacket(topic, payload)), Message | Refusal)
