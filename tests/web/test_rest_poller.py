"""Pollers over real servers; the time between polls is the test's."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any

import pytest
from aiohttp import web

from gwproactor.config.tasks import TaskPolicy
from gwproactor.errors import MissingExtraError, PollError
from gwproactor.interfaces import (
    IOLoopInterface,
    MonitoredName,
    ProcessResult,
    ServicesInterface,
    Work,
)
from gwproactor.texts import MAX_TRACEBACK_BYTES
from gwproactor.web import rest_poller
from gwproactor.web.rest_poller import PAT_SECONDS, RESTPoller
from gwproactor.web.rest_response import RESTResponse
from gwproactor.web.rest_settings import RequestArgs, RESTPollerSettings
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import AnyEvent
from gwproactor_test.clients import until
from gwproactor_test.web import answering

PERIOD = 10.0


class IOLoop(IOLoopInterface):
    """Runs coroutines as the proactor's would, and keeps what they raise."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.tasks: list[asyncio.Task[Any]] = []
        self.waiting: list[Coroutine[Any, Any, Any]] | None = None if is_open else []

    def add_io_coroutine(
        self,
        coro: Work | Coroutine[Any, Any, object],
        name: str = "",
        policy: TaskPolicy | None = None,
    ) -> int:
        assert isinstance(coro, Coroutine)
        if self.waiting is not None:
            self.waiting.append(coro)
        else:
            self.tasks.append(asyncio.create_task(coro, name=name))
        return len(self.tasks)

    def cancel_io_routine(self, handle: int) -> None:
        for task in self.tasks[handle - 1 : handle]:
            task.cancel()

    def open(self) -> None:
        waiting, self.waiting = self.waiting or [], None
        for coro in waiting:
            self.add_io_coroutine(coro)

    @property
    def name(self) -> str:
        raise NotImplementedError

    @property
    def services(self) -> ServicesInterface:
        raise NotImplementedError

    @property
    def monitored_names(self) -> Sequence[MonitoredName]:
        raise NotImplementedError

    def process_message(self, message: Message[Any]) -> ProcessResult:
        raise NotImplementedError

    def start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    async def join(self) -> None:
        raise NotImplementedError


class Clock:
    """A clock that stands still until the poller sleeps and the test lets it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.may_pass = 0.0
        self.moved = asyncio.Event()

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        while self.may_pass < seconds:
            self.moved.clear()
            await self.moved.wait()
        self.may_pass -= seconds
        self.now += seconds

    def let_pass(self, seconds: float) -> None:
        self.may_pass += seconds
        self.moved.set()

    def stall(self, seconds: float) -> None:
        self.now += seconds


class Desk:
    """A poller with notes of everything that it does."""

    def __init__(self, url: str, **values: Any) -> None:
        self.clock, self.loop = Clock(), IOLoop()
        self.received: list[Message[Any]] = []
        self.reports: list[tuple[str, str, bool]] = []
        self.pats = 0
        options = {
            name: values.pop(name)
            for name in ("convert", "forward", "cache_request_args", "random")
            if name in values
        }
        rest = {
            "request": {"url": url},
            "poll_period_seconds": PERIOD,
            "start_jitter_seconds": 0,
        } | values
        self.poller = values.get("kind", RESTPoller)(
            "p",
            RESTPollerSettings.model_validate({k: v for k, v in rest.items() if k != "kind"}),
            self.loop,
            **{"convert": number_of, "forward": self.received.append} | options,
            report=lambda *report: self.reports.append(report),
            pat=self.pat,
            clock=self.clock,
        )

    def pat(self) -> None:
        self.pats += 1

    def numbers(self) -> list[int]:
        return [message.Payload.model_extra["Number"] for message in self.received]

    def summaries(self) -> list[str]:
        return [summary for summary, _, _ in self.reports]

    async def received_count(self, count: int) -> None:
        await until(lambda: len(self.received) == count)


async def number_of(response: RESTResponse) -> Message[Any]:
    return message_of((await response.json())["number"])


def message_of(number: int) -> Message[Any]:
    payload = AnyEvent(TypeName="gridworks.event.number", Number=number)
    return Message[Any](Src="p", Payload=payload)


@contextlib.asynccontextmanager
async def polling(desk: Desk) -> AsyncIterator[None]:
    desk.poller.start()
    try:
        yield
    finally:
        desk.poller.stop()
        await asyncio.wait_for(desk.poller.join(), 10)


class Counting:
    """A handler that answers with the number of the request, or as it is told."""

    def __init__(self) -> None:
        self.count = 0
        self.status = 200

    async def __call__(self, request: web.Request) -> web.Response:
        self.count += 1
        return web.json_response({"number": self.count}, status=self.status)


# Time


async def test_it_asks_at_once_and_then_each_period() -> None:
    async with answering(Counting()) as server:
        desk = Desk(server.url)
        async with polling(desk):
            for count in range(1, 6):
                await desk.received_count(count)
                assert desk.numbers()[-1] == count
                assert desk.poller.poll_count == count
                desk.clock.let_pass(PERIOD)
    assert desk.poller.missed_count == 0
    assert desk.reports == []


async def test_it_may_begin_later_and_keeps_that_distance_from_others() -> None:
    starts: list[float] = []

    async def convert(response: RESTResponse) -> Message[Any]:
        starts.append(desk.clock.now - 1000)
        return await number_of(response)

    async with answering(Counting()) as server:
        desk = Desk(server.url, convert=convert, random=lambda: 0.5, start_jitter_seconds=4)
        async with polling(desk):
            desk.clock.let_pass(1.9)
            await asyncio.sleep(0.01)  # in which one that does not wait would ask
            assert server.requests == []
            desk.clock.let_pass(0.1 + 2 * PERIOD)
            await desk.received_count(3)
    assert starts == [2, 2 + PERIOD, 2 + 2 * PERIOD]
    assert desk.poller.missed_count == 0


async def test_a_stall_costs_polls_and_brings_no_burst() -> None:
    counting = Counting()

    async def convert(response: RESTResponse) -> Message[Any]:
        if counting.count == 2:
            desk.clock.stall(3.5 * PERIOD)
        starts.append(desk.clock.now)
        return await number_of(response)

    starts: list[float] = []
    async with answering(counting) as server:
        desk = Desk(server.url, convert=convert)
        async with polling(desk):
            desk.clock.let_pass(4 * PERIOD)
            await until(lambda: len(starts) == 5)
    assert desk.poller.missed_count == 3
    assert [(start - 1000) / PERIOD for start in starts] == [0, 4.5, 5, 6, 7]


async def test_a_receiver_that_is_slow_makes_polls_fall_out() -> None:
    may_take = asyncio.Event()
    taken: list[Message[Any]] = []

    async def take(message: Message[Any]) -> None:
        taken.append(message)
        await may_take.wait()

    async with answering(Counting()) as server:
        desk = Desk(server.url, forward=take)
        async with polling(desk):
            await until(lambda: len(taken) == 1)
            desk.clock.stall(2.5 * PERIOD)
            await asyncio.sleep(0.01)  # in which a poller that does not wait would ask
            assert len(server.requests) == 1
            may_take.set()
            desk.clock.let_pass(PERIOD)
            await until(lambda: len(taken) == 2)
    assert desk.poller.missed_count == 2


# What is made of answers


@pytest.mark.parametrize("kind", ["plain", "coroutine", "nothing"])
async def test_a_converter_may_be_plain_or_a_coroutine(kind: str) -> None:
    def plain(response: RESTResponse) -> Message[Any] | None:
        return None if kind == "nothing" else message_of(json.loads(response.body)["number"])

    convert: Callable[..., Any] = number_of if kind == "coroutine" else plain
    async with answering(Counting()) as server:
        desk = Desk(server.url, convert=convert)
        async with polling(desk):
            desk.clock.let_pass(PERIOD)
            await until(lambda: desk.poller.poll_count == 2)
            if kind != "nothing":
                await until(lambda: desk.numbers() == [1, 2])
    assert desk.reports == []


class Turning(RESTPoller):
    """Asks for something else each time."""

    def make_request(self) -> RequestArgs:
        found = self._rest.request
        return found.model_copy(update={"params": {"turn": self.poll_count}})


@pytest.mark.parametrize(("cached", "turns"), [(True, "111"), (False, "123")])
async def test_a_request_is_made_once_or_each_time(cached: bool, turns: str) -> None:
    async with answering(Counting()) as server:
        desk = Desk(server.url, kind=Turning, cache_request_args=cached)
        async with polling(desk):
            desk.clock.let_pass(2 * PERIOD)
            await until(lambda: len(desk.received) == 3)
    assert server.requests == [f"GET /?turn={turn}" for turn in turns]


# Failures


@pytest.mark.parametrize("cached", [True, False])
async def test_a_request_that_cannot_be_made_is_a_failure_like_others(cached: bool) -> None:
    class Unready(RESTPoller):
        def make_request(self) -> RequestArgs:
            if self.poll_count == 1:
                raise KeyError("no key yet")
            return super().make_request()

    async with answering(Counting()) as server:
        desk = Desk(server.url, kind=Unready, cache_request_args=cached)
        async with polling(desk):
            await until(lambda: desk.poller.failure_count == 1)
            desk.clock.let_pass(2 * PERIOD)
            await until(lambda: len(desk.received) == 2)
    assert desk.summaries() == [
        "REST poller 'p': the request failed",
        "REST poller 'p': works again",
    ]
    assert "KeyError: 'no key yet'" in desk.reports[0][1]


async def test_a_failure_is_told_once_and_that_it_works_again() -> None:
    counting = Counting()
    counting.status = 503
    async with answering(counting) as server:
        desk = Desk(server.url)
        async with polling(desk):
            desk.clock.let_pass(2 * PERIOD)
            await until(lambda: desk.poller.failure_count == 3)
            counting.status = 200
            desk.clock.let_pass(PERIOD)
            await until(lambda: len(desk.received) == 1)
            await until(lambda: len(desk.reports) == 2)
    assert desk.reports == [
        (
            "REST poller 'p': the request failed",
            f"{server.url}: HTTP 503 'Service Unavailable'",
            True,
        ),
        ("REST poller 'p': works again", "after 3 failed polls in 30 s", False),
    ]


async def test_a_server_that_comes_back_is_found() -> None:
    async with answering(Counting()) as server:
        port = int(server.url.rpartition(":")[2])
    desk = Desk(server.url)
    async with polling(desk):
        await until(lambda: desk.poller.failure_count == 1)
        async with answering(Counting(), port=port):
            desk.clock.let_pass(PERIOD)
            await until(lambda: len(desk.received) == 1)
    assert desk.summaries() == [
        "REST poller 'p': the request failed",
        "REST poller 'p': works again",
    ]


async def test_a_converter_and_a_receiver_that_fail_are_told_apart() -> None:
    def take(message: Message[Any]) -> None:
        if message.Payload.model_extra["Number"] == 2:
            raise RuntimeError("no room")

    async def convert(response: RESTResponse) -> Message[Any]:
        message = await number_of(response)
        if desk.poller.poll_count == 1:
            raise ValueError("x" * 10**6)
        return message

    async with answering(Counting()) as server:
        desk = Desk(server.url, convert=convert, forward=take)
        async with polling(desk):
            desk.clock.let_pass(2 * PERIOD)
            await until(lambda: len(desk.reports) == 3)
    assert desk.summaries() == [
        "REST poller 'p': the converter failed",
        "REST poller 'p': the receiver failed",
        "REST poller 'p': works again",
    ]
    for _, details, _ in desk.reports[:2]:
        assert len(details.encode()) <= MAX_TRACEBACK_BYTES
        assert f'File "{__file__}"' in details
    assert "in convert" in desk.reports[0][1]
    assert desk.reports[1][1].endswith("RuntimeError: no room")


@pytest.mark.parametrize("where", ["convert", "forward"])
async def test_a_cancellation_that_is_not_its_own_is_a_failure_like_others(where: str) -> None:
    async def wait_for_what_was_cancelled(_: object) -> Message[Any]:
        if desk.poller.poll_count == 1:
            never = asyncio.get_running_loop().create_future()
            never.cancel()
            await never
        return message_of(2)

    async with answering(Counting()) as server:
        desk = Desk(server.url, **{where: wait_for_what_was_cancelled})
        async with polling(desk):
            await until(lambda: desk.poller.failure_count == 1)
            desk.clock.let_pass(PERIOD)
            await until(lambda: len(desk.reports) == 2)
    what = "converter" if where == "convert" else "receiver"
    assert desk.summaries() == [
        f"REST poller 'p': the {what} failed",
        "REST poller 'p': works again",
    ]
    assert "CancelledError" in desk.reports[0][1]


async def test_what_is_not_to_be_told_is_counted_all_the_same() -> None:
    counting = Counting()
    counting.status = 404
    quiet = {"request": {"report": False}}
    async with answering(counting) as server:
        desk = Desk(server.url, errors=quiet)
        async with polling(desk):
            await until(lambda: desk.poller.failure_count == 1)
            counting.status = 200
            desk.clock.let_pass(PERIOD)
            await until(lambda: len(desk.received) == 1)
    assert desk.reports == []


@pytest.mark.parametrize("where", ["request", "convert"])
async def test_a_failure_ends_the_task_where_the_settings_say_so(where: str) -> None:
    counting = Counting()
    counting.status = 404 if where == "request" else 200

    def fail(_: RESTResponse) -> None:
        raise ValueError("no")

    async with answering(counting) as server:
        desk = Desk(server.url, convert=fail, errors={where: {"raise_exception": True}})
        desk.poller.start()
        (task,) = desk.loop.tasks
        await asyncio.wait([task])
        await desk.poller.join()
        assert isinstance(task.exception(), PollError if where == "request" else ValueError)
    assert len(desk.reports) == 1


async def test_without_a_reporter_the_log_is_told(caplog: pytest.LogCaptureFixture) -> None:
    rest = RESTPollerSettings.model_validate({"request": {"url": "http://127.0.0.1:1/"}})
    poller = RESTPoller("p", rest, IOLoop())
    poller.start()
    await until(lambda: poller.failure_count == 1)
    poller.stop()
    await poller.join()
    assert "REST poller 'p': the request failed: http://127.0.0.1:1/: no connection" in caplog.text


async def test_without_aiohttp_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gwproactor.extras.find_spec", lambda _: None)
    desk = Desk("http://127.0.0.1:1/")
    with pytest.raises(
        MissingExtraError, match=r"REST poller 'p' needs aiohttp.*gwproactor\[web\]"
    ):
        desk.poller.start()


# Life and death


async def test_it_pats_while_it_sleeps_and_while_the_receiver_is_slow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rest_poller, "PAT_SECONDS", 0.001)
    may_take, taking = asyncio.Event(), asyncio.Event()

    async def take(_: Message[Any]) -> None:
        taking.set()
        await may_take.wait()

    async with answering(Counting()) as server:
        desk = Desk(server.url, forward=take)
        async with polling(desk):
            await taking.wait()
            pats = desk.pats
            await until(lambda: desk.pats > pats + 5)
            may_take.set()
            desk.clock.let_pass(0.1)
            await until(lambda: desk.pats > pats + 50)
    assert desk.poller.poll_count == 1
    assert desk.poller.pat_timeout_seconds > 2 * PAT_SECONDS


async def test_a_stop_breaks_off_a_request() -> None:
    asked, never = asyncio.Event(), asyncio.Event()

    async def wait(request: web.Request) -> web.Response:
        asked.set()
        await never.wait()
        return web.Response()

    async with answering(wait) as server:
        desk = Desk(server.url)
        async with polling(desk):
            await asked.wait()
    assert desk.reports == []


async def test_a_stop_breaks_off_a_receiver() -> None:
    taking, cancelled = asyncio.Event(), asyncio.Event()

    async def take(_: Message[Any]) -> None:
        taking.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with answering(Counting()) as server:
        desk = Desk(server.url, forward=take)
        async with polling(desk):
            await taking.wait()
        assert cancelled.is_set()
    assert desk.reports == []


async def test_one_that_is_stopped_before_it_could_begin_never_asks() -> None:
    async with answering(Counting()) as server:
        desk = Desk(server.url)
        desk.loop.waiting = []
        desk.poller.start()
        desk.poller.stop()
        await desk.poller.join()
        desk.loop.open()
        await asyncio.wait(desk.loop.tasks)
        assert server.requests == []


async def test_it_can_be_started_again_and_a_second_start_does_nothing() -> None:
    async with answering(Counting()) as server:
        desk = Desk(server.url)
        for count in (1, 2):
            async with polling(desk):
                desk.poller.start()
                await desk.received_count(count)
        assert len(desk.loop.tasks) == 2
