"""The settings of the log."""

import logging
from typing import Any

import pytest

from gwproactor.config.logging import LoggerLevels, LoggingSettings, LogLevel, level_number
from gwproactor.errors import SettingsError


class MoreLevels(LoggerLevels):
    """An application's own loggers beside those of the proactor."""

    boiler: LogLevel = logging.ERROR


@pytest.mark.parametrize(
    ("level", "number"), [("INFO", 20), (" info ", 20), ("warn", 30), ("10", 10), ("notset", 0)]
)
def test_a_level_may_be_a_name_or_a_number(level: str, number: int) -> None:
    assert level_number(level) == number
    assert LoggerLevels.model_validate({"lifecycle": level}).lifecycle == number


@pytest.mark.parametrize("level", ["loud", "", "-1", "1000", 2.5, None, []])
def test_what_is_no_level_is_refused(level: object) -> None:
    with pytest.raises(SettingsError):
        LoggerLevels.model_validate({"comm_event": level})


def test_loggers_are_named_below_the_base() -> None:
    settings = LoggingSettings(base_log_name="b", levels=MoreLevels())
    assert settings.qualified_logger_names() == {
        "base": "b",
        "message_summary": "b.message_summary",
        "lifecycle": "b.lifecycle",
        "comm_event": "b.comm_event",
        "boiler": "b.boiler",
    }
    assert settings.logger_levels() == {
        "b": 30,
        "b.message_summary": 30,
        "b.lifecycle": 20,
        "b.comm_event": 20,
        "b.boiler": 40,
    }


def test_what_is_chatty_says_so() -> None:
    quiet, chatty = LoggingSettings(), LoggingSettings.model_validate({"base_log_level": "INFO"})
    assert (quiet.verbose(), chatty.verbose()) == (False, True)
    assert not quiet.message_summary_enabled()
    levels = {"message_summary": "INFO"}
    assert LoggingSettings.model_validate({"levels": levels}).message_summary_enabled()


@pytest.mark.parametrize(
    "wrong",
    [
        {"formatter": {"fmt": "%(x"}},
        {"formatter": {"fmt": "{message}"}},
        {"file_handler": {"bytes_per_log_file": 0}},
        {"file_handler": {"num_log_files": 0}},
        {"file_handler": {"filename": ""}},
        {"throttle": {"burst": 0}},
        {"throttle": {"window_seconds": 0}},
        {"throttle": {"window_seconds": float("nan")}},
        {"base_log_name": ""},
        {"leves": {}},
    ],
)
def test_what_cannot_work_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        LoggingSettings.model_validate(wrong)
