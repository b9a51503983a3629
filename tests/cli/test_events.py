"""`gwproactor events` on data folders at rest, called as a function and as a process."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from gwproactor.boxes.box import Box
from gwproactor.cli.events import events
from gwproactor.cli.framework import Command
from gwproactor.events.disk.folder import DataFolder
from gwproactor.events.log.segment_log import SegmentLog
from gwproactor_test.events_command import LEFT, call, damage, fill, ids, refused, run, stored

# Looking


def test_list_gives_what_is_there_in_order(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lines = run(capfd, "list", "--data", data).splitlines()
    assert [line.split("\t")[0] for line in lines] == [f"e{n}" for n in LEFT]
    first = lines[0].split("\t")
    assert first[1:4] == ["2026-11-06T22:20:00.000+00:00", "gridworks.event.odd", "d1.s"]
    assert first[5:] == ["line", "1"]


CHOICES = [
    (["--type", "gridworks.event.even"], [2, 4, 6, 8]),
    (["--since", "2026-11-07T01:21:00"], [5, 6, 7, 8, 9]),
    (["--until", "2026-11-07T01:21:00+00:00"], [1, 2, 4]),
    (["--limit", "3"], [1, 2, 4]),
    (["--limit", "0"], []),
    (["--type", "gridworks.event.even", "--since", "2026-11-06T23:21:00", "--limit", "1"], [4]),
    (["--box", "inbox"], []),
]


@pytest.mark.parametrize(("options", "numbers"), CHOICES)
@pytest.mark.parametrize("kind", ["data", "files"])
def test_list_chooses(
    request: pytest.FixtureRequest,
    capfd: pytest.CaptureFixture[str],
    kind: str,
    options: list[str],
    numbers: list[int],
) -> None:
    folder = request.getfixturevalue(kind)
    found = run(capfd, "list", "--data", folder, "--json", *options)
    assert ids(found) == [f"e{n}" for n in numbers]


@pytest.mark.parametrize("kind", ["data", "files"])
def test_show_prints_what_is_stored(
    request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str], kind: str
) -> None:
    folder = request.getfixturevalue(kind)
    assert run(capfd, "show", "e5", "--data", folder) == stored(5, 6).payload.decode() + "\n"


def test_stats_count(data: Path, files: Path, capfd: pytest.CaptureFixture[str]) -> None:
    counts = json.loads(run(capfd, "stats", "--data", data, "--json"))
    assert counts["outbox"]["events"] == len(LEFT)
    assert counts["outbox"]["types"] == {"gridworks.event.even": 4, "gridworks.event.odd": 4}
    assert counts["outbox"]["oldest"] == "2026-11-06T22:20:00.000+00:00"
    assert counts["outbox"]["files"] > 1
    assert 0 < counts["outbox"]["live_bytes"] < counts["outbox"]["file_bytes"]
    others = [box for box in Box if box is not Box.outbox]
    assert [counts[box]["events"] for box in others] == [0] * len(others)
    assert counts["holder"] == ""
    assert "outbox\n  events: 8\n" in run(capfd, "stats", "--data", data)
    counts = json.loads(run(capfd, "stats", "--data", files, "--json"))
    assert (counts["outbox"]["events"], counts["files"]["events"]) == (0, len(LEFT))


def test_beside_a_holder_everything_can_be_looked_at(
    data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with DataFolder(data, "d1.scada"):
        assert len(run(capfd, "list", "--data", data).splitlines()) == len(LEFT)
        assert "d1.scada (process" in run(capfd, "stats", "--data", data, "--json")
        run(capfd, "verify", "--data", data)
        run(capfd, "export", "--data", data)


def test_a_pipe_that_is_closed_ends_it_quietly(data: Path) -> None:
    command = f"{sys.executable} -m gwproactor.cli events export --data {data} | head -c 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, check=False, timeout=30)
    assert (done.stdout, done.stderr) == (b"{", b"")


# Checking


def test_verify_finds_nothing_where_nothing_is(
    data: Path, files: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(capfd, "verify", "--data", data) == "nothing is damaged\n"
    assert run(capfd, "verify", "--data", files) == "nothing is damaged\n"


def test_verify_names_what_is_damaged_and_changes_nothing(
    data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = damage(data)
    content = path.read_bytes()
    found, gap = map(
        json.loads, run(capfd, "verify", "--data", data, "--json", status=1).split("\n")[:2]
    )
    assert str(path) in found["place"]
    assert found["id"].startswith("e")
    assert gap["sequence"] == int(found["id"][1:]) + 1
    assert path.read_bytes() == content
    assert not (data / "outbox" / "damaged").exists()


def test_verify_reads_event_files(files: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = next(files.rglob("*e5*"))
    path.write_text("{")
    assert run(capfd, "verify", "--data", files, status=1).startswith(f"{path}: not JSON")


def test_verify_looks_at_the_ids_seen(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = data / "seen" / "link-x"
    folder.mkdir(parents=True)
    (folder / "seen-0000000001.log").write_text("nothing\n")
    assert "damaged lines of ids" in run(capfd, "verify", "--data", data, status=1)


@pytest.mark.parametrize("command", ["list", "export", "stats"])
def test_beside_damage_all_else_is_printed_and_the_status_is_1(
    data: Path, capfd: pytest.CaptureFixture[str], command: str
) -> None:
    whole = call(capfd, command, "--data", data)
    path = damage(data)
    ended = call(capfd, command, "--data", data)
    assert (whole.status, ended.status) == (0, 1)
    assert ended.errors.startswith(f"damaged: {path}, bytes ")
    assert len(ended.errors.splitlines()) == 1
    assert len(ended.output) > len(whole.output) / 2


def test_beside_damage_in_files_all_else_is_printed_and_the_status_is_1(
    files: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    next(files.rglob("*e5*")).write_text("{")
    ended = call(capfd, "list", "--data", files, "--json")
    assert ids(ended.output) == [f"e{n}" for n in LEFT if n != 5]
    assert "e5" in ended.errors
    assert ended.status == 1


def test_an_event_is_shown_though_another_one_is_damaged(
    data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    damage(data)
    ended = call(capfd, "show", "e9", "--data", data)
    assert ended.output == stored(9, 10).payload.decode() + "\n"
    assert ended.errors.startswith("damaged: ")
    assert ended.status == 1


# Moving


def test_what_is_exported_can_be_imported(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lines, other = tmp_path / "lines", tmp_path / "other"
    run(capfd, "export", "--data", data, "--output", lines)
    assert lines.stat().st_mode & 0o077 == 0
    said = run(capfd, "import", lines, "--data", other)
    assert said == f"{len(LEFT)} events imported; 0 were there already\n"
    log = SegmentLog(other / "outbox")
    log.open()
    events = log.read([ref.sequence for ref in log.pending()]).events
    log.close()
    assert [event.payload for event in events] == [stored(n, 1).payload for n in LEFT]
    assert {event.tag for event in events} == {"line"}
    assert [event.priority for event in events] == [n % 3 for n in LEFT]
    assert {event.source for event in events} == {"d1.s"}  # or they would hold up all others
    again = json.loads(run(capfd, "import", lines, "--data", other, "--json"))
    assert again == {"taken": 0, "pending": len(LEFT)}


def test_import_takes_the_files_of_the_predecessor(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    day = tmp_path / "event" / "2026-01-02T00:00:00+00:00"
    day.mkdir(parents=True)
    for number in (2, 1):
        name = f"2026-01-02T00:00:0{number}+00:00.uid[e{number}].json"
        (day / name).write_bytes(stored(number, 1).payload)
    run(capfd, "import", tmp_path / "event", "--data", tmp_path / "data")
    assert ids(run(capfd, "list", "--data", tmp_path / "data", "--json")) == ["e1", "e2"]


def test_import_goes_where_the_node_keeps_its_events(
    data: Path, files: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = tmp_path / "lines"
    lines.write_bytes(b"\n".join(stored(number, 1).payload for number in (9, 77)))
    said = run(capfd, "import", lines, "--data", files)
    assert said == "1 events imported; 1 were there already\n"
    assert not (files / "outbox").exists()
    assert ids(run(capfd, "list", "--data", files, "--json"))[-1] == "e77"
    run(capfd, "export", "--data", files, "--output", tmp_path / "all")
    run(capfd, "import", tmp_path / "all", "--data", data)
    assert ids(run(capfd, "list", "--data", data, "--json"))[-1] == "e77"


def test_import_from_a_pipe(data: Path, tmp_path: Path) -> None:
    command = f"{sys.executable} -m gwproactor.cli events"
    pipe = f"{command} export --data {data} | {command} import - --data {tmp_path}/other"
    done = subprocess.run(["sh", "-c", pipe], capture_output=True, check=False, timeout=30)
    assert (done.stdout, done.stderr) == (b"8 events imported; 0 were there already\n", b"")


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "{}",
        '{"MessageId": "x", "TimeCreatedMs": 1}',
        '{"_gwproactor": {"priority": 100}}',
    ],
)
def test_a_bad_line_is_named_and_nothing_is_imported(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], line: str
) -> None:
    lines = tmp_path / "lines"
    lines.write_text(stored(77, 1).payload.decode() + "\n\n" + line + "\n")
    assert "line 3 is no event" in refused(capfd, "import", lines, "--data", data)
    assert "e77" not in run(capfd, "list", "--data", data)


def test_a_bad_file_is_named_and_nothing_is_imported(
    data: Path, files: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = next(files.rglob("*e5*"))
    path.write_text("{")
    said = refused(capfd, "import", files / "event", "--data", data)
    assert f"{path} is no event" in said
    assert "move it elsewhere" in said
    assert ids(run(capfd, "list", "--data", data, "--json")) == [f"e{n}" for n in LEFT]


# Help, and what is wrong with a call

COMMANDS = [command for command in events.commands.values() if isinstance(command, Command)]


def test_each_command_has_examples() -> None:
    assert len(COMMANDS) == len(events.commands) >= 7
    assert [command.name for command in COMMANDS if not command.examples] == []


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: str(command.name))
def test_the_examples_in_the_help_work(
    command: Command, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shown = call(capfd, str(command.name), "--help").output
    for number, example in enumerate(command.examples):
        assert f"\n  {example}\n" in shown
        assert call(capfd, *made_real(example, tmp_path / str(number))).errors == ""


def made_real(example: str, home: Path) -> list[str]:
    """The words of an example, with names and folders that are there."""
    data = fill(home / "data")
    letters = SegmentLog(data / "dead-letters")
    letters.open()
    letters.commit([stored(5, 1)], ())
    letters.close()
    SegmentLog(data / "inbox").open()
    (home / "lines").write_bytes(stored(77, 1).payload + b"\n")
    text = re.sub(r"--data \S+|--name \S+", f"--data {data}", example)
    text = re.sub(r"--output \S+", f"--output {home}/new", text)
    text = re.sub(r"import \S+", f"import {home}/lines", text)
    text = re.sub(r"[0-9a-f]{8}-[-0-9a-f]{27}", "e5", text).replace("--box inbox", "--box outbox")
    program, group, *words = shlex.split(text)
    assert (program, group) == ("gwproactor", "events")
    return words


def test_a_node_that_runs_is_not_changed(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = tmp_path / "lines"
    lines.write_bytes(stored(77, 1).payload)
    with DataFolder(data, "d1.scada"):
        assert "d1.scada" in refused(capfd, "import", lines, "--data", data)
        assert "d1.scada" in refused(capfd, "requeue", "--all", "--data", data)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["list", "--data", "/nowhere"], "/nowhere is no data folder"),
        (["list", "--files", "/nowhere"], "--files /nowhere is no folder"),
        (["list", "--name", "a/b"], "--name is 'a/b'"),
        (["list", "--config", "/nowhere"], "--config /nowhere cannot be read"),
        (["show", "nothing", "--data", "DATA"], "no event of that id"),
        (["show", "--data", "DATA"], "ID"),
        (["list", "--data", "DATA", "--since", "noon"], "--since is 'noon'"),
        (["list", "--data", "DATA", "--box", "drawer"], "drawer"),
        (["list"], "--data"),
        (["lst"], "did you mean 'list'?"),
        (["list", "stray", "--data", "DATA"], "takes only options"),
        (["requeue", "--data", "DATA"], "either their ids, or --all"),
        (["requeue", "x", "--data", "DATA"], "no dead letter has the id 'x'"),
        (["import", "/nowhere", "--data", "DATA"], "/nowhere cannot be read"),
        (["import", "/", "--data", "DATA"], "no event files"),
        (["export", "--data", "DATA", "--output", "/"], "--output /"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    data: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    words = [str(data) if word == "DATA" else word for word in arguments]
    assert said in refused(capfd, *words)


# Refused events


def test_refused_events_are_listed_counted_and_requeued_to_their_places(
    data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = SegmentLog(data / "refused")
    log.open()
    log.commit([stored(0, 1), stored(3, 4)], ())  # the two that are missing in the outbox
    log.close()
    assert ids(run(capfd, "list", "--data", data, "--box", "refused", "--json")) == ["e0", "e3"]
    assert json.loads(run(capfd, "stats", "--data", data, "--json"))["refused"]["events"] == 2
    assert run(capfd, "verify", "--data", data) == "nothing is damaged\n"  # gaps are natural there
    said = run(capfd, "requeue", "--all", "--data", data)
    assert said == "2 events are back where they were before they were set aside\n"
    assert ids(run(capfd, "list", "--data", data, "--json")) == [f"e{n}" for n in range(10)]
    assert run(capfd, "list", "--data", data, "--box", "refused") == ""
    assert run(capfd, "verify", "--data", data) == "nothing is damaged\n"
