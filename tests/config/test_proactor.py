import pytest
from pydantic import ValidationError

from gwproactor.config.events import EventSettings
from gwproactor.config.proactor import ProactorSettings


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROACTOR_STOP_SECONDS", "9")
    monkeypatch.setenv("PROACTOR_EVENTS__MAX_BYTES", "999")


def test_what_is_not_given_is_read_from_the_environment() -> None:
    settings = ProactorSettings(mailbox_messages=3)
    assert (settings.mailbox_messages, settings.stop_seconds) == (3, 9)
    assert settings.events.max_bytes == 999


def test_the_environment_can_be_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROACTOR_EVENTS__NO_SUCH", "1")
    events = EventSettings(max_bytes=5)
    settings = ProactorSettings.without_environment(events=events, mailbox_messages=3)
    assert settings.mailbox_messages == 3
    assert settings.stop_seconds == ProactorSettings.model_fields["stop_seconds"].default
    assert settings.events == events
    assert type(settings) is ProactorSettings
    assert ProactorSettings.without_environment().events == EventSettings()


def test_without_the_environment_values_are_checked_too() -> None:
    with pytest.raises(ValidationError, match="stop_seconds"):
        ProactorSettings.without_environment(stop_seconds=0)
    with pytest.raises(ValidationError, match="no_such"):
        ProactorSettings.without_environment(no_such=1)
