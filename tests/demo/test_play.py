"""The whole demo, shortened, in this process: with its own broker, and with the user's."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gwproactor.demo.lines import Lines
from gwproactor.demo.main import demo
from gwproactor.demo.picture import draw
from gwproactor.demo.scenario import Action, NodeName, Step
from gwproactor.demo.tally import Result
from gwproactor.demo.view import View
from gwproactor.errors import ConnectFailedError, ConnectRefusedError, LinkError, SettingsError
from gwproactor.events.incoming import ReceivedEvent
from gwproactor.links.core.link_state import StateName, Transition
from gwproactor.node.output import LineOutput
from gwproactor_test.broker import Broker
from gwproactor_test.brokers import AnyBroker, MakeBroker
from gwproactor_test.certificates import Certificates

SHORT = (
    Step(Action.cut, 0.2, (NodeName.child,)),
    Step(Action.cut, 0.2, (NodeName.parent,), reset=True),
    Step(Action.away, 0.5),
    Step(Action.back, 0.2),
    Step(Action.away, 0.2, reset=True),
    Step(Action.back, 0.2),
)
COMEBACKS = 6
"""One after each cut, two after each outage; more where an ack was overdue."""

Line = dict[str, Any]


class Stage:
    """Runs the demo and keeps its lines."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._path = path / "lines"
        self._temporary = path / "temporary"
        self._temporary.mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(self._temporary))

    async def play(self, broker_url: str | None, steps: tuple[Step, ...] = SHORT) -> Result:
        with contextlib.closing(self._path.open("wb")) as file:
            output = LineOutput(file.fileno())
            try:
                return await demo(Lines(output), broker_url, steps)
            finally:
                output.close()

    def lines(self) -> list[Line]:
        return [json.loads(line) for line in self._path.read_text().splitlines()]

    def left_behind(self) -> list[str]:
        return [path.name for path in self._temporary.iterdir()]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(tmp_path, monkeypatch)


@contextlib.asynccontextmanager
async def still_serves(broker: AnyBroker) -> AsyncIterator[None]:
    """Assert that a connection to the broker is the same one after the block."""
    reader, writer = await asyncio.open_connection(broker.host, broker.port)
    try:
        yield
        assert not reader.at_eof()
        _, second = await asyncio.open_connection(broker.host, broker.port)
        second.close()
        await second.wait_closed()
    finally:
        writer.close()
        await writer.wait_closed()


def of_kind(lines: list[Line], kind: str) -> list[Line]:
    return [line for line in lines if line["kind"] == kind]


def check(result: Result, lines: list[Line]) -> None:
    """Count everything again, from the lines alone."""
    stored = [line["id"] for line in of_kind(lines, "stored")]
    acked = [line["id"] for line in of_kind(lines, "acked")]
    events = [line for line in of_kind(lines, "event") if "Value" in line["payload"]]
    delivered = [line["id"] for line in events]
    assert stored
    assert sorted(stored) == sorted(delivered) == sorted(acked)
    assert [line["line"] for line in of_kind(lines, "stored")] == [*range(1, len(stored) + 1)]
    assert (result.stored, result.delivered) == (len(stored), len(delivered))
    assert result.good

    milliseconds = [line["ms"] for line in of_kind(lines, "reactivated")]
    assert milliseconds == result.reactivations_ms
    assert len(milliseconds) >= COMEBACKS
    assert min(milliseconds) > 0
    last = lines[-1] | {"t": 0}
    assert list(last.items()) == [
        ("kind", "result"),
        ("t", 0),
        ("stored", len(stored)),
        ("delivered", len(delivered)),
        ("lost", 0),
        ("twice", 0),
        ("reactivations_ms", milliseconds),
    ]
    for line in lines:
        assert line["kind"] in ("step", "result") or line["node"] in ("child", "parent")
    assert {line["node"] for line in of_kind(lines, "ready")} == {"child", "parent"}
    assert [line["pending"] for line in of_kind(lines, "stopped")] == [0, 0]
    assert [line["action"] for line in of_kind(lines, "step")] == [s.action for s in SHORT]


async def test_with_its_own_broker(stage: Stage) -> None:
    result = await stage.play(None)
    check(result, stage.lines())
    assert stage.left_behind() == []


async def test_with_the_users_broker_which_is_left_alone(stage: Stage, broker: AnyBroker) -> None:
    async with still_serves(broker):
        result = await stage.play(broker.url)
    check(result, stage.lines())
    words = [line["words"] for line in of_kind(stage.lines(), "step")]
    assert "The way to the broker is closed for 0.5 s; the readings go on." in words


async def test_two_demos_on_one_broker_do_not_meet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, embedded_broker: Broker
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    stages = [Stage(tmp_path / name, monkeypatch) for name in "ab"]
    results = await asyncio.gather(*(stage.play(embedded_broker.url) for stage in stages))
    for stage, result in zip(stages, results, strict=True):
        check(result, stage.lines())


async def test_tls_and_login(
    stage: Stage,
    make_broker: MakeBroker,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca_file))
    broker = await make_broker(tls=certificates.server, users={"ann": "secret"})
    result = await stage.play(f"mqtts://ann:secret@localhost:{broker.port}")
    check(result, stage.lines())
    with pytest.raises(ConnectRefusedError) as refused:
        await stage.play(f"mqtts://ann:wrong@localhost:{broker.port}")
    assert "wrong" not in str(refused.value)


async def test_a_certificate_for_another_host_is_refused(
    stage: Stage,
    make_broker: MakeBroker,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca_file))
    broker = await make_broker(tls=certificates.wrong_host)
    with pytest.raises(ConnectRefusedError, match="certificate"):
        await stage.play(broker.url)


async def test_a_port_where_nothing_listens(stage: Stage, unused_tcp_port: int) -> None:
    with pytest.raises(ConnectFailedError, match="nothing listens"):
        await stage.play(f"mqtt://127.0.0.1:{unused_tcp_port}")
    with pytest.raises(SettingsError):
        await stage.play("http://127.0.0.1")
    assert stage.left_behind() == []


async def test_a_broker_that_refuses_subscriptions(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gwproactor.demo.play._START_SECONDS", 0.5)
    async with Broker(refuse_subscription=lambda _client, _filter: True) as broker:
        with pytest.raises(LinkError, match=r"not active within 0\.5 s.*refused"):
            await stage.play(broker.url)
    assert stage.left_behind() == []


async def test_a_way_that_stays_closed_loses_and_says_so(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, embedded_broker: Broker
) -> None:
    monkeypatch.setattr("gwproactor.demo.play._SETTLE_SECONDS", 0.1)
    result = await stage.play(embedded_broker.url, (Step(Action.away, 0.5),))
    assert result.lost > 0
    assert result.stored == result.delivered + result.lost
    assert not result.good
    assert stage.lines()[-1]["lost"] == result.lost


async def test_cancelling_ends_it_in_good_order(stage: Stage) -> None:
    class Spectator(View):
        def __init__(self) -> None:
            self.saw_events = asyncio.Event()
            self.saw_stopped: list[NodeName] = []

        def received(self, event: ReceivedEvent, fields: dict[str, object]) -> None:
            self.saw_events.set()

        def transitioned(self, node: NodeName, transition: Transition) -> None:
            if transition.new_state is StateName.stopped:
                self.saw_stopped.append(node)

    spectator = Spectator()
    playing = asyncio.create_task(demo(spectator, None, (Step(Action.watch, 60.0),)))
    async with asyncio.timeout(10):
        await spectator.saw_events.wait()
        playing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await playing
    assert spectator.saw_stopped == [NodeName.child, NodeName.parent]
    assert stage.left_behind() == []


def test_the_picture_is_made_by_running_it(tmp_path: Path) -> None:
    draw(tmp_path / "demo.svg", SHORT)
    text = (tmp_path / "demo.svg").read_text(encoding="utf-8").replace("&#160;", " ")
    assert "○ connecting" in text
    assert "Nothing was lost, and nothing came twice." in text
    assert "@font-face" not in text
