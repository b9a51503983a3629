"""The floor of one event: what must be written, synced and sent until it is acknowledged.

The child sends an event and writes it while that is under way; the parent writes it and answers;
the child writes the ack's line. With `--durability fsync` both sync what they write, but for that
line. That is what gwproactor promises, on bare blocking sockets and files: no loop, no thread, no
check, one event at a time. Commands and answers are those of `events_node`.

    python -m benchmarks.contestants.bare_events --role child --port 1883 --folder F
"""

import argparse
import json
import os
import socket
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.contestants import FILLER, OTHER, Role
from benchmarks.contestants.bare_sockets import (
    CONNACK,
    LOOPBACK,
    PUBLISH,
    SUBACK,
    ack_packet,
    connect_packet,
    message_packet,
    packets,
    ping_packet,
    say_active,
    subscribe_packet,
)

EVENT = "gridworks.event.data"


class Store:
    """A file that is only appended to."""

    def __init__(self, path: Path, *, durable: bool) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._durable = durable

    def keep(self, event: dict[str, Any]) -> None:
        """Write an event, as durably as was asked for."""
        os.write(self._file, json.dumps(event).encode() + b"\n")
        if self._durable:
            os.fdatasync(self._file)

    def forget(self, event_id: str) -> None:
        """Write that an event was acknowledged."""
        os.write(self._file, f"- {event_id}\n".encode())


class Node:
    """One side: a connection that is subscribed, and a store."""

    def __init__(self, role: Role, port: int, store: Store) -> None:
        self._role, self._peer = role, OTHER[role]
        self._store = store
        self._connection = socket.create_connection((LOOPBACK, port))
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection.sendall(connect_packet(f"bare-{role}"))
        self._packets = packets(self._connection)
        while next(self._packets)[0] != CONNACK:
            pass
        self._connection.sendall(subscribe_packet(f"gw/{self._peer}/to/{role}/#"))
        while next(self._packets)[0] != SUBACK:
            pass
        self._connection.sendall(ping_packet(role, self._peer))  # in vain where the peer is later

    def _messages(self) -> Iterator[dict[str, Any]]:
        for kind, body in self._packets:
            if kind == PUBLISH:
                topic_bytes = int.from_bytes(body[:2])
                yield json.loads(body[2 + topic_bytes :])

    def answer(self) -> None:
        """Keep and acknowledge every event, until the connection ends."""
        for message in self._messages():
            if message["Header"]["AckRequired"]:
                if message["Payload"]["TypeName"] == EVENT:
                    self._store.keep(message["Payload"])
                message_id = message["Header"]["MessageId"]
                self._connection.sendall(ack_packet(self._role, self._peer, message_id))

    def wait_for_peer(self) -> None:
        """Wait until the peer's ping says that it is subscribed, or its ack of ours."""
        next(self._messages())

    def deliver(self, event: dict[str, Any]) -> None:
        """Send an event and keep it, and wait until the peer has it, too."""
        self._connection.sendall(message_packet(self._role, self._peer, event, ack=True))
        self._store.keep(event)
        for message in self._messages():
            if message["Payload"].get("AckMessageID") == event["MessageId"]:
                break
        self._store.forget(event["MessageId"])


def event(number: int) -> dict[str, Any]:
    """An event of the size that the others send."""
    return {
        "MessageId": str(uuid.uuid4()),
        "TimeCreatedMs": time.time_ns() // 1_000_000,
        "Src": "child",
        "TypeName": EVENT,
        "Reading": FILLER,
        "Value": number,
    }


def deliver_on_command(node: Node) -> None:
    """Do what standard input says, until it ends."""
    for line in sys.stdin:
        _command, count = line.split()
        began = time.monotonic_ns()
        for number in range(int(count)):
            node.deliver(event(number))
        drained = {"kind": "drained", "t": time.monotonic_ns(), "began": began}
        sys.stdout.write(json.dumps(drained) + "\n")
        sys.stdout.flush()


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description="The floor of one event.")
    parser.add_argument("--role", choices=list(OTHER), required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--durability", choices=["fsync", "os"], default="fsync")
    options = parser.parse_args()
    options.folder.mkdir(parents=True)
    store = Store(options.folder / "events", durable=options.durability == "fsync")
    node = Node(options.role, options.port, store)
    if options.role == "child":
        node.wait_for_peer()
        say_active(time.monotonic_ns())
        deliver_on_command(node)
    else:
        node.answer()


if __name__ == "__main__":
    main()
