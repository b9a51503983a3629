"""Draws docs/demo.svg by running the demo: a frame from within an outage, and the final table.

python -m gwproactor.demo.picture docs/demo.svg
"""

import asyncio
import io
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME

from gwproactor.demo.main import demo
from gwproactor.demo.scenario import SCENARIO, Action, Step
from gwproactor.demo.screen import WIDTH, Screen

_FONT_FACES = re.compile(r"@font-face \{[^}]*\}\s*")
"""rich names a font on a server; a picture in a repository should load nothing from anywhere."""

_FONTS = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


class Photographer(Screen):
    """A screen that keeps the frame at the end of the first outage.

    Args:
        console: A recording console, which gets the frame.
    """

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self._taken = False

    def step(self, step: Step, words: str) -> None:
        """Take the picture at the end of the first outage."""
        if step.action is Action.back and not self._taken:
            self._console.print(self.frame())
            self._taken = True
        super().step(step, words)


def draw(path: Path, steps: Sequence[Step] = SCENARIO) -> None:
    """Run the demo and write its picture as SVG.

    Args:
        path: Where to.
        steps: What is done to the connections; with an outage among it.
    """
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    photographer = Photographer(console)
    result = asyncio.run(demo(photographer, None, steps))
    console.print(photographer.summary(result))
    svg = console.export_svg(title="make demo", theme=SVG_EXPORT_THEME, unique_id="demo")
    svg = _FONT_FACES.sub("", svg).replace("Fira Code, monospace", _FONTS)
    path.write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    draw(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/demo.svg"))
