"""What is printed: JSON for programs, lines for people, and a bar where it takes long.

Ids and types come from elsewhere; whatever in them a terminal might take for a command, or for the
end of a line, is printed as an escape.
"""

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import click

from gwproactor.boxes.box import Progress, no_progress
from gwproactor.boxes.listing import Row
from gwproactor.events.store import Damage

PATIENCE_SECONDS = 0.5
"""What is done before needs no bar."""

_FRAME_SECONDS = 0.1


def print_json(value: dict[str, Any]) -> None:
    """Print one line of JSON, in ASCII: ids may hold characters that no encoding has."""
    click.echo(json.dumps(value))


def print_rows(rows: Iterable[Row], *, as_json: bool) -> None:
    """Print one line for each row: JSON, columns on a terminal, or else fields with tabs."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for row in rows:
        if as_json:
            print_json(row._asdict())
        elif width is None:
            click.echo("\t".join(plain(str(field)) for field in row))
        else:
            click.echo(_columns(row).rstrip()[:width])


def _columns(row: Row) -> str:
    when = row.time[:19].replace("T", " ")
    return plain(f"{when:19}  {row.id:36}  {row.bytes:>7}  {row.type}  {row.link}")


def print_damage(damage: Damage, *, as_json: bool = False, err: bool = False) -> None:
    """Print where what is damaged, and which event that was."""
    if as_json:
        said = {"place": damage.place, "reason": damage.reason, "id": damage.event_id}
        print_json(said | {"sequence": damage.sequence})
        return
    words = f"{damage.place}: {damage.reason}{damage.event_id and ': '}{damage.event_id}"
    click.echo(("damaged: " if err else "") + plain(words), err=err)


def plain(text: str) -> str:
    """The text with everything escaped that is not printable."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@contextmanager
def progress_bar(what: str) -> Iterator[Progress]:
    """A bar on standard error where that is a terminal, it takes long, and `rich` is at hand."""
    if not sys.stderr.isatty():
        yield no_progress
        return
    with ExitStack() as stack:
        yield _Bar(what, stack).show


class _Bar:
    """Comes when there was time for it, and moves a few times a second."""

    def __init__(self, what: str, stack: ExitStack) -> None:
        self._what = what
        self._stack = stack
        self._next_seconds = time.monotonic() + PATIENCE_SECONDS
        self._update: Callable[[int, int], None] | None = None

    def show(self, done: int, of: int) -> None:
        now_seconds = time.monotonic()
        if now_seconds < self._next_seconds:
            return
        self._next_seconds = now_seconds + _FRAME_SECONDS
        if self._update is None:
            self._update = _begin(self._what, self._stack)
        self._update(done, of)


def _begin(what: str, stack: ExitStack) -> Progress:
    try:
        from rich.console import Console
        from rich.progress import Progress as RichBar
    except ModuleNotFoundError:
        return no_progress
    bar = stack.enter_context(RichBar(console=Console(stderr=True), transient=True))
    task = bar.add_task(what, total=None)
    return lambda done, of: bar.update(task, completed=done, total=of)
