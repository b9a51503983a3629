"""Proactors that are made, filled and written to before there is a loop, and run in one then."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from typing import Any

from aiohttp import ClientSession, web
from pydantic import BaseModel

from gwproactor.actors.actor import Actor
from gwproactor.actors.sync_thread import SyncAsyncInteractionThread
from gwproactor.actors.sync_thread_actor import SyncThreadActor
from gwproactor.config.proactor import ProactorSettings
from gwproactor.interfaces import ProcessResult
from gwproactor.links.core.link_state import StateName
from gwproactor.runtime.proactor import Proactor
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import AnyEvent
from gwproactor_test.broker import Broker
from gwproactor_test.clients import until
from gwproactor_test.proactor_pair import CHILD, PARENT, Parent, child

SECONDS = 20.0


class Order(BaseModel):
    TypeName: str = "test.order"


class Clerk(Actor):
    """Notes where its messages come from."""

    def __init__(self, node: Proactor) -> None:
        super().__init__("clerk", node)
        self.senders: list[str] = []
        node.add_communicator(self)

    def process_message(self, message: Message[Any]) -> ProcessResult:
        self.senders.append(message.Header.Src)
        return None


class Meter(SyncAsyncInteractionThread):
    """Writes to the clerk what it was told to write."""

    def _handle_message(self, message: Any) -> None:
        self._put_to_async_queue(Message[Any](Src=self.name, Dst="clerk", Payload=message))


@contextlib.contextmanager
def broker_elsewhere() -> Iterator[str]:
    """The URL of a broker that runs on a loop of its own, in a thread of its own."""
    urls: Queue[str] = Queue()
    over = threading.Event()

    async def serve() -> None:
        async with Broker() as broker:
            urls.put(broker.url)
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        yield urls.get(timeout=SECONDS)
    finally:
        over.set()
        thread.join()


class Site:
    """A child with everything, and its parent."""

    def __init__(self, url: str, folder: Path) -> None:
        self.parent = Parent(url, folder / "p")
        self.child = child(url, folder=folder / "c")
        self.clerk = Clerk(self.child)
        self.meter = SyncThreadActor("meter", self.child, Meter(iterate_sleep_seconds=1000.0))
        self.child.add_communicator(self.meter)
        self.child.add_web_server_config("main")
        self.child.add_web_route("main", "GET", "/", self.answer)
        self.child.add_task(self.write_as_a_task)
        self.child.io_loop_manager.add_io_coroutine(self.write_by_handle())
        self.write("early")
        self.child.report_problem("odd, before the start")

    def write(self, sender: str) -> None:
        self.child.send(Message(Src=sender, Dst="clerk", Payload=Order()))

    async def write_as_a_task(self) -> None:
        self.write("task")
        await asyncio.Event().wait()

    async def write_by_handle(self) -> None:
        self.write("handle")

    async def answer(self, request: web.Request) -> web.Response:
        return web.Response(text="here")

    async def use(self) -> None:
        async with asyncio.timeout(SECONDS), self.parent, self.child:
            await self.child.link(PARENT).wait_for(StateName.active)
            ticket = self.child.post_event(AnyEvent())
            await ticket.acked()
            self.meter.send_driver_message(Order())
            await until(lambda: sorted(self.clerk.senders) == ["early", "handle", "meter", "task"])
            async with (
                ClientSession() as session,
                session.get(self.child.web_server_url("main")) as response,
            ):
                assert await response.text() == "here"
            await until(lambda: ticket.event_id in self.parent.ids)
        assert self.child.pending_event_count <= 1  # the last of all may be on its way


def test_one_that_is_made_before_there_is_a_loop_does_all_that_others_do(tmp_path: Path) -> None:
    with broker_elsewhere() as url:
        asyncio.run(Site(url, tmp_path).use())


def test_it_may_run_in_another_thread_than_the_one_that_made_it(tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def run(site: Site) -> None:
        try:
            asyncio.run(site.use())
        except BaseException as error:  # noqa: BLE001 - it is for the thread of the test
            failures.append(error)

    with broker_elsewhere() as url:
        thread = threading.Thread(target=run, args=(Site(url, tmp_path),))
        thread.start()
        thread.join()
    assert failures == []


def test_one_that_is_never_run_leaves_nothing(tmp_path: Path) -> None:
    node = Proactor(CHILD, ProactorSettings())
    Clerk(node)
    node.add_task(asyncio.Event().wait)
    assert not node.has_stopped
