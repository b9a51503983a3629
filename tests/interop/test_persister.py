"""The event folder of an installation of the predecessor: picked up as it is, and given back.

The predecessor's own persister writes and reads it, in an environment of its own.
"""

import asyncio
import inspect
import json
import subprocess
from pathlib import Path

import pytest

from benchmarks.contestants import PREDECESSOR_PYTHON
from gwproactor import persister as ours
from gwproactor.events.persisters.persister_store import PersisterStore
from gwproactor.events.persisters.timed_rolling_files import TimedRollingFilePersister

pytestmark = pytest.mark.usefixtures("needs_peer")

IDS = ["0f6fc1a9-1b6c-4b3a-9b8e-0d7c6b5a4f3e", "second", "é [x].uid[y]"]

WRITE = """
import datetime, sys
from gwproactor.persister import TimedRollingFilePersister
from gwproto.messages import ProblemEvent, Problems
persister = TimedRollingFilePersister(sys.argv[1])
for uid in sys.argv[2:]:
    event = ProblemEvent(Src="d1", ProblemType=Problems.error, Summary=uid, MessageId=uid)
    text = event.model_dump_json(indent=2 if uid == "second" else None)
    persister.persist(uid, text.encode()).unwrap()
"""

READ = """
import json, sys
from gwproactor.persister import TimedRollingFilePersister
persister = TimedRollingFilePersister(sys.argv[1])
persister.reindex().unwrap()
found = {uid: persister.retrieve(uid).unwrap().decode() for uid in persister.pending_ids()}
print(json.dumps(found))
"""

NAMES = """
import inspect, json
from gwproactor import persister
def description(kind):
    members = [name for name in dir(kind) if not name.startswith("_")]
    return [list(inspect.signature(kind).parameters), members]
print(json.dumps({name: description(getattr(persister, name)) for name in persister.__all__}))
"""


async def predecessor(code: str, *arguments: str) -> str:
    # Isolated from this checkout, whose package has the same name.
    process = await asyncio.create_subprocess_exec(
        str(PREDECESSOR_PYTHON),
        "-I",
        "-c",
        code,
        *arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return output.decode()


async def test_its_folder_is_read_as_it_is(tmp_path: Path) -> None:
    await predecessor(WRITE, str(tmp_path), *IDS[:2])
    persister = TimedRollingFilePersister(tmp_path)
    store = PersisterStore(persister)
    assert await store.open() == []
    refs = list(store.pending())
    assert [ref.event_id for ref in refs] == IDS[:2]
    events, damages = await store.read([1, 2])
    assert damages == []
    for event, ref in zip(events, refs, strict=True):
        assert event.ref == ref
        assert b"\n" not in event.payload
        assert json.loads(event.payload)["Summary"] == event.event_id
    await store.commit((), [1, 2])
    await store.close()
    assert list(persister.base_dir.glob("*/*")) == []


async def test_an_id_that_it_would_not_find_again_is_found_here(tmp_path: Path) -> None:
    await predecessor(WRITE, str(tmp_path), IDS[2])
    persister = TimedRollingFilePersister(tmp_path)
    persister.reindex()
    assert persister.pending_ids() == [IDS[2]]


async def test_it_reads_what_we_leave(tmp_path: Path) -> None:
    persister = TimedRollingFilePersister(tmp_path)
    contents = {uid: json.dumps({"MessageId": uid}) for uid in IDS[:2]}
    for uid, text in contents.items():
        persister.persist(uid, text.encode())
    assert json.loads(await predecessor(READ, str(tmp_path))) == contents


async def test_its_names_are_here_with_their_parameters_and_members() -> None:
    for name, (parameters, members) in json.loads(await predecessor(NAMES)).items():
        kind = getattr(ours, name)
        assert list(inspect.signature(kind).parameters)[: len(parameters)] == parameters, name
        assert set(members) <= {*dir(kind), "path", "uid"}, name
