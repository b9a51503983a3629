"""An actor: a part of the application with a name, a mailbox, and a node in the hardware layout.

The proactor hands the messages of the mailbox to `process_message`, one at a time. So an actor has
no two things to do at once, and one that takes its time delays nobody but itself.
"""

from abc import ABC

from gwproactor.actors.communicator import Communicator
from gwproactor.errors import UsageError
from gwproactor.interfaces import ActorInterface, ServicesInterface
from gwproactor.layout import ShNode, checked_layout


class Actor(ActorInterface, Communicator, ABC):
    """All of `ActorInterface` but `process_message`. For the event loop's thread.

    An actor that only answers messages needs nothing more. One that has work of its own overrides
    `start`, `stop` and `join`, which the proactor calls with its own, or runs it with
    `services.io_loop_manager`.

    Args:
        name: Its name, unique in the proactor, and that of its node in the hardware layout.
        services: The proactor.

    Raises:
        UsageError: The hardware layout has no such node.
    """

    def __init__(self, name: str, services: ServicesInterface) -> None:
        super().__init__(name, services)
        self._node = _node_of(name, services.hardware_layout)

    @property
    def alias(self) -> str:
        """Another word for `name`."""
        return self._name

    @property
    def node(self) -> ShNode:
        """What the hardware layout knows of it."""
        return self._node

    def init(self) -> None:
        """Called by `load` after the constructor, so that what a derived class adds is there."""

    def start(self) -> None:
        """Called once, when the proactor starts."""

    def stop(self) -> None:
        """Called when the proactor stops, before its links are closed."""

    async def join(self) -> None:
        """Wait until nothing of it runs any more; called after `stop`."""


def _node_of(name: str, layout: object) -> ShNode:
    node = checked_layout(layout).node(name)
    if node is None:
        raise UsageError(
            f"the hardware layout has no node '{name}', as actors must have;"
            " derive it from Communicator where it is none"
        )
    return node
