"""What a run of the events benchmark found: for the terminal, for docs/, as plain data."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from rich.console import Console

from benchmarks.events import Waiting
from benchmarks.measures import Target, percentile

Samples = Mapping[str, Mapping[str, Sequence[float]]]

TIMES_AS_MANY = 10.0
MEMORY_MIB = 200.0
MEMORY_COUNT = 1_000_000
START_SECONDS = 2.0
START_COUNT = 100_000
OURS = ("fsync", "os")
PEER = "predecessor"
FLOOR = "floor-"
ONE = "one"


@dataclass(frozen=True)
class EventsReport:
    """One run: who, on what, and every sample.

    Args:
        labels: How each contestant is called, with its version.
        setting: What it was measured on, in words.
        finished: When, ISO.
        samples: As `events.measure` returns them.
        waiting: As `events.measure_waiting` returns them.
    """

    labels: Mapping[str, str]
    setting: str
    finished: str
    samples: Samples
    waiting: Sequence[Waiting]

    def targets(self) -> list[Target]:
        """The bounds that gwproactor is held to, as far as this run can tell."""
        return [*self._ratios(), *self._latencies(), *self._waiting()]

    def _ratios(self) -> list[Target]:
        theirs = self.samples.get(PEER, {})
        return [
            Target(
                f"{series}, fsync, times the predecessor's events a second",
                statistics.median(values) / statistics.median(theirs[series]),
                TIMES_AS_MANY,
                at_least=True,
            )
            for series, values in self.samples.get("fsync", {}).items()
            if series != ONE and series in theirs
        ]

    def _latencies(self) -> list[Target]:
        theirs = self.samples.get(PEER, {}).get(ONE)
        found = []
        for name in OURS:
            mine = self.samples.get(name, {}).get(ONE)
            if mine and theirs:
                text = f"one event, {name}, of the predecessor's time"
                median = statistics.median(mine) / statistics.median(theirs)
                p99 = percentile(mine, 99) / percentile(theirs, 99)
                found += [Target(f"{text}, median", median, 1.0), Target(f"{text}, p99", p99, 1.0)]
        return found

    def above_the_floor(self) -> list[str]:
        """How many times the floor's one event takes, of the same durability, in words."""
        lines = []
        for name in OURS:
            mine = self.samples.get(name, {}).get(ONE)
            floor = self.samples.get(FLOOR + name, {}).get(ONE)
            if mine and floor:
                median = statistics.median(mine) / statistics.median(floor)
                p99 = percentile(mine, 99) / percentile(floor, 99)
                lines.append(
                    f"one event, {name}, of the time on bare sockets:"
                    f" median {median:.2f}, p99 {p99:.2f}"
                )
        return lines

    def _waiting(self) -> list[Target]:
        found = []
        for each in self.waiting:
            if each.count == START_COUNT:
                text = f"start over {each.count} stored events, seconds"
                found.append(Target(text, each.start_seconds, START_SECONDS))
            if each.count == MEMORY_COUNT:
                text = f"memory with {each.count} stored events, MiB"
                found.append(Target(text, each.memory_mib, MEMORY_MIB))
        return found

    def as_dict(self) -> dict[str, object]:
        """Everything, as JSON can hold it."""
        return {
            "benchmark": "events",
            "finished": self.finished,
            "setting": self.setting,
            "samples": {name: _rounded(of) for name, of in self.samples.items()},
            "waiting": [asdict(each) for each in self.waiting],
            "above the floor": self.above_the_floor(),
            "targets": [
                {"target": t.text, "value": round(t.value, 3), "bound": t.bound, "met": t.is_met}
                for t in self.targets()
            ],
        }

    def as_markdown(self) -> str:
        """The same as a section of docs/benchmarks.md."""
        lines = [f"Measured {self.finished[:10]} with {self.setting}.", ""]
        lines.append("| | " + " | ".join(self.labels.values()) + " |")
        lines.append("| --- |" + " ---: |" * len(self.labels))
        series = dict.fromkeys(key for of in self.samples.values() for key in of)
        for key in series:
            cells = [_cell(key, of.get(key, ())) for of in self.samples.values()]
            lines.append(f"| {_title(key)} | {' | '.join(cells)} |")
        lines.append("")
        lines += [
            f"- a node over {each.count} stored events: started in {each.start_seconds:.2f} s,"
            f" {each.memory_mib:.0f} MiB"
            for each in self.waiting
        ]
        lines += [f"- {line}" for line in self.above_the_floor()]
        lines += [
            f"- {target.comparison}: {'met' if target.is_met else '**missed**'}"
            for target in self.targets()
        ]
        return "\n".join(lines) + "\n"

    def print_to(self, console: Console) -> None:
        """Show it on a terminal."""
        console.print(self.as_markdown(), markup=False)


def _title(series: str) -> str:
    if series == ONE:
        return "one event on an idle link, median and p99, ms"
    return f"{series} events, median, events a second"


def _cell(series: str, values: Sequence[float]) -> str:
    if not values:
        return ""
    if series == ONE:
        return f"{statistics.median(values):.2f}, {percentile(values, 99):.2f}"
    return f"{statistics.median(values):.0f}"


def _rounded(samples: Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
    return {series: [round(value, 3) for value in values] for series, values in samples.items()}
