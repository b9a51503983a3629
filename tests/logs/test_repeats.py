"""What is shown, what is counted, and that nothing is lost on the way."""

from collections import Counter

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gwproactor.logs.repeats import Repeats, Withheld

WINDOW = 60.0


def told(repeats: Repeats[str], now: float) -> list[tuple[str, int]]:
    return [(each.last, each.count) for each in repeats.ended(now)]


def test_a_burst_is_shown_and_the_rest_counted() -> None:
    repeats: Repeats[str] = Repeats(2, WINDOW)
    assert [repeats.shown(now, "k", f"r{now}") for now in range(5)] == [True, True] + 3 * [False]
    assert told(repeats, 59.9) == []
    assert told(repeats, 60.0) == [("r4", 3)]


def test_as_long_as_it_lasts_there_is_a_count_for_each_window() -> None:
    repeats: Repeats[str] = Repeats(1, WINDOW)
    repeats.shown(0, "k", "r")
    repeats.shown(1, "k", "r")
    assert told(repeats, 60) == [("r", 1)]
    assert not repeats.shown(61, "k", "r")
    assert told(repeats, 119) == []
    assert told(repeats, 120) == [("r", 1)]
    assert told(repeats, 180) == [], "nothing came any more"
    assert repeats.shown(181, "k", "r"), "so it is news again"


def test_a_window_without_repetitions_leaves_nothing() -> None:
    repeats: Repeats[str] = Repeats(1, WINDOW)
    repeats.shown(0, "k", "r")
    assert repeats.seconds_to_end(10) == 50
    assert told(repeats, 60) == []
    assert repeats.seconds_to_end(60) is None


def test_kinds_are_told_apart() -> None:
    repeats: Repeats[str] = Repeats(1, WINDOW)
    assert repeats.shown(0, "a", "a")
    assert repeats.shown(0, "b", "b")
    assert not repeats.shown(0, "a", "a")


def test_of_too_many_kinds_the_oldest_makes_room_and_is_told() -> None:
    repeats: Repeats[str] = Repeats(1, WINDOW, max_kinds=2)
    for kind in ("a", "a", "b", "c"):
        repeats.shown(0, kind, kind)
    assert repeats.seconds_to_end(0) == 0
    assert told(repeats, 0) == [("a", 1)]
    assert repeats.shown(0, "a", "a")


class AnyRecords(RuleBasedStateMachine):
    """Any records at any times, held against a count of them."""

    @initialize(burst=st.integers(1, 4), max_kinds=st.integers(1, 10))
    def begin(self, burst: int, max_kinds: int) -> None:
        self.max_kinds = max_kinds
        self.burst = burst
        self.repeats: Repeats[str] = Repeats(burst, WINDOW, max_kinds)
        self.now = 0
        self.came: Counter[str] = Counter()
        self.shown: Counter[str] = Counter()
        self.told: Counter[str] = Counter()
        self.shown_at: dict[str, list[float]] = {}

    def hear(self, withheld: list[Withheld[str]]) -> None:
        for each in withheld:
            assert each.count > 0
            self.told[each.last] += each.count

    @rule(seconds=st.integers(0, 100))
    def pass_time(self, seconds: int) -> None:
        self.now += seconds

    @rule(kind=st.sampled_from("abcdefgh"), times=st.integers(1, 8))
    def come(self, kind: str, times: int) -> None:
        self.hear(list(self.repeats.ended(self.now)))
        for _ in range(times):
            self.came[kind] += 1
            if self.repeats.shown(self.now, kind, kind):
                self.shown[kind] += 1
                self.shown_at.setdefault(kind, []).append(self.now)

    @rule()
    def ask(self) -> None:
        self.hear(list(self.repeats.ended(self.now)))
        left = self.repeats.seconds_to_end(self.now)
        assert left is None or 0 < left <= WINDOW

    @rule()
    def end(self) -> None:
        self.hear(list(self.repeats.ended(float("inf"))))
        assert self.repeats.seconds_to_end(self.now) is None
        assert self.shown + self.told == self.came
        self.shown_at.clear()

    @invariant()
    def nothing_is_told_that_did_not_come(self) -> None:
        for kind, count in self.came.items():
            assert self.shown[kind] + self.told[kind] <= count

    @invariant()
    def what_is_held_is_bounded(self) -> None:
        assert len(self.repeats._windows) <= self.max_kinds

    @invariant()
    def a_burst_is_no_longer_than_allowed(self) -> None:
        if self.max_kinds < len("abcdefgh"):
            return  # a kind that made room is new when it comes again
        for times in self.shown_at.values():
            for first, later in zip(times, times[self.burst :], strict=False):
                assert later - first >= WINDOW


TestAnyRecords = AnyRecords.TestCase
