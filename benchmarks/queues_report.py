"""What a run of the queues benchmark found: for the terminal, for docs/, as plain data."""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console

from benchmarks.measures import Target, percentile
from benchmarks.queues import DIRECTIONS, OURS, PIPES, Samples

MESSAGES_A_SECOND = 100_000.0
STOP_MS = 50.0


@dataclass(frozen=True)
class QueuesReport:
    """One run: on what, and every sample.

    Args:
        setting: What it was measured on, in words.
        finished: When, ISO.
        samples: As `queues.measure` returns them.
    """

    setting: str
    finished: str
    samples: Samples

    def median(self, direction: str, name: str) -> float:
        """Messages a second, of one kind of queue in one direction."""
        return statistics.median(self.samples.rates[direction][name])

    def targets(self) -> Iterator[Target]:
        """The bounds that gwproactor is held to."""
        for direction in DIRECTIONS:
            rate = self.median(direction, OURS)
            yield Target(f"{direction}, messages a second", rate, MESSAGES_A_SECOND, at_least=True)
        slowest = percentile(self.samples.stops_ms, 100)
        yield Target("a stop of a sleeping thread, slowest, ms", slowest, STOP_MS)

    def as_dict(self) -> dict[str, object]:
        """Everything, as JSON can hold it."""
        return {
            "benchmark": "queues",
            "finished": self.finished,
            "setting": self.setting,
            "rates": {
                direction: {name: [round(rate) for rate in rates] for name, rates in kinds.items()}
                for direction, kinds in self.samples.rates.items()
            },
            "stops_ms": [round(value, 3) for value in self.samples.stops_ms],
            "targets": [
                {"target": t.text, "value": round(t.value, 3), "bound": t.bound, "met": t.is_met}
                for t in self.targets()
            ],
        }

    def as_markdown(self) -> str:
        """The same as a section of docs/benchmarks.md."""
        lines = [f"Measured {self.finished[:10]} with {self.setting}.", ""]
        lines.append(f"| messages a second, median (of {OURS}'s) | {' | '.join(PIPES)} |")
        lines.append("| --- |" + " ---: |" * len(PIPES))
        for direction in DIRECTIONS:
            ours = self.median(direction, OURS)
            medians = [self.median(direction, name) for name in PIPES]
            cells = [f"{median:.0f} ({median / ours:.2f})" for median in medians]
            lines.append(f"| {direction} | {' | '.join(cells)} |")
        stops = self.samples.stops_ms
        times = (statistics.median(stops), percentile(stops, 99), percentile(stops, 100))
        median, p99, slowest = (f"{value:.2f}" for value in times)
        lines += ["", f"- {len(stops)} stops of a sleeping thread, ms:"]
        lines[-1] += f" median {median}, p99 {p99}, slowest {slowest}"
        lines += [
            f"- {target.comparison}: {'met' if target.is_met else '**missed**'}"
            for target in self.targets()
        ]
        return "\n".join(lines) + "\n"

    def print_to(self, console: Console) -> None:
        """Show it on a terminal."""
        console.print(self.as_markdown(), markup=False)
