"""The leak check finds each kind of leak, and nothing where there is none."""

import asyncio
import os
import socket
import threading

import pytest

from gwproactor_test import leaks
from gwproactor_test.leaks import no_leaks, no_leaks_sync


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait long for leaks that are meant to stay."""
    monkeypatch.setattr(leaks, "SETTLE_SECONDS", 0.01)


async def test_a_clean_block_passes() -> None:
    async with no_leaks():
        await asyncio.sleep(0)
        await asyncio.to_thread(int)
        _, writer = await asyncio.open_connection(sock=_connected())
        writer.close()
        await writer.wait_closed()
        await asyncio.create_task(asyncio.sleep(0))


async def test_a_task_is_found() -> None:
    with pytest.raises(AssertionError, match="task lost"):
        async with no_leaks():
            task = asyncio.create_task(asyncio.Event().wait(), name="lost")
    task.cancel()


async def test_a_thread_is_found() -> None:
    end = threading.Event()
    thread = threading.Thread(target=end.wait, name="lost")
    with pytest.raises(AssertionError, match="thread lost"):
        async with no_leaks():
            thread.start()
    end.set()
    thread.join()


async def test_a_busy_executor_thread_is_found() -> None:
    end = threading.Event()
    with pytest.raises(AssertionError, match="thread asyncio_"):
        async with no_leaks():
            busy = asyncio.get_running_loop().run_in_executor(None, end.wait)
    end.set()
    await busy


async def test_a_socket_is_found() -> None:
    with pytest.raises(AssertionError, match=r"descriptor .* socket:"):
        async with no_leaks():
            leaked = _connected()
    leaked.close()


def test_a_descriptor_is_found_without_a_loop() -> None:
    with pytest.raises(AssertionError, match="descriptor"), no_leaks_sync():
        descriptor = os.open(os.devnull, os.O_RDONLY)
    os.close(descriptor)


async def test_an_exception_nobody_retrieved_is_found() -> None:
    async def fail() -> None:
        raise ValueError("forgotten")

    async def forget() -> None:
        async with no_leaks():
            await asyncio.wait([asyncio.create_task(fail())])

    with pytest.raises(AssertionError, match="forgotten"):
        await forget()


async def test_an_exception_in_a_callback_is_found() -> None:
    def fail() -> None:
        raise ValueError("in a callback")

    async def call() -> None:
        async with no_leaks():
            asyncio.get_running_loop().call_soon(fail)
            await asyncio.sleep(0)

    with pytest.raises(AssertionError, match="in a callback"):
        await call()


async def test_the_error_of_the_block_itself_comes_through() -> None:
    with pytest.raises(KeyError):
        async with no_leaks():
            raise KeyError


async def test_the_exception_handler_is_put_back() -> None:
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    async with no_leaks():
        assert loop.get_exception_handler() is not before
    assert loop.get_exception_handler() is before


def _connected() -> socket.socket:
    """One end of a pair of which the other is gone."""
    one, other = socket.socketpair()
    other.close()
    return one
