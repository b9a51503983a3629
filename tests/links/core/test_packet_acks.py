from hypothesis import given
from hypothesis import strategies as st

from gwproactor.links.core.packet_acks import PacketAcks


class Packet:
    """Anything that is itself."""

    def __init__(self, number: int) -> None:
        self.number = number


@given(st.permutations(range(8)), st.integers(0, 8))
def test_packets_are_acknowledged_in_the_order_in_which_they_came(
    order: list[int], how_many: int
) -> None:
    acknowledged: list[int] = []
    acks = PacketAcks[Packet](lambda packet: acknowledged.append(packet.number))
    packets = [Packet(number) for number in range(8)]
    for packet in packets:
        acks.taken(packet)
    done: set[int] = set()
    for number in order[:how_many]:
        acks.done(packets[number])
        done.add(number)
        first_open = min(set(range(8)) - done, default=8)
        assert acknowledged == list(range(first_open))
        assert len(acks) == 8 - first_open
