"""Options that are handed on as keywords, held against the dataclass that is made of them."""

from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any

from gwproactor.errors import UsageError


def refuse_unknown(
    what: object, options: Mapping[str, object], cls: type[Any], apart: Collection[str]
) -> None:
    """Refuse an option that would have no effect.

    Args:
        what: What the options are for, as the message calls it.
        options: The options.
        cls: The dataclass whose fields they are.
        apart: Fields that are given in other ways.

    Raises:
        UsageError: There is no such option; names those that there are.
    """
    known = {field.name for field in fields(cls)}.difference(apart)
    unknown = sorted(set(options) - known)
    if unknown:
        raise UsageError(
            f"{what}: there is no option {', '.join(unknown)}; there are {', '.join(sorted(known))}"
        )
