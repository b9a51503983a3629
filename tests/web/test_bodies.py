"""Bodies that do not come, come slowly, or are not wanted yet."""

import asyncio
from collections.abc import Callable

import pytest
from aiohttp import web

from gwproactor.web import aiohttp_bodies
from gwproactor_test.clients import until
from gwproactor_test.web_servers import Servers, connect, greet, read_body, running

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"


@pytest.mark.parametrize("sent", [HEAD % 100, HEAD % 100 + b"abc", CHUNKED])
async def test_a_body_that_does_not_go_on_is_answered_with_408(sent: bytes) -> None:
    servers = Servers(idle_seconds=0.05)
    servers.route("/", read_body, "POST")
    async with running(servers):
        reader, writer = await connect(servers)
        writer.write(sent)
        assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
        await reader.read()  # to the end of the connection
        writer.transport.abort()
    assert servers.reports == []


class Looks:
    """Looks at bodies, made when the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.due: list[Callable[[], None]] = []
        monkeypatch.setattr(aiohttp_bodies, "call_later", self.call_later)

    def call_later(self, seconds: float, look: Callable[[], None]) -> asyncio.TimerHandle:
        self.due.append(look)
        return asyncio.get_running_loop().call_later(10 * seconds, pytest.fail)

    def look(self) -> None:
        self.due.pop()()


async def test_a_body_that_comes_slowly_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, looks = 0, Looks(monkeypatch)

    async def count(request: web.Request) -> web.Response:
        nonlocal begun
        async for piece in request.content.iter_any():
            begun += len(piece)
        return web.Response(text=str(begun))

    servers = Servers()
    servers.route("/", count, "POST")
    async with running(servers):
        reader, writer = await connect(servers)
        writer.write(HEAD % 10)
        await until(lambda: looks.due != [])
        for number in range(1, 10):
            writer.write(b"x")
            await until(lambda number=number: begun == number)  # type: ignore[misc]
            looks.look()
        writer.write(b"x")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        looks.look()  # at what is all there
        assert looks.due == []
        writer.transport.abort()


async def test_a_handler_that_is_slow_to_read_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[web.Request] = []
    looks, may_read = Looks(monkeypatch), asyncio.Event()

    async def wait(request: web.Request) -> web.Response:
        asked.append(request)
        await may_read.wait()
        return await read_body(request)

    def holds_back() -> bool:
        transport = asked[0].transport if asked else None
        return transport is not None and not transport.is_reading()

    servers = Servers()
    servers.route("/", wait, "POST")
    async with running(servers) as client:
        asking = asyncio.create_task(client.post(servers.url(), data=b"x" * 10**6))
        await until(holds_back)
        for _ in range(3):
            looks.look()
        may_read.set()
        async with await asking as response:
            assert (response.status, await response.text()) == (200, str(10**6))
    assert servers.reports == []


async def test_a_request_without_a_body_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    looks, servers = Looks(monkeypatch), Servers()
    servers.route("/", greet)
    async with running(servers) as client, client.get(servers.url()) as response:
        assert response.status == 200
    assert looks.due == []
