"""Who is compared: each a pair of programs, child and parent, that make and keep one link.

Every program prints the `transition` lines of `gwproactor node`, with `t` by the monotonic clock
that all processes of a machine share, so that the harness reads all alike and its own speed does
not count.
"""

import importlib.metadata
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Role = Literal["child", "parent"]

ROOT = Path(__file__).resolve().parents[2]
PREDECESSOR_VENV = ROOT / ".peer-venv"
PREDECESSOR_PYTHON = PREDECESSOR_VENV / "bin" / "python"
PREDECESSOR_PACKAGE = "gridworks-proactor"
FILLER = "x" * 60
"""Makes an event 200 bytes of JSON."""

OTHER: dict[Role, Role] = {"child": "parent", "parent": "child"}


@dataclass(frozen=True)
class Contestant:
    """One of those compared.

    Args:
        name: One word, as on the command line and in the JSON report.
        label: How tables call it.
        command: The command of one of its programs: its role, the port of the broker on loopback,
            and a folder of its own.
        version: What exactly was measured.
        one_at_a_time: It knows nothing of bursts, nor of a broker that is away.
    """

    name: str
    label: str
    command: Callable[[Role, int, Path], list[str]]
    version: Callable[[], str]
    one_at_a_time: bool = False


def gwproactor_command(role: Role, port: int, folder: Path) -> list[str]:
    """`gwproactor node`, with its defaults."""
    peer = OTHER[role]
    return [
        str(Path(sys.executable).with_name("gwproactor")),
        *("node", "--follow", "--broker", f"mqtt://127.0.0.1:{port}", "--data", str(folder)),
        *("--name", f"bench.{role}", "--short", role[0]),
        *("--peer", f"bench.{peer}", "--peer-short", peer[0]),
        "--upstream" if role == "child" else "--downstream",
    ]


def predecessor_command(role: Role, port: int, folder: Path) -> list[str]:
    """The predecessor's test application, under its own interpreter and shut off from ours."""
    script = Path(__file__).with_name("predecessor_node.py")
    python = [str(PREDECESSOR_PYTHON), "-I", str(script)]
    return [*python, "--role", role, "--port", str(port), "--folder", str(folder)]


def predecessor_is_installed() -> bool:
    """Whether its environment is there and whole; tools/peer.sh writes the stamp last."""
    return (PREDECESSOR_VENV / "peer.stamp").exists()


def bare_sockets_command(role: Role, port: int, folder: Path) -> list[str]:  # noqa: ARG001
    """The floor; it keeps nothing, so it needs no folder."""
    python = [sys.executable, "-m", "benchmarks.contestants.bare_sockets"]
    return [*python, "--name", role, "--peer", OTHER[role], "--port", str(port)]


def gwproactor_version() -> str:
    """The installed version, and the commit where that can be told."""
    version = importlib.metadata.version("gwproactor")
    described = _output_of("git", "-C", str(ROOT), "describe", "--always", "--dirty")
    return f"{version} ({described})" if described else version


def predecessor_version() -> str:
    """Its package, and the version in its own environment."""
    code = f"import importlib.metadata as m; print(m.version({PREDECESSOR_PACKAGE!r}))"
    return f"{PREDECESSOR_PACKAGE} {_output_of(str(PREDECESSOR_PYTHON), '-I', '-c', code)}"


def _output_of(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


CONTESTANTS = (
    Contestant("gwproactor", "gwproactor", gwproactor_command, gwproactor_version),
    Contestant("predecessor", "predecessor", predecessor_command, predecessor_version),
    Contestant("floor", "bare sockets", bare_sockets_command, lambda: "with MQTT 3.1.1"),
)
