"""Sequences by the hash of a key, in some 20 bytes each.

A hash says which of many small arrays to look in; there a linear search, which the array does by
itself, is quicker than anything that could be built on top. Two keys may share a hash: who asks
compares the keys.
"""

from array import array
from collections.abc import Iterator

_PARTITIONS = 1 << 13
"""With a million events there are some 120 in each."""


class HashIndex:
    """Sequences by hash, of 64 bits with a sign, as `hash` gives it."""

    def __init__(self) -> None:
        self._hashes: list[array[int] | None] = [None] * _PARTITIONS
        self._sequences: list[array[int]] = [array("Q")] * _PARTITIONS

    def add(self, key_hash: int, sequence: int) -> None:
        """Take in a sequence."""
        place = key_hash % _PARTITIONS
        hashes = self._hashes[place]
        if hashes is None:
            self._hashes[place] = array("q", (key_hash,))
            self._sequences[place] = array("Q", (sequence,))
        else:
            hashes.append(key_hash)
            self._sequences[place].append(sequence)

    def find(self, key_hash: int) -> Iterator[int]:
        """Give the sequences of keys with this hash; nearly always there is none or one."""
        place = key_hash % _PARTITIONS
        hashes = self._hashes[place]
        if hashes is None or key_hash not in hashes:
            return
        for found, sequence in zip(hashes, self._sequences[place], strict=True):
            if found == key_hash:
                yield sequence

    def remove(self, key_hash: int, sequence: int) -> None:
        """Forget a sequence; it must be there."""
        place = key_hash % _PARTITIONS
        hashes, sequences = self._hashes[place], self._sequences[place]
        assert hashes is not None
        row = sequences.index(sequence)
        hashes.pop(row)
        sequences.pop(row)
        if not hashes:
            self._hashes[place] = None
