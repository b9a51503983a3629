"""What a program asks for when it sends, checked before MQTT's encoder meets it. Pure."""

from collections.abc import Iterable, Sequence
from typing import TypeGuard

from gwproactor.errors import UsageError
from gwproactor.links.transport import SendOptions

MAX_TEXT_BYTES = 65_535
"""The longest text that MQTT can carry (MQTT 5, section 1.5.4)."""

MAX_EXPIRY_SECONDS = 0xFFFF_FFFF
"""The longest expiry that MQTT can carry (MQTT 5, section 3.3.2.3.3)."""


def checked_qos(qos: object) -> int:
    """Return a QoS; raises UsageError where it is none."""
    if isinstance(qos, bool) or not isinstance(qos, int) or qos not in (0, 1, 2):
        raise UsageError(f"there is no QoS {qos!r}; there are the numbers 0, 1 and 2")
    return int(qos)


def checked_options(
    qos: object,
    user_properties: Iterable[tuple[str, str]],
    content_type: str | None,
    expiry_seconds: int | None,
    correlation_data: bytes | None = None,
) -> SendOptions:
    """How a message is to be published.

    Raises:
        UsageError: MQTT cannot carry one of them; the message names it.
    """
    if content_type is not None and not _is_text(content_type):
        raise UsageError(f"content_type is {content_type!r}; it is a text of at most 65535 bytes")
    if expiry_seconds is not None and not _is_expiry(expiry_seconds):
        raise UsageError(
            f"expiry_seconds is {expiry_seconds!r}; it is a whole number from 0 to"
            f" {MAX_EXPIRY_SECONDS}"
        )
    return SendOptions(
        qos=checked_qos(qos),
        user_properties=_checked_pairs(user_properties),
        content_type=content_type,
        expiry_seconds=expiry_seconds,
        correlation_data=correlation_data,
    )


def _checked_pairs(pairs: Iterable[object]) -> tuple[tuple[str, str], ...]:
    given = tuple(pairs)
    checked = tuple((pair[0], pair[1]) for pair in given if _is_pair(pair))
    if len(checked) < len(given):
        raise UsageError(
            f"user_properties are {given!r}; they are pairs of texts of at most 65535 bytes:"
            ' [("unit", "celsius")]'
        )
    return checked


def _is_pair(pair: object) -> TypeGuard[Sequence[str]]:
    return isinstance(pair, tuple | list) and len(pair) == 2 and all(map(_is_text, pair))


def _is_text(value: object) -> bool:
    try:
        return isinstance(value, str) and len(value.encode()) <= MAX_TEXT_BYTES
    except UnicodeEncodeError:
        return False  # half a surrogate pair


def _is_expiry(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int):
        return False
    return 0 <= value <= MAX_EXPIRY_SECONDS
