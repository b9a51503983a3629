"""`gwproactor events`: what lies in a node's data folder, to look at, move and put right.

Tables are for a terminal; elsewhere rows are lines with tabs between, and `--json` gives lines of
JSON. The exit status is 1 where something is damaged: that is named on standard error, and all else
is printed. It is 2 where nothing could be done, and one line says why.
"""

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from gwproactor.boxes.box import Box, Boxes
from gwproactor.boxes.export_lines import export_line
from gwproactor.boxes.listing import Choice, rows, stats, time_of
from gwproactor.boxes.reader import BoxReader, open_box
from gwproactor.boxes.requeue import requeue as requeue_events
from gwproactor.boxes.transfer import Files, Lines, import_events
from gwproactor.boxes.verify import verify as verify_boxes
from gwproactor.cli.event_options import prints_json, takes_box, takes_boxes
from gwproactor.cli.framework import CONTEXT, Command, Commands
from gwproactor.cli.streams import output as output_stream
from gwproactor.cli.streams import seekable_input
from gwproactor.cli.terminal import print_damage, print_json, print_rows, progress_bar
from gwproactor.errors import UsageError

DAMAGED = 1
"""Exit status where something is damaged."""


@click.group(cls=Commands, invoke_without_command=True, context_settings=CONTEXT)
@click.pass_context
def events(context: click.Context) -> None:
    """Look at the events of a node, move them, put them right."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@events.command(
    "list",
    cls=Command,
    context_settings=CONTEXT,
    examples=(
        "gwproactor events list --name d1.site.scada --limit 20",
        "gwproactor events list --data /var/lib/scada --type gridworks.event.problem",
        "gwproactor events list --data /var/lib/scada --box dead-letters --json",
        "gwproactor events list --data /var/lib/scada --since 2026-11-20T06:30 --until 2026-11-21",
    ),
)
@takes_boxes
@takes_box
@click.option("--type", "type_name", default="", help="Only TypeNames that begin so.")
@click.option("--since", help="Only events created then or later; an ISO time, UTC.")
@click.option("--until", help="Only events created before; an ISO time, UTC.")
@click.option("--limit", type=click.IntRange(min=0), help="At most so many; no more are read.")
@prints_json
def list_events(
    boxes: Boxes,
    box: str | None,
    type_name: str,
    since: str | None,
    until: str | None,
    limit: int | None,
    as_json: bool,
) -> int:
    """List events, the oldest first."""
    choice = Choice(
        type_name,
        None if since is None else time_of(since, "--since"),
        None if until is None else time_of(until, "--until"),
        limit,
    )
    reader = _open(boxes, box)
    print_rows(rows(reader, choice), as_json=as_json)
    return _damaged(reader)


@events.command(
    "show",
    cls=Command,
    context_settings=CONTEXT,
    examples=(
        "gwproactor events show 8e5a7d3f-0c5e-4f0a-9d0b-5a4c3b2a1f00 --data /var/lib/scada",
        "gwproactor events show 8e5a7d3f-0c5e-4f0a-9d0b-5a4c3b2a1f00 --name d1.site --box inbox",
    ),
)
@click.argument("event_id", metavar="ID")
@takes_boxes
@takes_box
def show(boxes: Boxes, event_id: str, box: str | None) -> int:
    """Print the JSON of one event, as it is stored."""
    reader = _open(boxes, box)
    event = reader.find(event_id)
    status = _damaged(reader)
    if event is None:
        where = f"{box or boxes.sending.value} of {boxes.data}"
        raise UsageError(f"there is no event of that id in the {where}; see gwproactor events list")
    sys.stdout.buffer.write(event.payload + b"\n")
    sys.stdout.buffer.flush()
    return status


@events.command(
    "stats",
    cls=Command,
    context_settings=CONTEXT,
    examples=(
        "gwproactor events stats --data /var/lib/scada",
        "gwproactor events stats --name d1.site.scada --json",
    ),
)
@takes_boxes
@prints_json
def show_stats(boxes: Boxes, as_json: bool) -> int:
    """Count what is there: events, types, bytes, files."""
    counts: dict[str, dict[str, Any]] = {}
    status = 0
    for box in Box:
        reader = _open(boxes, box.value)
        with progress_bar(f"counting {box}") as progress:
            counts[box.value] = stats(reader, progress)
        status = max(status, _damaged(reader))
    if as_json:
        print_json({"holder": boxes.holder(), **counts})
        return status
    for box_name, values in counts.items():
        click.echo(box_name)
        for name, value in values.items():
            if name == "types":
                for type_name, count in value.items():
                    click.echo(f"  {count:>12} {type_name}")
            else:
                click.echo(f"  {name}: {'-' if value is None else value}")
    return status


@events.command(
    "export",
    cls=Command,
    context_settings=CONTEXT,
    examples=(
        "gwproactor events export --data /var/lib/scada --output events.jsonl",
        "gwproactor events export --name d1.site --box dead-letters",
    ),
)
@takes_boxes
@takes_box
@click.option("--output", type=click.Path(path_type=Path), help="A new file.  [default: stdout]")
def export(boxes: Boxes, box: str | None, output: Path | None) -> int:
    """Write the events as lines of JSON, the oldest first."""
    reader = _open(boxes, box)
    with output_stream(output) as stream, progress_bar("exporting") as progress:
        for done, event in enumerate(reader):
            stream.write(export_line(event))
            progress(done, len(reader))
    return _damaged(reader)


@events.command(
    "import",
    cls=Command,
    context_settings=CONTEXT,
    examples=(
        "gwproactor events import events.jsonl --data /var/lib/scada",
        "gwproactor events import ~/.local/share/gridworks/scada/event --name d1.site.scada",
    ),
)
@click.argument("source", metavar="FILE|FOLDER|-")
@takes_boxes
@takes_box
@prints_json
def import_(boxes: Boxes, source: str, box: str | None, as_json: bool) -> None:
    """Put events into the outbox of a node that does not run.

    They come from lines of JSON, or from a folder with a file for each event.
    """
    with contextlib.ExitStack() as stack:
        if source != "-" and Path(source).is_dir():
            found: Lines | Files = Files(Path(source))
        else:
            found = Lines(stack.enter_context(seekable_input(source)))
        progress = stack.enter_context(progress_bar("importing"))
        taken, pending = import_events(boxes, found, progress, box=Box(box) if box else None)
    if as_json:
        print_json({"taken": taken, "pending": pending})
    else:
        click.echo(f"{taken} events imported; {pending} were there already")


@events.command(
    "verify",
    cls=Command,
    context_settings=CONTEXT,
    examples=(
        "gwproactor events verify --data /var/lib/scada",
        "gwproactor events verify --name d1.site.scada --json",
    ),
)
@takes_boxes
@prints_json
def verify(boxes: Boxes, as_json: bool) -> int:
    """Check every byte, and that nothing is missing; exit status 1 when something is wrong.

    Nothing is changed.
    """
    boxes.check()
    _note_holder(boxes)
    with progress_bar("verifying") as progress:
        damages = verify_boxes(boxes, progress)
    for damage in damages:
        print_damage(damage, as_json=as_json)
    if not damages and not as_json:
        click.echo("nothing is damaged")
    return DAMAGED if damages else 0


@events.command(
    "requeue",
    cls=Command,
    context_settings=CONTEXT,
    examples=(
        "gwproactor events requeue --all --data /var/lib/site",
        "gwproactor events requeue 8e5a7d3f-0c5e-4f0a-9d0b-5a4c3b2a1f00 --name d1.site",
    ),
)
@click.argument("event_ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "all_of_them", is_flag=True, help="All of them.")
@takes_boxes
@takes_box
@prints_json
def requeue(
    boxes: Boxes, event_ids: Sequence[str], all_of_them: bool, box: str | None, as_json: bool
) -> None:
    """Let events that were set aside be tried once more, when the node runs again.

    Dead letters go to the handler, refused events to the upstream peer, over the --box outbox or
    files.
    """
    if bool(event_ids) == all_of_them:
        raise UsageError("say which events: either their ids, or --all")
    boxes.check()
    chosen = None if all_of_them else frozenset(event_ids)
    count = requeue_events(boxes, chosen, Box(box) if box else None)
    if as_json:
        print_json({"requeued": count})
    else:
        click.echo(f"{count} events are back where they were before they were set aside")


def _open(boxes: Boxes, box: str | None) -> BoxReader:
    """Look at one box: the one of that name, or that of the events on their way."""
    boxes.check()
    _note_holder(boxes)
    with progress_bar("reading") as progress:
        return open_box(boxes, Box(box) if box else boxes.sending, progress)


def _damaged(reader: BoxReader) -> int:
    """Name what could not be read; the exit status that says so."""
    for damage in reader.damages:
        print_damage(damage, err=True)
    return DAMAGED if reader.damages else 0


def _note_holder(boxes: Boxes) -> None:
    if sys.stderr.isatty() and (holder := boxes.holder()):
        click.echo(f"{holder} runs on this folder; what it does meanwhile may be missing", err=True)
