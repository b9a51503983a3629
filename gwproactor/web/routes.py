"""The routes of a web server: which handler answers which method and path.

A path is one of aiohttp's: plain, or with variables, `/room/{name}` or `/room/{number:[0-9]+}`. Two
routes that could answer the same request alike are one too many and refused: the second would
never be asked.
"""

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from gwproactor.errors import UsageError
from gwproactor.interfaces import WebHandler
from gwproactor.texts import name_of
from gwproactor.web.options import refuse_unknown

ANY_METHOD = "*"

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", ANY_METHOD})
"""CONNECT and TRACE are for proxies, and no handler should answer them."""

_PATH = re.compile(r"/[^\s?#]*")
"""A query and a fragment are no part of a path; what else it may be, aiohttp knows."""

_VARIABLE_NAME = re.compile(r"\{[^}:]*")


@dataclass(frozen=True, kw_only=True)
class WebRoute:
    """One route.

    Args:
        method: The HTTP method in capitals; `*` for all.
        path: The path.
        handler: A coroutine function that is given an `aiohttp.web.Request` and returns an
            `aiohttp.web.StreamResponse`; a method, a partial or an object that is called so serves
            too, and a class derived from `aiohttp.web.View`.
        name: A name under which aiohttp's router finds the path again.
        allow_head: Whether a GET route answers HEAD as well.

    Raises:
        UsageError: One of them cannot work.
    """

    method: str
    path: str
    handler: WebHandler
    name: str | None = None
    allow_head: bool = True

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise UsageError(
                f"{self.method!r} is no method of a web route; use {', '.join(sorted(METHODS))}"
            )
        if not _PATH.fullmatch(self.path):
            raise UsageError(
                f"{self.path!r} is no path of a web route: it begins with / and has no white"
                " space, query or fragment; example: /room/{name}"
            )
        if not _is_handler(self.handler):
            raise UsageError(
                f"web route {self}: the handler {name_of(self.handler)} is no coroutine function;"
                " use `async def handler(request)`"
            )

    @classmethod
    def of(
        cls, method: str, path: str, handler: WebHandler, options: Mapping[str, object]
    ) -> "WebRoute":
        """Make one of what `add_web_route` was given.

        Raises:
            UsageError: One of them cannot work, or there is no such option.
        """
        refuse_unknown(f"web route {method} {path}", options, cls, ("method", "path", "handler"))
        checked: dict[str, object] = {"method": str(method).upper(), "path": str(path)}
        return cls(**checked, **options, handler=handler)  # type: ignore[arg-type]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that it answers."""
        return ("GET", "HEAD") if self.method == "GET" and self.allow_head else (self.method,)

    @property
    def shape(self) -> str:
        """The path without the names of its variables, which are no difference to a request."""
        return _VARIABLE_NAME.sub("{", self.path)


class WebRoutes:
    """The routes of one server, in the order in which they were added."""

    def __init__(self) -> None:
        self._routes: list[WebRoute] = []

    def __iter__(self) -> Iterator[WebRoute]:
        return iter(self._routes)

    def add(self, server_name: str, route: WebRoute) -> None:
        """Add one.

        Raises:
            UsageError: Another one answers the same requests, or has the same name.
        """
        for other in self._routes:
            if other.shape == route.shape and _overlap(other.methods, route.methods):
                raise UsageError(
                    f"web server '{server_name}' has {other} already: {route} would never be asked"
                    f"{_ADVICE_ON_HEAD if route.method == 'HEAD' else ''}"
                )
            if route.name is not None and other.name == route.name and other.path != route.path:
                raise UsageError(
                    f"web server '{server_name}': {route} cannot be called '{route.name}':"
                    f" {other} is"
                )
        self._routes.append(route)


def _is_handler(handler: object) -> bool:
    """Whether what it returns can be awaited, as far as one can see; through decorators, too.

    A plain function may return something to await. Most do not: they would hold up the event loop,
    and answer each request with 500.
    """
    if isinstance(handler, type):
        return hasattr(handler, "__await__")  # a view
    while isinstance(handler, partial):
        handler = handler.func
    if not callable(handler):
        return False
    called = inspect.unwrap(handler)
    return inspect.iscoroutinefunction(called) or inspect.iscoroutinefunction(called.__call__)


_ADVICE_ON_HEAD = "; add the GET route with allow_head=False"


def _overlap(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return ANY_METHOD in (*one, *other) or not set(one).isdisjoint(other)
