"""The demo on a terminal: what is going on, both comm states, the events, the readings.

`Screen` remembers what it is told and draws a frame of it, for 80 columns and 24 rows. It uses
only the terminal's own colours, for light and dark ones, and no colour alone says anything.

Drawing takes the event loop some milliseconds, as long as a link takes to come back. So the frame
that announces a cut is drawn just before it, and the next one a frame later.
"""

import time
from collections.abc import Callable

from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gwproactor.demo.panels import (
    Moment,
    comeback_rows,
    comebacks_table,
    judged,
    number,
    panel,
    side_by_side,
    state_text,
    strip,
    verdict,
)
from gwproactor.demo.readings import READING_TYPE
from gwproactor.demo.scenario import NodeName, Step
from gwproactor.demo.tally import Comeback, Result
from gwproactor.demo.view import View
from gwproactor.events.incoming import ReceivedEvent
from gwproactor.links.core.link_state import StateName, Transition

WIDTH = 80
_STRIP_CELLS = 42
_ROWS = 8
"""Lines for readings, and for what links came back from."""

_EVENTS_PER_CELL = 5
_BAR_CELLS = 24
"""Together some three seconds of readings: the longer outage fills the bar."""


class _NodeRow:
    """What is known of one node's link."""

    def __init__(self) -> None:
        self.state = StateName.not_started
        self.path: list[StateName] = [self.state]
        self.reason = ""
        self.moments: list[Moment] = []

    def take(self, transition: Transition, at: float) -> None:
        self.state = transition.new_state
        if transition.deactivated():
            self.path = [transition.old_state]
        self.path.append(self.state)
        self.reason = "" if transition.active() else transition.reason
        self.moments.append(Moment(at, transition.active()))


class Screen(View):
    """Remembers what there is to see.

    Args:
        clock: The present moment in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.announce: Callable[[], None] = lambda: None
        """Called when something should be seen before it happens."""
        self._clock = clock
        self._began_at = clock()
        self._seconds = 1.0
        self._where = ""
        self._words = "Two nodes connect to their broker."
        self._nodes = {node: _NodeRow() for node in NodeName}
        self._stored = self._acked = self._delivered = 0
        self._read: dict[str, tuple[float, str]] = {}
        self._has: dict[str, object] = {}
        self._comebacks: list[Comeback] = []

    # What it is told

    def began(self, where: str, seconds: float) -> None:
        """Remember how long the strips are to be."""
        self._where, self._seconds, self._began_at = where, seconds, self._clock()

    def step(self, step: Step, words: str) -> None:  # noqa: ARG002 - the words say it all
        """Show what is about to happen, now."""
        self._words = words
        self.announce()

    def transitioned(self, node: NodeName, transition: Transition) -> None:
        """Remember the way a link takes through its states."""
        self._nodes[node].take(transition, self._elapsed())

    def came_back(self, comeback: Comeback) -> None:
        """Remember how soon a link was back."""
        self._comebacks.append(comeback)

    def read(self, name: str, value: float, unit: str) -> None:
        """Remember what the child knows."""
        self._read[name] = (value, unit)

    def stored(self, number: int, event_id: str) -> None:  # noqa: ARG002 - only the number shows
        """Count."""
        self._stored = number

    def acked(self, event_id: str) -> None:  # noqa: ARG002 - only their number shows
        """Count."""
        self._acked += 1

    def received(self, event: ReceivedEvent, fields: dict[str, object]) -> None:  # noqa: ARG002
        """Count, and remember what the parent knows."""
        if fields["TypeName"] == READING_TYPE:
            self._delivered += 1
            self._has[str(fields["Name"])] = fields["Value"]

    def stopped(self, node: NodeName, reason: str, pending: int) -> None:  # noqa: ARG002
        """Say that the end is near."""
        self._words = "Everything has arrived; the nodes stop."

    # What it shows

    def frame(self) -> RenderableType:
        """All of it, as it is now."""
        lower = side_by_side(self._readings_panel(), self._comebacks_panel())
        panels = Group(self._header(), self._nodes_panel(), self._events_panel(), lower)
        return Constrain(panels, WIDTH)

    def summary(self, result: Result) -> RenderableType:
        """The table at the end."""
        counts = Table.grid(padding=(0, 1), expand=True)
        counts.add_column(ratio=1)
        counts.add_column(justify="right", style="bold")
        counts.add_row("stored by the child", str(result.stored))
        counts.add_row("delivered to the parent", str(result.delivered))
        counts.add_row("lost", judged(result.lost))
        counts.add_row("delivered twice", judged(result.twice))
        panels = side_by_side(
            panel(counts, "readings"),
            panel(comebacks_table(comeback_rows(result.comebacks)), "active again after"),
        )
        return Constrain(Group(panels, verdict(result)), WIDTH)

    def _elapsed(self) -> float:
        return self._clock() - self._began_at

    def _header(self) -> Panel:
        line = Table.grid(expand=True)
        line.add_column(ratio=1)
        line.add_column(justify="right")
        words = Text(self._words, style="bold", no_wrap=True, overflow="ellipsis")
        line.add_row(words, f"{self._elapsed():.1f} s")
        return panel(line, "gwproactor demo", subtitle=self._where)

    def _nodes_panel(self) -> Panel:
        rows = [row for node in NodeName for row in self._node_rows(node)]
        return panel(Group(*rows), "comm states", subtitle="█ active  ▄ partly  ▁ not")

    def _node_rows(self, node: NodeName) -> tuple[RenderableType, RenderableType]:
        row = self._nodes[node]
        line = Table.grid(padding=(0, 1))
        line.add_column(width=6, style="bold")
        line.add_column(width=25)
        line.add_column(width=_STRIP_CELLS)
        cells = strip(row.moments, self._elapsed(), self._seconds, _STRIP_CELLS)
        line.add_row(node, state_text(row.state), cells)
        path = Text(" → ".join(row.path), style="dim", no_wrap=True, overflow="ellipsis")
        if row.reason:
            path.append(f"  ({row.reason})", style="red")
        return line, path

    def _events_panel(self) -> Panel:
        waiting = self._stored - self._acked
        line = Text(no_wrap=True, overflow="ellipsis")
        for word, count in (
            ("stored", self._stored),
            ("acked", self._acked),
            ("delivered", self._delivered),
            ("waiting", waiting),
        ):
            line.append(f"{word} ", style="dim").append(f"{count:<5}", style="bold")
        cells = min(_BAR_CELLS, -(-waiting // _EVENTS_PER_CELL))
        line.append("█" * cells, style="yellow")
        return panel(line, "events of the child, stored on disk")

    def _readings_panel(self) -> Panel:
        table = Table.grid(padding=(0, 1), expand=True)
        table.add_column(ratio=1, no_wrap=True)
        for width in (11, 10):
            table.add_column(justify="right", width=width, no_wrap=True)
        table.add_column(width=4, no_wrap=True)
        table.add_row("", Text("child reads", "dim"), Text("parent has", "dim"), "")
        for name, (value, unit) in list(self._read.items())[:_ROWS]:
            table.add_row(name, number(value), self._parents(name, value), Text(unit, "dim"))
        return panel(table, "readings of this machine", height=_ROWS + 3)

    def _parents(self, name: str, value: float) -> Text:
        """What the parent has of a reading; yellow where the child is ahead."""
        known = self._has.get(name)
        if not isinstance(known, (int, float)):
            return Text("-", style="yellow")
        return Text(number(known), style="" if known == value else "yellow")

    def _comebacks_panel(self) -> Panel:
        table = comebacks_table(comeback_rows(self._comebacks)[-_ROWS:])
        return panel(table, "active again after", height=_ROWS + 3)
