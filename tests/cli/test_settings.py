"""`gwproactor settings`, called as a function."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gwproactor.cli import main
from gwproactor.cli.settings import settings_class
from gwproactor.config.effective import MASK
from gwproactor.config.fields import dotted, leaves
from gwproactor.config.proactor import ProactorSettings
from gwproactor.errors import UsageError

SECRET = "hunter2-and-no-other"
MODULE = f"""
from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict
from gwproactor import CheckedSettings, ProactorSettings

class Settings(ProactorSettings):
    model_config = SettingsConfigDict(env_prefix="MINE_")
    key: SecretStr = SecretStr("{SECRET}")
    note: str = "two\\nlines"

class NotOfAProactor(CheckedSettings):
    pass

something = 1
"""


def output_of(capfd: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["settings", *arguments]) == 0
    output, errors = capfd.readouterr()
    assert errors == ""
    return output


def refused(capfd: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["settings", *arguments]) == 2
    output, errors = capfd.readouterr()
    assert output == ""
    assert len(errors.splitlines()) == 1
    return errors


def test_every_setting_has_a_line(capfd: pytest.CaptureFixture[str]) -> None:
    lines = [line.split("\t") for line in output_of(capfd).splitlines()]
    assert [name for name, _, _ in lines] == [dotted(path) for path, _ in leaves(ProactorSettings)]
    assert ["stop_seconds", "2.0", "default"] in lines


def test_a_terminal_gets_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["settings"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.index("default") for line in lines if line.endswith("  default")} >= {88}
    assert not any("\t" in line for line in lines)


def test_json_has_the_variables_too(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROACTOR_STOP_SECONDS", "3")
    rows = [json.loads(line) for line in output_of(capfd, "--json").splitlines()]
    assert {
        "name": "stop_seconds",
        "value": 3.0,
        "origin": "PROACTOR_STOP_SECONDS",
        "variable": "PROACTOR_STOP_SECONDS",
    } in rows


def test_files_are_read(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("stop_seconds = 2\n")
    (tmp_path / "env").write_text("PROACTOR_HANDLER_TRIES=3\n")
    config, env_file = str(tmp_path / "a.toml"), str(tmp_path / "env")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "proactor_mailbox_messages").write_text("7")
    secrets = str(tmp_path / "secrets")
    output = output_of(capfd, "--config", config, "--env-file", env_file, "--secrets", secrets)
    assert f"mailbox_messages\t7\tthe file proactor_mailbox_messages in {secrets}\n" in output
    assert f"stop_seconds\t2.0\tstop_seconds in {config}\n" in output
    assert f"\t3\tPROACTOR_HANDLER_TRIES in {env_file}\n" in output


def test_an_output_that_takes_nothing_is_told() -> None:
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "gwproactor.cli", "settings"],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert ended.returncode == 2
    assert ended.stderr == b"gwproactor: the output: No space left on device (ENOSPC)\n"


def test_a_derived_class_is_shown_with_its_secrets_masked(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settings_of_test.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    output = output_of(capfd, "--class", "settings_of_test:Settings")
    assert "key\t**********\tdefault\n" in output
    assert 'note\t"two\\nlines"\tdefault\n' in output
    assert SECRET not in output
    for name in ("something", "NotOfAProactor", "__import__", "Settings.model_fields"):
        said = refused(capfd, "--class", f"settings_of_test:{name}")
        assert f"has no class {name} derived from ProactorSettings" in said


PROGRAM = """
import asyncio
from pydantic import SecretStr
from gwproactor import MQTTClient, Proactor, ProactorSettings, setup_logging

class Settings(ProactorSettings):
    class Config(ProactorSettings.Config):
        env_prefix = "MINE_"

    broker: MQTTClient = MQTTClient()
    key: SecretStr = SecretStr("")

async def main():
    settings = Settings()
    setup_logging(None, settings, add_screen_handler=False)
    async with Proactor("d1.site", settings) as proactor:
        assert proactor.settings.key.get_secret_value() == "a"

if __name__ == "__main__":
    asyncio.run(main())
"""


def test_a_program_of_the_predecessor_runs_where_warnings_are_errors(tmp_path: Path) -> None:
    (tmp_path / "of_old.py").write_text(PROGRAM)

    def run(*words: str) -> str:
        return subprocess.run(
            [sys.executable, "-W", "error", *words],
            check=True,
            capture_output=True,
            cwd=tmp_path,
            env={
                "PYTHONPATH": ":".join(sys.path),
                "HOME": str(tmp_path),
                "MINE_KEY": "a",
                "MINE_PATHS__NAME": "of-old",
            },
            text=True,
            timeout=60,
        ).stdout

    run("of_old.py")
    assert (tmp_path / ".local/state/gridworks/of-old/log/proactor.log").stat().st_size > 0
    lines = run("-m", "gwproactor.cli", "settings", "--class", "of_old:Settings").splitlines()
    assert f"key\t{MASK}\tMINE_KEY" in lines
    certificate = tmp_path / ".config/gridworks/of-old/certs/broker/broker.crt"
    assert f"broker.tls.cert_path\t{certificate}\tfollows from others" in lines


def test_a_module_in_the_current_folder_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settings_in_folder.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("/nowhere")  # and what is put before it is taken away again
    assert settings_class("settings_in_folder:Settings").__name__ == "Settings"


@pytest.mark.parametrize("name", ["", "x", ":x", "x:", "no_such_module:X", "json:dumps"])
def test_what_names_no_class_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="--class"):
        settings_class(name)


@pytest.mark.parametrize(
    ("variable", "arguments", "said"),
    [
        ("PROACTOR_STOP_SECOND", [], "did you mean PROACTOR_STOP_SECONDS?"),
        ("PROACTOR_STOP_SECONDS", [], "PROACTOR_STOP_SECONDS: it should be a valid number"),
        ("X", ["--config", "/nowhere.toml"], "settings file /nowhere.toml cannot be read"),
        ("X", ["--env-file", "/nowhere"], "--env-file: there is no file /nowhere"),
        ("X", ["stray"], "takes only options"),
    ],
)
def test_what_is_wrong_is_one_line_and_2(
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.setenv(variable, SECRET)
    told = refused(capfd, *arguments)
    assert said in told
    assert SECRET not in told
