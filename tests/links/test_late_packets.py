"""What comes late, twice, unasked or in the wrong order does a real link no harm.

The packets are put into the stream behind the broker's own, by a relay. What the core makes of any
order of inputs is proved in test_link_core_machine.py; here it is shown that nothing on the way to
the core, the MQTT package included, takes offence.
"""

import asyncio

import pytest

from gwproactor.config.mqtt import MQTTVersion, broker_from_url
from gwproactor.links.mqtt.aiomqtt_transport import connect_with_aiomqtt
from gwproactor.links.transport import ConnectOptions
from gwproactor.wire.codec import WireCodec
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import Ack, AnyEvent
from gwproactor.wire.topics import encode_topic
from gwproactor_test.brokers import AnyBroker
from gwproactor_test.link_pair import CHILD, CHILD_SHORT, PARENT, End, link_pair
from gwproactor_test.relay import Relay

V5, V311 = MQTTVersion.v5, MQTTVersion.v311

IDS = (b"\x00\x01", b"\x00\x02", b"\x7f\x00")
"""Packet ids: those of the first SUBSCRIBEs of a connection, and one that was never used."""


def suback(version: MQTTVersion, packet_id: bytes, code: int) -> bytes:
    properties = b"\x00" if version is V5 else b""
    body = packet_id + properties + bytes([code])
    return b"\x90" + bytes([len(body)]) + body


def unsuback(version: MQTTVersion, packet_id: bytes) -> bytes:
    body = packet_id + (b"\x00\x00" if version is V5 else b"")
    return b"\xb0" + bytes([len(body)]) + body


def strays(version: MQTTVersion) -> dict[str, bytes]:
    """Packets that nobody waits for."""
    found = {"PINGRESP": b"\xd0\x00"}
    for packet_id in IDS:
        name = packet_id.hex()
        found[f"SUBACK {name} granted"] = suback(version, packet_id, 0)
        found[f"SUBACK {name} refused"] = suback(version, packet_id, 0x80)
        found[f"UNSUBACK {name}"] = unsuback(version, packet_id)
        found[f"PUBACK {name}"] = b"\x40\x02" + packet_id
        found[f"PUBREC {name}"] = b"\x50\x02" + packet_id
        found[f"PUBREL {name}"] = b"\x62\x02" + packet_id
        found[f"PUBCOMP {name}"] = b"\x70\x02" + packet_id
    return found


async def inject(relay: Relay, packet: bytes) -> None:
    """Send bytes to the client as if its broker had."""
    for writers in relay._relayed.values():
        writers[0].write(packet)
        await writers[0].drain()


async def still_talks(child: End, parent: End, transitions: int) -> None:
    """Both ways, and nothing has happened to the comm state."""
    for end, name in ((child, CHILD), (parent, PARENT)):
        await end.link.send(AnyEvent(Src=name)).acked()
    assert child.link.active
    assert len(child.heard.transitions) == transitions
    assert not child.heard.problems


@pytest.mark.parametrize("version", [V5, V311])
async def test_packets_that_nobody_waits_for(
    broker: AnyBroker, relay: Relay, version: MQTTVersion
) -> None:
    async with link_pair(relay.url, broker.url, protocol=version) as (child, parent):
        transitions = len(child.heard.transitions)
        for name, packet in strays(version).items():
            await inject(relay, packet)
            try:
                await still_talks(child, parent, transitions)
            except Exception as error:
                error.add_note(f"after {name}")
                raise


@pytest.mark.parametrize("version", [V5, V311])
async def test_acks_that_come_late_twice_or_for_nothing(
    broker: AnyBroker, version: MQTTVersion
) -> None:
    settings = broker_from_url(broker.url, protocol=version)
    topic = encode_topic(PARENT, CHILD_SHORT, "gridworks.ack")
    async with (
        link_pair(broker.url, broker.url, protocol=version) as (child, parent),
        connect_with_aiomqtt(settings, ConnectOptions("late", 1 << 24)) as late,
    ):
        transitions = len(child.heard.transitions)
        sent = child.link.send(AnyEvent(Src=CHILD))
        await sent.acked()
        heard = len(child.heard.acked)
        for message_id in (sent.message_id, sent.message_id, "never sent"):
            ack = Ack(AckMessageID=message_id)
            message = Message[Ack](Src=PARENT, Dst=CHILD_SHORT, Payload=ack)
            late.publish(topic, WireCodec().encode(message))
        await child.heard.until(lambda: len(child.heard.acked) == heard + 3)
        await still_talks(child, parent, transitions)


@pytest.mark.parametrize("version", [V5, V311])
@pytest.mark.parametrize(
    "packets",
    [
        pytest.param(b"\xe0\x02\x00\x00", id="DISCONNECT"),
        pytest.param(b"\xe0\x02\x8b\x00" * 2, id="two DISCONNECTs"),
        pytest.param(b"\x20\x03\x00\x00\x00", id="CONNACK"),
        pytest.param(b"\xf7\xff\xff\xff\xff", id="no packet"),
        pytest.param(b"\x10\x00\x82\x00\xc0\x00", id="packets of clients"),
    ],
)
async def test_what_breaks_a_connection_costs_a_connection(
    broker: AnyBroker, relay: Relay, version: MQTTVersion, packets: bytes
) -> None:
    """Whether a broker that sends such things loses the connection or not, the link is there."""
    async with link_pair(relay.url, broker.url, protocol=version) as (child, parent):
        await inject(relay, packets)
        await asyncio.sleep(0.02)  # a moment in which it could do harm
        await relay.cut()
        await child.not_active()
        await child.active()
        await child.link.send(AnyEvent(Src=CHILD)).acked()
        await parent.link.send(AnyEvent(Src=PARENT)).acked()
