"""`gwproactor events`: what lies in a node's data folder, to look at, move and put right.

Tables are for a terminal; elsewhere rows are lines with tabs between, and `--json` gives lines of
JSON. Progress is shown on standard error where that is a terminal and it takes long.
"""

import contextlib
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

import click

from gwproactor.boxes.box import Box, BoxReader, Progress, checked_data, holder_of, no_progress
from gwproactor.boxes.listing import Choice, Row, find, rows, stats, time_of
from gwproactor.boxes.requeue import requeue as requeue_letters
from gwproactor.boxes.transfer import Files, Lines, import_events
from gwproactor.boxes.verify import verify as verify_folder
from gwproactor.cli.framework import CONTEXT, Command, Commands
from gwproactor.errors import UsageError

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


@click.group(cls=Commands, invoke_without_command=True, context_settings=CONTEXT)
@click.pass_context
def events(context: click.Context) -> None:
    """Look at the events of a node, move them, put them right."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def _data(function: FunctionT) -> FunctionT:
    text = "The node's data folder, as given to `gwproactor node`."
    return click.option("--data", required=True, type=click.Path(path_type=Path), help=text)(
        function
    )


def _box(function: FunctionT) -> FunctionT:
    boxes = click.Choice([box.value for box in Box])
    text = "Which events: on their way, received, or set aside.  [default: outbox]"
    return click.option("--box", type=boxes, default=Box.outbox.value, help=text)(function)


def _json(function: FunctionT) -> FunctionT:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


@events.command("list", cls=Command, context_settings=CONTEXT)
@_data
@_box
@click.option("--type", "type_name", default="", help="Only TypeNames that begin so.")
@click.option("--since", help="Only events created then or later; an ISO time, UTC.")
@click.option("--until", help="Only events created before; an ISO time, UTC.")
@click.option("--limit", type=click.IntRange(min=0), help="At most so many.")
@_json
def list_events(
    data: Path,
    box: str,
    type_name: str,
    since: str | None,
    until: str | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """List events, the oldest first."""
    choice = Choice(
        type_name,
        None if since is None else time_of(since, "--since"),
        None if until is None else time_of(until, "--until"),
        limit,
    )
    with _reading(data, box) as reader:
        found = rows(reader, choice)
        if as_json:
            for row in found:
                _print_json(row._asdict())
        elif sys.stdout.isatty():
            _print_table(found)
        else:
            for row in found:
                click.echo("\t".join(map(str, row)))


@events.command("show", cls=Command, context_settings=CONTEXT)
@click.argument("event_id", metavar="ID")
@_data
@_box
def show(event_id: str, data: Path, box: str) -> None:
    """Print the JSON of one event, as it is stored."""
    with _reading(data, box) as reader:
        event = find(reader, event_id)
    if event is None:
        raise UsageError(f"there is no event of that id in the {box} of {data}")
    sys.stdout.buffer.write(event.payload + b"\n")
    sys.stdout.buffer.flush()


@events.command("stats", cls=Command, context_settings=CONTEXT)
@_data
@_json
def show_stats(data: Path, as_json: bool) -> None:
    """Count what is there: events, types, bytes, segments."""
    counts: dict[str, Any] = {}
    for box in Box:
        with _reading(data, box.value) as reader:
            counts[box.value] = stats(reader)
    if as_json:
        _print_json({"holder": holder_of(data), **counts})
        return
    for box_name, values in counts.items():
        click.echo(box_name)
        for name, value in values.items():
            if name == "types":
                for type_name, count in value.items():
                    click.echo(f"  {count:>12} {type_name}")
            else:
                click.echo(f"  {name}: {'-' if value is None else value}")


@events.command("export", cls=Command, context_settings=CONTEXT)
@_data
@_box
@click.option("--output", type=click.Path(path_type=Path), help="A new file.  [default: stdout]")
def export(data: Path, box: str, output: Path | None) -> None:
    """Write the events as lines of JSON, the oldest first."""
    with (
        _reading(data, box) as reader,
        _output(output) as stream,
        _progress("exporting") as progress,
    ):
        for done, event in enumerate(reader):
            stream.write(event.payload + b"\n")
            progress(done, len(reader))


@events.command("import", cls=Command, context_settings=CONTEXT)
@click.argument("source", metavar="FILE|FOLDER|-")
@_data
@_json
def import_(source: str, data: Path, as_json: bool) -> None:
    """Put events into the outbox of a node that does not run.

    They come from lines of JSON, or from a folder with a file for each event.
    """
    with contextlib.ExitStack() as stack:
        if source != "-" and Path(source).is_dir():
            found: Lines | Files = Files(Path(source))
        else:
            found = Lines(stack.enter_context(_seekable(source)))
        progress = stack.enter_context(_progress("importing"))
        taken, pending = import_events(data, found, progress)
    if as_json:
        _print_json({"taken": taken, "pending": pending})
    else:
        click.echo(f"{taken} events imported; {pending} were there already")


@events.command("verify", cls=Command, context_settings=CONTEXT)
@_data
@_json
def verify(data: Path, as_json: bool) -> int:
    """Check every byte; exit status 1 when something is damaged. Nothing is changed."""
    checked_data(data)
    _note_holder(data)
    with _progress("verifying") as progress:
        damages = verify_folder(data, progress)
    for damage in damages:
        if as_json:
            _print_json({"place": damage.place, "reason": damage.reason, "id": damage.event_id})
        else:
            click.echo(
                f"{damage.place}: {damage.reason}{damage.event_id and ': '}{damage.event_id}"
            )
    if not damages and not as_json:
        click.echo("nothing is damaged")
    return 1 if damages else 0


@events.command("requeue", cls=Command, context_settings=CONTEXT)
@click.argument("event_ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "all_of_them", is_flag=True, help="All dead letters.")
@_data
@_json
def requeue(event_ids: Sequence[str], all_of_them: bool, data: Path, as_json: bool) -> None:
    """Give dead letters to the handler once more, when the node runs again."""
    if bool(event_ids) == all_of_them:
        raise UsageError("say which dead letters: either their ids, or --all")
    checked_data(data)
    count = requeue_letters(data, None if all_of_them else frozenset(event_ids))
    if as_json:
        _print_json({"requeued": count})
    else:
        click.echo(f"{count} dead letters are back in the inbox")


@contextlib.contextmanager
def _reading(data: Path, box: str) -> Iterator[BoxReader]:
    checked_data(data)
    _note_holder(data)
    with _progress("reading") as progress:
        reader = BoxReader(Box(box).path(data), progress)
    yield reader
    for damage in reader.damages:
        click.echo(f"damaged: {damage.place}: {damage.reason}", err=True)


def _note_holder(data: Path) -> None:
    if sys.stderr.isatty() and (holder := holder_of(data)):
        click.echo(f"{holder} runs on this folder; what it does meanwhile may be missing", err=True)


def _print_json(value: dict[str, Any]) -> None:
    click.echo(json.dumps(value, ensure_ascii=False))


def _print_table(found: Iterator[Row]) -> None:
    width = shutil.get_terminal_size().columns
    for row in found:
        time = row.time[:19].replace("T", " ")
        line = f"{time:19}  {row.id:36}  {row.bytes:>7}  {row.type}  {row.link}"
        click.echo(line.rstrip()[:width])


@contextlib.contextmanager
def _output(path: Path | None) -> Iterator[IO[bytes]]:
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        with path.open("xb") as stream:
            path.chmod(0o600)
            yield stream
    except OSError as error:
        raise UsageError(f"--output {path}: {error.strerror}; give a new file") from None


@contextlib.contextmanager
def _seekable(source: str) -> Iterator[IO[bytes]]:
    """A file, or what standard input gives, in a file that is gone afterwards."""
    if source != "-":
        try:
            stream = Path(source).open("rb")  # noqa: SIM115 - closed below
        except OSError as error:
            raise UsageError(f"{source} cannot be read: {error.strerror}") from None
        with stream:
            yield stream
        return
    with tempfile.TemporaryFile() as spool:
        shutil.copyfileobj(sys.stdin.buffer, spool)
        yield spool


@contextlib.contextmanager
def _progress(what: str) -> Iterator[Progress]:
    """A bar on a terminal, where `rich` is at hand."""
    if not sys.stderr.isatty():
        yield no_progress
        return
    try:
        from rich.console import Console
        from rich.progress import Progress as Bar
    except ModuleNotFoundError:
        yield no_progress
        return
    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)
