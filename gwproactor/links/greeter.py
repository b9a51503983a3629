"""Whether the next connection is greeted, and when the peer is asked once more.

A greeting goes out right behind CONNECT (`transport.Greeting`): all subscriptions and a ping, where
the last attempt came to a complete setup. After any other one there is none: a broker that cannot
stand it, against the standard, costs one attempt and not the link. Nor is there one where the
broker keeps a session: there the ack of a message of this very connection must come first
(`LinkCore.connected`).

The core knows nothing of a greeting's ping and does not wait for its ack: a broker may let it pass
before the subscription stands. The ping that the core wants with the SUBACK asks again, after a
moment in which the answer to the first one may come.
"""

import time
from collections.abc import Callable

from gwproactor.links.core.message_times import BEFORE_ALL_TIME
from gwproactor.links.core.timer_interface import TimerManagerInterface
from gwproactor.links.deadline_timer import DeadlineTimer

GREETING_ANSWER_SECONDS = 0.02
"""How long the answer to a greeting may take before the peer is asked once more: some round trips
in one building. Over a longer way the second ping costs a message and nothing else."""


class Greeter:
    """The greetings of one link. For the loop only.

    Args:
        timers: Where the timer comes from.
        ask_again: Called when the answer to a greeting did not come within the moment.
        may_greet: Whether it is done at all.
    """

    def __init__(
        self, timers: TimerManagerInterface, ask_again: Callable[[], None], *, may_greet: bool
    ) -> None:
        self._may_greet = may_greet
        self._ask_again = ask_again
        self._was_set_up = False
        self._greeted = False
        self._answered_by = BEFORE_ALL_TIME
        self._moment = DeadlineTimer(timers, self._moment_over)

    def set_up(self) -> None:
        """Take note that the setup of this connection is complete."""
        self._was_set_up = True

    def greets_next(self) -> bool:
        """Take note of a further attempt, and tell whether it is made with a greeting."""
        was_set_up, self._was_set_up = self._was_set_up, False
        self._greeted = was_set_up and self._may_greet
        return self._greeted

    def connected(self) -> None:
        """Take note of a new connection: the moment begins."""
        if self._greeted:
            self._answered_by = time.monotonic() + GREETING_ANSWER_SECONDS

    def puts_off_ping(self) -> bool:
        """Whether the ping that is wanted now waits for the answer to the greeting's, a moment."""
        greeted, self._greeted = self._greeted, False
        if not greeted or time.monotonic() >= self._answered_by:
            return False
        self._moment.follow(self._answered_by)
        return True

    def over(self) -> None:
        """Take note that the connection is gone."""
        self._moment.cancel()

    def _moment_over(self) -> None:
        self._moment.cancel()
        self._ask_again()
