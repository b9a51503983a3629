"""What a poller gets from real servers, and what it says of those that do not behave."""

import asyncio
import contextlib
import gzip
import socket
import struct
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr
from yarl import URL

from gwproactor.errors import PollError
from gwproactor.links.mqtt import name_lookup
from gwproactor.web.aiohttp_client import MAX_COOKIES, PollClient
from gwproactor.web.aiohttp_redirects import url_after
from gwproactor.web.rest_response import RESTResponse
from gwproactor.web.rest_settings import RESTPollerSettings
from gwproactor_test.certificates import Certificates
from gwproactor_test.web import answering


def settings(url: str, **values: Any) -> RESTPollerSettings:
    request = {"url": url} | values.pop("request", {})
    return RESTPollerSettings.model_validate({"request": request} | values)


async def ask(url: str, **values: Any) -> RESTResponse:
    found = settings(url, **values)
    async with PollClient(found) as client:
        return await client.ask(found.request)


async def refused(url: str, **values: Any) -> str:
    with pytest.raises(PollError) as caught:
        await ask(url, **values)
    return str(caught.value)


async def show(request: web.Request) -> web.Response:
    return web.json_response(
        {
            "method": request.method,
            "query": dict(request.query),
            "body": (await request.read()).decode(),
            "type": request.content_type,
            "key": request.headers.get("X-Key"),
            "login": request.headers.get("Authorization"),
        }
    )


# What is asked


async def test_an_answer_is_all_there() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body="21,5 °C".encode("latin-1"), headers={"X-Unit": "C"}, status=203)

    async with answering(answer) as server:
        response = await ask(f"{server.url}/state?key=secret")
    assert (response.status, response.reason) == (203, "Non-Authoritative Information")
    assert response.headers["x-unit"] == "C"
    assert response.url == f"{server.url}/state"
    assert await response.read() == response.body


async def test_what_the_settings_say_is_sent() -> None:
    async with answering(show) as server:
        response = await ask(
            server.url.replace("//", "//user:pass@"),
            request={
                "method": "PUT",
                "params": {"a": 1},
                "json_body": {"b": 2},
                "headers": {"X-Key": "k"},
            },
        )
    found = await response.json()
    assert found == {
        "method": "PUT",
        "query": {"a": "1"},
        "body": '{"b": 2}',
        "type": "application/json",
        "key": "k",
        "login": "Basic dXNlcjpwYXNz",
    }


@pytest.mark.parametrize(
    ("data", "sent", "content_type"),
    [
        ("as it is", "as it is", "text/plain"),
        ({"a": "1", "b": "c d"}, "a=1&b=c+d", "application/x-www-form-urlencoded"),
    ],
)
async def test_bodies(data: Any, sent: str, content_type: str) -> None:
    async with answering(show) as server:
        response = await ask(server.url, request={"method": "POST", "data": data})
    found = await response.json()
    assert (found["body"], found["type"]) == (sent, content_type)


async def test_one_connection_serves_all_polls() -> None:
    ports = set()

    async def answer(request: web.Request) -> web.Response:
        assert request.transport is not None
        ports.add(request.transport.get_extra_info("peername"))
        return web.Response()

    async with answering(answer) as server:
        found = settings(server.url)
        async with PollClient(found) as client:
            for _ in range(5):
                await client.ask(found.request)
    assert len(ports) == 1


async def test_a_name_is_looked_up_as_links_do_it() -> None:
    async with answering(show) as server:
        response = await ask(server.url.replace("127.0.0.1", "localhost"))
    assert response.status == 200


async def test_ipv6() -> None:
    async with answering(show, host="::1") as server:
        assert (await ask(server.url)).status == 200


# Answers that are none


async def test_a_status_of_failure_is_one_unless_told_otherwise() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=503, reason="busy " * 100, text="secret")

    lenient = {"request": {"error_for_http_status": False}}
    async with answering(answer) as server:
        said = await refused(server.url)
        assert (await ask(server.url, errors=lenient)).status == 503
    assert said.startswith(f"{server.url}: HTTP 503 'busy busy")
    assert len(said) < 200


@pytest.mark.parametrize("packed", [False, True])
async def test_an_answer_has_a_longest_size_as_it_is_unpacked(packed: bool) -> None:
    async def answer(request: web.Request) -> web.Response:
        size = 1000 if request.path == "/fits" else 10**7
        body = gzip.compress(b"x" * size) if packed else b"x" * size
        return web.Response(body=body, headers={"Content-Encoding": "gzip"} if packed else {})

    async with answering(answer) as server:
        assert len((await ask(f"{server.url}/fits", max_response_bytes=1000)).body) == 1000
        said = await refused(f"{server.url}/long", max_response_bytes=1000)
    assert said == f"{server.url}/long: the answer is longer than max_response_bytes (1000)"


async def test_a_server_that_does_not_answer_in_time() -> None:
    never = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        await never.wait()
        return web.Response()

    async with answering(answer) as server:
        said = await refused(server.url, session={"timeout": {"total": 0.05}})
        assert said == f"{server.url}: no whole answer in time"
        said = await refused(server.url, request={"timeout": {"sock_read": 0.05}})
        assert said == f"{server.url}: no whole answer in time"


async def test_a_server_that_takes_no_connection() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        with contextlib.ExitStack() as stack:
            for _ in range(4):  # more than fit
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(full.getsockname())
            said = await refused(url, session={"timeout": {"connect": 0.05}})
    assert said == f"{url}: no connection within 0.05 s"


async def test_a_server_that_is_not_there() -> None:
    said = await refused("http://user:secret@127.0.0.1:1/a?key=secret")
    assert said == (
        "http://127.0.0.1:1/a: no connection: nothing listens there (connection refused)"
    )


async def test_a_name_that_nobody_has(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(host: str, port: int) -> list[name_lookup.Address]:
        raise OSError("no such name")

    monkeypatch.setattr("gwproactor.web.aiohttp_client.resolve", unknown)
    said = await refused("http://no.such.host.invalid/")
    assert said == "http://no.such.host.invalid/: no connection: no such name"


async def test_a_request_that_cannot_be_made_is_told_without_its_secrets() -> None:
    """One that a program has made past the checks of settings."""
    headers = {"X-Key": SecretStr("secret\n")}
    async with answering(show) as server:
        found = settings(server.url)
        made = found.request.model_copy(update={"headers": headers})
        async with PollClient(found) as client:
            with pytest.raises(PollError) as caught:
                await client.ask(made)
    assert str(caught.value) == (
        f"{server.url}: no request can be made of what it was told (ValueError);"
        " look at URL and headers"
    )


async def test_a_resolver_that_hangs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs(host: str, port: int) -> list[name_lookup.Address]:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr("gwproactor.web.aiohttp_client.resolve", hangs)
    monkeypatch.setattr("gwproactor.web.aiohttp_client.is_looked_up", lambda host: host == "slow")
    said = await refused("http://slow/", session={"timeout": {"total": 0.05}})
    assert said == "http://slow/: no whole answer in time; the system's resolver does not answer"


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"", "the server closed the connection"),
        (b"nonsense secret\r\n\r\n", "the answer is no HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "the answer broke off"),
    ],
)
async def test_what_is_no_http(sent: bytes, said: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1") as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        assert await refused(url) == f"{url}: {said}"


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"])
async def test_a_connection_that_is_reset(sent: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)
        await writer.drain()
        reset_when_closed = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, reset_when_closed
        )
        writer.transport.abort()

    async with await asyncio.start_server(serve, "127.0.0.1") as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        said = await refused(url)
    broken = "the answer broke off" if sent else "the connection broke: Connection reset by peer"
    assert said == f"{url}: {broken}"


async def test_a_certificate_is_checked_unless_told_otherwise(certificates: Certificates) -> None:
    context = certificates.server_context(certificates.server)
    async with answering(show, host="localhost", ssl_context=context) as server:
        assert "no connection: the server's certificate is refused (" in await refused(server.url)
        assert (await ask(server.url, request={"ssl": False})).status == 200


def trusting(file: Path) -> dict[str, Any]:
    return {"tls": {"ca_cert_path": file}}


async def test_a_server_of_an_authority_of_ones_own(certificates: Certificates) -> None:
    context = certificates.server_context(certificates.server)
    async with answering(show, host="localhost", ssl_context=context) as server:
        assert (await ask(server.url, session=trusting(certificates.ca_file))).status == 200
        said = await refused(server.url, session=trusting(certificates.untrusted_ca_file))
        assert "the server's certificate is refused (" in said


async def test_a_server_that_asks_for_a_certificate(certificates: Certificates) -> None:
    context = certificates.server_context(require_client_certificate=True)
    own = certificates.client
    shown = {"cert_path": own.cert_file, "private_key_path": own.key_file}
    async with answering(show, host="localhost", ssl_context=context) as server:
        session = {"tls": trusting(certificates.ca_file)["tls"] | shown}
        assert (await ask(server.url, session=session)).status == 200
        assert await refused(server.url, session=trusting(certificates.ca_file))


async def test_a_tls_file_that_cannot_be_used_is_named_and_read_again(
    certificates: Certificates, tmp_path: Path
) -> None:
    file = tmp_path / "ca.crt"
    context = certificates.server_context(certificates.server)
    async with answering(show, host="localhost", ssl_context=context) as server:
        found = settings(server.url, session=trusting(file))
        async with PollClient(found) as client:
            with pytest.raises(PollError, match=f"the TLS file {file} .*cannot be used"):
                await client.ask(found.request)
            file.write_bytes(certificates.untrusted_ca_file.read_bytes())
            with pytest.raises(PollError, match="the server's certificate is refused"):
                await client.ask(found.request)
            file.write_bytes(certificates.ca_file.read_bytes())
            assert (await client.ask(found.request)).status == 200


# Redirects and cookies


async def redirecting(request: web.Request) -> web.Response:
    status, _, where = request.match_info["path"].partition("/")
    if not status.isdigit():
        return await show(request)
    return web.Response(status=int(status), headers={"Location": f"/{where}"})


@pytest.mark.parametrize(
    ("status", "method", "followed_by"),
    [
        (301, "POST", "GET"),
        (302, "GET", "GET"),
        (303, "PUT", "GET"),
        (303, "HEAD", "HEAD"),
        (307, "POST", "POST"),
        (308, "PUT", "PUT"),
    ],
)
async def test_a_redirect_is_followed(status: int, method: str, followed_by: str) -> None:
    async with answering(redirecting) as server:
        url = server.url.replace("//", "//user:pass@")
        response = await ask(
            f"{url}/{status}/there", request={"method": method, "params": {"a": 1}}
        )
    assert server.requests == [f"{method} /{status}/there?a=1", f"{followed_by} /there"]
    if method != "HEAD":
        assert (await response.json())["login"] is not None


async def test_so_many_redirects_are_followed_and_no_more() -> None:
    async with answering(redirecting) as server:
        assert (await ask(f"{server.url}/302/302/a", request={"max_redirects": 2})).status == 200
        said = await refused(f"{server.url}/302/302/a", request={"max_redirects": 1})
        assert said == (
            f"{server.url}/302/302/a: it is redirected more than 1 times, at last to {server.url}/a"
        )
        assert "more than 0 times" in await refused(
            f"{server.url}/302/a", request={"max_redirects": 0}
        )


async def redirected_to(location: str) -> str:
    """What is said of a redirect, where the server is stood for by SERVER."""

    async def away(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": location})

    async with answering(away) as server:
        said = await refused(server.url, request={"headers": {"X-Key": "secret"}})
    assert len(server.requests) in (1, 6)
    return said.removeprefix(f"{server.url}: ").replace(server.url, "SERVER")


@pytest.mark.parametrize(
    ("location", "where"),
    [
        ("http://user:pass@192.0.2.1/there?key=secret", "http://192.0.2.1/there"),
        ("http://127.0.0.1/there", "http://127.0.0.1/there"),  # another port
        ("https://127.0.0.1/there", "https://127.0.0.1/there"),
        ("//192.0.2.1", "http://192.0.2.1"),
    ],
)
async def test_a_redirect_to_another_origin_is_not_followed(location: str, where: str) -> None:
    assert await redirected_to(location) == (
        f"it is redirected to {where}, which is another origin (scheme, host and port);"
        " make that the URL if it is trusted"
    )


async def test_another_port_of_the_host_learns_nothing() -> None:
    async with answering(show) as other:

        async def away(request: web.Request) -> web.Response:
            return web.Response(status=307, headers={"Location": f"{other.url}/there"})

        async with answering(away) as server:
            said = await refused(
                server.url.replace("//", "//user:pass@"), request={"headers": {"X-Key": "secret"}}
            )
    assert f"it is redirected to {other.url}/there, which is another origin" in said
    assert other.requests == []


async def test_a_redirect_out_of_https_is_not_followed(certificates: Certificates) -> None:
    """Also where the port stays the same."""

    async def away(request: web.Request) -> web.Response:
        raise web.HTTPFound(str(request.url.with_scheme("http")))

    context = certificates.server_context(certificates.server)
    async with answering(away, host="localhost", ssl_context=context) as server:
        said = await refused(server.url, request={"ssl": False})
    assert f"it is redirected to {server.url.replace('https', 'http')}/, which is another" in said


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("http://[bad", "it is redirected to what is no URL"),
        ("http://127.0.0.1:99999/", "it is redirected to what is no URL"),
        ("ftp://127.0.0.1/x", "it is redirected to what is no URL of http or https"),
        ("javascript:alert(1)", "it is redirected to what is no URL of http or https"),
        ("", "it is redirected more than 5 times, at last to SERVER"),
        ("//", "it is redirected more than 5 times, at last to SERVER"),
    ],
)
async def test_a_redirect_that_leads_nowhere_is_told_in_words(location: str, said: str) -> None:
    assert await redirected_to(location) == said


def test_a_redirect_to_a_host_of_odd_bytes_leads_nowhere() -> None:
    with pytest.raises(PollError, match="it is redirected to what is no URL"):
        url_after(URL("http://127.0.0.1/"), "http://\udcff/")  # as aiohttp gives bytes


@pytest.mark.parametrize("kept", [True, False])
async def test_cookies_are_kept_where_that_is_asked_for(kept: bool) -> None:
    async def count(request: web.Request) -> web.Response:
        seen = int(request.cookies.get("count", "0"))
        response = web.Response(text=str(seen))
        response.set_cookie("count", str(seen + 1))
        return response

    async with answering(count) as server:
        found = settings(server.url, session={"cookies": kept})
        async with PollClient(found) as client:
            texts = [await (await client.ask(found.request)).text() for _ in range(3)]
    assert texts == (["0", "1", "2"] if kept else ["0", "0", "0"])


async def test_cookies_are_bounded() -> None:
    most = 0

    async def invent(request: web.Request) -> web.Response:
        nonlocal most
        most = max(most, len(request.cookies))
        response = web.Response()
        for number in range(30):
            response.set_cookie(f"c{len(server.requests)}-{number}", "x")
        return response

    async with answering(invent) as server:
        found = settings(server.url, session={"cookies": True})
        async with PollClient(found) as client:
            for _ in range(20):
                await client.ask(found.request)
    assert 0 < most <= MAX_COOKIES


# Cancelling


async def test_a_request_that_is_cancelled_leaves_nothing() -> None:
    asked, never = asyncio.Event(), asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        asked.set()
        await never.wait()
        return web.Response()

    async with answering(answer) as server:
        asking = asyncio.create_task(ask(server.url))
        await asked.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
