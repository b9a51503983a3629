"""What an MQTT client without comm state subscribes to, over one connection after another.

Everything that is wanted is asked for on each connection. What the broker refuses is asked for
again, after a delay that grows, as a link does it: permissions are given while programs run.
"""

import asyncio
import random
import time
from collections.abc import Callable, Iterator, Sequence

from gwproactor.errors import ConnectionLostError
from gwproactor.links.asyncio_timer_manager import AsyncioTimerManager
from gwproactor.links.core.acks import NEVER
from gwproactor.links.core.subscriptions import QOS, Subscription, SubscriptionRecord
from gwproactor.links.deadline_timer import DeadlineTimer
from gwproactor.links.manager.mqtt_notices import NO_CONNECTION, NO_ERROR
from gwproactor.links.transport import Connection

Outcome = tuple[int, int | None]
"""0 and the number of a request, or 4 and None where there is no connection to make it over."""


class ClientSubscriptions:
    """The topic filters of one client. For the loop only.

    Args:
        numbers: Numbers for requests.
        answered: Called with the number of a request and the SUBACK's reason codes.
    """

    def __init__(
        self, numbers: Iterator[int], answered: Callable[[int, Sequence[int]], None]
    ) -> None:
        self._numbers = numbers
        self._tell_answered = answered
        self._record = SubscriptionRecord((), NEVER, random.random)
        self._retry = DeadlineTimer(AsyncioTimerManager(), self._ask_again)
        self._connection: Connection | None = None

    def items(self) -> list[tuple[str, int]]:
        """Every topic filter that is wanted, with its QoS."""
        return [(topic, int(qos)) for topic, qos in self._record.wanted()]

    def pending_count(self) -> int:
        """How many of them are not granted on this connection."""
        return len(self._record.missing())

    def begin(self, connection: Connection) -> None:
        """A connection was made: ask for everything."""
        self._connection = connection
        self._record.take_dropped()  # no broker has kept a session with them
        self.ask_all()

    def end(self) -> None:
        """The connection is gone, if there was one."""
        self._connection = None
        self._record.disconnected()
        self._retry.cancel()

    def want(self, topic_filter: str, qos: int) -> Outcome:
        """Subscribe to a filter, now and on every connection."""
        self._record.want(Subscription(topic_filter, QOS(qos)))
        if self._connection is None:
            return NO_CONNECTION, None
        return self._send((self._record.ask(time.monotonic(), topic_filter, exempt=False),))

    def ask_all(self) -> Outcome:
        """Ask for everything that is wanted."""
        if self._connection is None:
            return (NO_CONNECTION, None) if self._record.wanted() else (NO_ERROR, None)
        return self._send(self._record.ask_all(time.monotonic()))

    def forget(self, topic_filter: str) -> Outcome:
        """Subscribe to a filter no longer."""
        self._record.forget(topic_filter)
        if self._connection is None:
            return NO_CONNECTION, None
        try:
            self._connection.unsubscribe([topic_filter])
        except ConnectionLostError:
            return NO_CONNECTION, None
        return NO_ERROR, next(self._numbers)

    def _send(self, asked: tuple[Subscription, ...]) -> Outcome:
        if self._connection is None or not asked:
            return NO_ERROR, None
        number = next(self._numbers)
        topics = [topic for topic, _ in asked]

        def answered(answer: "asyncio.Future[Sequence[int]]") -> None:
            if not answer.cancelled() and answer.exception() is None:
                self._answered(number, topics, answer.result())

        try:
            self._connection.subscribe(asked).add_done_callback(answered)
        except ConnectionLostError:
            return NO_CONNECTION, None
        return NO_ERROR, number

    def _answered(self, number: int, topics: Sequence[str], codes: Sequence[int]) -> None:
        now = time.monotonic()
        for topic, code in zip(topics, codes, strict=False):
            self._record.answered(now, topic, code)
        self._follow()
        self._tell_answered(number, codes)

    def _follow(self) -> None:
        due = self._record.next_deadline()
        self._retry.follow(None if due == NEVER or self._connection is None else due)

    def _ask_again(self) -> None:
        self._send(self._record.ask_again(time.monotonic()))
        self._follow()
