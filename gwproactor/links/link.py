"""A link as an application sees it: its state, its transitions, and messages to the peer.

A `Link` is given out by the proactor, or by a `LinkManager`, which also runs it. Everything here
is for the event loop's thread, and everything that waits is cancel-safe: cancelling takes nothing
from the link and nothing from others who wait.
"""

import asyncio
import contextlib
import random as _random
from collections import deque
from collections.abc import AsyncGenerator, Collection, Iterable, Iterator
from typing import Any

from gwproactor.config.link import LinkSettings
from gwproactor.errors import NotRunningError, UsageError
from gwproactor.links.aiomqtt_transport import connect_with_aiomqtt
from gwproactor.links.asyncio_timer_manager import AsyncioTimerManager
from gwproactor.links.backoff import Backoff
from gwproactor.links.conversation import Conversation
from gwproactor.links.event_pump import EventSource
from gwproactor.links.link_state import StateName, Transition
from gwproactor.links.link_task import LinkParts, max_packet_bytes, run_link
from gwproactor.links.listener import LinkListener
from gwproactor.links.pace import Pace
from gwproactor.links.sent_messages import SentMessage
from gwproactor.links.timer_interface import TimerManagerInterface
from gwproactor.links.transport import ConnectOptions, Connector
from gwproactor.wire.codec import MQTTCodec, WireCodec

TRANSITIONS_KEPT = 1000
"""Transitions that wait for a slow iterator: an outage makes three or four."""


class Link:
    """A monitored conversation with one peer.

    Args:
        own_name: This node's long name.
        settings: The link's settings.
        listener: Hears everything that the link reports.
        codec: Turns messages into payloads and back; the wire format's when not given.
        events: The events for the upstream peer.
        delays: Seconds between rounds of attempts to connect; see `backoff.Backoff`.
        connector: Makes connections.
        timers: Starts the link's one timer.
    """

    def __init__(
        self,
        own_name: str,
        settings: LinkSettings,
        listener: LinkListener,
        *,
        codec: MQTTCodec | None = None,
        events: EventSource | None = None,
        delays: Iterable[float] | None = None,
        connector: Connector = connect_with_aiomqtt,
        timers: TimerManagerInterface | None = None,
    ) -> None:
        self._settings = settings
        self._streams: set[_TransitionStream] = set()
        self._conversation = Conversation(
            own_name,
            settings,
            codec or WireCodec(),
            listener,
            self._transitioned,
            timers or AsyncioTimerManager(),
            events,
            _random.random,
        )
        options = ConnectOptions(
            client_id=default_client_id(own_name, settings),
            max_packet_bytes=max_packet_bytes(settings.max_payload_bytes),
        )
        pace = Pace(settings.brokers, Backoff(delays))
        self._parts = LinkParts(self._conversation, connector, options, pace, events)

    @property
    def name(self) -> str:
        """The name by which this node knows the link."""
        return self._settings.link_name

    @property
    def settings(self) -> LinkSettings:
        """What the link was told."""
        return self._settings

    @property
    def state(self) -> StateName:
        """The present comm state."""
        return self._conversation.core.state

    @property
    def active(self) -> bool:
        """Whether the peer is known to be there: all four conditions hold."""
        return self._conversation.core.active

    async def run(self) -> None:
        """Run the link until cancelled, which stops it for good, at once and without a remainder.

        Raises:
            InvalidCommStateInput: It ran before.
        """
        await run_link(self._parts)

    async def wait_for(
        self,
        state: StateName | str | Collection[StateName | str] = StateName.active,
        *,
        timeout_seconds: float | None = None,
    ) -> None:
        """Wait until the link is in a state; returns at once when it is. Cancel-safe.

        A state that the link passes through counts, even if it has left it again by the time that
        the waiting task runs.

        Args:
            state: The state or its name, or several of which any will do.
            timeout_seconds: How long to wait; None for as long as the link runs.

        Raises:
            TimeoutError: It did not come in time; the message names the state the link is in.
            NotRunningError: The link was stopped meanwhile, or before.
            UsageError: There is no such state.
        """
        wanted = _states([state] if isinstance(state, str) else state)
        with self._stream() as stream:
            try:
                async with asyncio.timeout(timeout_seconds):
                    await self._pass(stream, wanted)
            except TimeoutError:
                names = " or ".join(sorted(wanted))
                raise TimeoutError(
                    f"link '{self.name}' was not {names} within {timeout_seconds:g} s;"
                    f" it is {self.state}"
                ) from None

    async def _pass(self, stream: "_TransitionStream", wanted: set[StateName]) -> None:
        state = self.state
        while state not in wanted:
            transition = await stream.next()
            if transition is None:
                raise NotRunningError(f"link '{self.name}' is stopped")
            state = transition.new_state

    async def transitions(self) -> AsyncGenerator[Transition, None]:
        """Iterate over what happens to the comm state from now on, until the link is stopped.

        "From now on" begins with the first `anext`. Each iterator has a buffer of
        `TRANSITIONS_KEPT`: when it is not read for so long, its oldest transitions are dropped, so
        a gap shows as a transition whose old state is not the new state of the one before. Ends
        after the transition to `stopped`. Cancel-safe; `contextlib.aclosing` ends it where the loop
        is left early.
        """
        with self._stream() as stream:
            while (transition := await stream.next()) is not None:
                yield transition

    def send(self, payload: Any, *, ack_required: bool = True) -> SentMessage:
        """Send a message to the peer, now; it is not kept and not repeated.

        Args:
            payload: A model with a `TypeName`; its `MessageId`, where it has one, is the message's.
            ack_required: The peer is to acknowledge the message; `await sent.acked()` then says
                whether it did. A missing ack also ends `active`.

        Raises:
            ConnectionLostError: The link has no connection.
            UsageError: The payload has no `TypeName` of which a topic can be made, or holds what
                JSON cannot.
            PacketTooLargeError: The broker takes no message so long.
        """
        return self._conversation.send(payload, ack_required=ack_required)

    def acknowledge(self, message_id: str) -> None:
        """Acknowledge a received message that asked for it, once it is accepted.

        Without a connection nothing happens: the peer will send the message again.

        Raises:
            UsageError: No message has such an id.
        """
        self._conversation.acknowledge(message_id)

    @contextlib.contextmanager
    def _stream(self) -> Iterator["_TransitionStream"]:
        stream = _TransitionStream(ended=self.state is StateName.stopped)
        self._streams.add(stream)
        try:
            yield stream
        finally:
            self._streams.discard(stream)

    def _transitioned(self, transition: Transition) -> None:
        for stream in self._streams:
            stream.put(transition)


def _states(names: Iterable[StateName | str]) -> set[StateName]:
    try:
        return {StateName(name) for name in names}
    except ValueError as error:
        raise UsageError(f"{error}; there are {', '.join(StateName)}") from None


def default_client_id(own_name: str, settings: LinkSettings) -> str:
    """The MQTT client id of a link, where a broker's settings name none."""
    return f"{own_name}-{settings.peer_name}"


class _TransitionStream:
    """The transitions that one reader has not seen yet."""

    def __init__(self, *, ended: bool) -> None:
        self._waiting: deque[Transition] = deque(maxlen=TRANSITIONS_KEPT)
        self._ended = ended
        self._changed = asyncio.Event()

    def put(self, transition: Transition) -> None:
        """Add a transition; the oldest makes room."""
        self._waiting.append(transition)
        self._ended = transition.new_state is StateName.stopped
        self._changed.set()

    async def next(self) -> Transition | None:
        """The next transition; None after the last one."""
        while not self._waiting:
            if self._ended:
                return None
            self._changed.clear()
            await self._changed.wait()
        return self._waiting.popleft()
