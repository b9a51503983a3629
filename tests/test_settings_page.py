"""The table of docs/settings.md is what the models say; `make names` writes it anew."""

import enum
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gwproactor.config.examples import as_variable, example_of
from gwproactor.config.fields import KeyPath, dotted, leaves, model_at
from gwproactor.config.proactor import ProactorSettings
from gwproactor.config.variables import variable_of

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"
BEGIN = "<!-- made by tests/test_settings_page.py: `make names` -->\n"
END = "<!-- end -->\n"


def meanings(model: type[BaseModel]) -> dict[str, str]:
    """What the docstring of a model says of each of its settings."""
    _, _, arguments = inspect.cleandoc(model.__doc__ or "").partition("\nArgs:\n")
    section = re.split(r"\n(?=\S)", arguments)[0]
    entries = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", section, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}


def default_of(path: KeyPath, field: FieldInfo) -> str:
    if path[0] == "paths" and path[1:] not in (("base",), ("name",)):
        return "see above"
    if field.default is None:
        return "none"
    return f"`{field.default}`" if str(field.default) else "empty"


def right_values(name: str, field: FieldInfo) -> str:
    """All of them where they are few, or else one."""
    kind = field.annotation
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return ", ".join(f"`{member.value}`" for member in kind)
    return f"`{as_variable(example_of(field, name))}`"


def rows() -> Iterator[str]:
    yield "| setting | default | right values | meaning |"
    yield "| --- | --- | --- | --- |"
    for path, field in leaves(ProactorSettings):
        owner = model_at(ProactorSettings, path[:-1])
        assert owner is not None
        cells = (
            f"`{dotted(path)}`",
            default_of(path, field),
            right_values(path[-1], field),
            meanings(owner)[path[-1]].replace("|", "\\|"),
        )
        yield f"| {' | '.join(cells)} |"


def table() -> str:
    return "\n".join(rows()) + "\n"


def test_the_table_is_what_the_models_say() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.partition(BEGIN)[2].partition(END)[0] == table(), "on purpose? then `make names`"


def test_the_variable_of_a_row_follows_from_its_name() -> None:
    for path, _ in leaves(ProactorSettings):
        by_the_page = "PROACTOR_" + dotted(path).upper().replace(".", "__")
        assert variable_of(ProactorSettings, path) == by_the_page


if __name__ == "__main__":
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(before + BEGIN + table() + END + rest.partition(END)[2], encoding="utf-8")
