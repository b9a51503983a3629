"""A persister as a user may write one: the least that the interface asks for."""

from result import Ok, Result

from gwproactor.events.persisters.persister import CountingPersister
from gwproactor.problems import Problems


class DictPersister(CountingPersister):
    """Contents in a dict.

    Attributes:
        contents: What is kept, by its id.
    """

    def __init__(self) -> None:
        super().__init__()
        self.contents: dict[str, bytes] = {}

    def persist(self, uid: str, content: bytes) -> Result[bool, Problems]:
        """Keep it."""
        self.contents[uid] = content
        return Ok(True)

    def clear(self, uid: str) -> Result[bool, Problems]:
        """Forget it."""
        self.contents.pop(uid, None)
        return Ok(True)

    def pending_ids(self) -> list[str]:
        """The ids of what is kept."""
        return list(self.contents)

    @property
    def num_pending(self) -> int:
        """How many contents are kept."""
        return len(self.contents)

    @property
    def curr_bytes(self) -> int:
        """The size of what is kept."""
        return sum(map(len, self.contents.values()))

    def __contains__(self, uid: str) -> bool:
        return uid in self.contents

    def retrieve(self, uid: str) -> Result[bytes | None, Problems]:
        """Give it back."""
        return Ok(self.contents.get(uid))

    def reindex(self) -> Result[bool | None, Problems]:
        """Nothing to find."""
        return Ok(True)
