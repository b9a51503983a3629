"""Two nodes as processes: what goes in at one comes out at the other, once, come what may."""

from pathlib import Path

import pytest

from gwproactor_test.brokers import AnyBroker, MakeBroker
from gwproactor_test.nodes import (
    CHILD,
    PARENT,
    Acked,
    Event,
    NodeProcess,
    Ready,
    Refused,
    Stopped,
    Stored,
    Transition,
    child_options,
    parent_options,
)
from gwproactor_test.relay import Relay

DATA_TYPE = "gridworks.event.data"
PEER_ACTIVE = "gridworks.event.comm.peer.active"


def types_of(parent: NodeProcess) -> list[str]:
    return [event.payload["TypeName"] for event in parent.of(Event)]


@pytest.mark.parametrize("mqtt", ["5", "3.1.1"])
async def test_lines_in_are_events_out(broker: AnyBroker, tmp_path: Path, mqtt: str) -> None:
    options = ("--mqtt", mqtt)
    async with (
        NodeProcess(*parent_options(broker.url, tmp_path / "p", *options)) as parent,
        NodeProcess(*child_options(broker.url, tmp_path / "c", *options)) as child,
    ):
        await child.send({"n": 1}, {"MessageId": "mine", "Src": "x.y", "TimeCreatedMs": 7})
        await child.write(b"\n  \n")
        await child.send(
            {"TypeName": "gridworks.event.other", "text": "grüße\n\u2028", "deep": [{}]}
        )
        child.end_input()
        assert await child.exited() == 0
        ids = child.ids(Stored)
        await parent.until(lambda: set(ids) <= set(parent.ids(Event)))
        parent.terminate()
        assert await parent.exited() == 0

    (ready,) = child.of(Ready)
    assert ready.pid == child.pid
    assert [stored.line for stored in child.of(Stored)] == [1, 2, 5]
    assert sorted(child.ids(Acked)) == sorted(ids)
    for line in child.of(Acked):
        (stored,) = [stored for stored in child.of(Stored) if stored.id == line.id]
        assert child.lines.index(stored) < child.lines.index(line)
    assert not {"error", "problem", "event"} & {line.kind for line in child.lines}
    assert child.lines[-1] == Stopped(child.lines[-1].t, "input_end", 0)
    payloads = {event.id: event.payload for event in parent.of(Event)}
    own = [event.id for event in parent.of(Event) if event.payload["Src"] == CHILD]
    assert [event_id for event_id in own if event_id in ids] == [ids[0], ids[2]]
    first, second, third = (payloads[event_id] for event_id in ids)
    assert (first["n"], first["TypeName"], first["Src"]) == (1, DATA_TYPE, CHILD)
    assert isinstance(first["TimeCreatedMs"], int)
    assert first["MessageId"] == ids[0]
    mine = {"MessageId": "mine", "TypeName": DATA_TYPE, "Src": "x.y", "TimeCreatedMs": 7}
    assert (ids[1], second) == ("mine", mine)
    assert third["text"] == "grüße\n\u2028"
    assert third["deep"] == [{}]
    assert third["TypeName"] == "gridworks.event.other"


async def test_comm_states_are_told(broker: AnyBroker, tmp_path: Path) -> None:
    async with (
        NodeProcess(*parent_options(broker.url, tmp_path / "p")) as parent,
        NodeProcess(*child_options(broker.url, tmp_path / "c")) as child,
    ):
        await child.wait_active()
        await parent.wait_active()
        await parent.until(lambda: PEER_ACTIVE in types_of(parent))
        child.terminate()
        parent.terminate()
        assert (await child.exited(), await parent.exited()) == (0, 0)
    for node, link in ((child, PARENT), (parent, CHILD)):
        steps = node.of(Transition)
        assert {step.link for step in steps} == {link}
        assert [step.old for step in steps[1:]] == [step.new for step in steps[:-1]]
        why = [step.why for step in steps]
        assert why[:2] == ["start_called", "mqtt_connected"]
        assert {"mqtt_suback", "message_from_peer"} <= set(why)
        assert (why[-1], steps[-1].new) == ("stop_called", "stopped")
    assert types_of(parent)[0] == "gridworks.event.startup"
    assert all(event.payload["Src"] == CHILD for event in parent.of(Event))


async def test_what_is_pending_goes_out_in_a_later_run(broker: AnyBroker, tmp_path: Path) -> None:
    """Without a parent nothing is acked; the next run delivers it and tells so."""
    async with NodeProcess(*child_options(broker.url, tmp_path / "c", "--follow")) as child:
        await child.send(*({"n": n} for n in range(50)))
        await child.until(lambda: len(child.of(Stored)) == 50)
        child.terminate()
        assert await child.exited() == 0
    assert child.of(Acked) == []
    ids = child.ids(Stored)
    (stopped,) = child.of(Stopped)
    assert stopped.reason == "signal"
    assert stopped.pending > len(ids), "the node's own events are pending too"

    async with (
        NodeProcess(*parent_options(broker.url, tmp_path / "p")) as parent,
        NodeProcess(*child_options(broker.url, tmp_path / "c")) as child,
    ):
        child.end_input()
        assert await child.exited() == 0
        parent.terminate()
        await parent.exited()
    assert sorted(child.ids(Acked)) == sorted(ids)
    assert child.of(Stored) == []
    assert child.of(Stopped)[0].pending == 0
    assert [event.payload["n"] for event in parent.of(Event) if event.id in ids] == list(range(50))
    assert len(set(parent.ids(Event))) == len(parent.ids(Event))


async def test_an_id_is_printed_once_whoever_is_restarted(
    broker: AnyBroker, tmp_path: Path
) -> None:
    """The same id from another run of the child, and with another folder; and to another parent."""
    event = {"MessageId": "the-one", "n": 1}
    printed: list[str] = []
    for round_number in range(3):
        child_data = tmp_path / ("c" if round_number < 2 else "another")
        async with (
            NodeProcess(*parent_options(broker.url, tmp_path / "p")) as parent,
            NodeProcess(*child_options(broker.url, child_data)) as child,
        ):
            await child.send(event)
            child.end_input()
            assert await child.exited() == 0
            assert child.ids(Stored) == child.ids(Acked) == ["the-one"]
            parent.terminate()
            assert await parent.exited() == 0
        printed += parent.ids(Event)
    assert printed.count("the-one") == 1
    assert len(set(printed)) == len(printed)


async def test_a_pending_id_is_stored_again_and_kept_once(
    broker: AnyBroker, tmp_path: Path
) -> None:
    """The first content stands; each line is told; one event goes out."""
    twice = [{"MessageId": "same", "n": n} for n in (1, 2)]
    async with NodeProcess(*child_options(broker.url, tmp_path / "c", "--follow")) as child:
        await child.send(*twice)
        await child.until(lambda: len(child.of(Stored)) == 2)
        child.kill()
        await child.exited()
    assert [(stored.line, stored.id) for stored in child.of(Stored)] == [(1, "same"), (2, "same")]
    async with (
        NodeProcess(*child_options(broker.url, tmp_path / "c")) as child,
        NodeProcess(*parent_options(broker.url, tmp_path / "p")) as parent,
    ):
        await child.send({"MessageId": "same", "n": 3})
        child.end_input()
        assert await child.exited() == 0
        parent.terminate()
        await parent.exited()
    assert child.ids(Acked).count("same") >= 1
    received = [event.payload["n"] for event in parent.of(Event) if event.id == "same"]
    assert received == [1]


async def test_brokers_are_failed_over_in_order(make_broker: MakeBroker, tmp_path: Path) -> None:
    first, second = await make_broker(), await make_broker()
    async with Relay(first.port, first.host) as nobody, Relay(first.port, first.host) as door:
        nobody.refuse()
        urls = [nobody.url, door.url, second.url]
        async with (
            NodeProcess(*parent_options(urls, tmp_path / "p")) as parent,
            NodeProcess(*child_options(urls, tmp_path / "c", "--follow")) as child,
        ):
            await child.send({"n": 1})
            await parent.wait(Event, lambda event: event.payload.get("n") == 1)
            assert door.open_connections == 2
            door.refuse()
            await door.cut(reset=True)
            await child.send({"n": 2})
            await parent.wait(Event, lambda event: event.payload.get("n") == 2)
            assert door.open_connections == 0
            second_ids = [stored.id for stored in child.of(Stored)]
            await child.until(lambda: set(second_ids) <= set(child.ids(Acked)))
            child.terminate()
            parent.terminate()
            assert (await child.exited(), await parent.exited()) == (0, 0)
    assert [event.payload["n"] for event in parent.of(Event) if "n" in event.payload] == [1, 2]


async def test_a_downstream_node_takes_no_events(broker: AnyBroker, tmp_path: Path) -> None:
    async with NodeProcess(*parent_options(broker.url, tmp_path / "p")) as parent:
        await parent.send({"n": 1}, {"n": 2})
        await parent.until(lambda: len(parent.of(Refused)) == 2)
        parent.terminate()
        assert await parent.exited() == 0
    assert [refused.line for refused in parent.of(Refused)] == [1, 2]
    assert "--downstream" in parent.of(Refused)[0].error
    assert parent.of(Stored) == []
    assert parent.of(Stopped)[0].pending == 0, "its own events are not stored"


async def test_a_downstream_node_ends_with_its_input(broker: AnyBroker, tmp_path: Path) -> None:
    options = [word for word in parent_options(broker.url, tmp_path / "p") if word != "--follow"]
    async with NodeProcess(*options) as parent:
        parent.end_input()
        assert await parent.exited() == 0
    assert (parent.of(Stopped)[0].reason, parent.of(Stopped)[0].pending) == ("input_end", 0)
