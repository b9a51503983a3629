"""What a converter is given: an answer that is all there."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message as _Fields
from typing import Any


@dataclass(frozen=True)
class RESTResponse:
    """The answer to a poll, read to its end.

    The coroutines are those of `aiohttp.ClientResponse`, for converters that were written for that;
    they return at once. One that is no coroutine uses `body`.

    Args:
        status: The HTTP status.
        reason: And its words.
        headers: By their names, in any case.
        url: What was asked, without what may be secret in it.
        body: The body, unpacked.
    """

    status: int
    reason: str
    headers: Mapping[str, str]
    url: str
    body: bytes = field(repr=False)

    @property
    def charset(self) -> str:
        """The body's encoding, as its Content-Type says; UTF-8 where it does not."""
        fields = _Fields()
        fields["Content-Type"] = self.headers.get("Content-Type", "")
        return str(fields.get_content_charset("utf-8"))

    async def read(self) -> bytes:
        """The body."""
        return self.body

    async def text(self) -> str:
        """The body as text.

        Raises:
            UnicodeDecodeError: It is not in its encoding.
            LookupError: Python does not know its encoding.
        """
        return self.body.decode(self.charset)

    async def json(self) -> Any:
        """The body's value, where it is JSON.

        Raises:
            ValueError: It is not.
        """
        return json.loads(self.body)
