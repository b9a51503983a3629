"""Two links, each the other's peer, joined by a broker and a network that can be made to fail.

Everything is simulated in one heap of events: no loop, no socket, no clock. Each side is a
`CheckedLinkCore`, so that at every step both are held against the four conditions, and a shell as
simple as can be: it carries out effects and ticks exactly when it is told to.

Beside that, each side keeps a ledger of what the network did to it, and whenever time moves on, a
side that is active is held against it: by what the network knows, the four conditions must last
until the next thing happens.

Times are multiples of 1/64 s, as the model needs them.
"""

import itertools
from collections.abc import Callable
from enum import Enum
from typing import Final

from gwproactor.links.core.backoff import Backoff
from gwproactor.links.core.effects import (
    Effect,
    Effects,
    GiveUp,
    ProbeBroker,
    SendAck,
    SendPing,
    Subscribe,
    Transitioned,
)
from gwproactor.links.core.link_core import MessageKind
from gwproactor.links.core.link_state import StateName
from gwproactor.links.core.subscriptions import QOS, Subscription
from gwproactor_test.checked_link_core import CheckedLinkCore
from gwproactor_test.link_world import TICKS_PER_SECOND, Ledger, World

RECONNECT_SECONDS: Final = (0.0, 1 / 16, 1 / 4, 1.0, 2.0)
BAD_DELAY_SECONDS: Final = 3.0
"""Longest time that a packet is under way on a bad network."""


class Network(Enum):
    """How the network between one side and the broker is."""

    well = "well"
    bad = "bad"  # loses, doubles and delays
    half_open = "half_open"  # loses everything, and nobody is told
    down = "down"  # refuses


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
        self.refused = False
        self.keeps_session = False
        self._session = False
        self._waiting: list[tuple[MessageKind, str, float]] = []
        self._seconds = (ack_timeout_seconds, poll_seconds)
        self._world = world
        self._backoff = Backoff(RECONNECT_SECONDS)
        self._connection = 0
        self._ledger = Ledger(*self._seconds)
        self._missed: list[Callable[[], None]] | None = None
        self._message_ids = itertools.count(1)
        self._new_link()
        world.watchers.append(self._watch)

    def _new_link(self) -> None:
        ack_timeout_seconds, poll_seconds = self._seconds
        self.link = CheckedLinkCore(
            self.name,
            ack_timeout_seconds=ack_timeout_seconds,
            poll_seconds=poll_seconds,
            subscriptions=[Subscription(f"to/{self.name}/#", QOS.AtMostOnce)],
        )

    def _watch(self, until: float) -> None:
        """Before time moves on: an active link has a right to be so until then."""
        if self.active() and not self.asleep:
            assert self._ledger.holds_until() >= until, "active while a condition is false"

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
        """End the connection, seen at once by this side unless it sleeps."""
        if self._ledger.opened:
            self._close()
            self._happens(self._see_the_end)

    def restart(self) -> None:
        """Die without a word, and begin again as a new process that remembers nothing."""
        self._close()
        self._missed = None
        self._new_link()
        self.start()

    @property
    def asleep(self) -> bool:
        """Whether its program stands still: nothing is read, no timer fires."""
        return self._missed is not None

    def sleep(self) -> None:
        """Let its program stand still, until `wake`."""
        if not self.asleep:
            self._missed = []

    def wake(self) -> None:
        """Let it go on: first what has come is read, then it is judged what has not."""
        if self._missed is not None:
            missed, self._missed = self._missed, None
            self.link.hold()
            for happens in missed:
                happens()
            self._carry_out(self.link.resume(self._world.now))

    def send(self) -> None:
        """Send the peer a message that wants an ack, as an application would on an active link."""
        if self.active() and not self.asleep:
            self._send(MessageKind.other, f"{self.name}-{next(self._message_ids)}")

    def chatter(self) -> None:
        """Send the peer a message that wants none."""
        if self.active() and not self.asleep:
            self._send(MessageKind.other, "")

    def _happens(self, happens: Callable[[], None]) -> None:
        """Let something happen to this side's program now, or when it wakes."""
        if self._missed is None:
            happens()
        else:
            self._missed.append(happens)

    def _close(self) -> None:
        self._ledger.disconnected()
        self._connection += 1

    def _see_the_end(self) -> None:
        self._carry_out(self.link.disconnected(self._world.now))
        self._connect_later()

    def _connect_later(self) -> None:
        moment = self._world.now + self._backoff.next_seconds()
        connect = self._on_this_connection(self._connect)
        self._world.at(moment, lambda: self._happens(connect))

    def _connect(self) -> None:
        if self.network in (Network.down, Network.half_open):
            self._carry_out(self.link.connect_failed(self._world.now))
            self._connect_later()
            return
        now, waiting, self._waiting = self._world.now, self._waiting, []
        self._ledger.connected(now, session_present=self._session)
        self._backoff.restart()
        self._carry_out(self.link.connected(now, session_present=self._session))
        for message in waiting:
            self._deliver(*message)

    def _carry_out(self, effects: Effects) -> None:
        for effect in effects:
            self._carry_out_one(effect)
        if (deadline := self.link.deadline()) is not None:
            self._world.at(deadline, self._tick)

    def _carry_out_one(self, effect: Effect) -> None:
        match effect:
            case Subscribe(subscriptions):
                filters = [subscription.Topic for subscription in subscriptions]
                self._by_broker(lambda: self._suback(filters))
            case SendPing():
                self._send(MessageKind.ping, f"{self.name}-{next(self._message_ids)}")
            case SendAck(message_id):
                self._send(MessageKind.ack, message_id)
            case ProbeBroker():
                self._by_broker(lambda: self._carry_out(self.link.broker_heard(self._world.now)))
            case GiveUp():
                self._close()
                self._connect_later()
            case Transitioned(transition) if transition.activated():
                self._ledger.activated()
            case _:
                pass

    def _tick(self) -> None:
        if self.asleep:
            return
        deadline = self.link.deadline()
        if deadline is not None and deadline <= self._world.now:
            self._carry_out(self.link.tick(self._world.now))

    def _suback(self, filters: list[str]) -> None:
        code = 0x87 if self.refused else 0
        self._ledger.subscribed |= not self.refused
        self._session |= self.keeps_session and not self.refused
        answers = dict.fromkeys(filters, code)
        self._carry_out(self.link.subscriptions_answered(self._world.now, answers))

    def _send(self, kind: MessageKind, message_id: str) -> None:
        awaited = message_id if message_id and kind is not MessageKind.ack else None
        if awaited is not None:
            self._ledger.sent(self._world.now, awaited)
        self._carry_out(self.link.message_sent(self._world.now, awaited))
        now = self._world.now
        self._travel(lambda: self.peer.receive(kind, message_id, now))

    def receive(self, kind: MessageKind, message_id: str, sent_at: float) -> None:
        """A message reached the broker; it goes on to this side if the broker knows where.

        Where it keeps a session, messages of the application wait in it; acks and pings do not.
        """
        if self._ledger.subscribed or (self._ledger.opened and self._session):
            self._deliver(kind, message_id, sent_at)
        elif self._session and kind is MessageKind.other:
            self._waiting.append((kind, message_id, sent_at))

    def _deliver(self, kind: MessageKind, message_id: str, sent_at: float) -> None:
        self._come(lambda: self._received(kind, message_id, sent_at))

    def _received(self, kind: MessageKind, message_id: str, sent_at: float) -> None:
        wants_ack = bool(message_id) and kind is not MessageKind.ack
        now = self._world.now
        self._ledger.heard(now, sent_at, message_id if kind is MessageKind.ack else None)
        self._carry_out(self.link.message_received(now, kind, message_id, wants_ack))
        if kind is MessageKind.other and wants_ack:
            self._send(MessageKind.ack, message_id)

    def _by_broker(self, answer: Callable[[], None]) -> None:
        self._travel(lambda: self._come(answer))

    def _come(self, arrive: Callable[[], None]) -> None:
        """Let a packet travel from the broker to this side's program."""
        self._travel(lambda: self._happens(self._on_this_connection(arrive)))

    def _on_this_connection(self, arrive: Callable[[], None]) -> Callable[[], None]:
        connection = self._connection

        def arrives() -> None:
            if connection == self._connection:
                arrive()

        return arrives

    def _travel(self, arrive: Callable[[], None]) -> None:
        """Send a packet over this side's network; it arrives on this connection or never."""
        arrives, world = self._on_this_connection(arrive), self._world
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
