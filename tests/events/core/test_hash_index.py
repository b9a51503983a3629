"""Sequences by hash: each is found until it is removed, and keys may share a hash."""

from hypothesis import given
from hypothesis import strategies as st

from gwproactor.events.core.hash_index import HashIndex

hashes = st.sampled_from([0, 1, -1, 1 << 14, 2**63 - 1, -(2**63)])


@given(st.lists(hashes, max_size=30), st.data())
def test_what_is_added_is_found(added: list[int], data: st.DataObject) -> None:
    index = HashIndex()
    left = list(enumerate(added))
    for sequence, key_hash in left:
        index.add(key_hash, sequence)
    while left:
        for key_hash in added:
            assert sorted(index.find(key_hash)) == [n for n, other in left if other == key_hash]
        sequence, key_hash = data.draw(st.sampled_from(left))
        index.remove(key_hash, sequence)
        left.remove((sequence, key_hash))
    assert all(not list(index.find(key_hash)) for key_hash in added)
