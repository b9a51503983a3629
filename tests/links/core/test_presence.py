import json
from itertools import islice, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwproactor.links.core.presence import (
    LONGEST_PAUSE_SECONDS,
    WITHIN_SECONDS,
    Intruder,
    Presence,
    conflict_pauses,
    presence_topic,
)

ONE, OTHER = Presence("d1.one", "1"), Presence("d1.other", "2")
RECORD, OTHERS = ONE.record(0), OTHER.record(0)


def armed() -> Presence:
    presence = Presence("d1.one", "1", repeat(1.0))
    for now in (0.0, 0.1, 0.2):
        presence.lost(now)
    assert presence.armed
    return presence


@given(st.lists(st.floats(0.0, 1000.0), max_size=10).map(sorted))
def test_three_losses_in_quick_succession_arm_and_no_fewer(losses: list[float]) -> None:
    presence = Presence("d1.one", "1")
    for now in losses:
        presence.lost(now)
    quick = any(c - a <= WITHIN_SECONDS for a, c in zip(losses, losses[2:], strict=False))
    assert presence.armed == quick


def test_one_that_is_switched_off_never_arms() -> None:
    presence = Presence("d1.one", "1", enabled=False)
    for _ in range(100):
        presence.lost(0.0)
    assert not presence.armed


def test_the_proof_is_another_record_in_the_place_of_our_own() -> None:
    presence = armed()
    presence.wrote("broker")
    assert presence.judge("broker", OTHERS) == Intruder("d1.other", "2")


@pytest.mark.parametrize(
    "record",
    [
        None,
        b"",
        RECORD,
        b"garbage",
        b"[]",
        b"1",
        b"null",
        b'{"TypeName": "gwproactor.presence"}',
        b'{"TypeName": "gwproactor.presence", "InstanceId": 5}',
        b'{"TypeName": "gwproactor.presence", "InstanceId": "2", "Src": 5}',
        b'{"TypeName": "other", "InstanceId": "2"}',
        b"[" * 4000,
        OTHERS + b" " * 5000,
        b"\xff\xfe",
    ],
)
def test_nothing_else_is_a_proof(record: bytes | None) -> None:
    presence = armed()
    presence.wrote("broker")
    assert presence.judge("broker", record) is None


def test_what_was_there_before_we_wrote_is_none() -> None:
    """It may be of the last run of this node."""
    presence = armed()
    assert presence.judge("broker", OTHERS) is None
    presence.wrote("another broker")
    assert presence.judge("broker", OTHERS) is None


def test_what_another_writes_while_we_look_is_a_proof_though_we_never_wrote() -> None:
    """A node that is thrown out too soon to write anything learns of the other all the same."""
    presence = armed()
    assert presence.judge("broker", OTHERS) is None
    assert presence.judge("broker", OTHERS) is None  # the same one: nobody need be alive
    assert presence.judge("broker", OTHER.record(1)) == Intruder("d1.other", "2")
    assert presence.judge("broker", OTHER.record(2)) is None


def test_after_a_conflict_the_first_look_proves_nothing() -> None:
    """So a node stays when the other has gone and left its record."""
    presence = armed()
    presence.wrote("broker")
    assert presence.judge("broker", OTHERS)
    assert presence.judge("broker", OTHERS) is None


@given(
    st.binary(max_size=300)
    | st.recursive(
        st.none()
        | st.booleans()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["TypeName", "InstanceId", "Src"]), inner, max_size=3)
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_any_bytes_are_judged_without_an_error(record: bytes) -> None:
    presence = armed()
    presence.wrote("broker")
    assert presence.judge("broker", record) is None


def test_pauses_grow_and_have_jitter() -> None:
    assert list(islice(conflict_pauses(lambda: 1.0), 5)) == [60.0, 120.0, 240.0, 480.0, 600.0]
    assert next(conflict_pauses(lambda: 0.0)) == 30.0
    assert max(islice(conflict_pauses(), 100)) <= LONGEST_PAUSE_SECONDS


@pytest.mark.parametrize("client_id", ["d1.a-d1.b", "a/b", "a+b#", "ä", "$x", " "])
def test_the_topic_is_one_level_of_its_own_whatever_the_client_id(client_id: str) -> None:
    topic = presence_topic(client_id)
    assert topic.count("/") == 2
    assert not set(topic) & set("+#$ ")
