"""The queue's state against a model: who may put, get, wait, be woken or go does so in any order.

A participant stands for a thread or a coroutine. It tries; where it cannot, it waits in line; once
woken it may try again at any later moment, or go away. So each run is one interleaving of many.
"""

from collections import deque

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gwproactor.actors.queue_state import QueueState
from gwproactor.errors import QueueClosedError, QueueEmptyError, QueueFullError
from gwproactor_test.machines import RunMachine, at_two_lengths

MAX_ITEMS = 2
ITEMS_BEFORE_CLOSING = 6


class Participant:
    """Somebody who waits to put `item`, or to get one where that is None."""

    def __init__(self, item: int | None) -> None:
        self.item = item
        self.woken = False
        self.dead = False

    def wake(self) -> bool:
        assert not self.woken, "woken twice without having tried again"
        if self.dead:
            return False
        self.woken = True
        return True


class QueueMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.state: QueueState[int] = QueueState(MAX_ITEMS)
        self.number = 0
        self.model: deque[int] = deque()
        self.waiting: list[Participant] = []

    def attempt(self, who: Participant) -> bool:
        """Try as who uses the queue does; whether it is done, one way or another."""
        room = len(self.model) < MAX_ITEMS
        if who.item is None and self.state.has_news:
            if self.model:
                assert self.state.get() == self.model.popleft()
            else:
                with pytest.raises(QueueClosedError):
                    self.state.get()
            return True
        if who.item is not None and self.state.has_room:
            if self.state.closed:
                with pytest.raises(QueueClosedError):
                    self.state.put(who.item)
            else:
                assert room
                self.state.put(who.item)
                self.model.append(who.item)
            return True
        return False

    def begin(self, who: Participant) -> None:
        if not self.attempt(who):
            (self.state.readers if who.item is None else self.state.writers).append(who)
            who.woken = False
            self.waiting.append(who)

    @rule()
    def somebody_gets(self) -> None:
        self.begin(Participant(None))

    @rule()
    def somebody_puts(self) -> None:
        self.number += 1
        self.begin(Participant(self.number))

    @rule()
    def somebody_tries_without_waiting(self) -> None:
        if not self.model and not self.state.closed:
            with pytest.raises(QueueEmptyError):
                self.state.get()
        if len(self.model) >= MAX_ITEMS and not self.state.closed:
            with pytest.raises(QueueFullError):
                self.state.put(0)

    @precondition(lambda self: any(who.woken for who in self.waiting))
    @rule(data=st.data())
    def a_woken_one_tries_again(self, data: st.DataObject) -> None:
        who = data.draw(st.sampled_from([who for who in self.waiting if who.woken]))
        self.waiting.remove(who)
        self.begin(who)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def one_goes_away(self, data: st.DataObject) -> None:
        who = data.draw(st.sampled_from(self.waiting))
        self.waiting.remove(who)
        self.state.leave(who)

    @precondition(lambda self: any(not who.woken for who in self.waiting))
    @rule(data=st.data())
    def the_loop_of_one_ends(self, data: st.DataObject) -> None:
        who = data.draw(st.sampled_from([who for who in self.waiting if not who.woken]))
        self.waiting.remove(who)
        who.dead = True

    # late, for after it there is little to see
    @precondition(lambda self: self.number > ITEMS_BEFORE_CLOSING and not self.state.closed)
    @rule()
    def somebody_closes(self) -> None:
        self.state.close()

    @invariant()
    def it_holds_what_was_put(self) -> None:
        assert list(self.state.items) == list(self.model)
        assert len(self.model) <= MAX_ITEMS

    @invariant()
    def nobody_waits_for_what_is_there(self) -> None:
        readers = [who for who in self.waiting if who.item is None]
        writers = [who for who in self.waiting if who.item is not None]
        if readers and self.state.has_news:
            assert any(who.woken for who in readers)
        if writers and self.state.has_room:
            assert any(who.woken for who in writers)

    @invariant()
    def once_closed_all_are_woken(self) -> None:
        if self.state.closed:
            assert all(who.woken for who in self.waiting)

    def teardown(self) -> None:
        """Whoever was woken tries in the end: then nobody waits for what is there."""
        while woken := [who for who in self.waiting if who.woken]:
            self.waiting.remove(woken[0])
            self.begin(woken[0])
        readers = [who for who in self.waiting if who.item is None]
        writers = [who for who in self.waiting if who.item is not None]
        assert not (readers and self.model)
        assert not (writers and len(self.model) < MAX_ITEMS)


@at_two_lengths
def test_nothing_is_lost_and_nobody_forgotten(run: RunMachine) -> None:
    run(QueueMachine)
