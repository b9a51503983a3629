"""The hardware layout that stands in where the application has none."""

from gwproactor.layout import HardwareLayout, NamesOnly


def test_every_name_is_a_node_of_the_layout_of_names() -> None:
    layout: HardwareLayout = NamesOnly()
    node = layout.node("a.relay")
    assert node is not None
    assert node.name == "a.relay"


def test_what_is_no_layout_is_told_apart() -> None:
    assert isinstance(NamesOnly(), HardwareLayout)
    assert not isinstance(object(), HardwareLayout)
