"""The envelope of every message: a header that routes it, and the payload.

Inside a node and on the wire a message has the same shape, `{"Header", "Payload", "TypeName"}`;
only the names in the header differ: actors inside, nodes outside.
"""

from collections.abc import Mapping
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, model_validator

from gwproactor.wire.topics import ENVELOPE_TYPE, encode_topic

PayloadT = TypeVar("PayloadT")

_HEADER_FIELDS_OF_PAYLOAD = {
    "Src": "Src",
    "Dst": "Dst",
    "MessageType": "TypeName",
    "MessageId": "MessageId",
    "AckRequired": "AckRequired",
}
"""Header field -> the payload field that fills it where it is not given."""


class Header(BaseModel):
    """Who sends what to whom.

    Args:
        Src: Sender: long name on the wire, actor name inside a node.
        Dst: Receiver: short name on the wire, actor name inside a node.
        MessageType: TypeName of the payload; selects its class.
        MessageId: What an ack refers to; empty where none is wanted.
        AckRequired: Whether the receiver must acknowledge once it has accepted the message.
        TypeName: Always `gridworks.header`.
        Version: Version of the header.
    """

    Src: str
    Dst: str = ""
    MessageType: str
    MessageId: str = ""
    AckRequired: bool = False
    TypeName: Literal["gridworks.header"] = "gridworks.header"
    Version: str = "001"


_Header = Header  # the field of the same name hides the class inside Message


class Message(BaseModel, Generic[PayloadT]):
    """A payload with its header.

    `Message(Src="a", Dst="b", Payload=payload)` builds the header: each header field that is
    not given is taken from the payload where that has a field of its name (TypeName for
    MessageType). A whole `Header` may be given instead, or too: single fields win over it.

    Args:
        Header: The header.
        Payload: Any value; on the wire a model with a `TypeName`.
        TypeName: Always `gw`.
    """

    Header: _Header
    Payload: PayloadT
    TypeName: Literal["gw"] = "gw"

    def __init__(self, header: _Header | None = None, /, **fields: Any) -> None:
        if header is not None:
            fields["Header"] = header
        super().__init__(**fields)

    @model_validator(mode="before")
    @classmethod
    def _build_header(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or "Payload" not in data:
            return data
        values = dict(data)
        given = values.get("Header")
        header = given.model_dump() if isinstance(given, BaseModel) else dict(given or {})
        single = {name: values.pop(name) for name in _HEADER_FIELDS_OF_PAYLOAD if name in values}
        return {**values, "Header": filled_header(header | single, values["Payload"])}

    def message_type(self) -> str:
        """The TypeName of the payload, from the header."""
        return self.Header.MessageType

    def src(self) -> str:
        """The sender."""
        return self.Header.Src

    def dst(self) -> str:
        """The receiver."""
        return self.Header.Dst

    @classmethod
    def type_name(cls) -> str:
        """The TypeName of every envelope."""
        return ENVELOPE_TYPE

    def mqtt_topic(self) -> str:
        """The topic on which this message travels."""
        return encode_topic(self.src(), self.dst(), self.message_type())


def filled_header(given: Mapping[str, Any], payload: object) -> dict[str, Any]:
    """The fields of a header; each that is not given is taken from the payload, where it has it.

    Args:
        given: The fields that are given.
        payload: The payload, as a model or as the fields of one.
    """
    if given.keys() >= _HEADER_FIELDS_OF_PAYLOAD.keys():
        return dict(given)  # as nearly all that come
    found = {
        field: _field_of(payload, payload_field)
        for field, payload_field in _HEADER_FIELDS_OF_PAYLOAD.items()
        if field not in given
    }
    return {**given, **{field: value for field, value in found.items() if value is not None}}


def _field_of(payload: object, name: str) -> object:
    """The payload's field; one of that name that means something else is not there."""
    value = payload.get(name) if isinstance(payload, Mapping) else getattr(payload, name, None)
    return value if isinstance(value, bool if name == "AckRequired" else str) else None
