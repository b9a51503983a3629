"""What a broker's answer to CONNECT means for the link: come again, or somebody must act. Pure.

The one place where an MQTT reason code is sorted into the two; for sockets and TLS that is
`gwproactor.links.mqtt.dialing.connect_error`.
"""

from gwproactor.config.mqtt import MQTTClient, MQTTVersion
from gwproactor.errors import ConnectFailedError, ConnectRefusedError

UNSUPPORTED_VERSION = 0x84

_SHOWN_REFERENCE_CHARACTERS = 200

_REFUSALS = {
    0x81: "it calls our CONNECT malformed",
    0x82: "it calls our CONNECT a protocol error",
    UNSUPPORTED_VERSION: "it does not speak MQTT {version}",
    0x85: "it does not accept the client id {client_id!r}; choose another (--client-id)",
    0x86: "login refused (bad user name or password); check user and password",
    0x87: "login refused (not authorized); check user, password and the broker's access rules",
    0x8A: "this client is banned there",
    0x8C: "it wants another authentication method than user and password",
    0x90: "it refuses the topic of our will",
    0x95: "it calls our CONNECT too large",
    0x99: "it refuses the payload of our will",
    0x9A: "it cannot retain our will",
    0x9B: "it cannot deliver our will with that QoS",
    0x9D: "it has moved to another address; change the broker's URL",
}
"""Reason codes (MQTT 5.0, section 3.2.2.2; those of 3.1.1 are translated) after which somebody must
act. After all others, such as server busy or quota exceeded, trying again may help."""


def connack_error(
    broker: MQTTClient,
    client_id: str,
    code: int,
    code_in_words: str,
    server_reference: str = "",
) -> ConnectFailedError | ConnectRefusedError:
    """What to raise for a CONNACK that says no.

    Args:
        broker: Who said it.
        client_id: Who we said we were.
        code: The reason code.
        code_in_words: The same as text.
        server_reference: Which other broker it names (MQTT 5, section 4.11). It is told and never
            followed by itself: the login would go wherever a broker says.
    """
    text = _REFUSALS.get(code)
    hint = hint_at_reference(server_reference)
    if text is None:
        said = f"the broker cannot serve us now: {code_in_words}{hint}"
        return ConnectFailedError(f"{broker}: {said}")
    text = text.format(version=broker.protocol.value, client_id=client_id)
    hint += hint_at_version(broker) if code == UNSUPPORTED_VERSION else ""
    return ConnectRefusedError(f"{broker}: the broker refuses the connection: {text}{hint}")


def hint_at_reference(server_reference: str) -> str:
    """Which other broker was named, and what to do; nothing where none was."""
    shown = server_reference[:_SHOWN_REFERENCE_CHARACTERS]
    return f" (it refers to {shown!r}: add that to the link's brokers)" if shown else ""


def hint_at_version(broker: MQTTClient) -> str:
    """For answers that a broker without our version gives: some say so, some just hang up."""
    other = "3.1.1" if broker.protocol is MQTTVersion.v5 else "5"
    return f" (if this broker lacks MQTT {broker.protocol.value}, choose --mqtt {other})"


def hints_at_silence(broker: MQTTClient) -> str:
    """What may be wrong where a broker hangs up, or says nothing, after CONNECT."""
    if broker.tls.use_tls:
        return f" (does this broker accept our certificate?){hint_at_version(broker)}"
    return hint_at_version(broker)
