"""Checks that the strings in a packet are UTF-8 before `mqtt5` reads it.

`mqtt5` 0.8 answers every malformed packet with an exception, except for one kind: a string that
is not UTF-8 makes it panic, which prints a trace of its own and leaves an exception behind that
nobody can catch. So that garbage from a client stays a matter between the broker and that client,
packets with any byte beyond ASCII are walked through here first. The walk knows where strings are
and nothing else; what else is wrong is left for `mqtt5` to find.
"""

from collections.abc import Callable

_CONNECT, _PUBLISH, _SUBSCRIBE, _UNSUBSCRIBE, _DISCONNECT, _AUTH = 1, 3, 8, 10, 14, 15
_ACKNOWLEDGEMENTS = (4, 5, 6, 7)
_HAS_WILL, _HAS_USER = 0x04, 0x80
_HAS_PACKET_ID = 0x06

_FIXED_SIZES = (
    dict.fromkeys((0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A), 1)
    | dict.fromkeys((0x13, 0x21, 0x22, 0x23), 2)
    | dict.fromkeys((0x02, 0x11, 0x18, 0x27), 4)
)
_BINARY = (0x09, 0x16)
_STRING = (0x03, 0x08, 0x12, 0x15, 0x1A, 0x1C, 0x1F)
_PAIR = 0x26
_NUMBER = 0x0B


def check_strings(frame: bytes) -> None:
    """Check one whole packet from a client.

    Raises:
        ValueError: a string is not UTF-8, or a property is unknown.
        IndexError: the packet is shorter than its own fields say.
    """
    start = 2
    while frame[start - 1] & 0x80:  # another digit of the remaining length follows
        start += 1
    body = frame[start:]
    if body.isascii():
        return
    walk = _Walk(body)
    kind = frame[0] >> 4
    if kind == _PUBLISH:
        walk.publish(has_packet_id=bool(frame[0] & _HAS_PACKET_ID))
    elif kind == _CONNECT:
        walk.connect()
    elif kind == _SUBSCRIBE:
        walk.filters(skip_after_each=1)
    elif kind == _UNSUBSCRIBE:
        walk.filters(skip_after_each=0)
    elif kind in (*_ACKNOWLEDGEMENTS, _DISCONNECT, _AUTH):
        walk.reason(skip_before=2 if kind in _ACKNOWLEDGEMENTS else 0)


class _Walk:
    """A position in what follows a packet's fixed header."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def publish(self, *, has_packet_id: bool) -> None:
        self.string()
        self.skip(2 if has_packet_id else 0)
        self.properties()

    def connect(self) -> None:
        self.string()  # the protocol's name
        self.skip(1)
        flags = self.skip(1)[0]
        self.skip(2)
        self.properties()
        self.string()  # the client id
        if flags & _HAS_WILL:
            self.properties()
            self.string()
            self.binary()
        if flags & _HAS_USER:
            self.string()

    def filters(self, *, skip_after_each: int) -> None:
        self.skip(2)
        self.properties()
        while self._at < len(self._body):
            self.string()
            self.skip(skip_after_each)

    def reason(self, *, skip_before: int) -> None:
        self.skip(skip_before)
        if self._at < len(self._body):
            self.skip(1)
        if self._at < len(self._body):
            self.properties()

    def properties(self) -> None:
        length = self.number()
        end = self._at + length
        while self._at < end:
            self._reader_of(self.skip(1)[0])()

    def _reader_of(self, identifier: int) -> Callable[[], bytes | int | None]:
        if identifier in _FIXED_SIZES:
            return lambda: self.skip(_FIXED_SIZES[identifier])
        if identifier in _STRING:
            return self.string
        if identifier in _BINARY:
            return self.binary
        if identifier == _PAIR:
            return self.pair
        if identifier == _NUMBER:
            return self.number
        raise ValueError(f"unknown property {identifier}")

    def string(self) -> None:
        self.binary().decode()

    def pair(self) -> None:
        self.string()
        self.string()

    def binary(self) -> bytes:
        return self.skip(int.from_bytes(self.skip(2), "big"))

    def number(self) -> int:
        value = shift = 0
        while True:
            digit = self.skip(1)[0]
            value |= (digit & 0x7F) << shift
            shift += 7
            if not digit & 0x80:
                return value

    def skip(self, size: int) -> bytes:
        start, self._at = self._at, self._at + size
        if self._at > len(self._body):
            raise IndexError("the packet ends within a field")
        return self._body[start : self._at]
