"""The stop of web servers, whatever their clients and handlers are at."""

import asyncio
import contextlib
import time

import aiohttp
import pytest
from aiohttp import web

from gwproactor_test.certificates import Certificates
from gwproactor_test.clients import until
from gwproactor_test.web_servers import (
    Servers,
    Waiting,
    connect,
    connections_of_this_process,
    greet,
    https,
    running,
)


async def test_a_stop_waits_for_what_is_asked_already() -> None:
    servers, waiting = Servers(), Waiting()
    servers.route("/", waiting)
    async with running(servers) as client:
        asking = asyncio.create_task(client.get(servers.url()))
        await waiting.asked.wait()
        port = servers.port
        stopping = asyncio.create_task(servers.web.stop())
        await asyncio.sleep(0)
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection("127.0.0.1", port)
        waiting.may_answer.set()
        async with await asking as response:
            assert await response.text() == "late"
        await stopping
    assert waiting.cancelled == 0
    assert servers.reports == []


async def test_a_handler_that_does_not_come_to_an_end_is_cancelled() -> None:
    servers, waiting = Servers(), Waiting()
    servers.route("/", waiting)
    async with running(servers) as client:
        asking = asyncio.create_task(client.get(servers.url()))
        await waiting.asked.wait()
        await servers.web.stop()
        assert waiting.cancelled == 1
        with pytest.raises(aiohttp.ClientError):
            await asking
    assert servers.reports == []


async def test_one_that_swallows_its_cancellation_is_reported_and_left_behind() -> None:
    asked, may_end = asyncio.Event(), asyncio.Event()

    async def stubborn(request: web.Request) -> web.Response:
        asked.set()
        while not may_end.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await may_end.wait()
        return web.Response()

    servers = Servers()
    servers.route("/", stubborn)
    async with running(servers) as client:
        asking = asyncio.create_task(client.get(servers.url()))
        await asked.wait()
        await servers.web.stop()
        may_end.set()
        with pytest.raises(aiohttp.ClientError):
            await asking
    ((summary, details),) = servers.reports
    assert "does not end" in summary
    assert details == "web server w: GET /"


async def test_idle_connections_are_closed() -> None:
    servers = Servers()
    servers.route("/", greet)
    async with running(servers) as client:
        async with client.get(servers.url()):
            pass  # its connection stays, for the next request
        reader, writer = await connect(servers)
        stopped_at = time.monotonic()
        await servers.web.stop()
        assert await reader.read() == b""
        assert time.monotonic() - stopped_at < 60  # nobody waited for the idle ones
        writer.transport.abort()


async def test_a_client_that_does_not_read_cannot_hold_up_the_stop() -> None:
    async def at_once(request: web.Request) -> web.Response:
        return web.Response(body=b"x" * 10**7)

    async def flood(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 10**6)

    servers = Servers()
    servers.route("/", flood)
    servers.route("/once", at_once)
    async with running(servers):
        writers = []
        for path in (b"/", b"/once"):
            reader, writer = await connect(servers)
            writer.write(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.readline()
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            writers.append(writer)
        await servers.web.stop()
        for writer in writers:
            writer.transport.abort()


async def test_a_tls_client_that_does_not_read_cannot_hold_up_the_stop(
    certificates: Certificates,
) -> None:
    """It does not answer the end of TLS either, for which asyncio would wait half a minute."""
    servers = https(certificates)
    servers.route("/", greet)
    async with running(servers):
        reader, writer = await asyncio.open_connection(
            "localhost", servers.port, ssl=certificates.client_context()
        )
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readline()
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await servers.web.stop()
        await until(lambda: connections_of_this_process() == 1)  # the client's end
        writer.transport.abort()


async def test_an_answer_in_pieces_is_broken_off_and_does_not_look_whole() -> None:
    async def pieces(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 100)
            await asyncio.sleep(0.001)

    servers = Servers()
    servers.route("/", pieces)
    async with running(servers) as client, client.get(servers.url()) as response:
        assert await response.content.readexactly(1000) == b"x" * 1000
        reading = asyncio.create_task(response.read())
        await servers.web.stop()
        with pytest.raises(aiohttp.ClientPayloadError):
            await reading
    assert servers.reports == []


async def test_refused_connections_are_closed_by_the_stop() -> None:
    servers = Servers(max_connections=1)
    async with running(servers):
        _, one = await connect(servers)
        reader, refused = await connect(servers)
        await until(lambda: len(servers.reports) == 1)
        await servers.web.stop()
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        for writer in (one, refused):
            writer.transport.abort()


async def test_a_stop_may_be_cancelled_and_closes_all_the_same() -> None:
    servers, waiting = Servers(), Waiting()
    servers.route("/", waiting)
    async with running(servers) as client:
        asking = asyncio.create_task(client.get(servers.url()))
        await waiting.asked.wait()
        stopping = asyncio.create_task(servers.web.stop())
        await asyncio.sleep(0)
        stopping.cancel()
        await asyncio.wait([stopping])
        with pytest.raises(aiohttp.ClientError):
            await asking


async def test_a_second_stop_does_nothing() -> None:
    servers = Servers()
    async with running(servers):
        await servers.web.stop()
        await servers.web.stop()
