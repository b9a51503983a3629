"""The comm state of a link: its states, its transitions and the one table of them.

Theory of operation
===================
A link is *active* when the peer at its other end is known to be there, which takes four conditions:

1. the connection to the broker stands;
2. every subscription is acknowledged;
3. no message that needs an ack has waited too long for it;
4. a valid message has come from the peer recently.

Before a connection there is nothing to tell apart, so ``not_started``, ``connecting`` and
``stopped`` are one state each. On a connection two questions stay open, and they are answered in
any order: *is the setup complete?* (condition 2) and *has the peer been heard?* (conditions 3 and
4: an ack that fails to come, or silence, makes what was heard before worthless). Two answers of yes
or no make four states::

                         peer not heard             peer heard
    setup incomplete     awaiting_setup_and_peer    awaiting_setup
    setup complete       awaiting_peer              active

Each transition on a connection changes one of the two answers: ``mqtt_suback`` the first (to yes
when the last subscription is acknowledged, to no when one turns out to be refused or is added
before the link is active), ``message_from_peer`` the second to yes, ``response_timeout`` the second
to no. ``mqtt_disconnected`` forgets both. That is the whole machine; it needs no guard, for who
fires a transition has decided already that the answer changed. ``LINK_TABLE`` below holds it, the
package ``transitions`` runs it, and docs/comm-state.md is drawn from it.

What has no row in the table changes nothing. A SUBACK that is late, an ack that comes twice, a
disconnection of what was not connected: all that happens on a network in any order, and the answer
is ``Ok`` with a transition from a state to itself. ``Err(InvalidCommStateInput)`` is kept for what
cannot be unless the caller is mistaken: starting a link that is not new, and a connection reported
for a link that was not started or that has one already.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from result import Err, Ok, Result
from transitions import Machine

from gwproactor.errors import LinkError, UsageError


class StateName(StrEnum):
    """The states of a link; the value is the text that users see."""

    none = "none"
    not_started = "not_started"
    connecting = "connecting"
    awaiting_setup_and_peer = "awaiting_setup_and_peer"
    awaiting_setup = "awaiting_setup"
    awaiting_peer = "awaiting_peer"
    active = "active"
    stopped = "stopped"


class TransitionName(StrEnum):
    """What can move a link from one state to another; the value is the text that users see."""

    none = "none"
    start_called = "start_called"
    mqtt_connected = "mqtt_connected"
    mqtt_connect_failed = "mqtt_connect_failed"
    mqtt_disconnected = "mqtt_disconnected"
    mqtt_suback = "mqtt_suback"
    message_from_peer = "message_from_peer"
    response_timeout = "response_timeout"
    stop_called = "stop_called"


_S = StateName
_T = TransitionName

CONNECTED_STATES: Final = frozenset(
    {_S.awaiting_setup_and_peer, _S.awaiting_setup, _S.awaiting_peer, _S.active}
)
"""States in which condition 1 holds."""

SETUP_COMPLETE_STATES: Final = frozenset({_S.awaiting_peer, _S.active})
"""States in which condition 2 holds; what is sent can be answered, so pings make sense."""

PEER_HEARD_STATES: Final = frozenset({_S.awaiting_setup, _S.active})
"""States in which conditions 3 and 4 hold."""

_UNSTOPPED: Final = (_S.not_started, _S.connecting, *sorted(CONNECTED_STATES))

LINK_TABLE: Final[tuple[tuple[TransitionName, StateName, StateName], ...]] = (
    (_T.start_called, _S.not_started, _S.connecting),
    (_T.mqtt_connect_failed, _S.connecting, _S.connecting),
    (_T.mqtt_connected, _S.connecting, _S.awaiting_setup_and_peer),
    (_T.mqtt_suback, _S.awaiting_setup_and_peer, _S.awaiting_peer),
    (_T.mqtt_suback, _S.awaiting_setup, _S.active),
    (_T.mqtt_suback, _S.awaiting_peer, _S.awaiting_setup_and_peer),
    (_T.mqtt_suback, _S.active, _S.awaiting_setup),
    (_T.message_from_peer, _S.awaiting_setup_and_peer, _S.awaiting_setup),
    (_T.message_from_peer, _S.awaiting_peer, _S.active),
    (_T.response_timeout, _S.awaiting_setup, _S.awaiting_setup_and_peer),
    (_T.response_timeout, _S.active, _S.awaiting_peer),
    *((_T.mqtt_disconnected, source, _S.connecting) for source in sorted(CONNECTED_STATES)),
    *((_T.stop_called, source, _S.stopped) for source in _UNSTOPPED),
)
"""The comm state machine: trigger, state before, state after."""

_MACHINE: Final = Machine(
    model=None,
    states=[state for state in StateName if state is not _S.none],
    initial=_S.not_started,
    transitions=[[trigger.value, source, dest] for trigger, source, dest in LINK_TABLE],
    auto_transitions=False,
    model_attribute="state_name",
)

_TARGETS: Final = {
    (TransitionName(event.name), StateName(source)): StateName(str(transitions[0].dest))
    for event in _MACHINE.events.values()
    for source, transitions in event.transitions.items()
}
"""Where the machine goes from each state. It has neither guards nor callbacks, so what it would
look for at each step, in some seventy calls, is found once and for all."""


@dataclass(frozen=True)
class Transition:
    """One step of a link's comm state, or, where old and new state are the same, none.

    True in a condition when the state changed.

    Args:
        link_name: The link's name.
        transition_name: What happened.
        old_state: The state before.
        new_state: The state after.
        reason: Why, in words for a user.
    """

    link_name: str = ""
    transition_name: TransitionName = TransitionName.none
    old_state: StateName = StateName.not_started
    new_state: StateName = StateName.not_started
    reason: str = field(default="", kw_only=True)

    def __bool__(self) -> bool:
        return self.old_state is not self.new_state

    def __str__(self) -> str:
        why = f"  ({self.reason})" if self.reason else ""
        step = f"{self.old_state} -- {self.transition_name} --> {self.new_state}"
        return f"{self.link_name}:  {step}{why}"

    def active(self) -> bool:
        """Tell whether the link is active now."""
        return self.new_state is StateName.active

    def activated(self) -> bool:
        """Tell whether the link became active."""
        return self.active() and self.old_state is not StateName.active

    def deactivated(self) -> bool:
        """Tell whether the link was active and is no more."""
        return self.old_state is StateName.active and not self.active()

    def send_is_active(self) -> bool:
        """Tell whether what is sent now can be answered: the setup is complete."""
        return self.new_state in SETUP_COMPLETE_STATES

    def send_activated(self) -> bool:
        """Tell whether the setup became complete."""
        return self.send_is_active() and self.old_state not in SETUP_COMPLETE_STATES

    def send_deactivated(self) -> bool:
        """Tell whether the setup was complete and is no more."""
        return self.old_state in SETUP_COMPLETE_STATES and not self.send_is_active()

    def recv_activated(self) -> bool:
        """Tell whether the peer counts as present from now on: the same as `activated`."""
        return self.activated()

    def recv_deactivated(self) -> bool:
        """Tell whether the peer counts as absent from now on: the same as `deactivated`."""
        return self.deactivated()


class InvalidCommStateInput(LinkError):  # noqa: N818 - the name is part of the public reference
    """An input that a link in this state cannot get unless the caller is mistaken.

    Args:
        name: The link's name.
        current_state: The state that the link is in, and stays in.
        transition: What was asked for.
        msg: Further words for a user.
    """

    name: str = ""
    current_state: StateName = StateName.none
    transition: TransitionName = TransitionName.none

    def __init__(
        self,
        name: str = "",
        current_state: StateName = StateName.none,
        transition: TransitionName = TransitionName.none,
        *,
        msg: str = "",
    ) -> None:
        super().__init__(msg)
        self.name = name
        self.current_state = current_state
        self.transition = transition

    def __str__(self) -> str:
        words = super().__str__()
        return (
            f"{type(self).__name__}: link '{self.name}', state {self.current_state}, "
            f"transition {self.transition}" + (f": {words}" if words else "")
        )


class RuntimeLinkStateError(InvalidCommStateInput):
    """A link was used in a way that its present state does not allow."""


CommStateResult = Result[Transition, InvalidCommStateInput]
"""What every input of a link returns: the transition, or why there cannot be one."""


@dataclass(frozen=True, slots=True)
class State:
    """One state of the machine and what may be done in it.

    Args:
        name: The state's name.
    """

    name: StateName

    def active(self) -> bool:
        """Tell whether all four conditions hold."""
        return self.name is StateName.active

    def active_for_send(self) -> bool:
        """Tell whether what is sent can be answered: the setup is complete."""
        return self.name in SETUP_COMPLETE_STATES

    def active_for_recv(self) -> bool:
        """Tell whether the peer counts as present: the same as `active`."""
        return self.active()


_STATES: Final[dict[StateName, State]] = {
    name: State(name) for name in StateName if name is not StateName.none
}


class LinkState:
    """The comm state of one link: feed it what happens, it answers with transitions.

    It keeps no time and no counts; `link_core.LinkCore` decides when an input is
    due. Not thread-safe; belongs to the loop's thread.

    Args:
        name: The link's name, which transitions carry.
        curr_state: The state to begin in.

    Raises:
        UsageError: `none` is no state that a link can be in.
    """

    states: dict[StateName, State] = _STATES

    def __init__(self, name: str, curr_state: StateName = StateName.not_started) -> None:
        if curr_state not in _STATES:
            raise UsageError(f"a link is never in the state '{curr_state}'")
        self.name = name
        self.state_name = curr_state

    @property
    def curr_state(self) -> State:
        """The present state as an object."""
        return _STATES[self.state_name]

    @property
    def state(self) -> StateName:
        """The present state's name."""
        return self.state_name

    def in_state(self, state: StateName) -> bool:
        """Tell whether the link is in `state`."""
        return self.state_name is state

    def active(self) -> bool:
        """Tell whether all four conditions hold."""
        return self.state_name is StateName.active

    def active_for_send(self) -> bool:
        """Tell whether what is sent can be answered: the setup is complete."""
        return self.state_name in SETUP_COMPLETE_STATES

    def active_for_recv(self) -> bool:
        """Tell whether the peer counts as present: the same as `active`."""
        return self.active()

    def connected(self) -> bool:
        """Tell whether the connection to the broker stands."""
        return self.state_name in CONNECTED_STATES

    def start(self, *, reason: str = "start called") -> CommStateResult:
        """Begin to connect. `Err` unless the link is new: a stopped one is not started again."""
        if self.state_name is not StateName.not_started:
            return self._refuse(TransitionName.start_called, "a link is started once")
        return self._fire(TransitionName.start_called, reason)

    def stop(self, *, reason: str = "stop called") -> CommStateResult:
        """End the link, from any state and for good."""
        return self._fire(TransitionName.stop_called, reason)

    def process_mqtt_connected(self, *, reason: str = "connected to the broker") -> CommStateResult:
        """Take note of a connection. `Err` where the link has one already or was not started."""
        if self.state_name is StateName.not_started or self.connected():
            return self._refuse(TransitionName.mqtt_connected, "the link was not connecting")
        return self._fire(TransitionName.mqtt_connected, reason)

    def process_mqtt_disconnected(self, *, reason: str = "connection lost") -> CommStateResult:
        """Take note that the connection is lost; without one this changes nothing."""
        return self._fire(TransitionName.mqtt_disconnected, reason)

    def process_mqtt_connect_fail(self, *, reason: str = "connect failed") -> CommStateResult:
        """Take note that an attempt to connect failed; the state stays what it is."""
        return self._fire(TransitionName.mqtt_connect_failed, reason)

    def process_mqtt_suback(
        self,
        num_pending_subscriptions: int,
        *,
        reason: str = "all subscriptions acknowledged",
    ) -> CommStateResult:
        """Take note of a SUBACK; the setup is complete when none is pending.

        While some are pending nothing changes: a subscription that was added while the link is
        active does not end it before it is refused or overdue (`process_setup_incomplete`).
        """
        if num_pending_subscriptions > 0 or self.state_name in SETUP_COMPLETE_STATES:
            return self._stay(TransitionName.mqtt_suback, reason)
        return self._fire(TransitionName.mqtt_suback, reason)

    def process_setup_incomplete(self, *, reason: str = "subscription missing") -> CommStateResult:
        """Take note that a subscription is missing after the setup had been complete."""
        if self.state_name not in SETUP_COMPLETE_STATES:
            return self._stay(TransitionName.mqtt_suback, reason)
        return self._fire(TransitionName.mqtt_suback, reason)

    def process_mqtt_message(self, *, reason: str = "message from the peer") -> CommStateResult:
        """Take note of a valid message from the peer; on an active link nothing changes."""
        return self._fire(TransitionName.message_from_peer, reason)

    def process_ack_timeout(self, *, reason: str = "no ack in time") -> CommStateResult:
        """Take note that an ack failed to come in time; it matters on an active link only."""
        if self.state_name is not StateName.active:
            return self._stay(TransitionName.response_timeout, reason)
        return self._fire(TransitionName.response_timeout, reason)

    def process_silence(self, *, reason: str = "nothing heard from the peer") -> CommStateResult:
        """Take note that nothing valid has come from the peer for too long."""
        return self._fire(TransitionName.response_timeout, reason)

    def _fire(self, name: TransitionName, reason: str) -> CommStateResult:
        old_state = self.state_name
        self.state_name = new_state = _TARGETS.get((name, old_state), old_state)
        return Ok(Transition(self.name, name, old_state, new_state, reason=reason))

    def _stay(self, name: TransitionName, reason: str) -> CommStateResult:
        return Ok(Transition(self.name, name, self.state_name, self.state_name, reason=reason))

    def _refuse(self, name: TransitionName, msg: str) -> CommStateResult:
        return Err(InvalidCommStateInput(self.name, self.state_name, name, msg=msg))
