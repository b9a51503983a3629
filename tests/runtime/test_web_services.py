"""The web servers of a proactor: joined to its start, its stop, its events and its problems."""

import asyncio
import socket

import aiohttp
import pytest
from aiohttp import web

from gwproactor.config.events import EventSettings
from gwproactor.config.link import LinkSettings
from gwproactor.config.proactor import ProactorSettings
from gwproactor.errors import ListenError, PortTakenError, UsageError
from gwproactor.events.incoming import ReceivedEvent
from gwproactor.runtime.proactor import Proactor
from gwproactor.wire.payloads import AnyEvent
from gwproactor_test.brokers import AnyBroker
from gwproactor_test.clients import until
from gwproactor_test.problem_notes import ProblemNotes

SECONDS = 10.0


def link(own: str, peer: str, url: str, **values: bool) -> LinkSettings:
    return LinkSettings(
        peer_name=f"d1.{peer}",
        peer_short_name=peer,
        subscription_name=own,
        brokers=(url,),
        **values,
    )


async def test_what_a_request_hands_in_reaches_the_peer(broker: AnyBroker) -> None:
    async def take(request: web.Request) -> web.Response:
        ticket = await child.store_event(
            AnyEvent(TypeName="gridworks.event.reading", **await request.json())
        )
        return web.Response(text=ticket.event_id)

    async def fail(request: web.Request) -> web.Response:
        raise ValueError("not today")

    received: list[ReceivedEvent] = []
    parent, child = Proactor("d1.p"), Proactor("d1.c")

    @parent.on_event
    async def note(event: ReceivedEvent) -> None:
        received.append(event)

    parent.add_link(link("p", "c", broker.url, downstream=True))
    child.add_link(link("c", "p", broker.url, upstream=True))
    child.add_web_route("readings", "POST", "/", take)
    child.add_web_route("readings", "DELETE", "/", fail)
    child.add_web_server_config("readings")
    async with parent, child, aiohttp.ClientSession() as client:
        url = child.web_server_url("readings")
        assert url == f"http://127.0.0.1:{child.web_server_port('readings')}"
        async with client.post(url, json={"Celsius": 21.5}) as response:
            event_id = await response.text()
        async with client.delete(url) as response:
            assert response.status == 500
        await until(lambda: any(event.event_id == event_id for event in received))
        await until(lambda: any(b"the handler of DELETE / failed" in e.payload for e in received))


async def test_a_taken_port_ends_the_start() -> None:
    proactor = Proactor("d1.a")
    problems = ProblemNotes(proactor)
    with socket.create_server(("127.0.0.1", 0)) as other:
        proactor.add_web_server_config("state", "127.0.0.1", other.getsockname()[1])
        with pytest.raises(PortTakenError, match="is taken by another program"):
            async with proactor:
                pytest.fail("it started")
    assert problems.summaries() == ["web servers could not start"]


async def test_a_host_of_nobody_ends_the_start() -> None:
    proactor = Proactor("d1.a")
    proactor.add_web_server_config("state", "192.0.2.1", 0)
    with pytest.raises(ListenError, match="this machine has no such address"):
        await proactor.run_forever()


async def test_what_was_asked_before_the_stop_is_stored_before_it() -> None:
    """The last answer comes before the shutdown event, and its event is kept."""
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def take(request: web.Request) -> web.Response:
        asked.set()
        await may_answer.wait()
        await proactor.store_event(AnyEvent(TypeName="gridworks.event.reading"))
        return web.Response(text="stored")

    proactor = Proactor("d1.c", ProactorSettings(events=EventSettings(), stop_seconds=SECONDS))
    proactor.add_link(link("c", "p", "mqtt://127.0.0.1:1", upstream=True))
    proactor.add_web_server_config("readings")
    proactor.add_web_route("readings", "POST", "/", take)
    async with proactor, aiohttp.ClientSession() as client:
        asking = asyncio.create_task(client.post(proactor.web_server_url("readings")))
        await asked.wait()
        proactor.stop()
        may_answer.set()
        async with await asking as response:
            assert await response.text() == "stored"


async def test_routes_and_servers_are_added_before_the_start() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response()

    async with Proactor("d1.a") as proactor:
        with pytest.raises(UsageError, match="before the proactor starts"):
            proactor.add_web_route("state", "GET", "/", answer)
        with pytest.raises(UsageError, match="before the proactor starts"):
            proactor.add_web_server_config("state")
