from gwproactor.demo.panels import ComebackRow, Moment, comeback_rows, strip
from gwproactor.demo.scenario import NodeName
from gwproactor.demo.tally import Comeback

CHILD, PARENT = NodeName.child, NodeName.parent


def test_a_strip_shows_when_a_link_was_active() -> None:
    moments = [Moment(1.0, True), Moment(4.2, False), Moment(4.3, True), Moment(7.0, False)]
    assert strip(moments, now=9.0, seconds=12.0, cells=12).plain == "▁███▄██▁▁···"
    assert strip([], now=0.0, seconds=1.0, cells=3).plain == "···"
    assert strip(moments, now=99.0, seconds=12.0, cells=12).plain == "▁███▄██▁▁▁▁▁"


def test_comebacks_of_both_nodes_share_a_row() -> None:
    comebacks = [
        Comeback(CHILD, "cut", 0.001),
        Comeback(CHILD, "away", 0.002),
        Comeback(PARENT, "away", 0.003),
        Comeback(PARENT, "away", 0.004),
    ]
    assert comeback_rows(comebacks) == [
        ComebackRow("cut", {CHILD: 1.0}),
        ComebackRow("away", {CHILD: 2.0, PARENT: 3.0}),
        ComebackRow("away", {PARENT: 4.0}),
    ]
