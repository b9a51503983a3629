"""The service manager's protocol, against a real datagram socket in its place."""

import logging
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwproactor.runtime.notify_socket import (
    ADDRESS_VARIABLE,
    NotifySocket,
    notify_address,
    watchdog_seconds,
)
from gwproactor_test.service_manager import ServiceManager


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "path":
        return str(tmp_path / "notify")
    return f"@gwproactor-test-{os.getpid()}"


def test_what_happens_is_told(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ADDRESS_VARIABLE, address)
    with ServiceManager(address) as manager:
        notify = NotifySocket.from_environment()
        assert notify.is_there
        assert notify.ready()
        assert notify.pat()
        assert notify.status("two\nlines")
        assert notify.stopping("x" * 1000)
        last = "STOPPING=1\nSTATUS=" + "x" * 200
        assert manager.told_so_far() == ["READY=1", "WATCHDOG=1", "STATUS=two", last]
        notify.close()
        notify.close()
        assert notify.pat()
        assert manager.told_so_far() == ["WATCHDOG=1"]
        notify.close()


def test_without_a_service_manager_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ADDRESS_VARIABLE, raising=False)
    notify = NotifySocket.from_environment()
    assert not notify.is_there
    assert not notify.ready()
    notify.close()


def test_a_failing_socket_harms_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody is there, then somebody, then nobody again: each trouble is told once."""
    address = str(tmp_path / "notify")
    notify = NotifySocket(address)
    assert not any(notify.pat() for _ in range(5))
    with ServiceManager(address):
        assert notify.pat()
    assert not any(notify.pat() for _ in range(5))
    notify.close()
    said = [each for each in caplog.records if "cannot be told" in each.message]
    assert [each.levelno for each in said] == [logging.WARNING] * 2
    assert address in said[0].message


def test_a_service_manager_that_does_not_read_holds_up_nobody(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with ServiceManager(address) as manager:
        notify = NotifySocket(address)
        assert not all(notify.pat() for _ in range(100_000))
        assert set(manager.told_so_far()) == {"WATCHDOG=1"}
        assert notify.pat()
        notify.close()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("/run/systemd/notify", "/run/systemd/notify"),
        ("@abc", "\0abc"),
        ("", None),
        ("@", None),
        ("/", None),
        ("vsock:2:1234", None),
    ],
)
def test_addresses(value: str, expected: str | None) -> None:
    assert notify_address({ADDRESS_VARIABLE: value}) == expected


def test_a_missing_address_is_none() -> None:
    assert notify_address({}) is None


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "77"}, 0.5),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": ""}, 0.5),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "78"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "1" * 5000}, None),
        ({"WATCHDOG_USEC": "\N{SUPERSCRIPT TWO}"}, None),
    ],
)
def test_how_often_a_sign_of_life_is_wanted(
    environment: dict[str, str], expected: float | None
) -> None:
    assert watchdog_seconds(environment, 77) == expected


@given(
    st.dictionaries(st.sampled_from(["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]), st.text())
)
def test_whatever_the_environment_says_nothing_is_raised(environment: dict[str, str]) -> None:
    notify_address(environment)
    assert (watchdog_seconds(environment, 1) or 1.0) > 0
