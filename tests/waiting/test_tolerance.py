"""How long transient errors are tolerated."""

from __future__ import annotations

import math

import pytest

from tallyfy_emulator import ManualClock
from tallyfy_provider.exceptions import TallyfyAuthError, TallyfyRateLimitError, TallyfyServerError
from tallyfy_provider.waiting.tolerance import MAX_OUTAGE_PAUSE, FaultTolerance, log_fault, pause_after

DOWN = TallyfyServerError("down")


@pytest.fixture
def clock():
    return ManualClock(0)


@pytest.fixture
def tolerance(clock):
    return FaultTolerance(60, clock=clock.now)


def test_a_transient_error_is_tolerated_until_it_lasts(clock, tolerance):
    assert tolerance.record(DOWN) == 0
    clock.advance(59)
    assert tolerance.record(DOWN) == 59
    clock.advance(1)
    with pytest.raises(TallyfyServerError):
        tolerance.record(DOWN)


def test_a_success_begins_the_count_anew(clock, tolerance):
    tolerance.record(DOWN)
    clock.advance(50)
    tolerance.clear()
    clock.advance(50)
    assert tolerance.record(DOWN) == 0


def test_an_error_that_is_not_transient_is_not_tolerated(tolerance):
    with pytest.raises(TallyfyAuthError):
        tolerance.record(TallyfyAuthError("refused"))


def test_a_rate_limit_is_tolerated_however_long_it_lasts(clock, tolerance):
    tolerance.record(TallyfyRateLimitError("slower"))
    clock.advance(1e6)
    assert tolerance.record(TallyfyRateLimitError("slower")) == 1e6


def test_with_silent_fail_every_error_is_tolerated_forever(clock):
    tolerance = FaultTolerance(60, everything=True, clock=clock.now)
    tolerance.record(TallyfyAuthError("refused"))
    clock.advance(1e9)
    tolerance.record(TallyfyAuthError("refused"))


def test_the_log_says_how_long_tallyfy_has_been_unreachable(mocker):
    log = mocker.Mock()
    for lasted in (0.0, 40.0):
        log_fault(log, DOWN, lasted)
    lines = [call.args[0] % call.args[1:] for call in log.warning.call_args_list]
    assert lines == [
        "Tallyfy is unreachable; the wait continues: down",
        "Tallyfy has been unreachable for 40 s; the wait continues: down",
    ]


@pytest.mark.parametrize(
    ("fault", "patience", "pause"),
    [
        (TallyfyServerError("x", retry_after=3600.0), math.inf, MAX_OUTAGE_PAUSE),
        (TallyfyServerError("x", retry_after=3600.0), 1.0, 1.0),
        (TallyfyServerError("x", retry_after=10.0), 900.0, 10.0),
        (TallyfyServerError("x", retry_after=10.0), -5.0, 0.0),
        (TallyfyServerError("x"), 900.0, 0.0),
        (TallyfyRateLimitError("x", retry_after=3600.0), 1.0, 3600.0),
    ],
)
def test_a_pause_after_an_outage_is_no_longer_than_it_is_tolerated(fault, patience, pause):
    assert pause_after(fault, patience) == pause
