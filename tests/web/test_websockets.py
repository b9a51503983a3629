"""Websockets of a web server, and their end."""

import asyncio

import aiohttp
import pytest
from aiohttp import WSCloseCode, web

from gwproactor_test.web_servers import Servers, connect, running


async def open_websocket(servers: Servers) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A bare websocket, for clients that do not behave."""
    reader, writer = await connect(servers)
    writer.write(
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    return reader, writer


class Talking:
    """A handler that echoes what comes over a websocket, until that ends."""

    def __init__(self) -> None:
        self.opened, self.ended = asyncio.Event(), asyncio.Event()

    async def __call__(self, request: web.Request) -> web.WebSocketResponse:
        connection = web.WebSocketResponse()
        await connection.prepare(request)
        self.opened.set()
        async for message in connection:
            await connection.send_str(message.data)
        self.ended.set()
        return connection


async def test_a_websocket_is_told_that_the_server_goes_away() -> None:
    servers, talking = Servers(), Talking()
    servers.route("/", talking)
    async with running(servers) as client, client.ws_connect(servers.url()) as connection:
        await connection.send_str("hello")
        assert await connection.receive_str() == "hello"
        closing = asyncio.create_task(connection.receive())
        await servers.web.stop()
        message = await closing
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, WSCloseCode.GOING_AWAY)
        assert talking.ended.is_set(), "it came to its end by itself"
    assert servers.reports == []


async def test_a_websocket_whose_client_hangs_cannot_hold_up_the_stop() -> None:
    servers, talking = Servers(), Talking()
    servers.route("/", talking)
    async with running(servers):
        reader, writer = await open_websocket(servers)
        await talking.opened.wait()
        await servers.web.stop()
        assert (await reader.read()).endswith(bytes((0x88, 2)) + b"\x03\xe9")  # close, 1001
        writer.transport.abort()
    assert servers.reports == []


@pytest.mark.parametrize("who", ["client", "server"])
async def test_who_writes_to_a_websocket_that_ends_did_nothing_wrong(who: str) -> None:
    ended = asyncio.Event()

    async def push(request: web.Request) -> web.WebSocketResponse:
        connection = web.WebSocketResponse()
        await connection.prepare(request)
        try:
            while True:
                await connection.send_str("more")
                await asyncio.sleep(0.001)
        finally:
            ended.set()

    servers = Servers()
    servers.route("/", push)
    async with running(servers):
        reader, writer = await open_websocket(servers)
        await reader.readuntil(b"more")
        if who == "server":
            await servers.web.stop()
        writer.transport.abort()
        await ended.wait()
    assert servers.reports == []
