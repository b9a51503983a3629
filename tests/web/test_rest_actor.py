"""The polling actor in a proactor: its messages, its troubles, the watchdog, its end."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from aiohttp import web
from pydantic import BaseModel
from result import Ok

from gwproactor.actors.actor import Actor
from gwproactor.config.proactor import ProactorSettings
from gwproactor.errors import TaskDiedError, UsageError, WatchdogExpiredError
from gwproactor.interfaces import MonitoredName
from gwproactor.layout import NamedNode, NamesOnly
from gwproactor.message import KnownNames
from gwproactor.runtime.proactor import Proactor
from gwproactor.web import RESTPollerActor, RESTPollerSettings, RESTResponse, rest_poller
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import ProblemType
from gwproactor_test.clients import until
from gwproactor_test.problem_notes import ProblemNotes
from gwproactor_test.web import answering


class Reading(BaseModel):
    """What is made of an answer."""

    Value: int
    TypeName: Literal["test.reading"] = "test.reading"


class Receiver(Actor):
    """Notes what comes, and takes its time where that is wanted."""

    def __init__(self, node: Proactor) -> None:
        super().__init__("receiver", node.services)
        self.values: list[int] = []
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        node.add_communicator(self)

    async def process_message(self, message: Message[Any]) -> Ok[bool]:
        self.values.append(message.Payload.Value)
        await self.may_go_on.wait()
        if message.Payload.Value == 2:
            raise ValueError("two")
        return Ok(True)


class Node(Proactor):
    """A proactor with a receiver and a poller, and notes of its problems."""

    def __init__(self, url: str, **rest: Any) -> None:
        layout, convert = rest.pop("layout", NamesOnly()), rest.pop("convert", reading)
        super().__init__("d1.node", ProactorSettings(mailbox_messages=1), layout)
        self.problems = ProblemNotes(self).events
        self.receiver = Receiver(self)
        self.actor = RESTPollerActor(
            "poller", self.services, settings(url, **rest) if url else None, convert=convert
        )
        self.add_communicator(self.actor)

    def said(self) -> list[tuple[str, ProblemType]]:
        return [(problem.Summary, problem.ProblemType) for problem in self.problems]


def settings(url: str, **rest: Any) -> RESTPollerSettings:
    return RESTPollerSettings.model_validate(
        {"request": {"url": url}, "poll_period_seconds": 0.01} | rest
    )


async def reading(response: RESTResponse) -> Message[Any]:
    return Message(Src="poller", Dst="receiver", Payload=Reading(Value=await response.json()))


class Counting:
    """Answers with the number of the request."""

    def __init__(self) -> None:
        self.count = 0
        self.status = 200

    async def __call__(self, request: web.Request) -> web.Response:
        self.count += 1
        return web.json_response(self.count, status=self.status)


async def test_what_is_polled_reaches_the_actor_that_it_is_for() -> None:
    async with answering(Counting()) as server, Node(server.url) as node:
        await until(lambda: node.receiver.values[:5] == [1, 2, 3, 4, 5])
    count = len(server.requests)
    await asyncio.sleep(0.03)
    assert len(server.requests) == count, "it polls after the stop"
    assert node.said() == [
        ("REST poller 'poller': the receiver failed", ProblemType.error),
        ("REST poller 'poller': works again", ProblemType.warning),
    ]


async def test_a_receiver_that_is_slow_is_not_overrun() -> None:
    async with answering(Counting()) as server, Node(server.url) as node:
        node.receiver.may_go_on.clear()
        await until(lambda: len(node.receiver.values) >= 1)
        await asyncio.sleep(0.05)  # in which one that does not wait would poll five times
        assert len(server.requests) == 1
        node.receiver.may_go_on.set()
        await until(lambda: node.actor.poller.missed_count > 0)
        await until(lambda: node.receiver.values[:2] == [1, 2])
    assert ("REST poller 'poller': works again", ProblemType.error) not in node.said()


async def test_a_server_that_hangs_holds_up_no_other_poller_and_not_the_loop() -> None:
    asked, never = asyncio.Event(), asyncio.Event()

    async def hang(request: web.Request) -> web.Response:
        asked.set()
        await never.wait()
        return web.Response()

    async with answering(hang) as hanging, answering(Counting()) as server:
        node = Node(server.url)
        slow = RESTPollerActor("slow", node.services, settings(hanging.url), convert=reading)
        node.add_communicator(slow)
        async with node:
            await asked.wait()
            await until(lambda: node.receiver.values[:5] == [1, 2, 3, 4, 5])
            assert slow.poller.poll_count == 1
            assert len(hanging.requests) == 1


async def test_its_trouble_is_a_problem_of_the_proactor_once() -> None:
    counting = Counting()
    counting.status = 500
    async with answering(counting) as server, Node(server.url) as node:
        await until(lambda: node.actor.poller.failure_count >= 3)
        counting.count, counting.status = 10, 200
        await until(lambda: len(node.receiver.values) > 0)
        await until(lambda: len(node.problems) == 2)
    assert node.said() == [
        ("REST poller 'poller': the request failed", ProblemType.error),
        ("REST poller 'poller': works again", ProblemType.warning),
    ]
    assert node.problems[0].Details.startswith(f"{server.url}: HTTP 500")
    assert node.problems[0].Src == "d1.node"


async def test_the_watchdog_knows_it_and_gets_its_pats(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Message[Any]] = []
    async with answering(Counting()) as server:
        node = Node(server.url, session={"timeout": {"total": 7}})
        (monitored,) = node.actor.monitored_names
        assert (monitored.name, monitored.timeout_seconds) == ("poller", 27.0)
        send = node.send

        def note(message: Message[Any]) -> None:
            sent.append(message)
            send(message)

        monkeypatch.setattr(node, "send", note)
        async with node:
            await until(lambda: len(sent) > 3)
    assert {
        (m.Header.Src, m.Header.Dst) for m in sent if m.Header.MessageType.endswith("pat.internal")
    } == {("poller", KnownNames.watchdog_manager)}


async def test_one_that_is_not_to_be_monitored_polls_all_the_same() -> None:
    class Unmonitored(RESTPollerActor):
        @property
        def monitored_names(self) -> Sequence[MonitoredName]:
            return ()

    counting = Counting()
    counting.count = 10
    async with answering(counting) as server:
        node = Node(server.url)
        other = Unmonitored("other", node.services, settings(server.url), convert=reading)
        node.add_communicator(other)
        async with node:
            await until(lambda: other.poller.poll_count > 2)
        assert node.problems == []


async def test_a_converter_that_hangs_is_named_by_the_watchdog(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rest_poller, "CONVERT_SECONDS", 0.1)

    async def hang(response: RESTResponse) -> None:
        await asyncio.Event().wait()

    async with answering(Counting()) as server:
        node = Node(server.url, convert=hang, session={"timeout": {"total": 0.1}})
        with pytest.raises(WatchdogExpiredError, match="poller has given no sign of life"):
            await node.run_forever()


async def test_a_failure_ends_the_proactor_where_the_settings_say_so() -> None:
    counting = Counting()
    counting.status = 404
    async with answering(counting) as server:
        node = Node(server.url, errors={"request": {"raise_exception": True}})
        with pytest.raises(TaskDiedError, match=r"task .poll poller. died: PollError: .*HTTP 404"):
            await node.run_forever()


async def test_a_stop_breaks_off_a_poll() -> None:
    asked, never = asyncio.Event(), asyncio.Event()

    async def hang(request: web.Request) -> web.Response:
        asked.set()
        await never.wait()
        return web.Response()

    async with answering(hang) as server:
        async with Node(server.url) as node:
            await asked.wait()
        assert node.problems == []


async def test_it_takes_no_messages() -> None:
    async with answering(Counting()) as server, Node(server.url) as node:
        result = await node.await_processing(
            Message(Src="test", Dst="poller", Payload=Reading(Value=1))
        )
        assert "'poller' polls; it takes no test.reading" in str(result.err())


# What a hardware layout says


class GivenModel(BaseModel):
    """Settings in a model of another package."""

    request: dict[str, Any]
    poll_period_seconds: float = 77.0
    unset: str = ""


@dataclass
class Component:
    rest: object


class Layout:
    """A hardware layout with components."""

    def __init__(self, rest: object) -> None:
        self._component = Component(rest)

    def node(self, name: str) -> NamedNode:
        return NamedNode(name)

    def component(self, name: str) -> Component | None:
        return self._component if name == "poller" else None


@pytest.mark.parametrize("kind", ["ours", "theirs"])
async def test_settings_are_those_of_the_layouts_component(kind: str) -> None:
    async with answering(Counting()) as server:
        rest = settings(server.url) if kind == "ours" else GivenModel(request={"url": server.url})
        async with Node("", layout=Layout(rest)) as node:
            await until(lambda: node.receiver.values[:1] == [1])


@pytest.mark.parametrize("layout", [NamesOnly(), Layout(None)])
async def test_without_settings_there_is_no_poller(layout: Any) -> None:
    with pytest.raises(
        UsageError, match="REST poller 'poller' has no settings: pass them as `rest`"
    ):
        Node("", layout=layout)
