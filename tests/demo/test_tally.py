from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from gwproactor.demo.scenario import NodeName
from gwproactor.demo.tally import OVERDUE, Comeback, Comebacks, Result, Tally

CHILD, PARENT = NodeName.child, NodeName.parent
IDS = st.sampled_from("abcdefgh")


@given(st.lists(IDS), st.lists(IDS))
def test_the_result_is_what_the_ids_say(stored: list[str], delivered: list[str]) -> None:
    tally = Tally()
    for event_id in stored:
        tally.stored(event_id)
    for event_id in delivered:
        tally.delivered(event_id)
    result = tally.result()
    assert result.stored == len(set(stored)) == tally.stored_count
    assert result.delivered == len(set(delivered))
    assert result.lost == len([i for i in set(stored) if i not in delivered])
    assert result.twice == len([i for i, n in Counter(delivered).items() if n > 1])
    assert tally.complete == (result.lost == 0)


@given(st.lists(IDS, min_size=1, unique=True), st.randoms(use_true_random=False))
def test_all_delivered_once_in_any_order_is_good(stored: list[str], random: object) -> None:
    tally = Tally()
    for event_id in stored:
        tally.stored(event_id)
    for event_id in sorted(stored, key=lambda _: random.random()):  # type: ignore[attr-defined]
        assert not tally.result().good
        tally.delivered(event_id)
    assert tally.result().good


@given(st.lists(IDS, min_size=1, unique=True), st.data())
def test_one_too_few_or_too_many_is_not_good(stored: list[str], data: st.DataObject) -> None:
    victim = data.draw(st.sampled_from(stored))
    lost, twice, stranger = Tally(), Tally(), Tally()
    for tally in (lost, twice, stranger):
        for event_id in stored:
            tally.stored(event_id)
            if tally is not lost or event_id != victim:
                tally.delivered(event_id)
    twice.delivered(victim)
    stranger.delivered("never stored")
    assert (lost.result().lost, lost.result().good) == (1, False)
    assert (twice.result().twice, twice.result().good) == (1, False)
    assert (stranger.result().lost, stranger.result().good) == (0, False)


def test_nothing_at_all_proves_nothing() -> None:
    assert not Tally().result().good


def test_the_first_activation_is_no_comeback() -> None:
    comebacks = Comebacks()
    assert comebacks.activated(CHILD, 1.0) is None
    assert comebacks.all == []


def test_a_comeback_counts_from_the_cut() -> None:
    comebacks = Comebacks()
    comebacks.disturbed(CHILD, "cut", 10.0)
    comebacks.deactivated(CHILD, 10.1)
    assert comebacks.activated(PARENT, 10.2) is None
    assert comebacks.activated(CHILD, 10.25) == Comeback(CHILD, "cut", 0.25)
    assert comebacks.activated(CHILD, 11.0) is None


def test_after_an_outage_it_counts_from_the_brokers_return() -> None:
    comebacks = Comebacks()
    comebacks.deactivated(CHILD, 10.0)
    comebacks.disturbed(CHILD, "broker away", 13.0)
    comebacks.activated(CHILD, 13.125)
    assert comebacks.all == [Comeback(CHILD, "broker away", 0.125)]


def test_what_no_step_is_to_blame_for_counts_from_the_deactivation() -> None:
    comebacks = Comebacks()
    comebacks.deactivated(CHILD, 5.0)
    assert comebacks.activated(CHILD, 5.5) == Comeback(CHILD, OVERDUE, 0.5)


def test_milliseconds() -> None:
    comebacks = (Comeback(CHILD, "cut", 0.00123456), Comeback(PARENT, "cut", 2.0))
    assert Result(1, 1, 0, 0, comebacks).reactivations_ms == [1.235, 2000.0]
