"""`gwproactor events` on real data folders, called as a function and as a process."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gwproactor.cli import main
from gwproactor.config.events import EventSettings
from gwproactor.config.link import LinkSettings
from gwproactor.config.mqtt import broker_from_url
from gwproactor.config.proactor import ProactorSettings
from gwproactor.events.disk.folder import DataFolder
from gwproactor.events.incoming import ReceivedEvent
from gwproactor.events.log.segment_log import SegmentLog
from gwproactor.events.store import StoredEvent
from gwproactor.runtime.proactor import Proactor
from gwproactor.wire.payloads import AnyEvent
from gwproactor_test.brokers import AnyBroker
from gwproactor_test.clients import until
from gwproactor_test.nodes import NodeProcess, Stored, child_options

NOBODY = "mqtt://127.0.0.1:1"
HOUR_MS = 3_600_000
SOME_DAY_MS = 1_794_000_000_000  # 2026-11-06T21:20:00Z


def stored(number: int, sequence: int, **fields: Any) -> StoredEvent:
    event = AnyEvent(
        MessageId=f"e{number}",
        TimeCreatedMs=SOME_DAY_MS + number * HOUR_MS,
        Src="d1.s",
        TypeName="gridworks.event.even" if number % 2 == 0 else "gridworks.event.odd",
        **fields,
    )
    return StoredEvent(sequence, event.MessageId, event.model_dump_json().encode(), "line")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder whose outbox has held ten events, in several segments; two were removed."""
    folder = tmp_path / "data"
    log = SegmentLog(folder / "outbox", segment_bytes=600)
    log.open()
    for number in range(10):
        log.commit([stored(number, number + 1)], ())
    log.commit((), [1, 4])
    log.close()
    return folder


LEFT = [1, 2, 4, 5, 6, 7, 8, 9]


def run(capfd: pytest.CaptureFixture[str], *arguments: str | Path, status: int = 0) -> str:
    assert main(["events", *map(str, arguments)]) == status
    output, errors = capfd.readouterr()
    assert errors == ""
    return output


def refused(capfd: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    assert main(["events", *map(str, arguments)]) == 2
    output, errors = capfd.readouterr()
    assert output == ""
    assert len(errors.splitlines()) == 1
    return errors


def ids(output: str) -> list[str]:
    return [json.loads(line)["id"] for line in output.splitlines()]


# Looking


def test_list_gives_what_is_there_in_order(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lines = run(capfd, "list", "--data", data).splitlines()
    assert [line.split("\t")[0] for line in lines] == [f"e{n}" for n in LEFT]
    first = lines[0].split("\t")
    assert first[1:4] == ["2026-11-06T22:20:00.000+00:00", "gridworks.event.odd", "d1.s"]
    assert first[5] == "line"


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        (["--type", "gridworks.event.even"], [2, 4, 6, 8]),
        (["--since", "2026-11-07T01:21:00"], [5, 6, 7, 8, 9]),
        (["--until", "2026-11-07T01:21:00+00:00"], [1, 2, 4]),
        (["--limit", "3"], [1, 2, 4]),
        (["--limit", "0"], []),
        (["--type", "gridworks.event.even", "--since", "2026-11-06T23:21:00", "--limit", "1"], [4]),
        (["--box", "inbox"], []),
    ],
)
def test_list_chooses(
    data: Path, capfd: pytest.CaptureFixture[str], options: list[str], numbers: list[int]
) -> None:
    assert ids(run(capfd, "list", "--data", data, "--json", *options)) == [f"e{n}" for n in numbers]


def test_show_prints_what_is_stored(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(capfd, "show", "e5", "--data", data) == stored(5, 6).payload.decode() + "\n"


def test_stats_count(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    counts = json.loads(run(capfd, "stats", "--data", data, "--json"))
    assert counts["outbox"]["events"] == len(LEFT)
    assert counts["outbox"]["types"] == {"gridworks.event.even": 4, "gridworks.event.odd": 4}
    assert counts["outbox"]["oldest"] == "2026-11-06T22:20:00.000+00:00"
    assert counts["outbox"]["segments"] > 1
    assert 0 < counts["outbox"]["live_bytes"] < counts["outbox"]["file_bytes"]
    assert counts["inbox"]["events"] == counts["dead-letters"]["events"] == 0
    assert counts["holder"] == ""
    assert "outbox\n  events: 8\n" in run(capfd, "stats", "--data", data)


def test_beside_a_running_node_everything_can_be_looked_at(
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
    data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(capfd, "verify", "--data", data) == "nothing is damaged\n"


def test_verify_names_what_is_damaged_and_changes_nothing(
    data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = sorted((data / "outbox").iterdir())[1]
    content = bytearray(path.read_bytes())
    content[content.index(b"d1.s")] ^= 1
    path.write_bytes(content)
    found = json.loads(run(capfd, "verify", "--data", data, "--json", status=1))
    assert str(path) in found["place"]
    assert found["id"].startswith("e")
    assert path.read_bytes() == content
    assert not (data / "outbox" / "damaged").exists()


def test_verify_looks_at_the_ids_seen(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = data / "seen" / "link-x"
    folder.mkdir(parents=True)
    (folder / "seen-0000000001.log").write_text("nothing\n")
    assert "damaged lines of ids" in run(capfd, "verify", "--data", data, status=1)


# Moving


def test_what_is_exported_can_be_imported(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lines, other = tmp_path / "lines", tmp_path / "other"
    run(capfd, "export", "--data", data, "--output", lines)
    assert lines.stat().st_mode & 0o077 == 0
    said = run(capfd, "import", lines, "--data", other)
    assert said == f"{len(LEFT)} events imported; 0 were there already\n"
    assert run(capfd, "export", "--data", other) == lines.read_text()
    log = SegmentLog(other / "outbox")
    log.open()
    assert {ref.source for ref in log.pending()} == {"d1.s"}  # or they would hold up all others
    log.close()
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


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"MessageId": "x", "TimeCreatedMs": 1}'])
def test_a_bad_line_is_named_and_nothing_is_imported(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], line: str
) -> None:
    lines = tmp_path / "lines"
    lines.write_text(stored(77, 1).payload.decode() + "\n\n" + line + "\n")
    assert "line 3 is no event" in refused(capfd, "import", lines, "--data", data)
    assert "e77" not in run(capfd, "list", "--data", data)


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


# With nodes


async def test_what_was_imported_is_sent(broker: AnyBroker, tmp_path: Path) -> None:
    lines = tmp_path / "lines"
    lines.write_bytes(b"\n".join(stored(number, 1).payload for number in range(50)))
    assert (
        await asyncio.to_thread(
            main, ["events", "import", str(lines), "--data", str(tmp_path / "c")]
        )
        == 0
    )
    received: list[str] = []
    parent = Proactor("d1.p", ProactorSettings())
    parent.add_link(
        LinkSettings(
            peer_name="d1.c",
            peer_short_name="c",
            subscription_name="p",
            downstream=True,
            brokers=(broker_from_url(broker.url),),
        )
    )

    @parent.on_event
    async def keep(event: ReceivedEvent) -> None:
        received.append(event.event_id)

    child = Proactor("d1.c", ProactorSettings(events=EventSettings(folder=tmp_path / "c")))
    child.add_link(
        LinkSettings(
            peer_name="d1.p",
            peer_short_name="p",
            subscription_name="c",
            upstream=True,
            brokers=(broker_from_url(broker.url),),
        )
    )
    async with parent, child:
        await until(
            lambda: (
                [each for each in received if each[1:].isdigit()] == [f"e{n}" for n in range(50)]
            )
        )


class Failing(Proactor):
    """Fails with every event, or with none."""

    def __init__(self, url: str, folder: Path, *, fails: bool) -> None:
        super().__init__(
            "d1.p", ProactorSettings(events=EventSettings(folder=folder, handler_tries=1))
        )
        self.fails = fails
        self.ids: list[str] = []
        self.problems: list[str] = []
        self.add_link(
            LinkSettings(
                peer_name="d1.c",
                peer_short_name="c",
                subscription_name="p",
                downstream=True,
                brokers=(broker_from_url(url),),
            )
        )

    async def process_event(self, event: ReceivedEvent) -> None:
        if self.fails:
            raise RuntimeError("not today")
        self.ids.append(event.event_id)

    def report_problem(self, summary: str, details: str = "", is_error: bool = True) -> None:
        self.problems.append(summary)


async def test_dead_letters_are_handled_after_they_were_requeued(
    broker: AnyBroker, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "p"
    async with Failing(broker.url, folder, fails=True) as parent:
        child = Proactor("d1.c", ProactorSettings())
        child.add_link(
            LinkSettings(
                peer_name="d1.p",
                peer_short_name="p",
                subscription_name="c",
                upstream=True,
                brokers=(broker_from_url(broker.url),),
            )
        )
        async with child:
            child.post_event(AnyEvent(MessageId="wanted"))
            child.post_event(AnyEvent(MessageId="other"))
            await until(lambda: sum("is set aside" in each for each in parent.problems) >= 3)
    listed = ids(run(capfd, "list", "--box", "dead-letters", "--data", folder, "--json"))
    assert {"wanted", "other"} <= set(listed)
    run(capfd, "requeue", "wanted", "--data", folder)
    assert "wanted" not in run(capfd, "list", "--box", "dead-letters", "--data", folder)
    assert ids(run(capfd, "list", "--box", "inbox", "--data", folder, "--json")) == ["wanted"]
    async with Failing(broker.url, folder, fails=False) as parent:
        await until(lambda: parent.ids == ["wanted"])
    rest = len(listed) - 1
    assert json.loads(run(capfd, "requeue", "--all", "--data", folder, "--json")) == {
        "requeued": rest
    }
    async with Failing(broker.url, folder, fails=False) as parent:
        await until(lambda: len(parent.ids) == rest)


async def test_after_a_kill_everything_is_there(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with NodeProcess(*child_options(NOBODY, tmp_path / "c"), "--follow") as node:
        await node.send(*({"MessageId": f"k{number}"} for number in range(20)))
        await node.until(lambda: len(node.of(Stored)) == 20)
        node.kill()
        await node.exited()
    mine = ("--type", "gridworks.event.data")
    listed = ids(run(capfd, "list", "--data", tmp_path / "c", "--json", *mine))
    assert listed == [f"k{number}" for number in range(20)]
    assert run(capfd, "verify", "--data", tmp_path / "c") == "nothing is damaged\n"
