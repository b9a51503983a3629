"""The programs in README and in docs/ run as they stand there."""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"


def program_in(page: Path) -> str:
    """The one Python program in a page."""
    (program,) = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    return str(program)


def output_of(program: str, folder: Path) -> str:
    """What a program prints; it must end well and warn of nothing."""
    (folder / "program.py").write_text(program)
    run = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "program.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    # On a busy machine asyncio's debug mode tells of steps that took long: no fault of theirs.
    complaints = [line for line in run.stderr.splitlines() if not line.startswith("Executing <")]
    assert complaints == []
    assert run.returncode == 0
    return run.stdout


def test_the_program_in_readme_runs(tmp_path: Path) -> None:
    output = output_of(program_in(README), tmp_path)
    assert '"Reading":"celsius","Value":21.5' in output
    assert output.count("celsius") == 1
    events = [json.loads(line.partition(" ")[2]) for line in output.splitlines()]
    times_ms = [event["TimeCreatedMs"] for event in events]
    assert times_ms == sorted(times_ms), "events come in the order in which things happened"


def test_the_program_of_the_links_runs(tmp_path: Path) -> None:
    answer, *history = output_of(program_in(ROOT / "docs" / "links.md"), tmp_path).splitlines()
    assert answer == "49"
    assert "not_started -- start_called --> connecting" in history[0]
    assert any("--> active" in line for line in history)


def test_the_program_of_the_events_runs(tmp_path: Path) -> None:
    lines = output_of(program_in(ROOT / "docs" / "events.md"), tmp_path).splitlines()
    assert [line.split(" ", 1)[0] for line in lines] == ["d1.scada", "d1.scada"]
    assert [json.loads(line.split(" ", 1)[1])["Watts"] for line in lines] == [1200, 1210]


def test_the_program_of_the_stats_runs(tmp_path: Path) -> None:
    *text, data = output_of(program_in(ROOT / "docs" / "stats.md"), tmp_path).splitlines()
    assert text[0].startswith("Proactor: 0 received, 0 of them events, 0 sent, 0 problems in ")
    assert text[1:] == ["  Internal by type:", "          1  example.reading"]
    assert json.loads(data) == {"example.reading": 1}


def test_the_program_of_the_web_servers_runs(tmp_path: Path) -> None:
    lines = output_of(program_in(ROOT / "docs" / "web.md"), tmp_path).splitlines()
    assert lines == ["kitchen: 23.0", '{"Celsius": 23.0}']


def test_the_program_of_the_watchdogs_runs(tmp_path: Path) -> None:
    lines = output_of(program_in(ROOT / "docs" / "watchdogs.md"), tmp_path).splitlines()
    page = (ROOT / "docs" / "watchdogs.md").read_text()
    (printed,) = re.findall(r"prints\n\n```\n(.*?)```", page, re.DOTALL)
    assert lines == printed.splitlines()


def test_the_program_of_the_poller_runs(tmp_path: Path) -> None:
    lines = output_of(program_in(ROOT / "docs" / "polling.md"), tmp_path).splitlines()
    assert lines == ["21.5 C", "22.0 C", "22.5 C"]


def test_the_program_of_the_actors_runs(tmp_path: Path) -> None:
    assert output_of(program_in(ROOT / "docs" / "actors.md"), tmp_path) == "on\noff\n"


def test_the_program_in_readme_is_short() -> None:
    body = program_in(README).partition("async def main")[2]
    assert len(body.splitlines()) <= 30
