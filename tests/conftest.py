"""Fixtures that every test may use, and the check that every test cleans up after itself."""

import gc
import os
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from benchmarks.contestants import predecessor_is_installed
from gwproactor_test.broker import Broker, Limits
from gwproactor_test.brokers import AnyBroker, MakeBroker
from gwproactor_test.certificates import CertificateFiles, Certificates
from gwproactor_test.leaks import no_leaks, no_leaks_sync
from gwproactor_test.mosquitto import Mosquitto, mosquitto_available
from gwproactor_test.relay import Relay

REQUIRE_MOSQUITTO = "GWPROACTOR_REQUIRE_MOSQUITTO"
"""Environment variable that turns a skip for a missing Mosquitto into a failure."""


REQUIRE_PEER = "GWPROACTOR_REQUIRE_PEER"
"""The same for a missing environment of the predecessor, or of gridworks-protocol."""

PROTOCOL_VENV = Path(__file__).resolve().parents[1] / ".protocol-venv"


# On a machine that has much else to do an example may take long, which is no fault of the code.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As a shell has it for what it runs in the background, and so every program would that is
    # started here; but tests send them SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header() -> list[str]:
    """Say in one line each what is skipped where Mosquitto or the predecessor is missing."""
    lines = []
    if not mosquitto_available():
        lines.append("mosquitto is not installed: tests that need it are skipped")
    if not predecessor_is_installed():
        lines.append("no .peer-venv: tests with the predecessor are skipped; `make peer` makes it")
    if not protocol_is_installed():
        lines.append("no .protocol-venv: tests with gridworks-protocol are skipped; `make peer`")
    return lines


def protocol_is_installed() -> bool:
    """Whether its environment is there and whole; tools/peer.sh writes the stamp last."""
    return (PROTOCOL_VENV / "peer.stamp").exists()


def need_mosquitto() -> None:
    """Skip the test where Mosquitto is missing; fail it where Mosquitto is required."""
    if not mosquitto_available():
        skip_or_fail("mosquitto is not installed", REQUIRE_MOSQUITTO)


def skip_or_fail(reason: str, required_by: str) -> None:
    """Skip the test, or fail it where the environment variable says that it must run."""
    if os.environ.get(required_by) == "1":
        pytest.fail(f"{reason}, and {required_by}=1", pytrace=False)
    pytest.skip(reason)


def pytest_collection_finish() -> None:
    """Keep what is imported by now out of the collections that the leak checks run."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def leaves_nothing_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Check around every test that it leaves no task, thread or descriptor."""
    if request.node.get_closest_marker("asyncio"):
        request.getfixturevalue("leaves_nothing_behind_in_loop")
        yield
    else:
        with no_leaks_sync():
            yield


@pytest.fixture
async def leaves_nothing_behind_in_loop() -> AsyncIterator[None]:
    """Check the same from within the test's own loop."""
    async with no_leaks():
        yield


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Good and bad certificates."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(params=["embedded", "mosquitto"])
def broker_kind(request: pytest.FixtureRequest) -> str:
    """The kind of broker: a test that uses it, `broker` or `make_broker` runs on both."""
    kind = str(request.param)
    if kind == "mosquitto":
        need_mosquitto()
    return kind


def mosquitto_settings(limits: Limits) -> dict[str, str]:
    """Those limits that Mosquitto has too, in its own words."""
    return {
        "max_packet_size": str(limits.packet_bytes),
        "max_queued_messages": str(limits.queued_messages),
        "max_inflight_messages": str(limits.in_flight_messages),
    }


@pytest.fixture
async def make_broker(broker_kind: str, certificates: Certificates) -> AsyncIterator[MakeBroker]:
    """A function that starts brokers with options: the same test on both kinds."""
    async with AsyncExitStack() as stack:

        async def make(
            *,
            users: Mapping[str, str] | None = None,
            tls: CertificateFiles | None = None,
            require_client_certificate: bool = False,
            limits: Limits | None = None,
        ) -> AnyBroker:
            broker: AnyBroker
            if broker_kind == "mosquitto":
                ca_file = certificates.ca_file if require_client_certificate else None
                settings = None if limits is None else mosquitto_settings(limits)
                broker = Mosquitto(tls=tls, users=users, client_ca_file=ca_file, settings=settings)
            else:
                context = (
                    None
                    if tls is None
                    else certificates.server_context(
                        tls, require_client_certificate=require_client_certificate
                    )
                )
                broker = Broker(tls=context, users=users, limits=limits)
            return await stack.enter_async_context(broker)

        yield make


@pytest.fixture
async def broker(make_broker: MakeBroker) -> AnyBroker:
    """A running broker without logins and TLS: the same test on both kinds."""
    return await make_broker()


@pytest.fixture
async def embedded_broker() -> AsyncIterator[Broker]:
    """A running embedded broker, for tests that look inside it."""
    async with Broker() as running:
        yield running


@pytest.fixture
def needs_peer() -> None:
    """For tests that run the predecessor: as `need_mosquitto`."""
    if not predecessor_is_installed():
        skip_or_fail("no .peer-venv: `make peer` makes it", REQUIRE_PEER)


@pytest.fixture
def needs_protocol() -> None:
    """For tests that run gridworks-protocol: as `needs_peer`."""
    if not protocol_is_installed():
        skip_or_fail("no .protocol-venv: `make peer` makes it", REQUIRE_PEER)


@pytest.fixture
def needs_mosquitto() -> None:
    """For tests that have Mosquitto started by what they test."""
    need_mosquitto()


@pytest.fixture
async def mosquitto() -> AsyncIterator[Mosquitto]:
    """A running Mosquitto, for tests that need the real one."""
    need_mosquitto()
    async with Mosquitto() as running:
        yield running


@pytest.fixture
async def relay(broker: AnyBroker) -> AsyncIterator[Relay]:
    """A relay in front of `broker`."""
    async with Relay(broker.port, broker.host) as running:
        yield running
