"""Queues between a thread and the loop: how many messages a second, one way, and a thread's stop.

Three kinds of queue take turns in one process, each made anew for each turn: ours, janus, and what
the standard library offers, which is `call_soon_threadsafe` towards the loop and `queue.Queue`
towards the thread. The first two are bounded, so that either side waits for the other; the last
one has no bound, and nothing to wait for.

- *thread to loop*: a thread puts all messages, the loop gets them one by one.
- *loop to thread*: the other way round.
- *stop*: from `request_stop` until the thread is gone, which sleeps for an hour before it iterates.
"""

import asyncio
import queue
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import janus

from gwproactor.actors.queues import SyncAsyncQueue
from gwproactor.actors.sync_thread import SyncAsyncInteractionThread

MAX_ITEMS = 1000
"""As it is by default with ours."""

AN_HOUR_SECONDS = 3600.0
DIRECTIONS = ("thread to loop", "loop to thread")
OURS = "SyncAsyncQueue"
STDLIB = "standard library"

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Args:
        messages: In one turn of a queue.
        rounds: Turns of each queue in each direction.
        stops: Threads that are stopped.
    """

    messages: int = 100_000
    rounds: int = 15
    stops: int = 200


QUICK = Plan(messages=5000, rounds=3, stops=10)


class Pipe(NamedTuple):
    """One queue, by what either side calls."""

    thread_put: Callable[[int], object]
    thread_get: Callable[[], int]
    loop_put: Callable[[int], Awaitable[object]]
    loop_get: Callable[[], Awaitable[int]]
    close: Callable[[], Awaitable[object]]


def our_pipe() -> Pipe:
    """A `SyncAsyncQueue`."""
    one: SyncAsyncQueue[int] = SyncAsyncQueue(MAX_ITEMS)
    thread, loop = one.thread_end, one.loop_end
    return Pipe(thread.put, thread.get, loop.put, loop.get, _nothing)


def janus_pipe() -> Pipe:
    """A queue of janus."""
    one: janus.Queue[int] = janus.Queue(MAX_ITEMS)
    sync_q, async_q = one.sync_q, one.async_q
    return Pipe(sync_q.put, sync_q.get, async_q.put, async_q.get, one.aclose)


def stdlib_pipe() -> Pipe:
    """A queue for each direction, as programs do it by hand."""
    loop = asyncio.get_running_loop()
    to_loop: asyncio.Queue[int] = asyncio.Queue()
    to_thread: queue.Queue[int] = queue.Queue()

    async def loop_put(item: int) -> None:
        to_thread.put_nowait(item)

    return Pipe(
        lambda item: loop.call_soon_threadsafe(to_loop.put_nowait, item),
        to_thread.get,
        loop_put,
        to_loop.get,
        _nothing,
    )


PIPES: Mapping[str, Callable[[], Pipe]] = {
    OURS: our_pipe,
    "janus": janus_pipe,
    STDLIB: stdlib_pipe,
}


@dataclass(frozen=True)
class Samples:
    """What was measured.

    Args:
        rates: Messages a second, by direction and kind of queue.
        stops_ms: How long each stop took, in milliseconds.
    """

    rates: Mapping[str, Mapping[str, Sequence[float]]]
    stops_ms: Sequence[float]


async def measure(plan: Plan, say: Progress) -> Samples:
    """Measure all queues in both directions, and stops."""
    rates: dict[str, dict[str, list[float]]] = {
        direction: {name: [] for name in PIPES} for direction in DIRECTIONS
    }
    for turn in range(plan.rounds):
        say(f"queues: round {turn + 1} of {plan.rounds}")
        for direction, kinds in rates.items():
            for name, found in kinds.items():
                seconds = await one_way(PIPES[name](), direction, plan.messages)
                found.append(plan.messages / seconds)
    say(f"stops: {plan.stops}")
    return Samples(rates, [await one_stop() for _ in range(plan.stops)])


async def one_way(pipe: Pipe, direction: str, count: int) -> float:
    """Pass so many messages on in one direction; the seconds from the first put to the last get."""
    puts = direction == DIRECTIONS[0]
    thread = threading.Thread(target=_put_all if puts else _get_all, args=(pipe, count))
    began = time.perf_counter()
    thread.start()
    if puts:
        for expected in range(count):
            if await pipe.loop_get() != expected:
                raise AssertionError("out of order")
    else:
        for item in range(count):
            await pipe.loop_put(item)
        await asyncio.to_thread(thread.join)
    seconds = time.perf_counter() - began
    thread.join()
    await pipe.close()
    return seconds


async def one_stop() -> float:
    """Stop a thread that sleeps; the milliseconds that it takes."""
    sleeping = threading.Event()

    class Sleeper(SyncAsyncInteractionThread):
        def _preiterate(self) -> None:
            sleeping.set()

    thread = Sleeper(iterate_sleep_seconds=AN_HOUR_SECONDS, pat_timeout=None)
    thread.start()
    await asyncio.to_thread(sleeping.wait)
    began = time.perf_counter()
    thread.request_stop()
    await thread.async_join()
    return 1000 * (time.perf_counter() - began)


def _put_all(pipe: Pipe, count: int) -> None:
    for item in range(count):
        pipe.thread_put(item)


def _get_all(pipe: Pipe, count: int) -> None:
    for expected in range(count):
        if pipe.thread_get() != expected:
            raise AssertionError("out of order")


async def _nothing() -> None:
    """Closing takes nothing."""
