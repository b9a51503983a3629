"""The floor: what a link must put on the wire to be active again, on bare blocking sockets.

Two of these are a pair like two nodes: each connects, subscribes to what the other sends it, sends
a ping when that is acknowledged, answers pings with acks, and counts as active at the first message
from the other. The bytes are those of the wire format, over MQTT 3.1.1. There is nothing else: no
state, no timer, no event, no loop, so that nothing that keeps the promises of a link can be faster
by more than chance.

    python -m benchmarks.contestants.bare_sockets --name a --peer b --port 1883
"""

import argparse
import json
import socket
import struct
import sys
import time
import uuid
from collections.abc import Iterator

LOOPBACK = "127.0.0.1"
READ_BYTES = 65536
CONNACK, PUBLISH, SUBACK = 2, 3, 9
# While the broker is away: often enough to be the floor, without taking the core it starts on.
RETRY_SECONDS = 0.001


def packet(first_byte: int, body: bytes) -> bytes:
    """An MQTT packet: type and flags, the length of the rest, the rest."""
    length, digits = len(body), bytearray()
    while True:
        length, digit = divmod(length, 128)
        digits.append(digit | (0x80 if length else 0))
        if not length:
            return bytes([first_byte]) + bytes(digits) + body


def text(value: str) -> bytes:
    """A string as MQTT writes it."""
    data = value.encode()
    return struct.pack("!H", len(data)) + data


def connect_packet(client_id: str) -> bytes:
    """CONNECT of MQTT 3.1.1, clean session, keep-alive off: nothing here would keep it."""
    return packet(0x10, text("MQTT") + bytes([4, 2]) + struct.pack("!H", 0) + text(client_id))


def subscribe_packet(topic_filter: str) -> bytes:
    """SUBSCRIBE to one filter at QoS 0."""
    return packet(0x82, struct.pack("!H", 1) + text(topic_filter) + b"\x00")


def message_packet(name: str, peer: str, payload: dict[str, str], *, ack: bool) -> bytes:
    """PUBLISH at QoS 0 of one message of the wire format."""
    kind = payload["TypeName"]
    header = {
        "Src": name,
        "Dst": peer,
        "MessageType": kind,
        "MessageId": payload.get("MessageId", ""),
        "AckRequired": ack,
        "TypeName": "gridworks.header",
        "Version": "001",
    }
    message = {"Header": header, "Payload": payload, "TypeName": "gw"}
    topic = f"gw/{name}/to/{peer}/{kind.replace('.', '-')}"
    return packet(0x30, text(topic) + json.dumps(message).encode())


def ping_packet(name: str, peer: str) -> bytes:
    """A ping, which its receiver must acknowledge."""
    payload = {"TypeName": "gridworks.ping", "MessageId": str(uuid.uuid4())}
    return message_packet(name, peer, payload, ack=True)


def ack_packet(name: str, peer: str, message_id: str) -> bytes:
    """The answer to a ping."""
    payload = {"TypeName": "gridworks.ack", "AckMessageID": message_id}
    return message_packet(name, peer, payload, ack=False)


def split_packet(data: bytes) -> tuple[int, bytes, bytes] | None:
    """Type, body and what follows of the first packet in `data`; None until it is whole."""
    length = 0
    for index, digit in enumerate(data[1:5]):
        length |= (digit & 0x7F) << (7 * index)
        if digit < 0x80:
            start = index + 2
            end = start + length
            return (data[0] >> 4, data[start:end], data[end:]) if len(data) >= end else None
    return None


def packets(connection: socket.socket) -> Iterator[tuple[int, bytes]]:
    """Every packet that arrives, until the connection ends."""
    data = b""
    while chunk := connection.recv(READ_BYTES):
        data += chunk
        while found := split_packet(data):
            kind, body, data = found
            yield kind, body


def converse(connection: socket.socket, name: str, peer: str) -> None:
    """One connection, from CONNECT until it is lost; says when it is active."""
    active = False
    connection.sendall(connect_packet(f"bare-{name}"))
    for kind, body in packets(connection):
        if kind == CONNACK:
            connection.sendall(subscribe_packet(f"gw/{peer}/to/{name}/#"))
        elif kind == SUBACK:
            connection.sendall(ping_packet(name, peer))
        elif kind == PUBLISH:
            if not active:
                active = True
                say_active(time.monotonic_ns())
            message = json.loads(body[2 + struct.unpack("!H", body[:2])[0] :])
            if message["Header"]["AckRequired"]:
                connection.sendall(ack_packet(name, peer, message["Header"]["MessageId"]))


def say_active(moment: int) -> None:
    """The line by which all contestants report."""
    line = {"kind": "transition", "t": moment, "old": "awaiting_peer", "new": "active"}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Converse, and begin again at once whenever the connection is lost."""
    parser = argparse.ArgumentParser(description="A link on bare sockets.")
    parser.add_argument("--name", required=True)
    parser.add_argument("--peer", required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    while True:
        try:
            with socket.create_connection((LOOPBACK, options.port)) as connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                converse(connection, options.name, options.peer)
        except ConnectionRefusedError:
            time.sleep(RETRY_SECONDS)
        except OSError:
            continue


if __name__ == "__main__":
    main()
