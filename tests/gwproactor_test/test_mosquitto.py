"""The runner of the real Mosquitto."""

import os
from pathlib import Path

import pytest
from mqtt5 import ConnectPacket

from gwproactor_test.clients import PacketClient
from gwproactor_test.mosquitto import Mosquitto, MosquittoError, _free_port, find_mosquitto

PASSWORD = "s3cret-and-long"


async def test_it_runs_and_stops(mosquitto: Mosquitto) -> None:
    assert mosquitto.url == f"mqtt://127.0.0.1:{mosquitto.port}"
    pid = mosquitto.pid
    assert pid is not None
    await mosquitto.start()
    assert mosquitto.pid == pid
    async with PacketClient(mosquitto) as client:
        await client.connect(ConnectPacket("me", clean_start=True))
    await mosquitto.stop()
    await mosquitto.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert "terminating" in mosquitto.log()


async def test_it_comes_back_on_the_same_port(mosquitto: Mosquitto) -> None:
    port = mosquitto.port
    for end in (mosquitto.stop, mosquitto.kill):
        await end()
        with pytest.raises(ConnectionRefusedError):
            async with PacketClient(mosquitto):
                pass
        await mosquitto.start()
        assert mosquitto.port == port


async def test_a_stop_right_after_the_start_works(mosquitto: Mosquitto) -> None:
    for _ in range(3):
        await mosquitto.stop()
        await mosquitto.start()


async def test_its_folder_goes_with_it(mosquitto: Mosquitto) -> None:
    folder = mosquitto._folder
    assert folder is not None
    await mosquitto.close()
    with pytest.raises(FileNotFoundError):
        os.stat(folder.name)  # noqa: PTH116
    assert mosquitto.log() == ""


@pytest.mark.usefixtures("mosquitto")
async def test_what_it_says_is_in_the_error() -> None:
    with pytest.raises(MosquittoError, match="no_such_setting"):
        async with Mosquitto(settings={"no_such_setting": "1"}):
            pass


async def test_a_port_in_use_is_an_error(mosquitto: Mosquitto) -> None:
    with pytest.raises(MosquittoError, match="in use"):
        async with Mosquitto(port=mosquitto.port):
            pass


async def test_a_port_that_is_taken_at_the_last_moment_costs_one_more_try(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = [mosquitto.port, _free_port("127.0.0.1")]
    offered = iter(ports)
    monkeypatch.setattr("gwproactor_test.mosquitto._free_port", lambda _host: next(offered))
    monkeypatch.setattr("gwproactor_test.mosquitto._somebody_listens", lambda *_: False)
    async with Mosquitto() as second:
        assert second.port == ports[1]


@pytest.mark.usefixtures("mosquitto")
async def test_passwords_are_kept_hashed_and_private() -> None:
    async with Mosquitto(users={"anna": PASSWORD}) as broker:
        assert broker._folder is not None
        passwords = Path(broker._folder.name) / "passwords"
        assert PASSWORD not in passwords.read_text()
        assert passwords.stat().st_mode & 0o077 == 0
        assert PASSWORD not in broker.log()
        assert PASSWORD not in repr(broker)


async def test_a_missing_mosquitto_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gwproactor_test.mosquitto._SEARCH_PATH", os.devnull)
    assert find_mosquitto() is None
    with pytest.raises(MosquittoError, match="not installed"):
        async with Mosquitto():
            pass
