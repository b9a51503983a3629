import pytest

from gwproactor.config.events import Durability, EventSettings
from gwproactor.config.proactor import ProactorSettings
from gwproactor.events.core.inbox import MAX_TRIES
from gwproactor.events.core.refusals import MAX_SEND_TRIES
from gwproactor.events.core.window import FIRST_WINDOW, MAX_WINDOW
from gwproactor.events.store import DEFAULT_MAX_BYTES


def test_the_defaults_are_those_of_the_core() -> None:
    """The core may not lean on settings, so the numbers stand in both places."""
    settings = EventSettings()
    assert settings.max_bytes == DEFAULT_MAX_BYTES
    assert settings.max_window == MAX_WINDOW
    assert settings.handler_tries == MAX_TRIES
    assert settings.send_tries == MAX_SEND_TRIES
    assert ProactorSettings().num_initial_event_reuploads == FIRST_WINDOW


@pytest.mark.parametrize("durability", list(Durability))
def test_without_a_folder_all_is_in_memory(durability: Durability) -> None:
    assert EventSettings(durability=durability).in_memory
