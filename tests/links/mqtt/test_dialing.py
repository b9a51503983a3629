"""From an address to a socket: what can go wrong on the way, in words."""

import asyncio
import socket
import ssl
import struct
from collections.abc import Iterator

import pytest

from gwproactor.config.mqtt import MQTTClient, TLSInfo, broker_from_url
from gwproactor.errors import ConnectFailedError, ConnectRefusedError
from gwproactor.links.mqtt import dialing
from gwproactor.links.mqtt.dialing import connect_error, dial, socket_error_in_words
from gwproactor.links.mqtt.name_lookup import Address
from gwproactor_test.brokers import AnyBroker


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


async def test_the_socket_is_ready_for_use(listening: int) -> None:
    dialled = await dial(MQTTClient(host="127.0.0.1", port=listening))
    with dialled:
        assert dialled.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert not dialled.getblocking()


@pytest.mark.skipif(dialing._UNSENT_MARK is None, reason="this system has no such option")
async def test_the_system_takes_little_that_it_cannot_send(listening: int) -> None:
    """Some megabytes without a bound; here what the other end takes unread is bounded too."""
    with await dial(MQTTClient(host="127.0.0.1", port=listening)) as dialled:
        assert dialing._UNSENT_MARK is not None
        mark = dialled.getsockopt(socket.IPPROTO_TCP, dialing._UNSENT_MARK)
        assert mark == dialing.UNSENT_BYTES


async def test_the_local_address_can_be_chosen(listening: int) -> None:
    broker = MQTTClient(host="127.0.0.1", port=listening, bind_address="127.0.0.2")
    with await dial(broker) as dialled:
        assert dialled.getsockname()[0] == "127.0.0.2"


async def test_a_local_address_that_is_none_of_ours(listening: int) -> None:
    broker = MQTTClient(host="127.0.0.1", port=listening, bind_address="192.0.2.1")
    with pytest.raises(ConnectFailedError):
        await dial(broker)


async def test_the_local_port_can_be_chosen(listening: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        free = other.getsockname()[1]
    broker = MQTTClient(host="127.0.0.1", port=listening, bind_port=free)
    with await dial(broker) as dialled:
        assert dialled.getsockname()[1] == free


async def test_the_next_address_is_tried(listening: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.2", 0)) as other:
        closed = other.getsockname()[1]

    async def several(_host: str, _port: int) -> list[Address]:
        return [
            Address(socket.AF_INET, ("127.0.0.2", closed)),
            Address(socket.AF_INET, ("127.0.0.1", listening)),
        ]

    monkeypatch.setattr(dialing, "resolve", several)
    with await dial(MQTTClient(host="two.example", port=listening)) as dialled:
        assert dialled.getpeername() == ("127.0.0.1", listening)


async def test_a_port_that_does_not_speak_tls(broker: AnyBroker) -> None:
    plain = broker_from_url(broker.url)
    with pytest.raises((ConnectFailedError, ConnectRefusedError), match="is it an mqtt:// port"):
        async with asyncio.timeout(10):
            await dial(plain.model_copy(update={"tls": TLSInfo(use_tls=True)}))


@pytest.mark.parametrize("reset", [True, False])
async def test_a_port_that_hangs_up_may_not_speak_tls(reset: bool) -> None:
    def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if reset:
            no_time = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_time)
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        broker = MQTTClient(host="127.0.0.1", port=port, tls=TLSInfo(use_tls=True))
        with pytest.raises(ConnectFailedError, match="is it an mqtt:// port"):
            await dial(broker)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(socket.EAI_NONAME, "unknown"), "cannot be resolved (unknown)"),
        (ConnectionRefusedError(111, "refused"), "nothing listens there (connection refused)"),
        (TimeoutError(), "no answer in time"),
        (ConnectionResetError(104, "Connection reset by peer"), "Connection reset by peer"),
        (ConnectionResetError("the broker closed"), "the broker closed"),
        (OSError(), "OSError"),
        (ssl.SSLError(1, "odd"), "TLS broke off (odd)"),
    ],
)
def test_errors_in_words(error: OSError, words: str) -> None:
    assert words in socket_error_in_words(error)


def test_what_is_retried_and_what_is_not() -> None:
    broker = MQTTClient(host="there")
    assert isinstance(connect_error(broker, ConnectionRefusedError()), ConnectFailedError)
    distrust = ssl.SSLCertVerificationError("untrusted")
    distrust.verify_code, distrust.verify_message = 19, "self-signed"
    assert isinstance(connect_error(broker, distrust), ConnectRefusedError)
