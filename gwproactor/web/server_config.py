"""What a web server is told: where it listens, and what it takes from its clients at most."""

import math
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gwproactor.errors import UsageError
from gwproactor.web.options import refuse_unknown

LOOPBACK = "127.0.0.1"
"""Where a server listens that is not told otherwise: only programs of this machine reach it."""

HIGHEST_PORT = 65535

_FOR_ALL = "0.0.0.0 and :: are for everybody"

_LOOPBACK_OF = {"0.0.0.0": LOOPBACK, "::": "::1"}  # noqa: S104 - who says so listens there


@dataclass(frozen=True, kw_only=True)
class WebServerConfig:
    """One web server.

    Args:
        name: What routes call it.
        host: The address to listen on, or a name for it; `0.0.0.0` or `::` for all addresses.
        port: The port; 0 for any free one.
        enabled: False for a server that is configured and not started.
        ssl_context: Makes it an HTTPS server.
        backlog: Connections that the system holds until they are accepted.
        reuse_port: Let other sockets that say the same share the port.
        max_connections: Connections open at a time; further ones are answered with 503 and closed.
        max_body_bytes: The longest body that `request.read()` and its like take; 413 beyond it.
        idle_seconds: A connection is closed on which no request came for so long; a body of which
            nothing came for so long is answered with 408.

    Raises:
        UsageError: One of them cannot work.
    """

    name: str
    host: str = LOOPBACK
    port: int = 0
    enabled: bool = True
    ssl_context: ssl.SSLContext | None = None
    backlog: int = 128
    reuse_port: bool = False
    max_connections: int = 100
    max_body_bytes: int = 1024 * 1024
    idle_seconds: float = 60.0

    def __post_init__(self) -> None:
        for fine, fault in self._checks():
            if not fine:
                raise UsageError(f"web server {self.name!r}: {fault}")

    def _checks(self) -> Iterator[tuple[bool, str]]:
        """Each thing that must hold, and what is said where it does not."""
        yield _is_text(self.name), "its name is a word"
        yield (
            _is_text(self.host),
            f"host {self.host!r} names no address; {LOOPBACK} is for this machine only, {_FOR_ALL}",
        )
        yield (
            _is_whole(self.port) and 0 <= self.port <= HIGHEST_PORT,
            f"port {self.port!r} is none; use 1 to {HIGHEST_PORT}, or 0 for any free one",
        )
        yield (
            isinstance(self.ssl_context, ssl.SSLContext | None),
            f"ssl_context is {type(self.ssl_context).__name__}; use an ssl.SSLContext",
        )
        for name in ("backlog", "max_connections", "max_body_bytes"):
            value = getattr(self, name)
            yield _is_whole(value) and value > 0, f"{name} is {value!r}; use 1 or more"
        seconds = self.idle_seconds
        yield _is_length(seconds), f"idle_seconds is {seconds!r}; use more than 0"
        for name in ("enabled", "reuse_port"):
            flag = getattr(self, name)
            yield isinstance(flag, bool), f"{name} is {flag!r}; use True or False"

    @property
    def reachable_host(self) -> str:
        """How a URL of this machine names the host: an address for "all", IPv6 in brackets."""
        host = _LOOPBACK_OF.get(self.host, self.host)
        return f"[{host}]" if ":" in host else host

    @classmethod
    def of(
        cls, name: str, host: str, port: int, options: Mapping[str, object]
    ) -> "WebServerConfig":
        """Make one of what `add_web_server_config` was given.

        Raises:
            UsageError: One of them cannot work, or there is no such option.
        """
        refuse_unknown(f"web server '{name}'", options, cls, ("name", "host", "port"))
        return cls(name=name, host=host, port=port, **options)  # type: ignore[arg-type]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_length(value: object) -> bool:
    return isinstance(value, int | float) and value is not True and 0 < value < math.inf
