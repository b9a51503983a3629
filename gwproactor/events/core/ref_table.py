"""Refs of events by their sequence, in some 25 bytes each where their ids are UUIDs.

Sequences are dense, so a table is made of blocks of neighbours, and in a block each attribute is an
array. An id that is a UUID in its usual form is kept as its 16 bytes; any other as it is. What many
events share (tag, source, priority) is kept once, as a label.
"""

from array import array
from collections.abc import Iterator

from gwproactor.events.store import EventRef

_BLOCK_BITS = 8
_BLOCK_COUNT = 1 << _BLOCK_BITS
"""Neighbours in one block: few, so that one that stays behind alone costs little."""

_UUID_BYTES = 16
_UUID_CHARACTERS = 36


_Label = tuple[str, str, int]
"""Tag, source and priority."""


class _Labels:
    """Labels by number, counted; number 0 stands for an empty row."""

    def __init__(self) -> None:
        self._labels: list[_Label | None] = [None]
        self._counts = array("Q", [0])
        self._numbers: dict[_Label, int] = {}
        self._free: list[int] = []

    def __getitem__(self, number: int) -> _Label:
        label = self._labels[number]
        assert label is not None
        return label

    def hold(self, label: _Label) -> int:
        number = self._numbers.get(label)
        if number is None:
            number = self._numbers[label] = self._new(label)
        self._counts[number] += 1
        return number

    def _new(self, label: _Label) -> int:
        if self._free:
            number = self._free.pop()
            self._labels[number] = label
            return number
        self._labels.append(label)
        self._counts.append(0)
        return len(self._labels) - 1

    def let_go(self, number: int) -> None:
        self._counts[number] -= 1
        if not self._counts[number]:
            del self._numbers[self[number]]
            self._labels[number] = None
            self._free.append(number)


class _Block:
    __slots__ = ("count", "ids", "labels", "other_ids", "sizes")

    def __init__(self) -> None:
        self.count = 0
        self.ids = bytearray(_UUID_BYTES * _BLOCK_COUNT)
        self.other_ids: dict[int, str] = {}
        self.sizes = array("I", bytes(4 * _BLOCK_COUNT))
        self.labels = array("I", bytes(4 * _BLOCK_COUNT))


class RefTable:
    """Refs by sequence; iterating gives them in the order of their sequences."""

    def __init__(self) -> None:
        self._blocks: dict[int, _Block] = {}
        self._labels = _Labels()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, sequence: int) -> bool:
        block = self._blocks.get(sequence >> _BLOCK_BITS)
        return block is not None and block.labels[sequence % _BLOCK_COUNT] != 0

    def __iter__(self) -> Iterator[EventRef]:
        for number in sorted(self._blocks):
            first = number << _BLOCK_BITS
            for sequence in range(first, first + _BLOCK_COUNT):
                ref = self.get(sequence)
                if ref is not None:
                    yield ref

    def put(self, ref: EventRef) -> None:
        """Take in a ref; one of this sequence that is there is replaced."""
        if ref.sequence in self:
            self.remove(ref.sequence)
        block = self._blocks.get(ref.sequence >> _BLOCK_BITS)
        if block is None:
            block = self._blocks[ref.sequence >> _BLOCK_BITS] = _Block()
        row = ref.sequence % _BLOCK_COUNT
        packed = _packed(ref.event_id)
        if packed is None:
            block.other_ids[row] = ref.event_id
        else:
            block.ids[_UUID_BYTES * row : _UUID_BYTES * (row + 1)] = packed
        block.sizes[row] = ref.size_bytes
        block.labels[row] = self._labels.hold(ref[3:])
        block.count += 1
        self._count += 1

    def get(self, sequence: int) -> EventRef | None:
        """Give the ref of this sequence, if there is one."""
        block = self._blocks.get(sequence >> _BLOCK_BITS)
        row = sequence % _BLOCK_COUNT
        if block is None or not block.labels[row]:
            return None
        event_id = block.other_ids.get(row)
        if event_id is None:
            event_id = _unpacked(block.ids[_UUID_BYTES * row : _UUID_BYTES * (row + 1)])
        return EventRef(sequence, event_id, block.sizes[row], *self._labels[block.labels[row]])

    def remove(self, sequence: int) -> None:
        """Forget a ref; an unknown one is no error."""
        block = self._blocks.get(sequence >> _BLOCK_BITS)
        row = sequence % _BLOCK_COUNT
        if block is None or not block.labels[row]:
            return
        self._labels.let_go(block.labels[row])
        block.labels[row] = 0
        block.other_ids.pop(row, None)
        block.count -= 1
        self._count -= 1
        if not block.count:
            del self._blocks[sequence >> _BLOCK_BITS]


def _packed(event_id: str) -> bytes | None:
    """The bytes of a UUID in its usual form; None for any other text."""
    if len(event_id) != _UUID_CHARACTERS:
        return None
    try:
        packed = bytes.fromhex(event_id.replace("-", ""))
    except ValueError:
        return None
    return packed if len(packed) == _UUID_BYTES and _unpacked(packed) == event_id else None


def _unpacked(packed: bytes | bytearray) -> str:
    digits = packed.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
