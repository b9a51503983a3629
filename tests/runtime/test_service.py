"""A node under a service manager that restarts it: what it had to tell survives its hanging loop.

The manager is a small one that does as systemd with `WatchdogSec=`: it starts the program, waits
for READY, kills it when it hears nothing for too long, and starts it anew.
"""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable
from pathlib import Path

from gwproactor.config.events import EventSettings
from gwproactor.config.proactor import ProactorSettings
from gwproactor.events.incoming import ReceivedEvent
from gwproactor.runtime.proactor import Proactor
from gwproactor.wire.payloads import AnyEvent
from gwproactor_test.brokers import AnyBroker
from gwproactor_test.proactor_pair import PARENT, link_to_child
from gwproactor_test.service_manager import ServiceManager

ROOT = Path(__file__).resolve().parents[2]

WATCHDOG_SECONDS = 2.0
"""What the manager asks for. The node pats at half of it; a machine with much else to do may be
late by as much."""

PROGRAM = """
import asyncio, sys, time
from pathlib import Path
from gwproactor import EventSettings, Proactor, ProactorSettings
from gwproactor.wire.payloads import AnyEvent
from gwproactor_test.proactor_pair import CHILD, link_to_parent

url, folder = sys.argv[1], Path(sys.argv[2])

class Node(Proactor):
    def start_tasks(self):
        self.add_task(self.work)

    async def work(self):
        first = not (folder / "hung").exists()
        await self.store_event(AnyEvent(MessageId="first run" if first else "second run"))
        if first:
            (folder / "hung").touch()
            time.sleep(3600)
        await asyncio.Event().wait()

async def main():
    node = Node(CHILD, ProactorSettings(events=EventSettings(folder=folder / "data")))
    node.add_link(link_to_parent(url))
    await node.run_forever()

asyncio.run(main())
"""


async def started(url: str, folder: Path, manager: ServiceManager) -> Process:
    """Start the program, and wait until it says that it is ready."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, url, str(folder)),
        stdout=DEVNULL,
        stderr=DEVNULL,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT),
            "NOTIFY_SOCKET": manager.address,
            "WATCHDOG_USEC": str(int(WATCHDOG_SECONDS * 1e6)),
        },
    )
    while await manager.told() != "READY=1":
        pass
    return process


async def silence(manager: ServiceManager, hangs: Callable[[], bool]) -> None:
    """Return when nothing was heard for as long as the manager bears, once the loop hangs."""
    while True:
        try:
            async with asyncio.timeout(WATCHDOG_SECONDS):
                await manager.told()
        except TimeoutError:
            if hangs():
                return


async def test_a_node_whose_loop_hangs_is_started_anew_and_nothing_is_lost(
    broker: AnyBroker, tmp_path: Path
) -> None:
    heard: set[str] = set()
    both = asyncio.Event()
    parent = Proactor(PARENT, ProactorSettings(events=EventSettings()))
    parent.add_link(link_to_child(broker.url))

    @parent.on_event
    async def hear(event: ReceivedEvent) -> None:
        heard.add(AnyEvent.model_validate_json(event.payload).MessageId)
        if {"first run", "second run"} <= heard:
            both.set()

    with ServiceManager(str(tmp_path / "notify")) as manager:
        async with asyncio.timeout(50), parent:
            process = await started(broker.url, tmp_path, manager)
            await silence(manager, (tmp_path / "hung").exists)
            process.kill()
            assert await process.wait() == -signal.SIGKILL

            process = await started(broker.url, tmp_path, manager)
            await both.wait()
            process.send_signal(signal.SIGTERM)
            while not (await manager.told()).startswith("STOPPING=1"):
                pass
            assert await process.wait() == 0
