"""What is set aside: written before it leaves the inbox, within a limit, under its own sequence."""

from gwproactor.events.dead_letters import DeadLetters
from gwproactor.events.memory_store import MemoryStore
from gwproactor.events.store import StoredEvent

EVENT = StoredEvent(7, "a", b"{}", "child")


async def kept(store: MemoryStore) -> list[StoredEvent]:
    return list((await store.read([ref.sequence for ref in store.pending()])).events)


async def test_what_is_to_be_set_aside_is_written_with_its_removal() -> None:
    store = MemoryStore()
    letters = DeadLetters(store)
    await letters.open()
    letters.add(EVENT)
    await letters.commit([EVENT._replace(sequence=8).ref])
    assert await kept(store) == []
    await letters.commit([EVENT.ref])
    assert await kept(store) == [EVENT._replace(sequence=1)]


async def test_a_commit_that_is_repeated_changes_nothing() -> None:
    store = MemoryStore()
    letters = DeadLetters(store)
    await letters.open()
    letters.add(EVENT)
    await letters.commit([EVENT.ref])
    await letters.commit([EVENT.ref])
    letters.committed([EVENT.ref])
    await letters.commit([EVENT.ref])
    assert await kept(store) == [EVENT._replace(sequence=1)]


async def test_sequences_go_on_where_the_store_ends() -> None:
    store = MemoryStore()
    await store.commit([EVENT._replace(sequence=41)], ())
    letters = DeadLetters(store)
    await letters.open()
    letters.add(EVENT)
    await letters.commit([EVENT.ref])
    assert [event.sequence for event in await kept(store)] == [41, 42]


async def test_there_is_room_up_to_the_limit() -> None:
    store = MemoryStore()
    letters = DeadLetters(store, max_bytes=EVENT.size_bytes)
    assert letters.has_room_for(EVENT)
    letters.add(EVENT)
    await letters.commit([EVENT.ref])
    assert not letters.has_room_for(EVENT)
