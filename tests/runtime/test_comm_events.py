import pytest

from gwproactor.links.link_state import StateName, Transition, TransitionName
from gwproactor.runtime.comm_events import comm_events
from gwproactor.wire.payloads import CommEvent

S, T = StateName, TransitionName
COMM = "gridworks.event.comm."


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        (T.start_called, S.not_started, S.connecting, []),
        (T.mqtt_connected, S.connecting, S.awaiting_setup_and_peer, ["mqtt.connect"]),
        (T.mqtt_connect_failed, S.connecting, S.connecting, ["mqtt.connect.failed"]),
        (T.mqtt_disconnected, S.active, S.connecting, ["mqtt.disconnect"]),
        (T.mqtt_suback, S.awaiting_setup_and_peer, S.awaiting_peer, ["mqtt.fully.subscribed"]),
        (
            T.mqtt_suback,
            S.awaiting_setup,
            S.active,
            ["mqtt.fully.subscribed", "peer.active"],
        ),
        (T.message_from_peer, S.awaiting_peer, S.active, ["peer.active"]),
        (T.message_from_peer, S.awaiting_setup_and_peer, S.awaiting_setup, []),
        (T.response_timeout, S.active, S.awaiting_peer, ["response.timeout"]),
        (T.stop_called, S.active, S.stopped, []),
    ],
)
def test_which_event_tells_of_which_transition(
    name: TransitionName, old: StateName, new: StateName, expected: list[str]
) -> None:
    events = list(comm_events(Transition("the link", name, old, new), "d1.site.scada"))
    assert [event.TypeName.removeprefix(COMM) for event in events] == expected
    for event in events:
        assert isinstance(event, CommEvent)
        assert (event.Src, event.PeerName) == ("d1.site.scada", "the link")
        assert event.MessageId
