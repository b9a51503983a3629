"""User name and password from files, read anew for each connection.

So a secret that was exchanged on disk is used at the next connection, as certificates are. What
cannot be read is refused with the name of the file, never with what is in it.
"""

import asyncio
from pathlib import Path

from pydantic import SecretStr

from gwproactor.config.mqtt import MQTTClient
from gwproactor.errors import ConnectRefusedError

MAX_SECRET_BYTES = 65_535
"""The longest user name or password that MQTT can carry (MQTT 5, sections 1.5.4 and 1.5.6)."""


async def with_login(broker: MQTTClient) -> MQTTClient:
    """The broker with what its files say; itself where it names none. Cancel-safe.

    Raises:
        ConnectRefusedError: A file cannot be used.
    """
    if broker.username_file is None and broker.password_file is None:
        return broker
    return await asyncio.to_thread(_read_login, broker)


def _read_login(broker: MQTTClient) -> MQTTClient:
    found: dict[str, object] = {}
    if broker.username_file is not None:
        found["username"] = _first_line("username_file", broker.username_file, broker)
    if broker.password_file is not None:
        password = _first_line("password_file", broker.password_file, broker)
        found["password"] = SecretStr(password)
    return broker.model_copy(update=found)


def _first_line(setting: str, path: Path, broker: MQTTClient) -> str:
    try:
        if path.exists() and not path.is_file():  # a pipe may have nobody at its other end
            raise _unusable(setting, path, broker, "it is no regular file")
        with path.open("rb") as file:
            line = file.read(MAX_SECRET_BYTES + 2).partition(b"\n")[0].removesuffix(b"\r")
    except OSError as error:
        raise _unusable(setting, path, broker, error.strerror or type(error).__name__) from None
    text = _decoded(line)
    if text is None:
        raise _unusable(setting, path, broker, "it is not UTF-8")
    if not text or len(line) > MAX_SECRET_BYTES:
        raise _unusable(setting, path, broker, "its first line is empty, or too long")
    return text


def _decoded(line: bytes) -> str | None:
    """The text; None where it is none, for the error of that would hold the secret."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return None


def _unusable(setting: str, path: Path, broker: MQTTClient, why: str) -> ConnectRefusedError:
    return ConnectRefusedError(f"{broker}: the file {path} ({setting}) cannot be used: {why}")
