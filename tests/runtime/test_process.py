"""A program that runs a proactor, as its service manager sees it: signals, exit status, pats."""

import signal
from asyncio.subprocess import Process
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from gwproactor_test import programs
from gwproactor_test.programs import line_of
from gwproactor_test.service_manager import ServiceManager

PROGRAM = """
import asyncio, logging, threading, time
from gwproactor import (
    MonitoredName, OnFailure, Proactor, ProactorSettings, SyncAsyncInteractionThread,
    SyncThreadActor, TaskPolicy,
)

class Node(Proactor):
    def start_tasks(self):
        self.add_task(self.work, policy=TaskPolicy(on_failure=OnFailure.stop))

    async def work(self):
        print("ready", flush=True)
        try:
            await self.do()
        except asyncio.CancelledError:
            print("ending", flush=True)
            await asyncio.sleep(0.2)
            print("ended", flush=True)
            raise

    async def do(self):
        await asyncio.Event().wait()

{node}

async def main():
    await Node("d1.node", ProactorSettings({settings})).run_forever()

logging.basicConfig(level=logging.ERROR)
asyncio.run(main())
print("over", flush=True)
"""


def running(
    node: str = "", settings: str = "", **environment: str
) -> AbstractAsyncContextManager[Process]:
    return programs.running(PROGRAM.format(node=node, settings=settings), **environment)


async def until_logged(process: Process, words: str) -> str:
    """The line of the program's log that holds these words."""
    assert process.stderr is not None
    async for line in process.stderr:
        if words in line.decode():
            return line.decode()
    raise AssertionError(f"{words!r} was not logged")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_well(number: int) -> None:
    async with running() as process:
        assert await line_of(process) == "ready"
        process.send_signal(number)
        assert [await line_of(process) for _ in range(3)] == ["ending", "ended", "over"]
        assert await process.wait() == 0


async def test_a_second_signal_does_not_cut_the_end_short() -> None:
    async with running() as process:
        assert await line_of(process) == "ready"
        process.send_signal(signal.SIGTERM)
        assert await line_of(process) == "ending"
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        assert [await line_of(process) for _ in range(2)] == ["ended", "over"]
        assert await process.wait() == 0


async def test_a_task_that_dies_is_an_exit_status_that_is_not_0() -> None:
    dies = """
    async def do(self):
        raise OSError("no driver")
"""
    async with running(dies) as process:
        await until_logged(process, "TaskDiedError: task 'Node.work' died: OSError: no driver")
        assert await process.wait() == 1


async def test_a_driver_that_hangs_is_an_exit_status_that_is_not_0() -> None:
    """Its thread is a daemon, as those of actors are, so it holds up no exit."""
    hangs = """
    @property
    def monitored_names(self):
        return [MonitoredName("driver", 0.1)]

    async def do(self):
        threading.Thread(target=self.drive, name="driver thread", daemon=True).start()
        await asyncio.Event().wait()

    def drive(self):
        self.pat_watchdog("driver")
        time.sleep(3600)
"""
    async with running(hangs) as process:
        await until_logged(process, "WatchdogExpiredError: watchdog: driver has given no sign")
        assert await process.wait() == 1


async def test_a_driver_that_never_ends_is_named_and_holds_up_no_exit() -> None:
    """Others wait in a queue and in a sleep, which the stop ends; these it cannot end."""
    never_ends = """
    async def do(self):
        at_work = threading.Event()

        class Driver(SyncAsyncInteractionThread):
            def _iterate(self):
                at_work.set()
                while True:
                    time.sleep(3600)

        self.add_communicator(SyncThreadActor("driver", self.services, Driver()))
        sleeper = SyncAsyncInteractionThread(iterate_sleep_seconds=3600)
        self.add_communicator(SyncThreadActor("sleeper", self.services, sleeper))
        await asyncio.to_thread(at_work.wait)
        self.stop("enough")
"""
    async with running(never_ends, "stop_seconds=0.2") as process:
        assert "driver" in await until_logged(process, "did not stop")
        assert await process.wait() == 0
        assert process.stdout is not None
        assert (await process.stdout.read()).decode().split() == ["ready", "over"]


async def test_a_loop_that_stands_still_pats_nobody(tmp_path: Path) -> None:
    """The service manager hears no more, and the log says who holds up the loop."""
    hangs = """
    async def do(self):
        await asyncio.sleep(0.1)
        time.sleep(3600)
"""
    with ServiceManager(str(tmp_path / "notify")) as manager:
        environment = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "20000"}
        async with running(hangs, "watchdog={'hang_seconds': 0.2}", **environment) as process:
            told = {await manager.told() for _ in range(3)}
            assert told == {"READY=1", "WATCHDOG=1"}
            await until_logged(process, "the event loop has stood still for")
            await until_logged(process, " in Node.do")
            manager.told_so_far()
            await until_logged(process, "the event loop has stood still for")
            assert manager.told_so_far() == []
            process.kill()  # as the service manager would
            assert await process.wait() == -signal.SIGKILL
