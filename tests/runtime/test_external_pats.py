"""Those outside are patted as long as all is well inside, and no longer."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gwproactor.runtime import external_pats
from gwproactor.runtime.external_pats import ExternalPats, ask_for_time
from gwproactor.runtime.external_watchdog import PatCommand
from gwproactor.runtime.notify_socket import NotifySocket
from gwproactor_test.service_manager import ServiceManager

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
def manager(tmp_path: Path) -> Iterator[ServiceManager]:
    with ServiceManager(str(tmp_path / "notify")) as listening:
        yield listening


async def test_the_service_manager_is_asked_for_time_again_and_again(
    manager: ServiceManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(external_pats, "EXTENSION_SECONDS", 0.01)
    notify = NotifySocket(manager.address)
    task = asyncio.create_task(ask_for_time(notify))
    assert [await manager.told() for _ in range(3)] == ["EXTEND_TIMEOUT_USEC=10000"] * 3
    task.cancel()
    await asyncio.wait([task])
    notify.close()
    await ask_for_time(NotifySocket(None))


async def test_the_service_manager_is_told_while_all_is_well(
    manager: ServiceManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    inside, notify = Inside(), NotifySocket(manager.address)
    pats = ExternalPats(inside.all_is_well, inside.report)
    task = asyncio.create_task(pats.pat_service_manager(notify))
    assert [await manager.told() for _ in range(3)] == ["WATCHDOG=1"] * 3
    inside.well = False
    await inside.asked_times(5)
    manager.told_so_far()
    await inside.asked_times(3)
    assert manager.told_so_far() == []
    inside.well = True
    assert await manager.told() == "WATCHDOG=1"
    task.cancel()
    await asyncio.wait([task])
    notify.close()


@pytest.mark.parametrize("process", ["1", None])
async def test_who_asks_for_nothing_is_told_nothing(
    process: str | None, manager: ServiceManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    if process is not None:
        monkeypatch.setenv("WATCHDOG_USEC", "20000")
        monkeypatch.setenv("WATCHDOG_PID", process)
    inside = Inside()
    pats = ExternalPats(inside.all_is_well, inside.report)
    await pats.pat_service_manager(NotifySocket(manager.address))
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
