import asyncio

import pytest

from gwproactor.links.comm_events import CommEvents, event_types
from gwproactor.links.core.link_state import StateName, Transition, TransitionName
from gwproactor.wire.payloads import CommEvent, MQTTConnectEvent, PeerActiveEvent, now_ms

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
    types = event_types(Transition("the link", name, old, new))
    names = [event.model_fields["TypeName"].default for event in types]
    assert [each.removeprefix(COMM) for each in names] == expected


CONNECTED = Transition("the link", T.mqtt_connected, S.connecting, S.awaiting_setup_and_peer)
ACTIVE = Transition("the link", T.message_from_peer, S.awaiting_peer, S.active)


async def test_events_are_made_a_moment_later_with_the_time_of_the_transition() -> None:
    made: asyncio.Queue[CommEvent] = asyncio.Queue()
    events = CommEvents("d1.site.scada", made.put_nowait)
    before_ms = now_ms()
    events.add(CONNECTED)
    events.add(ACTIVE)
    after_ms = now_ms()
    assert made.empty()
    for kind in (MQTTConnectEvent, PeerActiveEvent):
        event = await made.get()
        assert isinstance(event, kind)
        assert (event.Src, event.PeerName) == ("d1.site.scada", "the link")
        assert before_ms <= event.TimeCreatedMs <= after_ms


async def test_flush_makes_them_at_once_and_once() -> None:
    made: list[CommEvent] = []
    events = CommEvents("d1.site.scada", made.append)
    events.add(CONNECTED)
    events.flush()
    events.flush()
    assert len(made) == 1
    events.add(ACTIVE)
    events.flush()
    assert len({event.MessageId for event in made}) == 2


async def test_making_them_may_ask_for_a_flush_itself() -> None:
    made: list[CommEvent] = []

    def post(event: CommEvent) -> None:
        events.flush()  # as whoever posts an event does first
        made.append(event)

    events = CommEvents("d1.site.scada", post)
    events.add(CONNECTED)
    events.add(ACTIVE)
    events.flush()
    assert [type(event) for event in made] == [MQTTConnectEvent, PeerActiveEvent]


async def test_what_is_discarded_is_not_made() -> None:
    made: list[CommEvent] = []
    events = CommEvents("d1.site.scada", made.append)
    events.add(CONNECTED)
    events.discard()
    events.flush()
    assert made == []
