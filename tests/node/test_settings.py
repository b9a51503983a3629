"""The settings of a node and the files that they name."""

from pathlib import Path

import pytest

from gwproactor.errors import SettingsError
from gwproactor.node.settings import NodeSettings, read_password

NAMES = {"name": "d1.scada", "short": "s", "peer": "d1", "peer_short": "p"}


def settings(**more: object) -> NodeSettings:
    given = {**NAMES, "brokers": ("mqtt://localhost",), "upstream": True, **more}
    return NodeSettings.model_validate(given)


def test_the_data_folder_is_that_of_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert settings().data == tmp_path / "gwproactor" / "d1.scada"
    assert settings(data="/elsewhere").event_settings().folder == Path("/elsewhere")


def test_a_password_file_counts_up_to_the_end_of_its_line(tmp_path: Path) -> None:
    (tmp_path / "password").write_bytes(b"hunter2\r\nnot this\n")
    assert read_password(tmp_path / "password").get_secret_value() == "hunter2"


@pytest.mark.parametrize("name", ["missing", "empty", "binary", "folder"])
def test_a_useless_password_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").write_bytes(b"\n")
    (tmp_path / "binary").write_bytes(b"\xff\n")
    (tmp_path / "folder").mkdir()
    with pytest.raises(SettingsError, match="--password-file"):
        read_password(tmp_path / name)
