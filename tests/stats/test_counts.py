"""Counts by name stay bounded, whatever the names are."""

from hypothesis import given
from hypothesis import strategies as st

from gwproactor.stats import MAX_NAME_CHARACTERS, MAX_NAMES, OTHERS, Counts


def test_a_name_not_counted_stands_at_zero_and_takes_no_room() -> None:
    counts = Counts()
    assert counts["a"] == 0
    counts["b"] += 2
    counts["b"] += 1
    assert counts == {"b": 3}


def test_names_without_room_are_counted_together() -> None:
    counts = Counts()
    for n in range(MAX_NAMES + 50):
        counts[str(n)] += 2
    counts["x"] += 1
    counts["0"] += 1
    assert len(counts) == MAX_NAMES + 1
    assert counts[OTHERS] == 50 * 2 + 1
    assert counts["0"] == 3


def test_a_name_too_long_has_no_room() -> None:
    counts = Counts()
    for _ in range(2):
        counts["x" * MAX_NAME_CHARACTERS + "y"] += 1
    counts["x" * MAX_NAME_CHARACTERS] += 1
    assert counts == {OTHERS: 2, "x" * MAX_NAME_CHARACTERS: 1}


def test_adding_others_adds_each_name() -> None:
    counts = Counts(a=1)
    counts.add(Counts(a=2, b=3))
    assert counts == {"a": 3, "b": 3}


@given(st.lists(st.integers(0, 3 * MAX_NAMES)), st.lists(st.integers(0, 3 * MAX_NAMES)))
def test_nothing_is_lost_and_the_room_is_bounded(first: list[int], second: list[int]) -> None:
    one, other = Counts(), Counts()
    for counts, names in ((one, first), (other, second)):
        for name in names:
            counts[str(name)] += 1
    one.add(other)
    assert sum(one.values()) == len(first) + len(second)
    assert len(one) <= MAX_NAMES + 1


def test_a_table_is_in_the_order_of_the_alphabet() -> None:
    assert Counts(b=1, a=20).table("Things") == ["  Things:", "         20  a", "          1  b"]
    assert Counts().table("Things") == []
