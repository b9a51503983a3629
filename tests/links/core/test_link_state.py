"""The comm state of one link: the table, and what it makes of inputs in any order."""

import itertools
from collections.abc import Callable

import pytest
from result import Err, Ok

from gwproactor.errors import LinkError
from gwproactor.links.core.link_state import (
    CONNECTED_STATES,
    LINK_TABLE,
    CommStateResult,
    InvalidCommStateInput,
    LinkState,
    RuntimeLinkStateError,
    StateName,
    Transition,
    TransitionName,
)

S = StateName
T = TransitionName
STATES = tuple(state for state in S if state is not S.none)

INPUTS: dict[T, Callable[[LinkState], CommStateResult]] = {
    T.start_called: LinkState.start,
    T.stop_called: LinkState.stop,
    T.mqtt_connected: LinkState.process_mqtt_connected,
    T.mqtt_connect_failed: LinkState.process_mqtt_connect_fail,
    T.mqtt_disconnected: LinkState.process_mqtt_disconnected,
    T.mqtt_suback: lambda link: link.process_mqtt_suback(0),
    T.message_from_peer: LinkState.process_mqtt_message,
    T.response_timeout: LinkState.process_ack_timeout,
}

# What the caller cannot mean. All else is Ok, with a row in the table or without.
INVALID = {(T.start_called, state) for state in STATES if state is not S.not_started} | {
    (T.mqtt_connected, state) for state in CONNECTED_STATES | {S.not_started}
}

# Rows that only a link core fires, by process_setup_incomplete and process_silence.
CORE_ONLY = {
    (T.mqtt_suback, S.awaiting_peer),
    (T.mqtt_suback, S.active),
    (T.response_timeout, S.awaiting_setup),
}


@pytest.mark.parametrize(("name", "state"), list(itertools.product(INPUTS, STATES)))
def test_every_input_in_every_state(name: T, state: S) -> None:
    link = LinkState("peer", state)
    result = INPUTS[name](link)
    if (name, state) in INVALID:
        assert isinstance(result, Err)
        assert link.state is state
        return
    rows = {(trigger, source): dest for trigger, source, dest in LINK_TABLE}
    expected = state if (name, state) in CORE_ONLY else rows.get((name, state), state)
    transition = result.unwrap()
    assert transition == Transition("peer", name, state, expected, reason=transition.reason)
    assert bool(transition) == (state is not expected)
    assert link.state is expected


def test_the_table_has_one_row_for_each_trigger_in_a_state() -> None:
    rows = [(trigger, source) for trigger, source, _ in LINK_TABLE]
    assert len(rows) == len(set(rows))


@pytest.mark.parametrize("state", STATES)
def test_late_and_repeated_inputs_change_nothing_and_are_no_error(state: S) -> None:
    link = LinkState("peer", state)
    for _ in range(2):
        assert isinstance(link.process_mqtt_suback(3), Ok)
        assert isinstance(link.process_ack_timeout(), Ok)
        assert isinstance(link.process_mqtt_connect_fail(), Ok)
        assert isinstance(link.process_mqtt_disconnected(), Ok)
        assert isinstance(link.process_mqtt_disconnected(), Ok)


def test_the_way_to_active_and_back() -> None:
    link = LinkState("peer")
    link.start()
    link.process_mqtt_connected()
    assert link.in_state(S.awaiting_setup_and_peer)
    assert not link.process_mqtt_suback(2).unwrap()
    assert link.process_mqtt_suback(0).unwrap().send_activated()
    assert link.active_for_send()
    assert not link.active_for_recv()
    transition = link.process_mqtt_message().unwrap()
    assert transition.activated()
    assert transition.recv_activated()
    assert transition.active()
    assert link.active()
    assert link.curr_state.active()
    transition = link.process_ack_timeout().unwrap()
    assert transition.deactivated()
    assert transition.recv_deactivated()
    assert not transition.send_deactivated()
    assert link.process_mqtt_disconnected().unwrap().send_deactivated()
    assert link.process_mqtt_connect_fail().unwrap().new_state is S.connecting


def test_message_and_suback_in_the_other_order() -> None:
    link = LinkState("peer", S.awaiting_setup_and_peer)
    assert link.process_mqtt_message().unwrap().new_state is S.awaiting_setup
    assert link.process_mqtt_suback(0).unwrap().activated()


def test_a_missing_subscription_and_silence_end_active() -> None:
    link = LinkState("peer", S.active)
    assert link.process_setup_incomplete(reason="refused").unwrap().new_state is S.awaiting_setup
    assert not link.process_setup_incomplete().unwrap()
    assert link.process_silence().unwrap().new_state is S.awaiting_setup_and_peer
    assert not link.process_silence().unwrap()


def test_a_pending_suback_does_not_end_active() -> None:
    link = LinkState("peer", S.active)
    assert not link.process_mqtt_suback(1).unwrap()
    assert link.active()


def test_links_do_not_share_their_state() -> None:
    one, other = LinkState("one"), LinkState("other")
    one.start()
    assert other.state is S.not_started


def test_an_invalid_input_names_link_state_and_transition() -> None:
    link = LinkState("peer", S.active)
    error = link.start().unwrap_err()
    assert (error.name, error.current_state, error.transition) == ("peer", S.active, T.start_called)
    assert "peer" in str(error)
    assert "active" in str(error)


def test_errors_have_the_reference_parameters() -> None:
    error = InvalidCommStateInput()
    assert (error.name, error.current_state, error.transition) == ("", S.none, T.none)
    assert isinstance(RuntimeLinkStateError("x", S.active, T.none, msg="why"), LinkError)
    assert "why" in str(RuntimeLinkStateError("x", msg="why"))


def test_a_transition_in_words() -> None:
    transition = Transition("peer", T.mqtt_suback, S.awaiting_setup, S.active, reason="why")
    assert str(transition) == "peer:  awaiting_setup -- mqtt_suback --> active  (why)"
    assert not Transition()
    assert Transition().transition_name is T.none


def test_names_are_their_text() -> None:
    assert f"{S.awaiting_peer}" == S.awaiting_peer == "awaiting_peer"
    assert f"{T.mqtt_suback}" == T.mqtt_suback == "mqtt_suback"
