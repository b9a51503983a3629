"""A queue of sequences is a sorted list."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gwproactor.events.core import sequence_queue
from gwproactor.events.core.sequence_queue import SequenceQueue


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequence_queue, "_BLOCK_COUNT", 3)


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), max_size=60))
def test_a_queue_is_a_sorted_list(steps: list[int]) -> None:
    queue, model, taken = SequenceQueue(), list[int](), list[int]()
    for number, step in enumerate(steps):
        if step == 0:
            queue.put_back(taken)
            model, taken = sorted(model + taken), []
        elif step < 5 and model:
            assert queue.first == model[0]
            taken.append(queue.popleft())
            assert taken[-1] == model.pop(0)
        else:
            queue.append(number)
            model.append(number)
        assert list(queue) == model
        assert (len(queue), bool(queue)) == (len(model), bool(model))


@settings(deadline=None)
@given(st.sets(st.integers(0, 3000)), st.lists(st.sets(st.integers(0, 3000), min_size=1)))
def test_what_is_put_back_finds_its_place_wherever_that_is(
    there: set[int], late: list[set[int]]
) -> None:
    queue = SequenceQueue()
    for sequence in sorted(there):
        queue.append(sequence)
    for group in late:
        new = group - there
        queue.put_back(new)
        there |= new
        assert list(queue) == sorted(there)
