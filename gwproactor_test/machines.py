"""How long a Hypothesis state machine runs: a moment in every run of the tests, minutes as a proof.

@at_two_lengths
def test_the_promise(run: RunMachine) -> None:
    run(Machine)
"""

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis.stateful import RuleBasedStateMachine

from gwproactor_test.event_runs import check_machine

RunMachine = Callable[[type[RuleBasedStateMachine]], None]

_short = partial(check_machine, examples=200, steps=40)
_long = partial(check_machine, examples=2000, steps=80)

at_two_lengths = pytest.mark.parametrize(
    "run",
    [
        pytest.param(_short, id="short"),
        pytest.param(_long, id="long", marks=(pytest.mark.prove, pytest.mark.timeout(600))),
    ],
)
