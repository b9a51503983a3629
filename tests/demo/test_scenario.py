from itertools import pairwise

import pytest

from gwproactor.demo.scenario import SCENARIO, Action, NodeName, Step

CHILD = (NodeName.child,)


def test_the_demo_is_over_within_half_a_minute() -> None:
    assert sum(step.seconds for step in SCENARIO) < 18  # leaves room for slow links and the end


def test_the_broker_always_comes_back_and_was_away_before() -> None:
    for step, following in pairwise((*SCENARIO, Step(Action.watch, 0))):
        assert (step.action is Action.away) == (following.action is Action.back)


def test_each_node_is_cut_by_close_and_by_reset() -> None:
    cuts = {(node, s.reset) for s in SCENARIO if s.action is Action.cut for node in s.nodes}
    assert cuts == {(node, reset) for node in NodeName for reset in (False, True)}


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (Step(Action.cut, 1, CHILD), "The child is cut off, by a close."),
        (Step(Action.cut, 1, reset=True), "Both connections are cut off, by a reset."),
        (Step(Action.away, 1.5), "The broker is stopped for 1.5 s; the readings go on."),
    ],
)
def test_words(step: Step, words: str) -> None:
    assert step.words("The broker is stopped") == words


def test_words_fit_the_screen() -> None:
    assert max(len(step.words("The way to the broker is closed")) for step in SCENARIO) <= 66
