"""Those outside are patted as long as all is well inside, and no longer."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gwproactor.runtime.external_pats import ExternalPats
from gwproactor.runtime.external_watchdog import PatCommand
from gwproactor.runtime.notify_socket import NotifySocket

SECONDS = 10.0


class Inside:
    """What a proactor would say of itself."""

    def __init__(self) -> None:
        self.well = True
        self.asked = asyncio.Semaphore(0)
        self.problems: list[tuple[str, str]] = []

    def all_is_well(self) -> bool:
        self.asked.release()
        return self.well

    def report(self, summary: str, details: str) -> None:
        self.problems.append((summary, details))

    async def asked_times(self, count: int) -> None:
        async with asyncio.timeout(SECONDS):
            for _ in range(count):
                await self.asked.acquire()


@pytest.fixture
def service_manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        yield listening


async def told(listening: socket.socket) -> str:
    async with asyncio.timeout(SECONDS):
        return (await asyncio.get_running_loop().sock_recv(listening, 4096)).decode()


async def test_the_service_manager_is_told_while_all_is_well(
    service_manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    inside, notify = Inside(), NotifySocket(str(service_manager.getsockname()))
    pats = ExternalPats(inside.all_is_well, inside.report)
    task = asyncio.create_task(pats.pat_service_manager(notify))
    assert [await told(service_manager) for _ in range(3)] == ["WATCHDOG=1"] * 3
    inside.well = False
    await inside.asked_times(5)
    with contextlib.suppress(BlockingIOError):
        while service_manager.recv(4096):  # what was told before
            pass
    await inside.asked_times(3)
    with pytest.raises(BlockingIOError):
        service_manager.recv(4096)
    inside.well = True
    assert await told(service_manager) == "WATCHDOG=1"
    task.cancel()
    await asyncio.wait([task])
    notify.close()


@pytest.mark.parametrize("process", ["1", None])
async def test_who_asks_for_nothing_is_told_nothing(
    process: str | None, service_manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    if process is not None:
        monkeypatch.setenv("WATCHDOG_USEC", "20000")
        monkeypatch.setenv("WATCHDOG_PID", process)
    inside = Inside()
    pats = ExternalPats(inside.all_is_well, inside.report)
    await pats.pat_service_manager(NotifySocket(str(service_manager.getsockname())))
    assert inside.asked.locked()


async def test_the_command_is_run_while_all_is_well_one_at_a_time(tmp_path: Path) -> None:
    """The script fails where another of it runs; it leaves a line each time."""
    lines, lock = tmp_path / "lines", tmp_path / "lock"
    script = f"mkdir {lock} || exit 7; echo x >> {lines}; sleep 0.02; rmdir {lock}"
    inside = Inside()
    pats = ExternalPats(inside.all_is_well, inside.report)
    command = PatCommand(["sh", "-c", script], SECONDS)
    task = asyncio.create_task(pats.pat_by_command(command, 0.001))
    await inside.asked_times(4)
    assert len(lines.read_text().splitlines()) >= 3
    inside.well = False
    await inside.asked_times(5)
    before = lines.read_text()
    await inside.asked_times(5)
    assert lines.read_text() == before
    assert inside.problems == []
    task.cancel()
    await asyncio.wait([task])


async def test_a_command_that_fails_is_reported_at_a_bounded_rate() -> None:
    inside = Inside()
    pats = ExternalPats(inside.all_is_well, inside.report)
    task = asyncio.create_task(pats.pat_by_command(PatCommand(["false"], SECONDS), 0.0001))
    await inside.asked_times(5)
    task.cancel()
    await asyncio.wait([task])
    ((summary, details),) = inside.problems
    assert summary == "The external watchdog was not patted"
    assert details.startswith("false: it ended with status 1")
