from typing import Any

import pytest
from pydantic import ValidationError

from gwproactor.wire.envelope import Header, Message
from gwproactor.wire.payloads import Ack, Ping, ProblemEvent, ProblemType


def test_the_header_is_taken_from_the_payload() -> None:
    event = ProblemEvent(Src="d1.scada", ProblemType=ProblemType.error, Summary="s")
    header = Message[Any](Dst="a", Payload=event).Header
    assert header == Header(
        Src="d1.scada", Dst="a", MessageType=event.TypeName, MessageId=event.MessageId
    )


def test_what_is_given_wins_over_the_payload() -> None:
    ping = Ping()
    message = Message[Any](Src="a", Dst="b", MessageId="other", AckRequired=True, Payload=ping)
    assert (message.Header.MessageId, message.Header.AckRequired) == ("other", True)


def test_single_fields_win_over_a_given_header() -> None:
    header = Header(Src="a", Dst="b", MessageType="t")
    assert Message[Any](Header=header, Dst="c", Payload={}).Header == header.model_copy(
        update={"Dst": "c"}
    )


def test_a_mapping_fills_the_header_too() -> None:
    message = Message[Any](Payload={"Src": "a", "TypeName": "t", "MessageId": "i"})
    assert (message.src(), message.message_type(), message.Header.MessageId) == ("a", "t", "i")


def test_no_sender_is_an_error() -> None:
    with pytest.raises(ValidationError, match="Src"):
        Message[Any](Dst="b", Payload=Ack(AckMessageID="i"))


def test_the_topic_of_a_message() -> None:
    message = Message[Any](Src="d1.scada", Dst="a", Payload=Ping())
    assert message.mqtt_topic() == "gw/d1-scada/to/a/gridworks-ping"
    assert (message.src(), message.dst(), message.type_name()) == ("d1.scada", "a", "gw")
