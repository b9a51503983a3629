"""A mailbox: messages that wait for one receiver, who gets them one at a time, in order.

It is bounded. What finds no room is not taken, and whoever sent it is told: a message of QoS 0 from
a peer is not acknowledged, one from within the node raises. Of messages of QoS 1 and 2 only so many
can be under way (Receive Maximum), so they are always taken, and the broker keeps each until the
receiver has succeeded with it. One that the receiver fails with comes again after a while, without
holding up the others; after too many tries it is reported and let go. What the broker delivers
again after a reconnection, while it still waits here, is not put in a second time.

Who is in no hurry can wait for room, and until the receiver has dealt with his message: then the
receiver's pace is his own, and what the receiver fails with is his to know. Waiting is no failure,
so of a receiver that hangs nobody would hear; where none of its messages is taken for a while and
somebody waits for room, it is reported.

Once it is closed nothing is taken any more. What is left then, with the message whose handler was
cut short, is counted and reported, but for what somebody else knows of: the broker, who has it
still, or who waits for the outcome.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from gwproactor.errors import MailboxFullError, NotRunningError
from gwproactor.links.core.reports import ReportRate
from gwproactor.links.received_message import ReceivedMessage
from gwproactor.runtime.held_packets import HeldPackets
from gwproactor.texts import kind_of, traceback_text
from gwproactor.waiting import Progress, is_being_cancelled
from gwproactor.wire.envelope import Message

Letter = ReceivedMessage | Message[Any]
"""What waits in a mailbox: a message from a peer, or one from within the node."""

LetterHandler = Callable[[Letter], Awaitable[None]]

FIRST_RETRY_SECONDS = 1.0
"""A handler that failed is given a moment in which what it needs may come back."""

LONGEST_RETRY_SECONDS = 60.0
"""And is asked once a minute at least, up to the number of tries."""

STUCK_SECONDS = 10.0
"""A receiver that takes no message for so long, while others wait for room, perhaps hangs."""


class _Entry(NamedTuple):
    """What waits, how often it was tried with this time, and who waits for the outcome."""

    letter: Letter
    tries: int = 1
    outcome: "asyncio.Future[None] | None" = None


_IS_FULL = "is full"


class Mailbox:
    """The mailbox of one receiver. For the event loop's thread.

    What is put in before `run` waits for it.

    Args:
        owner: What reports call the receiver.
        handler: Is given each message.
        max_messages: So many may wait.
        max_tries: So often a message that the broker keeps is given to a handler that fails.
        report: Called with summary and details when something is wrong.
    """

    def __init__(
        self,
        owner: str,
        handler: LetterHandler,
        *,
        max_messages: int,
        max_tries: int,
        report: Callable[[str, str], None],
    ) -> None:
        self._owner = owner
        self._handler = handler
        self._max_messages = max_messages
        self._max_tries = max_tries
        self._letters: asyncio.Queue[_Entry] = asyncio.Queue()
        self._outcomes: set[asyncio.Future[None]] = set()
        self._room = asyncio.Event()
        self._is_over = False
        self._in_hand: _Entry | None = None
        self._progress = Progress()
        self._held = HeldPackets()
        self._later: set[asyncio.TimerHandle] = set()
        self._report = report
        self._rate = ReportRate()
        self.dropped_count = 0
        """How many messages found no room since the start, or were left at the stop."""

    def __len__(self) -> int:
        """How many messages wait."""
        return self._letters.qsize()

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits, and the receiver has nothing in hand."""
        return self._in_hand is None and self._letters.empty()

    def take(self, received: ReceivedMessage) -> bool:
        """Take in a message from a peer; whether it was taken, and so may be acknowledged.

        Args:
            received: Valid, and neither ack, ping nor event.
        """
        if self._is_over or (self._is_full and not received.holds_broker):
            self._refuse(received)
            return False
        if not self._held.waits_already(received):
            self._letters.put_nowait(_Entry(received))
        return True

    def put(self, message: Message[Any]) -> None:
        """Take in a message from within the node.

        Raises:
            MailboxFullError: There is no room; it was not taken.
            NotRunningError: Nobody empties the mailbox any more; it was not taken.
        """
        if self._is_over:
            raise self._not_running()
        if self._is_full:
            self._drop(_IS_FULL, message.Header.Src)
            raise MailboxFullError(
                f"the mailbox of {self._owner} is full, so a {message.Header.MessageType} was not"
                f" taken: {self._max_messages} messages wait already; it does not keep up"
            )
        self._letters.put_nowait(_Entry(message))

    async def room(self) -> None:
        """Wait until there is room, or nobody empties the mailbox any more. Cancelling is safe."""
        while self._is_full and not self._is_over:
            self._room.clear()
            try:
                async with asyncio.timeout(STUCK_SECONDS):
                    await self._room.wait()
            except TimeoutError:
                summary = f"{self._owner} has taken no message for long, and senders wait for room"
                self._report_often(summary, f"it may hang; {len(self)} messages wait")

    async def drained(self) -> None:
        """Wait until what the receiver has in hand, and what waits now, is dealt with; cancel-safe.

        What comes meanwhile is not waited for; and nothing, where nobody empties the mailbox.
        """
        await self._progress.through(len(self))

    async def process(self, message: Message[Any]) -> None:
        """Take in a message from within the node, and wait until the receiver has dealt with it.

        Where there is no room, it waits for some. Cancelling is safe; a message that was taken in
        is dealt with all the same.

        Raises:
            NotRunningError: Nobody empties the mailbox any more.
            Exception: What the receiver failed with, which is not reported then.
        """
        await self.room()
        if self._is_over:
            raise self._not_running()
        outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._outcomes.add(outcome)
        outcome.add_done_callback(self._outcomes.discard)
        self._letters.put_nowait(_Entry(message, outcome=outcome))
        await outcome

    async def run(self) -> None:
        """Hand the messages to the handler, until cancelled."""
        self._progress.start()
        try:
            # the handler may have taken a cancel for its own
            while not (self._is_over or is_being_cancelled()):
                self._in_hand = entry = await self._letters.get()
                self._progress.took_one()
                self._room.set()
                await self._deal_with(entry)
                self._in_hand = None
                self._progress.is_done_with_it()
                if not self._letters.empty():  # nothing else would let the others have their turn
                    await asyncio.sleep(0)
        finally:
            self.close()

    def close(self) -> None:
        """Take nothing more, and tell those who wait that nobody will deal with their messages.

        Who closes it cancels `run`, too. What that has in hand counts as left. A second call does
        nothing.
        """
        if self._is_over:
            return
        self._is_over = True
        self._room.set()
        self._progress.stop()
        self._count_left()
        for timer in self._later:
            timer.cancel()
        for outcome in self._outcomes:
            if not outcome.done():
                outcome.set_exception(self._not_running())

    def _count_left(self) -> None:
        """Let go of what waits, and report what nobody else knows of."""
        in_hand = [] if self._in_hand is None else [self._in_hand]
        waiting = [self._letters.get_nowait() for _ in range(len(self))]
        count = sum(_is_lost(entry) for entry in (*in_hand, *waiting))
        if count:
            self.dropped_count += count
            cut_short = f"a {type_of(in_hand[0].letter)} was in its hands" if in_hand else ""
            self._report(f"{self._owner} had {count} messages left at the stop", cut_short)

    def _not_running(self) -> NotRunningError:
        return NotRunningError(f"{self._owner} takes no messages any more: the proactor stops")

    @property
    def _is_full(self) -> bool:
        return self._letters.qsize() >= self._max_messages

    def _refuse(self, received: ReceivedMessage) -> None:
        """Do not take a peer's message; one that the broker keeps is not lost."""
        if not received.holds_broker:
            self._drop("is closed" if self._is_over else _IS_FULL, received.link_name)

    def _drop(self, cause: str, sender: str) -> None:
        self.dropped_count += 1
        self._report_often(f"The mailbox of {self._owner} {cause}: messages are dropped", sender)

    async def _deal_with(self, entry: _Entry) -> None:
        letter = entry.letter
        if isinstance(letter, ReceivedMessage) and letter.expired(time.monotonic()):
            summary = f"A {type_of(letter)} expired in the mailbox of {self._owner}"
            self._report_often(summary, letter.link_name)
            self._done(letter)
        else:
            await self._handle(entry)

    async def _handle(self, entry: _Entry) -> None:
        try:
            await self._handler(entry.letter)
        except (Exception, asyncio.CancelledError) as error:
            if is_being_cancelled():
                raise
            if entry.outcome is None:
                self._failed(entry.letter, entry.tries, error)
            elif not entry.outcome.done():
                entry.outcome.set_exception(_raisable(error))
        else:
            self._done(entry.letter)
            if entry.outcome is not None and not entry.outcome.done():
                entry.outcome.set_result(None)

    def _failed(self, letter: Letter, tries: int, error: BaseException) -> None:
        summary = f"{self._owner} failed with a {type_of(letter)}"
        self._report_often(summary, traceback_text(error), kind=kind_of(error))
        if not isinstance(letter, ReceivedMessage) or not letter.holds_broker or self._is_over:
            return  # nobody has it any more; or the broker has it for the next run
        if tries >= self._max_tries:
            self._report(f"{summary} {tries} times; it is let go", traceback_text(error))
            self._done(letter)
            return
        seconds = min(FIRST_RETRY_SECONDS * 2 ** (tries - 1), LONGEST_RETRY_SECONDS)
        self._again_in(seconds, letter, tries + 1)

    def _done(self, letter: Letter) -> None:
        if isinstance(letter, ReceivedMessage):
            self._held.done(letter)

    def _again_in(self, seconds: float, received: ReceivedMessage, tries: int) -> None:
        def again() -> None:
            self._later.discard(timer)
            self._letters.put_nowait(_Entry(received, tries))

        timer = asyncio.get_running_loop().call_later(seconds, again)
        self._later.add(timer)

    def _report_often(self, summary: str, details: str, kind: str = "") -> None:
        """Report a problem that may come thousands of times, at a bounded rate for each kind."""
        told = self._rate.told(time.monotonic(), f"{summary} {kind}", details)
        if told is not None:
            self._report(summary, told)


def _raisable(error: BaseException) -> Exception:
    """The error for who waits: a CancelledError would say that it is he who is cancelled."""
    return error if isinstance(error, Exception) else RuntimeError(f"the handler raised {error!r}")


def _is_lost(entry: _Entry) -> bool:
    """Whether nobody has it who could send it again."""
    kept = isinstance(entry.letter, ReceivedMessage) and entry.letter.holds_broker
    return not kept and entry.outcome is None


def type_of(letter: Letter) -> str:
    """The TypeName of the payload of what waits."""
    message = letter.message if isinstance(letter, ReceivedMessage) else letter
    return str(message.Header.MessageType)
