"""What a run of the reactivation benchmark found, as tables and as plain data."""

import datetime
import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from benchmarks.contestants import Contestant
from benchmarks.measures import Summary, Target, summarize
from gwproactor_test.mosquitto import find_mosquitto

Samples = Mapping[str, Mapping[str, list[float]]]

# Scenario in the report: its title, and the series of samples that it joins.
SCENARIOS = {
    "cut": ("all cuts", ("close", "reset")),
    "close": ("cut in order (FIN)", ("close",)),
    "reset": ("cut at once (RST)", ("reset",)),
    "outage": ("broker away for 1 s", ("outage",)),
}
CUT_MEDIAN_MS = 3.0
CUT_P99_MS = 10.0
TIMES_FASTER = 300.0
OUTAGE_MEDIAN_MS = 300.0


@dataclass(frozen=True)
class Report:
    """One run: who, where, when, and every latency that was measured."""

    versions: Mapping[str, str]
    labels: Mapping[str, str]
    machine: Mapping[str, str | int]
    finished: str
    samples_ms: Samples

    def summary(self, contestant: str, scenario: str) -> Summary | None:
        """One row of the table; None where the run has no such samples."""
        series = self.samples_ms.get(contestant, {})
        joined = [ms for name in SCENARIOS[scenario][1] for ms in series.get(name, [])]
        return summarize(joined) if joined else None

    def ratio(self, scenario: str, slower: str, faster: str) -> float | None:
        """How many times longer the median of `slower` is."""
        long, short = self.summary(slower, scenario), self.summary(faster, scenario)
        return long.median_ms / short.median_ms if long and short else None

    def targets(self) -> list[Target]:
        """The bounds that gwproactor is held to, as far as this run can tell."""
        found = []
        if cut := self.summary("gwproactor", "cut"):
            found.append(Target("after a cut, median ms", cut.median_ms, CUT_MEDIAN_MS))
            found.append(Target("after a cut, p99 ms", cut.p99_ms, CUT_P99_MS))
        if ratio := self.ratio("cut", "predecessor", "gwproactor"):
            text = "after a cut, times faster than the predecessor"
            found.append(Target(text, ratio, TIMES_FASTER, at_least=True))
        if outage := self.summary("gwproactor", "outage"):
            found.append(Target("after an outage, median ms", outage.median_ms, OUTAGE_MEDIAN_MS))
        return found

    def as_dict(self) -> dict[str, object]:
        """Everything, as JSON can hold it."""
        return {
            "benchmark": "reactivation",
            "finished": self.finished,
            "versions": dict(self.versions),
            "machine": dict(self.machine),
            "summary_ms": {
                scenario: {
                    name: summary.as_dict()
                    for name in self.samples_ms
                    if (summary := self.summary(name, scenario))
                }
                for scenario in SCENARIOS
            },
            "targets": [
                {"target": t.text, "value": round(t.value, 3), "bound": t.bound, "met": t.is_met}
                for t in self.targets()
            ],
            "samples_ms": {
                name: {kind: [round(ms, 4) for ms in values] for kind, values in series.items()}
                for name, series in self.samples_ms.items()
            },
        }

    def print_to(self, console: Console) -> None:
        """Show the table of a run, what was measured, and how the targets fared."""
        console.print(self._table())
        versions = [f"{self.labels[name]} {self.versions[name]}" for name in self.samples_ms]
        versions += [f"{what} {value}" for what, value in self.machine.items()]
        console.print(f"[dim]{', '.join(versions)}[/]")
        for target in self.targets():
            relation = "≥" if target.at_least else "≤"
            verdict = "[green]met[/]" if target.is_met else "[red]missed[/]"
            comparison = f"{target.value:.2f} {relation} {target.bound:g}"
            console.print(f"{target.text}: {comparison} {verdict}")

    def _table(self) -> Table:
        table = Table(title="Active again, milliseconds", title_justify="left")
        table.add_column("", no_wrap=True)
        for heading in ("count", "fastest", "median", "p99", "slowest", "/floor"):
            table.add_column(heading, justify="right", no_wrap=True)
        for scenario, (title, _) in SCENARIOS.items():
            names = [name for name in self.samples_ms if self.summary(name, scenario)]
            if names:
                table.add_section()
                table.add_row(f"[bold]{title}[/]")
            for name in names:
                table.add_row(f"  {self.labels[name]}", *self._figures(name, scenario))
        return table

    def _figures(self, name: str, scenario: str) -> list[str]:
        summary = self.summary(name, scenario)
        if summary is None:
            return []
        ratio = self.ratio(scenario, name, "floor")
        figures = (summary.fastest_ms, summary.median_ms, summary.p99_ms, summary.slowest_ms)
        times_floor = f"{ratio:.1f}" if ratio else ""
        return [str(summary.count), *(f"{figure:.2f}" for figure in figures), times_floor]


def make_report(contestants: Sequence[Contestant], samples_ms: Samples) -> Report:
    """Put together what was measured with what it was measured on."""
    return Report(
        versions={c.name: c.version() for c in contestants},
        labels={c.name: c.label for c in contestants},
        machine={
            "python": platform.python_version(),
            "system": platform.system(),
            "processor": platform.machine(),
            "cores": os.cpu_count() or 0,
            "mosquitto": mosquitto_version(),
        },
        finished=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        samples_ms=samples_ms,
    )


def mosquitto_version() -> str:
    """The version that the broker prints with its usage."""
    program = find_mosquitto()
    if program is None:
        return ""
    done = subprocess.run([program, "-h"], capture_output=True, text=True, check=False)
    found = re.search(r"version (\S+)", done.stdout)
    return found[1] if found else ""
