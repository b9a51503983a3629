"""The headers of a REST poll, checked where they are set: what cannot be sent is no failed poll.

Values are secrets, and so may be what stands where a name should: a fault names a header up to the
first character that is wrong, and never its value.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, SecretStr

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]*")
"""What a name is made of: RFC 9110, 5.6.2 (token)."""

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""What no value holds: RFC 9110, 5.5. A line break would begin another header."""


def _checked(headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
    for name, value in headers.items():
        begin = _NAME.match(name)
        if not name or begin is None or begin.end() < len(name):
            shown = "" if begin is None else begin.group()
            raise ValueError(
                f"after '{shown}' no name of a header goes on so: it has letters, digits and -,"
                " and its value stands beside it"
            )
        if _CONTROL.search(value.get_secret_value()):
            raise ValueError(
                f"the value of '{name}' holds a line break or another control character"
            )
    return headers


Headers = Annotated[dict[str, SecretStr], AfterValidator(_checked)]
"""Names and values of headers."""
