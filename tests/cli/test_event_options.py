"""Which folder the commands mean: found as the node itself finds it."""

from pathlib import Path

import pytest

from gwproactor_test.events_command import LEFT, fill, refused, run, stored


def test_the_folder_is_found_as_the_node_finds_it(
    data: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = run(capfd, "list", "--data", data)
    fill(tmp_path / "home" / "gwproactor" / "d1.scada")
    assert run(capfd, "list", "--name", "d1.scada") == here
    said = refused(capfd, "list")
    assert "--data is required" in said
    assert "there are data of d1.scada" in said
    config = tmp_path / "node.toml"
    config.write_text('name = "d1.scada"\n')
    assert run(capfd, "list", "--config", config) == here
    monkeypatch.setenv("PROACTOR_EVENTS__FOLDER", str(data))
    assert run(capfd, "list") == here
    monkeypatch.setenv("GWPROACTOR_DATA", str(tmp_path / "nothing"))
    assert "nothing is no data folder" in refused(capfd, "list")
    assert run(capfd, "list", "--data", data) == here


def test_event_files_may_lie_elsewhere(
    files: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = files / "event"
    here = run(capfd, "list", "--data", files)
    assert run(capfd, "list", "--files", elsewhere) == here
    (tmp_path / "empty" / "inbox").mkdir(parents=True)
    assert run(capfd, "list", "--data", tmp_path / "empty", "--files", elsewhere) == here
    monkeypatch.setenv("PROACTOR_EVENTS__FOLDER", str(tmp_path / "empty"))
    monkeypatch.setenv("PROACTOR_EVENTS__STORE", "files")
    monkeypatch.setenv("PROACTOR_EVENTS__FILES_FOLDER", str(elsewhere))
    assert run(capfd, "list") == here


def test_a_node_of_files_is_known_by_its_settings(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though there is a log, too, from before."""
    monkeypatch.setenv("PROACTOR_EVENTS__FOLDER", str(data))
    monkeypatch.setenv("PROACTOR_EVENTS__STORE", "files")
    assert len(run(capfd, "list").splitlines()) == len(LEFT)
    lines = tmp_path / "lines"
    lines.write_bytes(stored(77, 1).payload)
    run(capfd, "import", lines, "--box", "files")
    assert run(capfd, "list").split("\t")[0] == "e77"
    run(capfd, "import", lines)
    monkeypatch.setenv("PROACTOR_EVENTS__STORE", "log")
    assert "say --box outbox, or --box files" in refused(capfd, "import", lines)


def test_a_wrong_variable_is_named(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROACTOR_EVENTS__FOLDER", "/x")
    monkeypatch.setenv("PROACTOR_EVENTS__MAX_BYTES", "many")
    assert "PROACTOR_EVENTS__MAX_BYTES" in refused(capfd, "list")
