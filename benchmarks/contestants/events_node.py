"""One node of gwproactor for the events benchmark, by its public API: generates events on command.

On standard input `generate N` makes N events of 200 bytes, and so does `store N`, which says
`stored` when all are durable. Then comes `drained`, with the moment before the first event and the
moment when nothing was pending any more: as the sender itself sees it, with what is written of the
acks. Transitions are printed too.
"""

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path

from benchmarks.contestants import FILLER, OTHER, Role
from gwproactor import AnyEvent, EventSettings, LinkSettings, Proactor, ProactorSettings
from gwproactor.config.events import Durability
from gwproactor.config.mqtt import broker_from_url
from gwproactor.events.store import EventRef
from gwproactor.links.core.link_state import Transition
from gwproactor.runtime.observer import Observer
from gwproactor.wire.payloads import ProblemEvent

_EVENTS_IN_A_TURN = 200
"""After so many the loop may do something else, as in a program that has other work too."""


def say(kind: str, moment: int, **fields: object) -> None:
    """Print a line."""
    sys.stdout.write(json.dumps({"kind": kind, "t": moment, **fields}) + "\n")
    sys.stdout.flush()


class Watch(Observer):
    """Prints transitions."""

    def link_transitioned(self, transition: Transition) -> None:
        """Print a change of the comm state."""
        say("transition", time.monotonic_ns(), new=transition.new_state.value)

    def event_stored(self, event: EventRef) -> None:
        """Nothing: the node says when all are."""

    def event_acked(self, event: EventRef) -> None:
        """Nothing: the node says when all are."""

    def problem(self, event: ProblemEvent) -> None:
        """Print it, for whoever looks for the reason of a strange figure."""
        say("problem", time.monotonic_ns(), summary=event.Summary)


async def generate(proactor: Proactor, count: int, *, tell_stored: bool) -> None:
    """Generate events, and say when they are acknowledged; before that, if asked, when stored."""
    began = time.monotonic_ns()
    for number in range(count):
        proactor.generate_event(AnyEvent(Reading=FILLER, Value=number)).unwrap()
        if number % _EVENTS_IN_A_TURN == _EVENTS_IN_A_TURN - 1:
            await asyncio.sleep(0)
    if tell_stored:
        await proactor.flush_events()
        say("stored", time.monotonic_ns())
    await proactor.all_events_acked()
    say("drained", time.monotonic_ns(), began=began)


async def commands(proactor: Proactor) -> None:
    """Do what standard input says, until it ends."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        command, count = line.split()
        await generate(proactor, int(count), tell_stored=command == b"store")


async def run(role: Role, port: int, folder: Path, durability: Durability) -> None:
    """Run one side until standard input ends."""
    settings = ProactorSettings(events=EventSettings(folder=folder, durability=durability))
    proactor = Proactor(f"bench.{role}", settings)
    peer = OTHER[role]
    proactor.add_link(
        LinkSettings(
            peer_name=f"bench.{peer}",
            peer_short_name=peer[0],
            subscription_name=role[0],
            upstream=role == "child",
            downstream=role == "parent",
            brokers=(broker_from_url(f"mqtt://127.0.0.1:{port}"),),
        )
    )

    @proactor.on_event
    async def take(_event: object) -> None:
        """An event counts as handled at once."""

    proactor.observe(Watch())
    async with proactor:
        say("ready", time.monotonic_ns(), pending=proactor.pending_event_count)
        await commands(proactor)


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description="One node for the events benchmark.")
    parser.add_argument("--role", choices=list(OTHER), required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--durability", type=Durability, default=Durability.fsync)
    options = parser.parse_args()
    asyncio.run(run(options.role, options.port, options.folder, options.durability))


if __name__ == "__main__":
    main()
