"""The real Mosquitto as a subprocess, in the same shape as the embedded broker.

It gets a configuration of its own in a temporary folder, listens on loopback, and keeps its
sessions there between `stop` and `start`. Facts about Mosquitto 2.0 that this module works
around: it cannot choose a free port itself; a SIGTERM right after the start can be lost; and
started as root it changes to another user, who could not read the certificates of a test.
"""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from gwproactor_test.certificates import CertificateFiles

START_SECONDS = 10.0
"""Longest time to accept connections; it takes 5 ms on an idle machine."""

TERMINATE_SECONDS = 2.0
"""Time for an orderly end after SIGTERM, then it is killed."""

POLL_SECONDS = 0.002
"""Between two looks at the port or the process."""

PORT_ATTEMPTS = 5
"""A port that was free when we looked may be taken by the time Mosquitto wants it."""

LOG_TAIL_CHARS = 2000

_RUNS = " running\n"
"""Ends what it logs when it listens: `mosquitto version 2.0.11 running`."""

_SEARCH_PATH = os.pathsep.join(
    [os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin"]
)


class MosquittoError(Exception):
    """Mosquitto is missing, did not start, or ended by itself; the message has its last words."""


def find_mosquitto(program: str = "mosquitto") -> str | None:
    """Path of the installed program, looked for in the sbin folders too."""
    return shutil.which(program, path=_SEARCH_PATH)


def mosquitto_available() -> bool:
    """Whether Mosquitto is installed."""
    return find_mosquitto() is not None


class PortTakenError(MosquittoError):
    """Something else listens on the port."""


class Mosquitto:
    """A Mosquitto of one's own; as an async context manager it runs while the block runs.

    Args:
        host: the address to listen on; loopback unless told otherwise.
        port: 0 has a free one chosen at the first start; it stays the same from then on.
        tls: certificate and key of the server; with them it speaks TLS only.
        client_ca_file: with `tls`: clients must show a certificate of this authority.
        users: passwords by user name; None admits everybody.
        settings: further lines of mosquitto.conf, name to value.

    To be used from one loop at a time.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: CertificateFiles | None = None,
        users: Mapping[str, str] | None = None,
        *,
        client_ca_file: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self._tls = tls
        self._client_ca_file = client_ca_file
        self._users = users
        self._settings = dict(settings or {})
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """How clients reach it: `mqtt://host:port`, or `mqtts://`."""
        return f"{'mqtts' if self._tls else 'mqtt'}://{self.host}:{self.port}"

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return None if self._process is None else self._process.pid

    def log(self) -> str:
        """What it has written to its log since it was first started."""
        if self._folder is None:
            return ""
        return (Path(self._folder.name) / "log").read_text(errors="replace")

    async def start(self) -> None:
        """Start it and return when it accepts connections; nothing happens when it runs already.

        Raises:
            PortTakenError: the port is taken.
            MosquittoError: it is not installed, or it does not come up.
        """
        if self._process is None:
            await (self._come_up() if self.port else self._come_up_somewhere())

    async def stop(self) -> None:
        """End it with SIGTERM, and kill it if that takes too long; cancelling kills it."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            await self._ended_within(TERMINATE_SECONDS)
        finally:
            self._reap()

    async def kill(self) -> None:
        """End it with SIGKILL: what it had not written to disk is lost."""
        if self._process is not None:
            self._process.kill()
            self._reap()

    async def close(self) -> None:
        """Stop it and remove its folder, with its kept sessions."""
        try:
            await self.stop()
        finally:
            if self._folder is not None:
                self._folder.cleanup()
                self._folder = None

    async def _come_up_somewhere(self) -> None:
        """Choose a free port and start it there, and again where somebody else was faster."""
        for attempt in range(1, PORT_ATTEMPTS + 1):
            self.port = _free_port(self.host)
            try:
                await self._come_up()
            except PortTakenError:
                self.port = 0
                if attempt == PORT_ATTEMPTS:
                    raise
            else:
                break

    async def _come_up(self) -> None:
        """Start it on its port; by its own word it has the port, and no other broker."""
        if _somebody_listens(self.host, self.port):
            raise PortTakenError(f"port {self.port} is in use")
        logged_before = len(self.log())
        self._process = self._launch()
        deadline = time.monotonic() + START_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            if _RUNS in self.log()[logged_before:] and await _connects(self.host, self.port):
                return
            await asyncio.sleep(POLL_SECONDS)
        await self.kill()
        words = self.log()[logged_before:][-LOG_TAIL_CHARS:]
        cause = PortTakenError if "Address already in use" in words else MosquittoError
        raise cause(f"mosquitto did not start: {words}")

    async def _ended_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self._process is not None and self._process.poll() is None:
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(POLL_SECONDS)
        return True

    def _reap(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            if process.poll() is None:
                process.kill()
            process.wait()

    def _launch(self) -> subprocess.Popen[bytes]:
        program = find_mosquitto()
        if program is None:
            raise MosquittoError("mosquitto is not installed")
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="mosquitto-")
        folder = Path(self._folder.name)
        configuration = self._write_configuration(folder)
        with (folder / "log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - the program found above, our own file
                [program, "-c", str(configuration)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A Ctrl-C in the terminal is for the tests, who then stop it.
                start_new_session=True,
            )

    def _write_configuration(self, folder: Path) -> Path:
        lines = {
            "per_listener_settings": "false",
            "allow_anonymous": "true" if self._users is None else "false",
            "persistence": "true",
            "persistence_location": f"{folder}/",
            "set_tcp_nodelay": "true",
            "sys_interval": "0",
            **({"user": "root"} if os.geteuid() == 0 else {}),
            **self._login_lines(folder),
            "listener": f"{self.port} {self.host}",
            **self._tls_lines(),
            **self._settings,
        }
        configuration = folder / "mosquitto.conf"
        configuration.write_text("".join(f"{name} {value}\n" for name, value in lines.items()))
        return configuration

    def _login_lines(self, folder: Path) -> dict[str, str]:
        if self._users is None:
            return {}
        password_file = folder / "passwords"
        if not password_file.exists():
            _write_password_file(password_file, self._users)
        return {"password_file": str(password_file)}

    def _tls_lines(self) -> dict[str, str]:
        if self._tls is None:
            return {}
        lines = {"certfile": str(self._tls.cert_file), "keyfile": str(self._tls.key_file)}
        if self._client_ca_file is not None:
            lines |= {"cafile": str(self._client_ca_file), "require_certificate": "true"}
        return lines

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.close()


def _write_password_file(path: Path, users: Mapping[str, str]) -> None:
    program = find_mosquitto("mosquitto_passwd")
    if program is None:
        raise MosquittoError("mosquitto_passwd is not installed")
    path.touch(mode=0o600)
    path.write_text("".join(f"{user}:{password}\n" for user, password in users.items()))
    # -U replaces the passwords in the file by their hashes; they appear in no argument list.
    subprocess.run([program, "-U", str(path)], check=True, capture_output=True)  # noqa: S603


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def _somebody_listens(host: str, port: int) -> bool:
    """Whether the port is taken: a connection to it would not be one to ours."""
    with socket.socket() as probe:
        # Connections of our own that just ended do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


async def _connects(host: str, port: int) -> bool:
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.setblocking(False)
        await asyncio.get_running_loop().sock_connect(probe, (host, port))
        return True
    return False
