"""A small SCADA in one file: what a computer in a cellar does with gwproactor.

    python docs/scada.py

Three nodes share this file and, here, one process. The meter is a device in the house that answers
HTTP. The scada reads sensors by blocking calls in a thread, asks the meter every so often, switches
a fan, and tells its parent everything as events. The house, its parent, receives them and may
command the fan; while it cannot be reached, the scada decides alone. docs/scada.md tells more.
"""

import asyncio
import json
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import aiohttp
from aiohttp import web
from pydantic import BaseModel
from result import Ok

from gwproactor import (
    Actor,
    EventBase,
    EventSettings,
    LinkSettings,
    Message,
    NamesOnly,
    Proactor,
    ProactorSettings,
    ReceivedEvent,
    ServicesInterface,
    SyncAsyncInteractionThread,
    SyncThreadActor,
    Transition,
    WireCodec,
)
from gwproactor.web import RESTPollerActor, RESTPollerSettings, RESTResponse
from gwproactor_test.broker import Broker
from gwproactor_test.relay import Relay

SCADA, HOUSE, METER = "d1.house.scada", "d1.house", "d1.house.meter"

# What is said: readings within the scada, commands to it, events from it


class Reading(BaseModel):
    """What a sensor, or the meter, shows."""

    Channel: str
    Value: float
    TypeName: Literal["scada.reading"] = "scada.reading"


class SwitchFan(BaseModel):
    """The house wants the fan on, or off."""

    On: bool
    TypeName: Literal["scada.switch.fan"] = "scada.switch.fan"


class ReadingEvent(EventBase):
    """A reading, as the house gets to know it."""

    Channel: str
    Value: float
    TypeName: Literal["gridworks.event.scada.reading"] = "gridworks.event.scada.reading"


class FanEvent(EventBase):
    """The fan was switched, and by whom."""

    On: bool
    By: str
    TypeName: Literal["gridworks.event.scada.fan"] = "gridworks.event.scada.fan"


# The sensors: blocking code, in a thread of its own


class SensorThread(SyncAsyncInteractionThread):
    """Reads the sensors of this machine, again and again."""

    THERMAL_ZONES = Path("/sys/class/thermal")

    def _iterate(self) -> None:
        self._tell("load", os.getloadavg()[0])
        self._tell("celsius", self.celsius())

    def celsius(self) -> float:
        """The first temperature that the machine shows; 20 °C where it shows none."""
        for file in sorted(self.THERMAL_ZONES.glob("thermal_zone*/temp")):
            try:
                return int(file.read_text()) / 1000
            except (OSError, ValueError):
                continue
        return 20.0

    def _tell(self, channel: str, value: float) -> None:
        reading = Reading(Channel=channel, Value=value)
        self._put_to_async_queue(Message(Src="sensors", Dst="controller", Payload=reading))


# The controller: async code, which decides


class Controller(Actor):
    """Switches the fan: as the house says while it is there, and alone while it is not."""

    def __init__(self, name: str, services: ServicesInterface, *, limit: float) -> None:
        super().__init__(name, services)
        self.limit = limit
        self.house_is_there = False
        self.wanted: bool | None = None
        self.readings: dict[str, float] = {}
        self.fan_on = False

    def process_message(self, message: Message[Any]) -> Ok[bool]:
        match message.Payload:
            case Reading(Channel=channel, Value=value):
                self.readings[channel] = value
                self.services.generate_event(ReadingEvent(Channel=channel, Value=value))
            case SwitchFan(On=on):
                self.wanted = on
        self.decide()
        return Ok(True)

    def decide(self) -> None:
        """Switch the fan, where that is to be done."""
        if self.house_is_there and self.wanted is not None:
            on, by = self.wanted, "house"
        else:
            on, by = self.readings.get("celsius", self.limit) > self.limit, "scada"
        if on != self.fan_on:
            self.fan_on = on
            self.services.generate_event(FanEvent(On=on, By=by))


# The scada: a proactor with a link, three actors and a web page


class Scada(Proactor):
    def __init__(
        self, broker_url: str, meter_url: str, folder: Path | None = None, *, limit: float = 60.0
    ) -> None:
        settings = ProactorSettings(events=EventSettings(folder=folder))
        super().__init__(SCADA, settings, NamesOnly())
        self.to_house = self.add_link(
            LinkSettings(
                peer_name=HOUSE,
                peer_short_name="h",
                subscription_name="s",
                upstream=True,
                brokers=[broker_url],
            ),
            codec=WireCodec([SwitchFan]),
        )
        self.controller = Controller("controller", self.services, limit=limit)
        self.meter = RESTPollerActor(
            "meter",
            self.services,
            RESTPollerSettings.model_validate(
                {"request": {"url": f"{meter_url}/power"}, "poll_period_seconds": 0.5}
            ),
            convert=self.power,
        )
        self.sensors = SyncThreadActor(
            "sensors", self.services, SensorThread(name="sensors", iterate_sleep_seconds=0.5)
        )
        for actor in (self.controller, self.meter, self.sensors):
            self.add_communicator(actor)
        self.add_web_server_config("state")
        self.add_web_route("state", "GET", "/", self.show)

    async def power(self, response: RESTResponse) -> Message[Any]:
        """What the meter's answer says, as a message to the controller."""
        reading = Reading(Channel="watts", Value=(await response.json())["Watts"])
        return Message(Src="meter", Dst="controller", Payload=reading)

    def link_activated(self, transition: Transition) -> None:
        self.controller.house_is_there = True
        self.controller.decide()

    def link_deactivated(self, transition: Transition) -> None:
        self.controller.house_is_there = False
        self.controller.decide()

    async def show(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "House": str(self.to_house.state),
                "Fan": self.controller.fan_on,
                "Readings": self.controller.readings,
                "Pending": self.pending_event_count,
            }
        )


# Its parent, and the meter


class House(Proactor):
    """Receives the scada's events, each once, and commands its fan."""

    def __init__(self, broker_url: str, folder: Path | None = None) -> None:
        super().__init__(HOUSE, ProactorSettings(events=EventSettings(folder=folder)))
        self.to_scada = self.add_link(
            LinkSettings(
                peer_name=SCADA,
                peer_short_name="s",
                subscription_name="h",
                downstream=True,
                brokers=[broker_url],
            ),
            codec=WireCodec([SwitchFan]),
        )
        self.events: list[dict[str, Any]] = []
        self.new_event = asyncio.Event()

    async def process_event(self, event: ReceivedEvent) -> None:
        self.events.append(json.loads(event.payload))
        self.new_event.set()

    async def switch_fan(self, on: bool) -> None:
        """Command the fan; returns when the scada has the command."""
        await self.to_scada.send(SwitchFan(On=on), receiver="controller").acked()

    async def until(self, type_name: str, **fields: object) -> dict[str, Any]:
        """Wait for an event."""
        while True:
            self.new_event.clear()
            for event in self.events:
                if event["TypeName"].endswith(type_name) and fields.items() <= event.items():
                    return event
            await self.new_event.wait()


class Meter(Proactor):
    """A device with a web server and no link: it shows how busy this process is, as power."""

    def __init__(self) -> None:
        super().__init__(METER)
        self.add_web_server_config("meter")
        self.add_web_route("meter", "GET", "/power", self.power)

    async def power(self, request: web.Request) -> web.Response:
        return web.json_response({"Watts": round(time.process_time(), 3)})


# All of it in one process, with a broker in it too, and a line that can be cut


async def main() -> None:
    async with (
        Broker() as broker,
        Relay(broker.port) as line,
        Meter() as meter,
        House(broker.url) as house,
        Scada(line.url, meter.web_server_url("meter"), limit=1000.0) as scada,
    ):
        await house.to_scada.wait_for("active")
        for channel in ("load", "celsius", "watts"):
            await house.until("reading", Channel=channel)
        print("the house knows what sensors and meter show")

        await house.switch_fan(True)
        await house.until("fan", On=True, By="house")
        print("the house has switched the fan on")

        line.refuse()
        await line.cut()
        await scada.to_house.wait_for("connecting")
        shown = await page(scada)
        print("the line is cut, and the scada switches the fan off:", not shown["Fan"])

        line.accept()
        await house.until("fan", On=False, By="scada")
        print("the house knows that the scada has switched the fan off meanwhile")
        await house.until("fan", On=True, By="house")
        print("and on again, as the house wants it, now that the line is back")

        scada.stop(wait_for_acks=True)
        await scada.join()
        counts = Counter(event["MessageId"] for event in house.events)
        assert set(counts.values()) == {1}
        print(f"{len(counts)} events, each of them once")


async def page(scada: Scada) -> dict[str, Any]:
    """What the scada shows to a browser."""
    url = scada.web_server_url("state")
    async with aiohttp.ClientSession() as browser, browser.get(url) as answer:
        shown: dict[str, Any] = await answer.json()
        return shown


if __name__ == "__main__":
    asyncio.run(main())
