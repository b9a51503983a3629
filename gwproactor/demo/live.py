"""Shows a screen on a terminal, ten times a second, and leaves the terminal as it was."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from rich.console import Console
from rich.live import Live

from gwproactor.demo.screen import Screen

FRAME_SECONDS = 0.1
"""Ten frames a second look alive, and cost a small computer little."""


def fits_a_screen(console: Console) -> bool:
    """Whether the console is a terminal that can show a screen."""
    can_move = console.is_terminal and not console.is_dumb_terminal
    return can_move and console.encoding.lower().startswith("utf")


@contextlib.asynccontextmanager
async def show_live(screen: Screen, console: Console) -> AsyncIterator[None]:
    """Show a screen on a terminal while the block runs; afterwards the terminal is as before."""
    live = Live(get_renderable=screen.frame, console=console, screen=True, auto_refresh=False)
    with live:
        animation = _Animation(live)
        screen.announce = animation.draw
        animation.draw()
        try:
            yield
        finally:
            animation.end()


class _Animation:
    """Draws a frame now and then, and at once when asked to."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._loop = asyncio.get_running_loop()
        self._next: asyncio.TimerHandle | None = None

    def draw(self) -> None:
        """Draw a frame; the next one follows in a frame's time."""
        self.end()
        self._live.refresh()
        self._next = self._loop.call_later(FRAME_SECONDS, self.draw)

    def end(self) -> None:
        """Draw no more."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
