"""Which event tells the upstream peer of which transition of a link. Pure."""

from collections.abc import Iterator

from gwproactor.links.link_state import Transition, TransitionName
from gwproactor.wire.payloads import (
    CommEvent,
    MQTTConnectEvent,
    MQTTConnectFailedEvent,
    MQTTDisconnectEvent,
    MQTTFullySubscribedEvent,
    PeerActiveEvent,
    ResponseTimeoutEvent,
)

_EVENT_OF: dict[TransitionName, type[CommEvent]] = {
    TransitionName.mqtt_connected: MQTTConnectEvent,
    TransitionName.mqtt_connect_failed: MQTTConnectFailedEvent,
    TransitionName.mqtt_disconnected: MQTTDisconnectEvent,
    TransitionName.response_timeout: ResponseTimeoutEvent,
}


def comm_events(transition: Transition, source: str) -> Iterator[CommEvent]:
    """The events that a transition is worth, in the order in which they are to be sent.

    Args:
        transition: The transition.
        source: Long name of this node.
    """
    event = _EVENT_OF.get(transition.transition_name)
    if event is not None:
        yield _made(event, transition, source)
    if transition.send_activated():
        yield _made(MQTTFullySubscribedEvent, transition, source)
    if transition.activated():
        yield _made(PeerActiveEvent, transition, source)


def _made(event: type[CommEvent], transition: Transition, source: str) -> CommEvent:
    return event.model_validate({"Src": source, "PeerName": transition.link_name})
