"""What a proactor does with its links: adding them, finding them, and letting them go."""

from gwproactor.config.link import LinkSettings
from gwproactor.errors import UsageError
from gwproactor.links.link import Link
from gwproactor.links.manager.link_manager import LinkManager
from gwproactor.runtime.communicators import Communicators
from gwproactor.runtime.home_loop import HomeLoop
from gwproactor.runtime.names import check_link_names, checked_type
from gwproactor.wire.codec import MQTTCodec


class OwnLinks:
    """The part of a proactor that is about links. For the event loop's thread."""

    _links: LinkManager
    _communicators: Communicators
    _home: HomeLoop

    def add_link(self, settings: LinkSettings, codec: MQTTCodec | None = None) -> Link:
        """Add a link to a peer; one that is added while the proactor runs begins at once.

        Args:
            settings: The link's settings.
            codec: Turns messages into payloads and back; the wire format's when not given.

        Raises:
            UsageError: These are no settings; or there is a link or a communicator of that name, or
                a communicator of the peer's; or a second upstream link, or one that it would
                disturb; or the caller is on another thread.
            NotRunningError: The proactor is stopped.
        """
        self._home.check("add_link")
        checked_type(settings, LinkSettings, "what add_link is given")
        check_link_names(settings, self._communicators)
        return self._links.add(settings, codec=codec)

    async def remove_link(self, name: str) -> None:
        """Stop a link and forget it; who waits for anything of it is told. Cancel-safe.

        Events for the upstream peer wait for another upstream link, or for the next run.

        Raises:
            UsageError: There is no such link.
        """
        self.link(name)
        await self._links.remove(name)

    def link(self, name: str) -> Link:
        """The link of that name.

        Raises:
            UsageError: There is none.
        """
        if name not in self._links:
            known = ", ".join(sorted(link.name for link in self._links)) or "none"
            raise UsageError(f"there is no link '{name}'; links: {known}")
        return self._links[name]

    def _acknowledge(self, link_name: str, message_id: str) -> None:
        if link_name in self._links:  # an inbox may hold events of a link that is no more
            self._links[link_name].acknowledge(message_id)
