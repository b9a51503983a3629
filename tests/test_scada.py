"""The application of docs/scada.py: all that docs/scada.md says of it, on both brokers."""

import asyncio
import contextlib
import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import aiohttp
import pytest

from gwproactor import EventRef, Observer, ReceivedEvent
from gwproactor_test.brokers import AnyBroker
from gwproactor_test.relay import Relay

DOCS = Path(__file__).parent.parent / "docs"
SECONDS = 20.0
QUICK_SECONDS = 2.0
"""Ack timeout, where a peer dies without a word and a test waits for that to be noticed."""


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where pydantic looks up the names in their annotations
    spec.loader.exec_module(module)
    return module


scada_py = load("scada")


async def page(
    url: str, wanted: Callable[[dict[str, Any]], bool] = lambda _: True
) -> dict[str, Any]:
    """What a page shows when it is what is wanted; its server may still be on its way."""
    async with asyncio.timeout(SECONDS):
        while True:
            with contextlib.suppress(aiohttp.ClientConnectionError):
                shown: dict[str, Any] = await scada_py.page(url, wanted)
                return shown
            await asyncio.sleep(0.01)


async def put_fan(url: str, body: object) -> int:
    """Ask a house for the fan; the status of its answer."""
    async with (
        aiohttp.ClientSession() as browser,
        browser.put(f"{url}/fan", json=body) as answer,
    ):
        return answer.status


def fan_is(words: str) -> Callable[[dict[str, Any]], bool]:
    """A house's page on which the fan is so."""
    return lambda shown: shown["Fan"][-1:] == [words]


def scada_fan_is(words: str) -> Callable[[dict[str, Any]], bool]:
    """A scada's page on which it is so."""
    return lambda shown: bool(shown["Fan"] == words)


class Witness(scada_py.House):  # type: ignore[misc, name-defined]
    """A house that forgets nothing: for as long as a test takes."""

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.received: list[dict[str, Any]] = []

    async def process_event(self, event: ReceivedEvent) -> None:
        self.received.append(json.loads(event.payload))
        await super().process_event(event)

    @property
    def url(self) -> str:
        return str(self.web_server_url("page"))

    def ids(self) -> list[str]:
        return [event["MessageId"] for event in self.received]


class Stored(Observer):
    """The ids of the scada's events that are durable."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def event_stored(self, event: EventRef) -> None:
        self.ids.append(event.event_id)


def homes(folder: Path) -> dict[str, str]:
    """Variables that keep the files of programs in a folder."""
    return {"XDG_DATA_HOME": str(folder), "XDG_STATE_HOME": str(folder / "state")}


class Site:
    """Where the nodes are: a line to a broker that can be cut, a cellar, and a fan.

    Args:
        relay: The scada's way to the broker.
        folder: For all files.
    """

    def __init__(self, relay: Relay, folder: Path) -> None:
        self.line, self.folder = relay, folder
        self.broker_url = f"mqtt://{relay.target_host}:{relay.target_port}"
        self.cellar = folder / "thermal_zone0" / "temp"
        self.cellar.parent.mkdir()
        self.fan = folder / "fan"
        self.stored = Stored()
        self.cool()

    def cool(self) -> None:
        self.cellar.write_text("20000")

    def heat(self) -> None:
        self.cellar.write_text("90000")

    def meter(self) -> Any:
        paths = {"data_home": self.folder}
        return scada_py.Meter(scada_py.MeterSettings(paths=paths, web_port=0))

    def house(self, **link: object) -> Witness:
        paths = {"data_home": self.folder}
        link = {"brokers": [self.broker_url]} | link
        return Witness(scada_py.HouseSettings(paths=paths, web_port=0, scada=link))

    def scada(self, meter_url: str = "http://127.0.0.1:1", **more: Any) -> Any:
        given = {
            "paths": {"data_home": self.folder},
            "web_port": 0,
            "meter_url": meter_url,
            "thermal_folder": self.folder,
            "fan_file": self.fan,
            "house": {"brokers": [self.line.url]},
        }
        scada = scada_py.Scada(scada_py.ScadaSettings(**(given | more)))
        scada.observe(self.stored)
        return scada

    def variables(self, *, web_port: int, **more: str) -> dict[str, str]:
        """The same for nodes that are programs."""
        brokers = {
            "SCADA_HOUSE__BROKERS": json.dumps([self.line.url]),
            "HOUSE_SCADA__BROKERS": json.dumps([self.broker_url]),
            "SCADA_HOUSE__ACK_TIMEOUT_SECONDS": f"{QUICK_SECONDS}",
            "SCADA_THERMAL_FOLDER": str(self.folder),
            "SCADA_FAN_FILE": str(self.fan),
        }
        ports = {f"{node}_WEB_PORT": str(web_port) for node in ("SCADA", "HOUSE", "METER")}
        return brokers | ports | homes(self.folder) | more

    async def cut(self) -> None:
        self.line.refuse()
        await self.line.cut()


@pytest.fixture
def site(relay: Relay, tmp_path: Path) -> Site:
    return Site(relay, tmp_path)


@pytest.fixture
async def running(site: Site) -> AsyncIterator["Running"]:
    """All three in this process, and the link is active."""
    async with (
        site.meter() as meter,
        site.house() as house,
        site.scada(meter.web_server_url("page")) as scada,
    ):
        built = Running(site, meter, house, scada)
        await page(house.url, fan_is("off, by scada"))
        yield built


class Running:
    """The nodes of a site."""

    def __init__(self, site: Site, meter: Any, house: Witness, scada: Any) -> None:
        self.site, self.meter, self.house, self.scada = site, meter, house, scada
        self.scada_url = scada.web_server_url("page")

    async def end(self) -> None:
        """Stop the scada when everything has arrived, and look that it did, each event once."""
        self.scada.stop(wait_for_acks=True)
        async with asyncio.timeout(SECONDS):
            await self.scada.join()
        stored = set(self.site.stored.ids)
        await page(self.house.url, lambda _: stored <= set(self.house.ids()))
        assert max(Counter(self.house.ids()).values()) == 1
        assert self.scada.pending_event_count == 0


async def test_readings_of_sensors_and_meter_reach_the_house_once_each(running: Running) -> None:
    sensors = {"celsius", "load", "watts"}
    shown = await page(running.house.url, lambda shown: shown["Readings"].keys() == sensors)
    assert shown["Readings"]["celsius"]["Value"] == 20.0
    assert {event["Src"] for event in running.house.received} == {scada_py.SCADA}
    await running.end()


async def test_a_command_reaches_the_driver_and_what_that_did_reaches_the_house(
    running: Running,
) -> None:
    for on, words in ((True, "on, by house"), (False, "off, by house")):
        assert await put_fan(running.house.url, {"On": on}) == 200
        await page(running.house.url, fan_is(words))
        assert (await page(running.scada_url))["Fan"] == words
        assert running.site.fan.read_text() == str(int(on))


async def test_a_house_that_asks_is_told_of_the_fan_again(running: Running) -> None:
    def told() -> int:
        return sum("On" in event for event in running.house.received)

    before = told()
    running.house.to_scada.send(scada_py.TellFan(), receiver="controller")
    await page(running.house.url, lambda _: told() > before)
    assert list(running.house.fan) == ["off, by scada"]


async def test_what_is_no_command_is_refused(running: Running) -> None:
    bodies: list[object] = [{"On": "perhaps"}, {}, [], "on", {"On": True, "By": "me"}]
    for body in bodies:
        assert await put_fan(running.house.url, body) == 400
    assert running.house.wish is None


async def test_cut_off_the_scada_decides_alone_and_afterwards_everything_arrives(
    running: Running,
) -> None:
    await put_fan(running.house.url, {"On": True})
    await page(running.house.url, fan_is("on, by house"))
    await running.site.cut()
    shown = await page(running.scada_url, scada_fan_is("off, by scada"))
    assert shown["House"] == "connecting"  # the page answers all the while
    running.site.heat()
    shown = await page(running.scada_url, scada_fan_is("on, by scada"))
    assert running.site.fan.read_text() == "1"
    running.site.cool()
    pending = shown["Pending"]
    await page(running.scada_url, lambda shown: shown["Pending"] > pending + 3)  # readings go on
    assert list(running.house.fan)[-1] == "on, by house"
    running.site.line.accept()
    alone = ["on, by house", "off, by scada", "on, by scada", "off, by scada", "on, by house"]
    await page(running.house.url, lambda shown: shown["Fan"][-5:] == alone)
    assert running.site.fan.read_text() == "1"
    await running.end()


async def test_a_command_to_a_scada_that_is_away_is_followed_when_it_is_back(site: Site) -> None:
    async with site.house(ack_timeout_seconds=QUICK_SECONDS) as house, site.scada():
        await page(house.url, fan_is("off, by scada"))
        await site.cut()
        assert await put_fan(house.url, {"On": True}) == 202
        site.line.accept()
        await page(house.url, fan_is("on, by house"))


async def test_without_the_meter_the_rest_goes_on_and_the_house_is_told(running: Running) -> None:
    await page(running.house.url, lambda shown: "watts" in shown["Readings"])
    await running.meter.stop_and_join()
    shown = await page(
        running.scada_url, lambda shown: shown["Readings"]["watts"]["SecondsAgo"] > 1
    )
    assert shown["Readings"]["load"]["SecondsAgo"] < shown["Readings"]["watts"]["SecondsAgo"]
    problems = [event for event in running.house.received if "Summary" in event]
    assert [problem["Summary"] for problem in problems] == [
        "REST poller 'meter': the request failed"
    ]


async def test_an_old_temperature_does_not_count(running: Running) -> None:
    await page(running.scada_url, lambda shown: "celsius" in shown["Readings"])
    running.site.cellar.unlink()  # from here on the fan is on, to be safe
    running.scada.controller.FRESH_SECONDS = 1.0
    await page(running.scada_url, lambda shown: shown["Readings"]["celsius"]["SecondsAgo"] > 1)
    await running.site.cut()
    await page(running.scada_url, scada_fan_is("on, by scada"))
    running.site.cool()
    await page(running.scada_url, scada_fan_is("off, by scada"))


async def test_what_the_full_store_refuses_is_counted_and_the_fan_is_told_all_the_same(
    site: Site,
) -> None:
    events = {"max_bytes": 3000}
    async with site.scada(events=events) as scada:
        url = scada.web_server_url("page")
        await page(url, lambda shown: shown["Refused"] > 3)
        site.heat()
        await page(url, scada_fan_is("on, by scada"))
        async with site.house() as house:
            await page(house.url, fan_is("on, by scada"))


# Nodes as programs, and what may befall them


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class Program:
    """`python docs/scada.py NODE`, from `async with` to its end.

    Args:
        site: Where it is.
        node: `scada`, `house` or `meter`.
        variables: More than the site's, for its settings.
    """

    def __init__(self, site: Site, node: str, **variables: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._node = node
        self._log = site.folder / f"{node}.stderr"
        self._environment = os.environ | site.variables(web_port=port, **variables)
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, DOCS / "scada.py", self._node),
                env=self._environment,
                stderr=log,
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end(signal.SIGKILL)

    async def end(self, number: int) -> int:
        """Send it a signal, unless it has ended; its exit status."""
        process = self._process
        assert process is not None
        if process.returncode is None:
            process.send_signal(number)
        async with asyncio.timeout(SECONDS):
            return await process.wait()

    def log(self) -> str:
        return self._log.read_text()


async def test_a_scada_that_was_killed_does_again_what_the_house_wants(site: Site) -> None:
    async with site.house() as house:
        async with Program(site, "scada") as scada:
            await page(house.url, fan_is("off, by scada"))
            assert await put_fan(house.url, {"On": True}) == 200
            await page(house.url, fan_is("on, by house"))
            assert await scada.end(signal.SIGKILL) == -signal.SIGKILL
        site.fan.write_text("0")  # the fan, too, has fallen back to what it is without a scada
        async with Program(site, "scada") as scada:
            await page(scada.url, scada_fan_is("on, by house"))
            await page(
                house.url, lambda shown: shown["Fan"][-2:] == ["off, by scada", "on, by house"]
            )
            assert site.fan.read_text() == "1"
            assert await scada.end(signal.SIGTERM) == 0
        assert max(Counter(house.ids()).values()) == 1


@pytest.mark.parametrize("missed", [True, False])
async def test_a_house_that_was_killed_learns_how_things_stand(site: Site, missed: bool) -> None:
    """Also where it is back before the scada has missed it."""
    link = {"brokers": [site.line.url], "ack_timeout_seconds": QUICK_SECONDS if missed else 5}
    async with site.scada(house=link) as scada:
        scada_url = scada.web_server_url("page")
        async with Program(site, "house") as house:
            await page(house.url, fan_is("off, by scada"))
            assert await put_fan(house.url, {"On": True}) == 200
            await page(scada_url, scada_fan_is("on, by house"))
            await house.end(signal.SIGKILL)
        if missed:
            await page(scada_url, scada_fan_is("off, by scada"))
        async with Program(site, "house") as house:
            await page(house.url, fan_is("on, by house"))
            await page(scada_url, scada_fan_is("on, by house"))
            assert await put_fan(house.url, {"On": False}) == 200
            await page(house.url, fan_is("off, by house"))


async def test_a_broker_that_is_killed_loses_nothing(running: Running, broker: AnyBroker) -> None:
    await put_fan(running.house.url, {"On": True})
    await page(running.house.url, fan_is("on, by house"))
    await broker.kill()
    await page(running.scada_url, scada_fan_is("off, by scada"))
    await broker.start()
    back = ["on, by house", "off, by scada", "on, by house"]
    await page(running.house.url, lambda shown: shown["Fan"][-3:] == back)
    await running.end()


async def test_all_three_as_programs(site: Site) -> None:
    async with (
        Program(site, "meter") as meter,
        Program(site, "house") as house,
        Program(site, "scada", SCADA_METER_URL=meter.url) as scada,
    ):
        await page(house.url, lambda shown: "watts" in shown["Readings"])
        await page(house.url, fan_is("off, by scada"))
        assert await put_fan(house.url, {"On": True}) == 200
        await page(house.url, fan_is("on, by house"))
        for program in (scada, house, meter):
            assert await program.end(signal.SIGTERM) == 0
            assert f"listens on {program.url}" in program.log()
            assert "has stopped" in program.log()
            assert "Traceback" not in program.log()
    for node in ("scada", "house"):
        assert (site.folder / "gridworks" / node / "lock").exists()
        assert (site.folder / "state" / "gridworks" / node / "log" / "proactor.log").exists()


# The parts


@pytest.mark.parametrize(
    ("files", "celsius"),
    [
        ({}, None),
        ({"thermal_zone0/temp": "47250\n"}, 47.25),
        ({"thermal_zone0/temp": "none", "thermal_zone1/temp": "31000"}, 31.0),
        ({"cooling_device0/temp": "99000"}, None),
    ],
)
def test_the_temperature_is_the_first_that_can_be_read(
    files: dict[str, str], celsius: float | None, tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert scada_py.Driver(tmp_path, None).celsius() == celsius


async def test_a_house_does_not_grow() -> None:
    house = scada_py.House(scada_py.HouseSettings())
    for number in range(100):
        for event in (
            scada_py.Reading(Channel="load", Value=number),
            scada_py.FanSwitched(On=bool(number % 2), By="house"),
        ):
            payload = event.model_dump_json().encode()
            await house.process_event(ReceivedEvent("d1.house.scada", event.MessageId, payload))
    assert (len(house.readings), len(house.fan), house.event_count) == (1, 10, 200)


# The program and its page


def run_program(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", DOCS / "scada.py", *arguments],
        cwd=cwd,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def test_the_program_tells_the_story(tmp_path: Path) -> None:
    run = run_program(cwd=tmp_path)
    # On a busy machine asyncio's debug mode tells of steps that took long: no fault of theirs.
    complaints = [line for line in run.stderr.splitlines() if not line.startswith("Executing <")]
    assert (run.returncode, complaints) == (0, [])
    (printed,) = re.findall(r"prints\n\n```\n(.*?)```", page_text(), re.DOTALL)
    assert run.stdout == printed


def test_a_wrong_setting_ends_the_program_with_one_line_about_it(tmp_path: Path) -> None:
    run = run_program("scada", cwd=tmp_path, SCADA_LIMIT_CELSIUS="warm")
    assert run.returncode == 1
    assert run.stderr.startswith("scada.py: SCADA_LIMIT_CELSIUS: it should be a valid number")
    assert run.stderr.count("\n") == 1


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        run = run_program("meter", cwd=tmp_path, METER_WEB_PORT=port, **homes(tmp_path))
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].startswith("scada.py: ")
    assert port in run.stderr.splitlines()[-1]
    assert "asyncio.run" not in run.stderr


def test_settings_may_stand_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scada.toml").write_text('[house]\nbrokers = ["mqtt://broker.example"]\n')
    monkeypatch.setenv("SCADA_CONFIG", str(tmp_path / "scada.toml"))
    house = scada_py.ScadaSettings().house
    assert [str(broker) for broker in house.brokers] == ["mqtt://broker.example:1883"]
    assert (house.peer_name, house.upstream) == (scada_py.HOUSE, True)


def test_the_logins_of_the_page_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    in_file, in_url = re.findall(r"SCADA_HOUSE__BROKERS='(.*?)'", page_text())
    for value in (in_file, in_url):
        monkeypatch.setenv("SCADA_HOUSE__BROKERS", value)
        (broker,) = scada_py.ScadaSettings().house.brokers
        assert (str(broker), broker.username) == ("mqtts://broker.example:8883", "scada")
        assert (broker.password_file == Path("/etc/scada/password")) == (value == in_file)


def page_text() -> str:
    return (DOCS / "scada.md").read_text()


def test_what_the_page_shows_stands_in_the_program() -> None:
    program = (DOCS / "scada.py").read_text()
    shown = re.findall(r"```python\n(.*?)```", page_text(), re.DOTALL)
    assert shown
    assert [block for block in shown if block not in program] == []
