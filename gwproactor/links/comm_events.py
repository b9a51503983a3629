"""Which event tells the upstream peer of which transition of a link, and when it is made.

Making an event and storing it costs about as much time as everything that a link does to reconnect.
So the events are made a moment later, with the time of the transition in them.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator

from gwproactor.links.core.link_state import Transition, TransitionName
from gwproactor.wire.payloads import (
    CommEvent,
    MQTTConnectEvent,
    MQTTConnectFailedEvent,
    MQTTDisconnectEvent,
    MQTTFullySubscribedEvent,
    PeerActiveEvent,
    ResponseTimeoutEvent,
    now_ms,
)

MOMENT_SECONDS = 0.02
"""Longer than a link takes to reconnect; far shorter than anybody upstream would notice."""

_EVENT_OF: dict[TransitionName, type[CommEvent]] = {
    TransitionName.mqtt_connected: MQTTConnectEvent,
    TransitionName.mqtt_connect_failed: MQTTConnectFailedEvent,
    TransitionName.mqtt_disconnected: MQTTDisconnectEvent,
    TransitionName.response_timeout: ResponseTimeoutEvent,
}


class CommEvents:
    """Makes events of transitions, a moment after they happened. For the event loop's thread.

    Args:
        source: Long name of this node.
        generate: Takes the events, in the order of the transitions.
    """

    def __init__(self, source: str, generate: Callable[[CommEvent], None]) -> None:
        self._source = source
        self._generate = generate
        self._waiting: deque[tuple[type[CommEvent], str, int]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._flushing = False

    def add(self, transition: Transition) -> None:
        """Take note of a transition that happens now."""
        name = transition.link_name
        self._waiting.extend((event, name, now_ms()) for event in event_types(transition))
        if self._waiting and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(MOMENT_SECONDS, self.flush)

    def flush(self) -> None:
        """Make the events of all transitions so far; for before another event is posted."""
        if self._flushing or not self._waiting:
            return
        self._flushing = True  # each event that is made is posted, which asks for a flush
        try:
            while self._waiting:
                event, name, created_ms = self._waiting.popleft()
                fields = {"Src": self._source, "PeerName": name, "TimeCreatedMs": created_ms}
                self._generate(event.model_validate(fields))
        finally:
            self._flushing = False
            self.discard()

    def discard(self) -> None:
        """Forget what has not been made."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def event_types(transition: Transition) -> Iterator[type[CommEvent]]:
    """The events that a transition is worth, in the order in which they are to be sent."""
    event = _EVENT_OF.get(transition.transition_name)
    if event is not None:
        yield event
    if transition.send_activated():
        yield MQTTFullySubscribedEvent
    if transition.activated():
        yield PeerActiveEvent
