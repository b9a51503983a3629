"""What a proactor does with the events of its own node: posting them, and waiting for them."""

import asyncio
from concurrent.futures import Future

from result import Err, Ok, Result

from gwproactor.errors import GwproactorError, NotRunningError, StoreError, StoreFullError
from gwproactor.events.counted_reports import CountedReports
from gwproactor.events.tickets import EventTicket
from gwproactor.links.core.reupload_progress import ReuploadProgress
from gwproactor.links.manager.link_manager import LinkManager
from gwproactor.runtime.event_flow import EventFlow
from gwproactor.runtime.event_hatch import EventHatch
from gwproactor.runtime.home_loop import HomeLoop
from gwproactor.wire.payloads import EventBase
from gwproactor.wire.timing import checked_timeout


class OwnEvents:
    """The part of a proactor that is about events for the upstream peer.

    Everything is for the event loop's thread, but for what says otherwise.
    """

    _events: EventFlow
    _links: LinkManager
    _hatch: EventHatch
    _home: HomeLoop
    _rejections: CountedReports

    def post_event(
        self, event: EventBase, *, tag: str = "", urgent: bool = True, priority: int = 0
    ) -> EventTicket:
        """Hand in an event for the upstream peer.

        Events of one `Src` are sent in the order of these calls; several sources take turns.

        Args:
            event: The event; its `Src` is this node where it has none.
            tag: A small word that observers get back with the event, in later runs too.
            urgent: Make it durable at once; otherwise within the commit interval (20 ms).
            priority: What it is worth, -99 to 99, where the full store drops the lowest first.

        Returns:
            A ticket: `await ticket.stored()` returns when the event is durable, and
            `await ticket.acked()` when the peer has it.

        Raises:
            StoreFullError: The size limit is reached, or the disk takes nothing; it is not kept.
            NotRunningError: The proactor is not started, or stopped.
            UsageError: There is no upstream link, or it is no event, or one that JSON cannot hold
                or the peer must refuse; or the caller is on another thread.
        """
        self._home.check("post_event", "generate_event_threadsafe")
        try:
            return self._links.post_event(event, tag=tag, urgent=urgent, priority=priority)
        except StoreFullError as error:
            self._note_rejection(event, error)
            raise

    def generate_event(self, event: EventBase) -> Result[bool, BaseException]:
        """Hand in an event that nobody waits for, and return instead of raising.

        It is sent at once and durable within the commit interval. See `post_event` for the rest.
        From any thread: from another one the event goes the way of `generate_event_threadsafe`, and
        what is wrong with it then becomes a problem event.

        Returns:
            Ok(True); Ok(False) where there is no upstream link, so that the event goes nowhere;
            Err with the exception that `post_event` raises.
        """
        if self._home.is_elsewhere:
            return self._give(event)
        outcome = self._links.generate_event(event)
        if isinstance(outcome, Err) and not isinstance(outcome.err_value, NotRunningError):
            self._note_rejection(event, outcome.err_value)
        return outcome

    def _give(self, event: EventBase) -> Result[bool, BaseException]:
        if not self._links.upstream_client:
            return Ok(False)
        try:
            self._hatch.give(event)
        except GwproactorError as error:
            return Err(error)
        return Ok(True)

    def _reject(self, event: EventBase, error: BaseException) -> None:
        """Take note of an event of another thread that was not kept."""
        if not isinstance(error, StoreFullError):  # which `post_event` has noted
            self._note_rejection(event, error)

    def _note_rejection(self, event: EventBase, error: BaseException) -> None:
        name = getattr(event, "MessageId", "") or type(event).__name__
        self._rejections.note(f"{name}: {error}")

    async def store_event(self, event: EventBase, *, tag: str = "") -> EventTicket:
        """Hand in an event, and wait until it is durable.

        Cancelling is safe: the event is stored and sent all the same.

        Returns:
            Its ticket: `await ticket.acked()` returns when the peer has it.

        Raises:
            StoreError: It was refused, or could not be stored before the proactor stopped.
            NotRunningError: See `post_event`.
            UsageError: See `post_event`.
        """
        ticket = self.post_event(event, tag=tag)
        await ticket.stored()
        return ticket

    def generate_event_threadsafe(self, event: EventBase) -> "Future[None]":
        """Hand in an event from any thread. It never waits; events of a thread keep their order.

        On the loop's own thread use `generate_event`: waiting there for what this returns would
        hold up the loop that it waits for.

        Returns:
            Done when the event is durable; it has the exception of `store_event` otherwise.

        Raises:
            NotRunningError: The proactor is not started, or stopped.
            StoreFullError: 10,000 events wait for the loop already; the event is not kept.
        """
        return self._hatch.put(event)

    @property
    def pending_event_count(self) -> int:
        """How many events of this node the upstream peer has not acknowledged."""
        return self._events.outgoing.pending_count

    @property
    def stored_event_count(self) -> int:
        """How many of them are durable; after the stop, what the next run will send."""
        return self._events.outgoing.stored_count

    @property
    def dropped_event_count(self) -> int:
        """How many events the full store has dropped since the start; see `when_full`."""
        return self._events.outgoing.dropped_count

    @property
    def rejected_event_count(self) -> int:
        """How many events were handed in since the start and not kept, for want of room mostly.

        Whoever handed one in was told so, by an exception or an `Err`; and every so often a problem
        is reported that counts them.
        """
        return self._rejections.count

    @property
    def refused_event_count(self) -> int:
        """How many events were set aside since the start because the peer never takes them."""
        return self._events.outgoing.refused_count

    @property
    def reupload(self) -> ReuploadProgress | None:
        """How far the last re-upload has come; None before the first one. To be read."""
        return self._links.events.reupload

    def hold_events(self) -> None:
        """Send no events until `release_events`; for a program that cannot keep up with acks.

        Events can still be posted and become durable; links stay as they are.
        """
        self._events.outgoing.hold()

    def release_events(self) -> None:
        """Go on sending after `hold_events`."""
        self._events.outgoing.release()

    async def flush_events(self, timeout_seconds: float | None = None) -> None:
        """Wait until every event posted so far is durable. Cancelling is safe.

        Args:
            timeout_seconds: The longest wait, zero or less for a mere look; None for as long as it
                takes.

        Raises:
            UsageError: It is no number of seconds.
            StoreError: The disk does not take them, or not in time; they are kept in memory and
                tried again.
        """
        timeout_seconds = checked_timeout(timeout_seconds)
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._events.outgoing.flush()
        except TimeoutError:
            count = self.pending_event_count - self.stored_event_count
            raise StoreError(
                f"{count} events are not durable after {timeout_seconds:g} s:"
                f" {self._events.outgoing.trouble or 'the disk is slow'}"
            ) from None

    async def all_events_acked(self) -> None:
        """Wait until no event is pending. Cancelling is safe."""
        await self._events.outgoing.drained()
