"""The base of all tables of settings: what they have in common, and how they refuse what is wrong.

A table that a program makes by itself, `LinkSettings(poll_seconds=0)`, says what is wrong with it
as the settings do that are read from files and variables: by a `SettingsError`, with the argument's
name, the value's fault and an example, without the value. A table within settings leaves that to
them, for they know where the value was written.
"""

import re
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from gwproactor.config.explain import explained
from gwproactor.config.fields import alternatives
from gwproactor.config.layers import Layer, arguments_layer, keys_layer
from gwproactor.config.open_table import OpenTable

_SURROGATES = re.compile("[\ud800-\udfff]")


class Table(BaseModel):
    """Settings that belong together: frozen, and without room for names that nobody knows.

    Args:
        **values: The settings.

    Raises:
        SettingsError: One cannot work, or has no such name.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, loc_by_alias=False
    )

    def __init__(self, /, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            refusal = explained(type(self), error, [arguments_layer(values)])
        else:
            return
        raise refusal  # out here, where it has no context: that one knows the values

    # So pydantic builds tables within tables by itself, and their faults keep their places.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """Make one of a dictionary, say of a file.

        Args:
            obj: The dictionary.
            **options: As pydantic has them.

        Raises:
            SettingsError: One of its values cannot work, or has no such name.
        """
        try:
            return super().model_validate(obj, **options)
        except ValidationError as error:
            refusal = explained(cls, error, [_layer_of(obj)])
        raise refusal

    @field_validator("*", mode="before")
    @classmethod
    def _what_nobody_means(cls, value: object, info: ValidationInfo) -> object:
        return meant(cls, value, info)


def _layer_of(obj: object) -> Layer:
    return keys_layer(obj if isinstance(obj, dict) else {})


def meant(cls: type[BaseModel], value: object, info: ValidationInfo) -> object:
    """Make an object of a table that was opened, and refuse what pydantic takes and nobody means.

    True and false, where a number is asked for: they would be 1 and 0. Bytes of a variable that are
    no UTF-8, other than in a path: Python hands them on as surrogates, which nothing can send.
    """
    field = cls.model_fields.get(info.field_name or "")
    if isinstance(value, OpenTable):
        return value.closed(None if field is None else field.annotation)
    kinds = [] if field is None else list(alternatives(field.annotation))
    is_number = bool not in kinds and (int in kinds or float in kinds)
    if isinstance(value, bool) and is_number:
        raise ValueError("it should be a number, which true and false are not")
    is_path = any(hasattr(kind, "__fspath__") for kind in kinds)
    if isinstance(value, str) and not is_path and _SURROGATES.search(value):
        raise ValueError("it is no UTF-8")
    return value
