"""Two links, each the other's peer, joined by a broker and a network that can be made to fail.

Everything is simulated in one heap of events: no loop, no socket, no clock. Each side is a
`CheckedLinkCore`, so that at every step both are held against the four conditions, and a shell as
simple as can be: it carries out effects and ticks exactly when it is told to.

Times are multiples of 1/64 s, as the model needs them.
"""

import heapq
import itertools
from collections.abc import Callable
from enum import Enum
from random import Random
from typing import Final

from gwproactor.links.backoff import Backoff
from gwproactor.links.effects import (
    Effect,
    Effects,
    GiveUp,
    ProbeBroker,
    SendAck,
    SendPing,
    Subscribe,
)
from gwproactor.links.link_core import MessageKind
from gwproactor.links.link_state import StateName
from gwproactor.links.subscriptions import QOS, Subscription
from gwproactor_test.checked_link_core import CheckedLinkCore

TICKS_PER_SECOND: Final = 64
RECONNECT_SECONDS: Final = (0.0, 1 / 16, 1 / 4, 1.0, 2.0)
BAD_DELAY_SECONDS: Final = 3.0
"""Longest time that a packet is under way on a bad network."""


class Network(Enum):
    """How the network between one side and the broker is."""

    well = "well"
    bad = "bad"  # loses, doubles and delays
    half_open = "half_open"  # loses everything, and nobody is told
    down = "down"  # refuses


class World:
    """The clock, what is under way, and chance.

    Args:
        seed: Decides every chance.
    """

    def __init__(self, seed: int) -> None:
        self.now = 0.0
        self.random = Random(seed)  # noqa: S311 - chance in a simulation, to be repeated
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def at(self, moment: float, happens: Callable[[], None]) -> None:
        """Let something happen at a moment."""
        heapq.heappush(self._events, (moment, next(self._order), happens))

    def run_until(self, moment: float) -> None:
        """Let everything happen that is to happen until then."""
        while self._events and self._events[0][0] <= moment:
            self.now, _, happens = heapq.heappop(self._events)
            happens()
        self.now = moment

    def chance(self, probability: float) -> bool:
        """Throw a die."""
        return self.random.random() < probability

    def delay(self, longest_seconds: float) -> float:
        """Return a time that a packet takes."""
        return self.random.randint(1, int(longest_seconds * TICKS_PER_SECOND)) / TICKS_PER_SECOND


class Side:
    """One of the two links, with the shell that serves it.

    Args:
        name: Its name.
        world: Where it lives.
        ack_timeout_seconds: As of `LinkCore`.
        poll_seconds: As of `LinkCore`.
    """

    peer: "Side"

    def __init__(
        self, name: str, world: World, ack_timeout_seconds: float, poll_seconds: float
    ) -> None:
        self.name = name
        self.network = Network.well
        self.link = CheckedLinkCore(
            name,
            ack_timeout_seconds=ack_timeout_seconds,
            poll_seconds=poll_seconds,
            subscriptions=[Subscription(f"to/{name}/#", QOS.AtMostOnce)],
        )
        self._world = world
        self._backoff = Backoff(RECONNECT_SECONDS)
        self._connection = 0
        self._open = self._subscribed = False
        self._message_ids = itertools.count(1)

    def active(self) -> bool:
        """Tell whether the link is active."""
        return self.link.state is StateName.active

    def start(self) -> None:
        """Start the link and connect."""
        self._carry_out(self.link.start(self._world.now))
        self._connect_later()

    def set_network(self, network: Network) -> None:
        """Change the network; one that goes down ends the connection."""
        self.network = network
        if network is Network.down:
            self.cut()

    def cut(self) -> None:
        """End the connection, seen at once by this side."""
        if self._open:
            self._close()
            self._carry_out(self.link.disconnected(self._world.now))
            self._connect_later()

    def send(self) -> None:
        """Send the peer a message that wants an ack, as an application would on an active link."""
        if self.active():
            self._send(MessageKind.other, f"{self.name}-{next(self._message_ids)}")

    def chatter(self) -> None:
        """Send the peer a message that wants none."""
        if self.active():
            self._send(MessageKind.other, "")

    def _close(self) -> None:
        self._open = self._subscribed = False
        self._connection += 1

    def _connect_later(self) -> None:
        self._world.at(self._world.now + self._backoff.next_seconds(), self._connect)

    def _connect(self) -> None:
        if self.network in (Network.down, Network.half_open):
            self._carry_out(self.link.connect_failed(self._world.now))
            self._connect_later()
            return
        self._open = True
        self._backoff.restart()
        self._carry_out(self.link.connected(self._world.now))

    def _carry_out(self, effects: Effects) -> None:
        for effect in effects:
            self._carry_out_one(effect)
        if (deadline := self.link.deadline()) is not None:
            self._world.at(deadline, self._tick)

    def _carry_out_one(self, effect: Effect) -> None:
        match effect:
            case Subscribe(subscriptions):
                answers = {subscription.Topic: 0 for subscription in subscriptions}
                self._by_broker(lambda: self._suback(answers))
            case SendPing():
                self._send(MessageKind.ping, f"{self.name}-{next(self._message_ids)}")
            case SendAck(message_id):
                self._send(MessageKind.ack, message_id)
            case ProbeBroker():
                self._by_broker(lambda: self._carry_out(self.link.broker_heard(self._world.now)))
            case GiveUp():
                self._close()
                self._connect_later()
            case _:
                pass

    def _tick(self) -> None:
        deadline = self.link.deadline()
        if deadline is not None and deadline <= self._world.now:
            self._carry_out(self.link.tick(self._world.now))

    def _suback(self, answers: dict[str, int]) -> None:
        self._subscribed = True
        self._carry_out(self.link.subscriptions_answered(self._world.now, answers))

    def _send(self, kind: MessageKind, message_id: str) -> None:
        awaited = message_id if message_id and kind is not MessageKind.ack else None
        self._carry_out(self.link.message_sent(self._world.now, awaited))
        self._travel(lambda: self.peer.receive(kind, message_id))

    def receive(self, kind: MessageKind, message_id: str) -> None:
        """A message reached the broker; it goes on to this side if the broker knows where."""
        if self._subscribed:
            self._travel(lambda: self._received(kind, message_id))

    def _received(self, kind: MessageKind, message_id: str) -> None:
        wants_ack = bool(message_id) and kind is not MessageKind.ack
        now = self._world.now
        self._carry_out(self.link.message_received(now, kind, message_id, wants_ack))
        if kind is MessageKind.other and wants_ack:
            self._send(MessageKind.ack, message_id)

    def _by_broker(self, answer: Callable[[], None]) -> None:
        self._travel(lambda: self._travel(answer))

    def _travel(self, arrive: Callable[[], None]) -> None:
        """Send a packet over this side's network; it arrives on this connection or never."""
        connection, world = self._connection, self._world

        def arrives() -> None:
            if connection == self._connection and self._open:
                arrive()

        if self.network is Network.well:
            world.at(world.now + 1 / TICKS_PER_SECOND, arrives)
        elif self.network is Network.bad and not world.chance(0.2):
            for _ in range(2 if world.chance(0.2) else 1):
                world.at(world.now + world.delay(BAD_DELAY_SECONDS), arrives)


def two_sides(
    seed: int, ack_timeout_seconds: float, poll_seconds: float
) -> tuple[World, tuple[Side, Side]]:
    """Return a world and two links that are each the other's peer, not started."""
    world = World(seed)
    first = Side("first", world, ack_timeout_seconds, poll_seconds)
    second = Side("second", world, ack_timeout_seconds, poll_seconds)
    first.peer, second.peer = second, first
    return world, (first, second)
