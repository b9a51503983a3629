"""What an actor has by itself; how the proactor runs it is tested in tests/runtime/test_mail.py."""

from typing import Any, cast

import pytest

from gwproactor.actors.actor import Actor
from gwproactor.actors.communicator import Communicator
from gwproactor.errors import UsageError
from gwproactor.interfaces import ActorInterface, ServicesInterface
from gwproactor.layout import NamedNode, NamesOnly
from gwproactor.wire.envelope import Message


class Layout:
    """Knows one node."""

    def __init__(self) -> None:
        self.relay = NamedNode("relay")

    def node(self, name: str, /) -> NamedNode | None:
        return self.relay if name == "relay" else None


class Services:
    """As much of a proactor as an actor needs that sends something."""

    def __init__(self, layout: object) -> None:
        self.hardware_layout = layout
        self.sent: list[Message[Any]] = []

    def send(self, message: Message[Any]) -> None:
        self.sent.append(message)


class Relay(Actor):
    def process_message(self, message: Message[Any]) -> None:
        self._send(message)


def services(layout: object) -> ServicesInterface:
    return cast("ServicesInterface", Services(layout))


async def test_an_actor_has_a_name_a_node_and_its_services() -> None:
    layout = Layout()
    given = services(layout)
    relay = ActorInterface.load("relay", "Relay", given, __name__)
    assert isinstance(relay, Relay)
    assert (relay.name, relay.alias) == ("relay", "relay")
    assert relay.node is layout.relay
    assert relay.services is given
    assert list(relay.monitored_names) == []
    relay.start()
    await relay.stop_and_join()


def test_an_actor_sends_by_its_services() -> None:
    given = Services(NamesOnly())
    message = Message[Any](Src="a", Payload=1, MessageType="number")
    Relay("any", cast("ServicesInterface", given)).process_message(message)
    assert given.sent == [message]


def test_a_name_without_a_node_is_refused() -> None:
    with pytest.raises(UsageError, match="no node 'other'"):
        Relay("other", services(Layout()))


def test_a_layout_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="str has none"):
        Relay("relay", services("a file's name"))


def test_a_communicator_needs_no_node() -> None:
    class Listener(Communicator):
        def process_message(self, message: Message[Any]) -> None:
            raise NotImplementedError

    listener = Listener("ears", services(None))
    assert (listener.name, list(listener.monitored_names)) == ("ears", [])
    assert repr(listener) == "<Listener 'ears'>"
