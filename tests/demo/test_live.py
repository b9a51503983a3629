import asyncio
import io

import pytest
from rich.console import Console, RenderableType

from gwproactor.demo.live import fits_a_screen, show_live
from gwproactor.demo.scenario import Action, Step
from gwproactor.demo.screen import Screen

ENTER_SCREEN, LEAVE_SCREEN = "\x1b[?1049h", "\x1b[?1049l"


def terminal() -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, force_terminal=True, width=80, height=24), file


def test_only_a_terminal_that_can_move_is_a_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert fits_a_screen(Console(force_terminal=True))
    assert not fits_a_screen(Console(file=io.StringIO(), force_terminal=False))
    monkeypatch.setenv("TERM", "dumb")
    assert not fits_a_screen(Console(force_terminal=True))


class Counted(Screen):
    """Tells when a frame was drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn = asyncio.Event()

    def frame(self) -> RenderableType:
        self.drawn.set()
        return super().frame()


async def test_a_step_is_drawn_at_once_and_frames_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    console, file = terminal()
    screen = Counted()
    async with show_live(screen, console):
        screen.step(Step(Action.cut, 1.0), "Both are cut off.")
        assert "Both are cut off." in file.getvalue()
        screen.drawn.clear()
        async with asyncio.timeout(5):
            await screen.drawn.wait()


async def test_the_terminal_is_as_before_whatever_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    console, file = terminal()

    async def fail() -> None:
        async with show_live(Screen(), console):
            assert file.getvalue().count(ENTER_SCREEN) == 1
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert file.getvalue().count(LEAVE_SCREEN) == 1
