import pytest

from gwproactor.config.events import Durability, EventSettings
from gwproactor.events.core.window import FIRST_WINDOW, MAX_WINDOW
from gwproactor.events.store import DEFAULT_MAX_BYTES


def test_the_defaults_are_those_of_the_core() -> None:
    """The core may not lean on settings, so the numbers stand in both places."""
    settings = EventSettings()
    assert settings.max_bytes == DEFAULT_MAX_BYTES
    assert (settings.initial_window, settings.max_window) == (FIRST_WINDOW, MAX_WINDOW)


@pytest.mark.parametrize("durability", list(Durability))
def test_without_a_folder_all_is_in_memory(durability: Durability) -> None:
    assert EventSettings(durability=durability).in_memory
