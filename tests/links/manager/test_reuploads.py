import logging

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gwproactor.links.manager.reuploads import Reuploads
from gwproactor.stats import LinkStats

LOG = logging.getLogger("test")
IDS = [f"e{number}" for number in range(12)]


def test_the_first_are_sent_at_once_and_one_more_for_each_ack() -> None:
    uploads = Reuploads(LOG)
    assert uploads.start_reupload(IDS) == IDS[:5]
    assert (uploads.num_reupload_pending, uploads.num_reuploaded_unacked) == (7, 5)
    assert uploads.process_ack_for_reupload("e3") == ["e5"]
    assert uploads.process_ack_for_reupload("e3") == []
    assert uploads.process_ack_for_reupload("unknown") == []
    assert uploads.process_ack_for_reupload("e11") == []  # not sent yet: it need not be
    assert (uploads.num_reupload_pending, uploads.num_reuploaded_unacked) == (5, 5)


def test_beginning_and_end_are_counted_once() -> None:
    uploads = Reuploads(LOG, num_initial_events=2)
    uploads.stats = stats = LinkStats("link")
    uploads.start_reupload(["a", "b"])
    uploads.process_ack_for_reupload("a")
    assert uploads.reuploading()
    uploads.clear_unacked_event("b")
    uploads.process_ack_for_reupload("b")
    assert not uploads.reuploading()
    assert (stats.reupload_counts.started, stats.reupload_counts.completed) == (1, 1)
    assert uploads.start_reupload([]) == []
    assert stats.reupload_counts.started == 1


def test_what_was_lost_is_not_complete(caplog: pytest.LogCaptureFixture) -> None:
    uploads = Reuploads(LOG, 1)
    with caplog.at_level(logging.INFO):
        uploads.start_reupload(["a", "b"])
        uploads.clear()
        uploads.process_ack_for_reupload("a")
    assert "complete" not in caplog.text
    assert not uploads.reuploading()


def test_it_says_itself_in_words() -> None:
    uploads = Reuploads(LOG, 2)
    uploads.start_reupload(["a", "b", "c", "d"])
    assert uploads.get_str(verbose=False) == "Reuploads: 2 pending, 2 unacked"
    assert uploads.get_str(num_events=1).splitlines()[1:] == ["  pending: c", "  unacked: a"]


class ReuploadMachine(RuleBasedStateMachine):
    """Whatever comes, each event is sent once, in order, and no more than so many are open."""

    def __init__(self) -> None:
        super().__init__()
        self.uploads = Reuploads(LOG, 3)
        self.left: list[str] = []
        self.open: set[str] = set()

    def sent(self, ids: list[str]) -> None:
        assert ids == self.left[: len(ids)]
        del self.left[: len(ids)]
        self.open |= set(ids)

    @rule(ids=st.lists(st.sampled_from(IDS), unique=True))
    def start(self, ids: list[str]) -> None:
        self.left, self.open = list(ids), set()
        self.sent(self.uploads.start_reupload(ids))

    @rule(each=st.sampled_from(IDS))
    def ack(self, each: str) -> None:
        if each in self.left:
            self.left.remove(each)
        self.open.discard(each)
        self.sent(self.uploads.process_ack_for_reupload(each))

    @rule(each=st.sampled_from(IDS))
    def unreadable(self, each: str) -> None:
        self.open.discard(each)
        self.uploads.clear_unacked_event(each)

    @rule()
    def lost(self) -> None:
        self.left, self.open = [], set()
        self.uploads.clear()

    @invariant()
    def counts_are_right(self) -> None:
        assert len(self.open) <= 3
        assert self.uploads.num_reupload_pending == len(self.left)
        assert self.uploads.num_reuploaded_unacked == len(self.open)
        assert self.uploads.reuploading() == bool(self.left or self.open)


TestReuploads = ReuploadMachine.TestCase
