"""Codecs and messages of the package `gridworks-protocol`, passed to this library as they are.

The package has names of its own, but brings what we do not depend on, so a node that uses it runs
in an environment of its own. The other end of the link is a node with the wire format's codec.
"""

import asyncio
import json
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from gwproactor import (
    AnyEvent,
    LinkSettings,
    Message,
    Proactor,
    ProactorSettings,
    ProblemEvent,
    ProblemType,
    ReceivedEvent,
    WireCodec,
    broker_from_url,
)
from gwproactor_test.brokers import AnyBroker
from gwproactor_test.link_pair import CHILD, CHILD_SHORT, PARENT, PARENT_SHORT, WAIT_SECONDS
from gwproactor_test.nodes import Acked, Event, NodeProcess, Problem

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".protocol-venv" / "bin" / "python"
SCRIPT = Path(__file__).with_name("protocol_node.py")

pytestmark = pytest.mark.usefixtures("needs_protocol")


class Power(BaseModel):
    """What the package calls PowerWatts, as somebody else may write it."""

    Watts: int
    TypeName: Literal["power.watts"] = "power.watts"
    Version: str = "000"


class OurEnd:
    """A node in this process, and what it received."""

    def __init__(self, role: str, broker: AnyBroker) -> None:
        own, own_short, peer, peer_short = (
            (CHILD, CHILD_SHORT, PARENT, PARENT_SHORT)
            if role == "child"
            else (PARENT, PARENT_SHORT, CHILD, CHILD_SHORT)
        )
        settings = LinkSettings(
            peer_name=peer,
            peer_short_name=peer_short,
            subscription_name=own_short,
            upstream=role == "child",
            downstream=role == "parent",
            brokers=(broker_from_url(broker.url),),
        )
        self.node = Proactor(own, ProactorSettings.without_environment())
        self.link = self.node.add_link(settings, WireCodec([Power]))
        self.messages: list[Message[Any]] = []
        self.events: dict[str, dict[str, Any]] = {}
        self.node.on_message(self._message)
        self.node.on_event(self._event)

    async def _message(self, message: Message[Any]) -> None:
        self.messages.append(message)

    async def _event(self, event: ReceivedEvent) -> None:
        self.events[event.event_id] = json.loads(event.payload)


def their_end(role: str, broker: AnyBroker) -> NodeProcess:
    command = (str(PYTHON), str(SCRIPT), "--role", role, "--broker", broker.url)
    return NodeProcess(command=command, environment={"PYTHONPATH": str(ROOT)})


async def until_acked(theirs: NodeProcess, *ids: str) -> None:
    await theirs.until(lambda: set(ids) <= set(theirs.ids(Acked)), f"acks of {ids}")


async def test_a_child_with_their_codec_and_messages(broker: AnyBroker) -> None:
    ours = OurEnd("parent", broker)
    async with ours.node, their_end("child", broker) as theirs:
        await theirs.wait_active()
        await until_acked(theirs, "m 1", "m 2", "e 1", "e 2", "e 3")
        assert [message.Payload.Watts for message in ours.messages] == [1, 2]
        assert [message.Header.Src for message in ours.messages] == [CHILD, CHILD]
        assert ours.events["e 1"]["Summary"] == "hot"
        assert ours.events["e 2"]["extra"] == [1, 2]
        assert {event["Src"] for event in ours.events.values()} == {CHILD}

        await ours.link.send(Power(Watts=3)).acked()
        heard = await theirs.wait(Event, lambda line: line.payload.get("Watts") == 3)
        assert heard.payload["class"] == "gwproto.PowerWatts"
        assert heard.payload["message"] == "gwproto.NodeMessage"
        assert theirs.of(Problem) == []


async def test_a_parent_with_their_codec(broker: AnyBroker) -> None:
    ours = OurEnd("child", broker)
    async with ours.node, their_end("parent", broker) as theirs:
        await theirs.wait_active()
        await until_acked(theirs, "m 1", "m 2")
        warning = ProblemEvent(
            MessageId="e 1", ProblemType=ProblemType.warning, Summary="hot", Details="very"
        )
        async with asyncio.timeout(WAIT_SECONDS):
            await ours.node.post_event(warning).acked()
            await ours.node.post_event(AnyEvent(MessageId="e 2", what=["ever"])).acked()
            await ours.link.send(Power(Watts=3)).acked()
        known = await theirs.wait(Event, lambda line: line.id == "e 1")
        assert known.payload["Details"] == "very"
        unknown = await theirs.wait(Event, lambda line: line.id == "e 2")
        assert unknown.payload["what"] == ["ever"]
        power = await theirs.wait(Event, lambda line: line.payload.get("Watts") == 3)
        assert power.payload["class"] == "gwproto.PowerWatts"
        assert theirs.of(Problem) == []
