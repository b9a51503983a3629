"""The queues benchmark as a whole, small; and its targets."""

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.queues import DIRECTIONS, PIPES, Samples
from benchmarks.queues_report import QueuesReport


def test_every_target_is_judged() -> None:
    rates = {
        DIRECTIONS[0]: {name: [200_000.0] for name in PIPES},
        DIRECTIONS[1]: {name: [90_000.0 * n] for n, name in enumerate(PIPES, 1)},
    }
    report = QueuesReport("", "", Samples(rates, [1.0, 60.0, 2.0]))
    assert [(target.value, target.is_met) for target in report.targets()] == [
        (200_000.0, True),
        (90_000.0, False),
        (60.0, False),
    ]
    assert "| loop to thread | 90000 (1.00) | 180000 (2.00) | 270000 (3.00) |" in (
        report.as_markdown()
    )


def test_a_quick_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["queues", "--quick", "--reports", str(tmp_path)]) == 0
    report = json.loads((tmp_path / "queues.json").read_text(encoding="utf-8"))
    for direction in DIRECTIONS:
        assert {name: len(rates) for name, rates in report["rates"][direction].items()} == (
            dict.fromkeys(PIPES, 3)
        )
    assert len(report["stops_ms"]) == 10
    assert "thread to loop" in capsys.readouterr().out
