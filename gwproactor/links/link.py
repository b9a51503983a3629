"""A link as an application sees it: its state, its history, and messages to and from the peer.

A `Link` is given out by the proactor, or by a `LinkManager`, which also runs it. Everything here
is for the event loop's thread, and everything that waits is cancel-safe: cancelling takes nothing
from the link and nothing from others who wait.

What one can do with a link stands in modules of its own, a base class each: to look at it
(`link_handle`), wait for its state (`link_waiting`), its topics (`link_topics`), sending
(`link_sending`) and receiving (`link_receiving`). Here all of it is put together and run.
"""

import random as _random
import uuid
from collections.abc import (
    Callable,
    Iterable,
)

from gwproactor.config.link import LinkSettings
from gwproactor.links.asyncio_timer_manager import AsyncioTimerManager
from gwproactor.links.conversation import Conversation
from gwproactor.links.core.backoff import Backoff
from gwproactor.links.core.link_state import (
    CONNECTED_STATES,
    StateName,
    Transition,
)
from gwproactor.links.core.pace import Pace
from gwproactor.links.core.presence import Presence
from gwproactor.links.core.timer_interface import TimerManagerInterface
from gwproactor.links.event_pump import EventPump, EventSource
from gwproactor.links.link_receiving import LinkReceiving
from gwproactor.links.link_task import LinkParts, connect_options, run_link
from gwproactor.links.link_topics import LinkTopics
from gwproactor.links.link_waiting import LinkWaiting
from gwproactor.links.listener import BatchInbox, LinkListener
from gwproactor.links.mqtt.aiomqtt_transport import connect_with_aiomqtt
from gwproactor.links.own_faults import FaultRest
from gwproactor.links.problem_desk import ProblemDesk
from gwproactor.links.transport import Connector, ReceivedPacket
from gwproactor.wire.codec import MQTTCodec, WireCodec
from gwproactor.wire.payloads import now_ms


class Link(LinkWaiting, LinkTopics, LinkReceiving):
    """A monitored conversation with one peer.

    Args:
        own_name: This node's long name.
        settings: The link's settings.
        listener: Hears everything that the link reports.
        codec: Turns messages into payloads and back; the wire format's when not given.
        events: The events for the upstream peer.
        delays: Seconds between rounds of attempts to connect, instead of those of the settings;
            see `backoff.Backoff`.
        connector: Makes connections.
        timers: Starts the link's one timer.
        on_packet: Called with the link's name, each packet that it receives, and the TypeName of
            the message in it; empty where there is none.
        batches: Takes events that come in batches; None where none are taken.
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
        on_packet: Callable[[str, ReceivedPacket, str], None] | None = None,
        batches: BatchInbox | None = None,
    ) -> None:
        super().__init__(settings, codec or WireCodec())
        self._listener = listener
        self._problems = ProblemDesk(settings.link_name, listener)
        self._conversation = Conversation(
            own_name,
            settings,
            self._codec,
            listener,
            self._received,
            self._transitioned,
            self._subscriptions_changed.set,
            timers or AsyncioTimerManager(),
            events,
            _random.random,
            on_packet,
            batches,
        )
        options = connect_options(settings, default_client_id(own_name, settings))
        backoff = Backoff(settings.reconnect_delays_seconds if delays is None else delays)
        pace = Pace(settings.brokers, backoff, prefer_working=settings.prefer_working_broker)
        presence = Presence(own_name, str(uuid.uuid4()), enabled=settings.presence)
        rest = FaultRest(_random.random)
        talk = self._conversation
        pump = EventPump(events, talk.sender.send_events, talk.faults)
        self._parts = LinkParts(talk, connector, options, pace, presence, rest, pump)

    async def run(self) -> None:
        """Run the link until cancelled, which stops it for good, at once and without a remainder.

        A fault of this program is reported with its traceback and costs the connection; the link
        begins again after a pause, 1 s at first and up to a minute where faults follow each other.

        Raises:
            InvalidCommStateInput: It ran before.
        """
        await run_link(self._parts)

    def stop(self, reason: str) -> None:
        """End a link for good that does not run; who waits for anything of it is told."""
        self._conversation.stop(reason)

    def _transitioned(self, transition: Transition, at_seconds: float) -> None:
        self._history.add(transition, at_seconds, now_ms())
        if not transition:
            return
        if transition.new_state not in CONNECTED_STATES:
            self._requests.lost()
        if transition.new_state is StateName.stopped:
            self._message_streams.end()
            self._subscriptions_changed.set()
        self._tell_transition(transition)


def default_client_id(own_name: str, settings: LinkSettings) -> str:
    """The MQTT client id of a link, where a broker's settings name none."""
    return f"{own_name}-{settings.peer_name}"
