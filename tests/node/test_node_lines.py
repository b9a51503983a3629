"""What the node makes of its input: every line is answered, and only by what it deserves."""

import json
import time
from pathlib import Path

import pytest

from gwproactor_test.broker import Broker
from gwproactor_test.brokers import AnyBroker
from gwproactor_test.nodes import (
    Event,
    NodeProcess,
    Problem,
    Ready,
    Refused,
    Stored,
    child_options,
    parent_options,
)

NOBODY = "mqtt://127.0.0.1:1"
MAX_LINE_BYTES = 4000

BAD_LINES = [
    (b"garbage", "not JSON"),
    (b"\xff\xfe\x00", "not JSON"),
    (b'{"n": 1', "not JSON"),
    (b'{"n": 1} {"n": 2}', "not JSON"),
    (b'{"n": NaN}', "not JSON"),
    (b'{"n": -Infinity}', "not JSON"),
    (b'{"n": 1e400}', "not JSON"),
    (b'{"n": "\\ud800"}', "not JSON"),
    (b"[" * 2000, "not JSON"),
    (b'{"a":' * 500 + b"1" + b"}" * 500, "not JSON"),
    (b"[1, 2]", "not a JSON object, but an array"),
    (b"null", "not a JSON object"),
    (b'"text"', "not a JSON object"),
    (b"7", "not a JSON object"),
    (b'{"TypeName": "gridworks.ack"}', "TypeName"),
    (b'{"TypeName": "gridworks.event"}', "TypeName"),
    (b'{"TypeName": "gridworks.eventful.x"}', "TypeName"),
    (b'{"TypeName": 7}', "TypeName"),
    (b'{"TypeName": null}', "TypeName"),
    (b'{"TypeName": "gridworks.event.a/b"}', "TypeName"),
    (b'{"TypeName": "gridworks.event.#"}', "TypeName"),
    (b'{"TypeName": "gridworks.event.a b"}', "TypeName"),
    (b'{"TypeName": "gridworks.event.x\\n"}', "TypeName"),
    (b'{"TypeName": "gridworks.event.x\\u0000"}', "TypeName"),
    (b'{"TypeName": "gridworks.event.%b"}' % (b"x" * 300), "TypeName"),
    (b'{"TypeName": "gridworks.event.problem"}', "ProblemType"),
    (b'{"MessageId": 7}', "MessageId"),
    (b'{"MessageId": ""}', "MessageId"),
    (b'{"MessageId": null}', "MessageId"),
    (b'{"MessageId": "%b"}' % (b"i" * 300), "MessageId"),
    (b'{"TimeCreatedMs": "noon"}', "TimeCreatedMs"),
    (b'{"Src": 7}', "Src"),
    (b'{"n": "%b"}' % (b"x" * MAX_LINE_BYTES), f"longer than {MAX_LINE_BYTES} bytes"),
    (b"\x00", "not JSON"),
]


async def test_bad_lines_are_refused_and_the_node_goes_on(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    """Each bad line stands between good ones; all good ones arrive, no bad one does."""
    options = ("--max-line-bytes", str(MAX_LINE_BYTES))
    async with (
        NodeProcess(*parent_options(embedded_broker.url, tmp_path / "p", *options)) as parent,
        NodeProcess(*child_options(embedded_broker.url, tmp_path / "c", *options)) as child,
    ):
        for number, (line, _) in enumerate(BAD_LINES):
            await child.write(line + b'\n\n{"MessageId": "good %d", "n": %d}\n' % (number, number))
        child.end_input()
        assert await child.exited() == 0
        parent.terminate()
        assert await parent.exited() == 0

    refused = {line.line: line.error for line in child.of(Refused)}
    assert len(child.of(Refused)) == len(BAD_LINES)
    for number, (line, said) in enumerate(BAD_LINES):
        assert said in refused[3 * number + 1], line[:80]
        assert len(refused[3 * number + 1]) < 1000
    good = [f"good {number}" for number in range(len(BAD_LINES))]
    assert child.ids(Stored) == good
    assert [stored.line for stored in child.of(Stored)] == [3 * (n + 1) for n in range(len(good))]
    ours = [event.payload["n"] for event in parent.of(Event) if "n" in event.payload]
    assert ours == list(range(len(good)))


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
async def test_the_last_line_counts_however_it_ends(tmp_path: Path, ending: bytes) -> None:
    async with NodeProcess(*child_options(NOBODY, tmp_path / "c", "--follow")) as child:
        await child.write(b'{"n": 1}\r\n{"n": 2}' + ending)
        child.end_input()
        await child.until(lambda: len(child.of(Stored)) == 2)
        child.terminate()
        assert await child.exited() == 0
    assert [stored.line for stored in child.of(Stored)] == [1, 2]
    assert not child.of(Refused)


async def test_an_endless_line_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    async with NodeProcess(*child_options(NOBODY, tmp_path / "c")) as child:
        await child.wait(Ready)
        before_kib = peak_kib(child.pid)
        for _ in range(32):
            await child.write(b"x" * (1 << 20))
        await child.write(b'\n{"n": 1}\n')
        await child.wait(Stored, lambda stored: stored.line == 2)
        assert peak_kib(child.pid) - before_kib < 16 * 1024
        child.terminate()
        assert await child.exited() == 0
    assert [refused.line for refused in child.of(Refused)] == [1]
    assert "1048576" in child.of(Refused)[0].error


def peak_kib(pid: int) -> int:
    """Most memory that a process has held, in KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


async def test_known_events_may_be_sent_as_lines(broker: AnyBroker, tmp_path: Path) -> None:
    """Also a problem of one's own; unknown fields travel along, big numbers unharmed."""
    lines: list[dict[str, object]] = [
        {
            "TypeName": "gridworks.event.problem",
            "ProblemType": "error",
            "Summary": "hot",
            "Extra": {"x": [1, 2.5, None, True]},
        },
        {"TypeName": "gridworks.event.startup", "Src": "else.where", "big": 2**70},
        {"Header": {"MessageId": "no"}, "Payload": 1, "MessageId": "i" * 256},
    ]
    async with (
        NodeProcess(*parent_options(broker.url, tmp_path / "p")) as parent,
        NodeProcess(*child_options(broker.url, tmp_path / "c")) as child,
    ):
        await child.send(*lines)
        child.end_input()
        assert await child.exited() == 0
        parent.terminate()
        assert await parent.exited() == 0
    received = {event.id: event.payload for event in parent.of(Event)}
    for line, event_id in zip(lines, child.ids(Stored), strict=True):
        assert line.items() <= received[event_id].items(), json.dumps(received[event_id])


async def test_moments_are_those_of_the_monotonic_clock(tmp_path: Path) -> None:
    before = time.monotonic_ns()
    async with NodeProcess(*child_options(NOBODY, tmp_path / "c")) as child:
        await child.send({"n": 1})
        await child.wait(Stored)
        child.terminate()
        assert await child.exited() == 0
    moments = [line.t for line in child.lines]
    assert before < moments[0]
    assert moments == sorted(moments)
    assert moments[-1] < time.monotonic_ns()


def nested(depth: int) -> str:
    return '{"n":' + "[" * (depth - 1) + "]" * (depth - 1) + "}"


POISON = [
    *(
        json.dumps({"TypeName": f"gridworks.event.x{char}"})
        for char in "\x80\x9f\ufeff\ufffe\uffff"
    ),
    *(
        json.dumps({"TypeName": f"gridworks.event.{text}"})
        for text in ("ü", "\U0001f600", "$x", "a-b")
    ),
    json.dumps({"TypeName": "gridworks.event." + "ü" * 240}),
    json.dumps({"TypeName": "gridworks.event.\U0001ffff"}),
    *(
        json.dumps({"MessageId": text})
        for text in ("\n", "\x00", "\u2028", "\U0001f600" * 256, " ", "/")
    ),
    *(nested(depth) for depth in range(190, 203)),
    '{"n":' + "9" * 4000 + "}",
    '{"n":' + "9" * 5000 + "}",
    '{"TimeCreatedMs":' + "9" * 4000 + "}",
    '{"TimeCreatedMs":' + "9" * 5000 + "}",
    '{"n": 1.7976931348623157e308, "m": 5e-324, "k": -0.0, "":""}',
    '{"MessageId": "d", "n": 1, "n": 2}',
    '{"model_config": 1, "__class__": 2, "self": 3, "model_fields": 4, "copy": 5}',
    '{"TypeName": "gridworks.event.shutdown", "Reason": ""}',
]


async def test_what_is_stored_can_be_delivered(broker: AnyBroker, tmp_path: Path) -> None:
    """A line is refused, or it arrives: none is taken that the broker or the peer will not have."""
    async with (
        NodeProcess(*parent_options(broker.url, tmp_path / "p")) as parent,
        NodeProcess(*child_options(broker.url, tmp_path / "c")) as child,
    ):
        await child.write("".join(line + "\n" for line in POISON).encode())
        child.end_input()
        assert await child.exited() == 0
        parent.terminate()
        assert await parent.exited() == 0
    assert len(child.of(Stored)) + len(child.of(Refused)) == len(POISON)
    assert set(child.ids(Stored)) <= set(parent.ids(Event))
    assert not parent.of(Problem)
    assert not child.of(Problem)
