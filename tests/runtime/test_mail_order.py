"""Messages of several senders to several receivers, in any order: each arrives once, in order.

Order is promised between one sender and one receiver: the loop, two threads and an actor send, and
a plain handler, a coroutine and the proactor itself receive.
"""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Literal

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from gwproactor.actors.actor import Actor
from gwproactor.actors.queue_writers import AsyncQueueWriter
from gwproactor.config.proactor import ProactorSettings
from gwproactor.runtime.proactor import Proactor
from gwproactor.wire.envelope import Message
from gwproactor_test.clients import until

Plan = list[tuple[str, str]]
"""Who sends to whom, in order."""

SENDERS = ("loop", "thread 1", "thread 2", "clerk")
RECEIVERS = ("plain", "waiting", "proactor")

plans = st.lists(st.tuples(st.sampled_from(SENDERS), st.sampled_from(RECEIVERS)), max_size=200)


class Numbered(BaseModel):
    """A message that tells its place in the plan."""

    Number: int
    TypeName: Literal["test.numbered"] = "test.numbered"


class Told(BaseModel):
    """A message that has an actor send the next message of its own."""

    TypeName: Literal["test.told"] = "test.told"


class Node(Proactor):
    """A proactor that notes what everybody got, and from whom."""

    def __init__(self, plan: Plan) -> None:
        super().__init__("d1.scada", ProactorSettings.without_environment())
        self.got: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        self.plan = plan
        for kind in (Plain, Waiting, Clerk):
            self.add_communicator(kind(self))

    def messages_of(self, sender: str) -> list[Message[Any]]:
        """What a sender is to send, in order."""
        return [
            Message[Any](Src=sender, Dst=receiver, Payload=Numbered(Number=number))
            for number, (who, receiver) in enumerate(self.plan)
            if who == sender
        ]

    def note(self, receiver: str, message: Message[Any]) -> None:
        self.got[receiver][message.Header.Src].append(message.Payload.Number)

    async def process_message(self, message: Message[Any]) -> None:
        self.note("proactor", message)

    @property
    def count(self) -> int:
        return sum(len(numbers) for of in self.got.values() for numbers in of.values())


class Plain(Actor):
    def __init__(self, node: Node) -> None:
        super().__init__("plain", node.services)
        self.owner = node

    def process_message(self, message: Message[Any]) -> None:
        self.owner.note(self.name, message)


class Waiting(Actor):
    def __init__(self, node: Node) -> None:
        super().__init__("waiting", node.services)
        self.owner = node

    async def process_message(self, message: Message[Any]) -> None:
        await asyncio.sleep(0)
        self.owner.note(self.name, message)


class Clerk(Actor):
    """Sends its own messages, one whenever it is told to."""

    def __init__(self, node: Node) -> None:
        super().__init__("clerk", node.services)
        self.messages = iter(node.messages_of("clerk"))

    def process_message(self, message: Message[Any]) -> None:
        self._send(next(self.messages))


async def carry_out(plan: Plan) -> Node:
    node = Node(plan)
    async with node:
        queue = node.async_receive_queue
        assert queue is not None
        writer = AsyncQueueWriter()  # with a queue of its own; the other end is for all
        writer.set_async_loop(asyncio.get_running_loop(), queue)

        def send(sender: str, put: Callable[[Message[Any]], None]) -> None:
            for message in node.messages_of(sender):
                put(message)

        puts = (writer.put, queue.thread_end.put)
        threads = [
            threading.Thread(target=send, args=each)
            for each in zip(SENDERS[1:3], puts, strict=True)
        ]
        for thread in threads:
            thread.start()
        for message in node.messages_of("loop"):
            node.send(message)
            await asyncio.sleep(0)
        for _ in node.messages_of("clerk"):
            node.send(Message[Any](Src="loop", Dst="clerk", Payload=Told()))
        await until(lambda: node.count == len(plan))
        for thread in threads:
            thread.join()
    return node


@settings(max_examples=30, deadline=None)
@given(plan=plans)
def test_every_message_arrives_once_and_in_the_order_of_its_sender(plan: Plan) -> None:
    node = asyncio.run(carry_out(plan))
    for receiver in RECEIVERS:
        for sender in SENDERS:
            sent = [n for n, pair in enumerate(plan) if pair == (sender, receiver)]
            assert node.got[receiver][sender] == sent
    assert node.dropped_message_count == 0
