"""The events benchmark as a whole, small: one contestant on a real Mosquitto; and its targets."""

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.events import Waiting
from benchmarks.events_report import EventsReport


def test_every_target_is_judged_when_all_is_measured() -> None:
    report = EventsReport(
        labels={},
        setting="",
        finished="",
        samples={
            "fsync": {"burst 1000": [20_000.0], "re-upload 10000": [9_000.0], "one": [2.0, 4.0]},
            "os": {"one": [1.0]},
            "predecessor": {"burst 1000": [1000.0], "re-upload 10000": [1000.0], "one": [2.0]},
        },
        waiting=[Waiting(100_000, 2.5, 100.0), Waiting(1_000_000, 20.0, 150.0)],
    )
    ours = "of the predecessor's time"
    assert {target.text: (target.value, target.is_met) for target in report.targets()} == {
        "burst 1000, fsync, times the predecessor's events a second": (20.0, True),
        "re-upload 10000, fsync, times the predecessor's events a second": (9.0, False),
        f"one event, fsync, {ours}, median": (1.5, False),
        f"one event, fsync, {ours}, p99": (2.0, False),
        f"one event, os, {ours}, median": (0.5, True),
        f"one event, os, {ours}, p99": (0.5, True),
        "start over 100000 stored events, seconds": (2.5, False),
        "memory with 1000000 stored events, MiB": (150.0, True),
    }


def test_no_target_is_judged_without_its_samples() -> None:
    assert EventsReport({}, "", "", {"fsync": {"one": [1.0]}}, []).targets() == []


def test_the_floor_is_compared_with_what_promises_the_same() -> None:
    samples = {"fsync": {"one": [3.0]}, "os": {"one": [2.0]}, "floor-os": {"one": [0.5]}}
    report = EventsReport({}, "", "", samples, [])
    assert report.above_the_floor() == [
        "one event, os, of the time on bare sockets: median 4.00, p99 4.00"
    ]
    assert f"- {report.above_the_floor()[0]}" in report.as_markdown()


@pytest.mark.usefixtures("needs_mosquitto")
def test_a_quick_run_of_the_floor(tmp_path: Path) -> None:
    assert main(["events", "--quick", "--only", "floor-fsync", "--reports", str(tmp_path)]) == 0
    report = json.loads((tmp_path / "events.json").read_text(encoding="utf-8"))
    assert {name: len(of["one"]) for name, of in report["samples"].items()} == {"floor-fsync": 10}
    assert list(report["samples"]["floor-fsync"]) == ["one"]


@pytest.mark.usefixtures("needs_mosquitto")
def test_a_quick_run_of_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events", "--quick", "--only", "os", "--reports", str(tmp_path)]) == 0
    report = json.loads((tmp_path / "events.json").read_text(encoding="utf-8"))
    counts = {series: len(values) for series, values in report["samples"]["os"].items()}
    assert counts == {"one": 10, "burst 200": 1, "re-upload 200": 1}
    assert all(value > 0 for values in report["samples"]["os"].values() for value in values)
    assert report["waiting"][0]["memory_mib"] > 1
    assert "gwproactor, os" in capsys.readouterr().out
