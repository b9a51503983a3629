"""README's program runs as it stands there."""

import json
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def readme_program() -> str:
    """The one Python program in README."""
    (program,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    return str(program)


def test_the_program_in_readme_runs(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(readme_program())
    run = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "program.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert run.stderr == ""
    assert run.returncode == 0
    assert '"Reading":"celsius","Value":21.5' in run.stdout
    assert run.stdout.count("celsius") == 1
    events = [json.loads(line.partition(" ")[2]) for line in run.stdout.splitlines()]
    times_ms = [event["TimeCreatedMs"] for event in events]
    assert times_ms == sorted(times_ms), "events come in the order in which things happened"


def test_the_program_in_readme_is_short() -> None:
    body = readme_program().partition("async def main")[2]
    assert len(body.splitlines()) <= 30
