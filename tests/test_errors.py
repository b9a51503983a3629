"""The tree of exceptions: what its docstring says is what there is."""

import importlib
import pkgutil
import re
from collections.abc import Iterator

import gwproactor
from gwproactor import errors
from gwproactor.errors import GwproactorError

DRAWN = re.compile(r"^([ │]+[├└]── )(\w+)", re.MULTILINE)


def below(cls: type[BaseException]) -> Iterator[type[BaseException]]:
    for child in cls.__subclasses__():
        yield child
        yield from below(child)


def drawn_classes() -> dict[str, str]:
    """Class -> its base, as the docstring draws them."""
    found, path = {}, ["GwproactorError"]
    for indent, name in DRAWN.findall(errors.__doc__ or ""):
        depth = (len(indent) - 4) // 4
        path[depth:] = [name]
        found[name] = path[depth - 1]
    return found


def import_everything() -> None:
    for module in pkgutil.walk_packages(gwproactor.__path__, "gwproactor."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def test_the_tree_is_complete() -> None:
    import_everything()
    ours = {cls.__name__: cls.__mro__[1].__name__ for cls in below(GwproactorError)}
    assert drawn_classes() == ours


def test_no_exception_stands_beside_the_tree() -> None:
    import_everything()
    ours = [cls for cls in below(Exception) if cls.__module__.startswith("gwproactor.")]
    assert [cls for cls in ours if not issubclass(cls, GwproactorError)] == []
