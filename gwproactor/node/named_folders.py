"""Which folders a command means that looks at a node's data, found as the node itself finds them.

The first that says something wins: what is given on the command line; `GWPROACTOR_DATA`,
`GWPROACTOR_NAME` and `GWPROACTOR_CONFIG`, as for `gwproactor node`; then what a `ProactorSettings`
finds, as with `PROACTOR_EVENTS__FOLDER` and `PROACTOR_EVENTS__FILES_FOLDER`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from gwproactor.boxes.box import Box
from gwproactor.config.events import EventSettings, EventStoreKind
from gwproactor.config.paths import default_data_folder
from gwproactor.config.proactor import ProactorSettings
from gwproactor.errors import SettingsError
from gwproactor.node.loading import load_folder

_VARIABLES = "PROACTOR_"
_SHOWN_NAMES = 3


class NamedFolders(NamedTuple):
    """The folders that are meant.

    Attributes:
        data: The data folder.
        files: Where the event files lie, if that is said, or the node keeps no log.
    """

    data: Path
    files: Path | None


def named_folders(options: Mapping[str, Any], environment: Mapping[str, str]) -> NamedFolders:
    """Find what is meant.

    Args:
        options: What the command line gave: `data`, `name`, `config` and `files`, each or None.
        environment: The process's environment.

    Raises:
        SettingsError: Nothing says which folder; or what says it is wrong.
    """
    files = options.get("files")
    given = {key: value for key, value in options.items() if key != "files"}
    data = load_folder(given, environment)
    if data is not None:
        return NamedFolders(data, files)
    if files is not None:
        return NamedFolders(files.parent, files)
    if any(key.startswith(_VARIABLES) for key in environment):
        events = ProactorSettings().events
        if events.folder is not None:
            return NamedFolders(events.folder, _files_of(events, events.folder))
    raise SettingsError(_missing())


def _files_of(events: EventSettings, folder: Path) -> Path | None:
    """Where the event files lie; None where they are not what is looked at."""
    if events.store is not EventStoreKind.files:
        return None
    own = Box.files.path(folder)
    return events.files_folder or (own if own.is_dir() else None)


def _missing() -> str:
    words = (
        "--data is required, the node's data folder, or --name, as given to `gwproactor node`"
        " (or GWPROACTOR_DATA, GWPROACTOR_NAME, PROACTOR_EVENTS__FOLDER, or data or name in the"
        " --config file)"
    )
    names = _names_at_home()
    return words + (f"; there are data of {', '.join(names)}" if names else "")


def _names_at_home() -> list[str]:
    """Some nodes whose data lie where they lie by default."""
    try:
        home = default_data_folder("any").parent
        return sorted(path.name for path in home.iterdir() if path.is_dir())[:_SHOWN_NAMES]
    except (OSError, SettingsError):
        return []
