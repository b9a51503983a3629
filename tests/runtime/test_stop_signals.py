"""Who is called at a signal, and what stands in the process's table before, between and after.

The signals are real ones, sent to the very process of the test.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gwproactor.runtime.stop_signals import (
    STOP_SIGNALS,
    call_on_stop_signals,
    calling_on_stop_signals,
)
from gwproactor_test.clients import until

SIGTERM, SIGINT = signal.SIGTERM, signal.SIGINT


@pytest.fixture
def handlers_put_back() -> Iterator[None]:
    """For tests that put handlers of their own in place."""
    before = [signal.getsignal(number) for number in STOP_SIGNALS]
    yield
    for number, handler in zip(STOP_SIGNALS, before, strict=True):
        signal.signal(number, handler)


def send(number: int) -> None:
    os.kill(os.getpid(), number)


def anybodys(number: int, frame: FrameType | None) -> None:
    """A handler of the program."""


async def test_each_signal_calls_by_its_name() -> None:
    called = asyncio.Queue[str]()
    with calling_on_stop_signals(called.put_nowait):
        for number in (SIGTERM, SIGTERM, SIGINT):
            send(number)
            assert await called.get() == number.name


async def test_what_stood_there_is_put_back() -> None:
    """For SIGINT that is the handler of `asyncio.Runner`, in which this test runs."""
    before = [signal.getsignal(number) for number in STOP_SIGNALS]
    with calling_on_stop_signals(print):
        assert all(signal.getsignal(number) not in before for number in STOP_SIGNALS)
    assert [signal.getsignal(number) for number in STOP_SIGNALS] == before


steps = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([None, SIGTERM, SIGINT])))


@settings(max_examples=30, deadline=None)
@given(steps)
def test_all_are_told_in_whatever_order_they_come_and_go(
    steps: list[tuple[int, signal.Signals | None]],
) -> None:
    """A step without a signal lets one of four come, or go; one with a signal sends it."""

    async def take_them() -> None:
        before = [signal.getsignal(number) for number in STOP_SIGNALS]
        told: dict[int, list[str]] = {who: [] for who in range(4)}
        expected: dict[int, list[str]] = {who: [] for who in range(4)}
        releases: dict[int, Callable[[], None]] = {}
        for who, number in steps:
            if number is None and who in releases:
                releases.pop(who)()
            elif number is None:
                releases[who] = call_on_stop_signals(told[who].append)
            elif releases:
                send(number)
                for each in releases:
                    expected[each].append(number.name)
                await until(lambda: told == expected)
        for release in releases.values():
            release()
            release()
        assert told == expected
        assert [signal.getsignal(number) for number in STOP_SIGNALS] == before

    asyncio.run(take_them())


@pytest.mark.usefixtures("handlers_put_back")
@pytest.mark.parametrize("handler", [anybodys, signal.SIG_IGN])
async def test_no_signal_is_taken_from_anybody(
    handler: Callable[[int, FrameType | None], None] | signal.Handlers,
) -> None:
    signal.signal(SIGTERM, handler)
    with calling_on_stop_signals(print):
        assert signal.getsignal(SIGTERM) is handler
    assert signal.getsignal(SIGTERM) is handler


async def test_what_the_program_asks_of_the_loop_is_the_programs() -> None:
    called = asyncio.Queue[None]()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(SIGTERM, called.put_nowait, None)
    try:
        with calling_on_stop_signals(print):
            send(SIGTERM)
            await called.get()
            loop.add_signal_handler(SIGTERM, called.put_nowait, None)
        send(SIGTERM)
        await called.get()
    finally:
        loop.remove_signal_handler(SIGTERM)


@pytest.mark.usefixtures("handlers_put_back")
async def test_what_somebody_puts_there_meanwhile_stays_and_is_nobody_elses() -> None:
    with calling_on_stop_signals(print):
        signal.signal(SIGTERM, anybodys)
        with calling_on_stop_signals(print):
            assert signal.getsignal(SIGTERM) is anybodys
    assert signal.getsignal(SIGTERM) is anybodys


@pytest.mark.usefixtures("handlers_put_back")
def test_what_somebody_put_there_outlives_the_loop() -> None:
    async def take_it() -> None:
        with calling_on_stop_signals(print):
            signal.signal(SIGTERM, anybodys)

    asyncio.run(take_it())
    assert signal.getsignal(SIGTERM) is anybodys


async def test_what_asyncio_handles_is_left_to_it_where_that_is_wanted() -> None:
    before = signal.getsignal(SIGINT)
    release = call_on_stop_signals(print, also_from_runner=False)
    assert signal.getsignal(SIGINT) is before
    assert signal.getsignal(SIGTERM) is not signal.SIG_DFL
    release()
    assert signal.getsignal(SIGTERM) is signal.SIG_DFL


def test_without_asyncio_run_nobody_handles_it() -> None:
    """A loop that the program runs by itself: SIGINT would come out of it anywhere."""
    called: list[str] = []

    async def take_it() -> None:
        release = call_on_stop_signals(called.append, also_from_runner=False)
        send(SIGINT)
        await until(lambda: called == ["SIGINT"])
        release()

    loop = asyncio.new_event_loop()
    loop.run_until_complete(take_it())
    loop.close()
    assert signal.getsignal(SIGINT) is signal.default_int_handler


def test_a_loop_that_was_closed_meanwhile_has_let_go() -> None:
    for _ in range(2):
        asyncio.run(take_and_forget())
        assert signal.getsignal(SIGTERM) is signal.SIG_DFL


async def take_and_forget() -> None:
    call_on_stop_signals(print)
    assert signal.getsignal(SIGTERM) is not signal.SIG_DFL


def test_outside_the_main_thread_there_are_none() -> None:
    before = signal.getsignal(SIGTERM)
    seen: list[object] = []

    async def look() -> None:
        with calling_on_stop_signals(print):
            seen.append(signal.getsignal(SIGTERM))

    thread = threading.Thread(target=lambda: asyncio.run(look()))
    thread.start()
    thread.join()
    assert seen == [before]
