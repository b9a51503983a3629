import json
import math
import os

import psutil
import pytest

from gwproactor.demo.readings import READING_TYPE, Machine, Reading, ReadingEvent


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_sweep_reads_this_machine() -> None:
    machine = Machine()
    machine.sweep()
    readings = {reading.name: reading for reading in machine.sweep()}
    assert {"load, 1 min", "memory"} <= readings.keys()
    assert all(math.isfinite(reading.value) for reading in readings.values())
    for reading in readings.values():
        if reading.unit == "%":
            assert 0 <= reading.value <= 100 * (os.cpu_count() or 1)


def test_names_are_unique() -> None:
    machine = Machine()
    machine.sweep()
    names = [reading.name for reading in machine.sweep()]
    assert len(names) == len(set(names))


def test_rates_are_per_second_and_begin_with_the_second_sweep(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts = iter((1000, 9000))

    class Counters:
        bytes_sent = 0

        @property
        def bytes_recv(self) -> int:
            return next(counts)

    monkeypatch.setattr(psutil, "net_io_counters", Counters)
    clock = Clock()
    machine = Machine(clock)
    assert "network, in" not in {reading.name for reading in machine.sweep()}
    clock.now += 2.0
    assert Reading("network, in", 4.0, "kB/s") in machine.sweep()


def test_what_the_system_does_not_give_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(psutil, "disk_usage", refuse)
    monkeypatch.setattr(psutil, "disk_io_counters", lambda: None)
    monkeypatch.setattr(psutil, "net_io_counters", lambda: None)
    monkeypatch.delattr(psutil, "sensors_temperatures", raising=False)
    machine = Machine()
    machine.sweep()
    names = {reading.name for reading in machine.sweep()}
    assert {"load, 1 min", "memory"} <= names
    assert not any("disk" in name or "network" in name for name in names)


def test_temperatures_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    class Sensor:
        current = 41.5

        def __init__(self, label: str) -> None:
            self.label = label

    chips = {"cpu": [Sensor("package"), Sensor("core 0")], "disk": [Sensor(""), Sensor("2")]}
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: chips, raising=False)
    found = [reading for reading in Machine().sweep() if reading.unit == "°C"]
    assert [reading.name for reading in found] == ["cpu package", "cpu core 0", "disk"]
    assert {reading.value for reading in found} == {41.5}


def test_a_reading_travels_as_an_event() -> None:
    event = ReadingEvent.of(Reading("memory", 12.5, "%"))
    fields = json.loads(event.model_dump_json())
    assert (
        fields.items()
        >= {
            "TypeName": READING_TYPE,
            "Name": "memory",
            "Value": 12.5,
            "Unit": "%",
        }.items()
    )
