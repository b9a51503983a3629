"""Counts by name, of names that others choose: bounded in number and in length."""

from typing import Final

OTHERS: Final = "(others)"
"""The name under which those without room are counted."""

MAX_NAMES: Final = 200
"""Names in one `Counts`: several times what a node has in use, and little to read."""

MAX_NAME_CHARACTERS: Final = 256
"""Longest name with a count of its own: a topic may be 65,535 bytes long."""


class Counts(dict[str, int]):
    """Counts by name: `counts[name] += 1`. A name not counted yet stands at 0.

    Names beyond the first `MAX_NAMES`, and longer ones than `MAX_NAME_CHARACTERS`, are counted
    under `OTHERS` together.
    """

    def __missing__(self, name: str) -> int:
        return 0

    def __setitem__(self, name: str, count: int) -> None:
        if name in self or self._has_room_for(name):
            dict.__setitem__(self, name, count)  # for each message; super() takes a quarter longer
        else:  # it stood at 0, so its count is what there is to add
            dict.__setitem__(self, OTHERS, self[OTHERS] + count)

    def _has_room_for(self, name: str) -> bool:
        return len(self) < MAX_NAMES and len(name) <= MAX_NAME_CHARACTERS

    def add(self, counts: "Counts") -> None:
        """Add those of another, name by name."""
        for name, count in counts.items():
            self[name] += count

    def table(self, title: str) -> list[str]:
        """A line for each name under a title, in the order of the alphabet; none for no names."""
        lines = [f"    {self[name]:7d}  {name}" for name in sorted(self)]
        return [f"  {title}:", *lines] if lines else []
