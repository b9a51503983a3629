"""Topic names, topic filters, and a tree that finds the filters that match a name.

A topic name has levels separated by `/`. In a filter, `+` stands for exactly one level and `#`,
as the last level, for any number of levels, none included: `a/#` matches `a`. A name whose first
character is `$` is the broker's own and is matched by no filter that begins with a wildcard.

The tree holds one node for each level of each filter. Matching walks it level by level with the
set of nodes that are still possible, so its cost grows with the depth of the name and not with
the number of filters.
"""

from collections.abc import Iterator
from typing import Generic, TypeVar

V = TypeVar("V")

MAX_LEVELS = 200
"""Deepest topic accepted, as in Mosquitto: each level of a filter costs a node in the tree."""

MAX_TOPIC_BYTES = 65535
"""Longest string that MQTT can carry."""

CACHED_NAMES = 1024
"""Names whose matches are remembered; nearly all traffic is on a few names."""


def is_topic_name(name: str) -> bool:
    """Whether a message may be published to `name`."""
    if "+" in name or "#" in name:
        return False
    return _is_well_formed(name)


def is_topic_filter(topic_filter: str) -> bool:
    """Whether `topic_filter` is well formed: wildcards stand alone in their level, `#` last."""
    if not _is_well_formed(topic_filter):
        return False
    levels = topic_filter.split("/")
    if "#" in topic_filter and ("#" in "".join(levels[:-1]) or len(levels[-1]) != 1):
        return False
    return all(level == "+" or "+" not in level for level in levels)


def _is_well_formed(text: str) -> bool:
    return 0 < len(text) <= MAX_TOPIC_BYTES and "\0" not in text and text.count("/") < MAX_LEVELS


def topic_matches(topic_filter: str, name: str) -> bool:
    """Whether a message published to `name` goes to a subscription of `topic_filter`."""
    if name.startswith("$") and topic_filter[:1] in ("+", "#"):
        return False
    names = name.split("/")
    filters = topic_filter.split("/")
    for position, level in enumerate(filters):
        if level == "#":
            return True
        if position == len(names) or level not in ("+", names[position]):
            return False
    return len(names) == len(filters)


class _Node(Generic[V]):
    """One level of the filters that share the levels above it."""

    __slots__ = ("children", "values")

    def __init__(self) -> None:
        self.children: dict[str, _Node[V]] = {}
        self.values: dict[str, V] = {}


class TopicTree(Generic[V]):
    """Values filed under a topic filter and an owner, found again by topic name."""

    def __init__(self) -> None:
        self._root: _Node[V] = _Node()
        self._cache: dict[str, tuple[V, ...]] = {}

    def put(self, topic_filter: str, owner: str, value: V) -> None:
        """File `value`, in place of what the owner had under the same filter."""
        node = self._root
        for level in topic_filter.split("/"):
            node = node.children.setdefault(level, _Node())
        node.values[owner] = value
        self._cache.clear()

    def discard(self, topic_filter: str, owner: str) -> None:
        """Remove what the owner has under the filter, and the nodes nobody needs any more."""
        path = [self._root]
        levels = topic_filter.split("/")
        for level in levels:
            child = path[-1].children.get(level)
            if child is None:
                return
            path.append(child)
        path[-1].values.pop(owner, None)
        for level in reversed(levels):
            node = path.pop()
            if node.values or node.children:
                break
            del path[-1].children[level]
        self._cache.clear()

    def match(self, name: str) -> tuple[V, ...]:
        """Every value whose filter matches `name`; an owner appears once for each filter."""
        found = self._cache.get(name)
        if found is None:
            if len(self._cache) >= CACHED_NAMES:
                self._cache.clear()
            found = self._cache[name] = tuple(self._walk(name))
        return found

    def _walk(self, name: str) -> Iterator[V]:
        nodes = [self._root]
        wildcards_apply = not name.startswith("$")
        for level in name.split("/"):
            following: list[_Node[V]] = []
            for node in nodes:
                wanted = (level, "+") if wildcards_apply else (level,)
                following.extend(node.children[w] for w in wanted if w in node.children)
                if wildcards_apply and "#" in node.children:
                    yield from node.children["#"].values.values()
            nodes = following
            wildcards_apply = True
        for node in nodes:
            yield from node.values.values()
            if "#" in node.children:
                yield from node.children["#"].values.values()
