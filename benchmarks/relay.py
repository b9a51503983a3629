"""A TCP relay on loopback that cuts connections on command.

It is a process of its own, without asyncio, so that neither the program that measures nor a loop
adds to what is measured; the relay of `gwproactor_test`, which fails in more ways, is for tests::

    python -m benchmarks.relay --target-port 1883

It prints one JSON object a line: first `{"kind": "ready", "port": N}`, then one for each command
that it reads from standard input, with `t`, the moment just before it acted (`monotonic_ns`, which
all processes of one machine share):

    close   end every connection in order (FIN)
    reset   end every connection at once (RST, by a linger time of 0)
    down    stop listening, and end every connection in order
    up      listen again, on the same port; `t` is the moment after

The end of standard input ends it. One thread waits on all sockets, so a byte waits for one turn of
the loop and no more; what is read is written at once.
"""

import argparse
import json
import os
import selectors
import socket
import struct
import sys
import time

LOOPBACK = "127.0.0.1"
READ_BYTES = 65536
LINGER_ZERO = struct.pack("ii", 1, 0)


class Relay:
    """Pairs of sockets, joined, and the commands that part them."""

    def __init__(self, target_port: int) -> None:
        self._target = (LOOPBACK, target_port)
        self._selector = selectors.DefaultSelector()
        self._partners: dict[socket.socket, socket.socket] = {}
        self._port = 0
        self._listen()
        # Descriptor 0 and not sys.stdin: a reader with a buffer hides lines from the selector.
        self._selector.register(0, selectors.EVENT_READ)
        self._unread_commands = b""

    def run(self) -> None:
        """Relay until standard input ends."""
        say(kind="ready", port=self._port)
        while True:
            for key, _ in self._selector.select():
                if key.fileobj == 0:
                    if not self._read_commands():
                        return
                elif key.fileobj is self._listener:
                    self._accept()
                elif isinstance(key.fileobj, socket.socket):
                    self._pump(key.fileobj)

    def _listen(self) -> None:
        self._listener = socket.create_server((LOOPBACK, self._port))
        self._port = self._listener.getsockname()[1]
        self._selector.register(self._listener, selectors.EVENT_READ)

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        try:
            far = socket.create_connection(self._target)
        except OSError:
            near.close()
            return
        for one, other in ((near, far), (far, near)):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._partners[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _pump(self, source: socket.socket) -> None:
        partner = self._partners.get(source)
        if partner is None:
            return  # parted earlier in this turn
        try:
            data = source.recv(READ_BYTES)
            if data:
                partner.sendall(data)
                return
        except OSError:
            pass  # one side is gone, and so the pair is
        self._part(source)

    def _part(self, source: socket.socket) -> None:
        for one in (source, self._partners[source]):
            self._selector.unregister(one)
            del self._partners[one]
            one.close()

    def _read_commands(self) -> bool:
        data = os.read(0, READ_BYTES)
        *commands, self._unread_commands = (self._unread_commands + data).split(b"\n")
        for command in commands:
            self._obey(command.decode())
        return bool(data)

    def _obey(self, command: str) -> None:
        moment = time.monotonic_ns()
        if command == "up":
            self._listen()
            moment = time.monotonic_ns()
        elif command == "down":
            self._selector.unregister(self._listener)
            self._listener.close()
        if command != "up":
            self._part_all(reset=command == "reset")
        say(kind=command, t=moment)

    def _part_all(self, *, reset: bool) -> None:
        while self._partners:
            near, far = next(iter(self._partners.items()))
            if reset:
                for one in (near, far):
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
            self._part(near)


def say(**fields: object) -> None:
    """Print one line of JSON, at once."""
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Run one relay from the command line."""
    parser = argparse.ArgumentParser(description="A TCP relay that cuts on command.")
    parser.add_argument("--target-port", type=int, required=True)
    Relay(parser.parse_args().target_port).run()


if __name__ == "__main__":
    main()
