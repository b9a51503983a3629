"""What comes over a link's connection: read, told to the core, handed on, acknowledged.

The other side of `Sender`. A packet that cannot be read is a sign of the broker and a report. A
message is first told to the core, for whatever it shows of the peer holds from its coming, and then
handed on: to who delivers messages, or as a batch to the inbox of events.
"""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from gwproactor.config.link import LinkSettings
from gwproactor.links.core.link_core import MessageKind
from gwproactor.links.core.packet_acks import PacketAcks
from gwproactor.links.core.reception import Received, Reception, Refusal, shown_error
from gwproactor.links.event_pump import EventSource
from gwproactor.links.listener import BatchInbox, tell
from gwproactor.links.problem_desk import ProblemDesk
from gwproactor.links.received_message import ReceivedMessage
from gwproactor.links.sender import Sender
from gwproactor.links.transport import Connection, ReceivedPacket
from gwproactor.wire.batches import BatchAnswer, BatchedEvent

OnPacket = Callable[[str, ReceivedPacket, str], None]
"""Told the link's name, a packet, and the TypeName of the message in it; empty where none is."""


class Ears(Protocol):
    """What of a conversation is told that something came."""

    def peer_heard(
        self, kind: MessageKind, message_id: str = "", *, ack_required: bool = False
    ) -> None:
        """A valid message of the peer came."""
        ...

    def broker_heard(self) -> None:
        """Something came that says nothing of the peer."""
        ...


class Receiver:
    """The receiving side of one link. For the loop only.

    Args:
        settings: The link's settings.
        reception: Reads packets.
        ears: Is told of everything that comes.
        sender: Sends what answers it.
        problems: Takes reports.
        deliver: Called with each message that is neither ack nor ping.
        events: Is told how many events the peer takes at once; None where there are none.
        batches: Takes events that come in batches; None where none are taken.
        on_packet: Is told of every packet; None for nobody.
    """

    def __init__(
        self,
        settings: LinkSettings,
        reception: Reception,
        ears: Ears,
        sender: Sender,
        problems: ProblemDesk,
        deliver: Callable[[ReceivedMessage], None],
        events: EventSource | None,
        batches: BatchInbox | None,
        on_packet: OnPacket | None,
    ) -> None:
        self._name = settings.link_name
        self._reception = reception
        self._ears = ears
        self._sender = sender
        self._problems = problems
        self._deliver = deliver
        self._events = events
        self._batches = batches
        self._on_packet = on_packet
        self._packet_acks = PacketAcks[ReceivedPacket](lambda _packet: None)
        self._dropped_packets = 0

    def begin(self, connection: Connection) -> None:
        """Receive over a new connection: acknowledgements belong to the one that they answer."""
        self._packet_acks = PacketAcks(connection.acknowledge)
        self._dropped_packets = 0

    def received(self, packet: ReceivedPacket) -> None:
        """Take a packet: what is valid goes to the core and on, the rest is reported.

        What fails in it, be it a fault of ours, costs this packet and not the link. One of QoS 1
        or 2 that is handed on is acknowledged when who gets it says `done`, any other now.
        """
        if packet.qos:
            self._packet_acks.taken(packet)
        handed_on = False
        try:
            handed_on = self._take(packet)
        except Exception as error:  # noqa: BLE001 - a peer must not be able to end the node
            self._problems.report("a packet could not be handled", shown_error(error))
        if packet.qos and not handed_on:
            self._packet_acks.done(packet)

    def _take(self, packet: ReceivedPacket) -> bool:
        """Read a packet. Returns whether it was handed on."""
        read = self._reception.read(packet)
        if self._on_packet is not None:
            type_name = "" if isinstance(read, Refusal) else read.message.Header.MessageType
            tell(self._on_packet, self._name, packet, type_name)
        if isinstance(read, Refusal):
            self._ears.broker_heard()
            self._problems.report(read.what, read.details)
            return False
        return self._received(packet, read)

    def _received(self, packet: ReceivedPacket, read: Received) -> bool:
        kind, message_id, ack_required, message, from_peer, batch = read
        came_at = time.monotonic()
        if isinstance(message.Payload, BatchAnswer):
            self._sender.batching.refused(message_id, message.Payload.Refused)
        if from_peer:
            self._ears.peer_heard(kind, message_id, ack_required=ack_required)
        else:
            self._ears.broker_heard()
        if kind is not MessageKind.other:
            self._heard_of_batches(packet)
            return False
        if batch is not None and self._batches is not None:
            return self._take_batch(self._batches, packet, message_id, batch)
        finish = self._packet_acks.done if packet.qos else None
        received = ReceivedMessage(
            self._name, message, packet, came_at, wants_ack=ack_required, finish=finish
        )
        self.hand_on(received, self._deliver)
        return True

    def hand_on(
        self, received: ReceivedMessage, deliver: Callable[[ReceivedMessage], None]
    ) -> None:
        """Give a message to who takes it; where that fails, nobody else will say that it is done.

        Args:
            received: The message.
            deliver: Takes it.
        """
        if not tell(deliver, received) and received.holds_broker:
            # Left like that, so many of them would end all that comes with QoS 1, in silence.
            self._problems.report("a message was let go", "who listens to the link failed with it")
            received.done()

    def _heard_of_batches(self, packet: ReceivedPacket) -> None:
        """Take note of what a ping or an ack says; after the core, for it may have activated."""
        batching = self._sender.batching
        if batching.heard(packet.user_properties) and self._events is not None:
            self._events.allow_batches(batching.limits is not None)

    def _take_batch(
        self,
        inbox: BatchInbox,
        packet: ReceivedPacket,
        batch_id: str,
        batch: Sequence[BatchedEvent],
    ) -> bool:
        """Hand on the events of a batch; it is answered when all of them are safe or refused."""
        places = [place for place, event in enumerate(batch) if not event.fault]
        faults = [place for place, event in enumerate(batch) if event.fault]
        for place in faults:
            details = f"event {place} of the batch {batch_id}: {batch[place].fault}"
            self._problems.report("an event in a batch cannot be read", details)
        finish = self._packet_acks.done

        def answer(refused: Sequence[int]) -> None:
            if packet.qos:
                finish(packet)
            not_taken = sorted([*faults, *(places[each] for each in refused)])
            self._sender.answer_batch(batch_id, not_taken)

        if not places:
            answer(())
            return True
        events = [(batch[place].event_id, batch[place].payload) for place in places]
        tell(inbox.receive_batch, self._name, events, answer)
        return True

    def check_drops(self, connection: Connection) -> None:
        """Report packets that the connection had to drop, if there are new ones."""
        if connection.dropped_packets == self._dropped_packets:
            return
        self._dropped_packets = connection.dropped_packets
        details = f"{self._dropped_packets} dropped on this connection, none acknowledged"
        self._problems.report("messages came faster than they could be taken", details)
