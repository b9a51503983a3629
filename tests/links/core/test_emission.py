"""What a link sends, held against what the other end's codec reads."""

import pytest

from gwproactor.errors import UsageError
from gwproactor.events.store import StoredEvent
from gwproactor.links.core.emission import Emission, Outgoing
from gwproactor.links.transport import PLAIN
from gwproactor.wire.codec import WireCodec
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import Ack, AnyEvent, Ping
from gwproactor_test.link_pair import CHILD, PARENT_SHORT, child_settings

CODEC = WireCodec()
EMISSION = Emission(CHILD, child_settings(), CODEC)


def read(outgoing: Outgoing) -> Message[object]:
    message: Message[object] = CODEC.decode(outgoing.topic, outgoing.payload)
    assert message.Header.Src == CHILD
    assert message.Header.Dst == PARENT_SHORT
    assert message.Header.AckRequired is (outgoing.awaited_id is not None)
    if outgoing.awaited_id is not None:
        assert message.Header.MessageId == outgoing.awaited_id
    return message


def test_ping() -> None:
    outgoing = EMISSION.ping()
    message = read(outgoing)
    assert isinstance(message.Payload, Ping)
    assert message.Payload.MessageId == outgoing.awaited_id


def test_ack() -> None:
    outgoing = EMISSION.ack("id")
    assert read(outgoing).Payload == Ack(AckMessageID="id")
    assert outgoing.awaited_id is None


def test_an_ack_of_what_is_no_id() -> None:
    with pytest.raises(UsageError, match="id"):
        EMISSION.ack("\ud800")


def test_message_keeps_the_id_of_its_payload() -> None:
    payload = AnyEvent(Src=CHILD)
    assert EMISSION.message(payload, PLAIN, ack_required=True).awaited_id == payload.MessageId
    assert EMISSION.message(payload, PLAIN, ack_required=False).awaited_id is None


def test_message_without_an_id_gets_one_where_an_ack_is_wanted() -> None:
    assert EMISSION.message(Ack(AckMessageID="x"), PLAIN, ack_required=True).awaited_id
    assert (
        read(EMISSION.message(Ack(AckMessageID="x"), PLAIN, ack_required=False)).Header.MessageId
        == ""
    )


def test_a_message_to_an_actor_of_the_peer_travels_on_the_links_topic() -> None:
    plain = EMISSION.message(Ack(AckMessageID="x"), PLAIN, ack_required=False)
    outgoing = EMISSION.message(
        Ack(AckMessageID="x"), PLAIN, ack_required=False, receiver="relay.1"
    )
    assert outgoing.topic == plain.topic
    assert CODEC.decode(outgoing.topic, outgoing.payload).Header.Dst == "relay.1"


def test_event_bytes_pass_unchanged() -> None:
    payload = AnyEvent(Src=CHILD).model_dump_json().encode()
    event_id = AnyEvent.model_validate_json(payload).MessageId
    outgoing = EMISSION.event(StoredEvent(1, event_id, payload))
    assert payload in outgoing.payload
    assert outgoing.awaited_id == event_id
    assert read(outgoing).Payload == AnyEvent.model_validate_json(payload)


@pytest.mark.parametrize("payload", [b"", b"no json", b"{}", b"[]", b"1", b'{"TypeName": 1}'])
def test_what_is_stored_and_is_no_event(payload: bytes) -> None:
    with pytest.raises(UsageError):
        EMISSION.event(StoredEvent(1, "id", payload))
