# mypy: ignore-errors
# (it imports the predecessor's packages, which have the names of ours)
"""One node of the predecessor, driven through its public API; prints its transitions and acks.

Run it only with the interpreter of .peer-venv, isolated (-I), so that `gwproactor` there is
gridworks-proactor and this project is nowhere on the path::

    .peer-venv/bin/python -I predecessor_node.py --role child --port 1883 --folder F

The application is the predecessor's own: the child and the parent that its test package brings,
with the short names `s` and `a`. The benchmark and the tests of interoperability run it.
"""

import argparse
import asyncio
import json
import sys
import time
import uuid
from pathlib import Path

from gwproto import HardwareLayout
from gwproto.messages import AnyEvent

from gwproactor import AppSettings
from gwproactor.callbacks import ProactorCallbackInterface
from gwproactor.config import Paths
from gwproactor_test.dummies import DummyChildApp, DummyParentApp

NAMES = {"MyScadaGNode": {"Alias": "bench.child"}, "MyAtomicTNodeGNode": {"Alias": "bench.parent"}}
# Each application, and what it calls the other one.
ROLES = {"child": (DummyChildApp, "parent"), "parent": (DummyParentApp, "child")}


class Reporter(ProactorCallbackInterface):
    """Reports each change of the comm state, the moment taken first."""

    def recv_activated(self, transition):
        """Called by the predecessor when the link is active."""
        self._say(time.monotonic_ns(), transition)

    def recv_deactivated(self, transition):
        """Called by the predecessor when the link is not active any more."""
        self._say(time.monotonic_ns(), transition)

    def _say(self, moment, transition):
        say(
            kind="transition",
            t=moment,
            link=transition.link_name,
            old=transition.old_state.value,
            new=transition.new_state.value,
            why=transition.transition_name.value,
        )


def say(**line):
    """Print a line as `gwproactor node` does."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def report_acks(links) -> None:
    """Print `acked` when an event is gone from its store and from its list of events in flight.

    That is what it means to the predecessor that an event is acknowledged. It tells nobody, so the
    call in which it happens is wrapped.
    """
    process_ack = links.process_ack
    in_flight, store = links._in_flight_events, links._event_persister  # noqa: SLF001 - as said

    def kept(message_id) -> bool:
        return message_id in in_flight or message_id in store

    def process_and_say(link_name, message_id):
        was_kept = kept(message_id)
        result = process_ack(link_name, message_id)
        if was_kept and not kept(message_id):
            say(kind="acked", t=time.monotonic_ns(), id=message_id)
        return result

    links.process_ack = process_and_say


class Generator:
    """Generates events on command, and says when all are acknowledged.

    The lines are those of `events_node.py`. It is told of each ack by the call that deals with it.
    """

    def __init__(self, proactor) -> None:
        self._proactor = proactor
        self._links = proactor._links  # noqa: SLF001 - there is no other way to it
        self._waits = False
        self._began = 0
        process_ack = self._links.process_ack

        def process_and_look(link_name, message_id):
            result = process_ack(link_name, message_id)
            self._look()
            return result

        self._links.process_ack = process_and_look

    def _look(self) -> None:
        links = self._links
        pending = links._in_flight_events or links._event_persister.num_pending  # noqa: SLF001
        if self._waits and not pending:
            self._waits = False
            say(kind="drained", t=time.monotonic_ns(), began=self._began)

    async def commands(self) -> None:
        """Do what standard input says, until it ends."""
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            command, count = line.split()
            await self._generate(int(count), tell_stored=command == b"store")

    async def _generate(self, count, *, tell_stored) -> None:
        self._began = time.monotonic_ns()
        for number in range(count):
            event = AnyEvent(
                MessageId=str(uuid.uuid4()),
                Src="bench.child",
                TypeName="gridworks.event.data",
                Reading="x" * 60,
                Value=number,
            )
            self._proactor.generate_event(event)
            if number % 200 == 199:
                await asyncio.sleep(0)
        if tell_stored:
            say(kind="stored", t=time.monotonic_ns())
        self._waits = True
        self._look()


def settings_for(app_type, peer: str, port: int, folder: Path) -> AppSettings:
    """Its defaults, but for the broker's place, the folder, and no TLS."""
    paths = Paths(
        name="bench",
        data_home=folder / "data",
        state_home=folder / "state",
        config_home=folder / "config",
    )
    settings = app_type.app_settings_type()(paths=paths)
    broker = getattr(settings, peer)
    broker.host, broker.port, broker.tls.use_tls = "127.0.0.1", port, False
    settings.paths.mkdirs()
    return settings


def main() -> None:
    """Run one node until it is killed."""
    parser = argparse.ArgumentParser(description="One node of the predecessor.")
    parser.add_argument("--role", choices=ROLES, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--generate", action="store_true", help="events on command")
    options = parser.parse_args()
    app_type, peer = ROLES[options.role]
    app = app_type(
        app_settings=settings_for(app_type, peer, options.port, options.folder),
        layout=HardwareLayout(
            NAMES, cacs={}, components={}, nodes={}, data_channels={}, synth_channels={}
        ),
    )
    app.instantiate()
    app.add_callbacks(Reporter())
    if options.generate:
        asyncio.run(run_and_generate(app.proactor))
    else:
        report_acks(app.proactor._links)  # noqa: SLF001 - there is no other way to it
        asyncio.run(app.proactor.run_forever())


async def run_and_generate(proactor) -> None:
    """Run the node, and events on command beside it."""
    commands = asyncio.create_task(Generator(proactor).commands())
    try:
        await proactor.run_forever()
    finally:
        commands.cancel()


if __name__ == "__main__":
    main()
