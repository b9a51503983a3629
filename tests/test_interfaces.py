"""Loading an actor by the name of its class; the rest of the interfaces does nothing."""

import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gwproactor.errors import UsageError
from gwproactor.interfaces import ActorInterface, MonitoredName, Runnable, ServicesInterface
from gwproactor.layout import NamedNode, ShNode
from gwproactor.wire.envelope import Message

HERE = sys.modules[__name__]


class Relay(ActorInterface):
    """An actor that implements everything by itself."""

    def __init__(
        self, name: str, services: ServicesInterface, pin: int = 0, **options: str
    ) -> None:
        self._name = name
        self.options = options
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
    actor = ActorInterface.load("relay1", "Relay", SERVICES, HERE, pin=7, module="any name will do")
    assert isinstance(actor, Relay)
    assert (actor.pin, actor.options) == (7, {"module": "any name will do"})


class Half(Relay, ABC):
    @abstractmethod
    def switch(self) -> None: ...


class Broken(Relay):
    def __init__(self, name: str, services: ServicesInterface) -> None:
        raise OSError("no such device")


class Odd(Relay):
    def __new__(cls, *_arguments: object) -> Any:
        return object()


@pytest.mark.parametrize(
    ("class_name", "module", "said"),
    [
        ("Relay", "gwproactor.no_such_module", "'gwproactor.no_such_module' .*there is none"),
        ("Relay", "no_such_package.module", "there is none; check its name"),
        ("Relay", "", "module '' cannot be imported: ValueError"),
        ("Relay", ".relative", "TypeError"),
        ("Rely", HERE, "no such class"),
        ("NoActor", HERE, "derive it from gwproactor.Actor"),
        ("SERVICES", HERE, "derive it from gwproactor.Actor"),
        ("Half", HERE, "it is abstract; give it switch"),
    ],
)
def test_what_cannot_be_loaded_is_named(class_name: str, module: Any, said: str) -> None:
    with pytest.raises(UsageError, match=f"actor 'relay1', class {class_name}.*{said}"):
        ActorInterface.load("relay1", class_name, SERVICES, module)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import no_such_thing", "No module named 'no_such_thing'"),
        ("from sys import no_such_name", "ImportError"),
        ("class :", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_module_that_fails_by_itself_is_told_from_one_that_is_missing(
    source: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "failing_actors.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsageError, match=f"'failing_actors' cannot be imported: .*{said}"):
        ActorInterface.load("relay1", "Relay", SERVICES, "failing_actors")


def test_a_class_that_makes_something_else_is_refused() -> None:
    with pytest.raises(UsageError, match="Odd made <object"):
        ActorInterface.load("relay1", "Odd", SERVICES, HERE)


def test_what_a_constructor_raises_says_of_which_actor() -> None:
    with pytest.raises(OSError, match="no such device") as found:
        ActorInterface.load("relay1", "Broken", SERVICES, HERE)
    assert found.value.__notes__ == ["raised by the constructor of actor 'relay1', class Broken"]
    with pytest.raises(TypeError, match="colour") as wrong:
        ActorInterface.load("relay1", "Broken", SERVICES, HERE, colour="red")
    assert "actor 'relay1'" in wrong.value.__notes__[0]


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
