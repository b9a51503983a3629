"""The comm states of all links of a node, by name.

`LinkStates` finds the link that an input is meant for and hands it on. Where an input comes as a
message, the link's name is `message.Payload.client_name`.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from result import Err, Ok

from gwproactor.links.core.link_state import (
    CommStateResult,
    InvalidCommStateInput,
    LinkState,
    StateName,
)


class ClientPayload(Protocol):
    """A payload that names the link it belongs to."""

    @property
    def client_name(self) -> str:
        """The link's name."""
        ...


class ClientMessage(Protocol):
    """A message from the MQTT side, of which only the link's name matters here."""

    @property
    def Payload(self) -> ClientPayload:  # noqa: N802 - the wire format's spelling
        """What names the link."""
        ...


class CommLinkMissing(InvalidCommStateInput):
    """There is no link of that name.

    Args:
        name: The name asked for.
        msg: Further words for a user.
    """

    def __init__(self, name: str, *, msg: str = "") -> None:
        super().__init__(name, msg=msg or "there is no link of that name")


class CommLinkAlreadyExists(InvalidCommStateInput):
    """A link of that name exists already."""


class LinkStates:
    """The comm states of a node's links. Belongs to the loop's thread.

    Args:
        names: Links to begin with, all not started.
    """

    def __init__(self, names: Sequence[str] | None = None) -> None:
        self._links: dict[str, LinkState] = {}
        for name in names or ():
            self.add(name)

    def __contains__(self, name: str) -> bool:
        return name in self._links

    def __getitem__(self, name: str) -> LinkState:
        try:
            return self._links[name]
        except KeyError:
            raise CommLinkMissing(name) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._links)

    def __len__(self) -> int:
        return len(self._links)

    def add(self, name: str, state: StateName = StateName.not_started) -> LinkState:
        """Add a link.

        Args:
            name: Its name.
            state: The state it begins in.

        Raises:
            CommLinkAlreadyExists: There is one of that name.
        """
        if name in self._links:
            raise CommLinkAlreadyExists(name, self._links[name].state)
        self._links[name] = link = LinkState(name, state)
        return link

    def adopt(self, link: LinkState) -> LinkState:
        """Add a link that exists already, so that its owner and this registry share one state.

        Raises:
            CommLinkAlreadyExists: There is one of that name.
        """
        if link.name in self._links:
            raise CommLinkAlreadyExists(link.name, self._links[link.name].state)
        self._links[link.name] = link
        return link

    def remove(self, name: str) -> None:
        """Forget a link; an unknown name is nothing to forget."""
        self._links.pop(name, None)

    def link(self, name: str) -> LinkState | None:
        """Return the link of that name, or None."""
        return self._links.get(name)

    def link_names(self) -> list[str]:
        """Return the names of all links, in the order in which they were added."""
        return list(self._links)

    def link_state(self, name: str) -> StateName | None:
        """Return the state of the link of that name, or None."""
        link = self._links.get(name)
        return None if link is None else link.state

    def stopped(self, name: str) -> bool:
        """Tell whether the link of that name is stopped; an unknown one is not."""
        return self.link_state(name) is StateName.stopped

    def start_all(self) -> Ok[bool] | Err[Sequence[BaseException]]:
        """Start every link; `Err` lists those that could not be, the others are started."""
        results = [link.start() for link in self._links.values()]
        errors: list[BaseException] = [
            result.err_value for result in results if isinstance(result, Err)
        ]
        return Err(errors) if errors else Ok(True)

    def start(self, name: str) -> CommStateResult:
        """`LinkState.start` of that link. Raises `CommLinkMissing`, as all that follow."""
        return self[name].start()

    def stop(self, name: str) -> CommStateResult:
        """`LinkState.stop` of that link."""
        return self[name].stop()

    def process_mqtt_connected(self, message: ClientMessage) -> CommStateResult:
        """`LinkState.process_mqtt_connected` of the message's link."""
        return self[message.Payload.client_name].process_mqtt_connected()

    def process_mqtt_disconnected(self, message: ClientMessage) -> CommStateResult:
        """`LinkState.process_mqtt_disconnected` of the message's link."""
        return self[message.Payload.client_name].process_mqtt_disconnected()

    def process_mqtt_connect_fail(self, message: ClientMessage) -> CommStateResult:
        """`LinkState.process_mqtt_connect_fail` of the message's link."""
        return self[message.Payload.client_name].process_mqtt_connect_fail()

    def process_mqtt_suback(self, name: str, num_pending_subscriptions: int) -> CommStateResult:
        """`LinkState.process_mqtt_suback` of that link."""
        return self[name].process_mqtt_suback(num_pending_subscriptions)

    def process_mqtt_message(self, message: ClientMessage) -> CommStateResult:
        """`LinkState.process_mqtt_message` of the message's link."""
        return self[message.Payload.client_name].process_mqtt_message()

    def process_ack_timeout(self, name: str) -> CommStateResult:
        """`LinkState.process_ack_timeout` of that link."""
        return self[name].process_ack_timeout()
