"""The thread that writes the log."""

import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from gwproactor.config.logging import ThrottleSettings
from gwproactor.logs.background import BackgroundHandler
from gwproactor.logs.throttle import RepeatFilter

Make = Callable[..., BackgroundHandler]


class Kept(logging.Handler):
    """Keeps what it gets; can be held up, and can fail."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.times: list[float] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.is_at_work = threading.Event()
        self.failures = 0
        self.closed = False

    def emit(self, record: logging.LogRecord) -> None:
        self.is_at_work.set()
        assert self.may_go_on.wait(20)
        if record.getMessage() == "poison":
            raise RecursionError("too deep")
        self.texts.append(record.getMessage())
        self.times.append(record.created)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        self.failures += 1

    def close(self) -> None:
        self.closed = True
        super().close()


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def make(kept: Kept) -> Iterator[Make]:
    made: list[BackgroundHandler] = []

    def one(max_records: int = 100, window_seconds: float = 3600) -> BackgroundHandler:
        settings = ThrottleSettings(burst=2, window_seconds=window_seconds)
        made.append(BackgroundHandler([kept], RepeatFilter(settings), max_records))
        return made[-1]

    yield one
    kept.may_go_on.set()
    for handler in made:
        handler.close()


def record(text: str, *args: object, level: int = logging.INFO) -> logging.LogRecord:
    return logging.LogRecord("a", level, "path", 1, text, args, None)


def test_records_are_written_in_order_by_another_thread(make: Make, kept: Kept) -> None:
    handler = make(max_records=1000)
    for number in range(500):
        handler.handle(record("%d", number))
    handler.flush()
    assert kept.texts == [str(number) for number in range(500)]


def test_a_record_is_as_it_was_when_it_was_made(make: Make, kept: Kept) -> None:
    handler = make()
    kept.may_go_on.clear()
    changing = ["before"]
    handler.handle(record("%s", changing))
    changing[0] = "after"
    kept.may_go_on.set()
    handler.flush()
    assert kept.texts == ["['before']"]


def test_who_logs_never_waits_and_losses_are_counted(make: Make, kept: Kept) -> None:
    handler = make(max_records=10)
    kept.may_go_on.clear()
    handler.handle(record("first"))
    assert kept.is_at_work.wait(20)
    for number in range(50):
        handler.handle(record("%d", number))
    kept.may_go_on.set()
    handler.flush()
    handler.handle(record("last"))
    handler.flush()
    assert "40 records of the log were lost: they came faster than they are written" in kept.texts
    assert len(kept.texts) == 13


def test_repetitions_are_told_when_their_time_has_come_without_a_record(
    make: Make, kept: Kept
) -> None:
    handler = make(window_seconds=0.05)
    told = threading.Event()

    def hear(taken: logging.LogRecord) -> bool:
        if "times more" in taken.getMessage():
            told.set()
        return True

    kept.addFilter(hear)
    for _ in range(30):
        handler.handle(record("lost", level=logging.ERROR))
    assert told.wait(20)


def test_no_time_in_the_log_is_before_the_one_above_it(make: Make, kept: Kept) -> None:
    kept.may_go_on.clear()
    handler = make(window_seconds=0.01)
    handler.handle(record("a", level=logging.WARNING))
    assert kept.is_at_work.wait(20)
    for text in [*["a"] * 4, *["b"] * 4, "the last"]:
        handler.handle(record(text, level=logging.WARNING))
    kept.may_go_on.set()
    handler.close()
    assert "the last" in kept.texts
    assert any("more" in text for text in kept.texts)
    assert kept.times == sorted(kept.times)


def test_the_end_tells_what_was_withheld(make: Make, kept: Kept) -> None:
    handler = make()
    for _ in range(5):
        handler.handle(record("lost", level=logging.ERROR))
    handler.close()
    assert kept.texts == ["lost", "lost", "lost ... 3 times more"]
    assert kept.closed
    handler.close()


def test_a_record_that_cannot_be_written_does_not_end_the_log(make: Make, kept: Kept) -> None:
    handler = make()
    handler.handle(record("poison"))
    handler.handle(record("fine"))
    handler.flush()
    assert (kept.texts, kept.failures) == (["fine"], 1)


def test_a_record_that_does_not_fit_its_format_harms_nobody(
    make: Make, kept: Kept, capfd: pytest.CaptureFixture[str]
) -> None:
    handler = make()
    handler.handle(record("%d", "no number"))
    handler.flush()
    assert "Logging error" in capfd.readouterr().err


def test_a_handler_takes_what_its_level_says(make: Make, kept: Kept) -> None:
    kept.setLevel(logging.ERROR)
    handler = make()
    handler.handle(record("info"))
    handler.handle(record("error", level=logging.ERROR))
    handler.flush()
    assert kept.texts == ["error"]


def test_an_exception_arrives_as_text(make: Make, kept: Kept) -> None:
    seen: list[logging.LogRecord] = []

    def hear(taken: logging.LogRecord) -> bool:
        seen.append(taken)
        return True

    kept.addFilter(hear)
    handler = make()
    failed = record("failed")
    failed.exc_info = (ValueError, ValueError("broken"), None)
    handler.handle(failed)
    handler.flush()
    assert (seen[0].exc_text, seen[0].exc_info) == ("ValueError: broken", None)


def test_a_disk_that_hangs_does_not_hold_up_the_end(
    make: Make, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gwproactor.logs.background.CLOSE_SECONDS", 0.01)
    handler = make(max_records=1)
    kept.may_go_on.clear()
    handler.handle(record("hangs"))
    assert kept.is_at_work.wait(20)
    handler.flush()
    handler.close()
    assert not kept.closed, "it is still in use"
    kept.may_go_on.set()
    handler._thread.join(20)
