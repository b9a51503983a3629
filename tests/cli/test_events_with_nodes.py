"""`gwproactor events` and real nodes: on the folder of one that runs, was killed, or starts."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gwproactor.config.events import EventSettings
from gwproactor.config.proactor import ProactorSettings
from gwproactor.events.incoming import ReceivedEvent
from gwproactor.runtime.proactor import Proactor
from gwproactor_test.brokers import AnyBroker
from gwproactor_test.clients import until
from gwproactor_test.events_command import Ended, call, ids, refused, run, stored
from gwproactor_test.nodes import CHILD, NodeProcess, Ready, Stored, child_options, parent_options
from gwproactor_test.proactor_pair import NOBODY, PARENT, Parent, child, event, link_to_child

MINE = ("--type", "gridworks.event.data")
ROUNDS = 15


async def in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    return await asyncio.to_thread(function, *arguments)


@pytest.mark.parametrize("store", ["log", "files"])
async def test_what_was_imported_is_sent(
    broker: AnyBroker, tmp_path: Path, capfd: pytest.CaptureFixture[str], store: str
) -> None:
    lines = tmp_path / "lines"
    lines.write_bytes(b"\n".join(stored(number, 1).payload for number in range(50)))
    files = ("--files", tmp_path / "c" / "event") if store == "files" else ()
    await in_thread(run, capfd, "import", lines, "--data", tmp_path / "c", *files)
    async with (
        Parent(broker.url) as parent,
        child(broker.url, folder=tmp_path / "c", store=store, durability="os") as node,
    ):
        wanted = [f"e{number}" for number in range(50)]
        await until(lambda: [each for each in parent.ids if each in wanted] == wanted)
        await until(lambda: node.pending_event_count == 0)


class Failing(Proactor):
    """Fails with every event, or with none."""

    def __init__(self, url: str, folder: Path, *, fails: bool) -> None:
        super().__init__(
            PARENT, ProactorSettings(events=EventSettings(folder=folder, handler_tries=1))
        )
        self.fails = fails
        self.ids: list[str] = []
        self.problems: list[str] = []
        self.add_link(link_to_child(url))

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
    async with Failing(broker.url, folder, fails=True) as parent, child(broker.url) as node:
        node.post_event(event("wanted"))
        node.post_event(event("other"))
        await until(lambda: sum("is set aside" in each for each in parent.problems) >= 3)
    listed = ids(run(capfd, "list", "--box", "dead-letters", "--data", folder, "--json"))
    assert {"wanted", "other"} <= set(listed)
    run(capfd, "requeue", "wanted", "--data", folder)
    assert "wanted" not in run(capfd, "list", "--box", "dead-letters", "--data", folder)
    assert ids(run(capfd, "list", "--box", "inbox", "--data", folder, "--json")) == ["wanted"]
    assert run(capfd, "verify", "--data", folder) == "nothing is damaged\n"
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
    listed = ids(run(capfd, "list", "--data", tmp_path / "c", "--json", *MINE))
    assert listed == [f"k{number}" for number in range(20)]
    assert run(capfd, "verify", "--data", tmp_path / "c") == "nothing is damaged\n"


# Beside a node that runs


async def test_beside_a_node_all_may_be_looked_at_and_nothing_changed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data, lines = tmp_path / "c", tmp_path / "lines"
    lines.write_bytes(stored(77, 1).payload)
    async with NodeProcess(*child_options(NOBODY, data), "--follow") as node:
        ready = await node.wait(Ready)
        await node.send({"MessageId": "k1"})
        await node.wait(Stored)
        holder = f"{CHILD} (process {ready.pid})"
        where = ("--data", data)

        assert ids(await in_thread(run, capfd, "list", *where, "--json", *MINE)) == ["k1"]
        assert "k1" in await in_thread(run, capfd, "show", "k1", *where)
        assert (
            json.loads(await in_thread(run, capfd, "stats", *where, "--json"))["holder"] == holder
        )
        assert "k1" in await in_thread(run, capfd, "export", *where)
        assert await in_thread(run, capfd, "verify", *where) == "nothing is damaged\n"

        for words in (("import", lines), ("requeue", "--all"), ("requeue", "x")):
            said = await in_thread(refused, capfd, *words, *where)
            assert f"is in use by {holder}: stop that one" in said
        assert "e77" not in await in_thread(run, capfd, "list", *where)


async def test_what_a_busy_node_does_meanwhile_is_no_damage(
    broker: AnyBroker, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Both ends write, ack, and remove what is done, while everything is read again and again."""
    async with (
        NodeProcess(*parent_options(broker.url, tmp_path / "p")) as parent,
        NodeProcess(*child_options(broker.url, tmp_path / "c"), "--follow") as node,
    ):
        await parent.wait(Ready)
        await node.wait(Ready)
        for number in range(ROUNDS):
            await node.send(*({"n": number, "Text": "x" * 5000} for _ in range(100)))
            for command in ("verify", "list", "stats", "export"):
                for side in ("p", "c"):
                    ended: Ended = await in_thread(call, capfd, command, "--data", tmp_path / side)
                    assert (ended.status, ended.errors) == (0, "")
        await node.until(lambda: len(node.of(Stored)) == 100 * ROUNDS)


async def test_what_a_busy_node_does_with_event_files_meanwhile_is_no_damage(
    broker: AnyBroker, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with (
        Parent(broker.url) as parent,
        child(broker.url, folder=tmp_path / "c", store="files", durability="os") as node,
    ):
        for number in range(ROUNDS):
            for place in range(20):
                node.post_event(event(f"{number}-{place}"))
            for command in ("verify", "list", "stats", "export"):
                ended: Ended = await in_thread(call, capfd, command, "--data", tmp_path / "c")
                assert (ended.status, ended.errors) == (0, "")
        await until(lambda: node.pending_event_count == 0)
        await until(lambda: f"{ROUNDS - 1}-19" in parent.ids)
