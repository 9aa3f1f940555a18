"""How long a wait bears with faults."""

from __future__ import annotations

import pytest

from tallyfy_provider.exceptions import TallyfyAuthError, TallyfyRateLimitError, TallyfyServerError
from tallyfy_provider.waiting.tolerance import FaultTolerance


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_transient_fault_is_borne_until_it_lasts():
    clock = Clock()
    tolerance = FaultTolerance(60, clock=clock)
    fault = TallyfyServerError("down")
    assert tolerance.record(fault) == 0
    clock.now = 59
    assert tolerance.record(fault) == 59
    clock.now = 60
    with pytest.raises(TallyfyServerError):
        tolerance.record(fault)


def test_a_good_answer_begins_the_count_anew():
    clock = Clock()
    tolerance = FaultTolerance(60, clock=clock)
    tolerance.record(TallyfyServerError("down"))
    clock.now = 50
    tolerance.clear()
    clock.now = 100
    assert tolerance.record(TallyfyServerError("down")) == 0


def test_what_does_not_pass_by_itself_is_not_borne():
    with pytest.raises(TallyfyAuthError):
        FaultTolerance(60, clock=Clock()).record(TallyfyAuthError("refused"))


def test_a_rate_limit_is_borne_however_long_it_lasts():
    clock = Clock()
    tolerance = FaultTolerance(60, clock=clock)
    tolerance.record(TallyfyRateLimitError("slower"))
    clock.now = 1e6
    assert tolerance.record(TallyfyRateLimitError("slower")) == 1e6


def test_with_silent_fail_everything_is_borne_forever():
    clock = Clock()
    tolerance = FaultTolerance(60, everything=True, clock=clock)
    tolerance.record(TallyfyAuthError("refused"))
    clock.now = 1e9
    tolerance.record(TallyfyAuthError("refused"))
