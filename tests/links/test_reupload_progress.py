from hypothesis import given
from hypothesis import strategies as st

from gwproactor.links.reupload_progress import PERIOD_SECONDS, ReuploadProgress


def test_it_tells_at_a_bounded_rate_and_when_it_is_complete() -> None:
    progress = ReuploadProgress(100, 1000.0)
    assert progress.note(90, 1001.0) == ""
    assert (progress.acked, progress.left, progress.completed) == (10, 90, False)
    later = 1000.0 + PERIOD_SECONDS
    assert progress.note(75, later) == "re-upload: 25 of 100 events acknowledged"
    assert progress.note(65, later + 1) == ""
    assert progress.note(0, later + 2) == "re-upload completed: 100 events in 12.0 s"
    assert progress.completed


@given(st.lists(st.integers(0, 200), max_size=30))
def test_it_never_goes_back(steps: list[int]) -> None:
    progress = ReuploadProgress(100, 0.0)
    for number, left in enumerate(steps):
        before = progress.left
        line = progress.note(left, float(number))
        assert 0 <= progress.left <= before
        assert progress.acked + progress.left == 100
        assert ("completed" in line) == progress.completed
