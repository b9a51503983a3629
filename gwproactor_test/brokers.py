"""What the embedded broker and Mosquitto have in common, so that one test can run on both."""

from collections.abc import Mapping
from typing import Protocol, Self

from gwproactor_test.broker import Limits
from gwproactor_test.certificates import CertificateFiles


class AnyBroker(Protocol):
    """A broker that a test can start, stop and kill; `Broker` and `Mosquitto` are two."""

    @property
    def host(self) -> str:
        """The address it listens on."""

    @property
    def port(self) -> int:
        """The port it listens on; the same after a restart."""

    @property
    def url(self) -> str:
        """How clients reach it: `mqtt://host:port`, or `mqtts://`."""

    async def start(self) -> None:
        """Return when it accepts connections."""

    async def stop(self) -> None:
        """End it in order; sessions and retained messages are kept for the next start."""

    async def kill(self) -> None:
        """End it as a crash would."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_exception: object) -> None: ...


class MakeBroker(Protocol):
    """Starts a broker that is stopped after the test."""

    async def __call__(
        self,
        *,
        users: Mapping[str, str] | None = None,
        tls: CertificateFiles | None = None,
        require_client_certificate: bool = False,
        limits: Limits | None = None,
    ) -> AnyBroker:
        """Start one.

        Args:
            users: passwords by user name; None admits everybody.
            tls: what the server shows; with it the broker speaks TLS only.
            require_client_certificate: admit only clients with a certificate of the test's
                authority.
            limits: those that Mosquitto has too hold on both kinds.
        """
