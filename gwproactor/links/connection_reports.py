"""What a link tells of its connections: there is none, they do not last, or they are shared."""

import time
from collections.abc import Sequence

from gwproactor.links.core.message_times import BEFORE_ALL_TIME
from gwproactor.links.core.presence import Intruder
from gwproactor.links.problem_desk import ProblemDesk

OUTAGE_REPORT_SECONDS = 2.0
"""An outage after a good connection becomes a problem when it lasts so long: restarts are shorter.
A broker that was never reached is reported at once, for then it is probably the settings."""


class ConnectionReports:
    """The reports of one link's connections. For the loop only.

    Args:
        problems: Takes reports.
    """

    def __init__(self, problems: ProblemDesk) -> None:
        self._problems = problems
        self._lost_at = BEFORE_ALL_TIME
        self._given_up = ""

    @property
    def gave_up(self) -> bool:
        """Whether this side ended the last connection."""
        return bool(self._given_up)

    def connected(self) -> None:
        """Take note of a new connection."""
        self._given_up = ""
        self._problems.over(_NO_CONNECTION)

    def given_up(self, reason: str) -> None:
        """Take note that this side ends the connection."""
        self._given_up = reason

    def lost(self) -> None:
        """Take note that a connection is gone."""
        self._lost_at = time.monotonic()

    def nothing_reached(self, reasons: Sequence[str]) -> None:
        """Take note that no broker could be connected to; reported when it is no mere blip."""
        if time.monotonic() >= self._lost_at + OUTAGE_REPORT_SECONDS:
            self._problems.report(_NO_CONNECTION, "; ".join(reasons))

    def client_id_is_shared(self, client_id: str, intruder: Intruder, seconds: float) -> None:
        """Report another node under our client id, for which the connection is given up."""
        self._given_up = "another node has our client id"
        name = intruder.name[:_SHOWN_NAME_CHARACTERS] or "a node without a name"
        self._problems.report(
            "another node uses this node's MQTT client id",
            f"{client_id!r} is also that of {name!r}, instance"
            f" {intruder.instance_id[:_SHOWN_NAME_CHARACTERS]!r}, and the broker lets only one of"
            f" them be connected; give one a client_id of its own. Next attempt in {seconds:.0f} s",
            is_error=True,
        )

    def lost_too_soon(self) -> None:
        """Report that a connection was lost before it was worth anything, or one too often."""
        why = self._given_up or "is another client connected under the same client id?"
        what = "connections to the broker do not last"
        self._problems.report(what, f"the next attempt waits; {why}")


_SHOWN_NAME_CHARACTERS = 200

_NO_CONNECTION = "no connection to a broker"
