"""What a run of the reactivation benchmark found: for the terminal, for docs/, as plain data."""

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
HEADINGS = ("count", "fastest", "median", "p99", "slowest", "/floor")
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
        table = Table(title="Active again, milliseconds", title_justify="left")
        table.add_column("", no_wrap=True)
        for heading in HEADINGS:
            table.add_column(heading, justify="right", no_wrap=True)
        for scenario, (title, _) in SCENARIOS.items():
            rows = self._rows(scenario)
            if rows:
                table.add_section()
                table.add_row(f"[bold]{title}[/]")
            for label, *figures in rows:
                table.add_row(f"  {label}", *figures)
        console.print(table)
        console.print(f"[dim]{self._setting()}[/]")
        for target in self.targets():
            verdict = "[green]met[/]" if target.is_met else "[red]missed[/]"
            console.print(f"{target.comparison}: {verdict}")

    def as_markdown(self) -> str:
        """The same as a section of docs/benchmarks.md."""
        lines = [f"Measured {self.finished[:10]} with {self._setting()}.", ""]
        lines.append(f"| milliseconds | | {' | '.join(HEADINGS)} |")
        lines.append("| --- | --- |" + " ---: |" * len(HEADINGS))
        for scenario, (title, _) in SCENARIOS.items():
            lines += [f"| {title} | {' | '.join(row)} |" for row in self._rows(scenario)]
        lines.append("")
        lines += [
            f"- {target.comparison}: {'met' if target.is_met else '**missed**'}"
            for target in self.targets()
        ]
        return "\n".join(lines) + "\n"

    def _setting(self) -> str:
        parts = [f"{self.labels[name]} {self.versions[name]}" for name in self.samples_ms]
        return ", ".join([*parts, *(f"{what} {value}" for what, value in self.machine.items())])

    def _rows(self, scenario: str) -> list[list[str]]:
        """Label and figures of each contestant that has samples of `scenario`."""
        rows = []
        for name in self.samples_ms:
            if (summary := self.summary(name, scenario)) is None:
                continue
            ratio = self.ratio(scenario, name, "floor")
            figures = (summary.fastest_ms, summary.median_ms, summary.p99_ms, summary.slowest_ms)
            texts = [str(summary.count), *(f"{figure:.2f}" for figure in figures)]
            rows.append([self.labels[name], *texts, f"{ratio:.1f}" if ratio else ""])
        return rows


def make_report(
    contestants: Sequence[Contestant], samples_ms: Samples, *, load_before: float
) -> Report:
    """Put together what was measured with what it was measured on.

    Args:
        contestants: Who was measured.
        samples_ms: As `reactivation.measure` returns it.
        load_before: The load average of the minute before the run: what else the machine did.
    """
    return Report(
        versions={c.name: c.version() for c in contestants},
        labels={c.name: c.label for c in contestants},
        machine={
            "python": platform.python_version(),
            "system": platform.system(),
            "processor": platform.machine(),
            "cores": os.cpu_count() or 0,
            "mosquitto": mosquitto_version(),
            "load before": f"{load_before:.1f}",
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
