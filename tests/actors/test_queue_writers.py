"""The ways between a thread and the loop, over each kind of queue."""

import asyncio
import queue
from typing import Any

import pytest

from gwproactor.actors.interrupt import Interrupt
from gwproactor.actors.queue_writers import AsyncQueueWriter, SyncAsyncQueueWriter
from gwproactor.actors.queues import DEFAULT_MAX_ITEMS, SyncAsyncQueue, ThreadEnd
from gwproactor.errors import (
    NotRunningError,
    QueueClosedError,
    QueueEmptyError,
    QueueFullError,
)
from gwproactor_test.clients import until


async def no_task_left() -> None:
    """The task that reads the queue of a closed writer ends."""
    await until(lambda: len(asyncio.all_tasks()) == 1)


@pytest.mark.parametrize("bounded", [True, False])
async def test_what_a_thread_writes_the_loop_reads_in_order(bounded: bool) -> None:
    reader: Any = SyncAsyncQueue[int](3).loop_end if bounded else asyncio.Queue()
    writer = AsyncQueueWriter()
    writer.set_async_loop(asyncio.get_running_loop(), reader)

    def write() -> None:
        for number in range(100):
            writer.put(number)

    writing = asyncio.create_task(asyncio.to_thread(write))
    assert [await reader.get() for _ in range(100)] == list(range(100))
    await writing
    writer.close()
    await no_task_left()


async def test_a_writer_that_waits_for_room_can_be_interrupted() -> None:
    full: SyncAsyncQueue[int] = SyncAsyncQueue(1)
    writer, interrupt = AsyncQueueWriter(), Interrupt()
    writer.set_async_loop(asyncio.get_running_loop(), full.loop_end)
    writer.put(1)
    writing = asyncio.create_task(asyncio.to_thread(writer.put, 2, interrupt=interrupt))
    await asyncio.sleep(0)
    interrupt.set()
    with pytest.raises(QueueFullError):
        await writing
    full.close()
    with pytest.raises(QueueClosedError):
        writer.put(3)


def test_writing_before_it_is_said_where_to_is_an_error() -> None:
    with pytest.raises(NotRunningError, match="set_async_loop"):
        AsyncQueueWriter().put(1)
    channel = SyncAsyncQueueWriter()
    with pytest.raises(NotRunningError, match="sync_queue"):
        channel.put_to_sync_queue(1)
    with pytest.raises(NotRunningError, match="sync_queue"):
        channel.get_from_sync_queue()
    with pytest.raises(NotRunningError, match="set_async_loop"):
        channel.put_to_async_queue(1)
    channel.close()


def test_a_loop_that_has_ended_reads_nothing() -> None:
    async def prepare() -> AsyncQueueWriter:
        writer = AsyncQueueWriter()
        writer.set_async_loop(asyncio.get_running_loop(), asyncio.Queue())
        return writer

    writer = asyncio.run(prepare())
    with pytest.raises(QueueClosedError):
        writer.put(1)


async def test_a_thread_waits_for_the_room_of_an_asyncio_queue(
    caplog: pytest.LogCaptureFixture,
) -> None:
    reader: asyncio.Queue[int] = asyncio.Queue(2)
    writer, count, written = AsyncQueueWriter(), DEFAULT_MAX_ITEMS + 100, 0
    writer.set_async_loop(asyncio.get_running_loop(), reader)

    def write() -> None:
        nonlocal written
        for written in range(1, count + 1):
            writer.put(written)

    writing = asyncio.create_task(asyncio.to_thread(write))
    queue = writer._queue
    assert isinstance(queue, ThreadEnd)
    await until(lambda: bool(queue._state.writers) and reader.full())
    assert written <= DEFAULT_MAX_ITEMS + reader.maxsize + 2  # one is passed on, one is put
    assert [await reader.get() for _ in range(count)] == list(range(1, count + 1))
    await writing
    writer.close()
    with pytest.raises(QueueClosedError):
        writer.put(0)
    await no_task_left()
    assert not caplog.records


async def test_a_queue_without_a_bound_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    writer = AsyncQueueWriter()
    writer.set_async_loop(asyncio.get_running_loop(), asyncio.Queue())
    (said,) = caplog.messages
    assert "without a bound" in said
    assert "give asyncio.Queue a maxsize" in said
    writer.close()
    await no_task_left()


async def test_a_writer_that_is_told_another_place_leaves_the_first() -> None:
    first: asyncio.Queue[int] = asyncio.Queue(5)
    second: SyncAsyncQueue[int] = SyncAsyncQueue(5)
    writer = AsyncQueueWriter()
    writer.set_async_loop(asyncio.get_running_loop(), first)
    writer.put(1)
    writer.set_async_loop(asyncio.get_running_loop(), second.loop_end)
    writer.put(2)
    assert await first.get() == 1
    assert await second.loop_end.get() == 2
    await no_task_left()
    writer.close()
    writer.put(3)  # others write to that queue too: it is not the writer's to close


@pytest.mark.parametrize("own", [True, False])
def test_the_loop_writes_to_a_thread_by_a_queue_of_either_kind(own: bool) -> None:
    one: Any = SyncAsyncQueue[int](1).thread_end if own else queue.Queue(1)
    channel = SyncAsyncQueueWriter(one)
    assert channel.sync_queue is one
    channel.put_to_sync_queue(1, block=False)
    with pytest.raises(queue.Full):
        channel.put_to_sync_queue(2, timeout=0.001)
    assert channel.get_from_sync_queue() == 1
    with pytest.raises(queue.Empty):
        channel.get_from_sync_queue(block=False)


def test_a_closed_channel_says_so_to_both_sides() -> None:
    channel = SyncAsyncQueueWriter(SyncAsyncQueue[int](5).thread_end)
    channel.put_to_sync_queue(1)
    channel.close()
    with pytest.raises(QueueClosedError):
        channel.put_to_sync_queue(2)
    assert channel.get_from_sync_queue() == 1
    with pytest.raises(QueueClosedError):
        channel.get_from_sync_queue()
    with pytest.raises(QueueEmptyError):
        SyncAsyncQueueWriter(SyncAsyncQueue[int]().thread_end).get_from_sync_queue(timeout=0)
