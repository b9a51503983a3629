# mypy: ignore-errors
# (it imports gridworks-protocol, which is in another environment)
"""Actors of this library with the hardware layout and the messages of gridworks-protocol.

Run with the interpreter of .protocol-venv. It prints what an actor got, and what it is.
"""

import asyncio
import uuid

from gwproto import HardwareLayout, Message, ShNode
from gwproto.messages import PowerWatts

from gwproactor import Actor, ActorInterface, Proactor, ProactorSettings
from gwproactor.errors import UsageError


class Meter(Actor):
    """Passes on what it gets."""

    async def process_message(self, message) -> None:
        self._send(Message(Src=self.name, Dst="display", Payload=message.Payload))


class Display(Actor):
    """Prints what it gets."""

    def process_message(self, message) -> None:
        kind = type(message.Payload)
        print(type(self.node).__name__, self.node.Name, message.Header.Src)
        print(kind.__module__.split(".")[0], kind.__name__, message.Payload.Watts)
        self.services.stop()


def layout() -> HardwareLayout:
    """A layout of two nodes."""
    nodes = {
        name: ShNode(ShNodeId=str(uuid.uuid4()), Name=name, ActorClass="NoActor", Strategy="none")
        for name in ("meter", "display")
    }
    parts = ("cacs", "components", "data_channels", "synth_channels")
    return HardwareLayout({}, nodes=nodes, **{part: {} for part in parts})


async def main() -> None:
    """Send a message from one actor to the other."""
    node = Proactor("d1.scada", ProactorSettings.without_environment(), layout())
    for name in ("Meter", "Display"):
        actor = ActorInterface.load(name.lower(), name, node.services, __name__)
        node.add_communicator(actor)
    try:
        Meter("other", node.services)
    except UsageError as error:
        print(str(error).split(",")[0])
    node.send(Message(Src="t", Dst="meter", Payload=PowerWatts(Watts=7)))
    await node.run_forever()


if __name__ == "__main__":
    asyncio.run(main())
