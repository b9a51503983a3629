"""Packed refs come back as they were, whatever their ids and labels."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from gwproactor.events.core.ref_table import RefTable
from gwproactor.events.store import MAX_PRIORITY, EventRef

uuids = st.uuids().map(str)
odd = st.sampled_from([str(UUID(int=1)).upper(), "0" * 36, "-" * 36, " " * 36, "é" * 36])
sequences = st.integers(0, 2000)
refs = st.builds(
    EventRef,
    sequences,
    uuids | odd | st.text(st.characters(exclude_categories=()), min_size=1),
    st.integers(1, 2**32 - 1),
    st.sampled_from(["", "line"]),
    st.sampled_from(["", "child"]),
    st.integers(-MAX_PRIORITY, MAX_PRIORITY),
)


@given(st.lists(refs | sequences, max_size=60))
def test_a_table_is_a_dict(steps: list[EventRef | int]) -> None:
    table, model = RefTable(), dict[int, EventRef]()
    for step in steps:
        if isinstance(step, EventRef):
            table.put(step)
            model[step.sequence] = step
        else:
            table.remove(step)
            model.pop(step, None)
        assert len(table) == len(model)
    assert list(table) == [model[sequence] for sequence in sorted(model)]
    for sequence in range(2001):
        assert table.get(sequence) == model.get(sequence)
        assert (sequence in table) == (sequence in model)


def test_labels_of_their_own_are_forgotten_with_their_events() -> None:
    table = RefTable()
    for sequence in range(1000):
        table.put(EventRef(sequence, "id", 10, f"tag {sequence}"))
        table.remove(sequence)
    assert len(table._labels._labels) == 2
