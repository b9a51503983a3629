"""A communicator: something of the application with a name, to which messages can be addressed."""

from abc import ABC
from collections.abc import Sequence
from typing import Any

from gwproactor.interfaces import CommunicatorInterface, MonitoredName, ServicesInterface
from gwproactor.wire.envelope import Message


class Communicator(CommunicatorInterface, ABC):
    """All of `CommunicatorInterface` but `process_message`. For the event loop's thread.

    Args:
        name: Its name, unique in the proactor.
        services: The proactor.
    """

    def __init__(self, name: str, services: ServicesInterface) -> None:
        super().__init__()
        self._name = name
        self._services = services

    @property
    def name(self) -> str:
        """Its name: the `Dst` of messages to it."""
        return self._name

    @property
    def services(self) -> ServicesInterface:
        """The proactor that it belongs to."""
        return self._services

    @property
    def monitored_names(self) -> Sequence[MonitoredName]:
        """What of it the watchdog monitors: nothing."""
        return ()

    def _send(self, message: Message[Any]) -> None:
        """Send a message; see `Proactor.send`. The name that the predecessor gave to this."""
        self._services.send(message)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name!r}>"
