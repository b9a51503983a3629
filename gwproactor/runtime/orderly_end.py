"""How a proactor ends: in this order, and within `stop_seconds` for all of it.

    stage        share  what ends, and what becomes of what does not
    requests       4    web servers: what was asked is answered, else broken off and reported
    tasks          4    the application's, which are cancelled; else reported, with where they are
    mail           4    nothing; what was sent before, and what follows from it, is dealt with
    actors         6    the last added first: mail, `stop`, `join`; else reported, its mail counted
    coroutines     2    those by handle, cancelled; what was added since the stop began may finish
    last mail      1    the queues of threads; what is left in them is counted and reported
    farewell       -    nothing; the shutdown event is made. Takes time only with `wait_for_acks`
    last acks      2    nothing; the peer has 0.3 s at most. What it does not acknowledge goes again
    links          2    and the proactor's own mailbox; else reported, its mail counted
    stores         6    the handler of received events, and the writing; else StoreError
    own tasks      1    the watchdogs, and whatever is left; else reported, with where they are

Each stage has its share of the time that is left when it begins, the first 4 parts of 32, the next
4 of 28: what one does not use is there for the others, and none can take the time of those behind.
`runtime/ending.py` sees to that, and to it that the others follow whatever one of them raises.

Until their own end all can still speak. A request, a task that is cancelled, an actor up to the end
of its `join` may send messages, post events and add I/O coroutines. What an actor sends reaches the
proactor, the peers, and those actors that were added before it, for they end after it.

Each stage finds nothing to do where the run has not come so far; so a start that fails, and a run
that is cancelled, end here as well.
"""

import asyncio
import contextlib

from gwproactor.errors import StoreError
from gwproactor.runtime.ending import Ending, Stage
from gwproactor.runtime.mail import Mail
from gwproactor.runtime.own_events import OwnEvents
from gwproactor.runtime.reporting import Reporting
from gwproactor.runtime.tasks import SupervisedTask
from gwproactor.texts import MAX_TEXT_BYTES, cut_to_bytes
from gwproactor.waiting import until_any
from gwproactor.web.servers import WebServers
from gwproactor.wire.payloads import ShutdownEvent

REQUESTS_SHARE = 1 / 8
"""Of the whole time, for the first stage; web servers have to know it before they begin."""

_LAST_ACKS_SECONDS = 0.3
"""How long the peer may take to acknowledge the last events: a few round trips."""


class OrderlyEnd(OwnEvents, Mail, Reporting):
    """The part of a proactor that is about its end. For the event loop's thread."""

    _web: WebServers

    def __init__(self) -> None:
        super().__init__()
        self._stop_now = asyncio.Event()
        self._is_open = False
        """Whether events can be posted: the stores are open."""
        self._messages: list[SupervisedTask] = []
        """Sends on what threads write."""
        self._talking: list[SupervisedTask] = []
        """What can still bring messages: links and mailboxes."""
        self._storing: list[SupervisedTask] = []
        """Tells threads what has become durable."""

    def stop(self, reason: str = "stop called", *, wait_for_acks: bool = False) -> None:
        """Ask the proactor to stop in good order; `join` waits for that. From any thread.

        It sends a shutdown event, makes durable what is not yet, and closes everything, within
        `stop_seconds`; what does not end in its part of that time is reported and left behind, for
        which there are 0.2 s more at most. Pending events are sent by the next run.

        Args:
            reason: Why; stands in the shutdown event.
            wait_for_acks: Stop only when the peer has acknowledged every event, the shutdown event
                included, however long that takes. Calling again without it stops at once.
        """
        if not wait_for_acks:
            self._home.call(self._stop_now.set)
        super().stop(reason)

    def _order_of_ending(self) -> Ending:
        """The order that stands above, for a context that may be left in any way."""
        stages = (
            Stage("requests", 4, self._end_requests),
            Stage("tasks", 4, self._oversight.end_tasks),
            Stage("mail", 4, self._deal_with_mail),
            Stage("actors", 6, self._end_actors),
            Stage("I/O coroutines", 2, self._io_loop.finish),
            Stage("last mail", 1, self._deal_with_last_mail),
            Stage("farewell", None, self._say_farewell),
            Stage("last acks", 2, self._wait_for_last_acks),
            Stage("links", 2, self._end_links),
            Stage("stores", 6, self._close_stores),
            Stage("own tasks", 1, self._oversight.close),
        )
        seconds = self._settings.stop_seconds
        return Ending(stages, seconds, report=self.report_problem, hurry=self._hurry)

    def _hurry(self) -> None:
        self._request_stop("cancelled")
        self._stop_now.set()

    async def _end_requests(self, _timeout_seconds: float) -> None:
        self._oversight.notify.stopping(self._stop_reason)
        self._io_loop.expect_last_words()
        await self._web.stop()

    async def _deal_with_last_mail(self, timeout_seconds: float) -> None:
        """Send on what threads have written, and let who has no end of its own deal with it."""
        self._post_office.close()
        await self._post_office.settle(timeout_seconds / 3)
        await self._oversight.end(self._messages, timeout_seconds / 3)
        await self._deal_with_mail(timeout_seconds / 3)
        self._hatch.close()  # what threads post from now on would come behind the shutdown event

    async def _say_farewell(self, _timeout_seconds: float) -> None:
        """Tell the peer that this node stops, and wait for its acks as long as was asked for."""
        if not self._is_open:
            return
        self._links.events.flush()
        await self._acked_or_in_haste()
        self._links.events.flush()
        reason = cut_to_bytes(self._stop_reason, MAX_TEXT_BYTES)
        self._links.events.generate_own(ShutdownEvent(Src=self._name, Reason=reason))
        await self._acked_or_in_haste()

    async def _acked_or_in_haste(self) -> None:
        """Wait as long as it takes, of which the service manager is told."""
        if not self._stop_now.is_set():
            with self._oversight.more_time():
                await until_any(self.all_events_acked(), self._stop_now.wait())

    async def _wait_for_last_acks(self, timeout_seconds: float) -> None:
        upstream = self._links.upstream
        if upstream is not None and upstream.active:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(_LAST_ACKS_SECONDS, timeout_seconds)):
                    await self.all_events_acked()

    async def _end_links(self, timeout_seconds: float) -> None:
        try:
            await self._oversight.end(self._talking, timeout_seconds)
        finally:
            self._mailbox.close()
            self._communicators.close_mailboxes()

    async def _close_stores(self, timeout_seconds: float) -> None:
        try:
            self._hatch.close()
            self._rejections.close()
            if self._is_open:
                self._links.events.flush()
            await self._oversight.end(self._storing, timeout_seconds / 6)
        finally:
            await self._close_events(timeout_seconds * 5 / 6)
        await self._hatch.settle()

    async def _close_events(self, timeout_seconds: float) -> None:
        try:
            await self._events.close(timeout_seconds)
        except StoreError as error:
            count = self.pending_event_count - self.stored_event_count
            raise StoreError(f"{error}; {count} events were not stored") from error
        finally:
            self._links.events.discard()
