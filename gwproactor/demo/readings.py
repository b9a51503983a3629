"""What the demo measures: this machine, by psutil.

A `Machine` knows which readings there are on this one, and takes them all in one `sweep`. A
reading that the system does not give is left out; none is made up.
"""

import time
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import psutil

from gwproactor.wire.payloads import EventBase

READING_TYPE: Literal["gridworks.event.reading"] = "gridworks.event.reading"

_MAX_TEMPERATURES = 3
"""A server may have a hundred sensors; a demonstration has a few lines."""


class Reading(NamedTuple):
    """One value of this machine."""

    name: str
    value: float
    unit: str


class ReadingEvent(EventBase):
    """A reading on its way to the parent."""

    TypeName: Literal["gridworks.event.reading"] = READING_TYPE
    Name: str
    Value: float
    Unit: str

    @classmethod
    def of(cls, reading: Reading) -> "ReadingEvent":
        """The event that carries `reading`."""
        return cls(Name=reading.name, Value=reading.value, Unit=reading.unit)


class Machine:
    """This machine, as far as it can be measured without privileges.

    Args:
        clock: Seconds, for what is measured per second.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._written = _Rate(clock, _bytes_written)
        self._received = _Rate(clock, _bytes_received)
        self._sent = _Rate(clock, _bytes_sent)
        self._processor_percent()  # the first call has nothing to compare with, and answers 0

    def sweep(self) -> list[Reading]:
        """Every reading there is now. Reads files of the system: not for the event loop.

        The rates are those since the last sweep, so the first one has none.
        """
        return [
            Reading(name, round(value, 2), unit)
            for name, value, unit in self._everything()
            if value is not None
        ]

    def _everything(self) -> Iterator[tuple[str, float | None, str]]:
        yield "processor", _given(self._processor_percent), "%"
        yield "load, 1 min", _given(lambda: psutil.getloadavg()[0]), ""
        yield "memory", _given(lambda: psutil.virtual_memory().percent), "%"
        yield "disk", _given(lambda: psutil.disk_usage("/").percent), "%"
        yield "disk, written", self._written.per_second(), "kB/s"
        yield "network, in", self._received.per_second(), "kB/s"
        yield "network, out", self._sent.per_second(), "kB/s"
        yield from _temperatures()

    @staticmethod
    def _processor_percent() -> float:
        return psutil.cpu_percent(interval=None)


class _Rate:
    """Turns a counter of bytes into kilobytes a second since it was last asked."""

    def __init__(self, clock: Callable[[], float], count_bytes: Callable[[], int | None]) -> None:
        self._clock = clock
        self._count_bytes = count_bytes
        self._last: tuple[float, int] | None = None

    def per_second(self) -> float | None:
        count, now, last = _given(self._count_bytes), self._clock(), self._last
        self._last = None if count is None else (now, int(count))
        if count is None or last is None or now <= last[0]:
            return None
        return max(0.0, count - last[1]) / 1000 / (now - last[0])


def _given(measure: Callable[[], float | None]) -> float | None:
    """The value, or None where this system does not have it, or does not show it to us."""
    try:
        return measure()
    except (OSError, RuntimeError, AttributeError, psutil.Error):
        return None


def _bytes_written() -> int | None:
    counters = psutil.disk_io_counters()
    return None if counters is None else counters.write_bytes


def _bytes_received() -> int | None:
    # psutil returns None on a machine without any network interface; its types do not know that
    return getattr(psutil.net_io_counters(), "bytes_recv", None)


def _bytes_sent() -> int | None:
    return getattr(psutil.net_io_counters(), "bytes_sent", None)


def _temperatures() -> Iterator[tuple[str, float | None, str]]:
    """The first sensors that there are; many machines, and most virtual ones, have none."""
    try:
        chips = psutil.sensors_temperatures()
    except (OSError, RuntimeError, AttributeError, psutil.Error):
        return
    sensors = [(chip, sensor) for chip, found in chips.items() for sensor in found]
    for chip, sensor in sensors[:_MAX_TEMPERATURES]:
        yield f"{chip} {sensor.label}".strip(), sensor.current, "°C"
