"""Who is told when an event is safe: each place of the latest batch, one copy, the sender once."""

from collections.abc import Callable, Sequence

from hypothesis import given
from hypothesis import strategies as st

from gwproactor.events.core.batch_receipt import BatchReceipt
from gwproactor.events.core.owed_answers import OwedAnswers

KEYS = [("child", name) for name in "abc"]
BATCHES = st.lists(st.lists(st.sampled_from(KEYS), min_size=1, max_size=6), max_size=5)


class World:
    """Collects what is told."""

    def __init__(self) -> None:
        self.acked: list[str] = []
        self.let_go: list[int] = []
        self.answers: dict[int, list[int]] = {}
        self.owed = OwedAnswers(lambda _link_name, event_id: self.acked.append(event_id))

    def batch(self, number: int, count: int) -> BatchReceipt:
        def answer(refused: Sequence[int]) -> None:
            assert number not in self.answers
            self.answers[number] = list(refused)

        return BatchReceipt(count, answer)

    def copy(self, number: int) -> Callable[[], None]:
        return lambda: self.let_go.append(number)


@given(BATCHES, st.permutations(KEYS))
def test_the_latest_batch_answers_for_every_place(
    batches: list[list[tuple[str, str]]], order: list[tuple[str, str]]
) -> None:
    world = World()
    latest: dict[tuple[str, str], int] = {}
    for number, keys in enumerate(batches):
        receipt = world.batch(number, len(keys))
        for place, key in enumerate(keys):
            world.owed.claim(key, receipt, place)
            latest[key] = number
    for key in order:
        world.owed.safe(key)
    assert world.answers == {
        number: [place for place, key in enumerate(keys) if latest[key] != number]
        for number, keys in enumerate(batches)
    }


@given(st.lists(st.booleans(), min_size=1))
def test_the_sender_is_told_as_it_last_wanted(wishes: list[bool]) -> None:
    world = World()
    for wanted in wishes:
        world.owed.ack_wanted(KEYS[0], wanted=wanted)
    world.owed.safe(KEYS[0])
    assert world.acked == ["a"] * wishes[-1]
    world.owed.safe(KEYS[0])  # the wish was for that one time
    assert world.acked == ["a"] * (wishes[-1] + 1)


def test_the_latest_copy_holds_the_broker() -> None:
    world = World()
    world.owed.hold_copy(KEYS[0], world.copy(1))
    world.owed.hold_copy(KEYS[0], world.copy(2))
    assert world.let_go == [1]
    assert world.owed.holds_copy(KEYS[0])
    world.owed.let_go(KEYS[0])
    world.owed.let_go(KEYS[0])
    assert world.let_go == [1, 2]
    assert world.acked == []
