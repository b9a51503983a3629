"""The reference's persister: content by its id, kept until it is cleared; calls that block.

`PersisterInterface` is what a program implements that wants its events kept in a way of its own;
`gwproactor.events.persisters.persister_store` lets any of them serve. Calls return `Ok`, or an
`Err` with `Problems`: where that has no errors but only warnings, the call did its work all the
same.

`StubPersister` accepts everything and keeps nothing.
"""

from abc import ABC, abstractmethod

from result import Ok, Result

from gwproactor.problems import Problems

ENCODING = "utf-8"
"""How the content that this library persists is encoded."""


class PersisterInterface(ABC):
    """Keeps content by its id. For one thread at a time; any call may block.

    The abstract methods are those of the reference. The others have defaults that are right for a
    persister that knows nothing better.
    """

    @abstractmethod
    def persist(self, uid: str, content: bytes) -> Result[bool, Problems]:
        """Keep `content` under `uid`, in place of what is kept under it already."""

    @abstractmethod
    def clear(self, uid: str) -> Result[bool, Problems]:
        """Forget what is kept under `uid`; that there is nothing is a warning."""

    @abstractmethod
    def pending_ids(self) -> list[str]:
        """The ids of what is kept, in the order in which it was persisted."""

    @property
    @abstractmethod
    def num_pending(self) -> int:
        """How many there are."""

    @property
    @abstractmethod
    def curr_bytes(self) -> int:
        """What all of it takes up, in bytes, as far as that is known."""

    @abstractmethod
    def __contains__(self, uid: str) -> bool:
        """Whether something is kept under `uid`."""

    @abstractmethod
    def retrieve(self, uid: str) -> Result[bytes | None, Problems]:
        """Give back what is kept under `uid`; None where there is nothing."""

    @abstractmethod
    def reindex(self) -> Result[bool | None, Problems]:
        """Find out what earlier runs have left; called once, before anything else."""

    @property
    @abstractmethod
    def num_persists(self) -> int:
        """How often `persist` has been called."""

    @property
    @abstractmethod
    def num_retrieves(self) -> int:
        """How often `retrieve` has been called."""

    @property
    @abstractmethod
    def num_clears(self) -> int:
        """How often `clear` has been called."""

    @property
    def max_bytes(self) -> int | None:
        """Beyond so many bytes of content something is refused or dropped; None: without limit."""
        return None

    def content_bytes(self, uid: str) -> int:  # noqa: ARG002 - a better one knows each
        """The size of what is kept under `uid`; here the average of all."""
        return self.curr_bytes // max(self.num_pending, 1)

    def set_aside(self, uid: str) -> Result[bool, Problems]:  # noqa: ARG002 - here is no place
        """Put away what is kept under `uid`, unreadable as it is, for a person to look at.

        Returns:
            Whether it is put away, and not pending any more. Here it is not.
        """
        return Ok(False)

    def sync_removals(self) -> Result[bool, Problems]:
        """Let no power cut bring back what has been cleared. Here `clear` has to see to that."""
        return Ok(True)


class CountingPersister(PersisterInterface):
    """A persister that counts in `_num_persists` and the like how often it is called."""

    def __init__(self) -> None:
        self._num_persists = 0
        self._num_retrieves = 0
        self._num_clears = 0

    @property
    def num_persists(self) -> int:
        """How often `persist` has been called."""
        return self._num_persists

    @property
    def num_retrieves(self) -> int:
        """How often `retrieve` has been called."""
        return self._num_retrieves

    @property
    def num_clears(self) -> int:
        """How often `clear` has been called."""
        return self._num_clears


class StubPersister(CountingPersister):
    """Accepts everything and keeps nothing; counts the calls."""

    def persist(self, uid: str, content: bytes) -> Result[bool, Problems]:  # noqa: ARG002
        """Keep nothing."""
        self._num_persists += 1
        return Ok(True)

    def clear(self, uid: str) -> Result[bool, Problems]:  # noqa: ARG002 - nothing is kept
        """Forget nothing."""
        self._num_clears += 1
        return Ok(True)

    def pending_ids(self) -> list[str]:
        """None."""
        return []

    @property
    def num_pending(self) -> int:
        """None."""
        return 0

    @property
    def curr_bytes(self) -> int:
        """None."""
        return 0

    def __contains__(self, uid: str) -> bool:
        return False

    def retrieve(self, uid: str) -> Result[bytes | None, Problems]:  # noqa: ARG002 - as above
        """There is nothing."""
        self._num_retrieves += 1
        return Ok(None)

    def reindex(self) -> Result[bool | None, Problems]:
        """There is nothing."""
        return Ok(True)
