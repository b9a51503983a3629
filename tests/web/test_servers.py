"""Web servers as their clients see them: real sockets, a real client."""

import asyncio
import contextlib
import functools
import socket
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from gwproactor.errors import NotRunningError, PortTakenError, UsageError
from gwproactor.texts import MAX_TRACEBACK_BYTES
from gwproactor.web import aiohttp_server, handshakes, refusals
from gwproactor_test.certificates import Certificates
from gwproactor_test.clients import until
from gwproactor_test.web_servers import (
    NAME,
    Servers,
    Waiting,
    connect,
    connections_of_this_process,
    greet,
    https,
    read_body,
    running,
)

# Answers


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
async def test_a_route_answers_where_it_was_configured(host: str) -> None:
    servers = Servers(host=host)
    servers.route("/", greet)
    servers.route("/to/{name}", greet)
    async with running(servers) as client:
        async with client.get(servers.url()) as response:
            assert await response.text() == "hello all"
        async with client.get(servers.url("/to/anna")) as response:
            assert await response.text() == "hello anna"
        async with client.head(servers.url()) as response:
            assert response.status == 200
        async with client.post(servers.url()) as response:
            assert response.status == 405
        async with client.get(servers.url("/nowhere")) as response:
            assert response.status == 404
    assert servers.reports == []


async def test_https(certificates: Certificates) -> None:
    context = certificates.server_context(certificates.server)
    servers = Servers(host="localhost", ssl_context=context)
    servers.route("/", greet)
    async with running(servers) as client:
        assert servers.url().startswith("https://localhost:")
        async with client.get(servers.url(), ssl=certificates.client_context()) as response:
            assert await response.text() == "hello all"


async def test_who_speaks_no_tls_is_nobodys_problem(certificates: Certificates) -> None:
    servers = https(certificates)
    servers.route("/", greet)
    async with running(servers) as client:
        with pytest.raises(aiohttp.ClientError):
            async with client.get(servers.url().replace("https", "http")):
                pytest.fail("it was answered")
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await client.get(servers.url())  # which does not trust the certificate
        async with client.get(servers.url(), ssl=certificates.client_context()) as response:
            assert response.status == 200
    assert servers.reports == []


async def test_a_handshake_that_does_not_go_on_ends_in_time(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshakes, "HANDSHAKE_SECONDS", 0.01)
    async with running(servers := https(certificates)):
        reader, writer = await connect(servers, "localhost")
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.transport.abort()


async def test_handshakes_count_as_connections_and_a_stop_breaks_them_off(
    certificates: Certificates,
) -> None:
    servers = https(certificates, max_connections=3)
    servers.route("/", greet)
    trusting = certificates.client_context()
    async with running(servers) as client:
        silent = [await connect(servers, "localhost") for _ in range(2)]
        async with client.get(servers.url(), ssl=trusting) as response:
            assert response.status == 200
        silent += [await connect(servers, "localhost") for _ in range(2)]
        for reader, _ in silent[3:]:
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""  # no room even for a handshake
        await servers.web.stop()
        for reader, writer in silent:
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            writer.transport.abort()
    assert servers.summaries() == ["web server 'w': it has all the connections that it may have"]


async def test_a_client_too_many_is_answered_over_tls(certificates: Certificates) -> None:
    servers, waiting = https(certificates, max_connections=1), Waiting()
    servers.route("/", waiting)
    trusting = certificates.client_context()
    async with running(servers) as client:
        first = asyncio.create_task(client.get(servers.url(), ssl=trusting))
        await waiting.asked.wait()
        async with client.get(servers.url(), ssl=trusting) as response:
            assert response.status == 503
        waiting.may_answer.set()
        async with await first as response:
            assert response.status == 200


async def test_a_view_of_aiohttp_serves_too() -> None:
    class View(web.View):
        async def put(self) -> web.Response:
            return web.Response(text="put")

    servers = Servers()
    servers.route("/", View, "*")
    async with running(servers) as client:
        async with client.put(servers.url()) as response:
            assert await response.text() == "put"
        async with client.get(servers.url()) as response:
            assert response.status == 405
    assert servers.reports == []


async def test_nobody_is_answered_before_everything_runs() -> None:
    servers = Servers()
    servers.route("/", greet)
    async with aiohttp.ClientSession() as client:
        await servers.web.bind()
        asking = asyncio.create_task(client.get(servers.url()))
        done, _ = await asyncio.wait([asking], timeout=0.05)
        assert not done
        await servers.web.serve()
        async with await asking as response:
            assert response.status == 200
        await servers.web.stop()


# What is configured


async def test_a_route_of_a_server_that_is_not_configured_is_ignored() -> None:
    servers = Servers()
    servers.web.add_route("nobody", "GET", "/", greet)
    servers.web.add_route("nobody", "GET", "/{aiohttp", greet)
    async with running(servers) as client, client.get(servers.url()) as response:
        assert response.status == 404


async def test_routes_may_come_before_their_server() -> None:
    servers = Servers(configured=False)
    servers.route("/", greet)
    servers.web.add_config(NAME, "127.0.0.1", 0)
    async with running(servers) as client, client.get(servers.url()) as response:
        assert response.status == 200


async def test_a_bad_path_is_refused_as_soon_as_there_is_a_server() -> None:
    servers = Servers()
    with pytest.raises(UsageError, match="example: /room"):
        servers.route("/{", greet)
    servers.web.add_route("later", "GET", "/{", greet)
    with pytest.raises(UsageError, match="example: /room"):
        servers.web.add_config("later", "127.0.0.1", 0)


async def test_a_server_that_is_not_enabled_does_not_run() -> None:
    servers = Servers(enabled=False)
    async with running(servers):
        with pytest.raises(NotRunningError, match="web server 'w' does not run"):
            servers.url()


async def test_two_servers_of_one_name_or_address_are_refused() -> None:
    servers = Servers(port=8080)
    with pytest.raises(UsageError, match="there is a web server 'w' already"):
        servers.web.add_config(NAME, "127.0.0.1", 0)
    with pytest.raises(UsageError, match=r"port 8080 of 127\.0\.0\.1 is that of web server 'w'"):
        servers.web.add_config("x", "127.0.0.1", 8080)
    servers.web.add_config("x", "::1", 8080)


async def test_after_the_start_nothing_is_added() -> None:
    servers = Servers()
    async with running(servers):
        with pytest.raises(UsageError, match="add it before the proactor starts"):
            servers.route("/", greet)
        with pytest.raises(UsageError, match="add it before the proactor starts"):
            servers.web.add_config("x", "127.0.0.1", 0)


async def test_where_a_server_is_is_known_while_it_runs() -> None:
    servers = Servers()
    with pytest.raises(UsageError, match="there is no web server 'x'; web servers: w"):
        servers.web.port("x")
    with pytest.raises(NotRunningError):
        servers.web.port(NAME)
    async with running(servers):
        assert servers.web.url(NAME) == f"http://127.0.0.1:{servers.port}"
    with pytest.raises(NotRunningError):
        servers.web.url(NAME)


async def test_where_one_port_is_taken_no_server_runs() -> None:
    servers = Servers()
    with socket.create_server(("127.0.0.1", 0)) as other:
        servers.web.add_config("x", "127.0.0.1", other.getsockname()[1])
        with pytest.raises(PortTakenError, match="web server 'x': port"):
            await servers.web.bind()
    with pytest.raises(NotRunningError):
        servers.url()


# Handlers that fail


async def test_a_handler_that_raises_costs_its_client_500_and_is_reported_once() -> None:
    async def fail(request: web.Request) -> web.Response:
        raise ValueError("secret of the house")

    asyncio.get_running_loop().set_debug(True)  # in which aiohttp itself would show a traceback
    servers = Servers()
    servers.route("/{x}", fail)
    async with running(servers) as client:
        for number in range(20):
            headers = {"Accept": "text/html"}
            async with client.get(servers.url(f"/{number}"), headers=headers) as response:
                assert response.status == 500
                text = await response.text()
                assert text == "500: Internal Server Error"
    ((summary, details),) = servers.reports
    assert summary == "web server 'w': the handler of GET /{x} failed"
    assert details.endswith("\nValueError: secret of the house")
    assert "test_servers.py" in details


async def test_what_went_unreported_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(request: web.Request) -> web.Response:
        raise ValueError

    moment = 0.0
    servers = Servers()
    servers.route("/", fail)
    async with running(servers) as client:
        clock = SimpleNamespace(monotonic=lambda: moment)
        monkeypatch.setattr(aiohttp_server, "time", clock)
        for step in (0, 1, 1, 60):
            moment += step
            async with client.get(servers.url()):
                pass
    begins = [details.partition("Traceback")[0] for _, details in servers.reports]
    assert begins == ["", "(2 times more since the last report) "]


async def test_a_long_traceback_is_cut() -> None:
    async def fail(request: web.Request) -> web.Response:
        raise ValueError("x" * 10**6)

    servers = Servers()
    servers.route("/", fail)
    async with running(servers) as client, client.get(servers.url()):
        pass
    ((_, details),) = servers.reports
    assert len(details) <= MAX_TRACEBACK_BYTES


@pytest.mark.parametrize("answer", [None, "text", 200])
async def test_a_handler_that_returns_no_response_is_reported(answer: object) -> None:
    async def strange(request: web.Request) -> Any:
        return answer

    servers = Servers()
    servers.route("/", strange)
    async with running(servers) as client, client.get(servers.url()) as response:
        assert response.status == 500
    ((_, details),) = servers.reports
    assert f"the handler returned {type(answer).__name__}, no aiohttp.web.Response" in details


async def test_a_decorator_that_answers_without_waiting_is_reported() -> None:
    @functools.wraps(greet)
    def hasty(request: web.Request) -> web.Response:
        return web.Response()

    servers = Servers()
    servers.route("/", hasty)
    async with running(servers) as client, client.get(servers.url()) as response:
        assert response.status == 500
    assert len(servers.reports) == 1


async def test_what_aiohttp_raises_to_answer_is_an_answer() -> None:
    async def teapot(request: web.Request) -> web.Response:
        raise web.HTTPUnauthorized(text="who are you")

    servers = Servers()
    servers.route("/", teapot)
    async with running(servers) as client, client.get(servers.url()) as response:
        assert (response.status, await response.text()) == (401, "who are you")
    assert servers.reports == []


async def test_an_answer_that_breaks_off_does_not_look_whole() -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first half")
        raise ValueError("no second half")

    servers = Servers()
    servers.route("/", half)
    async with running(servers) as client:
        with pytest.raises(aiohttp.ClientError):
            async with client.get(servers.url()) as response:
                await response.read()
    assert servers.summaries() == ["web server 'w': the handler of GET / failed"]


async def test_a_fault_of_a_handler_is_told_though_its_client_is_gone() -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def fail_late(request: web.Request) -> web.Response:
        asked.set()
        await gone.wait()
        raise ValueError("late")

    servers = Servers()
    servers.route("/", fail_late)
    async with running(servers):
        _, writer = await connect(servers)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await asked.wait()
        writer.transport.abort()
        await until(lambda: connections_of_this_process() == 0)
        gone.set()
        await until(lambda: len(servers.reports) == 1)
    assert servers.summaries() == ["web server 'w': the handler of GET / failed"]


# Clients that do not behave


async def test_a_body_has_a_longest_size() -> None:
    async def in_pieces() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b"x" * 100

    servers = Servers(max_body_bytes=1000)
    servers.route("/", read_body, "POST")
    async with running(servers) as client:
        async with client.post(servers.url(), data=b"x" * 1000) as response:
            assert (response.status, await response.text()) == (200, "1000")
        form = aiohttp.FormData()
        form.add_field("file", b"x" * 1001, filename="f")
        for data in (b"x" * 1001, in_pieces(), form):
            async with client.post(servers.url(), data=data) as response:
                assert response.status == 413
    assert servers.reports == []


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01nonsense\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nx: " + b"y" * 10**5 + b"\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_answered_with_400_and_is_no_problem_of_ours(sent: bytes) -> None:
    servers = Servers()
    servers.route("/", read_body, "POST")
    async with running(servers):
        reader, writer = await connect(servers)
        writer.write(sent)
        assert (await reader.readline()).startswith(b"HTTP/1.")
        writer.transport.abort()
    assert servers.reports == []


async def test_a_client_that_leaves_within_its_request_is_no_problem_of_ours() -> None:
    asked = asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        asked.set()
        return await read_body(request)

    servers = Servers()
    servers.route("/", slow, "POST")
    async with running(servers):
        _, writer = await connect(servers)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
        await asked.wait()
        writer.transport.abort()
    assert servers.reports == []


async def test_a_connection_too_many_is_answered_with_503() -> None:
    servers, waiting = Servers(max_connections=2), Waiting()
    servers.route("/wait", waiting)
    servers.route("/", greet)
    async with running(servers) as client:
        first = asyncio.create_task(client.get(servers.url("/wait")))
        await waiting.asked.wait()
        _, idle = await connect(servers)
        for _ in range(5):
            async with client.get(servers.url()) as response:
                assert response.status == 503
                assert response.headers["Retry-After"] == "1"
        waiting.may_answer.set()
        async with await first as response:
            assert response.status == 200
        async with client.get(servers.url()) as response:  # on the connection that is free now
            assert response.status == 200
        idle.transport.abort()
    assert servers.summaries() == ["web server 'w': it has all the connections that it may have"]


async def test_those_who_are_refused_do_not_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "PATIENCE_SECONDS", 0.01)
    servers = Servers(max_connections=1)
    async with running(servers):
        _, one = await connect(servers)
        for _ in range(10):
            reader, silent = await connect(servers)
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            silent.transport.abort()
        one.transport.abort()


async def test_a_connection_without_a_request_is_closed() -> None:
    servers = Servers(idle_seconds=0.01)
    async with running(servers):
        reader, writer = await connect(servers)
        assert await reader.read() == b""
        writer.transport.abort()
