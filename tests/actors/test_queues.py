"""The queue between real threads and a real loop."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

import pytest

from gwproactor.actors.interrupt import Interrupt
from gwproactor.actors.queues import SyncAsyncQueue
from gwproactor.errors import QueueClosedError, QueueEmptyError, QueueFullError, UsageError
from gwproactor_test.clients import POLL_SECONDS, until

T = TypeVar("T")

SECONDS = 10.0


def in_thread(work: Callable[[], T]) -> "Future[T]":
    """Run `work` in a thread of its own."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it belongs to who waits for it
            future.set_exception(error)

    threading.Thread(target=run).start()
    return future


def wait_until(condition: Callable[[], bool]) -> None:
    """As `until`, in a test without a loop."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(POLL_SECONDS)


def line_of(queue: SyncAsyncQueue[int], kind: str) -> int:
    """How many wait to read, or to write."""
    return len(getattr(queue.thread_end._state, kind))


@pytest.mark.parametrize("max_items", [1, 2, 1000])
async def test_all_that_threads_put_comes_to_the_loop_in_order(max_items: int) -> None:
    queue: SyncAsyncQueue[tuple[int, int]] = SyncAsyncQueue(max_items)
    threads, each = 3, 2000

    def work(thread: int) -> None:
        for number in range(each):
            queue.thread_end.put((thread, number))

    done = [in_thread(partial(work, thread)) for thread in range(threads)]
    got = [await queue.loop_end.get() for _ in range(threads * each)]
    for future in done:
        future.result(SECONDS)
    for thread in range(threads):
        assert [number for who, number in got if who == thread] == list(range(each))
    assert len(queue) == 0


@pytest.mark.parametrize("max_items", [1, 2, 1000])
async def test_all_that_the_loop_puts_comes_to_threads_in_order(max_items: int) -> None:
    queue: SyncAsyncQueue[int] = SyncAsyncQueue(max_items)
    readers = [in_thread(lambda: list(queue.thread_end)) for _ in range(3)]
    for number in range(6000):
        await queue.loop_end.put(number)
    queue.close()
    got = [await asyncio.wrap_future(reader) for reader in readers]
    for numbers in got:
        assert numbers == sorted(numbers)
    assert sorted(number for numbers in got for number in numbers) == list(range(6000))


class Turmoil:
    """Threads and coroutines that put and get in haste, giving up again and again."""

    def __init__(self) -> None:
        self.queue: SyncAsyncQueue[int] = SyncAsyncQueue(3)
        self.accepted: Counter[int] = Counter()
        self.delivered: Counter[int] = Counter()

    def put(self, thread: int) -> None:
        for number in range(thread, 10**9, 4):
            try:
                self.queue.thread_end.put(number, timeout=0.001 if number % 3 else None)
            except QueueFullError:
                continue
            except QueueClosedError:
                return
            self.accepted[number] += 1

    def get(self) -> list[int]:
        numbers = []
        while True:
            try:
                numbers.append(self.queue.thread_end.get(timeout=0.001))
            except QueueEmptyError:
                continue
            except QueueClosedError:
                return numbers

    async def get_on_the_loop(self) -> None:
        while True:
            try:
                async with asyncio.timeout(0.0005):
                    self.delivered[await self.queue.loop_end.get()] += 1
            except TimeoutError:
                continue
            except QueueClosedError:
                return

    async def put_on_the_loop(self) -> None:
        for number in range(3, 10**9, 4):
            try:
                async with asyncio.timeout(0.0005):
                    await self.queue.loop_end.put(number)
            except TimeoutError:
                continue
            except QueueClosedError:
                return
            self.accepted[number] += 1


@pytest.mark.parametrize("closer", ["loop", "thread"])
async def test_what_was_accepted_is_delivered_though_either_side_closes(closer: str) -> None:
    turmoil = Turmoil()
    putting = [in_thread(partial(turmoil.put, thread)) for thread in range(3)]
    getting = [in_thread(turmoil.get) for _ in range(2)]
    tasks = asyncio.gather(turmoil.get_on_the_loop(), turmoil.put_on_the_loop())
    await until(lambda: sum(turmoil.delivered.values()) >= 500)
    if closer == "loop":
        turmoil.queue.loop_end.close()
    else:
        await asyncio.wrap_future(in_thread(turmoil.queue.thread_end.close))
    await tasks
    for future in getting:
        numbers = await asyncio.wrap_future(future)
        turmoil.delivered.update(numbers)
    for done in putting:
        await asyncio.wrap_future(done)
    assert turmoil.delivered == turmoil.accepted


@pytest.mark.parametrize("kind", ["readers", "writers"])
async def test_closing_wakes_threads_and_coroutines_that_wait(kind: str) -> None:
    queue: SyncAsyncQueue[int] = SyncAsyncQueue(1)
    if kind == "writers":
        queue.loop_end.put_nowait(0)
        thread = in_thread(lambda: queue.thread_end.put(1))
        task = asyncio.ensure_future(queue.loop_end.put(2))
    else:
        thread = in_thread(lambda: print(queue.thread_end.get()))
        task = asyncio.ensure_future(discard(queue.loop_end.get()))
    await until(lambda: line_of(queue, kind) == 2)
    queue.close()
    for waiting in (task, asyncio.wrap_future(thread)):
        with pytest.raises(QueueClosedError):
            async with asyncio.timeout(SECONDS):
                await waiting
    if kind == "writers":
        assert queue.loop_end.get_nowait() == 0


async def discard(wait: Awaitable[object]) -> None:
    await wait


async def test_the_loop_is_called_once_for_all_that_comes_before_it_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queue: SyncAsyncQueue[int] = SyncAsyncQueue(1000)
    loop = asyncio.get_running_loop()
    calls = []
    call_soon_threadsafe = loop.call_soon_threadsafe

    def counted(callback: Callable[[], object]) -> asyncio.Handle:
        calls.append(callback)
        return call_soon_threadsafe(callback)

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)

    async def read() -> list[int]:
        return [await queue.loop_end.get() for _ in range(1000)]

    reader = asyncio.create_task(read())
    await asyncio.sleep(0)
    assert line_of(queue, "readers") == 1

    def put() -> None:
        for number in range(1000):
            queue.thread_end.put(number)

    in_thread(put).result(SECONDS)  # the loop stands still meanwhile
    assert len(calls) == 1
    assert await reader == list(range(1000))


def test_timeouts_end_waits_and_say_what_was_missing() -> None:
    queue: SyncAsyncQueue[int] = SyncAsyncQueue(1)
    with pytest.raises(QueueEmptyError, match="empty"):
        queue.thread_end.get(timeout=0.001)
    queue.thread_end.put(1)
    with pytest.raises(QueueFullError, match="1 items wait"):
        queue.thread_end.put(2, timeout=0.001)
    with pytest.raises(QueueFullError):
        queue.thread_end.put(2, block=False)
    assert queue.thread_end.get() == 1
    assert line_of(queue, "readers") == line_of(queue, "writers") == 0


async def test_a_wait_that_would_hold_up_the_loop_is_refused() -> None:
    queue: SyncAsyncQueue[int] = SyncAsyncQueue(1)
    with pytest.raises(UsageError, match="await loop_end"):
        queue.thread_end.get()
    queue.thread_end.put(1)  # there is room: nothing is held up
    with pytest.raises(UsageError, match="await loop_end"):
        queue.thread_end.put(2)
    assert queue.thread_end.get() == 1
    assert line_of(queue, "readers") == line_of(queue, "writers") == 0


@pytest.mark.parametrize("timeout", [-1.0, float("nan")])
def test_a_timeout_that_is_none_is_refused(timeout: float) -> None:
    with pytest.raises(UsageError, match="timeout"):
        SyncAsyncQueue[int]().thread_end.get(timeout=timeout)


def test_a_queue_without_room_is_refused() -> None:
    with pytest.raises(UsageError, match="0 items"):
        SyncAsyncQueue[int](0)


def test_what_waited_on_a_loop_that_ended_is_in_nobodys_way() -> None:
    queue: SyncAsyncQueue[int] = SyncAsyncQueue(1)
    loop = asyncio.new_event_loop()
    waiting = queue.loop_end.get()
    loop.call_soon(waiting.send, None)  # by hand, so that no task is left to be reported
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    assert line_of(queue, "readers") == 1
    queue.thread_end.put(1)
    assert queue.thread_end.get() == 1
    waiting.close()


def test_who_holds_the_queue_may_be_interrupted_by_itself() -> None:
    """As by the garbage collector, which may end a forgotten coroutine at any moment."""
    queue: SyncAsyncQueue[int] = SyncAsyncQueue(1)
    with queue.thread_end._lock:
        queue.close()
    assert queue.closed


async def test_a_cancelled_get_takes_nothing_even_where_it_was_woken() -> None:
    queue: SyncAsyncQueue[int] = SyncAsyncQueue(5)
    first = asyncio.ensure_future(queue.loop_end.get())
    second = asyncio.ensure_future(queue.loop_end.get())
    await asyncio.sleep(0)
    queue.loop_end.put_nowait(1)  # wakes the first, which does not run any more
    first.cancel()
    assert await second == 1
    assert first.cancelled()


async def test_both_ends_can_be_iterated_over() -> None:
    queue: SyncAsyncQueue[int] = SyncAsyncQueue(5)
    for number in range(3):
        queue.loop_end.put_nowait(number)
    queue.close()
    with pytest.raises(QueueClosedError):
        queue.thread_end.put(4)
    assert [number async for number in queue.loop_end] == [0, 1, 2]
    assert list(queue.thread_end) == []
    assert (queue.loop_end.empty(), queue.loop_end.full(), queue.loop_end.maxsize) == (
        True,
        False,
        5,
    )


def test_an_interrupt_ends_a_wait_and_takes_nothing_from_others() -> None:
    queue: SyncAsyncQueue[int] = SyncAsyncQueue(1)
    interrupt = Interrupt()
    interrupted = in_thread(lambda: queue.thread_end.get(interrupt=interrupt))
    other = in_thread(queue.thread_end.get)
    wait_until(lambda: line_of(queue, "readers") == 2)
    interrupt.set()
    with pytest.raises(QueueEmptyError):
        interrupted.result(SECONDS)
    assert line_of(queue, "readers") == 1
    queue.thread_end.put(1)
    assert other.result(SECONDS) == 1


def test_once_interrupted_one_tries_and_does_not_wait() -> None:
    queue: SyncAsyncQueue[int] = SyncAsyncQueue(1)
    interrupt = Interrupt()
    interrupt.set()
    queue.thread_end.put(1, interrupt=interrupt)
    with pytest.raises(QueueFullError):
        queue.thread_end.put(2, interrupt=interrupt)
    assert queue.thread_end.get(interrupt=interrupt) == 1
    with pytest.raises(QueueEmptyError):
        queue.thread_end.get(timeout=SECONDS, interrupt=interrupt)
    assert not interrupt._sleepers


def test_an_interrupt_that_comes_with_the_hint_passes_it_on() -> None:
    """Whatever the order in which a queue and an interrupt wake a thread, no item is forgotten."""
    for _ in range(100):
        queue: SyncAsyncQueue[int] = SyncAsyncQueue(1)
        interrupt = Interrupt()
        first = in_thread(partial(queue.thread_end.get, interrupt=interrupt))
        second = in_thread(queue.thread_end.get)
        wait_until(lambda queue=queue: line_of(queue, "readers") == 2)  # type: ignore[misc]
        setting = in_thread(interrupt.set)
        queue.thread_end.put(1)
        try:
            assert first.result(SECONDS) == 1
            queue.thread_end.put(2)
            assert second.result(SECONDS) == 2
        except QueueEmptyError:
            assert second.result(SECONDS) == 1
        setting.result(SECONDS)
