"""The links of a node: one task for each, together under one roof."""

import asyncio
from collections.abc import Iterable, Iterator

from gwproactor.config.link import LinkSettings
from gwproactor.errors import UsageError
from gwproactor.links.event_pump import EventSource
from gwproactor.links.link import Link
from gwproactor.links.listener import LinkListener
from gwproactor.wire.codec import MQTTCodec


class LinkManager:
    """The set of links of one node. For the event loop's thread.

    Args:
        own_name: This node's long name.
        listener: Hears what all of them report.
    """

    def __init__(self, own_name: str, listener: LinkListener) -> None:
        self._own_name = own_name
        self._listener = listener
        self._links: dict[str, Link] = {}

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
        return next((link for link in self if link.settings.upstream), None)

    def add(
        self,
        settings: LinkSettings,
        *,
        codec: MQTTCodec | None = None,
        events: EventSource | None = None,
        delays: Iterable[float] | None = None,
    ) -> Link:
        """Add a link, before `run`.

        Args:
            settings: The link's settings.
            codec: See `Link`.
            events: See `Link`.
            delays: See `Link`.

        Raises:
            UsageError: There is a link of that name, or a second upstream one.
        """
        if settings.link_name in self._links:
            raise UsageError(f"there is a link '{settings.link_name}' already")
        if settings.upstream and self.upstream is not None:
            raise UsageError(
                f"link '{self.upstream.name}' is upstream already; a node has one upstream peer"
            )
        link = Link(
            self._own_name, settings, self._listener, codec=codec, events=events, delays=delays
        )
        self._links[link.name] = link
        return link

    async def run(self) -> None:
        """Run every link until cancelled, which stops all of them.

        Raises:
            ExceptionGroup: A link failed in a way that it should not; the others were stopped.
        """
        async with asyncio.TaskGroup() as group:
            for link in self:
                group.create_task(link.run(), name=f"link:{link.name}")
