"""The watchdog outside the process: which command pats it, and how that command is run.

systemd needs no command: it is told over its socket (`gwproactor.runtime.notify_socket`). A command
is for any other watchdog. A derived builder says which, and `Proactor` is told of the builder by
overriding `get_external_watchdog_builder_class`::

    class Builder(ExternalWatchdogCommandBuilder):
        @classmethod
        def default_pat_args(cls, pid=None):
            return ["/usr/local/bin/pat", str(pid or os.getpid())]
"""

import asyncio
import contextlib
import os

TRUE_VALUES = ("1", "true")
"""What the environment variable says where the program runs as a service; in any case."""


class ExternalWatchdogCommandBuilder:
    """Makes the command that pats the watchdog outside the process.

    Without a command nothing is run. By default there is none; and none is run where the program
    does not run as a service, which an environment variable says.
    """

    @classmethod
    def service_variable_name(cls, service_name: str) -> str:
        """The environment variable that says whether the program runs as a service.

        Args:
            service_name: The service; the variable has its name in capitals.
        """
        return f"{service_name.upper()}_RUNNING_AS_SERVICE"

    @classmethod
    def running_as_service(cls, service_name: str) -> bool:
        """Whether that variable is `1` or `true`."""
        return os.getenv(cls.service_variable_name(service_name), "").lower() in TRUE_VALUES

    @classmethod
    def default_pat_args(cls, pid: int | None = None) -> list[str]:  # noqa: ARG003 - for derived classes
        """The command where `pat_args` is given none; to be overridden.

        Args:
            pid: The process that is alive; this one when not given.
        """
        return []

    @classmethod
    def pat_args(
        cls, service_name: str, args: list[str] | None = None, pid: int | None = None
    ) -> list[str]:
        """The command that pats, and its arguments; empty where nothing is to be run.

        Args:
            service_name: See `service_variable_name`.
            args: The command; `default_pat_args` when not given.
            pid: See `default_pat_args`.
        """
        if not cls.running_as_service(service_name):
            return []
        return cls.default_pat_args(pid=pid) if args is None else args


class PatCommand:
    """Runs one command again and again, one at a time. For the loop's thread.

    Args:
        arguments: The command and its arguments; at least one.
        timeout_seconds: How long it may run; then it is killed.
    """

    def __init__(self, arguments: list[str], timeout_seconds: float) -> None:
        self._arguments = arguments
        self._timeout_seconds = timeout_seconds

    def __str__(self) -> str:
        return " ".join(self._arguments)

    async def run(self) -> str:
        """Run it once and wait for its end. Cancelling kills it.

        Returns:
            What went wrong; empty when nothing did.
        """
        nothing = asyncio.subprocess.DEVNULL
        try:
            process = await asyncio.create_subprocess_exec(
                *self._arguments, stdin=nothing, stdout=nothing, stderr=nothing
            )
        except OSError as error:
            return f"it cannot be run: {error}"
        try:
            async with asyncio.timeout(self._timeout_seconds):
                status = await process.wait()
        except TimeoutError:
            return f"it was killed after {self._timeout_seconds:g} s"
        finally:
            await _killed(process)
        return "" if status == 0 else f"it ended with status {status}"


async def _killed(process: asyncio.subprocess.Process) -> None:
    """Kill a process that still runs, and wait until it is gone."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
