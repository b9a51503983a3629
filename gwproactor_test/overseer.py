"""For tests of supervision: an overseer that keeps what it is told, and work that fails."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from gwproactor.config.tasks import TaskPolicy

AT_ONCE = TaskPolicy(first_delay_seconds=1e-6, longest_delay_seconds=1e-6)
"""Restarts that a test need not wait for."""


class KeepingOverseer:
    """Keeps the problems and failures that it is told, in their order."""

    def __init__(self) -> None:
        self.problems: list[tuple[str, str]] = []
        self.failures: list[tuple[BaseException, str]] = []
        self.failed = asyncio.Event()

    def report_problem(self, summary: str, details: str = "", is_error: bool = True) -> None:
        """Keep a problem, which is an error."""
        assert is_error
        self.problems.append((summary, details))

    def fail(self, error: BaseException, details: str = "") -> None:
        """Keep a failure."""
        self.failures.append((error, details))
        self.failed.set()

    def summaries(self) -> list[str]:
        """What the problems are, in a line each."""
        return [summary for summary, _ in self.problems]


def failing(times: int, log: list[str] | None = None) -> Callable[[], Coroutine[Any, Any, None]]:
    """Make work that fails so often, and succeeds then.

    Args:
        times: How often.
        log: Gets a word each time it begins.
    """
    left = iter(range(times))

    async def work() -> None:
        if log is not None:
            log.append("begun")
        if next(left, None) is not None:
            raise OSError("no driver")

    return work


async def forever() -> None:
    """Wait without end."""
    await asyncio.Event().wait()
