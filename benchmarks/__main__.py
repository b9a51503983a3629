"""`python -m benchmarks`, which is `make bench`: measure, show, and keep reports."""

import argparse
import asyncio
import datetime
import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from rich.console import Console

from benchmarks import events, queues, reactivation
from benchmarks.contestants import CONTESTANTS, ROOT, Contestant, predecessor_is_installed
from benchmarks.events_report import EventsReport
from benchmarks.processes import BenchmarkError
from benchmarks.queues_report import QueuesReport
from benchmarks.report import make_report, mosquitto_version

REPORTS = ROOT / ".bench"
WHAT = ("reactivation", "events", "queues")
PREDECESSOR = "predecessor"


class Report(Protocol):
    """What a benchmark found."""

    def print_to(self, console: Console) -> None:
        """Show it on a terminal."""
        ...

    def as_dict(self) -> dict[str, object]:
        """Everything, as JSON can hold it."""
        ...

    def as_markdown(self) -> str:
        """The same as a section of docs/benchmarks.md."""
        ...


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The options of the command line."""
    names = sorted({c.name for c in (*CONTESTANTS, *events.CONTESTANTS)})
    parser = argparse.ArgumentParser(
        prog="make bench",
        description="Link reactivation latency, events a second, and queues of threads.",
    )
    parser.add_argument("what", nargs="*", metavar="|".join(WHAT), help="all when not given")
    parser.add_argument("--cuts", type=int, default=reactivation.CUTS)
    parser.add_argument("--outages", type=int, default=reactivation.OUTAGES)
    parser.add_argument("--rounds", type=int, default=events.Plan().rounds)
    parser.add_argument("--quick", action="store_true", help="a few of each, to see that it works")
    parser.add_argument("--only", action="append", choices=names)
    parser.add_argument("--reports", type=Path, default=REPORTS, help="where the reports go")
    options = parser.parse_args(argv)
    if unknown := set(options.what).difference(WHAT):
        parser.error(f"there is no benchmark {unknown.pop()!r}; there are {' and '.join(WHAT)}")
    if options.quick:
        options.cuts, options.outages = reactivation.QUICK_CUTS, reactivation.QUICK_OUTAGES
    return options


def chosen(contestants: Sequence[Contestant], names: Sequence[str] | None) -> list[Contestant]:
    """Those to be measured: all, or the named ones.

    Raises:
        BenchmarkError: the predecessor is among them and not installed.
    """
    found = [c for c in contestants if names is None or c.name in names]
    if any(c.name == PREDECESSOR for c in found) and not predecessor_is_installed():
        raise BenchmarkError("the predecessor is not installed: run `make peer`, or choose --only")
    return found


async def measure_reactivation(options: argparse.Namespace, console: Console) -> Report:
    """Run the benchmark of links."""
    contestants = chosen(CONTESTANTS, options.only)
    load_before, _, _ = os.getloadavg()
    samples_ms = await reactivation.measure(
        contestants, cuts=options.cuts, outages=options.outages, say=_teller(console)
    )
    return make_report(contestants, samples_ms, load_before=load_before)


async def measure_events(options: argparse.Namespace, console: Console) -> Report:
    """Run the benchmark of events."""
    contestants = chosen(events.CONTESTANTS, options.only)
    plan = events.QUICK if options.quick else events.Plan(rounds=options.rounds)
    load_before, _, _ = os.getloadavg()
    samples = await events.measure(contestants, plan, _teller(console))
    waiting = [await events.measure_waiting(count, _teller(console)) for count in plan.waiting]
    machine = (
        f"Python {platform.python_version()}, {os.cpu_count()} cores, Mosquitto"
        f" {mosquitto_version()}, load before {load_before:.1f}"
    )
    versions = [f"{c.label} {c.version()}" for c in contestants]
    return EventsReport(
        {c.name: c.label for c in contestants},
        ", ".join([*versions, machine]),
        datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        samples,
        waiting,
    )


async def measure_queues(options: argparse.Namespace, console: Console) -> Report:
    """Run the benchmark of queues between a thread and the loop."""
    load_before, _, _ = os.getloadavg()
    plan = queues.QUICK if options.quick else queues.Plan()
    samples = await queues.measure(plan, _teller(console))
    setting = (
        f"{plan.messages} messages, janus {importlib.metadata.version('janus')},"
        f" Python {platform.python_version()}, {os.cpu_count()} cores, load before"
        f" {load_before:.1f}"
    )
    finished = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return QueuesReport(setting, finished, samples)


def _teller(console: Console) -> events.Progress:
    return lambda text: console.print(f"[dim]{text}[/]")


MEASURES = {
    "reactivation": measure_reactivation,
    "events": measure_events,
    "queues": measure_queues,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run benchmarks; the exit status says whether they could be run, not how they went."""
    options = parse(argv)
    console = Console()
    options.reports.mkdir(parents=True, exist_ok=True)
    for what in options.what or WHAT:
        try:
            report = asyncio.run(MEASURES[what](options, console))
        except BenchmarkError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        report.print_to(console)
        path = options.reports / f"{what}.json"
        path.write_text(json.dumps(report.as_dict(), indent=1) + "\n", encoding="utf-8")
        path.with_suffix(".md").write_text(report.as_markdown(), encoding="utf-8")
        console.print(f"[dim]all samples: {path}[/]")
    return 0


if __name__ == "__main__":
    sys.exit(main())
