"""Two proactors for tests of events: a child whose events go to a parent, which keeps their ids.

    async with Parent(broker.url, tmp_path / "p") as parent, child(broker.url) as node:
        node.post_event(event("e1"))
        await until(lambda: "e1" in parent.ids)

Comm events of the child arrive at the parent too, so a test looks for ids of its own.
"""

from pathlib import Path
from typing import Any

from gwproactor.config.events import EventSettings
from gwproactor.config.link import LinkSettings
from gwproactor.config.mqtt import broker_from_url
from gwproactor.config.proactor import ProactorSettings
from gwproactor.events.incoming import ReceivedEvent
from gwproactor.runtime.proactor import Proactor
from gwproactor.wire.payloads import AnyEvent

CHILD, PARENT = "d1.site.scada", "d1.site"

NOBODY = "mqtt://127.0.0.1:1"
"""A broker that is not there."""


def link_to_parent(url: str, **values: Any) -> LinkSettings:
    """The child's settings of its link."""
    return LinkSettings(
        peer_name=PARENT,
        peer_short_name="p",
        subscription_name="s",
        upstream=True,
        brokers=(broker_from_url(url),),
        **values,
    )


def link_to_child(url: str, **values: Any) -> LinkSettings:
    """The parent's settings of its link."""
    return LinkSettings(
        peer_name=CHILD,
        peer_short_name="s",
        subscription_name="p",
        downstream=True,
        brokers=(broker_from_url(url),),
        **values,
    )


def child(url: str = NOBODY, **events: Any) -> Proactor:
    """A child, with these `EventSettings`."""
    return child_of_class(Proactor, url, **events)


def child_of_class(cls: type[Proactor], url: str = NOBODY, **events: Any) -> Proactor:
    """The same of a class that a test has made."""
    node = cls(CHILD, ProactorSettings(events=EventSettings(**events)))
    node.add_link(link_to_parent(url))
    return node


class Parent(Proactor):
    """Keeps the ids of what it is given.

    Args:
        url: Its broker.
        folder: Its data folder; without one it keeps nothing.
        events: Further `EventSettings`.

    Attributes:
        ids: In the order in which they came.
    """

    def __init__(self, url: str, folder: Path | None = None, **events: Any) -> None:
        super().__init__(PARENT, ProactorSettings(events=EventSettings(folder=folder, **events)))
        self.ids: list[str] = []
        self.add_link(link_to_child(url))

    async def process_event(self, event: ReceivedEvent) -> None:
        """Keep its id."""
        self.ids.append(event.event_id)


def event(event_id: str, **fields: Any) -> AnyEvent:
    """An event of that id."""
    return AnyEvent(MessageId=event_id, **fields)
