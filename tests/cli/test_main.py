"""The command line, called as a function: whatever is wrong with a call is one line, and 2."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from gwproactor.cli import main
from gwproactor_test.nodes import child_options, parent_options

SECRET = "hunter2-and-no-other"
NOBODY = "mqtt://127.0.0.1:1"


@pytest.fixture(autouse=True)
def nothing_to_read(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with Path(os.devnull).open() as device:
        monkeypatch.setattr(sys, "stdin", device)
        yield


def node(data: Path, *more: str) -> list[str]:
    return ["node", *child_options(NOBODY, data), *more]


def refused(capfd: pytest.CaptureFixture[str], arguments: Sequence[str]) -> str:
    """Call; the one line on standard error."""
    assert main(arguments) == 2
    output, errors = capfd.readouterr()
    assert output == ""
    assert errors.startswith("gwproactor: ")
    assert errors.endswith("\n")
    assert len(errors.splitlines()) == 1
    assert SECRET not in errors
    return errors


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--no-such-option"], "No such option"),
        (["--brokr", NOBODY], "--broker"),
        (["stray"], "'node' takes only options, but 1 more argument was given"),
        ([f"mqtt://u:{SECRET}@h", "x"], "2 more arguments were given"),
        ([f"--brokermqtt://u:{SECRET}@h"], "No such option --brokermqtt"),
        ([f"--brokr=mqtt://u:{SECRET}@h"], "did you mean --broker?"),
        ([f"--upstream=mqtt://u:{SECRET}@h"], "--upstream"),
        ([f"-bmqtt://u:{SECRET}@h"], "No such option -b"),
        (["--poll"], "--poll"),
        (["--downstream"], "exclude each other"),
        (["--name", ""], "--name"),
        (["--name", "a/b"], "--name is 'a/b'"),
        (["--name", "a b"], "white space"),
        (["--name", "\udcff"], "--name"),
        (["--short", "s.t"], "one word without dots"),
        (["--peer", "+"], "--peer"),
        (["--peer-short", "#"], "--peer-short"),
        (["--ack-timeout", "0"], "--ack-timeout"),
        (["--ack-timeout", "inf"], "--ack-timeout"),
        (["--poll", "soon"], "--poll is 'soon'"),
        (["--keepalive", "0"], "--keepalive"),
        (["--keepalive", "1.5"], "--keepalive"),
        (["--mqtt", "3"], "'5' or '3.1.1'"),
        (["--durability", "disk"], "'fsync', 'os' or 'none'"),
        (["--max-bytes", "-1"], "--max-bytes"),
        (["--max-bytes", "1G"], "--max-bytes"),
        (["--max-line-bytes", "10"], "--max-line-bytes"),
        (["--client-id", ""], "--client-id"),
        (["--password-file", "/nowhere/password"], "--password-file /nowhere/password"),
        (["--config", "/nowhere/node.toml"], "--config /nowhere/node.toml"),
        (["--broker", "localhost"], "mqtt://"),
        (["--broker", f"mqtt://user:{SECRET}@"], "names no host"),
        (["--broker", f"mqtt://user:{SECRET}@host/topic"], "nothing may follow"),
        (["--broker", f"mqtt://:{SECRET}@host"], "user"),
        (["--broker", f"mqtt://user:{SECRET}@[::1"], "no valid host or port"),
    ],
)
def test_wrong_options(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, more: list[str], said: str
) -> None:
    assert said in refused(capfd, node(tmp_path, *more))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nod"], "did you mean 'node'?"),
        ([f"mqtt://u:{SECRET}@h"], "No such command; there are node and demo"),
        (["--nod"], "--nod"),
        (["demo", f"mqtt://u:{SECRET}@h"], "'demo' takes only options"),
        (["demo", "--broker", f"mqtt://u:{SECRET}@h:0"], "port 0"),
        (["node"], "--name is required (or GWPROACTOR_NAME, or name in the --config file)"),
        (["demo", "--broker"], "--broker"),
    ],
)
def test_wrong_commands(capfd: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    assert said in refused(capfd, arguments)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ack_timout = 1", "did you mean 'ack_timeout'?"),
        ("broker = 1", "did you mean 'brokers'?"),
        ("ack-timeout = 1", "did you mean 'ack_timeout'?"),
        ("[tls]\nkey_pasword = 1", "did you mean 'key_password'?"),
        ("[tsl]", "did you mean 'tls'?"),
        (f'[tls]\nkey_password = ["{SECRET}"]', "key_password"),
        (f'brokers = "mqtt://u:{SECRET}@h"', "brokers"),
        (f'brokers = ["mqtt://u:{SECRET}@h:0"]\n', "port 0"),
        ("poll = [", "not TOML"),
        ("follow = 7", "follow"),
        ("\x00", "not TOML"),
    ],
)
def test_wrong_files(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, text: str, said: str
) -> None:
    config = tmp_path / "node.toml"
    config.write_text(text)
    options = ["--name", "a.b", "--short", "a", "--peer", "c.d", "--peer-short", "c", "--upstream"]
    options += [] if "brokers" in text else ["--broker", NOBODY]
    assert said in refused(capfd, ["node", *options, "--config", str(config)])


def test_wrong_variables(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GWPROACTOR_ACK_TIMEOUT", "soon")
    options = child_options(NOBODY, tmp_path)
    place = options.index("--ack-timeout")
    said = refused(capfd, ["node", *options[:place], *options[place + 2 :]])
    assert "GWPROACTOR_ACK_TIMEOUT is 'soon'" in said


def test_wrong_tls_files_are_no_wrong_usage_yet_named(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A table for a broker without TLS is checked for its form all the same."""
    config = tmp_path / "node.toml"
    config.write_text("tls = true")
    assert "tls in" in refused(capfd, node(tmp_path, "--config", str(config)))


@pytest.mark.parametrize(
    "arguments", [[], ["--help"], ["node", "-h"], ["demo", "--help"], ["--version"]]
)
def test_help_is_no_error(capfd: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(arguments) == 0
    output, errors = capfd.readouterr()
    assert output
    assert not errors


def test_every_option_of_the_contract_has_its_help(capfd: pytest.CaptureFixture[str]) -> None:
    main(["node", "--help"])
    output = capfd.readouterr().out
    options = [*child_options("x", Path()), *parent_options("x", Path())]
    options += ["--durability", "--max-bytes", "--keepalive", "--mqtt", "--client-id"]
    options += ["--password-file", "--max-line-bytes", "--follow", "--config"]
    assert [word for word in options if word.startswith("--") and word not in output] == []


@pytest.mark.parametrize(("package", "extra"), [("click", "cli")])
def test_a_missing_extra_is_named(package: str, extra: str) -> None:
    program = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from gwproactor.cli import main\n"
        "sys.exit(main(['node']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 2
    assert done.stderr == (
        f"gwproactor: {package} is missing: pip install 'gwproactor[{extra}]',"
        f" or in a checkout pip install '.[{extra}]'\n"
    )


async def test_the_installed_command_is_the_same(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("gwproactor")
    process = await asyncio.create_subprocess_exec(
        str(command),
        *node(tmp_path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env={
            **os.environ,
            "GWPROACTOR_FOLLOW": "1",
            "PROACTOR_EVENTS__NO_SUCH": "of other programs, and none of its business",
        },
    )
    assert process.stdout is not None
    async with asyncio.timeout(20):
        while b'"ready"' not in await process.stdout.readline():
            pass
        process.terminate()
        output, _ = await process.communicate()
    assert process.returncode == 0
    assert b'"reason":"signal"' in output.splitlines()[-1]
