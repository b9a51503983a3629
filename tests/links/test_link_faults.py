"""Real links under random faults: never active against the conditions, and always back.

Two links talk over the embedded broker, each through a relay of its own, on a clock that the test
moves. Chance cuts, freezes and loses bytes, stops and kills the broker, refuses subscriptions, ends
and begins links, sends, acknowledges what was never sent, and lets seconds or minutes pass. After
each of these a `Witness` at each link's transport holds its state against the four conditions. In
the end everything is well, and both links must become active within `BOUND_SECONDS`, and stay so.

A failure names its seed; `GWPROACTOR_SEED=n` begins with that one. Sockets keep their own time, so
the same seed makes the same faults, and nearly the same history.
"""

import asyncio
import contextlib
import inspect
import os
import random
from collections.abc import Callable

import pytest

from gwproactor.config.link import LinkSettings
from gwproactor.config.mqtt import MQTTVersion, broker_from_url
from gwproactor.errors import ConnectionLostError
from gwproactor.links.core.backoff import RETRY_CEILING_SECONDS
from gwproactor.links.link import Link
from gwproactor.wire.payloads import AnyEvent
from gwproactor.wire.timing import DEFAULT_ACK_TIMEOUT_SECONDS, DEFAULT_POLL_SECONDS
from gwproactor_test.broker import Broker
from gwproactor_test.link_pair import CHILD, PARENT, End, child_settings, parent_settings
from gwproactor_test.link_witness import Witness
from gwproactor_test.moved_clock import MovedClock, moved_clock, turn
from gwproactor_test.relay import Relay

ACK, POLL = DEFAULT_ACK_TIMEOUT_SECONDS, DEFAULT_POLL_SECONDS
BOUND_SECONDS = POLL + 2 * ACK + RETRY_CEILING_SECONDS
"""From any state, on the links' clock: what vanished is noticed and given up, what was refused is
asked for again, and each pings within the poll seconds. Reconnecting takes none of that time."""

DELAYS = (0.0, 0.002, 0.01)
SETTLE_SECONDS = 0.2
"""How long the loop is given at first, in real time, before the clock goes on."""

ANSWER_SECONDS = 5.0
"""How long it is given for an answer that must come."""

LONGEST_STRIDE_SECONDS = 20.0
"""The clock goes on to the next timer, which is never far away where an answer is waited for."""

FOR_EVER = 0xFFFFFFFF
"""How long a session is kept that is kept; with MQTT 3.1.1 there is no other way."""

STEPS = 60
EXTRA_TOPIC = "more/#"


class Node:
    """One link that can be ended and begun again, the relay it is behind, and its witness."""

    def __init__(self, own_name: str, settings: LinkSettings, clock: MovedClock) -> None:
        self._own_name = own_name
        self._settings = settings
        self._clock = clock
        self.begin()

    def begin(self) -> None:
        self.witness = Witness(self._settings, self._clock)
        self.end = End(
            self._own_name,
            self._settings,
            timers=self._clock,
            connector=self.witness.connector,
            delays=DELAYS,
        )
        self.end.start()

    @property
    def link(self) -> Link:
        return self.end.link

    def check(self) -> None:
        self.witness.check(self.link)

    def story(self) -> str:
        """The link's last transitions, for who looks for a fault."""
        past = self.link.history.transitions[-12:]
        told = [f"{each.at_seconds:.4f} {each.transition}" for each in past]
        return "\n".join([*told, *self.witness.facts])

    def send(self, *, ack_required: bool) -> str:
        """Send a message, where there is a connection; returns its id."""
        event = AnyEvent(Src=self._own_name)
        try:
            self.link.send(event, ack_required=ack_required)
        except ConnectionLostError:
            assert not self.link.active or self.link._conversation.sender.connection is not None
        return event.MessageId


class Scenario:
    """Everything that chance can do."""

    def __init__(self, seed: int, clock: MovedClock, broker: Broker, relays: list[Relay]) -> None:
        self.chance = random.Random(seed)
        self.clock = clock
        self.broker = broker
        self.relays = relays
        self.refusing = False
        version = self.chance.choice(list(MQTTVersion))
        kept_seconds = self.chance.choice((0, FOR_EVER))
        urls = [broker_from_url(relay.url, protocol=version) for relay in relays]
        changes = {"session_expiry_seconds": kept_seconds, "qos": int(bool(kept_seconds))}
        self.nodes = [
            Node(CHILD, child_settings(urls[0], **changes), clock),
            Node(PARENT, parent_settings(urls[1], **changes), clock),
        ]
        self.log = [f"MQTT {version}, session kept for {kept_seconds} s"]

    def deeds(self) -> dict[str, tuple[int, Callable[[Relay, Node], object]]]:
        """Name, weight, and what is done to one of the two."""
        return {
            "settle": (8, lambda _r, _n: asyncio.sleep(self.chance.random() * 0.02)),
            "moment": (4, lambda _r, _n: self.clock.run(self.chance.random())),
            "seconds": (4, lambda _r, _n: self.clock.run(self.chance.choice((4.9, 5.1, 11.0)))),
            "minute": (2, lambda _r, _n: self.clock.run(self.chance.choice((30.0, 60.5, 70.0)))),
            "send": (6, lambda _r, node: node.send(ack_required=True)),
            "chatter": (3, lambda _r, node: node.send(ack_required=False)),
            "stray ack": (2, lambda _r, node: node.link.acknowledge(self.chance.choice("abc"))),
            "cut": (2, lambda relay, _n: relay.cut()),
            "reset": (2, lambda relay, _n: relay.cut(reset=True)),
            "freeze": (3, lambda relay, _n: relay.freeze()),
            "lose": (3, lambda relay, _n: relay.freeze(hold=False)),
            "thaw": (5, lambda relay, _n: relay.thaw()),
            "close": (1, lambda relay, _n: relay.refuse()),
            "open": (3, lambda relay, _n: relay.accept()),
            "cut at broker": (1, lambda _r, _n: self.broker.cut_all()),
            "broker": (1, lambda _r, _n: self.restart_broker()),
            "refuse": (1, lambda _r, _n: self.refuse(refusing=True)),
            "grant": (3, lambda _r, _n: self.refuse(refusing=False)),
            "restart": (1, lambda _r, node: self.restart(node)),
            "subscribe": (1, lambda _r, node: node.link.subscribe(EXTRA_TOPIC)),
            "unsubscribe": (1, lambda _r, node: node.link.unsubscribe(EXTRA_TOPIC)),
        }

    def refuse(self, *, refusing: bool) -> None:
        self.refusing = refusing

    async def restart_broker(self) -> None:
        await self.chance.choice((self.broker.stop, self.broker.kill))()
        await asyncio.sleep(self.chance.random() * 0.01)
        await self.broker.start()

    async def restart(self, node: Node) -> None:
        await node.end.stop()
        node.begin()

    async def live_through(self, steps: int) -> None:
        """Let chance do what it likes."""
        deeds = self.deeds()
        weights = [weight for weight, _ in deeds.values()]
        for _ in range(steps):
            (name,) = self.chance.choices(list(deeds), weights)
            which = self.chance.randrange(2)
            self.log.append(f"{name} {which}")
            done = deeds[name][1](self.relays[which], self.nodes[which])
            if inspect.isawaitable(done):
                await done
            await self.look()

    async def look(self) -> None:
        await turn()
        for node in self.nodes:
            node.check()

    async def be_well(self) -> None:
        """Let everything be well, and both links become active within the bound."""
        self.log.append("well")
        self.refusing = False
        for relay in self.relays:
            relay.thaw()
            relay.accept()
        began, longest_seconds = self.clock.monotonic(), SETTLE_SECONDS
        while not (await self.quiet(longest_seconds) and await self.talk(longest_seconds)):
            longest_seconds = min(1.3 * longest_seconds, ANSWER_SECONDS)  # the machine may be busy
            await self.clock.run(min(1.0 + self.clock.seconds_to_next(), LONGEST_STRIDE_SECONDS))
            assert self.clock.monotonic() < began + BOUND_SECONDS, "not active again"
            await self.look()

    async def quiet(self, longest_seconds: float) -> bool:
        """Give the loop real time until both are active and nothing is under way, or a while."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(longest_seconds):
                while not self.is_quiet():  # noqa: ASYNC110 - nobody tells when it is
                    await asyncio.sleep(0.001)
        return self.is_quiet()

    async def talk(self, longest_seconds: float) -> bool:
        """Both send and are answered: what broke before, and was not noticed, is noticed."""
        sent = [node.send(ack_required=True) for node in self.nodes]
        await self.quiet(longest_seconds)
        acked = [node.end.heard.acked for node in self.nodes]
        return all(message_id in ids for message_id, ids in zip(sent, acked, strict=True))

    def is_quiet(self) -> bool:
        cores = [node.link._conversation.core for node in self.nodes]
        return all(
            core.active and not core.num_acks and not core.subscriptions.pending() for core in cores
        )

    async def stay_well(self) -> None:
        """A good pair stays active."""
        since = [node.link._conversation.core.since for node in self.nodes]
        for _ in range(int(4 * POLL / ACK)):
            await self.clock.run(ACK / 2)  # an answer, which takes real time, is not too late
            assert await self.quiet(ANSWER_SECONDS), "no answer"
            await self.look()
        assert [node.link._conversation.core.since for node in self.nodes] == since

    async def end(self) -> None:
        for node in self.nodes:
            await node.end.stop()

    def activations(self) -> int:
        """How often the links that live at last became active."""
        return sum(
            past.transition.activated()
            for node in self.nodes
            for past in node.link.history.transitions
        )

    def explain(self, error: BaseException, seed: int) -> None:
        """Add to a failure how to have it again."""
        error.add_note(f"GWPROACTOR_SEED={seed}: {', '.join(self.log)}")
        for node in self.nodes:
            error.add_note(node.story())


async def live(seed: int, steps: int) -> int:
    """One scenario; returns how often its links became active."""
    scenarios: list[Scenario] = []

    def refuses(_client_id: str, _topic_filter: str) -> bool:
        return scenarios[0].refusing

    async with (
        Broker(refuse_subscription=refuses) as broker,
        Relay(broker.port) as one,
        Relay(broker.port) as other,
    ):
        with moved_clock() as clock:
            scenarios.append(scenario := Scenario(seed, clock, broker, [one, other]))
            try:
                await scenario.live_through(steps)
                await scenario.be_well()
                await scenario.stay_well()
            except BaseException as error:
                scenario.explain(error, seed)
                raise
            finally:
                await scenario.end()
    return scenario.activations()


async def live_often(scenarios: int) -> None:
    first = int(os.environ.get("GWPROACTOR_SEED") or random.SystemRandom().randrange(2**32))
    for seed in range(first, first + scenarios):
        assert await live(seed, STEPS) >= 2


async def test_links_survive_random_faults() -> None:
    await live_often(12)


@pytest.mark.prove
@pytest.mark.timeout(1800)
async def test_links_survive_random_faults_for_minutes() -> None:
    await live_often(300)
