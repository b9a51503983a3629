"""The performance: two nodes, the readings, and a scenario that breaks what lies between them.

The nodes are ordinary proactors, used through their public calls. What they report goes to the
tally, which counts, and to the view, which shows. Both keep their events on the disk, in a folder
that the caller removes.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from gwproactor.config.events import Durability, EventSettings
from gwproactor.config.link import LinkSettings
from gwproactor.config.proactor import ProactorSettings
from gwproactor.demo.network import Network
from gwproactor.demo.readings import READING_TYPE, Machine, ReadingEvent
from gwproactor.demo.scenario import Action, NodeName, Step
from gwproactor.demo.tally import Comebacks, Result, Tally
from gwproactor.demo.view import View
from gwproactor.errors import LinkError
from gwproactor.events.incoming import ReceivedEvent
from gwproactor.events.store import EventRef
from gwproactor.links.core.link_state import Transition
from gwproactor.links.link import Link
from gwproactor.runtime.observer import Observer
from gwproactor.runtime.proactor import Proactor
from gwproactor.wire.payloads import ProblemEvent

READING_TAG = "reading"
"""Marks the readings among the child's events: only they are counted."""

ACK_TIMEOUT_SECONDS = 2.0
POLL_SECONDS = 1.0
"""Both shorter than usual, so that even silence shows in a demo of a quarter of a minute."""

_PAUSE_SECONDS = 0.02
"""Between two readings: some forty a second, so that no cut falls into a silence."""

_START_SECONDS = 10.0
"""Longest time for both links to become active at first."""

_LATE_SECONDS = 5.0
"""What all steps together may last longer than the table says, for links that are not back yet."""

_SETTLE_SECONDS = 6.0
"""Longest time for the last readings to arrive: an ack that is overdue, and a second chance."""

_LIKELY_CAUSE = "does the broker let its clients publish and subscribe below gw/?"

_SHORT_NAMES = {NodeName.child: "c", NodeName.parent: "p"}
_PEERS = {NodeName.child: NodeName.parent, NodeName.parent: NodeName.child}


class Play:
    """One performance. For the event loop's thread.

    Args:
        network: What lies between the nodes.
        view: Who is shown what happens.
        folder: Where both nodes keep their events.
        run_id: Makes the nodes' names unlike those of any other run on the same broker.
    """

    def __init__(self, network: Network, view: View, folder: Path, run_id: str) -> None:
        self.tally = Tally()
        self.comebacks = Comebacks()
        self._network = network
        self._view = view
        self._folder = folder
        self._run_id = run_id
        self._delivered = asyncio.Event()
        self._last_problem = ""
        self._nodes = {node: self._proactor(node) for node in NodeName}
        self._child = self._nodes[NodeName.child]
        self._nodes[NodeName.parent].on_event(self._receive)

    async def run(self, steps: Sequence[Step]) -> Result:
        """Go through the steps with readings going on; cancelling stops both nodes in good order.

        Raises:
            LinkError: The links never became active.
            StoreError: The disk does not take the events.
        """
        self._view.began(self._network.where, sum(step.seconds for step in steps))
        async with self._running(NodeName.parent), self._running(NodeName.child):
            await self._begin()
            async with self._readings():
                await self._go_through(steps)
            await self._settle()
        result = self.tally.result(self.comebacks.all)
        self._view.ended(result)
        return result

    # The nodes

    def _proactor(self, node: NodeName) -> Proactor:
        events = EventSettings(folder=self._folder / node, durability=Durability.fsync)
        proactor = Proactor(self._long_name(node), ProactorSettings(events=events))
        proactor.add_link(self._link_settings(node))
        proactor.observe(_NodeObserver(node, self))
        return proactor

    def _link_settings(self, node: NodeName) -> LinkSettings:
        peer = _PEERS[node]
        return LinkSettings(
            name=peer,
            peer_name=self._long_name(peer),
            peer_short_name=_SHORT_NAMES[peer],
            subscription_name=_SHORT_NAMES[node],
            upstream=peer is NodeName.parent,
            downstream=peer is NodeName.child,
            brokers=(self._network.broker(node),),
            ack_timeout_seconds=ACK_TIMEOUT_SECONDS,
            poll_seconds=POLL_SECONDS,
        )

    def _long_name(self, node: NodeName) -> str:
        return f"demo.{self._run_id}.{node}"

    def _link(self, node: NodeName) -> Link:
        return self._nodes[node].link(_PEERS[node])

    @contextlib.asynccontextmanager
    async def _running(self, node: NodeName) -> AsyncIterator[None]:
        proactor = self._nodes[node]
        async with proactor:
            self._view.ready(node)
            yield
        self._view.stopped(node, "end", proactor.pending_event_count)

    # The readings

    @contextlib.asynccontextmanager
    async def _readings(self) -> AsyncIterator[None]:
        """Post readings while the block runs; raises StoreError when the disk was full."""
        reading = asyncio.create_task(self._read(), name="demo: readings")
        try:
            yield
        finally:
            reading.cancel()
            await asyncio.wait([reading])
        if not reading.cancelled():
            reading.result()

    async def _read(self) -> None:
        machine = await asyncio.to_thread(Machine)
        while True:
            for reading in await asyncio.to_thread(machine.sweep):
                self._child.post_event(ReadingEvent.of(reading), tag=READING_TAG)
                self._view.read(*reading)
                await asyncio.sleep(_PAUSE_SECONDS)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _receive(self, event: ReceivedEvent) -> None:
        """Take what the parent's proactor delivers."""
        fields = json.loads(event.payload)
        if fields["TypeName"] == READING_TYPE:
            self.tally.delivered(event.event_id)
            self._delivered.set()
        self._view.received(event, fields)

    # The steps

    async def _begin(self) -> None:
        try:
            async with asyncio.timeout(_START_SECONDS):
                await self._both_active()
        except TimeoutError:
            states = ", ".join(f"{node}: {self._link(node).state}" for node in NodeName)
            raise LinkError(
                f"the links were not active within {_START_SECONDS:g} s ({states});"
                f" {self._last_problem or _LIKELY_CAUSE}"
            ) from None

    async def _both_active(self) -> None:
        while not all(self._link(node).active for node in NodeName):
            for node in NodeName:
                await self._link(node).wait_for()

    async def _go_through(self, steps: Sequence[Step]) -> None:
        loop = asyncio.get_running_loop()
        latest = loop.time() + sum(step.seconds for step in steps) + _LATE_SECONDS
        for step in steps:
            self._view.step(step, step.words(self._network.broker_gone))
            await self._act(step)
            await asyncio.sleep(step.seconds)
            if step.action is not Action.away:
                with contextlib.suppress(TimeoutError):  # the next step finds it as it is
                    async with asyncio.timeout_at(latest):
                        await self._both_active()

    async def _act(self, step: Step) -> None:
        if step.action in (Action.cut, Action.back):
            for node in step.nodes:
                self.comebacks.disturbed(node, step.cause, time.monotonic())
        match step.action:
            case Action.cut:
                await self._network.cut(step.nodes, reset=step.reset)
            case Action.away:
                await self._network.take_away(reset=step.reset)
            case Action.back:
                await self._network.bring_back()

    async def _settle(self) -> None:
        """Wait until every reading has arrived; what has not in time counts as lost."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SETTLE_SECONDS):
                await self._child.all_events_acked()
                while not self.tally.complete:
                    self._delivered.clear()
                    await self._delivered.wait()

    # What the nodes report

    def transitioned(self, node: NodeName, transition: Transition) -> None:
        """The comm state of a node's link changed."""
        now = time.monotonic()
        self._view.transitioned(node, transition)
        if transition.deactivated():
            self.comebacks.deactivated(node, now)
        if transition.activated():
            comeback = self.comebacks.activated(node, now)
            if comeback is not None:
                self._view.came_back(comeback)

    def stored(self, event: EventRef) -> None:
        """An event of the child is durable."""
        if event.tag == READING_TAG:
            self.tally.stored(event.event_id)
            self._view.stored(self.tally.stored_count, event.event_id)

    def acked(self, event: EventRef) -> None:
        """The parent has acknowledged an event of the child."""
        if event.tag == READING_TAG:
            self._view.acked(event.event_id)

    def problem(self, node: NodeName, event: ProblemEvent) -> None:
        """A node reports what a person should know."""
        self._last_problem = f"{event.Summary}: {event.Details}"
        self._view.problem(node, event.Summary, event.Details)


class _NodeObserver(Observer):
    """Adds to what a proactor reports which of the two it is."""

    def __init__(self, node: NodeName, play: Play) -> None:
        self._node = node
        self._play = play

    def link_transitioned(self, transition: Transition) -> None:
        self._play.transitioned(self._node, transition)

    def event_stored(self, event: EventRef) -> None:
        self._play.stored(event)

    def event_acked(self, event: EventRef) -> None:
        self._play.acked(event)

    def problem(self, event: ProblemEvent) -> None:
        self._play.problem(self._node, event)
