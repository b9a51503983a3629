"""Runs a node between standard input and standard output."""

import asyncio
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import TextIO

from gwproactor.errors import UsageError
from gwproactor.node.node import Node
from gwproactor.node.output import LineOutput
from gwproactor.node.settings import NodeSettings
from gwproactor.runtime.stop_signals import STOP_SIGNALS, call_on_stop_signals


def main(settings: NodeSettings) -> int:
    """Run a node until it ends; its exit status.

    Raises:
        SettingsError: A broker URL or a file named in the settings cannot be used.
        StoreError: The data folder cannot be used.
        UsageError: There is no standard input or output.
    """
    source, sink = _descriptor(sys.stdin, "input"), _descriptor(sys.stdout, "output")
    asyncio.run(_run(settings, source, sink))
    _leave_hung_threads()
    return 0


def _leave_hung_threads() -> None:
    """End the process at once where a thread is still at a disk that does not answer.

    Python would wait for it. Whatever it was to write was not reported stored.
    """
    others = (thread for thread in threading.enumerate() if thread is not threading.main_thread())
    if any(not thread.daemon for thread in others):
        os._exit(0)


def _descriptor(stream: TextIO | None, name: str) -> int:
    if stream is None:  # the shell's `<&-`
        raise UsageError(f"standard {name} is closed; for none at all write /dev/null")
    return stream.fileno()


async def _run(settings: NodeSettings, source: int, sink: int) -> None:
    output = LineOutput(sink)
    try:
        node = Node(settings, source, output)
        gc.freeze()  # what is there by now stays; looking at it again would only hold up the link
        release = call_on_stop_signals(lambda _: node.stop("signal"))
        await node.run()
        await _ignore_stop_signals(release)
    finally:
        output.close()


async def _ignore_stop_signals(release: Callable[[], None]) -> None:
    """See to it that an impatient second signal does not spoil an end in good order.

    Between the loop's handlers and none there is a moment at which a signal would end the process.
    A signal goes to any thread that does not block it, so there must be no other thread then. And
    afterwards they are ignored, for one that was joined a moment ago may still be there.
    """
    await asyncio.get_running_loop().shutdown_default_executor()
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    release()
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
