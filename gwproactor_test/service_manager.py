"""A service manager's end of systemd's notification protocol, for tests.

with ServiceManager(str(tmp_path / "notify")) as manager:
monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
...
assert await manager.told() == "READY=1"
"""

import asyncio
import contextlib
import socket
from types import TracebackType
from typing import Self

ANSWER_SECONDS = 10.0
"""Longest wait for what is expected."""

MAX_BYTES = 64 * 1024
"""Longest message taken."""


class ServiceManager:
    """Listens on a datagram socket, as a context manager.

    Args:
        address: What `NOTIFY_SOCKET` is to be: a path, or an abstract address that begins with `@`.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def __enter__(self) -> Self:
        is_abstract = self.address.startswith("@")
        self._socket.bind("\0" + self.address[1:] if is_abstract else self.address)
        self._socket.setblocking(False)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.close()

    async def told(self) -> str:
        """Wait for the next message.

        Raises:
            TimeoutError: None came.
        """
        async with asyncio.timeout(ANSWER_SECONDS):
            loop = asyncio.get_running_loop()
            return (await loop.sock_recv(self._socket, MAX_BYTES)).decode()

    def told_so_far(self) -> list[str]:
        """The messages that have come and were not read yet; never waits."""
        messages: list[str] = []
        with contextlib.suppress(BlockingIOError):
            while True:
                messages.append(self._socket.recv(MAX_BYTES).decode())
        return messages
