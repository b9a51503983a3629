"""What is done to the connections of the two nodes, and when: a table of steps.

A step says what happens at its beginning and how long it lasts. Most last a second, so that one
can see on the screen what came of them.
"""

from dataclasses import dataclass
from enum import StrEnum


class NodeName(StrEnum):
    """The two nodes; the value is what lines of JSON and the screen call them."""

    child = "child"
    parent = "parent"


class Action(StrEnum):
    """What a step begins with."""

    watch = "watch"
    """Nothing: readings flow."""
    cut = "cut"
    """Connections are cut; they may be made anew at once."""
    away = "away"
    """The broker is gone, with every connection."""
    back = "back"
    """The broker is there again."""


_BOTH = (NodeName.child, NodeName.parent)


@dataclass(frozen=True, slots=True)
class Step:
    """One row of the scenario.

    Args:
        action: What it begins with.
        seconds: How long it lasts, at least: unless the broker is away it ends when both links
            are active.
        nodes: Whose connections it concerns.
        reset: They end with RST, as when a process dies or a router forgets them; else with FIN.
    """

    action: Action
    seconds: float
    nodes: tuple[NodeName, ...] = _BOTH
    reset: bool = False

    @property
    def cause(self) -> str:
        """In a few words, what a link of this step comes back from."""
        if self.action is Action.cut:
            return "cut by reset" if self.reset else "cut by close"
        return "broker away"

    def words(self, broker_gone: str) -> str:
        """What happens in this step, for a person.

        Args:
            broker_gone: What it is that makes the broker go away, as in "the broker is stopped".
        """
        match self.action:
            case Action.watch:
                return "Readings flow from the child to the parent."
            case Action.away:
                return f"{broker_gone} for {self.seconds:g} s; the readings go on."
            case Action.back:
                return "The broker is back; what was stored meanwhile is delivered."
        whose = "Both connections are" if self.nodes == _BOTH else f"The {self.nodes[0]} is"
        return f"{whose} cut off, by {'a reset' if self.reset else 'a close'}."


_CHILD, _PARENT = (NodeName.child,), (NodeName.parent,)

SCENARIO = (
    Step(Action.watch, 1.5),
    Step(Action.cut, 1.0, _CHILD),
    Step(Action.cut, 1.0, _CHILD, reset=True),
    Step(Action.cut, 1.0, _PARENT),
    Step(Action.cut, 1.0, _PARENT, reset=True),
    Step(Action.away, 3.0),
    Step(Action.back, 1.5),
    Step(Action.cut, 1.0),
    Step(Action.cut, 1.0, reset=True),
    Step(Action.away, 1.5, reset=True),
    Step(Action.back, 1.5),
)
"""The demo: six cuts and two outages in a quarter of a minute."""
