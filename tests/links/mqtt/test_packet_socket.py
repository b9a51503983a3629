"""The socket under the MQTT package, on a pair of real sockets."""

import socket
import time
from collections.abc import Iterator

import pytest

from gwproactor.links.mqtt.packet_socket import PacketSocket


@pytest.fixture
def pair() -> Iterator[tuple[PacketSocket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    tested = PacketSocket(ours, max_packet_bytes=100)
    yield tested, theirs
    tested.close()
    theirs.close()


def test_one_fill_serves_many_reads(pair: tuple[PacketSocket, socket.socket]) -> None:
    tested, theirs = pair
    theirs.sendall(b"abcdef")
    assert not tested.fill()
    theirs.sendall(b"not yet")
    assert [tested.recv(1), tested.recv(2), tested.recv(100)] == [b"a", b"bc", b"def"]
    with pytest.raises(BlockingIOError):
        tested.recv(1)


def test_a_whole_packet_is_seen_and_then_taken(pair: tuple[PacketSocket, socket.socket]) -> None:
    tested, theirs = pair
    theirs.sendall(b"\x30\x03abc\x20\x80\x00\x30\x05de")
    tested.fill()
    assert tested.whole_packet() == (0x30, b"abc", 5)
    tested.skip(5)
    assert tested.whole_packet() == (0x20, b"", 3)  # a length may be longer than it need be
    tested.skip(3)
    assert tested.whole_packet() is None
    assert tested.recv(100) == b"\x30\x05de"
    assert tested.whole_packet() is None


@pytest.mark.parametrize("begin", [b"\x30", b"\x30\x80", b"\x30\xff\xff\xff\xff\x01a", b"\x30\x65"])
def test_what_is_no_packet_or_too_long_a_one_is_left(
    pair: tuple[PacketSocket, socket.socket], begin: bytes
) -> None:
    tested, theirs = pair
    theirs.sendall(begin + b"a" * (101 if begin == b"\x30\x65" else 0))
    tested.fill()
    assert tested.whole_packet() is None
    assert tested.recv(1) == b"\x30"


def test_nothing_to_fill(pair: tuple[PacketSocket, socket.socket]) -> None:
    tested, _ = pair
    assert not tested.fill()
    assert tested.pending() == 0


def test_bytes_move_the_time(pair: tuple[PacketSocket, socket.socket]) -> None:
    tested, theirs = pair
    before = tested.last_byte_seconds
    tested.fill()
    assert tested.last_byte_seconds == before
    theirs.sendall(b"a")
    tested.fill()
    assert before <= tested.last_byte_seconds <= time.monotonic()


def test_the_end_is_told_once_behind_what_came(
    pair: tuple[PacketSocket, socket.socket],
) -> None:
    tested, theirs = pair
    theirs.sendall(b"last")
    theirs.close()
    tested.fill()
    assert tested.recv(10) == b"last"
    assert tested.pending() == 0
    tested.fill()
    assert tested.pending() == 1
    with pytest.raises(ConnectionResetError, match="closed"):
        tested.recv(1)
    assert tested.pending() == 0
    with pytest.raises(ConnectionResetError):
        tested.send(b"a")


def test_a_packet_that_is_too_long_is_refused(pair: tuple[PacketSocket, socket.socket]) -> None:
    tested, theirs = pair
    theirs.sendall(b"a" * 10)
    tested.fill()
    assert tested.recv(100) == b"a" * 10
    theirs.sendall(b"a" * 10)
    tested.fill()
    with pytest.raises(ConnectionAbortedError, match="101 bytes"):
        tested.recv(101)
    assert isinstance(tested.fault, ConnectionAbortedError)


def test_a_full_socket_says_so(pair: tuple[PacketSocket, socket.socket]) -> None:
    tested, _ = pair

    def fill_up() -> None:
        while True:
            tested.send(b"x" * 100_000)

    with pytest.raises(BlockingIOError):
        fill_up()
    assert tested.fault is None


def test_a_broken_pipe_is_remembered(pair: tuple[PacketSocket, socket.socket]) -> None:
    tested, theirs = pair
    theirs.close()
    with pytest.raises(BlockingIOError):
        tested.send(b"a")
    with pytest.raises(BrokenPipeError):
        tested.send(b"a")
    assert isinstance(tested.fault, BrokenPipeError)
    tested.abort(ConnectionAbortedError("a later reason"))
    assert isinstance(tested.fault, BrokenPipeError)


def test_the_last_words_are_read_before_a_break_of_what_goes_together(
    pair: tuple[PacketSocket, socket.socket],
) -> None:
    """As a broker's that closed at once, with its reason, on a connection that is new."""
    tested, theirs = pair
    theirs.sendall(b"why")
    theirs.close()
    with tested.together():
        assert tested.send(b"a") == 1
        assert tested.send(b"b") == 1
    tested.fill()
    assert tested.recv(10) == b"why"
    with pytest.raises(BrokenPipeError):
        tested.send(b"c")


def test_the_last_words_are_read_before_the_break(
    pair: tuple[PacketSocket, socket.socket],
) -> None:
    tested, theirs = pair
    theirs.sendall(b"why")
    theirs.close()
    with pytest.raises(BlockingIOError):
        tested.send(b"a")
    tested.fill()
    assert tested.recv(10) == b"why"
    tested.fill()
    assert isinstance(tested.fault, ConnectionResetError)


def test_what_is_sent_together_goes_out_at_once(pair: tuple[PacketSocket, socket.socket]) -> None:
    tested, theirs = pair
    with tested.together():
        assert tested.send(b"one") == 3
        tested.send(b"two")
        with pytest.raises(BlockingIOError):
            theirs.recv(10, socket.MSG_DONTWAIT)
    assert theirs.recv(10) == b"onetwo"


def test_closing_sends_what_was_taken(pair: tuple[PacketSocket, socket.socket]) -> None:
    tested, theirs = pair
    tested.send(b"bye")
    theirs.sendall(b"unread")
    tested.close()
    tested.close()
    assert theirs.recv(10) == b"bye"
    assert tested.fileno() == -1
