import contextlib
import functools
import itertools
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from gwproactor.errors import UsageError
from gwproactor.web.aiohttp_server import check_path
from gwproactor.web.routes import METHODS, WebRoute, WebRoutes


async def answer(request: Any) -> Any:
    raise NotImplementedError


def route(method: str = "GET", path: str = "/", **options: Any) -> WebRoute:
    return WebRoute.of(method, path, answer, options)


def test_a_get_route_answers_head_unless_told_otherwise() -> None:
    assert route().methods == ("GET", "HEAD")
    assert route(allow_head=False).methods == ("GET",)
    assert route("POST").methods == ("POST",)


def test_a_method_may_be_written_small() -> None:
    assert route("get") == route("GET")


@pytest.mark.parametrize("method", ["", "GETS", "TRACE", "GET ", None, 1])
def test_a_bad_method_is_refused_with_the_good_ones(method: Any) -> None:
    with pytest.raises(UsageError, match=r"is no method.*DELETE, GET"):
        route(method)


@pytest.mark.parametrize(
    "path", ["", "a", "a/b", "/a b", "/a?b", "/a#b", "http://x/", "/a\n", None]
)
def test_a_bad_path_is_refused(path: Any) -> None:
    with pytest.raises(UsageError, match="is no path"):
        route(path=path)


@pytest.mark.parametrize("path", ["/{", "/{a", "/a}", "/{a:[}", "/{1}", "/{a}{", "/{a}{a}"])
def test_a_path_that_aiohttp_cannot_read_is_refused_in_our_words(path: str) -> None:
    with pytest.raises(UsageError, match=r"a brace is missing .*example: /room/\{name\}") as caught:
        check_path(route(path=path))
    assert str(caught.value).startswith(f"web route GET {path}: ")


class Answering:
    """Handlers of several kinds."""

    async def method(self, request: Any) -> Any:
        raise NotImplementedError

    async def __call__(self, request: Any) -> Any:
        raise NotImplementedError

    def plain(self, request: Any) -> Any:
        raise NotImplementedError

    async def pieces(self, request: Any) -> AsyncIterator[bytes]:
        yield b""


def logged(handler: Any) -> Any:
    """A decorator as there are many: a plain function around a coroutine function."""

    @functools.wraps(handler)
    def wrapper(request: Any) -> Any:
        return handler(request)

    return wrapper


HANDLERS = (
    answer,
    Answering().method,
    Answering(),
    functools.partial(answer),
    functools.partial(functools.partial(Answering())),
    logged(answer),
    functools.partial(logged(Answering().method)),
    web.View,
)


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_handler_may_be_whatever_is_called_and_awaited(handler: Any) -> None:
    assert WebRoute.of("GET", "/", handler, {}).handler is handler


@pytest.mark.parametrize(
    ("handler", "name"),
    [
        ("answer", "str"),
        (None, "NoneType"),
        (Answering().plain, "Answering.plain"),
        (Answering().pieces, "Answering.pieces"),
        (Answering, "Answering"),
        (functools.partial(Answering().plain), "Answering.plain"),
        (functools.partial(print), "print"),
        (len, "len"),
        (logged(Answering().plain), "Answering.plain"),
        (contextlib.nullcontext(), "nullcontext"),
    ],
)
def test_a_handler_that_cannot_be_awaited_is_refused(handler: Any, name: str) -> None:
    said = f"web route GET /: the handler {name} is no coroutine function; use `async def"
    with pytest.raises(UsageError, match=re.escape(said)):
        WebRoute.of("GET", "/", handler, {})


def test_a_handler_in_one_line_is_refused_with_its_place() -> None:
    with pytest.raises(UsageError, match=r"lambda.* is no coroutine function"):
        WebRoute.of("GET", "/", lambda request: answer(request), {})


def test_an_unknown_option_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"GET /: there is no option nam; there are .*name"):
        route(nam="x")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("GET", "/"), ("GET", "/")),
        (("GET", "/"), ("HEAD", "/")),
        (("HEAD", "/"), ("GET", "/")),
        (("*", "/"), ("GET", "/")),
        (("GET", "/"), ("*", "/")),
        (("PUT", "/{a}/x"), ("PUT", "/{b}/x")),
        (("PUT", "/{a:[0-9]+}"), ("PUT", "/{b:[0-9]+}")),
    ],
)
def test_a_route_that_would_never_be_asked_is_refused(
    first: tuple[str, str], second: tuple[str, str]
) -> None:
    routes = WebRoutes()
    routes.add("w", route(*first))
    with pytest.raises(UsageError, match="would never be asked"):
        routes.add("w", route(*second))
    assert len(list(routes)) == 1


def test_who_wants_another_handler_for_head_is_told_how() -> None:
    routes = WebRoutes()
    routes.add("w", route())
    with pytest.raises(UsageError, match="allow_head=False"):
        routes.add("w", route("HEAD"))


def test_routes_that_differ_live_together() -> None:
    routes = WebRoutes()
    wanted = [
        route("GET", "/", name="root", allow_head=False),
        route("HEAD", "/", name="root"),
        route("GET", "/{a}"),
        route("GET", "/{a:[0-9]+}"),
        route("POST", "/{b}"),
    ]
    for each in wanted:
        routes.add("w", each)
    assert list(routes) == wanted


def test_a_name_stands_for_one_path() -> None:
    routes = WebRoutes()
    routes.add("w", route(path="/a", name="n"))
    with pytest.raises(UsageError, match=r"cannot be called 'n': GET /a is"):
        routes.add("w", route(path="/b", name="n"))


@given(st.text(), st.text(max_size=30))
def test_whatever_is_added_is_taken_by_aiohttp_or_refused_as_a_mistake(
    method: str, path: str
) -> None:
    with contextlib.suppress(UsageError):
        check_path(route(method, path))
    with contextlib.suppress(UsageError):
        check_path(route("GET", f"/{path}"))


@given(st.lists(st.tuples(st.sampled_from(sorted(METHODS)), st.sampled_from(["/a", "/{b}"]))))
def test_no_two_routes_answer_the_same(wanted: list[tuple[str, str]]) -> None:
    routes = WebRoutes()
    for each in wanted:
        try:
            routes.add("w", route(*each))
        except UsageError:
            continue
    for one, other in itertools.combinations(routes, 2):
        assert one.path != other.path or not set(one.methods) & set(other.methods)
