"""Logins from files: read at each connection, and never told."""

import os
from pathlib import Path

import pytest

from gwproactor.config.mqtt import MQTTClient, MQTTVersion, broker_from_url
from gwproactor.errors import ConnectRefusedError, SettingsError
from gwproactor.links.mqtt.aiomqtt_transport import connect_with_aiomqtt
from gwproactor.links.transport import ConnectOptions
from gwproactor_test.brokers import MakeBroker

OPTIONS = ConnectOptions("me", 1 << 20)


@pytest.mark.parametrize("version", list(MQTTVersion))
async def test_the_files_are_read_at_each_connection(
    make_broker: MakeBroker, tmp_path: Path, version: MQTTVersion
) -> None:
    user, password = tmp_path / "user", tmp_path / "password"
    user.write_text("somebody\n")
    password.write_bytes(b"wrong\r\nsecond line")
    broker = await make_broker(users={"somebody": "s3cret"})
    client = broker_from_url(broker.url, protocol=version).model_copy(
        update={"username_file": user, "password_file": password}
    )
    with pytest.raises(ConnectRefusedError, match="login refused") as refused:
        async with connect_with_aiomqtt(client, OPTIONS):
            pass
    assert "wrong" not in str(refused.value)
    password.write_text("s3cret")
    async with connect_with_aiomqtt(client, OPTIONS) as connection:
        assert not connection.session_present
    assert "s3cret" not in repr(client)


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "No such file"), (b"", "empty"), (b"\n", "empty"), (b"\xff", "not UTF-8"),
     (b"x" * 65_536, "too long")],
)  # fmt: skip
async def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content)
    client = MQTTClient(host="127.0.0.1", port=1, username="u", password_file=path)
    with pytest.raises(ConnectRefusedError, match=rf"{path} \(password_file\).*{said}"):
        async with connect_with_aiomqtt(client, OPTIONS):
            pass


async def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    client = MQTTClient(host="127.0.0.1", port=1, username="u", password_file=path)
    with pytest.raises(ConnectRefusedError, match="no regular file"):
        async with connect_with_aiomqtt(client, OPTIONS):
            pass


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"username": "u", "username_file": "f"}, "both given"),
        ({"username": "u", "password": "p", "password_file": "f"}, "both given"),
        ({"password_file": "f"}, "a password needs a username"),
    ],
)
def test_a_login_is_said_once(settings: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        MQTTClient.model_validate(settings)
