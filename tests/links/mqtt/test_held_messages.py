"""What is held until the broker has taken it, by its bytes."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwproactor.links.mqtt.held_messages import HeldMessages


class Held(NamedTuple):
    topic: str
    payload: bytes


def bytes_of(held: HeldMessages[Held]) -> int:
    return sum(len(message.topic) + len(message.payload) for message in held.values())


STEPS = st.tuples(
    st.sampled_from(["set", "del", "pop", "popitem", "clear"]),
    st.integers(0, 3),
    st.binary(max_size=9),
)


@given(st.lists(STEPS))
def test_the_bytes_are_always_those_of_what_is_held(steps: list[tuple[str, int, bytes]]) -> None:
    held = HeldMessages[Held]()
    for step, packet_id, payload in steps:
        if step == "set":
            held[packet_id] = Held("topic"[:packet_id], payload)
        elif step == "clear":
            held.clear()
        elif step == "popitem" and held:
            oldest = packet_id % 2 == 0
            expected = list(held.items())[0 if oldest else -1]
            assert held.popitem(last=not oldest) == expected
        elif step == "popitem":
            with pytest.raises(KeyError):
                held.popitem()
        elif packet_id not in held:
            with pytest.raises(KeyError):
                held.pop(packet_id)
        elif step == "del":
            del held[packet_id]
        else:
            before = held[packet_id]
            assert held.pop(packet_id) is before
            assert packet_id not in held
        assert held.held_bytes == bytes_of(held)
