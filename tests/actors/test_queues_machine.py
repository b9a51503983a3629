"""Both ends of one queue against a model, in one thread: coroutines and calls in any order.

The loop runs only where a rule lets it turn, so a coroutine can be anywhere between woken and
running when the next thing happens. What the thread's end does is done without waiting.
"""

import asyncio

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gwproactor.actors.queues import SyncAsyncQueue
from gwproactor.errors import QueueClosedError, QueueEmptyError, QueueFullError
from gwproactor_test.machines import RunMachine, at_two_lengths

MAX_ITEMS = 2
ITEMS_BEFORE_CLOSING = 6
TURNS_TO_SETTLE = 5


class QueueMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.queue: SyncAsyncQueue[int] = SyncAsyncQueue(MAX_ITEMS)
        self.number = 0
        self.accepted: list[int] = []
        self.delivered: list[int] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.wanting = self.offering = 0

    def next_number(self) -> int:
        self.number += 1
        return self.number

    async def put(self, number: int) -> None:
        self.offering += 1
        try:
            await self.queue.loop_end.put(number)
        except QueueClosedError:
            assert self.queue.closed
        else:
            self.accepted.append(number)
        finally:
            self.offering -= 1

    async def get(self) -> None:
        self.wanting += 1
        try:
            self.delivered.append(await self.queue.loop_end.get())
        except QueueClosedError:
            assert self.queue.closed
        finally:
            self.wanting -= 1

    @rule()
    def a_coroutine_puts(self) -> None:
        self.tasks.append(self.loop.create_task(self.put(self.next_number())))

    @rule()
    def a_coroutine_gets(self) -> None:
        self.tasks.append(self.loop.create_task(self.get()))

    @rule(timeout=st.sampled_from([None, 0.0]))
    def a_thread_puts(self, timeout: float | None) -> None:
        number = self.next_number()
        room, closed = len(self.queue) < MAX_ITEMS, self.queue.closed
        try:
            self.queue.thread_end.put(number, block=timeout is not None, timeout=timeout)
        except QueueClosedError:
            assert closed
        except QueueFullError:
            assert not room
        else:
            assert room
            self.accepted.append(number)

    @rule(timeout=st.sampled_from([None, 0.0]))
    def a_thread_gets(self, timeout: float | None) -> None:
        count = len(self.queue)
        try:
            got = self.queue.thread_end.get(block=timeout is not None, timeout=timeout)
        except QueueClosedError:
            assert self.queue.closed
            assert not count
        except QueueEmptyError:
            assert not count
        else:
            self.delivered.append(got)

    @precondition(lambda self: any(not task.done() for task in self.tasks))
    @rule(data=st.data())
    def a_coroutine_is_cancelled(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from([task for task in self.tasks if not task.done()])).cancel()

    @rule()
    def the_loop_turns(self) -> None:
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()

    # late, for after it there is little to see
    @precondition(lambda self: self.number > ITEMS_BEFORE_CLOSING)
    @rule()
    def somebody_closes(self) -> None:
        self.queue.close()

    @invariant()
    def what_came_out_is_what_went_in_first(self) -> None:
        inside = len(self.queue)
        assert len(self.accepted) == len(self.delivered) + inside
        assert self.delivered == self.accepted[: len(self.delivered)]
        assert inside <= MAX_ITEMS

    def teardown(self) -> None:
        for _ in range(TURNS_TO_SETTLE * (len(self.tasks) + 1)):
            self.the_loop_turns()
        assert not (self.wanting and len(self.queue)), "one waits for what is there"
        assert not (self.offering and len(self.queue) < MAX_ITEMS), "one waits for room in vain"
        if self.queue.closed:
            assert self.wanting == self.offering == 0
        for task in self.tasks:
            task.cancel()
        self.the_loop_turns()
        self.the_loop_turns()
        assert all(task.done() for task in self.tasks)
        self.loop.close()


@at_two_lengths
def test_what_is_accepted_comes_out_once_and_in_order(run: RunMachine) -> None:
    run(QueueMachine)
