"""What the watchdogs of a proactor are told."""

from enum import StrEnum

from pydantic import Field

from gwproactor.config.table import Table


class WhenExpired(StrEnum):
    """What follows when something monitored gives no sign of life. External pats cease."""

    stop = "stop"
    """The proactor ends with an error, and the shutdown event says what expired."""
    report = "report"
    """It is reported; external pats go on when what expired gives a sign of life again."""


class WatchdogSettings(Table):
    """How a proactor watches over itself, and shows others that it is alive.

    Args:
        when_expired: What follows when a monitored name has expired.
        hang_seconds: The event loop stands still when it does not answer for so long; None watches
            over no loop.
        pat_seconds: How often the command that pats an external watchdog is run, where there is one
            and the variable `..._RUNNING_AS_SERVICE` says so, which begins with `paths.name` in
            capitals. The service manager is told at half of the time that it asks for itself.
        pat_timeout_seconds: How long that command may take; then it is killed.
        max_stacks_bytes: The longest text of stacks in an event, which has room for 64 KiB.
    """

    when_expired: WhenExpired = WhenExpired.stop
    hang_seconds: float | None = Field(default=10.0, ge=0.01, le=3600)
    pat_seconds: float = Field(default=9.0, ge=0.01, le=3600)
    pat_timeout_seconds: float = Field(default=5.0, gt=0, le=3600)
    max_stacks_bytes: int = Field(default=32 * 1024, ge=1024, le=48 * 1024)
