"""What a proactor tells its log: what changes, what is wrong, and nothing while all is well."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel

from gwproactor.config.events import EventSettings
from gwproactor.config.logging import LoggingSettings
from gwproactor.config.paths import Paths
from gwproactor.config.proactor import ProactorSettings
from gwproactor.events.incoming import ReceivedEvent
from gwproactor.links.core.link_state import StateName
from gwproactor.links.link import Link
from gwproactor.logging_setup import close_logging, setup_logging
from gwproactor.runtime.proactor import Proactor
from gwproactor.wire.codec import WireCodec
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import AnyEvent
from gwproactor_test.brokers import AnyBroker
from gwproactor_test.clients import until
from gwproactor_test.proactor_pair import CHILD, PARENT, link_to_child, link_to_parent

SECONDS_A_DAY = 86400
MEGABYTE = 1_000_000


class Note(BaseModel):
    """A message of the test."""

    TypeName: Literal["of.test"] = "of.test"
    Text: str = ""


CODEC = WireCodec([Note])

STEADY = {"poll_seconds": 0.002, "ack_timeout_seconds": 60}
"""Pings as fast as they go; and no ack is late, however busy the machine."""


class Node(Proactor):
    """Takes messages and events, and counts them."""

    taken = 0

    async def process_event(self, event: ReceivedEvent) -> None:
        self.taken += 1

    async def process_message(self, message: Message[object]) -> None:
        self.taken += 1


def node(name: str, **logging_values: object) -> Node:
    return Node(
        name,
        ProactorSettings(
            events=EventSettings(folder=None),
            logging=LoggingSettings.model_validate({"base_log_name": "of_test"} | logging_values),
        ),
    )


def pair(url: str, poll_seconds: float = 60) -> tuple[Node, Node, Link]:
    """A parent, a child, and the child's link."""
    parent, child = node(PARENT), node(CHILD)
    parent.add_link(link_to_child(url, poll_seconds=poll_seconds), CODEC)
    return parent, child, child.add_link(link_to_parent(url, poll_seconds=poll_seconds), CODEC)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Everything that proactors say."""
    with caplog.at_level(logging.DEBUG, "of_test"):
        yield caplog


def said(log: pytest.LogCaptureFixture, logger: str) -> list[str]:
    return [r.getMessage() for r in log.records if r.name == f"of_test.{logger}"]


async def test_the_logger_is_that_of_the_settings() -> None:
    proactor = Proactor("a.b")
    assert proactor.logger.logger.name == "gridworks"
    assert proactor.logger.comm_event_logger.name == "gridworks.comm_event"
    assert proactor.services.logger is proactor.logger


async def test_a_library_is_silent_until_it_is_asked(capfd: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        proactor = node("a.b")
    handlers = proactor.logger.logger.handlers
    assert [type(handler) for handler in handlers] == [logging.NullHandler]


async def test_what_starts_and_stops_is_told(log: pytest.LogCaptureFixture) -> None:
    proactor = node("a.b")
    async with proactor:
        proactor.stop("enough")
    assert said(log, "lifecycle") == [
        "proactor a.b starts",
        "proactor a.b runs",
        "proactor a.b stops: enough",
        "proactor a.b has stopped",
    ]


async def test_web_servers_are_told_and_routes_that_have_none(
    log: pytest.LogCaptureFixture,
) -> None:
    async def answer(_: object) -> None:
        raise NotImplementedError

    proactor = node("a.b")
    proactor.add_web_server_config("state")
    proactor.add_web_server_config("off", enabled=False)
    for server, path in (("state", "/"), ("stats", "/b"), ("stats", "/a"), ("off", "/")):
        proactor.add_web_route(server, "GET", path, answer)
    async with proactor:
        url = proactor.web_server_url("state")
    assert said(log, "lifecycle")[1:4] == [
        f"web server 'state' listens on {url}",
        "web server 'stats' is not configured; its routes are not served: /a, /b",
        "web server 'off' is not enabled; its routes are not served: /",
    ]


async def test_what_is_wrong_is_told_with_its_lines(
    log: pytest.LogCaptureFixture,
) -> None:
    proactor = node("a.b")
    proactor.report_problem("It failed", "Traceback:\n  here")
    proactor.report_problem("It is odd", is_error=False)
    first, second = log.records
    assert (first.levelname, first.getMessage()) == ("ERROR", "It failed: Traceback:\n  here")
    assert second.levelname == "WARNING"


async def test_what_a_handler_fails_with_is_told_once(log: pytest.LogCaptureFixture) -> None:
    class Failing(Node):
        async def process_message(self, message: Message[object]) -> None:
            raise ValueError("broken")

    made = Failing("d1.a", ProactorSettings(logging=LoggingSettings(base_log_name="of_test")))
    async with made:
        made.send(Message(Src="a", Dst=made.name, Payload=Note()))
        await until(lambda: "failed with" in log.text)
    told = [one for one in log.records if "failed with" in one.getMessage()]
    assert len(told) == 1
    assert "ValueError: broken" in told[0].getMessage()


async def test_links_and_messages_are_told(
    broker: AnyBroker, log: pytest.LogCaptureFixture
) -> None:
    parent, child, link = pair(broker.url)
    async with parent, child:
        await link.wait_for(StateName.active, timeout_seconds=10)
        sent = link.send(Note(), ack_required=True)
        await sent.acked()
    changes = said(log, "comm_event")
    assert sum("--> active" in change for change in changes) == 2
    lines = said(log, "message_summary")
    assert any(line.startswith("OUT mqtt  ->") and "of-test" in line for line in lines)
    assert any(line.startswith("IN mqtt   <-") and line.endswith("of.test") for line in lines)
    assert any("gridworks-ack" in line for line in lines)


async def test_the_way_of_a_message_is_told(
    broker: AnyBroker, log: pytest.LogCaptureFixture
) -> None:
    parent, child, link = pair(broker.url)
    async with parent, child:
        await link.wait_for(StateName.active, timeout_seconds=10)
        await link.send(Note(), ack_required=True).acked()
    lines = said(log, "message_summary")
    at = lines.index(f"of.test from {CHILD}")
    assert lines[at - 1] == parent.logger.MESSAGE_ENTRY_DELIMITER
    assert parent.logger.MESSAGE_EXIT_DELIMITER in lines[at:]


async def test_the_log_of_a_steady_node_grows_by_less_than_a_megabyte_a_day(
    broker: AnyBroker, tmp_path: Path
) -> None:
    """A day's pings, and more, at a rate at which they take a moment: not a byte is written."""
    paths = Paths(log_dir=tmp_path)
    parent, child = (
        Node(name, ProactorSettings(paths=paths, events=EventSettings(folder=None)))
        for name in (PARENT, CHILD)
    )
    parent.add_link(link_to_child(broker.url, **STEADY), CODEC)
    link = child.add_link(link_to_parent(broker.url, **STEADY), CODEC)
    setup_logging(None, child.settings, add_screen_handler=False)
    handlers = logging.getLogger().handlers
    file = tmp_path / "proactor.log"

    def log_bytes() -> int:
        for handler in handlers:
            handler.flush()
        return file.stat().st_size

    try:
        async with parent, child:
            await link.wait_for(StateName.active, timeout_seconds=10)
            await until(lambda: parent.link(CHILD).active)
            at_start_bytes = await asyncio.to_thread(log_bytes)
            for number in range(300):
                await child.post_event(AnyEvent(Number=number)).acked()
                link.send(Note())
            await until(lambda: parent.taken >= 600)
            pings = child.stats.link(PARENT).num_received_by_type
            await until(lambda: pings["gridworks.ping"] >= 100)
            while_running_bytes = await asyncio.to_thread(log_bytes) - at_start_bytes
        at_end_bytes = await asyncio.to_thread(log_bytes)
    finally:
        close_logging()
    assert while_running_bytes == 0
    restarts_a_day = SECONDS_A_DAY / 300
    assert 0 < at_end_bytes * restarts_a_day < MEGABYTE, "even if both begin anew every 5 minutes"
