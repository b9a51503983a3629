"""Every program in README and in docs/ runs as it stands there, and prints what the page says."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]

EXCERPTS = {"scada.md"}
"""Pages that show parts of a program, which tests/test_scada.py runs."""

SECONDS = 60
"""Far more than any of them takes, on a busy machine too."""

FILES = {"settings.md": {"scada.toml": "stop_seconds = 2\n"}}
"""What a page says that there is, beside its programs."""

OUTPUT = re.compile(r"\nprints\n\n```\n(.*?)```", re.DOTALL)


def programs_in(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def output_of(program: str, folder: Path) -> str:
    """What a program prints; it must end well and warn of nothing."""
    (folder / "program.py").write_text(program)
    homes = {f"XDG_{home}_HOME": str(folder / home) for home in ("DATA", "STATE", "CONFIG")}
    run = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "program.py"],
        cwd=folder,
        env=os.environ | homes,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    # On a busy machine asyncio's debug mode tells of steps that took long: no fault of theirs.
    complaints = [line for line in run.stderr.splitlines() if not line.startswith("Executing <")]
    assert complaints == []
    assert run.returncode == 0
    return run.stdout


def check_readme(output: str) -> None:
    assert '"Reading":"celsius","Value":21.5' in output
    assert output.count("celsius") == 1
    events = [json.loads(line.partition(" ")[2]) for line in output.splitlines()]
    times_ms = [event["TimeCreatedMs"] for event in events]
    assert times_ms == sorted(times_ms), "events come in the order in which things happened"


def check_links(output: str) -> None:
    answer, *history = output.splitlines()
    assert answer == "49"
    assert "not_started -- start_called --> connecting" in history[0]
    assert any("--> active" in line for line in history)


def check_events(output: str) -> None:
    lines = output.splitlines()
    assert [line.split(" ", 1)[0] for line in lines] == ["d1.scada", "d1.scada"]
    assert [json.loads(line.split(" ", 1)[1])["Watts"] for line in lines] == [1200, 1210]


def check_stats(output: str) -> None:
    *text, data = output.splitlines()
    assert text[0].startswith("Proactor: 0 received, 0 of them events, 0 sent, 0 problems in ")
    assert text[1:] == ["  Internal by type:", "          1  example.reading"]
    assert json.loads(data) == {"example.reading": 1}


CHECKS: dict[str, list[str | Callable[[str], None]]] = {
    "README.md": [check_readme],
    "actors.md": ["on\noff\n", "heater is at GPIO 17\npump is at GPIO 22\n"],
    "events.md": [check_events],
    "links.md": [check_links, "d1.site.scada {'room': 'kitchen'}\nexample.reading 21.5\n"],
    "logging.md": [""],
    "polling.md": ["21.5 C\n22.0 C\n22.5 C\n"],
    "settings.md": ["", ""],
    "stats.md": [check_stats],
    "watchdogs.md": OUTPUT.findall((ROOT / "docs" / "watchdogs.md").read_text()),
    "web.md": ['kitchen: 23.0\n{"Celsius": 23.0}\n'],
}
"""What the programs of a page print, in their order."""


@pytest.mark.parametrize(
    ("name", "number"),
    [(name, number) for name, checks in CHECKS.items() for number in range(len(checks))],
)
def test_the_program_runs(name: str, number: int, tmp_path: Path) -> None:
    (page,) = [page for page in PAGES if page.name == name]
    for file, text in FILES.get(name, {}).items():
        (tmp_path / file).write_text(text)
    output = output_of(programs_in(page)[number], tmp_path)
    match CHECKS[name][number]:
        case str(printed):
            assert output == printed
        case check:
            check(output)


def test_no_program_of_any_page_is_left_out() -> None:
    found = {page.name: len(programs_in(page)) for page in PAGES if programs_in(page)}
    run = {name: len(checks) for name, checks in CHECKS.items()}
    assert {name: count for name, count in found.items() if name not in EXCERPTS} == run


def test_the_program_in_readme_is_short() -> None:
    (program,) = programs_in(README)
    assert len(program.partition("async def main")[2].splitlines()) <= 30
