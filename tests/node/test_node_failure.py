"""A node that cannot go on says so in each of its ways, and is no success."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
import sys
from gwproactor.cli import main
from gwproactor.events.incoming import IncomingEvents

async def broken(self):
    raise ZeroDivisionError("a fault of ours")

IncomingEvents.run = broken
sys.exit(main(sys.argv[1:]))
"""


def test_a_node_whose_task_dies_ends_with_status_1_and_says_why(tmp_path: Path) -> None:
    node = ["node", "--name", "d1.child", "--short", "c", "--peer", "d1", "--peer-short", "p"]
    options = ["--upstream", "--broker", "mqtt://127.0.0.1:1", "--data", str(tmp_path), "--follow"]
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, *node, *options],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 1
    why = "task 'incoming events' died: ZeroDivisionError: a fault of ours"
    assert run.stderr == f"gwproactor: {why}\n"
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    problems = [line["summary"] for line in lines if line["kind"] == "problem"]
    assert "Task 'incoming events' died" in problems
    assert lines[-1]["kind"] == "stopped"
    assert lines[-1]["reason"] == "failed"
    logs = "".join(file.read_text(errors="replace") for file in tmp_path.glob("outbox/*.log"))
    assert why in logs
