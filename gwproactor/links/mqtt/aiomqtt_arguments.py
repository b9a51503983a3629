"""What aiomqtt's client is made with, from a broker's settings and a link's options."""

import logging
from typing import Any

import aiomqtt
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY

from gwproactor.config.mqtt import MQTTClient, MQTTVersion
from gwproactor.links.mqtt.mqtt_properties import connect_properties
from gwproactor.links.mqtt.send_backlog import MAX_IN_FLIGHT
from gwproactor.links.transport import ConnectOptions, Will

_LOGGER = logging.getLogger("gwproactor.links.aiomqtt")


def client_arguments(broker: MQTTClient, options: ConnectOptions) -> dict[str, Any]:
    """The keyword arguments of `aiomqtt.Client`."""
    v5 = broker.protocol is MQTTVersion.v5
    return {
        "hostname": broker.host,
        "port": broker.effective_port,
        "username": broker.username,
        "password": broker.password.get_secret_value() if broker.password is not None else None,
        "logger": _LOGGER,
        "identifier": broker.client_id or options.client_id,
        "protocol": aiomqtt.ProtocolVersion.V5 if v5 else aiomqtt.ProtocolVersion.V311,
        "keepalive": broker.keepalive_seconds,
        "max_inflight_messages": MAX_IN_FLIGHT,
        "will": _will(options.will),
        # paho takes the one with MQTT 5 and the other with 3.1.1
        "clean_start": options.clean_start if v5 else MQTT_CLEAN_START_FIRST_ONLY,
        "clean_session": None if v5 else options.clean_start,
        "properties": connect_properties(
            options.receive_maximum, options.max_packet_bytes, options.session_expiry_seconds
        )
        if v5
        else None,
    }


def _will(will: Will | None) -> aiomqtt.Will | None:
    return None if will is None else aiomqtt.Will(will.topic, will.payload, will.qos, will.retain)
