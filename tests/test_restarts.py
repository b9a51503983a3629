"""When a task that died is begun anew."""

from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwproactor.config.tasks import OnFailure, TaskPolicy
from gwproactor.errors import SettingsError
from gwproactor.restarts import Restarts


def delays(policy: TaskPolicy, *moments: float) -> list[float | None]:
    restarts = Restarts(policy)
    return [restarts.after_failure(moment) for moment in moments]


def test_the_delay_doubles_up_to_the_longest_and_then_it_is_given_up() -> None:
    policy = TaskPolicy(max_restarts=5, longest_delay_seconds=3.0)
    assert delays(policy, 0, 1, 2, 3, 4, 5, 6) == [0.5, 1.0, 2.0, 3.0, 3.0, None, None]


def test_what_is_long_ago_is_forgotten() -> None:
    policy = TaskPolicy(max_restarts=2, within_seconds=10.0)
    assert delays(policy, 0, 1, 5) == [0.5, 1.0, None]
    assert delays(policy, 0, 1, 12) == [0.5, 1.0, 0.5]
    assert delays(policy, 0, 9, 11) == [0.5, 1.0, 1.0]


@pytest.mark.parametrize("on_failure", [OnFailure.report, OnFailure.stop])
def test_other_policies_know_no_restart(on_failure: OnFailure) -> None:
    assert delays(TaskPolicy(on_failure=on_failure), 0.0) == [None]


def test_none_at_all_can_be_asked_for() -> None:
    assert delays(TaskPolicy(max_restarts=0), 0.0) == [None]


def test_a_wrong_policy_is_refused() -> None:
    with pytest.raises(SettingsError, match="first_delay_seconds"):
        TaskPolicy(first_delay_seconds=0)


policies = st.builds(
    lambda delay_seconds, factor, **others: TaskPolicy(
        first_delay_seconds=delay_seconds, longest_delay_seconds=delay_seconds * factor, **others
    ),
    delay_seconds=st.floats(min_value=0.01, max_value=100),
    factor=st.floats(min_value=1, max_value=100),
    max_restarts=st.integers(min_value=0, max_value=8),
    within_seconds=st.floats(min_value=0.1, max_value=1000),
)


@given(policies, st.lists(st.floats(min_value=0, max_value=300), max_size=60))
def test_the_rate_of_restarts_is_bounded_and_so_is_each_delay(
    policy: TaskPolicy, gaps: list[float]
) -> None:
    moments = list(accumulate(gaps))
    found = delays(policy, *moments)
    restarted = [moment for moment, delay in zip(moments, found, strict=True) if delay is not None]
    for start in restarted:
        within = [m for m in restarted if 0 <= m - start <= policy.within_seconds]
        assert len(within) <= policy.max_restarts
    shortest, longest = policy.first_delay_seconds, policy.longest_delay_seconds
    assert all(shortest <= each <= longest for each in found if each)


@given(policies, st.lists(st.floats(min_value=0, max_value=1), max_size=20))
def test_within_the_time_no_delay_is_shorter_than_the_one_before(
    policy: TaskPolicy, gaps: list[float]
) -> None:
    patient = policy.model_copy(update={"within_seconds": 1000.0})
    found = [delay for delay in delays(patient, *accumulate(gaps)) if delay is not None]
    assert all(earlier <= later for earlier, later in pairwise(found))
