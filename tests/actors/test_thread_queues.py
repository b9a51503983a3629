"""Queues of several threads before one receiver, against a model, in one thread and in any order.

The loop runs only where a rule lets it turn, and the receiver has room only where a rule gives it
some. In the end what was accepted was sent on, or is counted as left.
"""

import asyncio

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gwproactor.actors.queues import SyncAsyncQueue, ThreadEnd
from gwproactor.actors.thread_queues import QueuesByReceiver, ThreadQueues
from gwproactor.errors import QueueClosedError, QueueFullError
from gwproactor_test.machines import RunMachine, at_two_lengths

MAX_MESSAGES = 2
THREADS_BEFORE_THE_END = 4
TURNS_TO_SETTLE = 50

Item = tuple[int, int]
"""The number of a thread, and of its message."""


class Writer:
    """A thread, as far as it is seen from here."""

    def __init__(self, number: int, queue: ThreadEnd[Item]) -> None:
        self.number = number
        self.queue = queue
        self.accepted: list[Item] = []
        self.has_ended = False


class QueuesMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.queues = ThreadQueues(self.send_on, MAX_MESSAGES)
        self.writers: list[Writer] = []
        self.sent_on: list[Item] = []
        self.room = 0
        self.more_room = asyncio.Event()
        self.is_over = False

    async def send_on(self, item: Item) -> None:
        while not self.room:
            self.more_room.clear()
            await self.more_room.wait()
        self.room -= 1
        self.sent_on.append(item)

    def sent_on_of(self, writer: Writer) -> list[Item]:
        return [item for item in self.sent_on if item[0] == writer.number]

    @rule()
    def a_thread_begins(self) -> None:
        self.writers.append(Writer(len(self.writers), self.queues.open(self.loop)))

    @precondition(lambda self: self.writers)
    @rule(data=st.data())
    def a_thread_writes(self, data: st.DataObject) -> None:
        writer = data.draw(st.sampled_from(self.writers))
        item = (writer.number, len(writer.accepted))
        try:
            writer.queue.put_nowait(item)
        except QueueClosedError:
            assert writer.has_ended or self.is_over
        except QueueFullError:
            assert writer.queue.qsize() == MAX_MESSAGES
        else:
            assert not writer.has_ended
            writer.accepted.append(item)

    @precondition(lambda self: self.writers)
    @rule(data=st.data())
    def a_thread_ends(self, data: st.DataObject) -> None:
        writer = data.draw(st.sampled_from(self.writers))
        writer.has_ended = True
        writer.queue.close()

    @rule(count=st.integers(1, 3))
    def the_receiver_has_room(self, count: int) -> None:
        self.room += count
        self.more_room.set()

    @rule()
    def the_loop_turns(self) -> None:
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()

    # late, for after it there is little to see
    @precondition(lambda self: len(self.writers) > THREADS_BEFORE_THE_END)
    @rule()
    def all_is_closed(self) -> None:
        self.is_over = True
        self.queues.close()

    @invariant()
    def what_came_out_of_each_is_what_it_wrote_first(self) -> None:
        for writer in self.writers:
            sent_on = self.sent_on_of(writer)
            assert sent_on == writer.accepted[: len(sent_on)]
            assert len(writer.accepted) - len(sent_on) <= MAX_MESSAGES + 1

    def teardown(self) -> None:
        """The end counts what is left, also of who has begun just now."""
        self.check_who_is_forgotten()
        left = self.loop.run_until_complete(self.end())
        assert left == sum(len(each.accepted) for each in self.writers) - len(self.sent_on)
        assert len(self.queues) == 0
        self.loop.close()
        assert self.queues.open(self.loop).closed

    async def end(self) -> int:
        self.a_thread_begins()
        if not self.is_over:
            late = self.writers[-1]
            late.queue.put_nowait((late.number, 0))
            late.accepted.append((late.number, 0))
        self.queues.close()
        assert self.queues.open(self.loop).closed
        return await self.queues.settle(0)

    def check_who_is_forgotten(self) -> None:
        """Whose thread has ended and whose queue is empty."""
        for _ in range(TURNS_TO_SETTLE):
            self.the_loop_turns()
        kept = {each.number for each in self.writers if self.sent_on_of(each) != each.accepted}
        if not self.is_over:
            kept |= {each.number for each in self.writers if not each.has_ended}
        assert len(self.queues) == len(kept)


@at_two_lengths
def test_what_threads_wrote_is_sent_on_or_counted_and_no_queue_stays(run: RunMachine) -> None:
    run(QueuesMachine)


def test_each_receiver_has_a_queue_until_all_are_closed() -> None:
    opened: list[SyncAsyncQueue[str]] = []

    def open_queue() -> ThreadEnd[str]:
        opened.append(SyncAsyncQueue(2))
        return opened[-1].thread_end

    queues = QueuesByReceiver(open_queue, lambda item: item[0])
    for item in ("a1", "b1", "a2"):
        queues.put(item)
    queues.close()
    with pytest.raises(QueueClosedError):
        queues.put("a3")
    with pytest.raises(QueueClosedError):
        queues.put("c1")  # the first for that one
    assert [list(queue.thread_end) for queue in opened] == [["a1", "a2"], ["b1"], []]


async def test_who_waits_for_what_threads_wrote_waits_for_that_and_no_more() -> None:
    sent_on, room = [], asyncio.Semaphore(0)

    async def send_on(item: Item) -> None:
        await room.acquire()
        sent_on.append(item)

    queues, loop = ThreadQueues(send_on, MAX_MESSAGES), asyncio.get_running_loop()
    await queues.sent_on()
    first, second = queues.open(loop), queues.open(loop)
    for queue, item in ((first, (1, 0)), (first, (1, 1)), (second, (2, 0))):
        queue.put_nowait(item)
    waiting = asyncio.create_task(queues.sent_on())
    await asyncio.sleep(0)
    for _ in range(3):
        assert not waiting.done()
        room.release()
        await asyncio.sleep(0.001)
    await waiting
    assert sorted(sent_on) == [(1, 0), (1, 1), (2, 0)]
    first.put_nowait((1, 2))
    queues.close()
    assert await queues.settle(0) == 1
