"""Who is let in: logins, certificates and protocol versions, on both brokers."""

import ssl

import aiomqtt
import pytest
from aiomqtt import ProtocolVersion
from mqtt5 import ConnAckReasonCode, ConnectPacket

from gwproactor_test.broker import Broker
from gwproactor_test.brokers import AnyBroker, MakeBroker
from gwproactor_test.certificates import Certificates
from gwproactor_test.clients import PacketClient, client_of, next_message

USERS = {"anna": "s3cret", "ben": "übel"}
PROTOCOLS = pytest.mark.parametrize("protocol", [ProtocolVersion.V5, ProtocolVersion.V311])


@PROTOCOLS
@pytest.mark.parametrize("user", USERS)
async def test_known_users_are_admitted(
    make_broker: MakeBroker, protocol: ProtocolVersion, user: str
) -> None:
    broker = await make_broker(users=USERS)
    async with client_of(broker, protocol=protocol, user=user, password=USERS[user]) as client:
        await client.subscribe("a")


@PROTOCOLS
@pytest.mark.parametrize(
    ("user", "password"), [(None, None), ("anna", "wrong"), ("anna", None), ("eve", "s3cret")]
)
async def test_others_are_refused(
    make_broker: MakeBroker, protocol: ProtocolVersion, user: str | None, password: str | None
) -> None:
    broker = await make_broker(users=USERS)
    with pytest.raises(aiomqtt.MqttError, match=r"refused|uthorized|Bad user"):
        async with client_of(broker, protocol=protocol, user=user, password=password):
            pass


async def test_without_users_any_login_will_do(broker: AnyBroker) -> None:
    async with client_of(broker, user="anybody", password="anything") as client:
        await client.subscribe("a")


def test_passwords_do_not_show() -> None:
    broker = Broker(users=USERS)
    assert all("s3cret" not in text for text in (repr(broker), repr(vars(broker))))


async def test_a_client_without_an_id_is_given_one(broker: AnyBroker) -> None:
    async with PacketClient(broker) as one, PacketClient(broker) as two:
        first = await one.connect(ConnectPacket("", clean_start=True))
        second = await two.connect(ConnectPacket("", clean_start=True))
    assert first.assigned_client_id
    assert second.assigned_client_id
    assert first.assigned_client_id != second.assigned_client_id


async def test_an_older_client_that_wants_a_session_needs_an_id(broker: AnyBroker) -> None:
    async with PacketClient(broker) as client:
        client.send_bytes(b"\x10\x0c\x00\x04MQTT\x04\x00\x00\x3c\x00\x00")
        assert await _rest_bytes(client) == b"\x20\x02\x00\x02"


async def test_an_unknown_protocol_version_is_refused(broker: AnyBroker) -> None:
    async with PacketClient(broker) as client:
        client.send_bytes(b"\x10\x0d\x00\x04MQTT\x09\x02\x00\x3c\x00\x01x")
        assert await _rest_bytes(client) == b"\x20\x02\x00\x01"


async def test_the_oldest_version_is_refused_by_the_embedded_broker(
    embedded_broker: Broker,
) -> None:
    async with PacketClient(embedded_broker) as client:
        client.send_bytes(b"\x10\x0f\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x01x")
        assert await _rest_bytes(client) == b"\x20\x02\x00\x01"


async def test_a_broker_can_lack_mqtt_5() -> None:
    async with Broker(protocol_levels=[4]) as broker:
        async with PacketClient(broker) as client:
            client.send(ConnectPacket("new", clean_start=True))
            assert await _rest_bytes(client) == b"\x20\x02\x00\x01"
        async with client_of(broker, protocol=ProtocolVersion.V311) as older:
            await older.subscribe("a")


async def test_enhanced_authentication_is_refused(broker: AnyBroker) -> None:
    async with PacketClient(broker) as client:
        answer = await client.connect(
            ConnectPacket("x", clean_start=True, authentication_method="SCRAM")
        )
    assert answer.reason_code == ConnAckReasonCode.BAD_AUTHENTICATION_METHOD


@PROTOCOLS
async def test_tls(
    make_broker: MakeBroker, certificates: Certificates, protocol: ProtocolVersion
) -> None:
    broker = await make_broker(tls=certificates.server)
    assert broker.url == f"mqtts://127.0.0.1:{broker.port}"
    context = certificates.client_context()
    async with client_of(broker, protocol=protocol, tls=context) as client:
        await client.subscribe("a", qos=1)
        await client.publish("a", b"x" * 300_000, qos=1)
        assert len(bytes((await next_message(client)).payload)) == 300_000


@pytest.mark.parametrize("shown", ["wrong_host", "untrusted_server", "expired"])
async def test_a_client_sees_a_bad_server_certificate(
    make_broker: MakeBroker, certificates: Certificates, shown: str
) -> None:
    broker = await make_broker(tls=getattr(certificates, shown))
    with pytest.raises(ssl.SSLCertVerificationError):
        async with PacketClient(broker, certificates.client_context()):
            pass


async def test_a_client_certificate_can_be_required(
    make_broker: MakeBroker, certificates: Certificates
) -> None:
    broker = await make_broker(tls=certificates.server, require_client_certificate=True)
    trusted = certificates.client_context(certificate=certificates.client)
    async with client_of(broker, tls=trusted) as client:
        await client.subscribe("a")
    for certificate in (None, certificates.untrusted_client):
        context = certificates.client_context(certificate=certificate)
        with pytest.raises((OSError, EOFError)):
            async with PacketClient(broker, context) as stranger:
                await stranger.connect(ConnectPacket("stranger", clean_start=True))


async def test_a_client_without_tls_gets_nowhere(
    make_broker: MakeBroker, certificates: Certificates
) -> None:
    broker = await make_broker(tls=certificates.server)
    async with PacketClient(broker) as client:
        with pytest.raises((EOFError, ValueError)):
            await client.connect(ConnectPacket("plain", clean_start=True))
    context = certificates.client_context()
    async with client_of(broker, tls=context) as proper:
        await proper.subscribe("a")


async def test_a_stop_does_not_wait_for_an_unfinished_handshake(
    certificates: Certificates,
) -> None:
    async with Broker(tls=certificates.server_context()) as broker, PacketClient(broker) as client:
        client.send_bytes(b"\x16\x03\x01")
        await broker.stop()
        with pytest.raises(EOFError):
            await client.receive()


async def _rest_bytes(client: PacketClient) -> bytes:
    """What the broker sends until it closes, as bytes: no packets of MQTT 5."""
    assert client._reader is not None
    return await client._reader.read()
