"""Which layer wins, and what is said of a setting that cannot work."""

from pathlib import Path
from typing import Any

import pytest

from gwproactor.errors import SettingsError
from gwproactor.node.loading import load_settings

OPTIONS: dict[str, Any] = {
    "name": "d1.scada",
    "short": "s",
    "peer": "d1",
    "peer_short": "p",
    "broker": ("mqtt://localhost",),
    "upstream": True,
}


def without(*names: str) -> dict[str, Any]:
    return {key: value for key, value in OPTIONS.items() if key not in names}


def test_defaults() -> None:
    settings = load_settings(OPTIONS, {})
    link = settings.link_settings()
    assert (link.ack_timeout_seconds, link.poll_seconds) == (5, 60)
    assert (link.upstream, link.downstream) == (True, False)
    assert link.brokers[0].keepalive_seconds == 60
    assert settings.event_settings().max_bytes == 500 * 1024 * 1024
    assert settings.data.name == "d1.scada"
    assert settings.max_line_bytes == 1024 * 1024
    assert link.max_payload_bytes > settings.max_line_bytes


def test_options_win_over_environment_over_file(tmp_path: Path) -> None:
    config = tmp_path / "node.toml"
    config.write_text('ack_timeout = 1\npoll = 1\nkeepalive = 1\nname = "in.file"\n')
    settings = load_settings(
        without("name") | {"poll": "3", "config": str(config)},
        {"GWPROACTOR_ACK_TIMEOUT": "2", "GWPROACTOR_POLL": "2"},
    )
    assert (settings.poll, settings.ack_timeout, settings.keepalive) == (3, 2, 1)
    assert settings.name == "in.file"


def test_everything_may_come_from_the_environment() -> None:
    environment = {
        "GWPROACTOR_NAME": "d1.scada",
        "GWPROACTOR_SHORT": "s",
        "GWPROACTOR_PEER": "d1",
        "GWPROACTOR_PEER_SHORT": "p",
        "GWPROACTOR_BROKER": "mqtt://u:p,w@a  mqtt://b",
        "GWPROACTOR_DOWNSTREAM": "1",
        "GWPROACTOR_FOLLOW": "",
    }
    settings = load_settings({}, environment)
    assert settings.brokers == ("mqtt://u:p,w@a", "mqtt://b")
    assert not settings.upstream
    assert not settings.follow


def test_a_layer_overrides_the_direction_as_a_whole(tmp_path: Path) -> None:
    config = tmp_path / "node.toml"
    config.write_text("downstream = true\n")
    assert load_settings(OPTIONS | {"config": str(config)}, {}).upstream
    environment = {"GWPROACTOR_UPSTREAM": "true", "GWPROACTOR_CONFIG": str(config)}
    assert load_settings(without("upstream"), environment).upstream


def test_tls_files_come_from_the_table(tmp_path: Path) -> None:
    config = tmp_path / "node.toml"
    config.write_text('[tls]\nca_cert = "/ca"\nkey_password = "hunter2"\ncheck_hostname = false\n')
    settings = load_settings(
        OPTIONS | {"config": str(config), "broker": ("mqtts://a", "mqtt://b")}, {}
    )
    first, second = settings.link_settings().brokers
    assert (first.tls.use_tls, first.tls.check_hostname) == (True, False)
    assert first.tls.ca_cert_path == Path("/ca")
    assert not second.tls.use_tls
    assert "hunter2" not in repr(settings) + repr(first)


def test_the_password_file_keeps_the_password_out_of_the_arguments(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_bytes(b"hunter2\r\nnot this\n")
    settings = load_settings(
        OPTIONS | {"broker": ("mqtt://user@a",), "password_file": str(secret)}, {}
    )
    (broker,) = settings.link_settings().brokers
    assert broker.password is not None
    assert broker.password.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(broker) + str(broker) + repr(settings)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": None}, "--name is required (or GWPROACTOR_NAME"),
        ({"broker": ()}, "--broker is required (or GWPROACTOR_BROKER"),
        ({"upstream": False}, "one of --upstream and --downstream is required"),
        ({"downstream": True}, "--upstream and --downstream exclude each other"),
        ({"ack_timeout": "abc"}, "--ack-timeout is 'abc'"),
        (
            {"poll": "-1"},
            "--poll is '-1': Input should be greater than or equal to 0.001; example: 60",
        ),
        ({"poll": "nan"}, "--poll"),
        ({"ack_timeout": "0.0001"}, "--ack-timeout is '0.0001': Input should be greater"),
        ({"poll": "0.0001"}, "--poll is '0.0001': Input should be greater"),
        ({"keepalive": "70000"}, "--keepalive is '70000'"),
        ({"mqtt": "4"}, "'5' or '3.1.1'"),
        ({"durability": "sync"}, "'fsync', 'os' or 'none'"),
        ({"short": "a.b"}, "one word without dots"),
        ({"peer": "a/b"}, "--peer is 'a/b'"),
        ({"name": ".."}, "--name is '..': a name cannot be empty, nor of dots only"),
        ({"peer": "."}, "--peer is '.'"),
        ({"client_id": "x" * 65536}, "--client-id"),
        ({"data": "~nobody-of-that-name/x"}, "--data is '~nobody-of-that-name/x': the home folder"),
        ({"name": "mqtt://user:hunter2@a"}, "--name is 'mqtt://...@a'"),
        ({"max_bytes": "0"}, "--max-bytes is '0'"),
        ({"config": "~nobody-of-that-name/x"}, "cannot be read: the home folder"),
        ({"config": "/nowhere/node.toml"}, "--config /nowhere/node.toml cannot be read"),
    ],
)
def test_what_is_wrong_is_said(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(OPTIONS | changed, {})
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ack_timout = 5", "unknown key 'ack_timout'; did you mean 'ack_timeout'?"),
        ('broker = "mqtt://a"', "did you mean 'brokers'?"),
        ('[tls]\ncacert = "x"', "table [tls]: unknown key 'cacert'; did you mean 'ca_cert'?"),
        ("upstream = true\ntls = 3", "tls in"),
        ("= 3", "is not TOML"),
        ('upstream = true\npoll = "x"', "poll in"),
        ("upstream = 3", "neither true nor false"),
        ("upstream = true\nname = 5", "is 5: Input should be a valid string; example: d1."),
        ("upstream = true\ntls = 3", "node.toml: it must be a table"),
        ("upstream = true\n[tls]\nkey_password = 5", "tls.key_password in "),
        ('upstream = true\nbrokers = "mqtt://a"', "node.toml: it must be a list, as ["),
        ("upstream = true\ndata = 5", "data in "),
        ("upstream = true\n[tls]\ncheck_hostname = 7", "check_hostname"),
    ],
)
def test_what_is_wrong_in_the_file_is_said(tmp_path: Path, text: str, said: str) -> None:
    config = tmp_path / "node.toml"
    config.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_settings(_not_in(text) | {"config": str(config)}, {})
    assert said in str(caught.value)
    assert "Value error" not in str(caught.value)


def _not_in(text: str) -> dict[str, Any]:
    """The options, without those that the file's text gives."""
    return without(
        "upstream",
        *(["name"] if "\nname =" in text else []),
        *(["broker"] if "brokers =" in text else []),
    )


def test_home_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "node.toml").write_text('data = "~/x"\n[tls]\nkey = "~/key"\n')
    settings = load_settings(OPTIONS | {"config": "~/node.toml", "password_file": "~/p"}, {})
    assert settings.data == tmp_path / "x"
    assert settings.password_file == tmp_path / "p"
    assert settings.tls.key == tmp_path / "key"
    assert load_settings(OPTIONS | {"data": "~/y"}, {}).data == tmp_path / "y"


def test_a_password_in_the_file_stays_out_of_errors(tmp_path: Path) -> None:
    config = tmp_path / "node.toml"
    config.write_text('brokers = "mqtt://user:hunter2@a"')
    with pytest.raises(SettingsError, match="brokers in") as caught:
        load_settings(without("broker") | {"config": str(config)}, {})
    assert "hunter2" not in str(caught.value)


def test_the_environment_is_named_where_it_is_wrong() -> None:
    with pytest.raises(SettingsError, match="GWPROACTOR_POLL is 'soon'"):
        load_settings(OPTIONS, {"GWPROACTOR_POLL": "soon"})


def test_a_password_in_the_url_stays_out_of_errors() -> None:
    settings = load_settings(OPTIONS | {"broker": ("mqtt://user:hunter2@a:0",)}, {})
    with pytest.raises(SettingsError) as caught:
        settings.link_settings()
    assert "hunter2" not in str(caught.value)
