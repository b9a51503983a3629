"""Loading an actor by the name of its class; the rest of the interfaces does nothing."""

import sys
from collections.abc import Sequence
from typing import Any

import pytest

from gwproactor.errors import UsageError
from gwproactor.interfaces import ActorInterface, MonitoredName, Runnable, ServicesInterface
from gwproactor.layout import NamedNode, ShNode
from gwproactor.wire.envelope import Message

HERE = sys.modules[__name__]


class Relay(ActorInterface):
    """An actor that implements everything by itself."""

    def __init__(self, name: str, services: ServicesInterface, pin: int = 0) -> None:
        self._name = name
        self._services = services
        self.pin = pin
        self.was_init = False

    @property
    def name(self) -> str:
        return self._name

    @property
    def alias(self) -> str:
        return self._name

    @property
    def node(self) -> ShNode:
        return NamedNode(self._name)

    @property
    def services(self) -> ServicesInterface:
        return self._services

    @property
    def monitored_names(self) -> Sequence[MonitoredName]:
        return []

    def init(self) -> None:
        self.was_init = True

    def process_message(self, message: Message[Any]) -> None:
        raise NotImplementedError

    def start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    async def join(self) -> None:
        raise NotImplementedError


class NoActor:
    def __init__(self, name: str, services: ServicesInterface) -> None:
        raise NotImplementedError


SERVICES: Any = object()


@pytest.mark.parametrize("module", [HERE, __name__])
def test_an_actor_is_loaded_by_the_name_of_its_class(module: Any) -> None:
    actor = Relay.load("relay1", "Relay", SERVICES, module)
    assert isinstance(actor, Relay)
    assert (actor.name, actor.services, actor.was_init) == ("relay1", SERVICES, True)


def test_further_arguments_go_to_the_class() -> None:
    actor = ActorInterface.load("relay1", "Relay", SERVICES, HERE, pin=7)
    assert isinstance(actor, Relay)
    assert actor.pin == 7


@pytest.mark.parametrize(
    ("class_name", "module", "said"),
    [
        ("Relay", "gwproactor.no_such_module", "no_such_module"),
        ("Rely", HERE, "no actor class Rely"),
        ("NoActor", HERE, "derive it from gwproactor.Actor"),
        ("SERVICES", HERE, "derive it from gwproactor.Actor"),
    ],
)
def test_what_cannot_be_loaded_is_named(class_name: str, module: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        ActorInterface.load("relay1", class_name, SERVICES, module)


async def test_stop_and_join_does_both() -> None:
    class Machine(Runnable):
        def __init__(self) -> None:
            self.calls: list[str] = []

        def start(self) -> None:
            self.calls.append("start")

        def stop(self) -> None:
            self.calls.append("stop")

        async def join(self) -> None:
            self.calls.append("join")

    machine = Machine()
    machine.start()
    await machine.stop_and_join()
    assert machine.calls == ["start", "stop", "join"]
