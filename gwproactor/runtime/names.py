"""What a proactor refuses to be given: other things than it takes, and names that are not free.

A message finds its receiver by name, and communicators are looked at first. One with the name of
the watchdog, of the proactor or of a peer would get their messages, and whoever sent them would
never know. So such a name is refused when it is given, in whichever order the two are added.
"""

from collections.abc import Container, Iterable
from typing import TypeVar

from gwproactor.config.link import LinkSettings, checked_name
from gwproactor.errors import UsageError
from gwproactor.message import KnownNames

T = TypeVar("T")

RESERVED = (KnownNames.proactor, KnownNames.watchdog_manager)
"""What answers to a name without being a communicator."""


def checked_type(value: T, type_: type[object], what: str) -> T:
    """Return `value` where it is what is expected.

    Args:
        value: What was given; it may be a secret in the wrong place, so no error shows it.
        type_: What is expected.
        what: What it was given as.

    Raises:
        UsageError: It is something else.
    """
    if isinstance(value, type_):
        return value
    given = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
    raise UsageError(f"{what} must be of type {type_.__name__}, not {given}")


def is_message(item: object) -> bool:
    """Whether it is a message, be it of this library or of `gridworks-protocol`."""
    header = getattr(item, "Header", None)
    return isinstance(getattr(header, "Dst", None), str) and hasattr(item, "Payload")


def checked_message(item: T) -> T:
    """Return a message.

    Raises:
        UsageError: It is none.
    """
    if is_message(item):
        return item
    raise UsageError(f"a Message can be sent, not {type(item).__name__}: give Message(Dst=…)")


def check_communicator_name(
    name: str, own_name: str, links: Iterable[LinkSettings], others: Container[str]
) -> None:
    """Refuse a name that messages to somebody else carry, or that no topic can.

    Args:
        name: The communicator's.
        own_name: The node's.
        links: Those of the node.
        others: The names of the communicators that there are.

    Raises:
        UsageError: It cannot be a communicator's name.
    """
    if not checked_type(name, str, "a communicator's name"):
        raise UsageError(
            "a communicator has no name, by which messages could reach it: give it one"
        )
    if name in others:
        raise UsageError(f"a communicator is named {name!r} already; names are unique")
    if name in RESERVED or name == own_name:
        raise UsageError(
            f"no communicator can be named '{name}': messages of that name are for the proactor"
            " itself; give it another name"
        )
    for link in links:
        if name in _names_of(link):
            raise UsageError(
                f"no communicator can be named '{name}': a link is named '{name}' already, or its"
                " peer; give it another name"
            )
    try:
        checked_name(name)
    except ValueError as error:
        raise UsageError(f"no communicator can be named {name!r}: {error}") from None


def check_link_names(settings: LinkSettings, communicators: Container[str]) -> None:
    """Refuse a link whose messages would go to a communicator.

    Args:
        settings: The link's.
        communicators: The names that are taken.

    Raises:
        UsageError: The link, or its peer, has the name of one.
    """
    for name in _names_of(settings):
        if name in communicators:
            raise UsageError(
                f"a communicator is named '{name}' already, which is a name of the link"
                f" '{settings.link_name}' or of its peer; rename one of them"
            )


def _names_of(link: LinkSettings) -> tuple[str, str, str]:
    return link.link_name, link.peer_name, link.peer_short_name
