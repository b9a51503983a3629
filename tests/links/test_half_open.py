"""Silence, with real links on real brokers and the clock moved by hand: when it is noticed.

A connection is half open where packets vanish and no reset comes: a frozen relay. All moments are
those that the transitions carry, on a clock that only the test moves, with the settings that links
have by default. So the bounds are held to the very second, and a busy machine changes nothing.
"""

import contextlib
import functools
from collections.abc import AsyncIterator, Iterator

import pytest

from gwproactor.config.mqtt import broker_from_url
from gwproactor.links.core.link_state import StateName, TransitionName
from gwproactor.links.mqtt.aiomqtt_transport import connect_with_aiomqtt
from gwproactor.links.transport import ConnectOptions
from gwproactor.wire.payloads import AnyEvent
from gwproactor.wire.timing import DEFAULT_ACK_TIMEOUT_SECONDS, DEFAULT_POLL_SECONDS
from gwproactor.wire.topics import encode_topic
from gwproactor_test.brokers import AnyBroker
from gwproactor_test.clients import until
from gwproactor_test.link_pair import (
    CHILD,
    CHILD_SHORT,
    PARENT,
    WAIT_SECONDS,
    End,
    child_settings,
    parent_settings,
    running,
)
from gwproactor_test.moved_clock import MovedClock, moved_clock
from gwproactor_test.relay import Relay

ACK, POLL = DEFAULT_ACK_TIMEOUT_SECONDS, DEFAULT_POLL_SECONDS
BOUND_SECONDS = (POLL + ACK) * 1.05
BOUND_WITH_ACK_SECONDS = ACK * 1.05


@pytest.fixture
def clock() -> Iterator[MovedClock]:
    with moved_clock() as moved:
        yield moved


@contextlib.asynccontextmanager
async def pair(
    clock: MovedClock, relay: Relay, broker: AnyBroker
) -> AsyncIterator[tuple[End, End]]:
    """A child behind the relay and a parent that is not, active and with nothing under way."""
    child = End(CHILD, child_settings(broker_from_url(relay.url)), timers=clock)
    parent = End(PARENT, parent_settings(broker_from_url(broker.url)), timers=clock)
    async with running(parent):
        await parent.link.wait_for(StateName.awaiting_peer, timeout_seconds=WAIT_SECONDS)
        async with running(child):
            await child.active()
            await parent.active()
            await nothing_waits(child)
            await clock.run(ACK)  # the parent's first ping, when nobody was there, is forgotten
            await nothing_waits(parent)
            yield child, parent


async def nothing_waits(end: End) -> None:
    await until(lambda: not end.link._conversation.core.num_acks)


def last_heard(end: End) -> float:
    return end.link._conversation.core.times.last_recv


def last_byte(end: End) -> float:
    connection = end.link._conversation.sender.connection
    return connection.last_byte_seconds if connection is not None else float("-inf")


def heard_since(end: End, moment: float) -> bool:
    return last_byte(end) > moment


def left_active_at(end: End) -> float:
    """When the link left `active`, and that it was for want of an answer."""
    for past in reversed(end.link.history.transitions):
        if past.transition.deactivated():
            assert past.transition.transition_name is TransitionName.response_timeout
            return past.at_seconds
    raise AssertionError("it did not leave active")


async def test_an_idle_half_open_connection_is_noticed_on_both_sides(
    clock: MovedClock, broker: AnyBroker, relay: Relay
) -> None:
    async with pair(clock, relay, broker) as ends:
        heard = [last_heard(end) for end in ends]
        relay.freeze(hold=False)
        await clock.run(BOUND_SECONDS)
        for end, heard_at in zip(ends, heard, strict=True):
            assert POLL < left_active_at(end) - heard_at <= BOUND_SECONDS


@pytest.mark.parametrize("idle_seconds", [0.0, 30.0, POLL - 1.0])
async def test_where_an_ack_is_waited_for_it_is_noticed_by_the_ack_timeout(
    clock: MovedClock, broker: AnyBroker, relay: Relay, idle_seconds: float
) -> None:
    async with pair(clock, relay, broker) as ends:
        await clock.run(idle_seconds)
        relay.freeze(hold=False)
        sent_at = clock.monotonic()
        for end in ends:
            end.link.send(AnyEvent(Src=CHILD))
        await clock.run(BOUND_WITH_ACK_SECONDS)
        for end in ends:
            assert left_active_at(end) - sent_at <= BOUND_WITH_ACK_SECONDS


async def test_what_is_sent_without_ack_does_not_hide_that_it_vanishes(
    clock: MovedClock, broker: AnyBroker, relay: Relay
) -> None:
    async with pair(clock, relay, broker) as (child, _):
        heard = last_heard(child)
        relay.freeze(hold=False)
        for _ in range(int(BOUND_SECONDS)):
            if child.link.active:
                child.link.send(AnyEvent(Src=CHILD), ack_required=False)
            await clock.run(1.0)
        assert left_active_at(child) - heard <= BOUND_SECONDS


async def test_what_is_sent_without_ack_does_not_hide_a_silent_peer(
    clock: MovedClock, broker: AnyBroker, relay: Relay
) -> None:
    """The broker is well and answers; it is the peer that is gone."""
    async with pair(clock, relay, broker) as (child, parent):
        made = relay.accepted_connections
        heard = last_heard(child)
        await parent.stop()
        while child.link.active and clock.monotonic() < heard + 2 * BOUND_SECONDS:
            child.link.send(AnyEvent(Src=CHILD), ack_required=False)
            await clock.run(1.0)
        assert left_active_at(child) - heard <= BOUND_SECONDS
        assert child.link.state is StateName.awaiting_peer
        assert relay.accepted_connections == made


async def test_what_is_not_valid_does_not_hide_a_silent_peer(
    clock: MovedClock, broker: AnyBroker, relay: Relay
) -> None:
    options = ConnectOptions("stranger", 1 << 24)
    topic = encode_topic(PARENT, CHILD_SHORT, "gridworks.event.data")
    async with (
        pair(clock, relay, broker) as (child, parent),
        connect_with_aiomqtt(broker_from_url(broker.url), options) as stranger,
    ):
        heard = last_heard(child)
        await parent.stop()
        while child.link.active and clock.monotonic() < heard + 2 * BOUND_SECONDS:
            before = last_byte(child)
            stranger.publish(topic, b"garbage")
            await until(functools.partial(heard_since, child, before))
            await clock.run(5.0)
        assert left_active_at(child) - heard <= BOUND_SECONDS
        assert child.link.state is StateName.awaiting_peer
        assert "refused" in child.heard.problem_texts()


async def test_when_bytes_flow_again_the_link_is_active_without_a_reconnection(
    clock: MovedClock, broker: AnyBroker, relay: Relay
) -> None:
    async with pair(clock, relay, broker) as (child, parent):
        made = relay.accepted_connections
        relay.freeze()
        await clock.run(POLL + 0.5)  # an ack timeout has passed before: see `pair`
        assert child.link.state is StateName.awaiting_peer
        assert parent.link.state is StateName.awaiting_peer
        relay.thaw()
        await child.active()
        await parent.active()
        assert relay.accepted_connections == made
        await nothing_waits(child)
        await nothing_waits(parent)
        since = child.link._conversation.core.since
        await clock.run(POLL / 2)
        assert child.link._conversation.core.since == since


async def test_one_that_stays_half_open_is_made_anew_after_another_ack_timeout(
    clock: MovedClock, broker: AnyBroker, relay: Relay
) -> None:
    async with pair(clock, relay, broker) as (child, _):
        relay.freeze(hold=False)
        await clock.run(POLL + ACK + 0.5)
        left, lost = child.link.history.transitions[-2:]
        assert lost.at_seconds - left.at_seconds <= BOUND_WITH_ACK_SECONDS
        assert "not a byte from the broker" in lost.transition.reason
        await child.link.wait_for(StateName.connecting, timeout_seconds=WAIT_SECONDS)
        await relay.cut()
        relay.thaw()
        await child.active()
