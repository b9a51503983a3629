from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from gwproactor.events.core.batch_receipt import BatchReceipt


@given(st.data())
def test_one_answer_when_all_is_known(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 20))
    refused = data.draw(st.sets(st.integers(0, count - 1)))
    answers: list[list[int]] = []

    def answer(places: Sequence[int]) -> None:
        answers.append(list(places))

    receipt = BatchReceipt(count, answer)
    for place in data.draw(st.permutations(range(count))):
        assert answers == []
        if place in refused:
            receipt.refused(place)
        else:
            receipt.taken()
    assert answers == [sorted(refused)]
