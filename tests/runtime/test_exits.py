"""`sys.exit` in the application's code: the proactor ends in good order, and then the program does.

Real processes; what the shutdown events say is read from the outboxes.
"""

import asyncio
from pathlib import Path

import pytest

from gwproactor.errors import ProactorFailedError
from gwproactor.runtime.exits import exits_end
from gwproactor.runtime.lifecycle import Lifecycle
from gwproactor_test.overseer import KeepingOverseer
from gwproactor_test.programs import running, shutdown_reasons

SETUP = """
import asyncio, sys
from pathlib import Path
from aiohttp import ClientSession
from pydantic import BaseModel
from gwproactor import Actor, EventSettings, Message, Observer, Proactor, ProactorSettings
from gwproactor_test.proactor_pair import CHILD, NOBODY, link_to_parent

def leave(*_):
    sys.exit(3)

class Order(BaseModel):
    TypeName: str = "test.order"

class Leaves(Actor):
    def process_message(self, message):
        leave()

async def answer(request):
    leave()

class Watches(Observer):
    problem = link_transitioned = event_stored = leave

class LeavesAtStart(Leaves):
    start = leave

class LeavesAtStop(Leaves):
    stop = leave

class Node(Proactor):
    link_deactivated = link_activated = leave

    async def process_message(self, message):
        leave()

    async def work(self):
        leave()

    def tell(self, name):
        self.send(Message(Src="a", Dst=name, Payload=Order()))

    async def ask(self):
        async with ClientSession() as session:
            await session.get(self.web_server_url("main") + "/leave")

class AtStart(Node):
    start_tasks = leave

kind = globals().get(sys.argv[2], Node)
node = kind(CHILD, ProactorSettings(events=EventSettings(folder=Path(sys.argv[1]))))
node.add_link(link_to_parent(NOBODY))
{before}

async def use():
    async with node:
{use}
        print("waiting", flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            print("left", flush=True)

async def run_in_a_task():
    task = asyncio.create_task(node.run_forever())
    await asyncio.Event().wait()

async def start_only():
    node.start()
    await asyncio.Event().wait()

asyncio.run({how}())
"""


def program(use: str = "", *, before: str = "", how: str = "use") -> str:
    """A program that does a line in the body, one before it, and runs the node in some way."""
    return (
        SETUP.replace("{use}", f"        {use}").replace("{before}", before).replace("{how}", how)
    )


@pytest.mark.parametrize(
    ("use", "where"),
    [
        ("node.add_communicator(Leaves('a', node)); node.tell('a')", "the handler of 'a'"),
        ("node.tell('')", "the handler of messages"),
        ("node.add_task(node.work)", "task 'Node.work'"),
        ("node.add_task(node.work())", "task 'Node.work'"),
        ("node.io_loop_manager.add_io_coroutine(node.work(), 'io')", "task 'io'"),
        ("node.observe(Watches()); node.report_problem('odd')", "an observer"),
        ("node.add_communicator(LeavesAtStop('a', node)); node.stop()", "stop of 'a'"),
    ],
)
async def test_it_ends_in_good_order_and_with_that_status(
    use: str, where: str, tmp_path: Path
) -> None:
    async with running(program(use), str(tmp_path), "Node") as process:
        out, _ = await process.communicate()
        assert out.split() == [b"waiting", b"left"]
        assert process.returncode == 3
    (reason,) = shutdown_reasons(tmp_path)
    assert reason.startswith(f"SystemExit: 3\nraised by {where}\n")
    assert "in leave" in reason


async def test_in_the_handler_of_a_web_route(tmp_path: Path) -> None:
    made = "node.add_web_server_config('main'); node.add_web_route('main', 'GET', '/leave', answer)"
    async with running(program("await node.ask()", before=made), str(tmp_path), "Node") as process:
        assert await process.wait() == 3
    (reason,) = shutdown_reasons(tmp_path)
    assert reason.startswith("SystemExit: 3\nraised by the handler of GET /leave\n")


@pytest.mark.parametrize(
    ("made", "kind", "where"),
    [
        ("node.add_communicator(LeavesAtStart('a', node))", "Node", "actor 'a'"),
        ("", "AtStart", "tasks of the application"),
    ],
)
async def test_at_the_start(made: str, kind: str, where: str, tmp_path: Path) -> None:
    async with running(program(before=made), str(tmp_path), kind) as process:
        out, _ = await process.communicate()
        assert (out, process.returncode) == (b"", 3)
    assert shutdown_reasons(tmp_path) == [f"{where} could not start: SystemExit: 3"]


@pytest.mark.parametrize("how", ["run_in_a_task", "start_only"])
async def test_where_the_program_waits_for_something_else(how: str, tmp_path: Path) -> None:
    source = program(how=how).replace(
        "async def use():", "node.add_task(node.work)\n\nasync def use():"
    )
    async with running(source, str(tmp_path), "Node") as process:
        assert await process.wait() == 3
    (reason,) = shutdown_reasons(tmp_path)
    assert reason.startswith("SystemExit: 3\nraised by task 'Node.work'\n")


async def test_in_the_body(tmp_path: Path) -> None:
    async with running(program("sys.exit(3)"), str(tmp_path), "Node") as process:
        assert await process.wait() == 3
    assert shutdown_reasons(tmp_path) == ["SystemExit: 3"]


@pytest.mark.parametrize("exit_", [SystemExit(3), KeyboardInterrupt()])
def test_an_exit_becomes_a_failure_where_it_is_raised(exit_: BaseException) -> None:
    owner = KeepingOverseer()
    with (
        pytest.raises(ProactorFailedError, match="the pump raised") as caught,
        exits_end(owner, "the pump"),
    ):
        raise exit_
    ((error, details),) = owner.failures
    assert error is exit_ is caught.value.__cause__
    assert details.startswith("raised by the pump\n")


class Leaves(Lifecycle):
    async def _run(self) -> None:
        await asyncio.sleep(0)
        raise SystemExit(3)

    def _label(self) -> str:
        return "leaves"


async def test_everybody_who_waits_is_told() -> None:
    leaves = Leaves()
    leaves.start()
    for wait in (leaves.started, leaves.join, leaves.join):
        with pytest.raises(SystemExit):
            await wait()
    await leaves.stopped()
    with pytest.raises(SystemExit):
        await Leaves().run_forever()


def test_who_waits_for_the_stop_alone_is_told_by_join() -> None:
    async def stopped_and_joined() -> None:
        leaves = Leaves()
        leaves.start()
        await leaves.stopped()
        with pytest.raises(SystemExit):
            await leaves.join()

    asyncio.run(stopped_and_joined())


def test_where_nobody_waits_the_loop_ends() -> None:
    async def start_and_forget() -> None:
        Leaves().start()
        await asyncio.Event().wait()

    with pytest.raises(SystemExit):
        asyncio.run(start_and_forget())
