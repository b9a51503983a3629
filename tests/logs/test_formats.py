"""How a record is written: one line, whatever stands in it."""

import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwproactor.config.logging import FormatterSettings
from gwproactor.errors import SettingsError
from gwproactor.logs.formats import CONTINUATION, JsonFormatter, LineFormatter

LINES = LineFormatter(FormatterSettings())
JSON = JsonFormatter()


def record(message: object = "text", *args: object, **values: Any) -> logging.LogRecord:
    made = logging.LogRecord("a.b", logging.WARNING, "path", 1, message, args, None)
    vars(made).update({"created": 1700000000.25, "msecs": 250.0} | values)
    return made


def with_traceback(text: str) -> logging.LogRecord:
    return record("it failed", exc_info=(ValueError, ValueError(text), None))


def test_a_line_is_the_predecessors() -> None:
    local = LINES.format(record("%s and %d", "a", 2))
    assert local.endswith(".250 a and 2")
    utc = LineFormatter(FormatterSettings(use_utc=True)).format(record())
    assert utc == "2023-11-14 22:13:20.250 text"


def test_the_format_can_be_chosen() -> None:
    settings = FormatterSettings(
        fmt="%(levelname)s %(asctime)s %(name)s: %(message)s", datefmt="%H:%M", use_utc=True
    )
    assert LineFormatter(settings).format(record()) == "WARNING 22:13 a.b: text"
    no_milliseconds = FormatterSettings(default_msec_format="", use_utc=True)
    assert LineFormatter(no_milliseconds).format(record()) == "2023-11-14 22:13:20 text"


PIECES = (
    *("%(message)s", "%(asctime)s", "%(levelno)5d", "%(msecs)03d", "%(no_such)s", "%(message).3s"),
    *("%(exc_info)s", "%(args)s", "%(process)d", "%", "%%", "%Y", "%s", "%d", " ", "\n", "{", "\0"),
)
FORMATS = st.lists(st.sampled_from(PIECES), max_size=5).map("".join) | st.text(max_size=8)


@given(fmt=FORMATS.map("{}%(message)s".format) | FORMATS, datefmt=FORMATS, msec=FORMATS)
def test_a_format_that_is_taken_writes_any_record_in_one_line(
    fmt: str, datefmt: str, msec: str
) -> None:
    try:
        settings = FormatterSettings(fmt=fmt, datefmt=datefmt, default_msec_format=msec)
    except SettingsError:
        return
    formatter = LineFormatter(settings)
    bare = logging.makeLogRecord({"msg": "one\n2", "levelno": logging.INFO})
    for made in (record("%s\n%s", "one", 2), bare):
        line = formatter.format(made)
        assert r"one\n2" in line
        assert line.splitlines() == [line]


@given(st.text(st.characters()))
def test_no_message_makes_a_second_line(text: str) -> None:
    assert len(LINES.format(record("%s", text)).splitlines()) == 1
    line = JSON.format(record("%s", text))
    assert len(line.splitlines()) == 1
    assert json.loads(line)["message"] == text


@given(st.text(st.characters()))
def test_no_line_of_a_traceback_looks_like_a_record(text: str) -> None:
    _, *more = LINES.format(with_traceback(text)).splitlines()
    assert more
    assert all(line.startswith(CONTINUATION) for line in more)


def test_a_traceback_and_a_stack_are_there() -> None:
    assert "    | ValueError: broken" in LINES.format(with_traceback("broken"))
    assert "ValueError: broken" in json.loads(JSON.format(with_traceback("broken")))["traceback"]
    assert LINES.format(record(stack_info="Stack:\n  here")).endswith("\n    |   here")


def test_json_has_what_a_program_looks_for() -> None:
    assert json.loads(JSON.format(record("%s", "a", node="d1.scada"))) == {
        "time": "2023-11-14T22:13:20.250+00:00",
        "level": "WARNING",
        "logger": "a.b",
        "message": "a",
        "node": "d1.scada",
    }


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}, {(1, 2): 3}, b"x"])
def test_json_takes_any_value(value: object) -> None:
    said = json.loads(JSON.format(record(extra_value=value)))
    assert said["message"] == "text"
    assert "extra_value" in said


def test_json_takes_a_circle() -> None:
    circle: list[object] = []
    circle.append(circle)
    assert json.loads(JSON.format(record(circle=circle)))["circle"] == "[[...]]"


def test_what_every_record_has_comes_before_what_it_was_given() -> None:
    said = json.loads(JSON.format(record("%s", "a", aaa=1, details="more")))
    assert list(said)[:4] == ["time", "level", "logger", "message"]
    assert "details" not in json.loads(JSON.format(record()))


def test_an_extra_cannot_pretend_to_be_something_else() -> None:
    said = json.loads(JSON.format(record(level="INFO", time="then", logger="x")))
    assert (said["level"], said["logger"]) == ("WARNING", "a.b")


def test_a_long_message_is_cut() -> None:
    assert len(LINES.format(record("x" * 10**6))) < 10_000
    assert len(JSON.format(record("x" * 10**6))) < 10_000
