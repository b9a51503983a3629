"""The listener: accepting, stopping, and what it does when the system has no descriptors left."""

import asyncio
import resource
import socket
from collections.abc import Iterator

import pytest

from gwproactor_test.certificates import Certificates
from gwproactor_test.clients import until
from gwproactor_test.listener import Listener, drop, open_streams


async def echo(accepted: socket.socket) -> None:
    """Send everything back."""
    reader, writer = await open_streams(accepted)
    try:
        while data := await reader.read(100):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
        await writer.wait_closed()


async def test_it_serves_many_and_joins() -> None:
    listener = Listener(echo)
    listener.open()
    clients = [await asyncio.open_connection(listener.host, listener.port) for _ in range(20)]
    for number, (reader, writer) in enumerate(clients):
        writer.write(bytes([number]))
        assert await reader.readexactly(1) == bytes([number])
    listener.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(listener.host, listener.port)
    for _, writer in clients:
        writer.close()
        await writer.wait_closed()
    await listener.join(timeout_seconds=5)


async def test_join_cancels_what_does_not_end() -> None:
    listener = Listener(echo)
    listener.open()
    reader, writer = await asyncio.open_connection(listener.host, listener.port)
    writer.write(b"x")
    await reader.readexactly(1)
    listener.close()
    await listener.join(timeout_seconds=0)
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


async def test_a_connection_that_is_not_served_yet_is_closed() -> None:
    listener = Listener(echo)
    listener.open()
    with socket.create_connection((listener.host, listener.port)) as client:
        client.setblocking(False)
        listener._accept_waiting(listener._socket or client)
        listener.close()
        await listener.join(timeout_seconds=0)
        loop = asyncio.get_running_loop()
        assert await asyncio.wait_for(loop.sock_recv(client, 1), 5) == b""


@pytest.fixture
def few_descriptors() -> Iterator[None]:
    """Restore the limit of open files after the test has lowered it."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("few_descriptors")
async def test_it_outlives_a_shortage_of_descriptors() -> None:
    listener = Listener(echo)
    listener.open()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as client:
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        # As many as there are now: connecting needs no other one, accepting does.
        resource.setrlimit(resource.RLIMIT_NOFILE, (client.fileno() + 1, hard))
        await loop.sock_connect(client, (listener.host, listener.port))
        await until(lambda: listener.paused)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        await loop.sock_sendall(client, b"x")
        assert await asyncio.wait_for(loop.sock_recv(client, 1), 5) == b"x"
    listener.close()
    await listener.join(timeout_seconds=5)


@pytest.mark.parametrize("reset", [True, False])
async def test_drop_works_through_tls(certificates: Certificates, reset: bool) -> None:
    async def serve(accepted: socket.socket) -> None:
        _, writer = await open_streams(accepted, certificates.server_context())
        drop(writer, reset=reset)

    listener = Listener(serve)
    listener.open()
    reader, writer = await asyncio.open_connection(
        listener.host,
        listener.port,
        ssl=certificates.client_context(),
        server_hostname="localhost",
    )
    try:
        ending = await reader.read()
    except ConnectionResetError:
        ending = b"reset"
    assert ending == (b"reset" if reset else b"")
    drop(writer, reset=False)
    listener.close()
    await listener.join(timeout_seconds=5)
