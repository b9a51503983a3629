"""A mailbox against a model: senders of each kind, a receiver that succeeds or fails, and an end.

The loop runs only where a rule lets it turn, and the receiver goes on only where a rule lets it. So
a sender can be cancelled, and the mailbox end, between any two steps.
"""

import asyncio
import logging
from collections.abc import Iterator

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from pydantic import BaseModel

from gwproactor.errors import MailboxFullError, NotRunningError
from gwproactor.links.received_message import ReceivedMessage
from gwproactor.runtime.mailbox import Letter, Mailbox
from gwproactor.wire.envelope import Message
from gwproactor_test.machines import RunMachine, at_two_lengths

MAX_MESSAGES = 2
NUMBERS_BEFORE_THE_END = 6
TURNS_TO_SETTLE = 20


class Numbered(BaseModel):
    """What the receiver is to deal with."""

    Number: int
    Fails: bool
    TypeName: str = "test.numbered"


class ReceiverError(Exception):
    """What the receiver fails with."""


class MailboxMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.mailbox = Mailbox(
            "'actor'",
            self.deal_with,
            max_messages=MAX_MESSAGES,
            max_tries=3,
            report=lambda summary, _details: self.reports.append(summary),
        )
        self.reports: list[str] = []
        self.running = self.loop.create_task(self.mailbox.run())
        self.is_over = False
        self.number = 0
        self.put: list[int] = []
        self.refused_count = 0
        self.waiting: dict[int, asyncio.Task[None]] = {}
        self.failing: set[int] = set()
        self.at_work: list[int] = []
        self.dealt_with: list[int] = []
        self.steps_left = 0
        self.more_steps = asyncio.Event()

    async def deal_with(self, letter: Letter) -> None:
        assert not isinstance(letter, ReceivedMessage)
        number = letter.Payload.Number
        self.at_work.append(number)
        try:
            while not self.steps_left:
                self.more_steps.clear()
                await self.more_steps.wait()
        finally:
            self.at_work.remove(number)
        self.steps_left -= 1
        self.dealt_with.append(number)
        if number in self.failing:
            raise ReceiverError(number)

    def next_message(self, fails: bool) -> Message[Numbered]:
        self.number += 1
        if fails:
            self.failing.add(self.number)
        return Message[Numbered](
            Src="sender", Payload=Numbered(Number=self.number, Fails=fails), MessageType="test"
        )

    @rule(fails=st.booleans())
    def somebody_puts(self, fails: bool) -> None:
        had_room = len(self.mailbox) < MAX_MESSAGES
        message = self.next_message(fails)
        try:
            self.mailbox.put(message)
        except NotRunningError:
            assert self.is_over
        except MailboxFullError:
            assert not had_room
            self.refused_count += 1
        else:
            assert had_room
            self.put.append(self.number)

    @rule(fails=st.booleans())
    def somebody_waits_for_the_outcome(self, fails: bool) -> None:
        message = self.next_message(fails)
        self.waiting[self.number] = self.loop.create_task(self.mailbox.process(message))

    @precondition(lambda self: any(not task.done() for task in self.waiting.values()))
    @rule(data=st.data())
    def one_waits_no_longer(self, data: st.DataObject) -> None:
        data.draw(
            st.sampled_from([each for each in self.waiting.values() if not each.done()])
        ).cancel()

    @rule(count=st.integers(1, 3))
    def the_receiver_goes_on(self, count: int) -> None:
        self.steps_left += count
        self.more_steps.set()

    @rule()
    def the_loop_turns(self) -> None:
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()

    # late, for after it there is little to see
    @precondition(lambda self: self.number > NUMBERS_BEFORE_THE_END and not self.is_over)
    @rule()
    def it_ends(self) -> None:
        self.running.cancel()
        while not self.running.done():
            self.the_loop_turns()
        self.mailbox.close()  # its task was perhaps cancelled before it began
        self.is_over = True

    @invariant()
    def one_at_a_time_in_order_and_no_more_than_there_is_room_for(self) -> None:
        assert len(self.at_work) <= 1
        assert len(self.mailbox) <= MAX_MESSAGES
        of_put = [number for number in self.dealt_with if number not in self.waiting]
        assert of_put == self.put[: len(of_put)]
        assert len(self.dealt_with) == len(set(self.dealt_with))

    def teardown(self) -> None:
        """All is dealt with in the end, or counted; and whoever waits is told."""
        self.the_receiver_goes_on(self.number + 1)
        drained = self.loop.create_task(self.mailbox.drained())
        for _ in range(TURNS_TO_SETTLE * (self.number + 1)):
            self.the_loop_turns()
        assert drained.done()
        if not self.is_over:
            assert set(self.put) <= set(self.dealt_with)
            self.it_ends()
        self.the_loop_turns()
        for number, task in self.waiting.items():
            self.check_outcome(number, task)
        left_count = len(set(self.put) - set(self.dealt_with))
        assert self.refused_count <= self.mailbox.dropped_count <= self.refused_count + left_count
        self.loop.close()

    def check_outcome(self, number: int, task: "asyncio.Task[None]") -> None:
        assert task.done(), "one waits in vain"
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, NotRunningError):
            assert self.is_over
        else:
            assert number in self.dealt_with
            assert isinstance(error, ReceiverError) == (number in self.failing)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """The log would have a traceback of each failure."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@at_two_lengths
def test_each_message_is_dealt_with_once_and_whoever_waits_is_told(run: RunMachine) -> None:
    run(MailboxMachine)
