"""The watchdog's core, and the core against a model that only keeps the history."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gwproactor.errors import UsageError
from gwproactor.runtime.pat_table import Expired, PatTable

names = st.sampled_from(["driver", "poller", "io", "web"])
seconds = st.integers(min_value=1, max_value=50).map(lambda quarters: quarters / 4)


def test_a_name_is_overdue_after_its_timeout_and_not_at_it() -> None:
    table = PatTable()
    table.watch("driver", 2.0, 10.0)
    assert table.next_expiry() == 12.0
    assert table.expired(12.0) == []
    assert table.expired(12.5) == [Expired("driver", 2.0, 2.5)]
    assert table.next_expiry() == 12.0
    assert table.next_expiry(told={"driver"}) is None
    assert table.pat("driver", 13.0)
    assert table.expired(13.0) == []
    assert table.next_expiry() == 15.0


def test_what_has_expired_reads_well() -> None:
    assert str(Expired("driver", 20.0, 21.04)) == (
        "driver has given no sign of life for 21.0 s (20 s are allowed)"
    )


def test_all_that_are_overdue_are_named_and_the_next_is_another() -> None:
    table = PatTable()
    for name, timeout_seconds in (("slow", 9.0), ("b", 1.0), ("a", 2.0)):
        table.watch(name, timeout_seconds, 0.0)
    assert [each.name for each in table.expired(5.0)] == ["b", "a"]
    assert table.next_expiry() == 1.0
    assert table.next_expiry(told={"b"}) == 2.0
    assert table.next_expiry(told={"b", "a"}) == 9.0
    table.pat_all(5.0)
    assert table.expired(5.0) == []


def test_a_pat_of_an_unknown_name_is_told() -> None:
    table = PatTable()
    assert not table.pat("nobody", 1.0)
    table.watch("driver", 1.0, 0.0)
    table.unwatch("driver")
    table.unwatch("driver")
    assert "driver" not in table
    assert table.expired(100.0) == []


def test_a_pat_that_comes_late_takes_nothing_back() -> None:
    table = PatTable()
    table.watch("driver", 1.0, 0.0)
    table.pat("driver", 5.0)
    table.pat("driver", 4.0)
    assert table.next_expiry() == 6.0


def test_a_name_is_monitored_once() -> None:
    table = PatTable()
    table.watch("driver", 1.0, 0.0)
    with pytest.raises(UsageError, match="driver is monitored already"):
        table.watch("driver", 2.0, 0.0)


@given(st.sampled_from([0.0, -1.0, math.inf, math.nan, True, "9", None]))
def test_a_timeout_is_a_number_of_seconds(timeout_seconds: Any) -> None:
    with pytest.raises(UsageError, match="driver cannot be monitored with a timeout of"):
        PatTable().watch("driver", timeout_seconds, 0.0)


class PatTableMachine(RuleBasedStateMachine):
    """The table beside a list of all signs of life."""

    def __init__(self) -> None:
        super().__init__()
        self.table = PatTable()
        self.now = 100.0
        self.timeouts: dict[str, float] = {}
        self.signs: list[tuple[str, float]] = []

    @rule(passed=seconds)
    def time_passes(self, passed: float) -> None:
        self.now += passed

    @rule(name=names, timeout_seconds=seconds)
    def watch(self, name: str, timeout_seconds: float) -> None:
        if name in self.timeouts:
            with pytest.raises(UsageError):
                self.table.watch(name, timeout_seconds, self.now)
            return
        self.table.watch(name, timeout_seconds, self.now)
        self.timeouts[name] = timeout_seconds
        self.signs.append((name, self.now))

    @rule(name=names)
    def unwatch(self, name: str) -> None:
        self.table.unwatch(name)
        self.timeouts.pop(name, None)
        self.signs = [sign for sign in self.signs if sign[0] != name]

    @rule(name=names, ago=st.sampled_from([0.0, 0.0, 0.25, 3.0]))
    def pat(self, name: str, ago: float) -> None:
        assert self.table.pat(name, self.now - ago) == (name in self.timeouts)
        if name in self.timeouts:
            self.signs.append((name, self.now - ago))

    @precondition(lambda self: self.timeouts)
    @rule()
    def pat_all(self) -> None:
        self.table.pat_all(self.now)
        self.signs.extend((name, self.now) for name in self.timeouts)

    def last_sign(self, name: str) -> float:
        return max(moment for who, moment in self.signs if who == name)

    @invariant()
    def who_is_overdue_is_named(self) -> None:
        expected = {
            Expired(name, timeout_seconds, self.now - self.last_sign(name))
            for name, timeout_seconds in self.timeouts.items()
            if self.now - self.last_sign(name) > timeout_seconds
        }
        assert set(self.table.expired(self.now)) == expected

    @invariant()
    def nobody_expires_before_the_next_expiry(self) -> None:
        overdue = {each.name for each in self.table.expired(self.now)}
        moment = self.table.next_expiry(overdue)
        if moment is None:
            assert overdue == set(self.timeouts)
            return
        assert moment >= self.now
        first = self.table.next_expiry()
        assert first is not None
        assert first <= moment
        assert {each.name for each in self.table.expired(moment)} == overdue
        assert {each.name for each in self.table.expired(moment + 0.125)} > overdue


TestPatTable = PatTableMachine.TestCase
