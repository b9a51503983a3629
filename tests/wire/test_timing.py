"""How long somebody may wait."""

import math

import pytest

from gwproactor.errors import UsageError
from gwproactor.wire.timing import checked_timeout


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (None, None),
        (math.inf, None),
        (1, 1),
        (0.5, 0.5),
        (0, 0),
        (-0.0, 0),
        (-3, 0),
        (-math.inf, 0),
    ],
)
def test_below_zero_is_at_once_and_for_ever_is_none(
    given: float | None, meant: float | None
) -> None:
    assert checked_timeout(given) == meant


@pytest.mark.parametrize("given", [math.nan, "1", True, [1]])
def test_what_is_no_number_of_seconds_is_refused(given: object) -> None:
    with pytest.raises(UsageError, match="timeout_seconds"):
        checked_timeout(given)
