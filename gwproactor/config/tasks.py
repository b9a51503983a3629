"""What becomes of a task that has died."""

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from gwproactor.config.table import Table


class OnFailure(StrEnum):
    """What follows when a task ends with an exception. It is reported in any case."""

    restart = "restart"
    """It is begun anew, after a while. Where it cannot be, or dies too often, the proactor ends."""
    stop = "stop"
    """The proactor ends with an error."""
    report = "report"
    """Nothing: the others go on without it."""


class TaskPolicy(Table):
    """What becomes of a task that dies, and how often it is begun anew.

    The first restart comes after `first_delay_seconds`; the delay doubles with each further one
    within `within_seconds`. With the defaults a task that dies at once each time is begun anew ten
    times in four minutes, and then ends the proactor, for a service manager to start a fresh one.

    Args:
        on_failure: What follows.
        first_delay_seconds: Before the first restart.
        longest_delay_seconds: What the delay doubles to.
        max_restarts: So many restarts within `within_seconds` are borne; one more failure ends the
            proactor.
        within_seconds: A restart that is longer ago is forgotten.
    """

    on_failure: OnFailure = OnFailure.restart
    first_delay_seconds: float = Field(default=0.5, gt=0, le=3600)
    longest_delay_seconds: float = Field(default=60.0, gt=0, le=86400)
    max_restarts: int = Field(default=10, ge=0, le=1000)
    within_seconds: float = Field(default=600.0, gt=0, le=7 * 86400)

    @model_validator(mode="after")
    def _delays_grow(self) -> Self:
        first, longest = self.first_delay_seconds, self.longest_delay_seconds
        if first > longest:
            raise ValueError(
                f"first_delay_seconds is {first:g}, more than longest_delay_seconds, which is"
                f" {longest:g}: make the first shorter, or the longest longer"
            )
        return self
