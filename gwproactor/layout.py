"""What an application's hardware layout must offer here: a node for each name.

A layout says what a site consists of; `gridworks-protocol` has one that is read from a file. This
library asks it one thing: what it knows of an actor's name. So any object with a method `node`
serves, and where the application has no layout, `NamesOnly` stands in.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from gwproactor.errors import UsageError


class ShNode(Protocol):
    """What a layout knows of one name: a device, a measurement or an actor in the program."""

    @property
    def name(self) -> str:
        """The name, unique within the layout."""
        ...


@runtime_checkable
class HardwareLayout(Protocol):
    """What a site consists of."""

    def node(self, name: str, /) -> ShNode | None:
        """The node of that name, or None where there is none."""
        ...


def checked_layout(layout: object) -> HardwareLayout:
    """Return `layout` where it is one.

    Raises:
        UsageError: It cannot be asked for nodes.
    """
    if isinstance(layout, HardwareLayout):
        return layout
    raise UsageError(f"a hardware layout has a method node(name); {type(layout).__name__} has none")


@dataclass(frozen=True)
class NamedNode:
    """A node of which no more is known than its name."""

    name: str


class NamesOnly:
    """The layout of an application that has none: every name is a node."""

    def node(self, name: str, /) -> NamedNode:
        """A node of that name."""
        return NamedNode(name)
