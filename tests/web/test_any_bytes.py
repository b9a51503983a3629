"""Whatever a client sends, it is answered or cut off; the server goes on, and it is no problem."""

import asyncio
import contextlib

from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gwproactor.web.servers import WebServers

LINES = [
    b"GET / HTTP/1.1",
    b"POST /{} HTTP/1.1",
    b"GET  / HTTP/9.9",
    b"Host: x",
    b"Content-Length: 3",
    b"Content-Length: -1",
    b"Transfer-Encoding: chunked",
    b"Connection: upgrade",
    b"Upgrade: websocket",
    b"Expect: 100-continue",
    b"Content-Encoding: gzip",
    b"Cookie: a=b; c",
    b"3",
    b"abc",
    b"0",
    b"",
]


async def echo(request: web.Request) -> web.Response:
    return web.Response(body=await request.read())


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=50), st.lists(st.sampled_from(LINES), max_size=8).map(b"\r\n".join)
        ),
        max_size=4,
    )
)
def test_any_bytes(pieces: list[bytes]) -> None:
    asyncio.run(send(pieces))


async def send(pieces: list[bytes]) -> None:
    problems: list[tuple[str, str]] = []
    servers = WebServers(lambda *problem: problems.append(problem), stop_seconds=0.3)
    servers.add_config("w", "127.0.0.1", 0, max_body_bytes=100)
    servers.add_route("w", "*", "/{any:.*}", echo)
    await servers.bind()
    await servers.serve()
    try:
        async with asyncio.timeout(20):
            with contextlib.suppress(ConnectionError):
                await talk(servers.port("w"), pieces)
            reader, writer = await asyncio.open_connection("127.0.0.1", servers.port("w"))
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert (await reader.readline()) == b"HTTP/1.1 200 OK\r\n"
            writer.transport.abort()
    finally:
        await servers.stop()
    assert problems == []


async def talk(port: int, pieces: list[bytes]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        writer.write_eof()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.02):  # what is no whole request is not answered
                await reader.read()
    finally:
        writer.transport.abort()
