import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from gwproactor.errors import ListenError, PortTakenError
from gwproactor.links.mqtt.name_lookup import Address
from gwproactor.web import listening
from gwproactor.web.listening import listen, refusal
from gwproactor.web.server_config import WebServerConfig

V4 = Address(socket.AF_INET, ("127.0.0.1", 0))
V6 = Address(socket.AF_INET6, ("::1", 0, 0, 0))
NOT_HERE = Address(socket.AF_INET, ("192.0.2.1", 0))


def config(host: str = "127.0.0.1", port: int = 0, **values: Any) -> WebServerConfig:
    return WebServerConfig(name="w", host=host, port=port, **values)


@contextmanager
def taken(host: str = "127.0.0.1", *, reuse: bool = True) -> Iterator[int]:
    """A port that another program listens on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as other:
        if reuse:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((host, 0))
        other.listen()
        yield other.getsockname()[1]


async def addresses_of(wanted: WebServerConfig) -> list[tuple[str, int]]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(each) for each in await listen(wanted)]
        return [each.getsockname()[:2] for each in sockets]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_port_0_is_any_free_one(host: str) -> None:
    ((found, port),) = await addresses_of(config(host))
    assert found == host
    assert port > 0


async def test_a_name_is_all_its_addresses_with_one_port(monkeypatch: pytest.MonkeyPatch) -> None:
    async def both(_: WebServerConfig) -> list[Address]:
        return [V4, V6]

    monkeypatch.setattr(listening, "_addresses", both)
    (v4, port), (v6, same) = await addresses_of(config("localhost"))
    assert (v4, v6) == ("127.0.0.1", "::1")
    assert port == same


async def test_localhost_is_loopback() -> None:
    assert {host for host, _ in await addresses_of(config("localhost"))} <= {"127.0.0.1", "::1"}


async def test_an_address_that_this_machine_lacks_is_left_out_where_there_is_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def some(_: WebServerConfig) -> list[Address]:
        return [NOT_HERE, V4]

    monkeypatch.setattr(listening, "_addresses", some)
    ((host, _),) = await addresses_of(config("some.name"))
    assert host == "127.0.0.1"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("reuse", [True, False])
async def test_a_taken_port_is_named_with_its_cure(host: str, reuse: bool) -> None:
    with taken(host, reuse=reuse) as port, pytest.raises(PortTakenError) as caught:
        await listen(config(host, port))
    assert f"port {port} of {host} is taken by another program" in str(caught.value)
    assert "use another port" in str(caught.value)


async def test_a_port_taken_on_one_of_two_addresses_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def both(_: WebServerConfig) -> list[Address]:
        return [V6, V4]

    monkeypatch.setattr(listening, "_addresses", both)
    with taken() as port, pytest.raises(PortTakenError):
        await listen(config("localhost", port))


async def test_a_free_port_must_be_free_on_both_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's first choice for the first address is taken on the second one."""
    tries = 0

    def bind(address: Address, port: int, **_: object) -> socket.socket:
        nonlocal tries
        if address is V6:
            tries += 1
            if tries < listening.TRIES:
                raise OSError(errno.EADDRINUSE, "taken")
        return real(address, port, reuse_port=False)

    async def both(_: WebServerConfig) -> list[Address]:
        return [V4, V6]

    real = listening._bind
    monkeypatch.setattr(listening, "_addresses", both)
    monkeypatch.setattr(listening, "_bind", bind)
    assert len(await addresses_of(config("localhost"))) == 2
    assert tries == listening.TRIES


async def test_two_servers_may_share_a_port_if_both_say_so() -> None:
    (first,) = await listen(config(reuse_port=True))
    with first:
        port = first.getsockname()[1]
        assert await addresses_of(config(port=port, reuse_port=True)) == [("127.0.0.1", port)]


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("192.0.2.1", "this machine has no such address; use one that it has, as 127.0.0.1"),
        ("no.such.host.invalid", "cannot be resolved"),
        ("x" * 300, "cannot be resolved"),
        ("[::1]", "cannot be resolved"),
    ],
)
async def test_a_host_that_is_not_ours_is_refused(host: str, said: str) -> None:
    with pytest.raises(ListenError, match=said):
        await listen(config(host))


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EACCES, "use a port above 1023"),
        (errno.ENOBUFS, "port 80 of 127.0.0.1 cannot be listened on: "),
    ],
)
def test_other_refusals_of_the_system_are_told(number: int, said: str) -> None:
    assert said in str(refusal(config(port=80), OSError(number, "no")))
