"""Whether aiohttp is there, said before anybody needs it."""

from importlib.util import find_spec

from gwproactor.errors import MissingExtraError


def need_aiohttp(what: str) -> None:
    """Refuse, where aiohttp is not installed.

    Args:
        what: What needs it.

    Raises:
        MissingExtraError: It is not installed.
    """
    if find_spec("aiohttp") is None:
        raise MissingExtraError(
            f"{what} needs aiohttp, which is not installed: pip install 'gwproactor[web]'"
        )
