"""`python -m benchmarks`, which is `make bench`: measure, show, and keep a report."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks import reactivation
from benchmarks.contestants import CONTESTANTS, ROOT, Contestant, predecessor_is_installed
from benchmarks.processes import BenchmarkError
from benchmarks.report import make_report

DEFAULT_REPORT = ROOT / ".bench" / "reactivation.json"


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="make bench", description="Link reactivation latency.")
    parser.add_argument("--cuts", type=int, default=reactivation.CUTS)
    parser.add_argument("--outages", type=int, default=reactivation.OUTAGES)
    parser.add_argument("--quick", action="store_true", help="a few of each, to see that it works")
    parser.add_argument("--only", action="append", choices=[c.name for c in CONTESTANTS])
    parser.add_argument("--json", type=Path, default=DEFAULT_REPORT, help="where the report goes")
    options = parser.parse_args(argv)
    if options.quick:
        options.cuts, options.outages = reactivation.QUICK_CUTS, reactivation.QUICK_OUTAGES
    return options


def chosen(names: Sequence[str] | None) -> list[Contestant]:
    """Those to be measured: all, or the named ones.

    Raises:
        BenchmarkError: the predecessor is among them and not installed.
    """
    contestants = [c for c in CONTESTANTS if names is None or c.name in names]
    if any(c.name == "predecessor" for c in contestants) and not predecessor_is_installed():
        raise BenchmarkError("the predecessor is not installed: run `make peer`, or choose --only")
    return contestants


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; the exit status says whether it could be run, not how it went."""
    options = parse(argv)
    console = Console()
    load_before, _, _ = os.getloadavg()
    try:
        contestants = chosen(options.only)
        samples_ms = asyncio.run(
            reactivation.measure(
                contestants,
                cuts=options.cuts,
                outages=options.outages,
                say=lambda text: console.print(f"[dim]{text}[/]"),
            )
        )
    except BenchmarkError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    report = make_report(contestants, samples_ms, load_before=load_before)
    report.print_to(console)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report.as_dict(), indent=1) + "\n", encoding="utf-8")
    options.json.with_suffix(".md").write_text(report.as_markdown(), encoding="utf-8")
    console.print(f"[dim]all samples: {options.json}[/]")
    return 0


if __name__ == "__main__":
    sys.exit(main())
