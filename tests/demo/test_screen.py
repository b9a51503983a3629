import io

import pytest
from rich.console import Console

from gwproactor.demo.readings import READING_TYPE
from gwproactor.demo.scenario import Action, NodeName, Step
from gwproactor.demo.screen import Screen
from gwproactor.demo.tally import Comeback, Result
from gwproactor.events.incoming import ReceivedEvent
from gwproactor.links.core.link_state import StateName, Transition, TransitionName

CHILD, PARENT = NodeName.child, NodeName.parent
RECEIVED = ReceivedEvent("child", "id", b"")


def shown(screen: Screen, *, width: int = 80, color: bool = False) -> list[str]:
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=color,
        color_system="standard" if color else None,
    )
    with console.capture() as capture:
        console.print(screen.frame())
    return capture.get().splitlines()


def reading(value: float) -> dict[str, object]:
    return {"TypeName": READING_TYPE, "Name": "memory", "Value": value, "Unit": "%"}


def activated(screen: Screen, node: NodeName) -> None:
    screen.transitioned(
        node,
        Transition(
            "x", TransitionName.message_from_peer, StateName.awaiting_peer, StateName.active
        ),
    )


def lost(screen: Screen, node: NodeName) -> None:
    screen.transitioned(
        node,
        Transition(
            "x",
            TransitionName.mqtt_disconnected,
            StateName.active,
            StateName.connecting,
            reason="the broker closed the connection",
        ),
    )


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_frame_fits_80_columns_and_24_rows(width: int) -> None:
    screen = Screen()
    screen.began("a broker in this process", 10.0)
    for node in NodeName:
        for _ in range(20):
            activated(screen, node)
            lost(screen, node)
            screen.came_back(Comeback(node, "cut by close", 0.001))
    for number in range(1, 10001):
        screen.stored(number, "id")
        screen.read(f"reading {number}", 1e9, "kB/s")
    rows = shown(screen, width=width)
    assert len(rows) < 24
    assert max(map(len, rows)) <= min(width, 80)


def test_a_frame_says_what_is_going_on() -> None:
    screen = Screen()
    screen.began("mqtt://broker.example:1883", 10.0)
    screen.step(Step(Action.away, 3.0), "The broker is stopped for 3 s.")
    activated(screen, CHILD)
    lost(screen, PARENT)
    screen.stored(12, "a")
    screen.acked("a")
    screen.received(RECEIVED, reading(1.0))
    text = "\n".join(shown(screen))
    assert "The broker is stopped for 3 s." in text
    assert "mqtt://broker.example:1883" in text
    assert "● active" in text
    assert "○ connecting" in text
    assert "the broker closed the connection" in text
    assert "stored 12   acked 1    delivered 1    waiting 11   ███" in text


def test_where_the_child_is_ahead_of_the_parent_it_shows() -> None:
    def memory_row(screen: Screen) -> str:
        (row,) = [row for row in shown(screen, color=True) if "memory" in row]
        return row

    screen, yellow = Screen(), "\x1b[33m"
    screen.read("memory", 5.0, "%")
    assert yellow in memory_row(screen)
    screen.received(RECEIVED, reading(5.0))
    assert yellow not in memory_row(screen)
    screen.read("memory", 6.0, "%")
    assert yellow in memory_row(screen)


def test_a_step_is_announced_at_once() -> None:
    screen, announced = Screen(), []
    screen.announce = lambda: announced.append(shown(screen))
    screen.step(Step(Action.cut, 1.0), "Both are cut off.")
    assert "Both are cut off." in "\n".join(announced[0])


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (Result(7, 7, 0, 0), "✓ Nothing was lost"),
        (Result(7, 6, 1, 0), "✗ The numbers do not come out: of 7 stored, 6 were delivered, 1"),
        (Result(0, 0, 0, 0), "✗"),
    ],
)
def test_the_summary_judges(result: Result, words: str) -> None:
    console = Console(file=io.StringIO(), width=80)
    with console.capture() as capture:
        console.print(Screen().summary(result))
    assert words in " ".join(capture.get().split())
