"""What the screen is made of: panels, a strip of time, a table of links that came back."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from rich.box import ROUNDED
from rich.console import RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gwproactor.demo.scenario import NodeName
from gwproactor.demo.tally import Comeback, Result
from gwproactor.links.core.link_state import CONNECTED_STATES, StateName

LEFT_WIDTH = 45
"""Columns of 80 for the left one of two panels, which has the longer words."""


class Moment(NamedTuple):
    """From when on a link was active, or not."""

    at: float
    active: bool


class ComebackRow(NamedTuple):
    """The links that came back from one thing."""

    cause: str
    milliseconds: dict[NodeName, float]


def comeback_rows(comebacks: Iterable[Comeback]) -> list[ComebackRow]:
    """Comebacks in rows: those of both nodes share one where they follow each other."""
    rows: list[ComebackRow] = []
    for comeback in comebacks:
        last = rows[-1] if rows else None
        if last is None or last.cause != comeback.cause or comeback.node in last.milliseconds:
            last = ComebackRow(comeback.cause, {})
            rows.append(last)
        last.milliseconds[comeback.node] = comeback.milliseconds
    return rows


def comebacks_table(rows: Iterable[ComebackRow]) -> Table:
    """A column for each node, a row for each thing that links came back from."""
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(ratio=1, no_wrap=True)
    for _ in NodeName:
        table.add_column(justify="right", width=8, no_wrap=True)
    table.add_row("", *(Text(node, "dim") for node in NodeName))
    for row in rows:
        cells = [_milliseconds(row.milliseconds.get(node)) for node in NodeName]
        table.add_row(row.cause, *cells)
    return table


def _milliseconds(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.1f} ms" if value < 1000 else f"{value / 1000:.2f} s"


def side_by_side(left: RenderableType, right: RenderableType) -> Table:
    """Two panels next to each other."""
    table = Table.grid(expand=True)
    table.add_column(width=LEFT_WIDTH)
    table.add_column(ratio=1)
    table.add_row(left, right)
    return table


def strip(moments: Sequence[Moment], now: float, seconds: float, cells: int) -> Text:
    """A link's life as a row of cells: active all the time, a part of it, or not at all.

    Args:
        moments: When the link became active and when it ceased to be, in order.
        now: The present; later cells are dots.
        seconds: The time that all cells stand for.
        cells: How many there are.
    """
    text = Text()
    step = seconds / cells
    for number in range(cells):
        begin, end = number * step, min(now, (number + 1) * step)
        if begin >= now:
            text.append("·", style="dim")
        else:
            symbol, style = _CELLS[_activity(moments, begin, end)]
            text.append(symbol, style=style)
    return text


_CELLS = {
    frozenset({True}): ("█", "green"),
    frozenset({True, False}): ("▄", "yellow"),
    frozenset({False}): ("▁", "red"),
}


def _activity(moments: Sequence[Moment], begin: float, end: float) -> frozenset[bool]:
    """Whether the link was active between two moments, or was not, or both."""
    last = (Moment(float("inf"), False),)
    first = (Moment(float("-inf"), False),)
    return frozenset(
        here.active
        for here, following in pairwise((*first, *moments, *last))
        if here.at < end and following.at > begin
    )


def state_text(state: StateName) -> Text:
    """A comm state, with a sign that tells it apart without colour."""
    if state is StateName.active:
        return Text(f"● {state}", style="bold green")
    if state in CONNECTED_STATES:
        return Text(f"◐ {state}", style="yellow")
    return Text(f"○ {state}", style="red")


def number(value: float) -> str:
    """A value as the screen shows it."""
    return f"{value:,.1f}"


def judged(count: int) -> Text:
    """A count that should be 0."""
    return Text(str(count), style="bold red" if count else "bold green")


def verdict(result: Result) -> Text:
    """What the numbers come to, in one sentence."""
    if result.good:
        return Text("✓ Nothing was lost, and nothing came twice.", style="bold green")
    return Text(
        f"✗ The numbers do not come out: of {result.stored} stored, {result.delivered} were"
        f" delivered, {result.lost} lost, {result.twice} delivered twice.",
        style="bold red",
    )


def panel(
    inside: RenderableType, title: str, *, subtitle: str = "", height: int | None = None
) -> Panel:
    """A frame with a title, and perhaps a word at its lower edge."""
    return Panel(
        inside,
        title=Text(title, style="bold cyan"),
        title_align="left",
        subtitle=Text(subtitle, style="dim") if subtitle else None,
        subtitle_align="right",
        border_style="dim",
        box=ROUNDED,
        height=height,
    )
