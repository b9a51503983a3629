"""Links that come and go while a proactor runs, and links beside one that is in trouble."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from gwproactor.config.link import LinkSettings
from gwproactor.config.mqtt import broker_from_url
from gwproactor.config.proactor import ProactorSettings
from gwproactor.errors import ConnectionLostError, NotRunningError, UsageError
from gwproactor.links.core.link_state import StateName, TransitionName
from gwproactor.links.received_message import ReceivedMessage
from gwproactor.runtime.proactor import Proactor
from gwproactor.wire.codec import WireCodec
from gwproactor.wire.payloads import AnyEvent
from gwproactor_test.brokers import AnyBroker
from gwproactor_test.clients import until
from gwproactor_test.problem_notes import ProblemNotes
from gwproactor_test.relay import Relay

HUB = "d1.hub"
SECONDS = 10.0
NOBODY = "mqtt://127.0.0.1:1"


class Note(BaseModel):
    """A message that is no event."""

    TypeName: Literal["test.note"] = "test.note"


CODEC = WireCodec([Note])


def node(name: str) -> Proactor:
    return Proactor(name, ProactorSettings.without_environment())


def settings_of(peer: str, own: str, url: str, **values: Any) -> LinkSettings:
    return LinkSettings(
        peer_name=peer,
        peer_short_name=peer.rpartition(".")[2],
        subscription_name=own.rpartition(".")[2],
        brokers=(broker_from_url(url),),
        **values,
    )


@contextlib.asynccontextmanager
async def leaf(name: str, url: str) -> AsyncIterator[Proactor]:
    """A node with one link to the hub."""
    proactor = node(name)
    proactor.add_link(settings_of(HUB, name, url))
    async with proactor:
        yield proactor


async def test_links_come_and_go_while_it_runs(broker: AnyBroker) -> None:
    async with node(HUB) as hub, leaf("d1.one", broker.url), leaf("d1.two", broker.url):
        links = [hub.add_link(settings_of(name, HUB, broker.url)) for name in ("d1.one", "d1.two")]
        for link in links:
            await link.wait_for(timeout_seconds=SECONDS)
        unacked = links[0].send(AnyEvent(Src=HUB), ack_required=True)
        waiting = asyncio.create_task(links[0].wait_for("stopped"))
        iterating = asyncio.create_task(_all_messages(links[0]))
        await asyncio.sleep(0)
        await hub.remove_link("d1.one")
        await waiting
        assert await iterating == []
        with pytest.raises(ConnectionLostError):
            await unacked.acked()
        with pytest.raises(UsageError, match=r"no link 'd1.one'; links: d1\.two"):
            hub.link("d1.one")
        with pytest.raises(UsageError, match=r"no link 'd1\.one'"):
            await hub.remove_link("d1.one")
        assert links[1].active
        again = hub.add_link(settings_of("d1.one", HUB, broker.url))
        await again.wait_for(timeout_seconds=SECONDS)
        assert TransitionName.mqtt_disconnected not in links[1].history.counts
    with pytest.raises(NotRunningError):
        hub.add_link(settings_of("d1.three", HUB, broker.url))


async def _all_messages(link: Any) -> list[ReceivedMessage]:
    return [received async for received in link.messages()]


async def test_events_wait_for_another_upstream_link(broker: AnyBroker) -> None:
    received: list[str] = []
    child, parent = node("d1.child"), node(HUB)
    parent.add_link(settings_of("d1.child", HUB, broker.url, downstream=True))

    @parent.on_event
    async def note(event: Any) -> None:
        if not event.event_id.startswith("own"):
            received.append(event.event_id)

    async with parent, child:
        child.add_link(settings_of("d1.away", "d1.child", NOBODY, upstream=True))
        ticket = child.post_event(AnyEvent(MessageId="waits"))
        await ticket.stored()
        await child.remove_link("d1.away")
        with pytest.raises(UsageError, match="no upstream link"):
            child.post_event(AnyEvent())
        child.add_link(settings_of(HUB, "d1.child", broker.url, upstream=True))
        await asyncio.wait_for(ticket.acked(), SECONDS)
        await until(lambda: "waits" in received)


async def test_the_trouble_of_one_link_delays_no_other(broker: AnyBroker, relay: Relay) -> None:
    """One broker is dead, one frozen in mid-connection; the third link does not notice."""
    async with node(HUB) as hub, leaf("d1.one", broker.url), leaf("d1.two", broker.url) as two:
        frozen = hub.add_link(
            settings_of("d1.one", HUB, relay.url, ack_timeout_seconds=0.2, poll_seconds=0.2)
        )
        hub.add_link(settings_of("d1.dead", HUB, NOBODY))
        good = hub.add_link(
            settings_of("d1.two", HUB, broker.url, ack_timeout_seconds=5, poll_seconds=0.1)
        )
        await good.wait_for(timeout_seconds=SECONDS)
        await frozen.wait_for(timeout_seconds=SECONDS)
        relay.freeze()
        await frozen.wait_for("connecting", timeout_seconds=SECONDS)
        for _ in range(20):
            sent = good.send(AnyEvent(Src=HUB))
            await asyncio.wait_for(sent.acked(), SECONDS)
        assert good.active
        assert good.history.counts == {
            TransitionName.start_called: 1,
            TransitionName.mqtt_connected: 1,
            TransitionName.mqtt_suback: 1,
            TransitionName.message_from_peer: 1,
        }
        assert two.link(HUB).active
        assert not hub.link("d1.dead").active


async def test_a_handler_sees_what_mqtt_says_and_gets_again_what_it_failed_with(
    broker: AnyBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gwproactor.runtime.mailbox.FIRST_RETRY_SECONDS", 0.01)
    seen: list[tuple[str, tuple[tuple[str, str], ...], str | None]] = []
    hub, one = node(HUB), node("d1.one")
    link = hub.add_link(settings_of("d1.one", HUB, broker.url, qos=1), codec=CODEC)
    one.add_link(settings_of(HUB, "d1.one", broker.url, qos=1), codec=CODEC)

    @hub.on_received
    async def handle(received: ReceivedMessage) -> None:
        packet = received.packet
        seen.append((packet.topic, packet.user_properties, packet.content_type))
        if len(seen) < 3:
            raise ValueError("not yet")

    async with hub, one:
        await link.wait_for(timeout_seconds=SECONDS)
        await one.link(HUB).wait_for(timeout_seconds=SECONDS)
        one.link(HUB).send(Note(), user_properties=[("k", "v")], content_type="text/plain")
        await until(lambda: len(seen) == 3)
    assert len(set(seen)) == 1
    assert seen[0][1:] == ((("k", "v"),), "text/plain")


async def test_the_history_of_a_link_tells_what_it_went_through(
    broker: AnyBroker, relay: Relay
) -> None:
    async with node(HUB) as hub, leaf("d1.one", broker.url):
        link = hub.add_link(settings_of("d1.one", HUB, relay.url))
        await link.wait_for(timeout_seconds=SECONDS)
        await relay.cut()
        await link.wait_for("connecting", timeout_seconds=SECONDS)
        await link.wait_for(timeout_seconds=SECONDS)
    reasons = [past.transition.reason for past in link.history.transitions]
    assert any("connection lost" in reason for reason in reasons)
    assert link.history.reactivations.count == 1
    assert link.history.transitions[-1].transition.new_state is StateName.stopped
    moments = [past.at_seconds for past in link.history.transitions]
    assert moments == sorted(moments)
    assert link.history.seconds_in_states(moments[-1])[StateName.active] > 0


async def test_a_fault_of_ours_in_one_link_ends_neither_the_node_nor_another_link(
    broker: AnyBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("nobody foresaw this")

    hub = node(HUB)
    problems = ProblemNotes(hub).events
    good, bad = (hub.add_link(settings_of(name, HUB, broker.url)) for name in ("d1.one", "d1.two"))
    monkeypatch.setattr(bad._conversation.core, "connected", fail)
    async with hub, leaf("d1.one", broker.url):
        await good.wait_for(timeout_seconds=SECONDS)
        await until(lambda: bool(problems))
        assert good.active
        assert not bad.active
        assert not hub.has_stopped
        assert not any(past.transition.deactivated() for past in good.history.transitions)
    assert "a fault of this program (RuntimeError)" in problems[0].Summary
    assert "nobody foresaw this" in problems[0].Details
