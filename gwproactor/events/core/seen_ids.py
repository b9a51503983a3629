"""The ids that are remembered, in little memory: about 26 MB for a million of them.

Of each id a digest of 16 bytes is kept, so many bits that two ids never share one by chance. The
digests lie one after the other in many short byte strings, chosen by the first bits of the digest;
a look-up is one search in about a kilobyte. New digests go to the end of their string, so the
oldest are always at its beginning: forgetting a *generation*, the ids that came between two points
in time, is cutting its share off the beginning of each string.
"""

from array import array
from collections import defaultdict, deque
from hashlib import blake2b

DIGEST_BYTES = 16

_SHELVES = 1 << 14
"""So that a string holds 61 digests when a million ids are known, a kilobyte."""


def digest_of(event_id: str) -> bytes:
    """The digest of an id; any text has one, also one that is no valid Unicode."""
    return blake2b(event_id.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest()


class SeenIds:
    """A set of digests that forgets its oldest generation at once.

    Adding in one thread while another one looks up is safe: each touches a string in one step.
    """

    def __init__(self) -> None:
        self._shelves: defaultdict[int, bytearray] = defaultdict(bytearray)
        self._generations: deque[array[int]] = deque()
        self._sizes: deque[int] = deque()

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._shelves.get(_shelf_of(digest), b"")

    def __len__(self) -> int:
        return sum(self._sizes)

    @property
    def oldest_size(self) -> int:
        """How many ids the oldest generation has."""
        return self._sizes[0] if self._sizes else 0

    @property
    def newest_size(self) -> int:
        """How many ids the newest generation has."""
        return self._sizes[-1] if self._sizes else 0

    def begin_generation(self) -> None:
        """From here on, added ids belong to a new generation."""
        self._generations.append(array("I", bytes(array("I").itemsize * _SHELVES)))
        self._sizes.append(0)

    def add(self, digest: bytes) -> None:
        """Remember a digest; there must be a generation."""
        shelf = _shelf_of(digest)
        self._shelves[shelf] += digest
        self._generations[-1][shelf] += 1
        self._sizes[-1] += 1

    def drop_generation(self) -> None:
        """Forget the ids of the oldest generation."""
        self._sizes.popleft()
        for shelf, count in enumerate(self._generations.popleft()):
            if count:
                del self._shelves[shelf][: count * DIGEST_BYTES]


def _shelf_of(digest: bytes) -> int:
    return digest[0] << 6 | digest[1] >> 2
