"""The reference's interface: what a user's persister must have, and what it gets for nothing."""

from pathlib import Path

import pytest
from result import Ok

from gwproactor import persister as names
from gwproactor.errors import StoreError
from gwproactor.events.persisters.persister import (
    PersisterInterface,
    StubPersister,
)
from gwproactor.events.persisters.persister_errors import (
    PersisterError,
    PersisterException,
    PersisterWarning,
    WriteFailed,
)
from gwproactor_test.persisters import DictPersister

ABSTRACT = """__contains__ clear curr_bytes num_clears num_pending num_persists num_retrieves
    pending_ids persist reindex retrieve"""


def test_a_persister_must_have_what_the_reference_says_and_no_more() -> None:
    assert PersisterInterface.__abstractmethods__ == frozenset(ABSTRACT.split())


def test_the_rest_has_defaults() -> None:
    persister = DictPersister()
    assert persister.content_bytes("a") == 0
    persister.persist("a", b"1234")
    persister.persist("b", b"12")
    assert persister.content_bytes("a") == 3  # the average, as far as it knows
    assert persister.max_bytes is None
    assert persister.set_aside("a") == Ok(False)
    assert persister.sync_removals() == Ok(True)


def test_the_stub_accepts_everything_and_keeps_nothing() -> None:
    stub = StubPersister()
    assert stub.persist("a", b"{}") == stub.clear("a") == stub.reindex() == Ok(True)
    assert stub.retrieve("a") == Ok(None)
    assert stub.pending_ids() == []
    assert stub.num_pending == stub.curr_bytes == 0
    assert "a" not in stub
    assert (stub.num_persists, stub.num_retrieves, stub.num_clears) == (1, 1, 1)


@pytest.mark.parametrize("name", names.__all__)
def test_the_names_are_found_where_the_reference_has_them(name: str) -> None:
    kind = getattr(names, name)
    assert issubclass(kind, PersisterInterface | PersisterException)
    if name.endswith("Warning"):
        assert issubclass(kind, PersisterWarning)
        assert not issubclass(kind, PersisterError)


def test_an_exception_says_what_happened_to_what() -> None:
    error = WriteFailed("no room", uid="a", path=Path("/x/y"))
    assert str(error) == "no room, id a, /x/y"
    assert (error.uid, error.path) == ("a", Path("/x/y"))
    assert str(PersisterException()) == ""
    assert isinstance(error, StoreError)
