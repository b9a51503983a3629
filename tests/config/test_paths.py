"""Where files lie: by the XDG rules, by what is given, and each path by those before it."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from gwproactor.config.paths import Paths, default_data_folder, make_folder, xdg_home
from gwproactor.errors import SettingsError

HOMES = ("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, and nothing said by the environment."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in HOMES:
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


def test_defaults_are_those_of_the_specification(home: Path) -> None:
    paths = Paths()
    assert paths.relative_path == Path("gridworks/scada")
    assert paths.data_dir == home / ".local/share/gridworks/scada"
    assert paths.event_dir == paths.data_dir / "event"
    assert paths.log_dir == home / ".local/state/gridworks/scada/log"
    assert paths.config_dir == home / ".config/gridworks/scada"
    assert paths.certs_dir == paths.config_dir / "certs"
    assert paths.hardware_layout == paths.config_dir / "hardware-layout.json"
    assert paths.env_file == paths.config_dir / ".env"


def test_the_environment_names_the_homes(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in HOMES:
        monkeypatch.setenv(variable, f"/{variable}")
    paths = Paths(name=Path("n"))
    assert paths.data_dir == Path("/XDG_DATA_HOME/gridworks/n")
    assert paths.log_dir == Path("/XDG_STATE_HOME/gridworks/n/log")
    assert paths.config_dir == Path("/XDG_CONFIG_HOME/gridworks/n")


@pytest.mark.parametrize("value", ["", "relative", "./relative", "~/x"])
def test_a_home_that_is_not_absolute_is_ignored(
    value: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", value)
    assert xdg_home("data_home", ".local/share") == home / ".local/share"


def test_without_a_home_there_are_names_for_what_cannot_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unknown() -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr(Path, "home", unknown)
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert Paths().data_dir == Path("/data/gridworks/scada")
    assert Paths().log_dir == Path("/nonexistent/.local/state/gridworks/scada/log")


def test_a_given_path_moves_all_below_it() -> None:
    paths = Paths.model_validate({"data_dir": "/d", "config_dir": "~/c", "log_dir": ""})
    assert paths.event_dir == Path("/d/event")
    assert paths.certs_dir == Path("~/c/certs").expanduser()
    assert paths.log_dir == Paths().log_dir


def test_all_events_lie_where_a_folder_of_events_is_given() -> None:
    assert Paths().events_dir == Paths().data_dir
    assert Paths(event_dir=Path("/e")).events_dir == Path("/e")


@pytest.mark.parametrize(
    "wrong", [{"data_dri": "/d"}, {"data_dir": 5}, {"log_dir": "~nobody-of-that-name/x"}, "/d"]
)
def test_what_is_no_path_is_refused(wrong: Any) -> None:
    with pytest.raises(SettingsError):
        Paths.model_validate(wrong)


def test_what_follows_from_a_changed_path_follows() -> None:
    first = Paths(name=Path("a"), log_dir=Path("/log"))
    second = first.duplicate(name=Path("b"))
    assert second.data_dir == first.data_dir.parent / "b"
    assert second.log_dir == Path("/log")
    assert first.duplicate(exclude={"log_dir"}).log_dir == Paths(name=Path("a")).log_dir
    assert Paths(name=Path("scada"), data_dir=Path("/d")).duplicate().data_dir == Path("/d")


def test_a_copy_keeps_everything_where_that_is_asked_for() -> None:
    first = Paths(name=Path("a"))
    copy = first.duplicate(exclude_unset=False, exclude_defaults=False, name=Path("b"))
    assert copy.data_dir == first.data_dir


def test_the_env_file_is_found_by_the_name(home: Path) -> None:
    assert Paths.default_env_path("b") == home / ".config/gridworks/b/.env"
    given = Paths(base=Path("x"), config_home=Path("relative"))
    assert Paths.default_env_path("b", given) == Path.cwd() / "relative/x/b/.env"


def test_a_node_of_the_command_line_has_a_folder_by_its_name(home: Path) -> None:
    assert default_data_folder("d1.scada") == home / ".local/share/gwproactor/d1.scada"


def test_folders_are_private_and_so_are_those_above(home: Path) -> None:
    before = os.umask(0)
    try:
        Paths().mkdirs()
        Paths().mkdirs()
    finally:
        os.umask(before)
    made = [path for path in home.rglob("*") if path.is_dir()]
    assert {Paths().event_dir, Paths().log_dir, Paths().config_dir} <= set(made)
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o700}


def test_folders_can_be_made_as_strictly_as_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        make_folder(tmp_path / "a" / "b", parents=False)
    make_folder(tmp_path / "a" / "b", mode=0o755)
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "a" / "b", exist_ok=False)
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        make_folder(tmp_path / "file" / "b")
