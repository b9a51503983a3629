"""Shows those outside that the node is alive: the service manager, and a watchdog with a command.

Both are patted by tasks on the event loop, at a steady pace, as long as all is well inside. A loop
that stands still pats nobody, and neither does a node in which something monitored has expired; so
they find out, and act.
"""

import asyncio
import os
import time
from collections.abc import Callable

from gwproactor.links.core.reports import ReportRate
from gwproactor.runtime.external_watchdog import PatCommand
from gwproactor.runtime.notify_socket import NotifySocket, watchdog_seconds

EXTENSION_SECONDS = 30.0
"""A node that says nothing for so long while it stops is not waiting any more, it hangs."""


async def ask_for_time(notify: NotifySocket) -> None:
    """Ask the service manager for more time to stop in, until cancelled.

    It would end a process that takes longer than its unit allows, which counts from the moment at
    which it is told of the stop.

    Args:
        notify: Its socket.
    """
    while notify.is_there:
        notify.more_time(EXTENSION_SECONDS)
        await asyncio.sleep(EXTENSION_SECONDS / 3)


class ExternalPats:
    """The two endless works of patting. For the loop's thread.

    Args:
        all_is_well: Whether to pat.
        report: Called with a summary and details where the command fails, at a bounded rate.
    """

    def __init__(self, all_is_well: Callable[[], bool], report: Callable[[str, str], None]) -> None:
        self._all_is_well = all_is_well
        self._report = report
        self._rate = ReportRate()

    async def pat_service_manager(self, notify: NotifySocket) -> None:
        """Tell the service manager, at half the time that it asks for; cancel it to end it.

        Returns at once where it asks for nothing.
        """
        wanted_seconds = watchdog_seconds(os.environ, os.getpid())
        while wanted_seconds is not None and notify.is_there:
            if self._all_is_well():
                notify.pat()
            await asyncio.sleep(wanted_seconds / 2)

    async def pat_by_command(self, command: PatCommand, pat_seconds: float) -> None:
        """Run the command, one at a time; cancel it to end it.

        Args:
            command: The command.
            pat_seconds: From the beginning of one run to that of the next.
        """
        while True:
            began_at = time.monotonic()
            if self._all_is_well():
                self._note(command, await command.run())
            await asyncio.sleep(max(0.0, began_at + pat_seconds - time.monotonic()))

    def _note(self, command: PatCommand, trouble: str) -> None:
        if not trouble:
            self._rate.over("command")
            return
        told = self._rate.told(time.monotonic(), "command", f"{command}: {trouble}")
        if told is not None:
            self._report("The external watchdog was not patted", told)
