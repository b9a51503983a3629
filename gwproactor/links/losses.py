"""The last loss of a link, kept for a program that asks afterwards what it cost.

A program of the predecessor's kind says that an ack did not come, or that a connection is lost, and
is told the transition, with the acks that are waited for no longer. Here the link has drawn its
conclusions by then. So it keeps the last one, until it was asked for or another takes its place.
"""

from collections.abc import Mapping

from gwproactor.links.core.acks import AckWaitInfo
from gwproactor.links.core.link_manager_transition import LinkManagerTransition
from gwproactor.links.core.link_state import Transition, TransitionName


class Losses:
    """The last transition of one link that ended something, and the waits that ended with it."""

    def __init__(self) -> None:
        self._last: Transition | None = None
        self._cancelled: Mapping[str, object] = {}

    def add(self, transition: Transition) -> None:
        """Take note of a transition; only one that ends `active` or the setup is a loss."""
        if transition.recv_deactivated() or transition.send_deactivated():
            self._last, self._cancelled = transition, {}

    def cancelled(self, because: Transition, contexts: Mapping[str, object]) -> None:
        """Take note of the waits that a loss ended: each message's id and context."""
        if because is self._last:
            self._cancelled = contexts

    def take(self, name: TransitionName) -> LinkManagerTransition | None:
        """The last loss, once.

        Args:
            name: What it must have come from.

        Returns:
            None where the last one came from something else, or was taken already.
        """
        last = self._last
        if last is None or last.transition_name is not name:
            return None
        waits = [
            AckWaitInfo(last.link_name, message_id, None, context)
            for message_id, context in self._cancelled.items()
        ]
        self._last, self._cancelled = None, {}
        return LinkManagerTransition(
            last.link_name,
            last.transition_name,
            last.old_state,
            last.new_state,
            waits,
            reason=last.reason,
        )
