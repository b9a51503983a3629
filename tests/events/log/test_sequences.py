"""Runs of numbers: what is missing among them."""

from hypothesis import given
from hypothesis import strategies as st

from gwproactor.events.log.sequences import Sequences


@given(st.lists(st.integers(0, 40)), st.integers(0, 40))
def test_what_is_missing_is_what_was_not_noted(numbers: list[int], begin: int) -> None:
    sequences = Sequences()
    for number in numbers:
        sequences.add(number)
    missing = [n for first, last in sequences.missing(begin) for n in range(first, last + 1)]
    assert missing == [n for n in range(begin, max(numbers, default=0)) if n not in numbers]


@given(st.lists(st.integers(0, 40)), st.lists(st.integers(0, 45)))
def test_what_is_in_it_is_found(numbers: list[int], asked: list[int]) -> None:
    sequences = Sequences()
    for number in numbers:
        sequences.add(number)
    assert sequences.among(asked) == sorted(set(asked) & set(numbers))


def test_a_million_in_their_order_are_one_run() -> None:
    sequences = Sequences()
    for number in range(10**6):
        sequences.add(number)
    assert sequences.run_count == 1
