"""An actor whose work is done by a thread, because it blocks."""

from collections.abc import Awaitable, Sequence
from typing import Any, Generic, TypeVar

from gwproactor.actors.actor import Actor
from gwproactor.actors.sync_thread import SyncAsyncInteractionThread
from gwproactor.errors import NotRunningError, UsageError
from gwproactor.interfaces import MonitoredName, ProcessResult, ServicesInterface
from gwproactor.wire.envelope import Message

ThreadT = TypeVar("ThreadT", bound=SyncAsyncInteractionThread)


class SyncThreadActor(Actor, Generic[ThreadT]):
    """Starts and stops a thread with the proactor, and writes to it. For the loop's thread.

    The thread gets the actor's name, by which the watchdog and reports call it. What the thread
    writes goes where its messages are addressed to.

    Args:
        name: The actor's name.
        services: The proactor.
        sync_thread: The thread, not started yet.
    """

    def __init__(self, name: str, services: ServicesInterface, sync_thread: ThreadT) -> None:
        super().__init__(name, services)
        sync_thread.name = name
        self._sync_thread = sync_thread

    @property
    def monitored_names(self) -> Sequence[MonitoredName]:
        """The actor's name, where its thread shows that it is alive."""
        timeout = self._sync_thread.pat_timeout
        return [] if timeout is None else [MonitoredName(self.name, timeout)]

    def process_message(self, message: Message[Any]) -> ProcessResult | Awaitable[ProcessResult]:
        """Refuse it; to be overridden by an actor that messages are sent to."""
        raise UsageError(
            f"{type(self).__name__} '{self.name}' handles no messages, as a"
            f" {message.Header.MessageType}: override process_message"
        )

    def send_driver_message(self, message: Any) -> None:
        """Write to the thread; it gets it by `_handle_message`. Never waits.

        Raises:
            QueueFullError: The thread does not keep up; the message was not taken. With a
                `queue.Queue` it is a `queue.Full`.
            QueueClosedError: The thread has stopped.
            NotRunningError: Its channel has no queue to the thread.
        """
        self._sync_thread.put_to_sync_queue(message, block=False)

    def start(self) -> None:
        """Start the thread.

        Raises:
            NotRunningError: The proactor was not started.
        """
        loop, queue = self.services.event_loop, self.services.async_receive_queue
        if loop is None or queue is None:
            raise NotRunningError(f"the proactor of '{self.name}' was not started")
        self._sync_thread.set_async_loop_and_start(loop, queue)

    def stop(self) -> None:
        """Ask the thread to stop; it is woken from whatever it waits for here."""
        self._sync_thread.request_stop()

    async def join(self) -> None:
        """Wait until the thread has ended. Cancelling is safe."""
        await self._sync_thread.async_join()
