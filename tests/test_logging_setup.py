"""`setup_logging`: who wins, where records go, and what is written of a node that runs well."""

import argparse
import json
import logging
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gwproactor.config.logging import LoggerLevels, LoggingSettings
from gwproactor.config.paths import Paths
from gwproactor.config.proactor import ProactorSettings
from gwproactor.logger import ProactorLogger
from gwproactor.logging_setup import add_logging_arguments, close_logging, setup_logging
from gwproactor.logs.one_line import Lines

BASE = "gridworks"
SUMMARY, LIFECYCLE, COMM_EVENT = (f"{BASE}.{name}" for name in LoggerLevels.model_fields)
LOGGERS = ("", BASE, SUMMARY, LIFECYCLE, COMM_EVENT, "gwproactor")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Leave the loggers as they were found."""
    found = {name: logging.getLogger(name) for name in LOGGERS}
    levels = {name: (logger.level, logger.propagate) for name, logger in found.items()}
    handlers = {name: list(logger.handlers) for name, logger in found.items()}
    yield
    close_logging()
    assert handlers == {name: list(logger.handlers) for name, logger in found.items()}
    for name, (level, propagate) in levels.items():
        assert found[name].propagate == propagate
        found[name].setLevel(level)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "log"


def settings(folder: Path, **logging_values: Any) -> ProactorSettings:
    return ProactorSettings(
        paths=Paths(log_dir=folder), logging=LoggingSettings.model_validate(logging_values)
    )


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_logging_arguments(parser)
    return parser.parse_args(words)


def written(folder: Path) -> list[str]:
    """The lines in the file, without their times; ends the log."""
    close_logging()
    lines = (folder / "proactor.log").read_text().splitlines()
    return [line.split(" ", 2)[2] for line in lines]


def proactor_logger() -> ProactorLogger:
    return ProactorLogger(BASE, SUMMARY, LIFECYCLE, COMM_EVENT)


def say_everything() -> None:
    log = proactor_logger()
    log.info("general info")
    log.warning("general warning")
    log.message_summary("IN", "a", "topic")
    log.path("path")
    log.lifecycle("starts")
    log.comm_event("link is lost")
    logging.getLogger("gwproactor.links").info("library info")
    logging.getLogger("gwproactor.links").warning("library warning")
    logging.getLogger("elsewhere").warning("of another library")


DEFAULT = ["general warning", "starts", "link is lost", "library warning", "of another library"]


def test_by_default_what_is_wrong_and_what_changes_is_written(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    errors: list[BaseException] = [ValueError("of before")]
    setup_logging(None, settings(folder), errors)
    say_everything()
    assert written(folder) == DEFAULT
    assert [line.split(" ", 2)[2] for line in capsys.readouterr().err.splitlines()] == DEFAULT
    assert errors == []
    assert stat.S_IMODE((folder / "proactor.log").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_environment_wins_over_the_defaults(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROACTOR_LOGGING__LEVELS__LIFECYCLE", "WARNING")
    monkeypatch.setenv("PROACTOR_LOGGING__BASE_LOG_LEVEL", "INFO")
    monkeypatch.setenv("PROACTOR_PATHS__LOG_DIR", str(folder))
    setup_logging(None, ProactorSettings(), add_screen_handler=False)
    say_everything()
    lines = written(folder)
    assert "starts" not in lines
    assert "general info" in lines


@pytest.mark.parametrize(
    ("words", "more", "less"),
    [
        (["--verbose"], ["general info", "library info", "path"], []),
        (["--message-summary"], ["[topic]"], ["general info", "path"]),
        (["--log-level", "error"], [], ["general warning", "library warning"]),
        (["--log-level", "10"], ["general info"], ["[topic]"]),
        (["--verbose", "--log-level", "ERROR"], ["[topic]"], ["general info"]),
    ],
)
def test_arguments_win_over_the_environment(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    more: list[str],
    less: list[str],
) -> None:
    monkeypatch.setenv("PROACTOR_LOGGING__BASE_LOG_LEVEL", "WARNING")
    setup_logging(arguments(*words), settings(folder), None, False)
    say_everything()
    text = "\n".join(written(folder))
    assert [word for word in more if word not in text] == []
    assert [word for word in less if word in text.replace("general info of", "")] == []


@pytest.mark.parametrize("word", ["--verbose", "--message-summary"])
def test_no_argument_that_asks_for_more_makes_it_less(folder: Path, word: str) -> None:
    levels = {"base_log_level": "DEBUG", "levels": {"message_summary": "DEBUG"}}
    setup_logging(arguments(word), settings(folder, **levels), None, False)
    for name in ("gridworks", "gridworks.message_summary"):
        assert logging.getLogger(name).level == logging.DEBUG


def test_a_namespace_of_others_says_nothing(folder: Path) -> None:
    setup_logging(argparse.Namespace(verbose=None, other=3), settings(folder), None, False)
    say_everything()
    assert written(folder) == DEFAULT


def test_json_by_setting_and_by_argument(folder: Path) -> None:
    for number, (args, values) in enumerate(
        [(arguments("--log-json"), {}), (None, {"json_lines": True})]
    ):
        setup_logging(args, settings(folder / str(number), **values), None, False)
        proactor_logger().lifecycle("starts", extra={"node": "d1.scada"})
        close_logging()
        (line,) = (folder / str(number) / "proactor.log").read_text().splitlines()
        said = json.loads(line)
        assert (said["message"], said["node"], said["level"]) == ("starts", "d1.scada", "INFO")


def test_only_the_programs_own_loggers_when_the_root_gets_none(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    setup_logging(None, settings(folder), None, False, root_gets_handlers=False)
    say_everything()
    assert written(folder) == [line for line in DEFAULT if line != "of another library"]
    assert "general warning" not in caplog.text, "it was kept from the root"


def test_a_base_above_the_library_gets_its_records_once(folder: Path) -> None:
    chosen = settings(folder, base_log_name="gwproactor")
    setup_logging(None, chosen, None, False, root_gets_handlers=False)
    logging.getLogger("gwproactor.links").warning("library warning")
    assert written(folder) == ["library warning"]


def test_a_second_call_takes_the_place_of_the_first(folder: Path) -> None:
    setup_logging(None, settings(folder / "first"), None, False)
    setup_logging(None, settings(folder / "second"), None, False)
    proactor_logger().warning("said")
    assert written(folder / "second") == ["said"]
    assert (folder / "first" / "proactor.log").read_text() == ""


def test_a_screen_that_is_there_is_not_doubled(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = logging.StreamHandler(sys.stderr)
    logging.getLogger().addHandler(theirs)
    try:
        setup_logging(None, settings(folder))
        proactor_logger().warning("said")
        close_logging()
    finally:
        logging.getLogger().removeHandler(theirs)
    assert capsys.readouterr().err.count("said") == 1


def test_what_goes_wrong_is_collected_and_told_and_nothing_is_raised(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    errors: list[BaseException] = []
    chosen = settings(tmp_path / "file" / "log")
    setup_logging(arguments("--log-level", "LOUD"), chosen, errors)
    proactor_logger().warning("said")
    close_logging()
    assert [type(error) for error in errors] == [ValueError, NotADirectoryError]
    told = capsys.readouterr().err
    assert "the log is not as it should be: --log-level: a level is DEBUG, INFO" in told
    assert "Not a directory" in told
    assert "said" in told


def test_where_there_is_no_log_at_all_standard_error_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    setup_logging(None, settings(tmp_path / "file"), None, False)
    told = capsys.readouterr().err
    assert told.startswith("the log is not as it should be: [Errno")
    assert told.count("\n") == 1


def test_the_program_of_the_page_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Path(__file__).parent.parent / "docs" / "logging.md"
    (program,) = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    monkeypatch.setenv("PROACTOR_PATHS__LOG_DIR", str(folder))
    monkeypatch.setattr(sys, "argv", ["program", "--message-summary"])
    exec(compile(program, str(page), "exec"), {})
    proactor_logger().message_summary("IN", "a", "topic")
    assert len(written(folder)) == 1


def test_a_peer_cannot_forge_a_line(folder: Path) -> None:
    setup_logging(arguments("--message-summary"), settings(folder), None, False)
    log = proactor_logger()
    log.message_summary("IN", "a", "topic\n2026-01-01 00:00:00.000 forged")
    log.warning("refused %s", "name\r\n2026-01-01 00:00:00.000 forged")
    lines = written(folder)
    assert len(lines) == 2
    assert all(r"\n2026-01-01" in line for line in lines)


def test_text_with_lines_of_its_own_is_below_its_record(folder: Path) -> None:
    stacks = Lines("first\nsecond\x1b\n2026-01-01 third")
    setup_logging(None, settings(folder / "text"), None, False)
    proactor_logger().error("%s is stuck: %s", "loop", stacks)
    close_logging()
    first, *others = (folder / "text" / "proactor.log").read_text().splitlines()
    assert first.endswith("loop is stuck: first")
    assert others == ["    | second\\x1b", "    | 2026-01-01 third"]
    setup_logging(arguments("--log-json"), settings(folder / "json"), None, False)
    proactor_logger().error("%s is stuck: %s", "loop", stacks)
    close_logging()
    (line,) = (folder / "json" / "proactor.log").read_text().splitlines()
    assert json.loads(line)["details"] == stacks.more


def test_repeated_trouble_is_throttled_with_counts(folder: Path) -> None:
    setup_logging(None, settings(folder), None, False)
    log = proactor_logger()
    for number in range(1000):
        log.error("cannot write %d bytes", number)
        log.comm_event("link a is lost (%d)", number)
    lines = written(folder)
    assert len(lines) == 12
    assert "cannot write 999 bytes ... 995 times more" in lines
    assert "link a is lost (999) ... 995 times more" in lines


def test_summaries_are_never_withheld(folder: Path) -> None:
    setup_logging(arguments("--message-summary"), settings(folder), None, False)
    for _ in range(100):
        proactor_logger().message_summary("IN", "a", "topic")
    assert len(written(folder)) == 100


def test_the_end_of_a_program_writes_what_is_left(folder: Path) -> None:
    program = (
        "import logging\n"
        "from gwproactor import ProactorSettings, setup_logging\n"
        "setup_logging(None, ProactorSettings(), add_screen_handler=False)\n"
        "for number in range(2000): logging.getLogger('gridworks.lifecycle').info('%d', number)\n"
    )
    subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        check=True,
        timeout=30,
        env={"PROACTOR_PATHS__LOG_DIR": str(folder), "PYTHONPATH": ":".join(sys.path)},
    )
    lines = (folder / "proactor.log").read_text().splitlines()
    assert [line.split()[-1] for line in lines] == [str(number) for number in range(2000)]
