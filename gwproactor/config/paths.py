"""Where a program's files lie, by the XDG rules, under names that an application may change.

Everything hangs on three homes, for data, state and configuration, and on `relative_path`, which is
`base` and `name`. Each further path follows from what stands before it unless it is given, so that
one given folder moves all below it::

    data_home/base/name                    events and whatever else must not be lost
    data_home/base/name/event              event files
    state_home/base/name/log               logs
    config_home/base/name                  the hardware layout, .env
    config_home/base/name/certs            certificates and keys, a folder for each client

The homes are those of the XDG Base Directory Specification 0.8: `XDG_DATA_HOME`, `XDG_STATE_HOME`
and `XDG_CONFIG_HOME`, which count only where they are absolute, or else `.local/share`,
`.local/state` and `.config` in the user's home. Folders are made with mode 0700, as it says.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from gwproactor.config.table import Table

DEFAULT_BASE_NAME = "gridworks"
"""What the predecessor calls the folder that it shares with its relatives."""

DEFAULT_NAME = "scada"
"""What the predecessor calls a program of which it knows no name."""

NODE_BASE_NAME = "gwproactor"
"""The same for nodes of the command line, which are of this library only."""

XDG_VARIABLES = {
    "data_home": "XDG_DATA_HOME",
    "state_home": "XDG_STATE_HOME",
    "config_home": "XDG_CONFIG_HOME",
}
"""The variable that may name each home."""

HARDWARE_LAYOUT_NAME = "hardware-layout.json"
ENV_FILE_NAME = ".env"

NO_HOME = Path("/nonexistent")
"""The home of a user who has none, as Debian calls it: a program that is told where its files lie
needs none, and to any other this name says what is wrong."""

PRIVATE_FOLDER_MODE = 0o700
"""What the specification asks of folders that are made (its last section)."""


def at_home(path: Path) -> Path:
    """The path with ~ replaced, which a shell does only at the beginning of a word.

    Raises:
        ValueError: Nobody knows that home.
    """
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError("the home folder that ~ stands for is not known") from None


def _says_something(value: object) -> object:
    """Refuse a text that names the current folder by being empty, or no file by holding a zero."""
    if value == "":
        raise ValueError("it is empty, which would be the current folder; leave it out")
    if "\0" in str(value):
        raise ValueError("it holds a zero character, which no path can")
    return value


def _stays_inside(path: Path) -> Path:
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError("it must name a folder inside another one: not absolute, and without ..")
    return path


UserPath = Annotated[Path, BeforeValidator(_says_something), AfterValidator(at_home)]
"""A path that may begin with ~."""

InnerPath = Annotated[UserPath, AfterValidator(_stays_inside)]
"""A path in another one, which it does not leave."""


def xdg_home(home: str, otherwise: str) -> Path:
    """A home of the XDG specification.

    Args:
        home: Which one, as `Paths` calls it. A relative path in its variable is ignored.
        otherwise: The folder in the user's home that is meant where the variable is not set.
    """
    named = Path(os.environ.get(XDG_VARIABLES[home], ""))
    if named.is_absolute():
        return named
    try:
        return Path.home() / otherwise
    except RuntimeError:
        return NO_HOME / otherwise


def _joined(above: str, below: str, name: str = "", *, examples: list[Any] | None = None) -> Any:
    """A field that is, where it is not given, one path and another one in it, and a name in that.

    Where one of them is wrong nobody will see the result, and some versions of pydantic ask for it.
    """

    def join(given: dict[str, Any]) -> Path:
        path: Path = given.get(above, Path()) / given.get(below, Path()) / name
        return path

    return Field(default_factory=join, examples=examples)


class Paths(Table):
    """Where the files of one program lie. A path that is empty counts as not given.

    Args:
        base: Folder that related programs share in each home.
        name: This program's folder in it.
        relative_path: Both; what is in use below each home.
        data_home: What must not be lost: `XDG_DATA_HOME`, or ~/.local/share.
        state_home: What may be lost, and better is not: `XDG_STATE_HOME`, or ~/.local/state.
        config_home: What people write: `XDG_CONFIG_HOME`, or ~/.config.
        data_dir: This program's data, its events among them.
        config_dir: This program's configuration.
        certs_dir: Certificates and keys, in a folder for each MQTT client.
        event_dir: Event files, with `events.store = files`; where it is given, all of the events.
        log_dir: Logs.
        hardware_layout: The file that describes the hardware.
        env_file: Settings, in lines of NAME=VALUE; read where it is named to whoever reads them.
    """

    base: InnerPath = Path(DEFAULT_BASE_NAME)
    name: InnerPath = Path(DEFAULT_NAME)
    relative_path: InnerPath = _joined("base", "name", examples=["gridworks/scada"])
    data_home: UserPath = Field(default_factory=lambda: xdg_home("data_home", ".local/share"))
    state_home: UserPath = Field(default_factory=lambda: xdg_home("state_home", ".local/state"))
    config_home: UserPath = Field(default_factory=lambda: xdg_home("config_home", ".config"))
    data_dir: UserPath = _joined("data_home", "relative_path")
    config_dir: UserPath = _joined("config_home", "relative_path")
    certs_dir: UserPath = _joined("config_dir", "", "certs")
    event_dir: UserPath = _joined("data_dir", "", "event")
    log_dir: UserPath = _joined("state_home", "relative_path", "log")
    hardware_layout: UserPath = _joined(
        "config_dir", "", HARDWARE_LAYOUT_NAME, examples=["/etc/scada/hardware-layout.json"]
    )
    env_file: UserPath = _joined("config_dir", "", ENV_FILE_NAME, examples=["/etc/scada/.env"])

    @model_validator(mode="before")
    @classmethod
    def _empty_is_not_given(cls, values: object) -> object:
        if not isinstance(values, Mapping):
            return values
        return {key: value for key, value in values.items() if value != ""}

    @property
    def events_dir(self) -> Path:
        """The data folder of a proactor's events: `event_dir` where given, else `data_dir`."""
        return self.event_dir if "event_dir" in self.model_fields_set else self.data_dir

    def mkdirs(
        self, *, mode: int = PRIVATE_FOLDER_MODE, parents: bool = True, exist_ok: bool = True
    ) -> None:
        """Make the folders for data, configuration, events and logs. Blocks: not for the loop.

        Args:
            mode: Rights of the folders that are made; of those above them too.
            parents: Make the folders above them as well.
            exist_ok: Leave alone what is there already.

        Raises:
            OSError: One cannot be made.
        """
        for folder in (self.data_dir, self.config_dir, self.event_dir, self.log_dir):
            make_folder(folder, mode=mode, parents=parents, exist_ok=exist_ok)

    def duplicate(
        self,
        *,
        exclude_unset: bool = True,
        exclude_defaults: bool = True,
        exclude: set[str] | None = None,
        **changed: Any,
    ) -> Self:
        """The same with some paths changed; those that follow from them follow.

        Args:
            exclude_unset: Find those anew that were not given.
            exclude_defaults: And those that were given as they are by default.
            exclude: And these.
            **changed: What is to be different.

        Raises:
            SettingsError: There is no such path, or it is none.
        """
        kept = self.model_dump(
            exclude_unset=exclude_unset, exclude_defaults=exclude_defaults, exclude=exclude
        )
        return type(self)(**kept | changed)

    @classmethod
    def default_env_path(cls, name: str | Path, paths: "Paths | None" = None) -> Path:
        """Where the .env of a program of that name lies, made absolute.

        Args:
            name: The program's folder.
            paths: Paths that differ from the default ones.
        """
        changed = cls(name=Path(name)) if paths is None else paths.duplicate(name=Path(name))
        return changed.env_file.absolute()


def default_data_folder(node_name: str) -> Path:
    """The data folder of `gwproactor node` where none is named.

    Args:
        node_name: The node's long name.
    """
    return Paths(base=Path(NODE_BASE_NAME), name=Path(node_name)).data_dir


def make_folder(
    folder: Path,
    *,
    mode: int = PRIVATE_FOLDER_MODE,
    parents: bool = True,
    exist_ok: bool = True,
) -> None:
    """Make a folder, and with the same rights those above it. Blocks: not for the loop.

    `Path.mkdir` gives its mode to the last one only, and leaves the others to the umask.

    Raises:
        OSError: It cannot be made.
    """
    above = folder.parent
    if parents and not above.exists():
        make_folder(above, mode=mode)
    folder.mkdir(mode, exist_ok=exist_ok)
