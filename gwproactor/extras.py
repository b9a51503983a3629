"""Packages that may be missing: which extra of this distribution brings each, and how.

Who needs one asks before it imports, so that a user reads what to do, and no import's failure.
"""

from importlib.util import find_spec
from typing import Final

from gwproactor.errors import MissingExtraError

EXTRA_OF: Final = {
    "aiohttp": "web",
    "click": "cli",
    "mqtt5": "demo",
    "psutil": "demo",
    "rich": "demo",
}
"""Package -> the extra that brings it."""


def how_to_install(package: str) -> str:
    """The command that installs a package's extra, for an installation and for a checkout."""
    extra = EXTRA_OF[package]
    return f"pip install 'gwproactor[{extra}]', or in a checkout pip install '.[{extra}]'"


def need_package(package: str, what: str) -> None:
    """Refuse, where a package is not installed.

    Args:
        package: The package, one of `EXTRA_OF`.
        what: What needs it.

    Raises:
        MissingExtraError: It is not installed; says how that is done.
    """
    if find_spec(package) is None:
        raise MissingExtraError(
            f"{what} needs {package}, which is not installed: {how_to_install(package)}"
        )
