"""What a program can watch of its proactor as it happens."""

from gwproactor.events.store import EventRef
from gwproactor.links.core.link_state import Transition
from gwproactor.links.core.reupload_progress import ReuploadState
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

    def reupload_progressed(self, state: ReuploadState) -> None:
        """Events that had waited are being sent to the upstream peer.

        Comes when that begins, at most once a second while acks come, and when it is complete; an
        activation that ends before that never completes, and the next one begins anew.
        """

    def problem(self, event: ProblemEvent) -> None:
        """Something went wrong that a person should know of."""
