"""What handlers and hooks return: every way to say that something went wrong is heard."""

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel
from result import Err, Ok

from gwproactor.actors.communicator import Communicator
from gwproactor.errors import UsageError
from gwproactor.interfaces import ProcessResult
from gwproactor.problems import Problems
from gwproactor.runtime.observer import Observer
from gwproactor.runtime.outcomes import call_plain, settled
from gwproactor.runtime.proactor import Proactor
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import ProblemEvent
from gwproactor_test.clients import until
from gwproactor_test.proactor_pair import CHILD


class Order(BaseModel):
    TypeName: str = "test.order"


async def later(outcome: object) -> object:
    await asyncio.sleep(0)
    return outcome


@pytest.mark.parametrize("outcome", [None, Ok(True), Ok(False), True, 3, "done"])
async def test_what_is_no_err_is_a_success(outcome: object) -> None:
    await settled(outcome)
    await settled(later(outcome))


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (OSError("no device"), OSError, "no device"),
        (Problems("two", [OSError("a"), OSError("b")]), Problems, "two"),
        ("no device", RuntimeError, "Err.'no device'."),
    ],
)
async def test_an_err_is_raised(error: object, kind: type[Exception], said: str) -> None:
    for outcome in (Err(error), later(Err(error))):
        with pytest.raises(kind, match=said):
            await settled(outcome)


def test_a_hook_that_is_a_coroutine_is_refused_and_left_no_trace() -> None:
    async def hook(_: int) -> None:
        raise NotImplementedError

    with pytest.raises(UsageError, match="hook is a coroutine, which would never run"):
        call_plain(hook, 3)
    call_plain(print)


class Watching(Observer):
    def __init__(self) -> None:
        self.problems: list[ProblemEvent] = []

    def problem(self, event: ProblemEvent) -> None:
        self.problems.append(event)


class Returns(Communicator):
    """Returns what it was given."""

    def __init__(self, node: Proactor, outcome: object) -> None:
        super().__init__("clerk", node)
        self.outcome: Any = outcome

    def process_message(self, message: Message[Any]) -> ProcessResult:
        return self.outcome  # type: ignore[no-any-return]


@pytest.mark.parametrize("receiver", ["clerk", "proactor"])
@pytest.mark.parametrize("is_coroutine", [False, True])
async def test_an_err_of_any_handler_becomes_a_problem(receiver: str, is_coroutine: bool) -> None:
    def outcome(_: object = None) -> Any:
        return later(Err(OSError("no device"))) if is_coroutine else Err(OSError("no device"))

    node, watching = Proactor(CHILD), Watching()
    node.observe(watching)
    node.on_message(outcome)
    node.add_communicator(Returns(node, outcome()))
    async with node:
        node.send(Message(Src="test", Dst=receiver, Payload=Order()))
        await until(lambda: bool(watching.problems))
        if receiver == "proactor":
            await settled_clerk(node)
    (problem, *_) = watching.problems
    assert problem.Summary.endswith("failed with a test.order")
    assert "OSError: no device" in problem.Details


async def settled_clerk(node: Proactor) -> None:
    """Let the clerk return its coroutine too, which nobody else would await."""
    assert (await node.await_processing(Message(Src="test", Dst="clerk", Payload=Order()))).is_err()


async def test_a_link_hook_that_is_a_coroutine_is_a_problem() -> None:
    class Waits(Proactor):
        async def link_activated(self, transition: object) -> None:  # type: ignore[override]
            raise NotImplementedError

    with pytest.raises(UsageError, match=r"Waits\.link_activated is a coroutine"):
        call_plain(Waits(CHILD).link_activated, None)
