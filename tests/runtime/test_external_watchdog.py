"""The command that pats an external watchdog: which it is, and that it is run with care."""

import asyncio
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from gwproactor.runtime.external_watchdog import ExternalWatchdogCommandBuilder, PatCommand
from gwproactor_test.clients import until

SECONDS = 10.0


class Pats(ExternalWatchdogCommandBuilder):
    @classmethod
    def default_pat_args(cls, pid: int | None = None) -> list[str]:
        return ["pat", str(pid)]


def test_the_variable_is_the_service_in_capitals() -> None:
    name = ExternalWatchdogCommandBuilder.service_variable_name("scada")
    assert name == "SCADA_RUNNING_AS_SERVICE"


@pytest.mark.parametrize(
    ("value", "expected"),
    [("1", True), ("true", True), ("TRUE", True), ("0", False), ("yes", False), ("", False)],
)
def test_whether_it_is_a_service_is_in_the_environment(
    value: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCADA_RUNNING_AS_SERVICE", value)
    assert Pats.running_as_service("scada") == expected
    assert Pats.pat_args("scada", pid=7) == (["pat", "7"] if expected else [])
    assert Pats.pat_args("scada", args=["other"]) == (["other"] if expected else [])
    assert Pats.pat_args("scada", args=[]) == []
    assert ExternalWatchdogCommandBuilder.pat_args("scada", pid=7) == []


def test_without_the_variable_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCADA_RUNNING_AS_SERVICE", raising=False)
    assert not Pats.running_as_service("scada")
    assert Pats.pat_args("scada", args=["other"]) == []


REFERENCE = """
import os, json
from gwproactor import ExternalWatchdogCommandBuilder as Builder
class Pats(Builder):
    @classmethod
    def default_pat_args(cls, pid=None):
        return ["pat", str(pid)]
found = []
for name in ("scada", "Atn.x", ""):
    for value in ("1", "true", "True", "0", "", " 1", "on"):
        os.environ[Builder.service_variable_name(name)] = value
        found.append([Builder.service_variable_name(name), Builder.running_as_service(name),
                      Builder.pat_args(name), Builder.pat_args(name, ["a"]),
                      Builder.pat_args(name, [], 5), Pats.pat_args(name),
                      Pats.pat_args(name, pid=5)])
print(json.dumps(found))
"""


def results(python: Path | str, path: str) -> str:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        [python, "-c", REFERENCE], env=environment, capture_output=True, check=True, timeout=60
    )
    return done.stdout.decode()


@pytest.mark.usefixtures("needs_peer")
def test_the_results_are_the_predecessors() -> None:
    root = Path(__file__).resolve().parents[2]
    theirs = results(root / ".peer-venv" / "bin" / "python", "")
    assert results(sys.executable, str(root)) == theirs
    assert "SCADA_RUNNING_AS_SERVICE" in theirs


# Running it


async def test_a_command_that_works_is_nothing_to_report(tmp_path: Path) -> None:
    command = PatCommand(["touch", str(tmp_path / "patted")], SECONDS)
    assert str(command) == f"touch {tmp_path / 'patted'}"
    assert await command.run() == ""
    assert (tmp_path / "patted").exists()


async def test_what_goes_wrong_is_said() -> None:
    assert await PatCommand(["false"], SECONDS).run() == "it ended with status 1"
    assert "No such file" in await PatCommand(["/no/such/command"], SECONDS).run()


async def test_one_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    command = f"echo $$ > {shlex.quote(str(tmp_path / 'pid'))}; exec sleep 3600"
    assert await PatCommand(["sh", "-c", command], 0.5).run() == "it was killed after 0.5 s"
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


async def test_cancelling_kills_it(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    command = f"echo $$ > {shlex.quote(str(file))}; exec sleep 3600"
    running = asyncio.create_task(PatCommand(["sh", "-c", command], 3600).run())
    await until(lambda: file.exists() and file.read_text().endswith("\n"))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    with pytest.raises(ProcessLookupError):
        os.kill(int(file.read_text()), 0)
