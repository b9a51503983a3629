"""Message ids: uuid4 texts, made many at a time, and never the same twice."""

import multiprocessing
import uuid
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection

from gwproactor.wire.payloads import new_message_id


def test_they_are_uuid4_texts() -> None:
    for _ in range(600):
        text = new_message_id()
        parsed = uuid.UUID(text)
        assert (str(parsed), parsed.version, parsed.variant) == (text, 4, uuid.RFC_4122)


def test_threads_get_different_ones() -> None:
    with ThreadPoolExecutor(8) as threads:
        ids = list(threads.map(lambda _: new_message_id(), range(20_000)))
    assert len(set(ids)) == 20_000


def _send_ids(connection: Connection) -> None:
    connection.send([new_message_id() for _ in range(300)])


def test_a_forked_process_gets_different_ones() -> None:
    new_message_id()
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    process = context.Process(target=_send_ids, args=(there,))
    process.start()
    theirs = here.recv()
    process.join()
    here.close()
    there.close()
    assert not set(theirs) & {new_message_id() for _ in range(300)}
