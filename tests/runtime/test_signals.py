"""Programs that run proactors in every way, and get signals: each ends in good order, and says why.

Real processes and real signals; what the shutdown events say is read from the outboxes.
"""

import signal
from asyncio.subprocess import Process
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from gwproactor_test import programs
from gwproactor_test.programs import line_of, shutdown_reasons

SETUP = """
import asyncio, os, signal, sys
from pathlib import Path
from gwproactor import EventSettings, Proactor, ProactorSettings
from gwproactor_test.proactor_pair import CHILD, NOBODY, link_to_parent

def node(kind=Proactor, name=CHILD):
    made = kind(name, ProactorSettings(events=EventSettings(folder=Path(sys.argv[1]) / name)))
    made.add_link(link_to_parent(NOBODY))
    return made

def say(word):
    print(word, flush=True)

async def wait_for_something_else():
    say("ready")
    try:
        await asyncio.Event().wait()
    finally:
        say("left")

async def main():
{main}
    say("behind")

asyncio.run(main())
"""

ASYNC_WITH = """
    async with node():
        await wait_for_something_else()
"""

JOINED_WITHIN = """
    async with node() as proactor:
        say("ready")
        await proactor.join()
"""

START_AND_JOIN = """
    proactor = node()
    proactor.start()
    await proactor.started()
    say("ready")
    await proactor.join()
"""

STARTED_ALONE = """
    proactor = node()
    proactor.start()
    say("ready")
    await proactor.stopped()
"""

RUN_FOREVER = """
    class Node(Proactor):
        def start_tasks(self):
            say("ready")
    await node(Node).run_forever()
"""


def running(main: str, folder: Path) -> AbstractAsyncContextManager[Process]:
    return programs.running(SETUP.replace("{main}", main), str(folder))


async def rest_of(process: Process) -> list[str]:
    """What it prints until it ends."""
    assert process.stdout is not None
    return (await process.stdout.read()).decode().split()


@pytest.mark.parametrize(
    ("main", "said"),
    [
        (ASYNC_WITH, ["left", "behind"]),
        (JOINED_WITHIN, ["behind"]),
        (START_AND_JOIN, ["behind"]),
        (STARTED_ALONE, ["behind"]),
        (RUN_FOREVER, ["behind"]),
    ],
    ids=["async with", "join within", "start and join", "start alone", "run_forever"],
)
async def test_sigterm_ends_it_in_good_order(main: str, said: list[str], tmp_path: Path) -> None:
    async with running(main, tmp_path) as process:
        assert await line_of(process) == "ready"
        process.send_signal(signal.SIGTERM)
        assert await rest_of(process) == said
        assert await process.wait() == 0
    assert shutdown_reasons(tmp_path) == ["SIGTERM"]


@pytest.mark.parametrize("main", [START_AND_JOIN, RUN_FOREVER])
async def test_sigint_ends_what_only_waits_for_it_in_the_same_way(
    main: str, tmp_path: Path
) -> None:
    async with running(main, tmp_path) as process:
        assert await line_of(process) == "ready"
        process.send_signal(signal.SIGINT)
        assert await rest_of(process) == ["behind"]
        assert await process.wait() == 0
    assert shutdown_reasons(tmp_path) == ["SIGINT"]


@pytest.mark.parametrize("main", [ASYNC_WITH, JOINED_WITHIN])
async def test_sigint_in_an_async_with_is_asyncios_and_ends_in_good_order(
    main: str, tmp_path: Path
) -> None:
    async with running(main, tmp_path) as process:
        assert await line_of(process) == "ready"
        process.send_signal(signal.SIGINT)
        assert "behind" not in await rest_of(process)
        assert process.stderr is not None
        assert b"KeyboardInterrupt" in await process.stderr.read()
        assert await process.wait() == -signal.SIGINT
    assert shutdown_reasons(tmp_path) == ["cancelled"]


async def test_a_signal_while_it_starts(tmp_path: Path) -> None:
    main = """
    class Node(Proactor):
        def start_tasks(self):
            os.kill(os.getpid(), signal.SIGTERM)
    async with node(Node):
        await wait_for_something_else()
"""
    async with running(main, tmp_path) as process:
        assert await process.wait() == 0
    assert shutdown_reasons(tmp_path) == ["SIGTERM"]


TWO_WAYS = {
    "nested": """
    async with node(), node(name="d1.other"):
        await wait_for_something_else()
""",
    "side by side": """
    async def use(proactor):
        async with proactor:
            await asyncio.Event().wait()
    class Last(Proactor):
        def start_tasks(self):
            say("ready")
    other, last = node(), node(Last, name="d1.other")
    using = asyncio.create_task(use(other))
    await asyncio.sleep(0)
    await other.started()
    await last.run_forever()
    await using
    say("left")
""",
}


@pytest.mark.parametrize("main", TWO_WAYS.values(), ids=TWO_WAYS.keys())
async def test_two_proactors_are_both_told(main: str, tmp_path: Path) -> None:
    async with running(main, tmp_path) as process:
        assert await line_of(process) == "ready"
        process.send_signal(signal.SIGTERM)
        assert await rest_of(process) == ["left", "behind"]
        assert await process.wait() == 0
    assert shutdown_reasons(tmp_path) == ["SIGTERM", "SIGTERM"]


async def test_a_signal_that_ends_the_outer_one_lets_the_inner_one_finish_its_stop(
    tmp_path: Path,
) -> None:
    main = """
    told = asyncio.Event()
    class Outer(Proactor):
        def stop(self, reason="", **options):
            super().stop(reason, **options)
            asyncio.get_running_loop().call_later(0.1, told.set)
    async def let_go_when_told():
        try:
            await asyncio.Event().wait()
        finally:
            say("ending")
            await told.wait()
    async with node(Outer, name="d1.outer"):
        async with node(name="d1.inner") as inner:
            inner.add_task(let_go_when_told)
            await asyncio.sleep(0)
"""
    async with running(main, tmp_path) as process:
        assert await line_of(process) == "ending"
        process.send_signal(signal.SIGTERM)
        assert await rest_of(process) == ["behind"]
        assert await process.wait() == 0
    assert shutdown_reasons(tmp_path / "d1.inner") == ["stop called"]
    assert shutdown_reasons(tmp_path / "d1.outer") == ["SIGTERM"]


async def test_a_program_that_handles_signals_itself_keeps_them(tmp_path: Path) -> None:
    main = """
    signal.signal(signal.SIGTERM, lambda *_: os.write(1, b"mine\\n"))
    async with node():
        await wait_for_one_signal()
    await wait_for_one_signal()
"""
    waiting = """
async def wait_for_one_signal():
    say("ready")
    await asyncio.to_thread(sys.stdin.readline)

async def main():"""
    source = SETUP.replace("async def main():", waiting).replace("{main}", main)
    async with programs.running(source, str(tmp_path)) as process:
        assert process.stdin is not None
        for _ in range(2):
            assert await line_of(process) == "ready"
            process.send_signal(signal.SIGTERM)
            assert await line_of(process) == "mine"
            process.stdin.write(b"\n")
        assert await rest_of(process) == ["behind"]
        assert await process.wait() == 0
    assert shutdown_reasons(tmp_path) == ["stop called"]


async def test_a_class_that_wants_no_signals_gets_none(tmp_path: Path) -> None:
    main = """
    class Node(Proactor):
        stop_signals = ()
    async with node(Node):
        await wait_for_something_else()
"""
    async with running(main, tmp_path) as process:
        assert await line_of(process) == "ready"
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == -signal.SIGTERM
    assert shutdown_reasons(tmp_path) == []


async def test_one_that_has_ended_takes_no_signal_any_more(tmp_path: Path) -> None:
    main = """
    proactor = node()
    proactor.start()
    await proactor.stop_and_join()
    await wait_for_something_else()
"""
    async with running(main, tmp_path) as process:
        assert await line_of(process) == "ready"
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == -signal.SIGTERM


async def test_a_failure_ends_the_body_too(tmp_path: Path) -> None:
    """Or a program that waits for something else would be there for ever, without its proactor."""
    main = """
    class Node(Proactor):
        def start_tasks(self):
            self.add_task(self.fail_at_once())
        async def fail_at_once(self):
            raise OSError("no driver")
    async with node(Node):
        await wait_for_something_else()
"""
    async with running(main, tmp_path) as process:
        assert await process.wait() == 1
        assert "behind" not in await rest_of(process)
        assert process.stderr is not None
        assert b"TaskDiedError" in await process.stderr.read()
    (reason,) = shutdown_reasons(tmp_path)
    assert "OSError: no driver" in reason
