"""What an MQTT client tells of itself, as messages: for programs that take them from a queue.

Inside a node they travel in the envelope of every message; they never go over a broker.
"""

import base64
from typing import Annotated, Any, Literal

from pydantic import BaseModel, PlainSerializer

from gwproactor.wire.envelope import Message

NO_ERROR = 0
NO_CONNECTION = 4
"""paho's MQTT_ERR_SUCCESS and MQTT_ERR_NO_CONN, which programs compare with."""


class MQTTClientsPayload(BaseModel):
    """Something happened to a client.

    Args:
        client_name: The client, or the link.
        userdata: Nothing here; kept for programs that look for it.
    """

    client_name: str
    userdata: Any = None


class MQTTMessageModel(BaseModel):
    """A PUBLISH that came.

    Args:
        timestamp: When, monotonic seconds.
        topic: On which topic.
        payload: Its payload; base64 in JSON.
        qos: The QoS it was delivered with.
        retain: Whether the broker had kept it.
    """

    timestamp: float = 0.0
    topic: str
    payload: Annotated[
        bytes, PlainSerializer(lambda b: base64.b64encode(b).decode(), when_used="json")
    ]
    qos: int = 0
    retain: bool = False


class MQTTReceiptPayload(MQTTClientsPayload):
    """A PUBLISH came."""

    message: MQTTMessageModel
    TypeName: Literal["gwproactor.mqtt.receipt"] = "gwproactor.mqtt.receipt"


class MQTTSubackPayload(MQTTClientsPayload):
    """A SUBACK came.

    Args:
        mid: Which SUBSCRIBE it answers.
        granted_qos: The reason codes, in the order of the filters.
        num_pending_subscriptions: How many filters are not answered yet.
    """

    mid: int = 0
    granted_qos: tuple[int, ...] = ()
    num_pending_subscriptions: int = 0
    TypeName: Literal["gwproactor.mqtt.suback"] = "gwproactor.mqtt.suback"


class MQTTConnectPayload(MQTTClientsPayload):
    """A connection was made."""

    flags: dict[str, int] = {}
    rc: int = 0
    TypeName: Literal["gwproactor.mqtt.connect"] = "gwproactor.mqtt.connect"


class MQTTConnectFailPayload(MQTTClientsPayload):
    """An attempt to connect failed.

    Args:
        reason: Why, in words and without a secret.
    """

    reason: str = ""
    TypeName: Literal["gwproactor.mqtt.connect.fail"] = "gwproactor.mqtt.connect.fail"


class MQTTDisconnectPayload(MQTTClientsPayload):
    """A connection is gone.

    Args:
        rc: 0 where it was ended on this side.
        reason: Why, in words.
    """

    rc: int = 0
    reason: str = ""
    TypeName: Literal["gwproactor.mqtt.disconnect"] = "gwproactor.mqtt.disconnect"


def notice(payload: MQTTClientsPayload) -> Message[Any]:
    """The message that carries a notice: from the client, to nobody in particular."""
    return Message[Any](Src=payload.client_name, Payload=payload)
