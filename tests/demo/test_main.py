"""The command itself, as a process."""

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

COMMAND = (sys.executable, "-m", "gwproactor.cli", "demo")
WAIT_SECONDS = 50


def environment(temporary: Path) -> dict[str, str]:
    return os.environ | {"TMPDIR": str(temporary), "TERM": "xterm-256color"}


def test_in_a_pipe_it_prints_lines_and_ends_well(tmp_path: Path) -> None:
    done = subprocess.run(
        COMMAND, env=environment(tmp_path), capture_output=True, timeout=WAIT_SECONDS, check=False
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    result = lines[-1]
    assert done.stderr == b""
    assert done.returncode == 0
    assert (result["kind"], result["lost"], result["twice"]) == ("result", 0, 0)
    assert result["stored"] == result["delivered"] > 100
    assert len(result["reactivations_ms"]) >= 12
    assert list(tmp_path.iterdir()) == []


def test_a_broker_that_is_not_there_is_one_line(tmp_path: Path, unused_tcp_port: int) -> None:
    done = subprocess.run(
        (*COMMAND, "--json", "--broker", f"mqtt://127.0.0.1:{unused_tcp_port}"),
        env=environment(tmp_path),
        capture_output=True,
        timeout=WAIT_SECONDS,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, b"")
    (line,) = done.stderr.splitlines()
    assert b"nothing listens there" in line


def test_when_nobody_reads_any_more_it_ends(tmp_path: Path) -> None:
    with subprocess.Popen(
        (*COMMAND, "--json"), env=environment(tmp_path), stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(WAIT_SECONDS) == 1
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_leaves_the_terminal_as_it_was(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    with subprocess.Popen(
        COMMAND, env=environment(tmp_path), stdin=slave, stdout=slave, stderr=slave
    ) as process:
        os.close(slave)
        seen = read_until(master, "● active".encode())
        process.send_signal(signal.SIGINT)
        seen += read_to_end(master)
        assert process.wait(WAIT_SECONDS) == 130
    os.close(master)
    assert b"\x1b[?1049h" in seen
    assert b"\x1b[?1049l" in seen
    assert seen.rstrip().endswith(b"Interrupted; nothing is left behind.")
    assert list(tmp_path.iterdir()) == []


def read_until(descriptor: int, wanted: bytes) -> bytes:
    seen = b""
    while wanted not in seen:
        seen += os.read(descriptor, 65536)
    return seen


def read_to_end(descriptor: int) -> bytes:
    seen = b""
    try:
        while piece := os.read(descriptor, 65536):
            seen += piece
    except OSError:  # how a terminal says that nobody is at its other end any more
        pass
    return seen
