"""What the proactor knows of an actor: a name that messages can be addressed to, and its life."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from result import Result

from gwproactor.errors import UsageError
from gwproactor.interfaces.loading import made_by_name
from gwproactor.layout import ShNode
from gwproactor.wire.envelope import Message

if TYPE_CHECKING:
    from gwproactor.interfaces.services import ServicesInterface

ProcessResult = Result[bool, BaseException] | None
"""What a handler of messages returns: Ok, or Err with what went wrong, which is reported. None
stands for Ok."""


@dataclass
class MonitoredName:
    """Something that the watchdog expects a sign of life from.

    Args:
        name: Its name; pats carry it as their sender.
        timeout_seconds: The longest time between two pats.
    """

    name: str
    timeout_seconds: float


class Runnable(ABC):
    """Something that is started, stopped and joined."""

    @abstractmethod
    def start(self) -> None:
        """Start; returns at once."""

    @abstractmethod
    def stop(self) -> None:
        """Ask it to stop; `join` waits for that."""

    @abstractmethod
    async def join(self) -> None:
        """Wait until it has stopped. Cancelling is safe."""

    async def stop_and_join(self) -> None:
        """Ask it to stop, and wait until it has."""
        self.stop()
        await self.join()


class CommunicatorInterface(ABC):
    """Something with a name that messages can be addressed to."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Its name, unique in the proactor: the `Dst` of messages to it."""

    @property
    @abstractmethod
    def services(self) -> "ServicesInterface":
        """The proactor that it belongs to."""

    @property
    @abstractmethod
    def monitored_names(self) -> Sequence[MonitoredName]:
        """What of it the watchdog monitors."""

    @abstractmethod
    def process_message(self, message: Message[Any]) -> ProcessResult | Awaitable[ProcessResult]:
        """Deal with a message that was addressed to it; a plain method or a coroutine.

        It is called for one message at a time, in the order in which they came. What it raises,
        or returns as Err, becomes a problem event.
        """


class ActorInterface(CommunicatorInterface, Runnable, ABC):
    """A part of the application with a name, a mailbox, and a node in the hardware layout."""

    @property
    @abstractmethod
    def alias(self) -> str:
        """Another word for `name`."""

    @property
    @abstractmethod
    def node(self) -> ShNode:
        """What the hardware layout knows of it."""

    @abstractmethod
    def init(self) -> None:
        """Called by `load` after the constructor, so that what a derived class adds is there."""

    @classmethod
    def load(
        cls,
        name: str,
        actor_class_name: str,
        services: "ServicesInterface",
        module_name: str | ModuleType,
        **constructor_arguments: Any,
    ) -> "ActorInterface":
        """Make an actor of a class that is known by its name, and call its `init`.

        Args:
            name: The actor's name.
            actor_class_name: The class, as it is called in the module.
            services: The proactor.
            module_name: The module, or its name; one that is not loaded is imported.
            constructor_arguments: Passed to the class after `name` and `services`.

        Raises:
            UsageError: There is no such module or class, it cannot be imported, or it is no actor.
            Exception: What the class itself raises, with a note that says of which actor.
        """
        actor = made_by_name(
            ActorInterface, actor_class_name, module_name, name, services, **constructor_arguments
        )
        if not isinstance(actor, ActorInterface):  # a class may make what it likes
            raise UsageError(f"{actor_class_name} made {actor!r}, which is no ActorInterface")
        actor.init()
        return actor
