"""The comm states of all links, by name."""

from dataclasses import dataclass, field

import pytest
from result import Err, Ok

from gwproactor.links.core.link_state import InvalidCommStateInput, LinkState, StateName
from gwproactor.links.core.link_states import CommLinkAlreadyExists, CommLinkMissing, LinkStates


@dataclass
class Payload:
    client_name: str


@dataclass
class Message:
    Payload: Payload = field(default_factory=lambda: Payload("a"))


def test_links_are_found_by_name() -> None:
    states = LinkStates(["a", "b"])
    assert states.link_names() == list(states) == ["a", "b"]
    assert len(states) == 2
    assert "a" in states
    assert states.link("a") is states["a"]
    assert states.link("c") is None
    assert states.link_state("a") is StateName.not_started
    assert states.link_state("c") is None
    assert not states.stopped("c")


def test_an_unknown_link_is_an_error_that_names_it() -> None:
    with pytest.raises(CommLinkMissing, match="'c'"):
        LinkStates().start("c")
    with pytest.raises(InvalidCommStateInput):
        LinkStates().process_ack_timeout("c")


def test_a_name_is_taken_once() -> None:
    states = LinkStates(["a"])
    with pytest.raises(CommLinkAlreadyExists, match="'a'"):
        states.add("a")
    with pytest.raises(CommLinkAlreadyExists):
        states.adopt(LinkState("a"))
    states.remove("a")
    states.remove("a")
    link = LinkState("a", StateName.active)
    assert states.adopt(link) is states["a"] is link


def test_inputs_reach_the_link_they_name() -> None:
    states = LinkStates(["a", "b"])
    assert states.start_all() == Ok(True)
    message = Message()
    assert states.process_mqtt_connect_fail(message).is_ok()
    assert states.process_mqtt_connected(message).unwrap().link_name == "a"
    assert states.process_mqtt_suback("a", 0).unwrap().new_state is StateName.awaiting_peer
    assert states.process_mqtt_message(message).unwrap().activated()
    assert states.process_ack_timeout("a").unwrap().deactivated()
    assert states.process_mqtt_disconnected(message).unwrap().new_state is StateName.connecting
    assert states.stop("a").is_ok()
    assert states.stopped("a")
    assert states.link_state("b") is StateName.connecting


def test_start_all_lists_what_could_not_be_started() -> None:
    states = LinkStates(["a", "b"])
    states.start("b")
    match states.start_all():
        case Err(errors):
            assert [str(error) for error in errors if "'b'" in str(error)]
            assert len(errors) == 1
        case Ok():
            pytest.fail("a link was started twice")
    assert states.link_state("a") is StateName.connecting


def test_a_state_to_begin_in() -> None:
    assert LinkStates().add("a", StateName.active).active()
