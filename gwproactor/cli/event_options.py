"""The options that the commands of `gwproactor events` share."""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from gwproactor.boxes.box import Box, Boxes
from gwproactor.cli.streams import told_of_failing_calls
from gwproactor.node.named_folders import named_folders

_PATH = click.Path(path_type=Path)

_FOLDER_OPTIONS = (
    click.option("--data", type=_PATH, help="The node's data folder.  [default: that of --name]"),
    click.option("--name", help="The node's long name, which says where its data are by default."),
    click.option("--config", help="The node's TOML file, which says its data folder or its name."),
    click.option(
        "--files",
        type=_PATH,
        help="The folder of event files, if it is not `event` in the data folder.",
    ),
)


def takes_boxes(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command take the options that say where a node's data are, and get its boxes.

    A failing call of the system, of standard output first of all, becomes a UsageError.
    """

    @functools.wraps(function)
    def with_boxes(
        data: Path | None, name: str | None, config: str | None, files: Path | None, **rest: Any
    ) -> Any:
        given = {"data": data, "name": name, "config": config, "files": files}
        with told_of_failing_calls():
            return function(Boxes(*named_folders(given, os.environ)), **rest)

    for option in reversed(_FOLDER_OPTIONS):
        with_boxes = option(with_boxes)
    return with_boxes


def takes_box(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command take the option `--box`; None stands for the events on their way."""
    names = click.Choice([box.value for box in Box])
    text = (
        "On their way, the same as files, received, failed by the handler, or refused by the peer."
        "  [default: outbox, or files]"
    )
    return click.option("--box", type=names, help=text)(function)


def prints_json(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command take the option `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)
