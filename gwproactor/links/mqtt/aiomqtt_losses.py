"""Why a connection is gone, in words."""

from paho.mqtt.client import DisconnectFlags
from paho.mqtt.reasoncodes import ReasonCode

from gwproactor.config.mqtt import MQTTClient
from gwproactor.errors import ConnectionLostError
from gwproactor.links.core.connack import hint_at_reference
from gwproactor.links.mqtt.dialing import socket_error_in_words


def lost_error(broker: MQTTClient, reason: OSError | None) -> ConnectionLostError:
    """What everybody gets who uses a connection that is gone."""
    return ConnectionLostError(f"{broker}: {socket_error_in_words(reason) if reason else 'closed'}")


def reason_of_loss(
    flags: DisconnectFlags, reason_code: ReasonCode, server_reference: str
) -> OSError:
    """Why the connection ended, as paho tells it."""
    if flags.is_disconnect_packet_from_server:
        hint = hint_at_reference(server_reference)
        return ConnectionResetError(f"the broker said DISCONNECT: {reason_code}{hint}")
    return ConnectionAbortedError(f"the connection failed: {reason_code}")
