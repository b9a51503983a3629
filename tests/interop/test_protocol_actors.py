"""The hardware layout and the messages of `gridworks-protocol`, given to actors as they are."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".protocol-venv" / "bin" / "python"
SCRIPT = Path(__file__).with_name("protocol_actors.py")


@pytest.mark.usefixtures("needs_protocol")
def test_actors_find_their_nodes_in_their_layout_and_get_their_messages() -> None:
    run = subprocess.run(
        [str(PYTHON), str(SCRIPT)],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.stderr == ""
    assert run.stdout.splitlines() == [
        "the hardware layout has no node 'other'",
        "ShNode display meter",
        "gwproto PowerWatts 7",
    ]
