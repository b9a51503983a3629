"""What the parts of a node know of each other: actors of the proactor, and it of them.

An actor is given the proactor as `ServicesInterface`: what it may ask and tell. The proactor knows
an actor as a `CommunicatorInterface`, something with a name that messages can be addressed to, and
as a `Runnable` where it is to be started and stopped with the proactor.

Unless a method says otherwise, it is for the event loop's thread.
"""

import asyncio
import importlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Protocol, TypeVar

from result import Result

from gwproactor.config.proactor import ProactorSettings
from gwproactor.errors import UsageError
from gwproactor.layout import HardwareLayout, ShNode
from gwproactor.logger import ProactorLogger
from gwproactor.stats import ProactorStats
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import EventBase

T = TypeVar("T")

ProcessResult = Result[bool, BaseException] | None
"""What a handler of messages returns: Ok, or Err with what went wrong, which is reported. None
stands for Ok."""

WebHandler = Callable[[Any], Awaitable[Any]]
"""Answers a request of the web server; of `aiohttp.web.Request` and `StreamResponse`, which are
not named here because the web server is an extra."""


@dataclass
class MonitoredName:
    """Something that the watchdog expects a sign of life from.

    Args:
        name: Its name; pats carry it as their sender.
        timeout_seconds: The longest time between two pats.
    """

    name: str
    timeout_seconds: float


class ExternalWatchdogBuilder(Protocol):
    """Makes the command that pats a watchdog outside the process."""

    @classmethod
    def pat_args(
        cls, service_name: str, args: list[str] | None = None, pid: int | None = None
    ) -> list[str]:
        """The command and its arguments; empty where there is nothing to pat."""
        ...


class ReceiveQueue(Protocol):
    """A queue of messages that the proactor reads; see `gwproactor.actors.queues.LoopEnd`."""

    async def put(self, item: Any, /) -> None:
        """Put a message in, and wait for room if there is none."""
        ...

    def put_nowait(self, item: Any, /) -> None:
        """Put a message in, if there is room."""
        ...


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
            UsageError: There is no such module or class, or it is no `ActorInterface`.
        """
        actor_class = _named_class(actor_class_name, module_name)
        actor: object = actor_class(name, services, **constructor_arguments)
        if not isinstance(actor, ActorInterface):
            raise UsageError(f"{actor_class!r} made {type(actor)!r}, which is no ActorInterface")
        actor.init()
        return actor


def _named_class(class_name: str, module: str | ModuleType) -> Callable[..., object]:
    """The actor class of that name; raises UsageError where there is none."""
    try:
        place = importlib.import_module(module) if isinstance(module, str) else module
    except ModuleNotFoundError as error:
        raise UsageError(f"actor class {class_name}: {error}; check the module's name") from error
    found = getattr(place, class_name, None)
    if found is None:
        raise UsageError(f"module {place.__name__} has no actor class {class_name}")
    if not (isinstance(found, type) and issubclass(found, ActorInterface)):
        raise UsageError(
            f"{class_name} in {place.__name__} is no actor: derive it from gwproactor.Actor"
        )
    return found


INVALID_IO_TASK_HANDLE = -1
"""No coroutine has this handle."""


class IOLoopInterface(CommunicatorInterface, Runnable, ABC):
    """Runs coroutines for those who do not want to own a task."""

    @abstractmethod
    def add_io_coroutine(self, coro: Coroutine[Any, Any, Any], name: str = "") -> int:
        """Run a coroutine as a task, from any thread; before the start, it waits for that.

        Args:
            coro: The coroutine.
            name: What its task is called.

        Returns:
            A handle for `cancel_io_routine`.
        """

    @abstractmethod
    def cancel_io_routine(self, handle: int) -> None:
        """Cancel a coroutine, from any thread; one that is over or unknown is nothing to cancel.

        Args:
            handle: What `add_io_coroutine` returned.
        """


class ServicesInterface(ABC):
    """What the proactor does for its actors."""

    # What there is

    @property
    @abstractmethod
    def publication_name(self) -> str:
        """The name under which the node sends: its long name."""

    @property
    @abstractmethod
    def settings(self) -> ProactorSettings:
        """What the proactor was told."""

    @property
    @abstractmethod
    def hardware_layout(self) -> HardwareLayout:
        """What the site consists of."""

    @property
    @abstractmethod
    def logger(self) -> ProactorLogger:
        """The proactor's log."""

    @property
    @abstractmethod
    def stats(self) -> ProactorStats:
        """What the proactor has counted."""

    @property
    @abstractmethod
    def event_loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop that it runs on; None before the start."""

    @property
    @abstractmethod
    def async_receive_queue(self) -> ReceiveQueue | None:
        """The queue whose messages are sent on by their `Dst`; None before the start."""

    @property
    @abstractmethod
    def io_loop_manager(self) -> IOLoopInterface:
        """Runs coroutines by handle."""

    @abstractmethod
    def get_communicator(self, name: str) -> CommunicatorInterface | None:
        """The communicator of that name, or None."""

    @abstractmethod
    def get_communicator_as_type(self, name: str, type_: type[T]) -> T | None:
        """The communicator of that name, or None.

        Raises:
            UsageError: It is not of that type.
        """

    @abstractmethod
    def get_external_watchdog_builder_class(self) -> type[ExternalWatchdogBuilder]:
        """What makes the command that pats a watchdog outside the process."""

    # What it does

    @abstractmethod
    def send(self, message: Message[Any]) -> None:
        """Send a message to the actor, or over the link, that its `Dst` names."""

    @abstractmethod
    async def await_processing(self, message: Message[Any]) -> Result[bool, BaseException]:
        """Send a message to the actor that its `Dst` names, and wait until it has dealt with it."""

    @abstractmethod
    def send_threadsafe(self, message: Message[Any]) -> None:
        """The same from any thread."""

    @abstractmethod
    def generate_event(self, event: EventBase) -> Result[bool, BaseException]:
        """Hand in an event for the upstream peer."""

    @abstractmethod
    def add_web_server_config(self, name: str, host: str, port: int, **kwargs: Any) -> None:
        """Add a web server, which is started with the proactor.

        Args:
            name: What routes call it.
            host: The address that it listens on.
            port: And the port.
            kwargs: Passed to the server.
        """

    @abstractmethod
    def add_web_route(
        self, server_name: str, method: str, path: str, handler: WebHandler, **kwargs: Any
    ) -> None:
        """Add a route to a web server, available after the start; without such a server, nothing.

        Args:
            server_name: The web server.
            method: The HTTP method.
            path: The path.
            handler: Answers the requests.
            kwargs: Passed to the route.
        """
