"""What a service manager is told: systemd's notification protocol, spoken directly.

systemd puts the address of a datagram socket into `NOTIFY_SOCKET`, and each datagram sent there
tells it something: `READY=1`, `WATCHDOG=1`, `STOPPING=1`, a `STATUS=` for people. Where the unit
has `WatchdogSec=`, `WATCHDOG_USEC` says how often it wants to hear `WATCHDOG=1`. The protocol is
described in sd_notify(3) and sd_watchdog_enabled(3).

Sending never waits. A datagram that cannot be sent is lost and the log says so, at a bounded rate:
a service manager that does not listen must not harm the node.
"""

import contextlib
import logging
import os
import socket
import time
from collections.abc import Mapping

from gwproactor.links.core.reports import ReportRate

logger = logging.getLogger(__name__)

ADDRESS_VARIABLE = "NOTIFY_SOCKET"
INTERVAL_VARIABLE = "WATCHDOG_USEC"
PROCESS_VARIABLE = "WATCHDOG_PID"

_MAX_DIGITS = 20
"""Of 64 bits, which systemd counts in."""

MAX_STATUS_CHARACTERS = 200
"""A status is read in one line of `systemctl status`."""


def notify_address(environment: Mapping[str, str]) -> str | None:
    """The address of the service manager's socket; None where there is none that can be used.

    `@` at its beginning stands for the zero byte of an abstract address.
    """
    address = environment.get(ADDRESS_VARIABLE, "")
    if not address:
        return None
    if address[0] not in "/@" or len(address) < 2:
        logger.warning("%s=%r is no address that can be used", ADDRESS_VARIABLE, address)
        return None
    return "\0" + address[1:] if address[0] == "@" else address


def watchdog_seconds(environment: Mapping[str, str], process_id: int) -> float | None:
    """How often the service manager wants a sign of life at least; None where it wants none.

    Args:
        environment: What the service manager has set.
        process_id: This process. A parent's environment is inherited, its duty is not.
    """
    interval, process = environment.get(INTERVAL_VARIABLE), environment.get(PROCESS_VARIABLE)
    if not interval or (process and process != str(process_id)):
        return None
    is_number = interval.isascii() and interval.isdigit() and len(interval) <= _MAX_DIGITS
    if not is_number or int(interval) == 0:
        logger.warning("%s=%r is no number of microseconds", INTERVAL_VARIABLE, interval)
        return None
    return int(interval) / 1e6


class NotifySocket:
    """Tells the service manager what happens. For one thread; nothing here waits or raises.

    Args:
        address: Its socket; None where there is no service manager to tell.
    """

    def __init__(self, address: str | None) -> None:
        self._address = address
        self._socket: socket.socket | None = None
        self._rate = ReportRate()

    @classmethod
    def from_environment(cls) -> "NotifySocket":
        """The socket that the environment names, or one that tells nobody."""
        return cls(notify_address(os.environ))

    @property
    def is_there(self) -> bool:
        """Whether there is somebody to tell."""
        return self._address is not None

    def ready(self) -> bool:
        """Tell that everything runs. Returns whether it was sent, as all that tell."""
        return self._send("READY=1")

    def pat(self) -> bool:
        """Tell that the node is alive."""
        return self._send("WATCHDOG=1")

    def stopping(self, status: str) -> bool:
        """Tell that the node stops, and why in one line."""
        return self._send(f"STOPPING=1\nSTATUS={_one_line(status)}")

    def more_time(self, seconds: float) -> bool:
        """Ask for more time to stop in than the service manager would give: so much from now on."""
        return self._send(f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}")

    def status(self, status: str) -> bool:
        """Tell people how the node is, in one line."""
        return self._send(f"STATUS={_one_line(status)}")

    def close(self) -> None:
        """Let go of the socket; a later message would open another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, text: str) -> bool:
        if self._address is None:
            return False
        try:
            self._opened().sendto(text.encode("utf-8", "backslashreplace"), self._address)
        except OSError as error:
            self._failed(error)
            return False
        self._rate.over("send")
        return True

    def _opened(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
        return self._socket

    def _failed(self, error: OSError) -> None:
        told = self._rate.told(time.monotonic(), "send", str(error))
        if told is not None:
            logger.warning("the service manager cannot be told at %r: %s", self._address, told)
        with contextlib.suppress(OSError):
            self.close()


def _one_line(text: str) -> str:
    return (text.splitlines() or [""])[0][:MAX_STATUS_CHARACTERS]
