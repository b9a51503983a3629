"""Brokers that refuse, lie or babble: told clearly and at once, and the node lives on."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from gwproactor_test.broker import Broker
from gwproactor_test.brokers import AnyBroker, MakeBroker
from gwproactor_test.certificates import CertificateFiles, Certificates
from gwproactor_test.clients import client_of
from gwproactor_test.listener import Listener
from gwproactor_test.nodes import (
    Acked,
    Event,
    NodeProcess,
    Problem,
    Stored,
    Transition,
    child_options,
    parent_options,
)

SECRET = "hunter2-and-no-other"
TO_CHILD = "gw/d1-site/to/s/"
TO_PARENT = "gw/d1-site-scada/to/p/"


def assert_secret_is_kept(*nodes: NodeProcess) -> None:
    for node in nodes:
        assert SECRET not in repr(node.lines)
        assert SECRET not in node.errors


async def ended(*nodes: NodeProcess) -> None:
    for node in nodes:
        node.terminate()
    for node in nodes:
        assert await node.exited() == 0


def told(node: NodeProcess, *words: str) -> Problem | None:
    """The first problem that says all of these words, in any case."""
    for problem in node.of(Problem):
        text = f"{problem.summary} {problem.details}".lower()
        if all(word.lower() in text for word in words):
            return problem
    return None


async def wait_told(node: NodeProcess, *words: str) -> None:
    await node.until(lambda: told(node, *words) is not None, f"a problem that says {words}")


async def test_a_refused_login_is_told(make_broker: MakeBroker, tmp_path: Path) -> None:
    """Once, at once, without the password; and the right login works, by file or URL."""
    broker = await make_broker(users={"scada": "right", "spec/al": "p/w@#"})
    file = tmp_path / "password"
    file.write_text(f"{SECRET}\n")
    right = tmp_path / "right"
    right.write_text("right\r\nanother line\n")
    with_password = broker.url.replace("://", f"://scada:{SECRET}@")
    with_user = broker.url.replace("://", "://scada@")
    encoded = broker.url.replace("://", "://spec%2Fal:p%2Fw%40%23@")
    async with (
        NodeProcess(*child_options(with_password, tmp_path / "1")) as by_url,
        NodeProcess(
            *child_options(
                with_user, tmp_path / "2", "--password-file", str(file), "--mqtt", "3.1.1"
            )
        ) as by_file,
        NodeProcess(*child_options(broker.url, tmp_path / "3")) as nobody,
        NodeProcess(
            *child_options(with_user, tmp_path / "4", "--password-file", str(right))
        ) as admitted,
        NodeProcess(*parent_options(encoded, tmp_path / "5")) as parent,
    ):
        for node in (by_url, by_file, nobody):
            await wait_told(node, "refused", "login")
            await node.send({"n": 1})
            await node.wait(Stored)
            assert len(node.of(Problem)) == 1
        await admitted.wait_active()
        await parent.wait_active()
        await ended(by_url, by_file, nobody, admitted, parent)
    assert_secret_is_kept(by_url, by_file)
    assert not admitted.of(Problem)
    assert not parent.of(Problem)


async def test_a_port_where_nothing_listens_is_told(
    broker_kind: str, make_broker: MakeBroker, tmp_path: Path
) -> None:
    """The node lives on, and finds the broker when it is there."""
    broker = await make_broker()
    await broker.stop()
    async with (
        NodeProcess(*child_options(broker.url, tmp_path / "c")) as child,
        NodeProcess(*child_options("mqtt://nowhere.invalid", tmp_path / "n")) as nowhere,
    ):
        await child.send({"n": 1})
        await wait_told(child, broker.url, "nothing listens")
        await wait_told(nowhere, "mqtt://nowhere.invalid:1883", "cannot be resolved")
        await broker.start()
        async with NodeProcess(*parent_options(broker.url, tmp_path / "p")) as parent:
            child.end_input()
            assert await child.exited() == 0
            await parent.wait(Event, lambda event: event.payload.get("n") == 1)
            await ended(parent, nowhere)
    assert len(child.of(Problem)) == 1


@pytest.fixture
async def tls_brokers(make_broker: MakeBroker, certificates: Certificates) -> dict[str, AnyBroker]:
    kinds = {
        "good": certificates.server,
        "untrusted": certificates.untrusted_server,
        "wrong host": certificates.wrong_host,
        "expired": certificates.expired,
    }
    brokers = {name: await make_broker(tls=files) for name, files in kinds.items()}
    brokers["asks"] = await make_broker(tls=certificates.server, require_client_certificate=True)
    return brokers


def tls_config(folder: Path, name: str, **fields: object) -> tuple[str, str]:
    """Write a TOML file with a table `[tls]`; the option that names it."""
    path = folder / f"{name}.toml"
    lines = [f"{key} = {json.dumps(value)}\n" for key, value in fields.items()]
    path.write_text("[tls]\n" + "".join(lines))
    return "--config", str(path)


def shown(files: CertificateFiles) -> dict[str, str]:
    return {"cert": str(files.cert_file), "key": str(files.key_file)}


async def test_certificates_are_checked_and_faults_told(
    tls_brokers: dict[str, AnyBroker], certificates: Certificates, tmp_path: Path
) -> None:
    ca = str(certificates.ca_file)
    encrypted = certificates.with_key_password(certificates.client, SECRET)
    trusting = tls_config(tmp_path, "trusting", ca_cert=ca)
    lax = tls_config(tmp_path, "lax", ca_cert=ca, check_hostname=False)
    full = tls_config(
        tmp_path, "full", ca_cert=ca, key_password=SECRET, check_hostname=True, **shown(encrypted)
    )
    locked = tls_config(
        tmp_path, "locked", ca_cert=ca, key_password=SECRET + "?", **shown(encrypted)
    )
    missing = tls_config(tmp_path, "missing", ca_cert=str(tmp_path / "no-such.pem"))
    expected = {
        ("untrusted", trusting): ("certificate",),
        ("wrong host", trusting): ("certificate", "127.0.0.1"),
        ("expired", trusting): ("certificate", "expired"),
        ("good", locked): ("key",),
        ("good", missing): ("no-such.pem",),
        ("asks", trusting): ("certificate",),
        ("good", trusting): (),
        ("wrong host", lax): (),
        ("asks", full): (),
    }
    async with AsyncExitStack() as stack:
        nodes = {}
        for number, (broker, config) in enumerate(expected):
            options = child_options(tls_brokers[broker].url, tmp_path / f"{number}", *config)
            nodes[broker, config] = await stack.enter_async_context(NodeProcess(*options))
        for case, words in expected.items():
            if words:
                await wait_told(nodes[case], *words)
            else:
                await nodes[case].wait(Transition, lambda step: step.new == "awaiting_peer")
        await ended(*nodes.values())
    assert_secret_is_kept(*nodes.values())
    for case, words in expected.items():
        assert len(nodes[case].of(Problem)) == bool(words), case


def strange_payloads() -> Iterable[tuple[str, bytes]]:
    """Topic's last level and payload of what no peer sends."""
    ping = b'{"Header":{"Src":"d1.site","MessageType":"gridworks.ping","AckRequired":true},%b}'
    yield "gridworks-ping", b""
    yield "gridworks-ping", b"\xff\xfe\x00garbage"
    yield "gridworks-ping", b"[" * 100_000
    yield "gridworks-ping", b"null"
    yield "gridworks-ping", b"{}"
    yield "gridworks-ping", ping % b'"TypeName":"gw"'
    yield "gridworks-ping", ping % b'"TypeName":"gw","Payload":{"TypeName":"gridworks.ack"}'
    yield "gridworks-event-x", ping % b'"TypeName":"gw","Payload":{"TypeName":"gridworks.ping"}'
    yield (
        "some-unknown-type",
        (
            b'{"Header":{"Src":"d1.site","MessageType":"some.unknown.type","MessageId":"1"},'
            b'"Payload":{"TypeName":"some.unknown.type"},"TypeName":"gw"}'
        ),
    )
    yield "gridworks-event-data/and/more", b"{}"
    yield "", b"{}"


async def test_garbage_from_the_broker_is_told_and_harms_nothing(
    broker: AnyBroker, tmp_path: Path
) -> None:
    """Parent and child stay active, and what comes after it arrives."""
    small = ("--max-line-bytes", "2000")
    async with (
        NodeProcess(*parent_options(broker.url, tmp_path / "p", *small)) as parent,
        NodeProcess(*child_options(broker.url, tmp_path / "c", *small)) as child,
        client_of(broker) as stranger,
    ):
        await child.wait_active()
        await parent.wait_active()
        for prefix in (TO_CHILD, TO_PARENT):
            for level, payload in strange_payloads():
                await stranger.publish(prefix + level, payload, qos=1)
            await stranger.publish(prefix + "gridworks-ping", b" " * 10_000, qos=1)
            await stranger.publish(prefix + "gridworks-event-data", b"x" * 900_000, qos=0)
            await stranger.publish(prefix + "gridworks-ping", b"retained", qos=1, retain=True)
        for node in (child, parent):
            await wait_told(node, "cannot be read")
            await wait_told(node, "too long", "bytes")
        await child.send({"n": 1})
        child.end_input()
        assert await child.exited() == 0
        await parent.wait(Event, lambda event: event.payload.get("n") == 1)
        await ended(parent)
        async with NodeProcess(*parent_options(broker.url, tmp_path / "p", *small)) as again:
            await wait_told(again, "retained")  # it says nothing of the peer now
            assert again.state == "awaiting_peer"
            await ended(again)
    for node in (child, parent):
        assert not [step for step in node.of(Transition) if step.why == "mqtt_disconnected"]
        assert len(node.of(Problem)) < 10, "told at a bounded rate"


async def test_lines_up_to_the_limit_arrive(broker: AnyBroker, tmp_path: Path) -> None:
    """The longest input line allowed is not too long for a peer with the same limit."""
    limit = 5000
    small = ("--max-line-bytes", str(limit))
    line = b'{"text":"%b"}' % (b"x" * (limit - len(b'{"text":""}')))
    async with (
        NodeProcess(*parent_options(broker.url, tmp_path / "p", *small)) as parent,
        NodeProcess(*child_options(broker.url, tmp_path / "c", *small)) as child,
    ):
        assert len(line) == limit
        await child.write(line + b"\n")
        child.end_input()
        assert await child.exited() == 0
        await ended(parent)
    assert child.ids(Stored)[0] in parent.ids(Event)


async def test_a_refused_subscription_is_told(tmp_path: Path) -> None:
    """The link cannot be active; lines are stored all the same, and go out when it is granted."""
    refused = {"d1.site.scada-d1.site"}

    def refuse(client_id: str, _topic_filter: str) -> bool:
        return client_id in refused

    async with (
        Broker(refuse_subscription=refuse) as broker,
        NodeProcess(*parent_options(broker.url, tmp_path / "p")) as parent,
        NodeProcess(*child_options(broker.url, tmp_path / "c")) as child,
    ):
        await wait_told(child, "subscription", "gw/d1-site/to/s/#", "refused")
        await child.send({"n": 1})
        await child.wait(Stored)
        assert child.state == "awaiting_setup_and_peer"
        assert not child.of(Acked)
        refused.clear()
        await broker.cut_all()
        child.end_input()
        assert await child.exited() == 0
        await ended(parent)
    said = [problem.summary for problem in child.of(Problem)]
    assert len([summary for summary in said if "subscription" in summary]) == 1


@asynccontextmanager
async def scripted_broker(answer: bytes) -> AsyncIterator[Listener]:
    """A server that answers the first packet with these bytes, and hangs up."""

    async def serve(accepted: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_recv(accepted, 4096)
        await loop.sock_sendall(accepted, answer)

    listener = Listener(serve)
    listener.open()
    try:
        yield listener
    finally:
        listener.close()
        await listener.join(1.0)


async def test_a_broker_without_mqtt_5_is_told_with_the_cure(tmp_path: Path) -> None:
    """Embedded without version 5; one that answers as 3.1.1 brokers do; one that just hangs up."""
    async with (
        Broker(protocol_levels=[4]) as old,
        scripted_broker(b"\x20\x02\x00\x01") as refusing,
        scripted_broker(b"") as hanging_up,
        NodeProcess(*child_options(old.url, tmp_path / "1")) as first,
        NodeProcess(*child_options(f"mqtt://127.0.0.1:{refusing.port}", tmp_path / "2")) as second,
        NodeProcess(*child_options(f"mqtt://127.0.0.1:{hanging_up.port}", tmp_path / "3")) as third,
        NodeProcess(*child_options(old.url, tmp_path / "4", "--mqtt", "3.1.1")) as fourth,
    ):
        for node in (first, second, third):
            await wait_told(node, "--mqtt 3.1.1")
        await fourth.until(lambda: fourth.state == "awaiting_peer")
        await ended(first, second, third, fourth)
    assert not fourth.of(Problem)


async def test_what_is_no_broker_at_all_is_told(tmp_path: Path) -> None:
    answers = (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x30\x00", b"\x20\x03\x00\x87\x00")
    async with AsyncExitStack() as stack:
        nodes = []
        for number, answer in enumerate(answers):
            listener = await stack.enter_async_context(scripted_broker(answer))
            options = child_options(f"mqtt://127.0.0.1:{listener.port}", tmp_path / f"{number}")
            nodes.append(await stack.enter_async_context(NodeProcess(*options)))
        for node in nodes:
            await node.wait(Problem)
        assert told(nodes[-1], "refused")
        await ended(*nodes)


async def test_two_clients_of_one_id_are_told(broker: AnyBroker, tmp_path: Path) -> None:
    """They push each other off the broker; each says what it may be, and lives on."""
    async with (
        NodeProcess(*child_options(broker.url, tmp_path / "1", "--client-id", "twin")) as one,
        NodeProcess(*child_options(broker.url, tmp_path / "2", "--client-id", "twin")) as other,
    ):
        await one.until(lambda: bool(told(one, "client id")) or bool(told(other, "client id")))
        await one.send({"n": 1})
        await one.wait(Stored)
        await ended(other)
        await one.until(lambda: one.state == "awaiting_peer")
        await ended(one)
