"""The four logs of a proactor: what goes where, one line for each message, made only if wanted."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from gwproactor.logger import ProactorLogger, summary_line
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import Ping

BASE = "test_logger"
SUMMARY = "test_logger.message_summary"
LIFECYCLE = "test_logger.lifecycle"
COMM_EVENT = "test_logger.comm_event"


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[ProactorLogger]:
    """Logs that take INFO and what is above it."""
    with caplog.at_level(logging.INFO, "test_logger"):
        yield ProactorLogger(BASE, SUMMARY, LIFECYCLE, COMM_EVENT)


def path_is_enabled(log: ProactorLogger) -> bool:
    """Asked anew: a property that changes is not what mypy expects."""
    return log.path_enabled


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, str]]:
    """Log, level and text of each record."""
    return [(r.name, r.levelname, r.getMessage()) for r in caplog.records]


def test_each_method_writes_to_its_log(
    log: ProactorLogger, caplog: pytest.LogCaptureFixture
) -> None:
    log.warning("general %d", 1)
    log.lifecycle("begins %d", 2)
    log.comm_event("lost %d", 3)
    assert lines(caplog) == [
        ("test_logger", "WARNING", "general 1"),
        ("test_logger.lifecycle", "INFO", "begins 2"),
        ("test_logger.comm_event", "INFO", "lost 3"),
    ]


def test_a_record_names_the_line_that_wrote_it(
    log: ProactorLogger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "test_logger")
    log.lifecycle("a")
    log.path("b")
    log.message_enter("c")
    log.message_summary("IN", "a", "t")
    assert {r.funcName for r in caplog.records} == {"test_a_record_names_the_line_that_wrote_it"}


def test_extra_is_in_every_record(caplog: pytest.LogCaptureFixture) -> None:
    log = ProactorLogger(BASE, SUMMARY, LIFECYCLE, COMM_EVENT, {"node": "a.b"})
    caplog.set_level(logging.DEBUG, "test_logger")
    log.info("x")
    log.lifecycle("x")
    log.comm_event("x")
    log.path("x")
    log.message_summary("IN", "a", "t")
    assert {getattr(r, "node", None) for r in caplog.records} == {"a.b"}


def test_a_call_may_have_extra_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    log = ProactorLogger(BASE, SUMMARY, LIFECYCLE, COMM_EVENT, {"node": "a.b", "link": "none"})
    caplog.set_level(logging.INFO, "test_logger")
    log.comm_event("lost", extra={"link": "c"})
    log.info("x", extra={"link": "c"})
    assert [(vars(r)["node"], vars(r)["link"]) for r in caplog.records] == [("a.b", "c")] * 2


def test_a_text_stands_for_a_payload() -> None:
    assert summary_line("IN", "a", "t", "gridworks.ping").endswith("[t]  gridworks.ping")


def test_an_exception_can_be_handed_on(
    log: ProactorLogger, caplog: pytest.LogCaptureFixture
) -> None:
    log.comm_event("lost", exc_info=OSError("gone"))
    assert "OSError: gone" in caplog.text


@pytest.mark.parametrize(
    ("name", "switch"),
    [
        (BASE, "general_enabled"),
        (SUMMARY, "message_summary_enabled"),
        (LIFECYCLE, "lifecycle_enabled"),
        (COMM_EVENT, "comm_event_enabled"),
    ],
)
def test_each_log_is_switched_by_itself(
    name: str, switch: str, log: ProactorLogger, caplog: pytest.LogCaptureFixture
) -> None:
    assert getattr(log, switch)
    caplog.set_level(logging.WARNING, name)
    assert getattr(log, switch) is False


def test_the_path_is_debugging_of_message_summaries(
    log: ProactorLogger, caplog: pytest.LogCaptureFixture
) -> None:
    log.path("unseen")
    log.message_enter("unseen")
    log.message_exit("unseen")
    assert not path_is_enabled(log)
    caplog.set_level(logging.DEBUG, SUMMARY)
    assert path_is_enabled(log)
    log.message_enter("in %s", "a")
    log.path("by %s", "b")
    log.message_exit("out %s", "c")
    texts = [text for _, _, text in lines(caplog)]
    assert texts == ["+" * 88, "in a", "by b", "out c", "-" * 88]


def test_a_message_is_one_line(log: ProactorLogger, caplog: pytest.LogCaptureFixture) -> None:
    ping = Ping(MessageId="0123456789")
    message: Message[Ping] = Message(Src="a.b", Dst="parent", Payload=ping)
    log.message_summary("OUT mqtt", "a.b", message.mqtt_topic(), message, message_id="0123456789")
    ((name, level, text),) = lines(caplog)
    assert (name, level) == (SUMMARY, "INFO")
    assert text.split() == [
        *("OUT", "mqtt", "->", "a.b"),
        *("[gw/a-b/to/parent/gridworks-ping]", "Ping", "01234567"),
    ]


def test_a_line_that_nobody_reads_is_not_made(
    log: ProactorLogger, caplog: pytest.LogCaptureFixture
) -> None:
    class Payload:
        def __getattr__(self, name: str) -> object:
            pytest.fail("the payload was looked at")

    caplog.set_level(logging.WARNING, SUMMARY)
    log.message_summary("IN", "a", "t", Payload())
    assert not caplog.records


@pytest.mark.parametrize(
    ("direction", "arrow"),
    [("IN", "<-"), ("RCV", "<-"), ("OUT", "->"), ("SND x", "->"), ("sideways", " ?")],
)
def test_the_arrow_shows_the_direction(direction: str, arrow: str) -> None:
    assert arrow in summary_line(direction, "a", "t")


def test_a_time_is_shown_if_it_is_another_than_that_of_the_record() -> None:
    then = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert summary_line("IN", "a", "t", timestamp=then).startswith("2024-01-02T03:04:05+00:00  IN")


@pytest.mark.parametrize("field", ["direction", "actor_alias", "topic", "message_id"])
def test_no_text_breaks_the_line(field: str) -> None:
    given: dict[str, Any] = {"direction": "IN", "actor_alias": "a", "topic": "t", field: "é\n\x1b"}
    assert "é\\n\\x1b" in summary_line(**given)


def test_repr_names_the_logs(log: ProactorLogger) -> None:
    assert repr(log) == f"<ProactorLogger {BASE}, {SUMMARY}, {LIFECYCLE}, {COMM_EVENT}>"
