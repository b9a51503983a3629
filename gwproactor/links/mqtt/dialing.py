"""From an address in the settings to a connected socket, on the loop and without blocking it.

An MQTT package would connect in an executor thread, which cannot be stopped: a host that swallows
packets would hold a thread, and the end of the program, until a timeout. So the socket is made
here, with the loop's own means; a cancelled attempt is gone at once. Only looking up a name takes a
thread (`name_lookup`), and reading certificates one of the loop's executor.
"""

import asyncio
import contextlib
import socket
import ssl
import sys
from collections.abc import Callable

from gwproactor.config.mqtt import MQTTClient
from gwproactor.errors import ConnectFailedError, ConnectRefusedError
from gwproactor.links.mqtt.name_lookup import Address, resolve
from gwproactor.links.mqtt.tls import client_context, reason_of, refusal

UNSENT_BYTES = 32 * 1024
"""So much the operating system takes beyond what is on its way. Without a bound it takes megabytes,
and on a slow line everything that is said later, acks and pings, stands behind them for a minute.
The rest waits with us, where `drain` keeps it short. A fast line is fed again at once."""

_UNSENT_MARK: int | None = getattr(
    socket, "TCP_NOTSENT_LOWAT", {"linux": 25, "darwin": 0x201}.get(sys.platform)
)


async def dial(broker: MQTTClient) -> socket.socket:
    """Connect a TCP socket to `broker`, with the TLS handshake done where it is wanted.

    The socket does not block and has TCP_NODELAY. Cancelling closes it.

    Raises:
        ConnectFailedError: The host is unknown or does not answer.
        ConnectRefusedError: TLS cannot work before somebody changes something.
    """
    context = await _context(broker)
    try:
        connected = await _connect_any(await resolve(broker.host, broker.effective_port), broker)
    except OSError as error:
        raise ConnectFailedError(f"{broker}: {socket_error_in_words(error)}") from None
    if context is None:
        return connected
    try:
        return await _start_tls(connected, context, broker.host)
    except OSError as error:
        connected.close()
        raise _handshake_error(broker, error) from None
    except BaseException:
        connected.close()
        raise


async def _context(broker: MQTTClient) -> ssl.SSLContext | None:
    if not broker.tls.use_tls:
        return None
    loop = asyncio.get_running_loop()
    try:
        return await loop.run_in_executor(None, client_context, broker.tls)
    except ConnectRefusedError as error:
        raise ConnectRefusedError(f"{broker}: {error}") from None


async def _connect_any(addresses: list[Address], broker: MQTTClient) -> socket.socket:
    """Connect to the first address that answers; each gets an even share of the time.

    The time is that of an `asyncio.timeout` around this, so that one dead address of several
    cannot use it up.
    """
    error: OSError = socket.gaierror(socket.EAI_NONAME, "the host has no address")
    for position, address in enumerate(addresses):
        try:
            async with asyncio.timeout(_share_seconds(len(addresses) - position)):
                return await _connect(address, broker)
        except OSError as failure:  # TimeoutError is one
            error = failure
    raise error


def _share_seconds(remaining: int) -> float | None:
    """An even share for each of `remaining` addresses; None for the last: it gets the rest."""
    return None if remaining == 1 else _SHARE_SECONDS


_SHARE_SECONDS = 2.0
"""What an address gets while others wait: a TCP handshake that loses one SYN takes 1 s."""


async def _connect(address: Address, broker: MQTTClient) -> socket.socket:
    connecting = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        connecting.setblocking(False)
        # Without it Nagle and delayed acks hold small packets back for 40 ms each.
        connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _bound_unsent(connecting)
        if broker.bind_address or broker.bind_port:
            # A fixed local port must be usable again while the last connection is in TIME_WAIT.
            connecting.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            connecting.bind((broker.bind_address, broker.bind_port))
        await asyncio.get_running_loop().sock_connect(connecting, address.sockaddr)
    except BaseException:
        connecting.close()
        raise
    return connecting


def _bound_unsent(connecting: socket.socket) -> None:
    if _UNSENT_MARK is not None:
        with contextlib.suppress(OSError):  # an old system does without
            connecting.setsockopt(socket.IPPROTO_TCP, _UNSENT_MARK, UNSENT_BYTES)


async def _start_tls(connected: socket.socket, context: ssl.SSLContext, host: str) -> ssl.SSLSocket:
    """Take over `connected` and shake hands.

    asyncio's own TLS gives a transport; here a socket is needed, so the handshake is driven by
    hand, which is a few lines.
    """
    secured = context.wrap_socket(connected, server_hostname=host, do_handshake_on_connect=False)
    loop = asyncio.get_running_loop()
    try:
        while True:
            try:
                secured.do_handshake()
            except ssl.SSLWantReadError:
                await _ready(secured, loop.add_reader, loop.remove_reader)
            except ssl.SSLWantWriteError:
                await _ready(secured, loop.add_writer, loop.remove_writer)
            else:
                return secured
    except BaseException:
        secured.close()
        raise


async def _ready(
    waiting: socket.socket, add: Callable[..., None], remove: Callable[[int], bool]
) -> None:
    """Wait until the socket can be read, or written, once."""
    ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    add(waiting.fileno(), _set_once, ready)
    try:
        await ready
    finally:
        remove(waiting.fileno())


def _set_once(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)


def connect_error(broker: MQTTClient, error: OSError) -> ConnectFailedError | ConnectRefusedError:
    """What to raise for a socket's error while connecting."""
    refused = refusal(error)
    if refused is not None:
        return ConnectRefusedError(f"{broker}: {refused}")
    return ConnectFailedError(f"{broker}: {socket_error_in_words(error)}")


def _handshake_error(
    broker: MQTTClient, error: OSError
) -> ConnectFailedError | ConnectRefusedError:
    """What to raise for a handshake that failed: a server without TLS often just hangs up."""
    failure = connect_error(broker, error)
    if isinstance(failure, ConnectRefusedError):
        return failure
    return ConnectFailedError(
        f"{failure}, in the TLS handshake; if that lasts, the port may not speak TLS:"
        " is it an mqtt:// port?"
    )


def socket_error_in_words(error: OSError) -> str:
    """A socket's error in words."""
    if isinstance(error, socket.gaierror):
        return f"the host name cannot be resolved ({error.strerror})"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there (connection refused)"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLError):
        return f"TLS broke off ({reason_of(error) or error.strerror})"
    return error.strerror or str(error) or type(error).__name__
