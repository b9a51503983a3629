"""A start that fails: the node says why, in events that are on disk, and raises the error."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from gwproactor.actors.actor import Actor
from gwproactor.config.events import EventSettings
from gwproactor.config.proactor import ProactorSettings
from gwproactor.errors import PortTakenError, ProactorFailedError, TaskDiedError, UsageError
from gwproactor.interfaces import ProcessResult
from gwproactor.runtime.proactor import Proactor
from gwproactor.wire.envelope import Message
from gwproactor_test.leaks import no_leaks
from gwproactor_test.proactor_pair import CHILD, NOBODY, link_to_parent
from gwproactor_test.programs import shutdown_reasons

SECONDS = 10.0


class Broken(Actor):
    """An actor whose device is not there."""

    def start(self) -> None:
        raise OSError("no such device")

    def process_message(self, message: Message[Any]) -> ProcessResult:
        raise NotImplementedError


class Clumsy(Proactor):
    """Its own tasks cannot begin."""

    def start_tasks(self) -> None:
        raise OSError("no such task")


def node(folder: Path, kind: type[Proactor] = Proactor) -> Proactor:
    found = kind(CHILD, ProactorSettings(events=EventSettings(folder=folder)))
    found.add_link(link_to_parent(NOBODY))
    return found


async def fails(failing: Proactor, error: type[Exception], said: str) -> None:
    async with no_leaks(), asyncio.timeout(SECONDS):
        with pytest.raises(error, match=said):
            async with failing:
                raise NotImplementedError
        assert failing.has_stopped


def problems(folder: Path) -> str:
    return "\n".join(file.read_text() for file in folder.glob("outbox/*.log"))


async def test_an_actor_that_cannot_start_is_named(tmp_path: Path) -> None:
    failing = node(tmp_path)
    failing.add_communicator(Broken("a", failing.services))
    await fails(failing, OSError, "no such device")
    assert shutdown_reasons(tmp_path) == ["actor 'a' could not start: OSError: no such device"]
    assert '"Summary":"actor \'a\' could not start"' in problems(tmp_path)


async def test_tasks_of_the_application_that_cannot_begin(tmp_path: Path) -> None:
    await fails(node(tmp_path, Clumsy), OSError, "no such task")
    (reason,) = shutdown_reasons(tmp_path)
    assert reason == "tasks of the application could not start: OSError: no such task"


async def test_what_only_looks_like_a_cancel_is_a_failure_too(tmp_path: Path) -> None:
    class Confused(Broken):
        def start(self) -> None:
            raise asyncio.CancelledError

    failing = node(tmp_path)
    failing.add_communicator(Confused("a", failing.services))
    await fails(failing, ProactorFailedError, r"Confused\.start raised CancelledError")
    (reason,) = shutdown_reasons(tmp_path)
    assert reason.startswith("actor 'a' could not start: ProactorFailedError")


async def test_a_start_that_is_a_coroutine_is_refused(tmp_path: Path) -> None:
    class Waits(Broken):
        async def start(self) -> None:  # type: ignore[override]
            raise NotImplementedError

    class WaitsToo(Proactor):
        async def start_tasks(self) -> None:  # type: ignore[override]
            raise NotImplementedError

    failing = node(tmp_path / "1")
    failing.add_communicator(Waits("a", failing.services))
    await fails(failing, UsageError, r"Waits\.start is a coroutine, which would never run")
    await fails(node(tmp_path / "2", WaitsToo), UsageError, "WaitsToo.start_tasks is a coroutine")


async def test_a_start_that_fails_when_the_proactor_fails_already(tmp_path: Path) -> None:
    """The first failure counts, and the end is in good order all the same."""

    class Ends(Broken):
        def start(self) -> None:
            failing.fail(TaskDiedError("the pump burns"))
            super().start()

    failing = node(tmp_path)
    failing.add_communicator(Ends("a", failing.services))
    await fails(failing, TaskDiedError, "the pump burns")
    assert shutdown_reasons(tmp_path) == ["the pump burns"]
    assert '"Summary":"actor \'a\' could not start"' in problems(tmp_path)


async def test_a_web_server_whose_port_is_taken(tmp_path: Path) -> None:
    failing = node(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        failing.add_web_server_config("main", "127.0.0.1", taken.getsockname()[1])
        await fails(failing, PortTakenError, "main")
    (reason,) = shutdown_reasons(tmp_path)
    assert reason.startswith("web servers could not start: PortTakenError")
