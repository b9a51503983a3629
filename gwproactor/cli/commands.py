"""The commands and their options, by the node's contract (docs/node.md).

A wrong call is refused without repeating what has no place in it: a broker URL that lost its
`--broker` on the way holds a password.
"""

import os
import re
from collections.abc import Sequence
from typing import Any

import click

from gwproactor.cli.events import events
from gwproactor.cli.framework import CONTEXT, Commands
from gwproactor.cli.settings import settings
from gwproactor.errors import UsageError

_OPTION = re.compile(r"-{1,2}[a-z-]*", re.IGNORECASE)


class WrongUsageError(UsageError):
    """The command line itself is wrong."""


def run(arguments: Sequence[str] | None) -> int:
    """Parse `arguments` and run the command they name; its exit status.

    Raises:
        WrongUsageError: They name no command, or one with options it does not have.
    """
    try:
        status = gwproactor.main(arguments, prog_name="gwproactor", standalone_mode=False)
    except click.NoSuchOption as error:
        raise WrongUsageError(_no_such_option(error)) from None
    except click.ClickException as error:
        raise WrongUsageError(error.format_message()) from None
    except click.Abort:
        return 130  # what a shell reports after Ctrl-C
    return status if isinstance(status, int) else 0


def _no_such_option(error: click.NoSuchOption) -> str:
    """Which option there is none of: of what was typed only as much as can be a name."""
    name = _OPTION.match(error.option_name)
    shown = f"No such option {name.group() if name else '-'}"
    near = error.possibilities
    return f"{shown}; did you mean {' or '.join(near)}?" if near else shown


@click.group(cls=Commands, invoke_without_command=True, context_settings=CONTEXT)
@click.version_option(package_name="gwproactor")
@click.pass_context
def gwproactor(context: click.Context) -> None:
    """Monitored MQTT links and events that are never lost."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@gwproactor.command(context_settings=CONTEXT)
@click.option("--name", help="This node's long name.  [required]")
@click.option("--short", help="This node's short name.  [required]")
@click.option("--peer", help="The peer's long name.  [required]")
@click.option("--peer-short", help="The peer's short name.  [required]")
@click.option(
    "--broker",
    multiple=True,
    help="mqtt[s]://[user[:password]@]host[:port]; several are failed over in order.  [required]",
)
@click.option("--upstream", is_flag=True, help="Events go to the peer.")
@click.option("--downstream", is_flag=True, help="Events come from the peer.")
@click.option("--data", help="Folder of the event store.")
@click.option("--durability", help="fsync, os or none: when an event counts as stored.")
@click.option("--max-bytes", help="Size of the store beyond which a line is refused.")
@click.option("--ack-timeout", help="Seconds the peer may take to acknowledge.")
@click.option("--poll", help="Seconds without sending or receiving before a ping.")
@click.option("--keepalive", help="MQTT keep-alive in seconds.")
@click.option("--mqtt", help="MQTT version, 5 or 3.1.1.")
@click.option("--client-id", help="MQTT client id.")
@click.option("--password-file", help="File with the password of the URL's user.")
@click.option("--max-line-bytes", help="Longest input line and received payload.")
@click.option("--follow", is_flag=True, help="Go on after standard input has ended.")
@click.option("--config", help="TOML file with the same settings, and [tls].")
def node(**options: Any) -> int:
    """Run one node: events in as lines of JSON, what happens out as lines of JSON."""
    from gwproactor.node.loading import load_settings
    from gwproactor.node.main import main

    return main(load_settings(options, os.environ))


@gwproactor.command(context_settings=CONTEXT)
@click.option("--json", "as_json", is_flag=True, help="Print lines of JSON instead of a screen.")
@click.option("--broker", help="Use this broker instead of the embedded one: mqtt://host[:port].")
def demo(as_json: bool, broker: str | None) -> int:
    """Show a child and a parent that lose nothing while their connection is cut."""
    from gwproactor.demo.main import main

    return main(as_json=as_json, broker_url=broker)


gwproactor.add_command(events)
gwproactor.add_command(settings)
