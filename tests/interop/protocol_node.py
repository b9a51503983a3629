# mypy: ignore-errors
# (it imports gridworks-protocol, which is in another environment)
"""A node of this library whose codec and messages are those of gridworks-protocol, as they are.

Run with the interpreter of .protocol-venv. It prints lines as `gwproactor node` does: what the
library hands to it of a message or an event is an `event` line, whose payload names the class; what
it sent itself, once the peer has acknowledged it, is an `acked` line.
"""

import argparse
import asyncio
import json
import sys
import time

import gwproto.messages
from gwproto import Message, MQTTCodec, create_message_model
from gwproto.messages import AnyEvent, PowerWatts, ProblemEvent, Problems, StartupEvent

from gwproactor import LinkSettings, Observer, Proactor, ProactorSettings

CHILD, CHILD_SHORT, PARENT, PARENT_SHORT = "d1.child", "c", "d1.parent", "p"
ROLES = {
    "child": (CHILD, CHILD_SHORT, PARENT, PARENT_SHORT),
    "parent": (PARENT, PARENT_SHORT, CHILD, CHILD_SHORT),
}


class Codec(MQTTCodec):
    """A codec as applications of gridworks-protocol write it."""

    def __init__(self, source: str, destination: str) -> None:
        self._expected = (source, destination)
        super().__init__(create_message_model("NodeMessage", [gwproto.messages.__name__]))

    def validate_source_and_destination(self, src: str, dst: str) -> None:
        """Refuse what is not from the peer to this node."""
        if (src, dst) != self._expected:
            raise ValueError(f"from {src} to {dst}")


def say(kind: str, **fields: object) -> None:
    """Print one line."""
    print(json.dumps({"kind": kind, "t": time.monotonic_ns(), **fields}), flush=True)


class Reporter(Observer):
    """Prints what happens."""

    def link_transitioned(self, transition) -> None:
        """Print a transition."""
        states = {"old": transition.old_state.value, "new": transition.new_state.value}
        say("transition", link=transition.link_name, why=transition.transition_name.value, **states)

    def problem(self, event) -> None:
        """Print a problem."""
        say("problem", summary=event.Summary, details=event.Details)


def class_of(thing: object) -> str:
    """Where a class comes from, and its name."""
    return f"{type(thing).__module__.split('.')[0]}.{type(thing).__name__}"


async def send(link, own: str, peer_short: str) -> None:
    """Send a message with a header, and one without."""
    payload = PowerWatts(Watts=1)
    message = Message(Src=own, Dst=peer_short, MessageId="m 1", AckRequired=True, Payload=payload)
    await link.publish(message).acked()
    say("acked", id="m 1")
    sent = link.send(PowerWatts(Watts=2))
    await sent.acked()
    say("acked", id="m 2")


async def post(node: Proactor) -> None:
    """Send events of the package, of a known and of an unknown type, in both ways."""
    problem = ProblemEvent(MessageId="e 1", ProblemType=Problems.warning, Summary="hot")
    await node.post_event(problem).acked()
    say("acked", id="e 1")
    other = AnyEvent(MessageId="e 2", Src="", TypeName="gridworks.event.other", extra=[1, 2])
    await node.post_event(other).acked()
    say("acked", id="e 2")
    assert node.generate_event(StartupEvent(MessageId="e 3")).unwrap()
    await node.all_events_acked()
    say("acked", id="e 3")


async def main() -> None:
    """Run one node until it is killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--role", choices=ROLES, required=True)
    parser.add_argument("--broker", required=True)
    options = parser.parse_args()
    own, own_short, peer, peer_short = ROLES[options.role]
    settings = LinkSettings(
        peer_name=peer,
        peer_short_name=peer_short,
        subscription_name=own_short,
        upstream=options.role == "child",
        downstream=options.role == "parent",
        brokers=[options.broker],
    )
    node = Proactor(own, ProactorSettings.without_environment())
    link = node.add_link(settings, Codec(peer, own_short))
    node.observe(Reporter())

    @node.on_message
    async def _message(message) -> None:
        payload = {"message": class_of(message), "class": class_of(message.Payload)}
        say("event", id=message.Header.MessageId, payload=payload | message.Payload.model_dump())

    @node.on_event
    async def _event(event) -> None:
        say("event", id=event.event_id, payload=json.loads(event.payload))

    async with node:
        await link.wait_for()
        await send(link, own, peer_short)
        if options.role == "child":
            await post(node)
        await node.stopped()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
