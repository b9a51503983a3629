"""Acks that are waited for: which messages, and until when.

`AckDeadlines` is the core's record of one link: pure data, told the time. Deadlines are kept in
the order in which they fall due, which for one timeout is the order of sending, so that every
operation takes the same short time however many are open.

`AckManager` is the same for programs that use timers: any number of links, a timer for each
message behind `TimerManagerInterface`, a callback when one runs out. It needs no clock of its own.
"""

import functools
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from gwproactor.links.core.timer_interface import TimerManagerInterface
from gwproactor.wire.timing import DEFAULT_ACK_TIMEOUT_SECONDS

DEFAULT_ACK_DELAY: Final = DEFAULT_ACK_TIMEOUT_SECONDS
"""Seconds that a peer may take to acknowledge: the wire format's default."""

MAX_OPEN_ACKS: Final = 65_536
"""Acks that one link waits for at most: far above any window of events, a few MB of memory."""

NEVER: Final = float("inf")


class _Wait(NamedTuple):
    deadline: float
    epoch: int


class ExpiredAck(NamedTuple):
    """A message whose ack did not come in time.

    Args:
        message_id: The message.
        epoch: The number that was given when the wait began.
    """

    message_id: str
    epoch: int


class AckDeadlines:
    """The acks one link waits for. Every operation is O(1), `expire` O(1) for each that expired.

    Deadlines must not be given in falling order; `LinkCore` sees to that with one timeout and a
    clock that never goes back.

    Args:
        limit: How many may be open; further ones are not taken.
    """

    __slots__ = ("_limit", "_waits")

    def __init__(self, limit: int = MAX_OPEN_ACKS) -> None:
        self._limit = limit
        self._waits: OrderedDict[str, _Wait] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waits)

    def __contains__(self, message_id: str) -> bool:
        return message_id in self._waits

    def start(self, message_id: str, deadline: float, epoch: int = 0) -> bool:
        """Wait for an ack; a message that is waited for already is waited for anew.

        Args:
            message_id: The message that is to be acknowledged.
            deadline: When the wait is over, in the caller's monotonic seconds.
            epoch: Any number, given back when the ack does not come.

        Returns:
            False when the limit is reached and the wait was not taken.
        """
        self._waits.pop(message_id, None)
        if len(self._waits) >= self._limit:
            return False
        self._waits[message_id] = _Wait(deadline, epoch)
        return True

    def release(self, message_id: str) -> bool:
        """End a wait because the ack came. Returns False when there was none."""
        return self._waits.pop(message_id, None) is not None

    def expire(self, now: float) -> list[ExpiredAck]:
        """Take out and return every wait whose deadline is `now` or earlier, oldest first."""
        expired = []
        while self._waits and next(iter(self._waits.values())).deadline <= now:
            message_id, wait = self._waits.popitem(last=False)
            expired.append(ExpiredAck(message_id, wait.epoch))
        return expired

    def clear(self) -> tuple[str, ...]:
        """End every wait and return the messages, oldest first."""
        message_ids = tuple(self._waits)
        self._waits.clear()
        return message_ids

    def next_deadline(self) -> float:
        """Return the earliest deadline, or infinity when nothing is waited for."""
        return next(iter(self._waits.values())).deadline if self._waits else NEVER


@dataclass
class AckWaitInfo:
    """One ack that is waited for.

    Args:
        link_name: The link on which the message was sent.
        message_id: The message.
        timer_handle: The timer manager's handle.
        context: Whatever the sender wants to find again.
    """

    link_name: str
    message_id: str
    timer_handle: Any
    context: Any = None


AckTimerCallback = Callable[[AckWaitInfo], None]


class AckManager:
    """Starts a timer for each message that needs an ack, and calls back when one runs out.

    Belongs to the thread in which the timer manager's callbacks run.

    Args:
        timer_mgr: Where timers come from.
        callback: Called with the wait that ran out, once for each.
        delay: Seconds that a peer may take; None for the default of 5.
    """

    def __init__(
        self,
        timer_mgr: TimerManagerInterface,
        callback: AckTimerCallback,
        delay: float | None = DEFAULT_ACK_DELAY,
    ) -> None:
        self._timer_mgr = timer_mgr
        self._callback = callback
        self._default_delay_seconds = DEFAULT_ACK_DELAY if delay is None else delay
        self._acks: dict[str, dict[str, AckWaitInfo]] = {}

    @property
    def default_delay_seconds(self) -> float:
        """Seconds that a peer may take where nothing else is said."""
        return self._default_delay_seconds

    def add_link(self, link_name: str) -> None:
        """Make a link known; one that is known keeps its waits."""
        self._acks.setdefault(link_name, {})

    def start_ack_timer(
        self,
        link_name: str,
        message_id: str,
        context: Any | None = None,
        delay_seconds: float | None = None,
    ) -> AckWaitInfo:
        """Wait for an ack; a message that is waited for already is waited for anew.

        Args:
            link_name: The link on which the message was sent; made known if it is not.
            message_id: The message.
            context: Whatever the sender wants to find again in the wait.
            delay_seconds: Seconds that the peer may take; None for the manager's.

        Returns:
            The wait.
        """
        self.cancel_ack_timer(link_name, message_id)
        wait = AckWaitInfo(link_name, message_id, timer_handle=None, context=context)
        wait.timer_handle = self._timer_mgr.start_timer(
            self._default_delay_seconds if delay_seconds is None else delay_seconds,
            functools.partial(self._timeout, wait),
        )
        self._acks.setdefault(link_name, {})[message_id] = wait
        return wait

    def cancel_ack_timer(self, link_name: str, message_id: str) -> AckWaitInfo | None:
        """End a wait, because the ack came. Returns it, or None when there was none."""
        wait = self._acks.get(link_name, {}).pop(message_id, None)
        if wait is not None:
            self._timer_mgr.cancel_timer(wait.timer_handle)
        return wait

    def cancel_ack_timers(self, link_name: str) -> list[AckWaitInfo]:
        """End every wait of a link and return them, oldest first."""
        waits = list(self._acks.get(link_name, {}).values())
        for wait in waits:
            self.cancel_ack_timer(link_name, wait.message_id)
        return waits

    def num_acks(self, link_name: str) -> int:
        """Return how many acks the link waits for."""
        return len(self._acks.get(link_name, ()))

    def _timeout(self, wait: AckWaitInfo) -> None:
        # A timer that was on its way when its wait ended or began anew finds another, or none.
        waits = self._acks.get(wait.link_name, {})
        if waits.get(wait.message_id) is wait:
            del waits[wait.message_id]
            self._callback(wait)
