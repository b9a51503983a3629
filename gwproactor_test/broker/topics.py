"""A tree that finds the topic filters that match a topic name; see `gwproactor.wire.filters`.

The tree holds one node for each level of each filter. Matching walks it level by level with the
set of nodes that are still possible, so its cost grows with the depth of the name and not with
the number of filters.
"""

from collections.abc import Iterator
from typing import Generic, TypeVar

V = TypeVar("V")

CACHED_NAMES = 1024
"""Names whose matches are remembered; nearly all traffic is on a few names."""


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
