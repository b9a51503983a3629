"""What a REST poll is told: whom to ask, how, how often, and what to make of failures.

The fields are those of GridWorks hardware layouts. What a layout of the predecessor passes through
to aiohttp, unnamed, is refused here: a misspelled name would be nobody's error.
"""

import json
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from gwproactor.config.mqtt import TLSInfo
from gwproactor.web.rest_headers import Headers
from gwproactor.web.rest_urls import URL_EXAMPLE, QueryValue, RESTTable, URLConfig, joined_url

DEFAULT_POLL_PERIOD_SECONDS = 60.0

DEFAULT_TOTAL_SECONDS = 30.0
"""A device that has not answered by then will not."""

DEFAULT_CONNECT_SECONDS = 10.0
"""Some retransmissions of a first packet: 1 s, 3 s and 7 s after it, on Linux."""

LONGEST_SECONDS = 86400.0

MOST_JITTER_SECONDS = 1.0
"""What a first answer may be late by, where nobody says otherwise."""

_HEADERS = {"Accept": "application/json"}


class AioHttpClientTimeout(RESTTable):
    """How long parts of a request may take, seconds.

    Args:
        total: All of it, redirects and the body included.
        connect: Until there is a connection.
        sock_connect: One attempt at connecting.
        sock_read: Between two pieces of the answer.
    """

    total: float = Field(default=DEFAULT_TOTAL_SECONDS, gt=0, le=LONGEST_SECONDS)
    connect: float = Field(default=DEFAULT_CONNECT_SECONDS, gt=0, le=LONGEST_SECONDS)
    sock_connect: float | None = Field(default=None, gt=0, le=LONGEST_SECONDS)
    sock_read: float | None = Field(default=None, gt=0, le=LONGEST_SECONDS)


class SessionArgs(RESTTable):
    """What all requests of a poller have in common.

    Args:
        base_url: The server, where requests name only a path.
        timeout: See `AioHttpClientTimeout`.
        headers: Sent with each request.
        cookies: Whether cookies of the server are kept, in memory, and sent back to it.
        tls: The authorities to trust and the certificate to show, where the URL is one of https;
            the system's authorities when not given. `use_tls` is not looked at.
    """

    base_url: URLConfig | None = Field(default=None, examples=["http://10.0.0.5"])
    timeout: AioHttpClientTimeout = AioHttpClientTimeout()
    headers: Headers = Field(default_factory=dict, examples=[_HEADERS])
    cookies: bool = False
    tls: TLSInfo | None = None


class RequestArgs(RESTTable):
    """One request.

    Args:
        url: What is asked, whole or as a path of the session's `base_url`.
        method: The HTTP method.
        params: Added to the URL's query.
        data: A form to send, or, as a text, the body itself.
        json_body: A value to send as JSON.
        headers: Sent besides those of the session.
        timeout: In place of the session's.
        ssl: False does not check the server's certificate; prefer `tls` of the session.
        max_redirects: Redirects that are followed, to the same scheme, host and port only; 0 makes
            a redirect an error.
    """

    url: URLConfig | None = Field(default=None, examples=[URL_EXAMPLE])
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    params: dict[str, QueryValue] | None = Field(default=None, examples=[{"unit": "C"}])
    data: str | dict[str, QueryValue] | None = None
    json_body: Any = None
    headers: Headers = Field(default_factory=dict, examples=[_HEADERS])
    timeout: AioHttpClientTimeout | None = None
    ssl: bool | None = None
    max_redirects: int = Field(default=5, ge=0, le=20)

    @field_validator("json_body")
    @classmethod
    def _is_json(cls, value: Any) -> Any:
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            raise ValueError("it holds something that JSON cannot write") from None
        return value

    @model_validator(mode="after")
    def _one_body(self) -> "RequestArgs":
        if self.data is not None and self.json_body is not None:
            raise ValueError("data and json_body are two bodies; give one of them")
        return self


class ErrorResponse(RESTTable):
    """What follows a failure.

    Args:
        error_for_http_status: Whether a status of 400 and above is one; the converter is given
            every answer otherwise. Only of use for `request`.
        raise_exception: Let the poller's task die of it. It is not begun anew, so that ends the
            proactor, unless `tasks.on_failure` is `report`.
        report: Make a problem event of it, at a bounded rate.
    """

    error_for_http_status: bool = True
    raise_exception: bool = False
    report: bool = True


class ErrorResponses(RESTTable):
    """What follows each kind of failure.

    Args:
        request: There was no answer, or none of use.
        convert: The converter failed, or whoever is given its message.
    """

    request: ErrorResponse = ErrorResponse()
    convert: ErrorResponse = ErrorResponse()


class RESTPollerSettings(RESTTable):
    """One REST poll.

    Args:
        session: What its requests have in common.
        request: What is asked, again and again.
        poll_period_seconds: From the start of one request to the start of the next.
        start_jitter_seconds: The first request begins so long after the start at most, at random,
            so that pollers that start together do not ask in step; when not given, a tenth of the
            period, and a second at most.
        errors: What follows a failure.
        max_response_bytes: A longer answer, unpacked, is a failure.

    Raises:
        SettingsError: A value cannot work, or has no such name.
    """

    session: SessionArgs = SessionArgs()
    request: RequestArgs = Field(default=RequestArgs(), examples=[{"url": URL_EXAMPLE}])
    poll_period_seconds: float = Field(
        default=DEFAULT_POLL_PERIOD_SECONDS, ge=0.001, le=LONGEST_SECONDS, allow_inf_nan=False
    )
    start_jitter_seconds: float | None = Field(default=None, ge=0, le=LONGEST_SECONDS)
    errors: ErrorResponses = ErrorResponses()
    max_response_bytes: int = Field(default=1024 * 1024, ge=1, le=2**31)

    @model_validator(mode="after")
    def _whole_url(self) -> "RESTPollerSettings":
        has_login = urlsplit(self.url).username is not None
        names = {name.lower() for name in (*self.session.headers, *self.request.headers)}
        if has_login and "authorization" in names:
            raise ValueError(
                "the URL has a login, and the header Authorization is another; give one of them"
            )
        return self

    @property
    def url(self) -> str:
        """What is asked, without `params`; it may hold secrets."""
        return self.url_of(self.request)

    def url_of(self, request: RequestArgs) -> str:
        """The same of another request of the session.

        Raises:
            ValueError: It makes no whole URL.
        """
        return joined_url(self.session.base_url, request.url)

    @property
    def jitter_seconds(self) -> float:
        """How long after the start the first request begins at most."""
        if self.start_jitter_seconds is not None:
            return self.start_jitter_seconds
        return min(self.poll_period_seconds / 10, MOST_JITTER_SECONDS)

    @property
    def timeout(self) -> AioHttpClientTimeout:
        """How long a request may take."""
        return self.request.timeout or self.session.timeout
