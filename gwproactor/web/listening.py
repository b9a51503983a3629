"""The sockets of a web server, bound before it is served: so it is known at once what is taken.

A name may stand for several addresses (`localhost` for 127.0.0.1 and ::1): the server listens on
each that this machine has, with one port for all.
"""

import contextlib
import errno
import socket

from gwproactor.errors import ListenError, PortTakenError
from gwproactor.links.mqtt.name_lookup import Address, resolve
from gwproactor.web.server_config import LOOPBACK, WebServerConfig

TRIES = 10
"""For a port that must be free on several addresses: each try asks the system for another one."""

_NOT_OF_THIS_MACHINE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


async def listen(config: WebServerConfig) -> list[socket.socket]:
    """Bind the sockets of a server; they do not listen yet. Cancelling is safe.

    Returns:
        At least one; all have the same port.

    Raises:
        PortTakenError: Another program listens there.
        ListenError: It cannot be done for another reason.
    """
    addresses = await _addresses(config)
    for tries_left in reversed(range(TRIES if config.port == 0 else 1)):
        try:
            return _bound(config, addresses)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or not tries_left:
                raise refusal(config, error) from error
    raise AssertionError


async def _addresses(config: WebServerConfig) -> list[Address]:
    try:
        return list(dict.fromkeys(await resolve(config.host, config.port)))
    except OSError as error:
        raise ListenError(
            f"web server '{config.name}': the host '{config.host}' cannot be resolved ({error});"
            f" use an address of this machine, as {LOOPBACK}"
        ) from error


def _bound(config: WebServerConfig, addresses: list[Address]) -> list[socket.socket]:
    """One socket for each address that this machine has; OSError where there is none."""
    with contextlib.ExitStack() as undo:
        sockets: list[socket.socket] = []
        port, not_here = config.port, None
        for address in addresses:
            try:
                sockets.append(_bind(address, port, reuse_port=config.reuse_port))
            except OSError as error:
                if error.errno not in _NOT_OF_THIS_MACHINE:
                    raise
                not_here = error
            else:
                undo.callback(sockets[-1].close)
                port = sockets[0].getsockname()[1]
        if not_here is not None and not sockets:
            raise not_here
        undo.pop_all()
        return sockets


def _bind(address: Address, port: int, *, reuse_port: bool) -> socket.socket:
    host, _, *further = address.sockaddr
    bound = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        bound.setblocking(False)
        # A connection of the last run that still lingers does not keep the port taken.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if address.family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind((host, port, *further))
        # Linux finds only here that the port is taken where both sockets may reuse addresses.
        bound.listen(1)
    except BaseException:
        bound.close()
        raise
    return bound


def refusal(config: WebServerConfig, error: OSError) -> ListenError:
    """What a server is told that could not bind."""
    what = f"web server '{config.name}': port {config.port} of {config.host}"
    if error.errno == errno.EADDRINUSE:
        return PortTakenError(
            f"{what} is taken by another program; stop that one"
            f" (ss -ltnp 'sport = :{config.port}' names it), or use another port, or 0 for any"
            " free one"
        )
    if error.errno in _NOT_OF_THIS_MACHINE:
        return ListenError(
            f"{what}: this machine has no such address; use one that it has, as {LOOPBACK}"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return ListenError(f"{what} is not for every program; use a port above 1023")
    return ListenError(f"{what} cannot be listened on: {error.strerror or error}")
