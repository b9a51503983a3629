"""Tables of settings that a program gave as objects, and of which others have something to say.

Of `EventSettings(folder="/data")` only the folder was said by anybody; what else the object holds
are defaults, which win over nothing. So where a variable, a file or another default knows more of
the table, it is opened: what was said of it stands in a dictionary, which takes the rest, and of
which an object of the same class is made at the end. One that is alone stays as it is.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, TypeAdapter

from gwproactor.config.fields import alternatives, said_by


class OpenTable(dict[str, Any]):
    """The values of a table, and an object of whose class it is to be.

    Args:
        model: The object.
        values: What is known of the table.
    """

    def __init__(self, model: BaseModel, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self._model = model

    @property
    def kind(self) -> type[BaseModel]:
        """The class that it is to be of."""
        return type(self._model)

    def closed(self, annotation: object) -> BaseModel:
        """The object that is made of the values, or the first one, where that belongs elsewhere.

        Args:
            annotation: What is asked for.

        Raises:
            ValidationError: A value cannot work.
        """
        if not isinstance(self._model, kinds_of(annotation)):
            return self._model  # of a wrong class, which pydantic is to say
        return TypeAdapter(self.kind).validate_python(dict(self))


def kinds_of(annotation: object) -> tuple[type[BaseModel], ...]:
    """The classes of tables that an annotation allows."""
    found = (each for each in alternatives(annotation) if isinstance(each, type))
    return tuple(each for each in found if issubclass(each, BaseModel))


def opened(value: object) -> dict[str, Any] | None:
    """A table that can be filled; None where it is no table."""
    if isinstance(value, BaseModel):
        return OpenTable(value, copied(said_by(value)))
    return value if isinstance(value, dict) else None


def copied(values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy that can be filled while the values stay as they are."""
    return {k: copied(v) if isinstance(v, Mapping) else v for k, v in values.items()}
