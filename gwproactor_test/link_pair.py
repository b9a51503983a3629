"""Two links that talk to each other over a broker, and a listener that remembers what they report.

For tests of links without a proactor. Everything happens on the running loop.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from gwproactor.config.link import LinkSettings
from gwproactor.config.mqtt import MQTTClient, MQTTVersion, broker_from_url
from gwproactor.links.core.link_state import StateName, Transition
from gwproactor.links.link import Link
from gwproactor.links.received_message import ReceivedMessage
from gwproactor.wire.envelope import Message

CHILD, CHILD_SHORT = "d1.child", "c"
PARENT, PARENT_SHORT = "d1.parent", "p"

WAIT_SECONDS = 10.0
"""How long a condition may take; only a test that fails waits for so long."""

NOT_ACTIVE = tuple(state for state in StateName if state is not StateName.active)


class Recorder:
    """A `LinkListener` that remembers everything and acknowledges messages where it is told to.

    Args:
        acknowledge: Called with the id of each message that wants an ack; None leaves it waiting.
    """

    def __init__(self, acknowledge: Callable[[str], None] | None = None) -> None:
        self.acknowledge = acknowledge
        self.transitions: list[Transition] = []
        self.messages: list[Message[Any]] = []
        self.received: list[ReceivedMessage] = []
        self.done_at_once = True
        self.acked: list[str] = []
        self.timed_out: list[tuple[str, object]] = []
        self.problems: list[tuple[str, str, bool]] = []
        self._changed = asyncio.Event()

    def link_transitioned(self, transition: Transition) -> None:
        """Remember it."""
        self.transitions.append(transition)
        self._changed.set()

    def message_received(self, received: ReceivedMessage) -> None:
        """Remember it, and acknowledge it where it is asked for and this recorder is told to."""
        message = received.message
        self.received.append(received)
        self.messages.append(message)
        if received.wants_ack and self.acknowledge is not None:
            self.acknowledge(message.Header.MessageId)
        if self.done_at_once:
            received.done()
        self._changed.set()

    def message_acked(self, link_name: str, message_id: str) -> None:  # noqa: ARG002
        """Remember it."""
        self.acked.append(message_id)
        self._changed.set()

    def ack_timed_out(self, link_name: str, message_id: str, context: object) -> None:  # noqa: ARG002
        """Remember it."""
        self.timed_out.append((message_id, context))
        self._changed.set()

    def link_problem(self, link_name: str, summary: str, details: str, is_error: bool) -> None:  # noqa: ARG002
        """Remember it."""
        self.problems.append((summary, details, is_error))
        self._changed.set()

    def problem_texts(self) -> str:
        """Everything that problems said so far."""
        return "\n".join(f"{summary}: {details}" for summary, details, _ in self.problems)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until a condition on what is remembered holds.

        Raises:
            TimeoutError: It did not in time.
        """
        async with asyncio.timeout(WAIT_SECONDS):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


def child_settings(*brokers: MQTTClient, **changes: object) -> LinkSettings:
    """Settings of the child's link to the parent."""
    return LinkSettings(
        peer_name=PARENT,
        peer_short_name=PARENT_SHORT,
        subscription_name=CHILD_SHORT,
        upstream=True,
        brokers=brokers or (MQTTClient(),),
    ).model_copy(update=changes)


def parent_settings(*brokers: MQTTClient, **changes: object) -> LinkSettings:
    """Settings of the parent's link to the child."""
    return LinkSettings(
        peer_name=CHILD,
        peer_short_name=CHILD_SHORT,
        subscription_name=PARENT_SHORT,
        downstream=True,
        brokers=brokers or (MQTTClient(),),
    ).model_copy(update=changes)


class End:
    """One end of a pair: a link, what it reported, and the task that runs it.

    Args:
        own_name: Long name of its node.
        settings: The link's settings.
        options: Further arguments of `Link`.
    """

    def __init__(self, own_name: str, settings: LinkSettings, **options: Any) -> None:
        self.heard = Recorder()
        self.link = Link(own_name, settings, self.heard, **options)
        self.heard.acknowledge = self.link.acknowledge
        self.task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Run the link as a task."""
        self.task = asyncio.create_task(self.link.run(), name=f"link:{self.link.name}")

    async def stop(self) -> None:
        """Cancel the task and wait for its end; raises what it raised, if it failed."""
        if self.task is None:
            return
        self.task.cancel()
        await asyncio.wait([self.task])
        if not self.task.cancelled() and (error := self.task.exception()) is not None:
            raise error

    async def active(self) -> None:
        """Wait until the link is active."""
        await self.link.wait_for(timeout_seconds=WAIT_SECONDS)

    async def not_active(self) -> None:
        """Wait until the link is not active."""
        await self.link.wait_for(NOT_ACTIVE, timeout_seconds=WAIT_SECONDS)


@contextlib.asynccontextmanager
async def running(*ends: End) -> AsyncIterator[None]:
    """Run ends while the block runs, and stop all of them after it."""
    for end in ends:
        end.start()
    try:
        yield
    finally:
        for end in ends:
            await end.stop()


@contextlib.asynccontextmanager
async def link_pair(
    child_url: str,
    parent_url: str,
    *,
    protocol: MQTTVersion = MQTTVersion.v5,
    child_options: Mapping[str, Any] | None = None,
    changes: Mapping[str, object] | None = None,
) -> AsyncIterator[tuple[End, End]]:
    """Run a child and a parent, both active when the block begins.

    Args:
        child_url: The child's broker.
        parent_url: The parent's broker.
        protocol: MQTT version of both.
        child_options: Further arguments of the child's `Link`.
        changes: Changed settings of both links.
    """
    child = End(
        CHILD,
        child_settings(broker_from_url(child_url, protocol=protocol), **(changes or {})),
        **(child_options or {}),
    )
    parent = End(
        PARENT, parent_settings(broker_from_url(parent_url, protocol=protocol), **(changes or {}))
    )
    async with running(child, parent):
        await child.active()
        await parent.active()
        yield child, parent
