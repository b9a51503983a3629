"""The links of a node and its events: how they are handed in for the upstream peer, and counted."""

from result import Result

from gwproactor.events.tickets import EventTicket
from gwproactor.links.event_desk import EventDesk
from gwproactor.links.manager.named_links import NamedLinks
from gwproactor.wire.payloads import EventBase


class EventLinks(NamedLinks):
    """Links, one of which may lead to where this node's events go. For the event loop's thread."""

    events: EventDesk
    """Where events for the upstream peer are handed in."""

    def post_event(
        self, event: EventBase, *, tag: str = "", urgent: bool = True, priority: int = 0
    ) -> EventTicket:
        """Hand in an event for the upstream peer; see `EventDesk.post`."""
        return self.events.post(event, tag=tag, urgent=urgent, priority=priority)

    def generate_event(self, event: EventBase) -> Result[bool, BaseException]:
        """Hand in an event that nobody waits for; see `EventDesk.generate`."""
        return self.events.generate(event)

    @property
    def num_pending(self) -> int:
        """How many events the upstream peer has not acknowledged."""
        return self.events.pending_count

    @property
    def num_reuploaded_unacked(self) -> int:
        """How many events were sent since the link became active, and are not acknowledged."""
        return self.events.in_flight_count

    @property
    def num_reupload_pending(self) -> int:
        """How many events wait for their turn on the active link; none while it is not active."""
        upstream = self.upstream
        if upstream is None or not upstream.active:
            return 0
        return self.num_pending - self.num_reuploaded_unacked

    def reuploading(self) -> bool:
        """Whether events wait for their turn on the active upstream link."""
        return self.num_reupload_pending > 0

    def get_reuploads_str(self, verbose: bool = True, num_events: int = 5) -> str:
        """The counts of events as a text.

        Args:
            verbose: Say more than the two counts.
            num_events: Kept for its name: events are not listed, for there may be a million.
        """
        del num_events
        text = (
            f"Reuploads: {self.num_reupload_pending} pending, {self.num_reuploaded_unacked} unacked"
        )
        state = self.link_state(self.upstream_client) or "missing"
        return f"{text}; {self.num_pending} events in all, upstream {state}" if verbose else text
