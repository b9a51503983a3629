"""The HTTP client of a poller, run by aiohttp: one session, one request at a time.

What fails is told in words that name host and port and hold no login, query, header or body. A
redirect is followed to the same scheme, host and port only; see `aiohttp_redirects`.
"""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from pydantic import SecretStr
from yarl import URL

from gwproactor.errors import ConnectRefusedError, PollError
from gwproactor.links.mqtt.dialing import socket_error_in_words
from gwproactor.links.mqtt.name_lookup import is_looked_up, resolve
from gwproactor.links.mqtt.tls import client_context
from gwproactor.web.aiohttp_redirects import REDIRECTS, method_after, url_after
from gwproactor.web.rest_response import RESTResponse
from gwproactor.web.rest_settings import AioHttpClientTimeout, RequestArgs, RESTPollerSettings
from gwproactor.web.rest_urls import public_url

MAX_COOKIES = 100
"""A server that invents a cookie with each answer does not fill the memory."""

MAX_REASON_CHARACTERS = 100
"""The words of a status are the server's own."""


class PollClient:
    """Asks one server. For the event loop's thread; an async context manager.

    Args:
        settings: Of the poll.
    """

    def __init__(self, settings: RESTPollerSettings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None
        self._tls: ssl.SSLContext | None = None
        """Made of the session's files; after a failure they are read again."""

    async def __aenter__(self) -> Self:
        session = self._settings.session
        # A connection that the server gives up meanwhile costs the request that begins on it, and
        # aiohttp does not repeat a POST.
        fresh = self._settings.request.method == "POST"
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=1, force_close=fresh, resolver=_Resolver()),
            cookie_jar=_cookie_jar(keep=session.cookies),
            headers=_plain(session.headers),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def ask(self, request: RequestArgs) -> RESTResponse:
        """Send a request and read the answer. Cancelling is safe.

        Raises:
            PollError: There was no answer, or none of use.
            ValueError: The request has no whole URL.
        """
        url = self._settings.url_of(request)
        timeout = request.timeout or self._settings.session.timeout
        try:
            async with asyncio.timeout(timeout.total):
                await self._read_tls_files()
                return await self._follow(request, URL(url).update_query(request.params or {}))
        except (PollError, ConnectRefusedError) as error:
            raise PollError(f"{public_url(url)}: {error}") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            self._tls = None
            raise PollError(f"{public_url(url)}: {_in_words(error, timeout, url)}") from None

    async def _read_tls_files(self) -> None:
        tls = self._settings.session.tls
        if tls is not None and self._tls is None:
            self._tls = await asyncio.to_thread(client_context, tls)

    async def _follow(self, request: RequestArgs, url: URL) -> RESTResponse:
        """Ask, and where the server says that the answer is elsewhere, ask there."""
        method: str = request.method
        for _ in range(request.max_redirects + 1):
            async with self._send(request, method, url) as response:
                location = response.headers.get("Location")
                if response.status not in REDIRECTS or location is None:
                    return await self._read(response)
                method = method_after(method, response.status)
                url = url_after(url, location)
        raise PollError(
            f"it is redirected more than {request.max_redirects} times, at last to"
            f" {public_url(str(url))}"
        )

    def _send(
        self, request: RequestArgs, method: str, url: URL
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        assert self._session is not None
        timeout = request.timeout or self._settings.session.timeout
        has_body = method == request.method  # else it was redirected to GET
        return self._session.request(
            method,
            url,
            data=request.data if has_body else None,
            json=request.json_body if has_body else None,
            headers=_plain(request.headers),
            timeout=aiohttp.ClientTimeout(**timeout.model_dump() | {"total": None}),
            ssl=False if request.ssl is False else self._tls or True,
            allow_redirects=False,
        )

    async def _read(self, response: aiohttp.ClientResponse) -> RESTResponse:
        """The answer, where it is one, and not too long."""
        reason = (response.reason or "")[:MAX_REASON_CHARACTERS]
        if response.status >= 400 and self._settings.errors.request.error_for_http_status:
            raise PollError(f"HTTP {response.status} {reason!r}")
        most, body = self._settings.max_response_bytes, bytearray()
        async for piece in response.content.iter_any():
            body += piece
            if len(body) > most:
                raise PollError(f"the answer is longer than max_response_bytes ({most})")
        self._bound_cookies()
        url = public_url(str(response.url))
        return RESTResponse(response.status, reason, response.headers, url, bytes(body))

    def _bound_cookies(self) -> None:
        assert self._session is not None
        if len(self._session.cookie_jar) > MAX_COOKIES:
            self._session.cookie_jar.clear()


class _Resolver(AbstractResolver):
    """Looks names up as links do: a resolver that hangs holds up nobody else."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = [each for each in await resolve(host, port) if family in (each.family, 0)]
        return [
            ResolveResult(
                hostname=host,
                host=str(address.sockaddr[0]),
                port=port,
                family=address.family,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in found
        ]

    async def close(self) -> None:
        """Nothing is held."""


def _cookie_jar(*, keep: bool) -> aiohttp.abc.AbstractCookieJar:
    # Devices have addresses and no names, and aiohttp keeps no cookies of such unless told to.
    return aiohttp.CookieJar(unsafe=True) if keep else aiohttp.DummyCookieJar()


def _plain(headers: Mapping[str, SecretStr]) -> dict[str, str]:
    return {name: value.get_secret_value() for name, value in headers.items()}


def _in_words(error: Exception, timeout: AioHttpClientTimeout, url: str) -> str:
    """What went wrong, without what may be secret in aiohttp's own words."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return f"no connection within {timeout.sock_connect or timeout.connect:g} s"
    if isinstance(error, TimeoutError):
        resolving = is_looked_up(URL(url).host or "")
        asleep = "; the system's resolver does not answer" if resolving else ""
        return f"no whole answer in time{asleep}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection: {_cause_in_words(error.os_error)}"
    if isinstance(error, OSError):
        return f"the connection broke: {socket_error_in_words(error)}"
    name = type(error).__name__
    if isinstance(error, ValueError):  # its words may quote a header
        return f"no request can be made of what it was told ({name}); look at URL and headers"
    return _WORDS.get(type(error), name)


def _cause_in_words(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the server's certificate is refused ({error.verify_message})"
    return socket_error_in_words(error)


_WORDS: dict[type[Exception], str] = {
    aiohttp.ServerDisconnectedError: "the server closed the connection",
    aiohttp.ClientPayloadError: "the answer broke off",
    aiohttp.ClientResponseError: "the answer is no HTTP",
}
