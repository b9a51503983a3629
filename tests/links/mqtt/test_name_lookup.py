"""Looking up names with a resolver that hangs: what it costs, and whom.

The resolver here hangs until it is told to answer; nothing else of a look-up is made up.
"""

import asyncio
import contextlib
import errno
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from gwproactor.config.mqtt import MQTTClient, broker_from_url
from gwproactor.errors import ConnectFailedError
from gwproactor.links.mqtt import name_lookup
from gwproactor.links.mqtt.aiomqtt_transport import connect_with_aiomqtt
from gwproactor.links.mqtt.name_lookup import (
    HANGING_SECONDS,
    MAX_THREADS,
    Address,
    is_looked_up,
    resolve,
)
from gwproactor.links.transport import ConnectOptions
from gwproactor_test.brokers import AnyBroker
from gwproactor_test.clients import until
from gwproactor_test.link_pair import (
    CHILD,
    PARENT,
    WAIT_SECONDS,
    End,
    child_settings,
    parent_settings,
    running,
)
from gwproactor_test.moved_clock import moved_clock

SLOW = "slow.example"


class Resolver:
    """The system's resolver, which hangs for names that begin with `slow` until it may answer."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self._may_answer: dict[str, threading.Semaphore] = {}

    def getaddrinfo(
        self, host: str, port: int | None, *_args: object, flags: int = 0, **_kwargs: object
    ) -> Sequence[tuple[object, ...]]:
        if flags or not host.startswith(("slow", "quick")):
            return REAL(host, port, type=socket.SOCK_STREAM, flags=flags)
        self.asked[host] += 1
        if host.startswith("slow"):
            self._gate(host).acquire()
        if "unknown" in host:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]

    def answer(self, host: str = SLOW, times: int = 1) -> None:
        """Let so many threads that ask for it have their answer."""
        self._gate(host).release(times)

    def _gate(self, host: str) -> threading.Semaphore:
        return self._may_answer.setdefault(host, threading.Semaphore(0))

    def free_all(self) -> None:
        for host in self.asked:
            self.answer(host, 100)


REAL = socket.getaddrinfo


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver.getaddrinfo)
    yield resolver
    resolver.free_all()
    for thread in look_up_threads():
        thread.join(WAIT_SECONDS)


def look_up_threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "gwproactor-resolve"]


async def give_up(host: str = SLOW) -> None:
    """Ask, and wait no longer than a moment."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(resolve(host, 1), 0.001)


async def test_numeric_addresses_are_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> None:
        pytest.fail("a thread was started")

    monkeypatch.setattr(threading.Thread, "start", fail)
    assert (await resolve("127.0.0.1", 1))[0].sockaddr == ("127.0.0.1", 1)
    assert (await resolve("::1", 1))[0].sockaddr == ("::1", 1, 0, 0)


async def test_names_are_looked_up_each_time_anew(resolver: Resolver) -> None:
    for port in (1, 2):
        assert await resolve("quick.example", port) == [
            Address(socket.AF_INET, ("127.0.0.1", port))
        ]
    assert resolver.asked["quick.example"] == 2


@pytest.mark.parametrize("host", ["quick.unknown.example", "x" * 64 + ".example"])
async def test_a_name_that_is_none(resolver: Resolver, host: str) -> None:
    with pytest.raises(socket.gaierror):
        await resolve(host, 1)
    assert not is_looked_up(host)


async def test_attempts_share_one_look_up_that_hangs(resolver: Resolver) -> None:
    for _ in range(20):
        await give_up()
    assert resolver.asked[SLOW] == len(look_up_threads()) == 1
    assert is_looked_up(SLOW)
    waiting = [asyncio.create_task(resolve(SLOW, port)) for port in (1, 2)]
    await asyncio.sleep(0)
    resolver.answer()
    answers = await asyncio.wait_for(asyncio.gather(*waiting), WAIT_SECONDS)
    assert [addresses[0].sockaddr[1] for addresses in answers] == [1, 2]
    assert not is_looked_up(SLOW)
    assert resolver.asked[SLOW] == 1


async def test_who_waits_with_others_may_be_cancelled(resolver: Resolver) -> None:
    waiting = [asyncio.create_task(resolve(SLOW, 1)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.wait([waiting[0]])
    assert waiting[0].cancelled()
    resolver.answer()
    await asyncio.wait_for(asyncio.gather(*waiting[1:]), WAIT_SECONDS)


async def test_an_error_reaches_all_who_wait(resolver: Resolver) -> None:
    host = "slow.unknown.example"
    waiting = [asyncio.create_task(resolve(host, 1)) for _ in range(3)]
    await asyncio.sleep(0)
    resolver.answer(host)
    results = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), WAIT_SECONDS)
    assert [type(result) for result in results] == [socket.gaierror] * 3


async def test_one_that_hangs_for_long_gets_company_but_not_much(resolver: Resolver) -> None:
    """A thread may hang for ever in a resolver that has recovered."""
    with moved_clock() as clock:
        for expected in (1, 2, MAX_THREADS, MAX_THREADS, MAX_THREADS):
            await give_up()
            await give_up()
            await until(lambda: resolver.asked[SLOW] == expected)  # noqa: B023 - called at once
            await clock.run(HANGING_SECONDS)
    assert len(look_up_threads()) == MAX_THREADS
    answered = asyncio.create_task(resolve(SLOW, 1))
    await asyncio.sleep(0)
    resolver.answer()
    await asyncio.wait_for(answered, WAIT_SECONDS)
    # The two that hang on take nothing from the next one.
    again = asyncio.create_task(resolve(SLOW, 1))
    await until(lambda: resolver.asked[SLOW] == MAX_THREADS + 1)
    resolver.answer()
    await asyncio.wait_for(again, WAIT_SECONDS)


def no_thread(self: threading.Thread) -> None:
    raise RuntimeError(f"can't start {self.name}")


async def test_where_no_thread_can_be_had_nothing_is_left_behind(
    resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        with pytest.raises(OSError, match="no thread can be started") as caught:
            await resolve("quick.example", 1)
        connecting = connect_with_aiomqtt(
            MQTTClient(host="quick.example"), ConnectOptions("x", 1 << 20)
        )
        with pytest.raises(ConnectFailedError, match="no thread can be started"):
            await connecting.__aenter__()
    assert caught.value.errno == errno.EAGAIN
    assert not is_looked_up("quick.example")
    assert await resolve("quick.example", 1)
    assert resolver.asked["quick.example"] == 1


async def test_where_no_further_thread_can_be_had_the_first_may_answer(
    resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await give_up()
    with moved_clock() as clock, monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        await clock.run(HANGING_SECONDS)
        answered = asyncio.create_task(resolve(SLOW, 1))
        await asyncio.sleep(0)
    resolver.answer()
    assert await asyncio.wait_for(answered, WAIT_SECONDS)
    assert not is_looked_up(SLOW)


async def test_other_names_and_the_executor_are_not_affected(resolver: Resolver) -> None:
    for number in range(50):
        await give_up(f"slow{number}.example")
    await asyncio.wait_for(resolve("quick.example", 1), WAIT_SECONDS)
    await asyncio.wait_for(asyncio.to_thread(lambda: None), WAIT_SECONDS)


def test_a_loop_that_is_closed_before_the_answer_comes(resolver: Resolver) -> None:
    asyncio.run(give_up())
    assert is_looked_up(SLOW)

    async def again() -> list[Address]:
        joined = asyncio.create_task(resolve(SLOW, 1))
        await asyncio.sleep(0)
        resolver.answer()
        return await asyncio.wait_for(joined, WAIT_SECONDS)

    assert asyncio.run(again())[0].sockaddr == ("127.0.0.1", 1)
    assert resolver.asked[SLOW] == 1


async def test_the_error_says_what_did_not_answer(resolver: Resolver) -> None:
    options = ConnectOptions("x", 1 << 20, timeout_seconds=0.01)
    connecting = connect_with_aiomqtt(MQTTClient(host=SLOW), options)
    with pytest.raises(ConnectFailedError, match="resolver does not answer"):
        await connecting.__aenter__()
    assert resolver.asked[SLOW] == 1


async def test_no_other_link_waits_for_a_resolver_that_hangs(
    broker: AnyBroker, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(name_lookup, "MAX_THREADS", 1)
    bad = End("d1.bad", child_settings(MQTTClient(host=SLOW)))
    child = End(CHILD, child_settings(broker_from_url(broker.url)))
    parent = End(PARENT, parent_settings(broker_from_url(broker.url)))
    async with running(bad):
        await until(lambda: is_looked_up(SLOW))
        async with running(child, parent):
            await child.active()
            await parent.active()
