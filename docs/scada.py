"""A small SCADA in one file: what a computer in a cellar does with gwproactor.

    python docs/scada.py                        all of it in one process, and a story
    python docs/scada.py scada|house|meter      one of the three nodes, in earnest

The scada reads this machine's sensors and switches its fan, by blocking calls in a thread; it asks
a meter by HTTP, and tells its parent, the house, everything as events. The house commands the fan;
while it cannot be reached, the scada decides alone. docs/scada.md tells more.
"""

import argparse
import asyncio
import contextlib
import json
import math
import os
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal

import aiohttp
from aiohttp import web
from pydantic import BaseModel, model_validator
from pydantic_settings import SettingsConfigDict
from result import Err

from gwproactor import (
    Actor,
    EventBase,
    LinkSettings,
    Message,
    Proactor,
    ProactorSettings,
    ReceivedEvent,
    ServicesInterface,
    SyncAsyncInteractionThread,
    SyncThreadActor,
    Transition,
    WireCodec,
    add_logging_arguments,
    setup_logging,
)
from gwproactor.errors import GwproactorError, LinkError, TransportError
from gwproactor.web import RESTPollerActor, RESTPollerSettings, RESTResponse
from gwproactor_test.broker import Broker
from gwproactor_test.relay import Relay

SCADA, HOUSE, METER = "d1.house.scada", "d1.house", "d1.house.meter"

# What is said. Whatever is an event here goes on to the house as it is.


class Reading(EventBase):
    """What a sensor, or the meter, shows."""

    Channel: str
    Value: float
    TypeName: Literal["gridworks.event.scada.reading"] = "gridworks.event.scada.reading"


class SwitchFan(BaseModel):
    """The fan is to be on, or off; and who says so."""

    On: bool
    By: Literal["house", "scada"]
    TypeName: Literal["scada.switch.fan"] = "scada.switch.fan"


class FanSwitched(EventBase):
    """The fan is on, or off, and who wanted it so."""

    On: bool
    By: str
    TypeName: Literal["gridworks.event.scada.fan"] = "gridworks.event.scada.fan"

    def __str__(self) -> str:
        return f"{'on' if self.On else 'off'}, by {self.By}"


class TellFan(BaseModel):
    """The house wants to know how the fan is: it may be a new one."""

    TypeName: Literal["scada.tell.fan"] = "scada.tell.fan"


class HouseIs(BaseModel):
    """The house has come, or gone."""

    There: bool
    TypeName: Literal["scada.house.is"] = "scada.house.is"


# What the nodes are told: by variables as SCADA_WEB_PORT, or by files


class NodeSettings(ProactorSettings):
    """Gives each node a folder of its own, where its events and its log are."""

    name: ClassVar[str]
    web_port: int = 0

    @model_validator(mode="before")
    @classmethod
    def name_the_paths(cls, values: dict[str, Any]) -> dict[str, Any]:
        return cls.update_paths_name(values, cls.name)


class ScadaSettings(NodeSettings):
    model_config = SettingsConfigDict(env_prefix="SCADA_")
    name = "scada"

    house: LinkSettings = LinkSettings(
        peer_name=HOUSE, peer_short_name="h", subscription_name="s", upstream=True
    )
    web_port: int = 8001
    meter_url: str = "http://127.0.0.1:8003"
    limit_celsius: float = 60.0
    thermal_folder: Path = Path("/sys/class/thermal")
    fan_file: Path | None = None


class HouseSettings(NodeSettings):
    model_config = SettingsConfigDict(env_prefix="HOUSE_")
    name = "house"

    scada: LinkSettings = LinkSettings(
        peer_name=SCADA, peer_short_name="s", subscription_name="h", downstream=True
    )
    web_port: int = 8002


class MeterSettings(NodeSettings):
    model_config = SettingsConfigDict(env_prefix="METER_")
    name = "meter"

    web_port: int = 8003


# The driver: blocking code, in a thread of its own, and the actor that stands for it


class Driver(SyncAsyncInteractionThread):
    """Reads the sensors of this machine, again and again, and switches its fan: all are files."""

    def __init__(self, thermal_folder: Path, fan_file: Path | None) -> None:
        super().__init__(iterate_sleep_seconds=0.5)
        self.thermal_folder = thermal_folder
        self.fan_file = fan_file

    def _iterate(self) -> None:
        celsius = self.celsius()
        if celsius is not None:
            self.tell(Reading(Channel="celsius", Value=celsius))
        self.tell(Reading(Channel="load", Value=os.getloadavg()[0]))

    def _handle_message(self, message: SwitchFan) -> None:
        if self.fan_file is not None:
            self.fan_file.write_text("1" if message.On else "0")
        self.tell(FanSwitched(On=message.On, By=message.By))

    def celsius(self) -> float | None:
        """The first temperature that can be read."""
        for file in sorted(self.thermal_folder.glob("thermal_zone*/temp")):
            with contextlib.suppress(OSError, ValueError):
                return int(file.read_text()) / 1000
        return None

    def tell(self, event: EventBase) -> None:
        self._put_to_async_queue(Message(Src=self.name, Dst="controller", Payload=event))


class Machine(SyncThreadActor[Driver]):
    """Hands on to the driver what it is told."""

    def process_message(self, message: Message[Any]) -> None:
        self.send_driver_message(message.Payload)


# The controller: async code, which decides


class Controller(Actor):
    """Has the fan switched: as the house says while it is there, and alone while it is not."""

    FRESH_SECONDS = 5.0
    """An older reading, ten of them missed, does not count any more."""

    def __init__(self, name: str, services: ServicesInterface, *, limit_celsius: float) -> None:
        super().__init__(name, services)
        self.limit_celsius = limit_celsius
        self.made_at = time.monotonic()
        self.house_is_there = False
        self.wish: SwitchFan | None = None
        self.order: SwitchFan | None = None
        self.fan: FanSwitched | None = None
        self.readings: dict[str, tuple[float, float]] = {}
        self.refused_count = 0

    async def process_message(self, message: Message[Any]) -> None:
        match message.Payload:
            case Reading() as reading:
                self.readings[reading.Channel] = reading.Value, time.monotonic()
                self.tell_house(reading)
            case FanSwitched() as switched:
                self.fan = switched
                if not self.tell_house(switched):
                    self.order = None  # once more, until the house will hear of it
            case SwitchFan() as wish:
                self.wish = wish
            case HouseIs(There=there):
                self.house_is_there = there
            case TellFan():
                self.order = None
        await self.decide()

    async def decide(self) -> None:
        """Order the fan to be as it should be, unless that is what the last order said."""
        order = self.wish if self.wish and self.house_is_there else self.own_order()
        if order == self.order:
            return
        message: Message[SwitchFan] = Message(Src=self.name, Dst="machine", Payload=order)
        match await self.services.await_processing(message):
            case Err(error):
                raise error  # which becomes a problem event; the next message tries again
        self.order = order

    def own_order(self) -> SwitchFan:
        """On where it is too hot; and where nobody knows any more, to be safe."""
        celsius, read_at = self.readings.get("celsius", (-math.inf, self.made_at))
        is_old = time.monotonic() - read_at > self.FRESH_SECONDS
        return SwitchFan(On=is_old or celsius > self.limit_celsius, By="scada")

    def tell_house(self, event: EventBase) -> bool:
        """Whether the house will hear of it: now, or when it is there again."""
        result = self.services.generate_event(event)
        if isinstance(result, Err):  # the store is full, as its settings allow
            self.refused_count += 1
            self.services.logger.warning("kept from the house: %s", result.err())
        return result.is_ok()

    def shown(self) -> dict[str, Any]:
        """What it knows, for people to read."""
        now = time.monotonic()
        return {
            "Fan": str(self.fan),
            "Readings": {
                channel: {"Value": value, "SecondsAgo": round(now - read_at, 1)}
                for channel, (value, read_at) in self.readings.items()
            },
            "Refused": self.refused_count,
        }


# The scada: a proactor with a link, three actors and a web page


class Scada(Proactor):
    def __init__(self, settings: ScadaSettings) -> None:
        super().__init__(SCADA, settings)
        self.to_house = self.add_link(settings.house, codec=WireCodec([SwitchFan, TellFan]))
        driver = Driver(settings.thermal_folder, settings.fan_file)
        polls = RESTPollerSettings(
            request={"url": f"{settings.meter_url}/power"}, poll_period_seconds=0.5
        )
        self.controller = Controller(
            "controller", self.services, limit_celsius=settings.limit_celsius
        )
        self.add_communicator(self.controller)
        self.add_communicator(Machine("machine", self.services, driver))
        self.add_communicator(RESTPollerActor("meter", self.services, polls, convert=self.power))
        self.add_web_server_config("page", port=settings.web_port)
        self.add_web_route("page", "GET", "/", self.show)

    async def power(self, response: RESTResponse) -> Message[Any]:
        """What the meter's answer says, as a message to the controller."""
        reading = Reading(Channel="watts", Value=(await response.json())["Watts"])
        return Message(Src="meter", Dst="controller", Payload=reading)

    def link_activated(self, transition: Transition) -> None:
        self.send(Message(Src=self.name, Dst="controller", Payload=HouseIs(There=True)))

    def link_deactivated(self, transition: Transition) -> None:
        self.send(Message(Src=self.name, Dst="controller", Payload=HouseIs(There=False)))

    async def show(self, request: web.Request) -> web.Response:
        known = {"House": str(self.to_house.state), "Pending": self.pending_event_count}
        return web.json_response(known | self.controller.shown())


# Its parent


class House(Proactor):
    """Receives the scada's events, each once, and commands its fan."""

    def __init__(self, settings: HouseSettings) -> None:
        super().__init__(HOUSE, settings)
        self.to_scada = self.add_link(settings.scada)
        self.wish: SwitchFan | None = None
        self.fan: deque[str] = deque(maxlen=10)
        self.readings: dict[str, dict[str, Any]] = {}
        self.event_count = 0
        self.add_web_server_config("page", port=settings.web_port)
        self.add_web_route("page", "GET", "/", self.show)
        self.add_web_route("page", "PUT", "/fan", self.put_fan)

    async def process_event(self, event: ReceivedEvent) -> None:
        self.event_count += 1
        match json.loads(event.payload):
            case {"Channel": channel, "Value": value, "TimeCreatedMs": ms}:
                self.readings[channel] = {"Value": value, "TimeMs": ms}
            case {"On": on, "By": by}:
                self.learn_of_fan(FanSwitched(On=on, By=by))
            case {"Summary": summary}:
                self.logger.warning("the scada has a problem: %s", summary)

    def learn_of_fan(self, fan: FanSwitched) -> None:
        if not self.fan or self.fan[-1] != str(fan):  # it may be told the same again
            self.fan.append(str(fan))
        if self.wish and (fan.On, fan.By) != (self.wish.On, self.wish.By):
            self.repeat_wish()

    def link_activated(self, transition: Transition) -> None:
        self.to_scada.send(TellFan(), receiver="controller")
        self.repeat_wish()

    def repeat_wish(self) -> None:
        """Command the fan again: the scada may be a new one, which knows nothing of it."""
        if self.wish is not None and self.to_scada.active:
            self.to_scada.send(self.wish, receiver="controller")

    async def put_fan(self, request: web.Request) -> web.Response:
        """Command the fan: 200 when the scada has the command, 202 when it will get it later."""
        try:
            self.wish = SwitchFan(**await request.json(), By="house")
        except (ValueError, TypeError):
            raise web.HTTPBadRequest(text='what is to become of it? {"On": true}') from None
        try:
            await self.to_scada.send(self.wish, receiver="controller").acked()
        except (LinkError, TransportError):
            return web.Response(status=202, text="the scada is away; it is told when it is back\n")
        return web.Response(text="the scada knows\n")

    async def show(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "Scada": str(self.to_scada.state),
                "Fan": list(self.fan),
                "Readings": self.readings,
                "Events": self.event_count,
            }
        )


# And the meter: a device with a web server and no link


class Meter(Proactor):
    """Has a guess at what this machine consumes, from how busy it is."""

    def __init__(self, settings: MeterSettings) -> None:
        super().__init__(METER, settings)
        self.add_web_server_config("page", port=settings.web_port)
        self.add_web_route("page", "GET", "/power", self.power)

    async def power(self, request: web.Request) -> web.Response:
        return web.json_response({"Watts": round(5 + 10 * os.getloadavg()[0], 1)})


# One of them in earnest

NODES: dict[str, tuple[Callable[[Any], Proactor], type[NodeSettings]]] = {
    "scada": (Scada, ScadaSettings),
    "house": (House, HouseSettings),
    "meter": (Meter, MeterSettings),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="A small SCADA; see docs/scada.md.")
    parser.add_argument("node", nargs="?", choices=NODES, help="what to run; a story without it")
    add_logging_arguments(parser)
    arguments = parser.parse_args()
    if arguments.node is None:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(tell_story(Path(folder)))
        return
    make_node, make_settings = NODES[arguments.node]
    try:
        settings = make_settings()
        setup_logging(arguments, settings)
        asyncio.run(serve(make_node, settings))
    except GwproactorError as error:  # a wrong setting, a port or a folder that another one uses
        sys.exit(f"{parser.prog}: {error}")


async def serve(make_node: Callable[[Any], Proactor], settings: NodeSettings) -> None:
    await make_node(settings).run_forever()


# All of them in one process, with a broker, a line that can be cut, and a cellar that gets hot


async def tell_story(folder: Path) -> None:
    cellar = folder / "thermal_zone0" / "temp"
    cellar.parent.mkdir()
    cellar.write_text("20000")
    common: dict[str, Any] = {"paths": {"data_home": folder}, "web_port": 0}
    async with (
        Broker() as broker,
        Relay(broker.port) as line,
        Meter(MeterSettings(**common)) as meter,
        House(HouseSettings(scada={"brokers": [broker.url]}, **common)) as house,
        Scada(
            ScadaSettings(
                house={"brokers": [line.url]},
                meter_url=meter.web_server_url("page"),
                thermal_folder=folder,
                fan_file=folder / "fan",
                **common,
            )
        ) as scada,
    ):
        at_house, at_scada = house.web_server_url("page"), scada.web_server_url("page")

        await page(at_house, lambda shown: shown["Readings"].keys() == {"celsius", "load", "watts"})
        print("the house knows what sensors and meter show")

        async with (
            aiohttp.ClientSession() as browser,
            browser.put(f"{at_house}/fan", json={"On": True}) as answer,
        ):
            print("the house wants the fan on:", (await answer.text()).strip())
        await page(at_house, lambda shown: shown["Fan"][-1] == "on, by house")
        print("and is told that it is")

        line.refuse()
        await line.cut()
        await page(at_scada, lambda shown: shown["Fan"] == "off, by scada")
        print("the line is cut; it is cool, so the scada switches the fan off")
        cellar.write_text("90000")
        await page(at_scada, lambda shown: shown["Fan"] == "on, by scada")
        print("it gets hot, so the scada switches it on")

        line.accept()
        shown = await page(at_house, lambda shown: shown["Fan"][-2:][0] == "on, by scada")
        print("the line is back, and the house is told:", "; ".join(shown["Fan"][-3:]))

        scada.stop(wait_for_acks=True)
        await scada.join()
        print(f"{scada.pending_event_count} events are left to be sent")


async def page(
    url: str, wanted: Callable[[dict[str, Any]], bool] = lambda _: True
) -> dict[str, Any]:
    """What a page shows, looked at again and again until it is what is wanted."""
    async with asyncio.timeout(20), aiohttp.ClientSession() as browser:
        while True:
            async with browser.get(url) as answer:
                shown: dict[str, Any] = await answer.json()
            if wanted(shown):
                return shown
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    main()
