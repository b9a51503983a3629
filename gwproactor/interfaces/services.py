"""What an actor knows of the proactor: what it may ask, and what it may tell."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, TypeVar

from result import Result

from gwproactor.config.proactor import ProactorSettings
from gwproactor.config.tasks import TaskPolicy
from gwproactor.interfaces.actors import CommunicatorInterface, Runnable
from gwproactor.layout import HardwareLayout
from gwproactor.logger import ProactorLogger
from gwproactor.stats import ProactorStats
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import EventBase

T = TypeVar("T")

WebHandler = Callable[[Any], Awaitable[Any]]
"""Answers a request of the web server; of `aiohttp.web.Request` and `StreamResponse`, which are
not named here because the web server is an extra."""


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


Work = Callable[[], Coroutine[Any, Any, object]]
"""Makes the coroutine that a task runs; anew for each restart."""


class TaskInterface(Protocol):
    """A task that the proactor looks after; see `gwproactor.SupervisedTask`."""

    @property
    def done(self) -> bool:
        """Whether it is over, for good."""
        ...

    def cancel(self) -> None:
        """End it."""
        ...

    async def wait(self) -> None:
        """Wait until it is over, however it ended."""
        ...


INVALID_IO_TASK_HANDLE = -1
"""No coroutine has this handle."""


class IOLoopInterface(CommunicatorInterface, Runnable, ABC):
    """Runs coroutines for those who do not want to own a task."""

    @abstractmethod
    def add_io_coroutine(
        self,
        coro: Work | Coroutine[Any, Any, object],
        name: str = "",
        policy: TaskPolicy | None = None,
    ) -> int:
        """Run a coroutine as a task, from any thread; before the start, it waits for that.

        Args:
            coro: The coroutine, which runs once; or a function that makes it, so that it can be
                begun anew when it fails.
            name: What its task is called.
            policy: What becomes of it when it fails; that of the proactor when not given.

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
        """Send a message where its `Dst` says, and wait until an actor has dealt with it."""

    @abstractmethod
    def send_threadsafe(self, message: Message[Any]) -> None:
        """The same from any thread."""

    @abstractmethod
    def generate_event(self, event: EventBase) -> Result[bool, BaseException]:
        """Hand in an event for the upstream peer. From any thread."""

    @abstractmethod
    def add_task(
        self,
        task: "asyncio.Task[Any] | Work | Coroutine[Any, Any, object]",
        name: str = "",
        policy: TaskPolicy | None = None,
    ) -> TaskInterface:
        """Put a task under supervision: when it dies that is told, and `policy` says what follows.

        Args:
            task: A function that makes the coroutine to run, a coroutine, or a task.
            name: What reports call it.
            policy: What becomes of it when it fails.
        """

    @abstractmethod
    def report_problem(self, summary: str, details: str = "", is_error: bool = True) -> None:
        """Log a problem, and send it upstream as an event. From any thread."""

    @abstractmethod
    def pat_watchdog(self, name: str) -> None:
        """Tell the watchdog that a monitored name is alive. From any thread."""

    @abstractmethod
    def stop(self, reason: str = "stop called") -> None:
        """Ask the proactor to stop in good order. From any thread."""

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
