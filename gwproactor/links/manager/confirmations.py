"""What a link says to a program that tells it what it has noticed by itself.

The predecessor's links learned from their program that a connection was made or lost. Ours know,
and nobody can tell them otherwise: what agrees with a link is confirmed by a transition from its
state to itself, what contradicts it is an `Err`, and neither changes anything. A loss is confirmed
once by the transition that it was, with the acks that it cancelled.
"""

from result import Err, Ok, Result

from gwproactor.links.core.acks import AckWaitInfo
from gwproactor.links.core.link_manager_transition import LinkManagerTransition
from gwproactor.links.core.link_state import (
    CONNECTED_STATES,
    CommStateResult,
    InvalidCommStateInput,
    Transition,
    TransitionName,
)
from gwproactor.links.link import Link
from gwproactor.links.manager.mqtt_notices import MQTTMessageModel
from gwproactor.links.transport import ReceivedPacket


def confirmed(link: Link, told: TransitionName, *, must_be_connected: bool) -> CommStateResult:
    """Confirm what a program says of a link's connection.

    Args:
        link: The link.
        told: What is said to have happened.
        must_be_connected: Whether a link of which that is true is connected.
    """
    if (link.state in CONNECTED_STATES) is must_be_connected:
        return Ok(Transition(link.name, told, link.state, link.state))
    text = "only the link's own connection says whether there is one"
    return Err(InvalidCommStateInput(link.name, link.state, told, msg=text))


def confirmed_loss(
    link: Link,
) -> Result[LinkManagerTransition, InvalidCommStateInput]:
    """Confirm that a link has lost its connection; it may be back already."""
    loss = link.take_loss(TransitionName.mqtt_disconnected)
    if loss is not None:
        return Ok(loss)
    answer = confirmed(link, TransitionName.mqtt_disconnected, must_be_connected=False)
    return answer.map(_with_no_acks)


def confirmed_timeout(link: Link, wait: AckWaitInfo) -> LinkManagerTransition:
    """Confirm that an ack did not come: what followed from it, the first time one asks."""
    followed = link.take_loss(TransitionName.response_timeout)
    if followed is None:
        name = TransitionName.response_timeout
        followed = LinkManagerTransition(link.name, name, link.state, link.state)
    followed.canceled_acks.insert(0, wait)
    return followed


def _with_no_acks(same: Transition) -> LinkManagerTransition:
    return LinkManagerTransition(
        same.link_name, same.transition_name, same.old_state, same.new_state
    )


def taken(link: Link, receipt: MQTTMessageModel) -> Transition:
    """Treat a packet as if it had come over a link: read, judged and handed on as any.

    Returns:
        The transition that followed, from a state to itself where none did.
    """
    before = link.state
    link.take_packet(ReceivedPacket(receipt.topic, receipt.payload, retain=receipt.retain))
    return Transition(link.name, TransitionName.message_from_peer, before, link.state)
