"""The application of docs/scada.py: all that docs/scada.md says of it, on both brokers."""

import asyncio
import importlib.util
import re
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gwproactor import EventRef, Observer, Transition
from gwproactor_test.clients import until
from gwproactor_test.relay import Relay

DOCS = Path(__file__).parent.parent / "docs"
SECONDS = 20.0


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where its models look for their annotations
    spec.loader.exec_module(module)
    return module


scada_py = load("scada")


class Notes(Observer):
    """What becomes of the scada's events, and of its link."""

    def __init__(self) -> None:
        self.stored: list[str] = []
        self.transitions: list[Transition] = []

    def event_stored(self, event: EventRef) -> None:
        self.stored.append(event.event_id)

    def link_transitioned(self, transition: Transition) -> None:
        self.transitions.append(transition)


class Site:
    """House, meter and scada, with a line between house and broker that can be cut."""

    def __init__(self, line: Relay, meter: Any, house: Any, scada: Any) -> None:
        self.line, self.meter, self.house, self.scada = line, meter, house, scada
        self.notes = Notes()
        scada.observe(self.notes)

    async def event(self, type_name: str, **fields: object) -> dict[str, Any]:
        """Wait until the house has an event."""
        async with asyncio.timeout(SECONDS):
            found: dict[str, Any] = await self.house.until(type_name, **fields)
            return found

    async def page(self) -> dict[str, Any]:
        shown: dict[str, Any] = await scada_py.page(self.scada)
        return shown

    async def cut(self) -> None:
        self.line.refuse()
        await self.line.cut()
        await self.scada.to_house.wait_for("connecting", timeout_seconds=SECONDS)

    async def mend(self) -> None:
        self.line.accept()
        await self.scada.to_house.wait_for("active", timeout_seconds=SECONDS)

    async def end(self) -> None:
        """Stop the scada when the house has acknowledged everything."""
        self.scada.stop(wait_for_acks=True)
        async with asyncio.timeout(SECONDS):
            await self.scada.join()
        await until(lambda: set(self.received()) >= set(self.notes.stored))

    def received(self) -> list[str]:
        return [event["MessageId"] for event in self.house.events]

    def fan(self) -> list[tuple[bool, str]]:
        """How the fan was switched, as the house knows it."""
        events = [event for event in self.house.events if event["TypeName"].endswith("fan")]
        return [(event["On"], event["By"]) for event in events]


@pytest.fixture
async def site(relay: Relay, tmp_path: Path) -> AsyncIterator[Site]:
    async with (
        scada_py.Meter() as meter,
        scada_py.House(f"mqtt://{relay.target_host}:{relay.target_port}", tmp_path / "h") as house,
    ):
        url = meter.web_server_url("meter")
        scada = scada_py.Scada(relay.url, url, tmp_path / "s", limit=1000.0)
        built = Site(relay, meter, house, scada)
        async with scada:
            await house.to_scada.wait_for("active", timeout_seconds=SECONDS)
            yield built


async def test_readings_of_sensors_and_meter_reach_the_house_once_each(site: Site) -> None:
    for channel in ("load", "celsius", "watts"):
        event = await site.event("reading", Channel=channel)
        assert event["Src"] == scada_py.SCADA
    await site.end()
    assert max(Counter(site.received()).values()) == 1
    assert set(site.received()) >= set(site.notes.stored)


async def test_a_command_of_the_house_changes_what_the_controller_does(site: Site) -> None:
    assert not (await site.page())["Fan"]
    await site.house.switch_fan(True)
    await site.event("fan", On=True, By="house")
    assert (await site.page())["Fan"]
    await site.house.switch_fan(False)
    await until(lambda: site.fan() == [(True, "house"), (False, "house")])
    assert not (await site.page())["Fan"]


async def test_cut_off_the_controller_acts_alone_and_afterwards_everything_arrives(
    site: Site,
) -> None:
    await site.house.switch_fan(True)
    await site.event("fan", On=True, By="house")
    await site.cut()
    shown = await site.page()  # the page answers all the while
    assert (shown["House"], shown["Fan"]) == ("connecting", False)
    received = len(site.received())
    pending = shown["Pending"]
    await until(lambda: site.scada.pending_event_count > pending + 3)  # readings go on
    site.scada.controller.limit = -1.0  # it gets too hot
    await until(lambda: site.scada.controller.fan_on)
    assert len(site.received()) == received
    await site.mend()
    await site.event("fan", On=True, By="scada")
    await site.end()
    assert site.fan() == [(True, "house"), (False, "scada"), (True, "scada")]
    counts = Counter(site.received())
    assert set(counts) >= set(site.notes.stored)
    assert max(counts.values()) == 1


async def test_a_command_that_was_given_is_followed_again_when_the_house_is_back(
    site: Site,
) -> None:
    await site.house.switch_fan(True)
    await site.event("fan", On=True, By="house")
    await site.cut()
    assert not site.scada.controller.fan_on
    await site.mend()
    assert site.scada.controller.fan_on
    await until(lambda: site.fan() == [(True, "house"), (False, "scada"), (True, "house")])


async def test_without_the_meter_the_rest_goes_on_and_the_house_is_told(site: Site) -> None:
    await site.event("reading", Channel="watts")
    await site.meter.stop_and_join()
    problem = await site.event("event.problem")
    assert problem["Summary"] == "REST poller 'meter': the request failed"
    count = len(site.house.events)
    await until(lambda: len(site.house.events) > count + 2)


# The sensors


@pytest.mark.parametrize(
    ("files", "celsius"),
    [
        ({}, 20.0),
        ({"thermal_zone0/temp": "47250\n"}, 47.25),
        ({"thermal_zone0/temp": "none", "thermal_zone1/temp": "31000"}, 31.0),
        ({"cooling_device0/temp": "99000"}, 20.0),
    ],
)
def test_a_machine_that_shows_no_temperature_has_one_all_the_same(
    files: dict[str, str], celsius: float, tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    thread = scada_py.SensorThread()
    thread.THERMAL_ZONES = tmp_path
    assert thread.celsius() == celsius


# The program and its page


def test_the_program_tells_the_story(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", DOCS / "scada.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    # On a busy machine asyncio's debug mode tells of steps that took long: no fault of theirs.
    complaints = [line for line in run.stderr.splitlines() if not line.startswith("Executing <")]
    assert (run.returncode, complaints) == (0, [])
    (printed,) = re.findall(r"prints\n\n```\n(.*?)```", page_text(), re.DOTALL)
    assert re.sub(r"^\d+ events", "N events", run.stdout, flags=re.M) == printed


def page_text() -> str:
    return (DOCS / "scada.md").read_text()


def test_what_the_page_shows_stands_in_the_program() -> None:
    program = (DOCS / "scada.py").read_text()
    shown = re.findall(r"```python\n(.*?)```", page_text(), re.DOTALL)
    assert shown
    assert [block for block in shown if block not in program] == []
