"""The links of a node: one task for each, together under one roof.

A link deals with its own troubles, a fault of this program included (`link_task`). Should one end
all the same, that is reported, and the others go on.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterable, Iterator

from gwproactor.config.link import LinkSettings
from gwproactor.config.mqtt import MQTTClient
from gwproactor.errors import NotRunningError, UsageError
from gwproactor.links.core.link_state import StateName
from gwproactor.links.core.timer_interface import TimerManagerInterface
from gwproactor.links.event_pump import EventSource
from gwproactor.links.link import Link, default_client_id
from gwproactor.links.listener import BatchInbox, LinkListener, tell
from gwproactor.links.transport import ReceivedPacket
from gwproactor.texts import traceback_text
from gwproactor.wire.codec import MQTTCodec
from gwproactor.wire.topics import link_filter


class LinkSet:
    """The set of links of one node. For the event loop's thread.

    Args:
        own_name: This node's long name.
        listener: Hears what all of them report.
        events: The events for the upstream peer, whichever link leads there.
        timers: Starts the links' timers.
        on_packet: Called with a link's name, each packet that it receives, and the TypeName of the
            message in it; empty where there is none.
        batches: Takes events that come in batches; None where none are taken.
    """

    def __init__(
        self,
        own_name: str,
        listener: LinkListener,
        *,
        events: EventSource | None = None,
        timers: TimerManagerInterface | None = None,
        on_packet: Callable[[str, ReceivedPacket, str], None] | None = None,
        batches: BatchInbox | None = None,
    ) -> None:
        self._own_name = own_name
        self._listener = listener
        self._events = events
        self._timers = timers
        self._on_packet = on_packet
        self._batches = batches
        self._links: dict[str, Link] = {}
        self._upstream_link: Link | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._ended = False

    def __iter__(self) -> Iterator[Link]:
        return iter(tuple(self._links.values()))

    def __len__(self) -> int:
        return len(self._links)

    def __contains__(self, name: str) -> bool:
        return name in self._links

    def __getitem__(self, name: str) -> Link:
        return self._links[name]

    @property
    def upstream(self) -> Link | None:
        """The link to the peer that this node's events go to, if there is one."""
        return self._upstream_link

    def add(
        self,
        settings: LinkSettings,
        *,
        codec: MQTTCodec | None = None,
        delays: Iterable[float] | None = None,
    ) -> Link:
        """Add a link; one that is added while `run` runs begins at once.

        Args:
            settings: The link's settings.
            codec: See `Link`.
            delays: See `Link`.

        Raises:
            UsageError: There is a link of that name, or a second upstream one, or one that over
                the same broker would have the same client id or hear the same topics.
            NotRunningError: `run` has ended.
        """
        if self._ended:
            raise NotRunningError(f"{self._own_name} is stopped; links are added before that")
        if settings.link_name in self._links:
            raise UsageError(f"there is a link '{settings.link_name}' already")
        if settings.upstream and self.upstream is not None:
            raise UsageError(
                f"link '{self.upstream.name}' is upstream already; a node has one upstream peer"
            )
        for other in self:
            self._refuse_clash(settings, other.settings)
        link = Link(
            self._own_name,
            settings,
            self._listener,
            codec=codec,
            events=self._events if settings.upstream else None,
            delays=delays,
            timers=self._timers,
            on_packet=self._on_packet,
            batches=self._batches,
        )
        self._links[link.name] = link
        if settings.upstream:
            self._upstream_link = link
        self._begin(link)
        return link

    def _begin(self, link: Link) -> None:
        if self._group is not None and link.state is not StateName.stopped:
            task = self._group.create_task(self._run_alone(link), name=f"link:{link.name}")
            self._tasks[link.name] = task

    async def _run_alone(self, link: Link) -> None:
        """Run a link; raised out of its task, its end would be the end of all."""
        try:
            await link.run()
        except Exception as error:  # noqa: BLE001 - a last resort, see the module's docstring
            summary = f"link '{link.name}' has ended by a fault of this program"
            details = traceback_text(error)
            tell(self._listener.link_problem, link.name, summary, details, is_error=True)

    async def remove(self, name: str) -> None:
        """Stop a link and forget it. Cancel-safe: the link is stopped all the same.

        Raises:
            KeyError: There is no such link.
        """
        link = self._links.pop(name)
        if self._upstream_link is link:
            self._upstream_link = None
        task = self._tasks.pop(name, None)
        if task is None:
            link.stop("removed")
        else:
            task.cancel()
            await asyncio.wait([task])

    def _refuse_clash(self, new: LinkSettings, old: LinkSettings) -> None:
        """Raise UsageError when two links would disturb each other over a broker of both.

        A broker ends a connection when another comes under the same client id, and each of two
        links that hear the same topics would refuse the other's messages.
        """
        for ours, theirs in itertools.product(new.brokers, old.brokers):
            if (ours.host, ours.effective_port) != (theirs.host, theirs.effective_port):
                continue
            both = f"links '{old.link_name}' and '{new.link_name}' over {ours}"
            if _topics(new) == _topics(old):
                raise UsageError(
                    f"{both} would hear the same topics;"
                    " give one of them another broker or another subscription_name"
                )
            client_id = self._client_id(new, ours)
            if client_id == self._client_id(old, theirs):
                raise UsageError(
                    f"{both} would have the same MQTT client id, '{client_id}';"
                    " give one of their brokers a client_id of its own"
                )

    def _client_id(self, settings: LinkSettings, broker: MQTTClient) -> str:
        return broker.client_id or default_client_id(self._own_name, settings)

    async def run(self) -> None:
        """Run every link until cancelled, which stops all of them. No link's trouble ends it.

        Raises:
            NotRunningError: It ran before.
            UsageError: It runs already.
        """
        if self._ended:
            raise NotRunningError(f"the links of {self._own_name} are stopped; make a new set")
        if self._group is not None:
            raise UsageError(f"the links of {self._own_name} run already")
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for link in self:
                    self._begin(link)
                await asyncio.Event().wait()  # links come and go meanwhile
        finally:
            self._group, self._ended = None, True
            self._tasks.clear()


def _topics(settings: LinkSettings) -> str:
    return link_filter(settings.peer_name, settings.subscription_name)
