"""A transition, and the acks that are waited for no longer because of it."""

from dataclasses import dataclass, field

from gwproactor.links.core.acks import AckWaitInfo
from gwproactor.links.core.link_state import Transition


@dataclass(frozen=True)
class LinkManagerTransition(Transition):
    """A transition that may end the wait for acks.

    Args:
        canceled_acks: The waits that it ended.
    """

    canceled_acks: list[AckWaitInfo] = field(default_factory=list, hash=False)
