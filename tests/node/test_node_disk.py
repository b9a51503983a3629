"""The data folder: whose it is, what cannot be one, and what happens when it is full."""

import resource
import sys
from pathlib import Path

import pytest

from gwproactor_test.broker import Broker
from gwproactor_test.nodes import (
    NODE_COMMAND,
    Acked,
    Event,
    NodeProcess,
    Problem,
    Ready,
    Refused,
    Stopped,
    Stored,
    child_options,
    parent_options,
)

NOBODY = "mqtt://127.0.0.1:1"


def files_below(folder: Path) -> list[Path]:
    return list(folder.rglob("*"))


async def refused(node: NodeProcess) -> str:
    """Wait for the end of a node that cannot start; its one line on standard error."""
    assert await node.exited() == 2
    assert node.lines == []
    (line,) = node.errors.splitlines()
    assert node.errors.endswith("\n")
    assert line.startswith("gwproactor: ")
    return line


async def test_a_second_node_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    """Also while the holder is stopped in mid-air; and not after a kill -9."""
    options = child_options(NOBODY, tmp_path / "c")
    async with NodeProcess(*options) as holder:
        await holder.wait(Ready)
        async with NodeProcess(*parent_options(NOBODY, tmp_path / "c")) as second:
            said = await refused(second)
        assert "d1.site.scada" in said
        assert str(holder.pid) in said
        assert str(tmp_path / "c") in said
        holder.kill()
        await holder.exited()
    async with NodeProcess(*options) as third:
        await third.wait(Ready)
        third.terminate()
        assert await third.exited() == 0


@pytest.mark.parametrize("kind", ["file", "below", "link", "device", "name too long", "locked"])
async def test_an_unusable_folder_is_told_in_one_line(tmp_path: Path, kind: str) -> None:
    folder = unusable(tmp_path, kind)
    async with NodeProcess(*child_options(NOBODY, folder)) as node:
        said = await refused(node)
    assert str(folder) in said
    assert "Errno" not in said


def unusable(tmp_path: Path, kind: str) -> Path:
    file = tmp_path / "file"
    file.write_text("precious")
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing" / "target")
    (tmp_path / "taken" / "outbox").mkdir(parents=True)
    (tmp_path / "taken" / "lock").mkdir()
    return {
        "file": file,
        "below": file / "data",
        "link": tmp_path / "nowhere",
        "device": Path("/proc/self/data"),  # takes no folder, also of root: as a read-only disk
        "name too long": tmp_path / ("x" * 300),
        "locked": tmp_path / "taken",
    }[kind]


async def test_the_folder_is_made_and_private(tmp_path: Path) -> None:
    data = tmp_path / "a" / "b" / "c"
    async with NodeProcess(*child_options(NOBODY, data)) as node:
        await node.send({"n": 1})
        await node.wait(Stored)
        node.terminate()
        assert await node.exited() == 0
    assert data.stat().st_mode & 0o077 == 0
    for path in files_below(data):
        assert path.stat().st_mode & 0o077 == 0, path


async def test_the_default_folder_is_the_platforms(tmp_path: Path) -> None:
    options = list(child_options(NOBODY, tmp_path))
    del options[options.index("--data") : options.index("--data") + 2]
    home = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "share")}
    async with NodeProcess(*options, environment=home) as node:
        await node.wait(Ready)
        node.terminate()
        assert await node.exited() == 0
    made = [path.parent.name for path in files_below(tmp_path) if path.name == "outbox"]
    assert made == ["d1.site.scada"]


async def test_a_full_store_refuses_lines_and_recovers(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    """`--max-bytes` is named; what was stored arrives, and then there is room again."""
    limit = ("--max-bytes", "30000", "--follow")
    text = "x" * 500
    async with NodeProcess(*child_options(embedded_broker.url, tmp_path / "c", *limit)) as child:
        await child.send(*({"n": n, "text": text} for n in range(100)))
        await child.until(lambda: len(child.of(Stored)) + len(child.of(Refused)) == 100)
        stored = child.ids(Stored)
        assert 20 < len(stored) < 60
        assert all("max_bytes = 30000" in line.error for line in child.of(Refused))
        assert child.of(Stored)[-1].line < child.of(Refused)[-1].line == 100
        async with NodeProcess(*parent_options(embedded_broker.url, tmp_path / "p")) as parent:
            await child.until(lambda: set(stored) <= set(child.ids(Acked)))
            await child.send({"n": 100, "text": text})
            last = await child.wait(Stored, lambda line: line.line == 101)
            await child.wait(Acked, lambda line: line.id == last.id)
            child.end_input()
            child.terminate()
            parent.terminate()
            assert (await child.exited(), await parent.exited()) == (0, 0)
    assert {*stored, last.id} <= set(parent.ids(Event))
    assert child.of(Stopped)[0].pending <= 2, "at most the farewell"


def with_largest_file(size_bytes: int) -> tuple[str, ...]:
    """A command that runs a node whose disk takes so much in one file, and no byte more."""
    limit = f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size_bytes}, resource.RLIM_INFINITY))"
    program = f"import os, resource, sys; {limit}; os.execv(sys.argv[1], sys.argv[1:])"
    return sys.executable, "-c", program, *NODE_COMMAND


async def test_a_full_disk_is_told_and_nothing_stored_is_lost(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    """The node lives on and stores again once there is room; what it called stored arrives."""
    options = child_options(embedded_broker.url, tmp_path / "c", "--follow")
    async with NodeProcess(*options, command=with_largest_file(20_000)) as child:
        await child.send(*({"n": n, "text": "x" * 200} for n in range(20)))
        await child.until(lambda: len(child.of(Stored)) == 20)
        await child.send({"MessageId": "too large for this disk", "text": "x" * 30_000})
        await child.send(*({"n": n} for n in range(20, 30)))
        await child.wait(Problem, lambda problem: "trouble" in problem.summary)
        assert len(child.of(Stored)) == 20
        resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (1 << 30, resource.RLIM_INFINITY))
        await child.until(lambda: len(child.of(Stored)) == 31)
        await child.wait(Problem, lambda problem: "works again" in problem.summary)
        child.kill()
        await child.exited()
    async with (
        NodeProcess(*parent_options(embedded_broker.url, tmp_path / "p")) as parent,
        NodeProcess(*child_options(embedded_broker.url, tmp_path / "c")) as again,
    ):
        again.end_input()
        assert await again.exited() == 0
        parent.terminate()
        assert await parent.exited() == 0
    assert set(child.ids(Stored)) <= set(parent.ids(Event))


async def test_a_disk_that_stays_full_holds_up_no_stop(tmp_path: Path) -> None:
    options = child_options(NOBODY, tmp_path / "c", "--follow")
    async with NodeProcess(*options, command=with_largest_file(20_000)) as child:
        await child.send({"n": 1})
        await child.wait(Stored)
        await child.send({"text": "x" * 30_000})
        await child.wait(Problem, lambda problem: "trouble" in problem.summary)
        child.terminate()
        assert await child.exited(timeout_seconds=2.0) == 0
    assert len(child.of(Stored)) == 1
    assert child.of(Problem)[-1].summary == "Not everything could be stored"
    assert [refused.line for refused in child.of(Refused)] == [2], (
        "what became of each line is said"
    )


HANGING_DISK = """
import os, sys, time
from gwproactor.cli import main
real = os.fdatasync
def fdatasync(descriptor):
    while os.path.exists(os.environ["HANGS"]):
        time.sleep(0.01)
    return real(descriptor)
os.fdatasync = fdatasync
sys.exit(main())
"""


async def test_a_disk_that_hangs_holds_up_no_stop(tmp_path: Path) -> None:
    hangs = tmp_path / "hangs"
    command = (sys.executable, "-c", HANGING_DISK, "node")
    options = child_options(NOBODY, tmp_path / "c", "--follow")
    environment = {"HANGS": str(hangs)}
    async with NodeProcess(*options, command=command, environment=environment) as child:
        await child.send({"n": 1})
        await child.wait(Stored)
        hangs.touch()
        await child.send({"n": 2}, "no event")
        await child.wait(Refused)  # so line 2 was taken
        child.terminate()
        assert await child.exited(timeout_seconds=2.0) == 0
    assert [stored.line for stored in child.of(Stored)] == [1]
    assert [refused.line for refused in child.of(Refused)] == [3, 2]
    assert "did not answer" in child.of(Problem)[-1].details
    assert child.of(Stopped)[0].pending >= 1


async def test_a_parent_with_a_full_disk_acknowledges_nothing_more(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    """Its child keeps the events; they arrive, once each, when there is room."""
    options = parent_options(embedded_broker.url, tmp_path / "p")
    async with (
        NodeProcess(*options, command=with_largest_file(20_000)) as parent,
        NodeProcess(*child_options(embedded_broker.url, tmp_path / "c")) as child,
    ):
        await child.send(*({"n": n, "text": "x" * 3000} for n in range(4)))
        await child.until(lambda: len(child.of(Acked)) == 4)
        await child.send({"n": 4, "text": "x" * 30_000})
        await parent.wait(Problem, lambda problem: "trouble" in problem.summary)
        assert len(child.of(Acked)) == 4
        resource.prlimit(parent.pid, resource.RLIMIT_FSIZE, (1 << 30, resource.RLIM_INFINITY))
        child.end_input()
        assert await child.exited() == 0
        parent.terminate()
        assert await parent.exited() == 0
    numbers = [event.payload["n"] for event in parent.of(Event) if "n" in event.payload]
    assert numbers == list(range(5))


async def test_memory_only_needs_no_folder(embedded_broker: Broker, tmp_path: Path) -> None:
    memory = ("--durability", "none")
    async with (
        NodeProcess(*parent_options(embedded_broker.url, tmp_path / "p", *memory)) as parent,
        NodeProcess(*child_options(embedded_broker.url, tmp_path / "c", *memory)) as child,
    ):
        await child.send(*({"n": n} for n in range(100)))
        child.end_input()
        assert await child.exited() == 0
        parent.terminate()
        assert await parent.exited() == 0
    assert set(child.ids(Stored)) == set(child.ids(Acked)) <= set(parent.ids(Event))
    assert files_below(tmp_path) == []
