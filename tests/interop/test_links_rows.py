"""`gwproactor.links` beside the predecessor's, row by row: each difference stands in the table.

`links_rows.py` runs in both environments; what a row comes to must be the same, or be explained by
one of the rules below, whose words stand in docs/differences.md. A rule that explains nothing any
more is a failure too. What takes a broker is compared in `test_predecessor.py`.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.contestants import PREDECESSOR_PYTHON

ROWS = Path(__file__).with_name("links_rows.py")
TABLE = (Path(__file__).parents[2] / "docs" / "differences.md").read_text(encoding="utf-8")

Rule = Callable[[str, Any, Any], bool]


def rows(*python: str) -> dict[str, Any]:
    done = subprocess.run([*python, str(ROWS)], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def changes_nothing(_row: str, theirs: Any, ours: Any) -> bool:
    """An error there, and here a transition from a state to itself; the state after is the same."""
    match theirs, ours:
        case [["Err", [*_]] as result, after], [["Ok", [*_]] as our_result, our_after]:
            return after == our_after and changes_nothing(_row, result, our_result)
        case ["Err", [_, name, state, transition]], ["Ok", [_, *step]]:
            return step[:4] == [name, transition, state, state]
    return False


def is_of_our_tree(_row: str, theirs: Any, ours: Any) -> bool:
    """A mistake of the caller's."""
    came = ("KeyError", "ValueError", "ValidationError")
    match theirs, ours:
        case ["raises", str(error)], ["raises", "UsageError" | ["CommLinkMissing", *_]]:
            return error in came
    return False


def only(*names: str) -> Rule:
    return lambda row, _theirs, _ours: row in names


RULES: dict[str, Rule] = {
    "is `Ok` with a transition from a state to itself": changes_nothing,
    "where a `KeyError` or `ValueError` came": is_of_our_tree,
    "`add_link` of a known link keeps its waits": only("AckManager.add_link(known)"),
    "a timer that was on its way when its wait ended or began anew does nothing": only(
        "AckManager callback of a wait begun anew"
    ),
    "or** nothing was received": only("LinkMessageTimes.next_ping_second(recv first)"),
    "to clear an unknown one does nothing": only("Reuploads.clear_unacked_event(unknown)"),
    "at least one event is sent at once": only("Reuploads(0 at once)"),
    "a filter that is not wanted any more is not pending": only(
        "MQTTClientWrapper.num_pending_subscriptions after"
    ),
}


@pytest.mark.usefixtures("needs_peer")
def test_every_difference_is_in_the_table() -> None:
    theirs, ours = rows(str(PREDECESSOR_PYTHON), "-I"), rows(sys.executable)
    assert theirs.keys() == ours.keys()
    differing = {row for row in ours if ours[row] != theirs[row]}
    explained = {
        words: {row for row in differing if rule(row, theirs[row], ours[row])}
        for words, rule in RULES.items()
    }
    unexplained = differing.difference(*explained.values())
    assert not unexplained, {row: (theirs[row], ours[row]) for row in unexplained}
    assert all(explained.values()), "a rule explains nothing any more"
    assert sum(map(len, explained.values())) == len(differing), "a row has two rules"
    assert len(ours) - len(differing) > 200  # they are far more alike than not


@pytest.mark.parametrize("words", RULES)
def test_the_words_of_each_rule_stand_in_the_table(words: str) -> None:
    assert words in TABLE
