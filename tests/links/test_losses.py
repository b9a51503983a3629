"""The last loss of a link, for who asks afterwards."""

from gwproactor.links.core.acks import AckWaitInfo
from gwproactor.links.core.link_manager_transition import LinkManagerTransition
from gwproactor.links.core.link_state import StateName as S
from gwproactor.links.core.link_state import Transition
from gwproactor.links.core.link_state import TransitionName as T
from gwproactor.links.losses import Losses

UP = Transition("c", T.message_from_peer, S.awaiting_peer, S.active, reason="up")
SILENT = Transition("c", T.response_timeout, S.active, S.awaiting_peer, reason="silent")
GONE = Transition("c", T.mqtt_disconnected, S.awaiting_peer, S.connecting, reason="gone")


def test_a_loss_is_given_once_with_what_it_cancelled() -> None:
    losses = Losses()
    losses.add(SILENT)
    losses.cancelled(SILENT, {"m": "mine", "n": None})
    assert losses.take(T.response_timeout) == LinkManagerTransition(
        "c",
        T.response_timeout,
        S.active,
        S.awaiting_peer,
        [AckWaitInfo("c", "m", None, "mine"), AckWaitInfo("c", "n", None)],
        reason="silent",
    )
    assert losses.take(T.response_timeout) is None


def test_only_the_last_one_is_kept_and_what_is_no_loss_is_not() -> None:
    losses = Losses()
    assert losses.take(T.response_timeout) is None
    losses.add(SILENT)
    losses.cancelled(SILENT, {"m": None})
    losses.add(GONE)
    losses.add(UP)
    losses.cancelled(UP, {"n": None})
    assert losses.take(T.response_timeout) is None
    gone = losses.take(T.mqtt_disconnected)
    assert gone is not None
    assert gone.canceled_acks == []
