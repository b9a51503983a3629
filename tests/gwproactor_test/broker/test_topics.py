"""Topic matching against an independent oracle, against paho, and the tree against a plain list."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import topic_matches_sub

from gwproactor.wire.filters import (
    MAX_LEVELS,
    MAX_TOPIC_BYTES,
    is_topic_filter,
    is_topic_name,
    topic_matches,
)
from gwproactor_test.broker.topics import CACHED_NAMES, TopicTree

LEVELS = st.sampled_from(["", "a", "b", "ä", "$", "$SYS", "a.b"])
NAMES = st.lists(LEVELS, min_size=1, max_size=5).map("/".join).filter(bool)
FILTERS = (
    st.tuples(
        st.lists(LEVELS | st.just("+"), max_size=4),
        st.sampled_from([[], ["#"], ["+"], ["a"]]),
    )
    .map(lambda parts: "/".join(parts[0] + parts[1]))
    .filter(bool)
)


def oracle(topic_filter: str, name: str) -> bool:
    """The rules of the specification as one regular expression."""
    if name.startswith("$") and not topic_filter.startswith("$"):
        return False
    pattern = "/".join(
        "[^/]*" if level == "+" else re.escape(level) for level in topic_filter.split("/")
    )
    if pattern == re.escape("#"):
        pattern = ".*"
    elif topic_filter.endswith("/#"):
        pattern = pattern.removesuffix("/" + re.escape("#")) + "(/.*)?"
    return re.fullmatch(pattern, name, re.DOTALL) is not None


@pytest.mark.parametrize(
    ("topic_filter", "name", "expected"),
    [
        ("a", "a", True),
        ("a", "a/", False),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("a/#", "ab", False),
        ("#", "a/b", True),
        ("+", "a", True),
        ("+", "/a", False),
        ("+/+", "/a", True),
        ("/+", "/a", True),
        ("a/+/c", "a//c", True),
        ("a/+", "a", False),
        ("a/+/#", "a/b", True),
        ("a/+/#", "a", False),
        ("#", "$SYS/x", False),
        ("+/x", "$SYS/x", False),
        ("$SYS/#", "$SYS/x", True),
        ("$SYS/+", "$SYS/x", True),
        ("a/#", "a/$x", True),
        ("A", "a", False),
    ],
)
def test_known_cases(topic_filter: str, name: str, expected: bool) -> None:
    assert topic_matches(topic_filter, name) is expected
    assert oracle(topic_filter, name) is expected


@given(FILTERS, NAMES)
def test_matching_agrees_with_the_oracle(topic_filter: str, name: str) -> None:
    assert topic_matches(topic_filter, name) is oracle(topic_filter, name)


@given(FILTERS, NAMES)
def test_matching_agrees_with_paho(topic_filter: str, name: str) -> None:
    assert topic_matches(topic_filter, name) is topic_matches_sub(topic_filter, name)


@given(
    st.lists(st.tuples(st.booleans(), FILTERS, st.sampled_from("xyz")), max_size=30),
    st.lists(NAMES, min_size=1, max_size=5),
)
def test_the_tree_agrees_with_a_list(
    changes: list[tuple[bool, str, str]], names: list[str]
) -> None:
    tree: TopicTree[tuple[str, str]] = TopicTree()
    filed: set[tuple[str, str]] = set()
    for added, topic_filter, owner in changes:
        if added:
            tree.put(topic_filter, owner, (topic_filter, owner))
            filed.add((topic_filter, owner))
        else:
            tree.discard(topic_filter, owner)
            filed.discard((topic_filter, owner))
        for name in names:
            found = tree.match(name)
            assert len(found) == len(set(found))
            assert set(found) == {entry for entry in filed if oracle(entry[0], name)}
    for topic_filter, owner in filed:
        tree.discard(topic_filter, owner)
    assert not tree._root.children


def test_the_tree_remembers_a_bounded_number_of_names() -> None:
    tree: TopicTree[int] = TopicTree()
    tree.put("#", "me", 1)
    for number in range(2 * CACHED_NAMES + 1):
        assert tree.match(str(number)) == (1,)
        assert len(tree._cache) <= CACHED_NAMES


@given(FILTERS)
def test_well_formed_filters_are_known(topic_filter: str) -> None:
    assert is_topic_filter(topic_filter)


@given(NAMES)
def test_well_formed_names_are_known(name: str) -> None:
    assert is_topic_name(name)


@pytest.mark.parametrize(
    "topic_filter", ["", "a/#/b", "#/#", "a#", "a/b#", "+a", "a/+b/c", "a\0", "x" * 65536]
)
def test_malformed_filters_are_known(topic_filter: str) -> None:
    assert not is_topic_filter(topic_filter)


@pytest.mark.parametrize("name", ["", "a/+", "#", "a\0", "/" * MAX_LEVELS, "x" * 65536])
def test_malformed_names_are_known(name: str) -> None:
    assert not is_topic_name(name)


def test_the_deepest_and_longest_are_accepted() -> None:
    assert is_topic_name("/" * (MAX_LEVELS - 1))
    assert is_topic_name("x" * MAX_TOPIC_BYTES)
