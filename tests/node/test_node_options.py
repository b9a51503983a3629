"""What the node is told, by whom, and what it says when it cannot be."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import mqtt5
import pytest

from gwproactor_test.broker import Broker
from gwproactor_test.listener import Listener
from gwproactor_test.nodes import (
    NODE_COMMAND,
    Event,
    NodeProcess,
    Stopped,
    Stored,
    Transition,
    child_options,
    parent_options,
    read_line,
)

NOBODY = "mqtt://127.0.0.1:1"
SECRET = "hunter2-and-no-other"


class FirstPackets(Listener):
    """Takes connections and keeps the first packet of each, by port."""

    def __init__(self) -> None:
        super().__init__(self._keep)
        self.packets: asyncio.Queue[mqtt5.ConnectPacket] = asyncio.Queue()

    async def _keep(self, accepted: socket.socket) -> None:
        data = await asyncio.get_running_loop().sock_recv(accepted, 65536)
        packet, _ = mqtt5.read(memoryview(data))
        assert isinstance(packet, mqtt5.ConnectPacket)
        self.packets.put_nowait(packet)

    async def next(self) -> mqtt5.ConnectPacket:
        async with asyncio.timeout(20):
            return await self.packets.get()


@asynccontextmanager
async def first_packets() -> AsyncIterator[FirstPackets]:
    listener = FirstPackets()
    listener.open()
    try:
        yield listener
    finally:
        listener.close()
        await listener.join(1.0)


async def test_options_win_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    """Seen in the CONNECT that the broker gets, which shows four settings at once."""
    async with first_packets() as broker:
        config = tmp_path / "node.toml"
        config.write_text(
            f'name = "x.y"\nshort = "x"\npeer = "a.b"\npeer_short = "a"\ndownstream = true\n'
            f'brokers = ["mqtt://user@127.0.0.1:{broker.port}"]\nkeepalive = 11\n'
            f'client_id = "from the file"\ndata = "{tmp_path / "d"}"\n'
        )
        environment = {"GWPROACTOR_KEEPALIVE": "12", "GWPROACTOR_CONFIG": str(config)}
        steps: list[tuple[tuple[str, ...], Mapping[str, str], int, str]] = [
            (("--config", str(config)), {}, 11, "from the file"),
            ((), environment, 12, "from the file"),
            (("--keepalive", "13", "--client-id", "mine"), environment, 13, "mine"),
        ]
        for options, variables, keep_alive, client_id in steps:
            async with NodeProcess(*options, environment=variables) as node:
                packet = await broker.next()
                assert (packet.keep_alive, packet.client_id) == (keep_alive, client_id)
                assert packet.username == "user"
                node.terminate()
                assert await node.exited() == 0
        own = child_options(f"mqtt://127.0.0.1:{broker.port}", tmp_path / "e")
        async with NodeProcess(*own) as node:
            packet = await broker.next()
            assert (packet.keep_alive, packet.username) == (60, None)
            assert packet.client_id == "d1.site.scada-d1.site"
            node.terminate()
            assert await node.exited() == 0


async def test_every_setting_may_come_from_the_environment_or_the_file(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    """A child told by variables and a parent told by a file understand each other."""
    variables = {
        "NAME": "d1.site.scada",
        "SHORT": "s",
        "PEER": "d1.site",
        "PEER_SHORT": "p",
        "BROKER": f"{NOBODY} {embedded_broker.url}",
        "UPSTREAM": "true",
        "DATA": str(tmp_path / "c"),
        "DURABILITY": "os",
        "MAX_BYTES": "100000",
        "ACK_TIMEOUT": "1.5",
        "POLL": "2",
        "KEEPALIVE": "30",
        "MQTT": "3.1.1",
        "CLIENT_ID": "child",
        "MAX_LINE_BYTES": "5000",
        "FOLLOW": "1",
    }
    config = tmp_path / "parent.toml"
    config.write_text(
        'name = "d1.site"\nshort = "p"\npeer = "d1.site.scada"\npeer_short = "s"\n'
        f'brokers = ["{NOBODY}", "{embedded_broker.url}"]\ndownstream = true\n'
        f'data = "{tmp_path / "p"}"\ndurability = "none"\nmax_bytes = 100000\nack_timeout = 1\n'
        'poll = 1.5\nkeepalive = 30\nmqtt = "5"\nclient_id = "parent"\nmax_line_bytes = 5000\n'
        "follow = true\n[tls]\ncheck_hostname = false\n"
    )
    environment = {f"GWPROACTOR_{name}": value for name, value in variables.items()}
    async with (
        NodeProcess("--config", str(config)) as parent,
        NodeProcess(environment=environment) as child,
    ):
        await child.send({"n": 1})
        child.end_input()
        await parent.wait(Event, lambda event: event.payload.get("n") == 1)
        assert sorted(embedded_broker.clients()) == ["child", "parent"]
        child.terminate()
        parent.terminate()
        assert (await child.exited(), await parent.exited()) == (0, 0)
    assert child.of(Stopped)[0].reason == "signal", "it follows"


async def test_poll_and_ack_timeout_are_in_seconds(embedded_broker: Broker, tmp_path: Path) -> None:
    """A peer that hangs is noticed by the child that is told to be quick, and by it alone."""
    options = ("--follow", "--poll", "0.2", "--ack-timeout", "0.3")
    async with (
        NodeProcess(*parent_options(embedded_broker.url, tmp_path / "p")) as parent,
        NodeProcess(*child_options(embedded_broker.url, tmp_path / "c", *options)) as child,
    ):
        await child.wait_active()
        parent.send_signal(signal.SIGSTOP)
        lost = await child.wait(Transition, lambda step: step.old == "active")
        assert (lost.new, lost.why) == ("awaiting_peer", "response_timeout")
        parent.send_signal(signal.SIGCONT)
        await child.wait_active()
        child.terminate()
        parent.terminate()
        assert (await child.exited(), await parent.exited()) == (0, 0)


async def exits_with_one_line(words: tuple[str, ...], environment: Mapping[str, str]) -> str:
    async with NodeProcess(*words, environment=environment) as node:
        assert await node.exited() == 2, words
    assert node.lines == [], words
    assert len(node.errors.splitlines()) == 1, node.errors
    assert node.errors.endswith("\n")
    assert node.errors.startswith("gwproactor: ")
    assert SECRET not in node.errors
    return node.errors


async def test_wrong_usage_is_told_in_one_line(tmp_path: Path) -> None:
    """From outside; tests/cli and test_settings.py go through the many ways to be wrong."""
    good = child_options(NOBODY, tmp_path / "c")
    config = tmp_path / "bad.toml"
    config.write_text(f'ack_timout = 5\n[tls]\nkey_password = "{SECRET}"\n')
    surrogate = os.fsdecode(b"\xff")
    no_broker = tuple(word for word in good if word not in ("--broker", NOBODY))
    cases = {
        (*good, "--no-such-option"): "--no-such-option",
        (*good, "--config", str(config)): "did you mean 'ack_timeout'",
        (*good, "--name", surrogate): "--name",
        (*good, "--data", str(tmp_path), SECRET): "takes only options",
        (*no_broker, "--broker", f"mqtt://user:{SECRET}@host:99999"): "1 to 65535",
        (*no_broker, "--broker", f"http://user:{SECRET}@host"): "mqtt://",
        (*no_broker, "--broker", f"mqtt://user:{SECRET}#x@host"): "no valid host or port",
        no_broker: "--broker",
    }
    said = await asyncio.gather(*(exits_with_one_line(words, {}) for words in cases))
    for text, expected in zip(said, cases.values(), strict=True):
        assert expected in text
    wrong = await exits_with_one_line(good, {"GWPROACTOR_FOLLOW": "maybe"})
    assert "GWPROACTOR_FOLLOW" in wrong


@pytest.mark.parametrize("words", [("--help",), ("node", "--help"), ("--version",)])
async def test_help_and_version_are_no_errors(words: tuple[str, ...]) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gwproactor.cli", *words, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    assert b"gwproactor" in output


async def test_files_serve_as_input_and_output(embedded_broker: Broker, tmp_path: Path) -> None:
    """`node < events > lines`: neither is a pipe."""
    (tmp_path / "in").write_bytes(b"".join(b'{"n": %d}\n' % n for n in range(2000)))
    async with NodeProcess(*parent_options(embedded_broker.url, tmp_path / "p")) as parent:
        with (tmp_path / "in").open("rb") as source, (tmp_path / "out").open("wb") as sink:
            process = await asyncio.create_subprocess_exec(
                *NODE_COMMAND,
                *child_options(embedded_broker.url, tmp_path / "c"),
                stdin=source,
                stdout=sink,
                stderr=asyncio.subprocess.PIPE,
            )
            _, errors = await process.communicate()
        assert (process.returncode, errors) == (0, b"")
        parent.terminate()
        assert await parent.exited() == 0
    lines = [read_line(text) for text in (tmp_path / "out").read_bytes().splitlines()]
    assert len([line for line in lines if isinstance(line, Stored)]) == 2000
    assert isinstance(lines[-1], Stopped)
