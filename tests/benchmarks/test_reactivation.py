"""The reactivation benchmark as a whole, small: its floor alone, on a real Mosquitto."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.processes import BenchmarkError, LineProcess
from benchmarks.report import SCENARIOS, Report, make_report


def report_of(samples_ms: dict[str, dict[str, list[float]]]) -> Report:
    return Report(
        versions=dict.fromkeys(samples_ms, "1"),
        labels={name: name for name in samples_ms},
        machine={},
        finished="",
        samples_ms=samples_ms,
    )


def test_every_target_is_judged_when_all_is_measured() -> None:
    report = report_of(
        {
            "gwproactor": {"close": [2.0, 3.0], "reset": [3.0, 11.0], "outage": [200.0]},
            "predecessor": {"close": [1000.0], "reset": [1002.0], "outage": [2000.0]},
        }
    )
    assert {target.text: (target.value, target.is_met) for target in report.targets()} == {
        "after a cut, median ms": (3.0, True),
        "after a cut, p99 ms": (11.0, False),
        "after a cut, times faster than the predecessor": (1001.0 / 3.0, True),
        "after an outage, median ms": (200.0, True),
    }


def test_no_target_is_judged_without_its_samples() -> None:
    assert report_of({"floor": {"close": [1.0]}}).targets() == []
    assert make_report([], {}, load_before=0.0).summary("gwproactor", "cut") is None


@pytest.mark.usefixtures("needs_mosquitto")
def test_a_quick_run_of_the_floor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "reactivation.json"
    options = ["--only", "floor", "--cuts", "2", "--outages", "1", "--reports", str(tmp_path)]
    assert main(["reactivation", *options]) == 0
    report = json.loads(path.read_text(encoding="utf-8"))
    counts = {scenario: report["summary_ms"][scenario]["floor"]["count"] for scenario in SCENARIOS}
    assert counts == {"cut": 2, "close": 1, "reset": 1, "outage": 1}
    assert "bare sockets" in capsys.readouterr().out
    assert "| all cuts | bare sockets | 2 |" in path.with_suffix(".md").read_text(encoding="utf-8")


def test_a_program_that_ends_is_told_with_its_last_words(tmp_path: Path) -> None:
    errors = tmp_path / "errors"

    async def wait_for_a_line() -> None:
        command = [sys.executable, "-c", "import sys; sys.exit('out of tea')"]
        async with LineProcess(command, errors) as process:
            await process.line_where(lambda line: bool(line))

    with pytest.raises(BenchmarkError, match=r"ended[^$]*out of tea"):
        asyncio.run(wait_for_a_line())
