"""Runs a node between standard input and standard output."""

import asyncio
import sys

from gwproactor.node.node import Node
from gwproactor.node.output import LineOutput
from gwproactor.node.settings import NodeSettings


def main(settings: NodeSettings) -> int:
    """Run a node until it ends; its exit status.

    Raises:
        SettingsError: A broker URL or a file named in the settings cannot be used.
        StoreError: The data folder cannot be used.
    """
    asyncio.run(_run(settings))
    return 0


async def _run(settings: NodeSettings) -> None:
    output = LineOutput(sys.stdout.fileno())
    try:
        await Node(settings, sys.stdin.fileno(), output).run()
    finally:
        output.close()
