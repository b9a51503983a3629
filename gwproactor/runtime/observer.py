"""What a program can watch of its proactor as it happens."""

from gwproactor.events.store import EventRef
from gwproactor.links.link_state import Transition
from gwproactor.wire.payloads import ProblemEvent


class Observer:
    """Override what is of interest and pass an instance to `Proactor.observe`.

    Every method is called on the event loop, in the order in which things happen, and must not
    block. What one raises is logged and goes no further.
    """

    def link_transitioned(self, transition: Transition) -> None:
        """The comm state of a link changed."""

    def event_stored(self, event: EventRef) -> None:
        """An event of this node is durable, in the sense of the `durability` setting.

        Comes once for each time that the event was posted, always before `event_acked`.
        """

    def event_acked(self, event: EventRef) -> None:
        """The upstream peer has acknowledged an event; it will not be sent again."""

    def problem(self, event: ProblemEvent) -> None:
        """Something went wrong that a person should know of."""
