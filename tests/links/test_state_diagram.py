"""The page about the comm state says what the table says."""

from pathlib import Path

from gwproactor.links.core.link_state import LINK_TABLE, StateName, TransitionName
from gwproactor.links.state_diagram import STATE_MEANINGS, TRANSITION_MEANINGS, mermaid, page

PAGE = Path(__file__).resolve().parents[2] / "docs" / "comm-state.md"


def test_the_page_is_what_the_table_generates() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "run: python -m gwproactor.links.state_diagram > docs/comm-state.md"
    )


def test_every_row_but_the_ways_to_stopped_is_drawn() -> None:
    drawn = [line for line in mermaid().splitlines() if " : " in line]
    rows = [row for row in LINK_TABLE if row[2] is not StateName.stopped]
    assert len(drawn) == len(rows)
    for (trigger, source, dest), line in zip(rows, drawn, strict=True):
        assert line.strip() == f"{source} --> {dest} : {trigger}"


def test_every_name_is_explained() -> None:
    assert set(STATE_MEANINGS) == set(StateName) - {StateName.none}
    assert set(TRANSITION_MEANINGS) == set(TransitionName) - {TransitionName.none}
