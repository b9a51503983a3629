from hypothesis import given
from hypothesis import strategies as st

from gwproactor.links.core.reupload_progress import (
    OBSERVED_SECONDS,
    PERIOD_SECONDS,
    ReuploadProgress,
    ReuploadState,
)


def test_it_tells_at_a_bounded_rate_and_when_it_is_complete() -> None:
    progress = ReuploadProgress(100, 1000.0)
    assert progress.note(90, 1001.0) == ""
    assert (progress.acked, progress.left, progress.completed) == (10, 90, False)
    later = 1000.0 + PERIOD_SECONDS
    assert progress.note(75, later, 40) == "re-upload: 25 of 100 events acknowledged, 40 sent"
    assert progress.note(65, later + 1) == ""
    assert progress.note(0, later + 2) == "re-upload completed: 100 events in 12.0 s"
    assert progress.completed


def test_who_observes_is_told_now_and_then_and_of_the_end() -> None:
    progress = ReuploadProgress(10, 0.0, "parent")
    assert progress.state == ReuploadState("parent", 10, 0, 0, 10, completed=False)
    told = []
    for step, (left, sent) in enumerate([(9, 5), (8, 6), (7, 7), (0, 12)], start=1):
        progress.note(left, step * OBSERVED_SECONDS / 2, sent)
        if progress.is_to_be_observed(step * OBSERVED_SECONDS / 2):
            told.append(progress.state)
    assert told == [
        ReuploadState("parent", 10, 6, 2, 8, completed=False),
        ReuploadState("parent", 10, 10, 10, 0, completed=True),
    ]


@given(st.lists(st.integers(0, 200), max_size=30))
def test_it_never_goes_back(steps: list[int]) -> None:
    progress = ReuploadProgress(100, 0.0)
    for number, left in enumerate(steps):
        before = progress.left
        line = progress.note(left, float(number))
        assert 0 <= progress.left <= before
        assert progress.acked + progress.left == 100
        assert ("completed" in line) == progress.completed
