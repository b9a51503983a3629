"""Messages between the parts of one node; they never go over a broker.

A message is addressed by names. Those of the node's own parts are `KnownNames`, every other is that
of an actor or a link.
"""

from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel

from gwproactor.wire.envelope import Message


class KnownNames(StrEnum):
    """The names of what every node has."""

    proactor = "proactor"
    watchdog_manager = "watchdog_manager"
    io_loop_manager = "io_loop_manager"


class PatInternalWatchdog(BaseModel):
    """The sender is alive."""

    TypeName: Literal["gridworks.watchdog.pat.internal"] = "gridworks.watchdog.pat.internal"


class PatInternalWatchdogMessage(Message[PatInternalWatchdog]):
    """Tells the watchdog that something monitored is alive.

    Args:
        src: The monitored name.
    """

    def __init__(self, src: str) -> None:
        super().__init__(Src=src, Dst=KnownNames.watchdog_manager, Payload=PatInternalWatchdog())


class EndOfPats(BaseModel):
    """The sender has ended, as it was to: nobody is to wait for its pats any more."""

    TypeName: Literal["gridworks.watchdog.pat.end"] = "gridworks.watchdog.pat.end"


class EndOfPatsMessage(Message[EndOfPats]):
    """Tells the watchdog to monitor a name no longer.

    Args:
        src: The monitored name.
    """

    def __init__(self, src: str) -> None:
        super().__init__(Src=src, Dst=KnownNames.watchdog_manager, Payload=EndOfPats())


class Shutdown(BaseModel):
    """The proactor is to stop.

    Args:
        Reason: Why; stands in the shutdown event.
        Failed: Something failed that it cannot go on without: it ends with an error.
    """

    Reason: str = ""
    Failed: bool = False
    TypeName: Literal["gridworks.shutdown"] = "gridworks.shutdown"


class InternalShutdownMessage(Message[Shutdown]):
    """Asks the proactor to stop in good order.

    Args:
        Src: Who asks.
        Reason: Why.
        Failed: See `Shutdown`.
        fields: Further fields of the header.
    """

    def __init__(
        self,
        *,
        Src: str,  # noqa: N803 - as in the header
        Reason: str = "",  # noqa: N803 - as in the payload
        Failed: bool = False,  # noqa: N803 - as in the payload
        **fields: Any,
    ) -> None:
        payload = Shutdown(Reason=Reason, Failed=Failed)
        fields = {"Dst": KnownNames.proactor, "Payload": payload} | fields
        super().__init__(Src=Src, **fields)
