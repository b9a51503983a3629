"""What an audience of the demo hears: the base of the screen and of the lines."""

from gwproactor.demo.scenario import NodeName, Step
from gwproactor.demo.tally import Comeback, Result
from gwproactor.events.incoming import ReceivedEvent
from gwproactor.links.core.link_state import Transition


class View:
    """Override what is of interest. Every method is called on the event loop, in order."""

    def began(self, where: str, seconds: float) -> None:
        """The demo begins, with that broker; its steps take so long at least."""

    def ready(self, node: NodeName) -> None:
        """A node runs; connecting may still be under way."""

    def step(self, step: Step, words: str) -> None:
        """A step is about to begin: called just before connections are cut."""

    def transitioned(self, node: NodeName, transition: Transition) -> None:
        """The comm state of a node's link changed."""

    def came_back(self, comeback: Comeback) -> None:
        """A link is active again."""

    def read(self, name: str, value: float, unit: str) -> None:
        """The child has taken a reading and posted it."""

    def stored(self, number: int, event_id: str) -> None:
        """The child's reading of that number, from 1, is durable."""

    def acked(self, event_id: str) -> None:
        """The parent has acknowledged a reading."""

    def received(self, event: ReceivedEvent, fields: dict[str, object]) -> None:
        """The parent's handler was given an event, a reading or not."""

    def problem(self, node: NodeName, summary: str, details: str) -> None:
        """A node has something to say that a person should know."""

    def stopped(self, node: NodeName, reason: str, pending: int) -> None:
        """A node has stopped, with so many events not yet acknowledged."""

    def ended(self, result: Result) -> None:
        """Everything has been shown and counted."""
