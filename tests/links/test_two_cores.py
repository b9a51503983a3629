"""Two link cores on a simulated network: whatever happens, they find each other again.

Two records that know nothing of the core hold both sides against the four conditions in every
run here, so each test is also one of "never active while a condition is false": the model in
`CheckedLinkCore` at every step, and the network's own ledger whenever time moves on.
"""

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from gwproactor_test.checked_link_core import LONGEST_RETRY_SECONDS
from gwproactor_test.link_simulation import (
    BAD_DELAY_SECONDS,
    RECONNECT_SECONDS,
    Network,
    Side,
    two_sides,
)

ACK_TIMEOUT_SECONDS = 2.0
POLL_SECONDS = 8.0
REUNION_SECONDS = max(RECONNECT_SECONDS) + POLL_SECONDS + 2 * ACK_TIMEOUT_SECONDS
"""From any state: what was sent on the bad network expires (one ack timeout; another for an answer
to come), both reconnect, and each pings within the poll seconds."""

RETRY_SECONDS = LONGEST_RETRY_SECONDS
"""A side whose subscription was refused asks again within so long."""

FAULTS = (
    *("bad", "half_open", "down", "well"),
    *("cut", "restart", "sleep", "wake", "refused", "granted"),
)

moments = st.integers(0, 20 * 64).map(lambda n: n / 64)
deeds = st.sampled_from((*FAULTS, "send", "chatter"))
histories = st.lists(st.tuples(moments, st.integers(0, 1), deeds), max_size=30)


def do(side: Side, deed: str) -> None:
    if deed in Network.__members__:
        side.set_network(Network[deed])
    elif deed in ("refused", "granted"):
        side.refused = deed == "refused"
    else:
        getattr(side, deed)()


def live_through(history: list[tuple[float, int, str]], seed: int, kept: tuple[bool, bool]) -> None:
    """Live through a history of faults, then on a network that is well, and check the end."""
    world, sides = two_sides(seed, ACK_TIMEOUT_SECONDS, POLL_SECONDS)
    for side, keeps_session in zip(sides, kept, strict=True):
        side.keeps_session = keeps_session
        side.start()
    for seconds, which, deed in history:
        world.run_until(world.now + seconds)
        do(sides[which], deed)
    for side in sides:
        side.set_network(Network.well)
        side.refused = False
        side.wake()
    was_refused = any(deed == "refused" for _, _, deed in history)
    bound_seconds = REUNION_SECONDS + (RETRY_SECONDS if was_refused else 0.0)
    world.run_until(world.now + BAD_DELAY_SECONDS + bound_seconds)
    assert [side.active() for side in sides] == [True, True]
    since = [side.link.core.since for side in sides]
    for _ in range(20):
        sides[0].send()
        sides[1].chatter()
        world.run_until(world.now + POLL_SECONDS * 0.75)
    world.run_until(world.now + POLL_SECONDS * 10)
    assert [side.link.core.since for side in sides] == since, "a good link did not stay active"


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=histories, seed=st.integers(0, 2**32), kept=st.tuples(st.booleans(), st.booleans()))
def test_two_links_become_active_once_the_network_is_well(
    history: list[tuple[float, int, str]], seed: int, kept: tuple[bool, bool]
) -> None:
    live_through(history, seed, kept)


@pytest.mark.prove
@pytest.mark.timeout(1800)
@settings(
    max_examples=10_000,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
@given(history=histories, seed=st.integers(0, 2**32), kept=st.tuples(st.booleans(), st.booleans()))
def test_two_links_become_active_once_the_network_is_well_for_minutes(
    history: list[tuple[float, int, str]], seed: int, kept: tuple[bool, bool]
) -> None:
    live_through(history, seed, kept)


def test_two_links_are_active_after_one_round_trip() -> None:
    world, (first, second) = two_sides(0, ACK_TIMEOUT_SECONDS, POLL_SECONDS)
    first.start()
    second.start()
    world.run_until(0.25)
    assert first.active()
    assert second.active()


def test_a_half_open_connection_is_noticed_and_heals_without_reconnection() -> None:
    world, (first, second) = two_sides(0, ACK_TIMEOUT_SECONDS, POLL_SECONDS)
    first.start()
    second.start()
    world.run_until(1.0)
    second.set_network(Network.half_open)
    world.run_until(1.0 + POLL_SECONDS + ACK_TIMEOUT_SECONDS)
    assert not first.active()
    assert not second.active()
    assert first.link.core.link_state.connected()
    second.set_network(Network.well)
    world.run_until(world.now + POLL_SECONDS + ACK_TIMEOUT_SECONDS)
    assert first.active()
    assert second.active()


def test_a_half_open_connection_is_noticed_by_the_ack_timeout_where_an_ack_is_waited_for() -> None:
    world, (first, second) = two_sides(0, ACK_TIMEOUT_SECONDS, POLL_SECONDS)
    first.start()
    second.start()
    world.run_until(1.0)
    second.set_network(Network.half_open)
    for side in (first, second):
        side.send()
    world.run_until(1.0 + ACK_TIMEOUT_SECONDS)
    assert not first.active()
    assert not second.active()
    assert second.link.core.link_state.connected()


def test_a_half_open_connection_that_stays_so_is_given_up() -> None:
    world, (first, second) = two_sides(0, ACK_TIMEOUT_SECONDS, POLL_SECONDS)
    first.start()
    second.start()
    world.run_until(1.0)
    second.set_network(Network.half_open)
    world.run_until(1.0 + POLL_SECONDS + 2 * ACK_TIMEOUT_SECONDS)
    assert not second.link.core.link_state.connected()
    assert first.link.core.link_state.connected(), "the broker answers the first"


def test_a_single_lost_message_costs_a_round_trip_not_a_poll() -> None:
    world, (first, second) = two_sides(0, ACK_TIMEOUT_SECONDS, POLL_SECONDS)
    first.start()
    second.start()
    world.run_until(1.0)
    while world.now < 2 * POLL_SECONDS:  # a busy link, so that no ping is under way
        first.chatter()
        second.chatter()
        world.run_until(world.now + 1)
    first.set_network(Network.half_open)
    first.send()
    first.set_network(Network.well)
    world.run_until(world.now + ACK_TIMEOUT_SECONDS)
    assert not first.active()
    world.run_until(world.now + 0.25)
    assert first.active()
