"""From end to end: a driver in a thread hangs, the node ends, and its peer learns why."""

import asyncio
import json
import threading
from typing import Any

import pytest

from gwproactor.actors.sync_thread import SyncAsyncInteractionThread
from gwproactor.actors.sync_thread_actor import SyncThreadActor
from gwproactor.config.proactor import ProactorSettings
from gwproactor.errors import WatchdogExpiredError
from gwproactor.events.incoming import ReceivedEvent
from gwproactor.links.core.link_state import Transition
from gwproactor.runtime.proactor import Proactor
from gwproactor_test.brokers import AnyBroker
from gwproactor_test.proactor_pair import CHILD, PARENT, link_to_child, link_to_parent

SECONDS = 20.0


class Driver(SyncAsyncInteractionThread):
    """Does nothing in each turn, until it is to hang."""

    def __init__(self) -> None:
        super().__init__(iterate_sleep_seconds=0.01, pat_timeout=2.0)
        self.is_to_hang = threading.Event()
        self.free = threading.Event()

    def _iterate(self) -> None:
        if self.is_to_hang.is_set():
            self.ask_the_hardware()

    def ask_the_hardware(self) -> None:
        self.free.wait(SECONDS)


class Child(Proactor):
    """Its driver hangs as soon as the peer is there."""

    def __init__(self, url: str, driver: Driver) -> None:
        super().__init__(CHILD, ProactorSettings(stop_seconds=0.1))
        self.add_link(link_to_parent(url))
        self.driver = driver
        self.add_communicator(SyncThreadActor("meter", self.services, driver))
        driver.pat_timeout = 0.1  # until it hangs it pats so often that a busy machine is no matter

    def link_activated(self, transition: Transition) -> None:
        self.driver.is_to_hang.set()


async def test_the_peer_learns_which_driver_hangs_and_where(broker: AnyBroker) -> None:
    heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    parent = Proactor(PARENT, ProactorSettings())
    parent.add_link(link_to_child(broker.url))

    @parent.on_event
    async def hear(event: ReceivedEvent) -> None:
        heard.put_nowait(json.loads(event.payload))

    driver = Driver()
    async with parent:
        with pytest.raises(WatchdogExpiredError, match="meter has given no sign of life"):
            await Child(broker.url, driver).run_forever()
        found: dict[str, Any] = {}
        async with asyncio.timeout(SECONDS):
            while found.get("TypeName") != "gridworks.event.shutdown":
                found = await heard.get()
    driver.free.set()
    await asyncio.to_thread(driver.join)
    reason = found["Reason"]
    assert reason.startswith("watchdog: meter has given no sign of life for ")
    assert "\nthread meter\n" in reason
    assert "in Driver.ask_the_hardware" in reason
    assert " proactor d1.site.scada: mailbox" in reason
