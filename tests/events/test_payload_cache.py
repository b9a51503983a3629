"""The payloads in memory: what is kept is there, and their size is known."""

from gwproactor.events.payload_cache import PayloadCache
from gwproactor.events.store import StoredEvent


def test_what_is_kept_is_there_until_it_is_dropped() -> None:
    cache = PayloadCache(10)
    event = StoredEvent(1, "a", b"12345")
    cache.keep(event)
    cache.keep(event)
    assert 1 in cache
    assert cache.get(1) == event
    assert cache.size_bytes == 5
    cache.drop(1)
    cache.drop(1)
    assert cache.get(1) is None
    assert cache.size_bytes == 0


def test_full_is_beyond_the_limit() -> None:
    cache = PayloadCache(10)
    full = []
    for sequence, payload in enumerate((b"1234567890", b"1")):
        cache.keep(StoredEvent(sequence, "a", payload))
        full.append(cache.is_full)
    assert full == [False, True]
    assert 1 in cache  # what is needed is kept all the same
