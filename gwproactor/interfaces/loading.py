"""Making an object of a class that is known by its name, as a hardware layout names it."""

import importlib
import inspect
from collections.abc import Callable
from types import ModuleType

from gwproactor.errors import UsageError


def made_by_name(
    base: type,
    class_name: str,
    module: str | ModuleType,
    name: str,
    /,
    *arguments: object,
    **options: object,
) -> object:
    """Make an actor; what is wrong says for whom it was.

    Args:
        base: What the class must be derived from.
        class_name: The class, as it is called in the module.
        module: The module, or its name.
        name: The actor's name, the first argument of the class.
        arguments: The next ones.
        options: And those with names.

    Raises:
        UsageError: See `ActorInterface.load`.
        Exception: What the class raises.
    """
    where = f"actor '{name}', class {class_name}"
    place = _module(module, where)
    made_of = _checked(base, getattr(place, class_name, None), f"{where} in {place.__name__}")
    try:
        return made_of(name, *arguments, **options)
    except Exception as error:
        error.add_note(f"raised by the constructor of {where}")
        raise


def _module(module: str | ModuleType, where: str) -> ModuleType:
    if isinstance(module, ModuleType):
        return module
    try:
        return importlib.import_module(module)
    except Exception as error:
        missing = isinstance(error, ModuleNotFoundError) and _is_part(error.name, module)
        cure = "there is none; check its name" if missing else f"{type(error).__name__}: {error}"
        raise UsageError(f"{where}: module {module!r} cannot be imported: {cure}") from error


def _is_part(missing: str | None, module: str) -> bool:
    """Whether what is missing is the module, or a package of it; not something that it imports."""
    return f"{module}.".startswith(f"{missing}.")


def _checked(base: type, found: object, where: str) -> Callable[..., object]:
    """The class, where it is one to make an actor of."""
    if found is None:
        raise UsageError(f"{where}: there is no such class; check its name")
    if not (isinstance(found, type) and issubclass(found, base)):
        raise UsageError(f"{where}: it is no actor; derive it from gwproactor.Actor")
    if inspect.isabstract(found):
        missing = ", ".join(sorted(getattr(found, "__abstractmethods__", ())))
        raise UsageError(f"{where}: it is abstract; give it {missing}")
    return found
