"""Where a node hands in its events: those of the application, and those that tell of its links.

An event is checked here, so that its maker can still be told, and goes to what keeps events. What
happens to links becomes events too, a moment later (`gwproactor.links.comm_events`); before any
other event is handed in, those that are due are made, so that the peer hears of things in the order
in which they happened.
"""

import logging
import time
from collections.abc import Callable

from result import Err, Ok, Result

from gwproactor.config.link import LinkSettings
from gwproactor.errors import GwproactorError, UsageError
from gwproactor.events.tickets import EventTicket
from gwproactor.links.comm_events import CommEvents
from gwproactor.links.core.event_payload import event_payload
from gwproactor.links.core.link_state import Transition
from gwproactor.links.core.reupload_progress import ReuploadProgress, ReuploadState
from gwproactor.links.event_pump import EventStoreSource
from gwproactor.stats import ProactorStats
from gwproactor.wire.payloads import EventBase, ProblemEvent

OWN_EVENTS_SHARE = 0.9
"""Up to so full a store the node's own events are kept. A link that comes and goes for days makes
many; they must not take the room that the application's events need."""

_LOGGER = logging.getLogger(__name__)


class EventDesk:
    """Takes the events of one node. For the event loop's thread.

    Args:
        source: Long name of the node.
        store: Keeps the events and hands them to the upstream link; None where there are none.
        max_bytes: The size of the store in bytes.
        upstream: Tells the settings of the upstream link, or None where there is none.
        stats: Counts re-uploads: how often events that had waited began to be sent, and how often
            all of those were acknowledged.
    """

    def __init__(
        self,
        source: str,
        store: EventStoreSource | None,
        max_bytes: int,
        upstream: Callable[[], LinkSettings | None],
        stats: ProactorStats,
    ) -> None:
        self._source = source
        self._store = store
        self._own_bytes = OWN_EVENTS_SHARE * max_bytes
        self._upstream = upstream
        self._stats = stats
        self._comm_events = CommEvents(source, self.generate_own)
        self._reuploading = False
        self.on_reupload: Callable[[ReuploadState], None] | None = None
        """Told of the beginning of a re-upload, its completion, and at times of its progress."""
        self.reupload: ReuploadProgress | None = None
        """The last re-upload; None before the first one. One that was cut short never completes."""

    @property
    def pending_count(self) -> int:
        """How many events the upstream peer has not acknowledged."""
        return 0 if self._store is None else self._store.pending_count

    @property
    def in_flight_count(self) -> int:
        """How many of them were sent since the link became active."""
        return 0 if self._store is None else self._store.in_flight_count

    def post(
        self, event: EventBase, *, tag: str = "", urgent: bool = True, priority: int = 0
    ) -> EventTicket:
        """Hand in an event for the upstream peer.

        Events of one `Src` are sent in the order of these calls; several sources take turns.

        Args:
            event: The event; its `Src` is this node where it has none.
            tag: A small word to get back with the event, in later runs too.
            urgent: Make it durable at once; otherwise within the commit interval (20 ms).
            priority: What it is worth, -99 to 99, where the full store drops the lowest first.

        Raises:
            StoreFullError: The size limit is reached, or the disk takes nothing; it is not kept.
            NotRunningError: Events are not kept yet, or no longer.
            UsageError: There is no upstream link, or nothing that keeps events; or it is no event,
                or one that JSON cannot hold or the peer must refuse.
        """
        upstream = self._upstream()
        if upstream is None:
            raise UsageError(f"{self._source} has no upstream link that events could go to")
        if self._store is None:
            raise UsageError(f"{self._source} has no event_persister to keep events")
        payload = event_payload(event, self._source, upstream)
        self.flush()
        source = event.Src or self._source
        return self._store.post(
            event.MessageId, payload, tag, urgent=urgent, source=source, priority=priority
        )

    def generate(self, event: EventBase, *, urgent: bool = True) -> Result[bool, BaseException]:
        """Hand in an event that nobody waits for, and return instead of raising.

        Args:
            event: The event.
            urgent: See `post`.

        Returns:
            Ok(True); Ok(False) where there is no upstream link, so that the event goes nowhere;
            Err with the exception that `post` raises.
        """
        if self._upstream() is None:
            return Ok(False)
        try:
            self.post(event, urgent=urgent)
        except GwproactorError as error:
            return Err(error)
        return Ok(True)

    def generate_own(self, event: EventBase) -> None:
        """Hand in an event that the node itself has made, as long as there is room for such."""
        if self._store is None:
            return
        if self._store.pending_bytes > self._own_bytes and not self._tells_of_drops(event):
            _LOGGER.warning("%s was not kept: the rest of the store is the application's", event)
            return
        match self.generate(event, urgent=False):
            case Err(error):
                _LOGGER.warning("%s was not kept: %s", event.TypeName, error)

    def _tells_of_drops(self, event: EventBase) -> bool:
        """Whether it is a problem where room is made by dropping, which the peer must hear of."""
        dropping = self._store is not None and self._store.dropped_count > 0
        return dropping and isinstance(event, ProblemEvent)

    def transitioned(self, transition: Transition) -> None:
        """Tell the upstream peer of a transition, or of a failed attempt to connect."""
        upstream = self._upstream()
        if self._store is None or upstream is None:
            return
        self._comm_events.add(transition)
        if transition.link_name != upstream.link_name:
            return
        if transition.activated():
            self._begin_reupload(upstream.link_name, self._store.unacked_count)
        elif transition.deactivated():
            self._reuploading = False

    def _begin_reupload(self, link_name: str, count: int) -> None:
        self._reuploading = count > 0
        if self._reuploading:
            self.reupload = ReuploadProgress(count, time.monotonic(), link_name)
            self._stats.link(link_name).start_reupload()
            _LOGGER.info("%s: re-upload of %d events began", link_name, count)
            self._tell_progress(self.reupload)

    def acked(self) -> None:
        """Take note that the upstream peer may have acknowledged an event."""
        upstream = self._upstream()
        if not self._reuploading or self._store is None or upstream is None:
            return
        if self.reupload is None:
            return
        progress, now = self.reupload, time.monotonic()
        line = progress.note(self._store.backlog_count, now, self._store.backlog_sent_count)
        if line:
            _LOGGER.info("%s: %s", upstream.link_name, line)
        if progress.completed:
            self._reuploading = False
            self._stats.link(upstream.link_name).complete_reupload()
        if progress.is_to_be_observed(now):
            self._tell_progress(progress)

    def _tell_progress(self, progress: ReuploadProgress) -> None:
        state = progress.state
        self._stats.link(state.link_name).reupload_counts.note(state)
        if self.on_reupload is not None:
            self.on_reupload(state)

    def flush(self) -> None:
        """Hand in the events of all transitions so far."""
        self._comm_events.flush()

    def discard(self) -> None:
        """Forget what transitions have not become events yet."""
        self._comm_events.discard()
