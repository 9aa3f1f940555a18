"""The rate that is allowed is found for every kind of limiter, pauses concern their kind, and waits come first."""

from __future__ import annotations

import json
from itertools import accumulate

import pytest

from benchmarks.limit_simulation import Run, Shared
from tallyfy_provider.client.http.budget import MAX_PAUSE, Budgets
from tallyfy_provider.client.http.request_kind import Priority, kind_of

NOW = 1_000_000.0


def no_jitter(low: float, high: float) -> float:
    return low


def ask(budgets, kind="reads", now=NOW, lease="a", priority=Priority.CALL):
    return budgets.ask(kind, lease, now, priority, no_jitter)


def refuse(budgets, kind="reads", now=NOW, hint=None, lease="a"):
    ask(budgets, kind, now, lease)
    budgets.record_refusal(kind, lease, now, hint, no_jitter)


LIMITS = [
    (kind, limit)
    for kind in ("fixed", "sliding", "token", "leaky")
    for limit in ((1, 1), (10, 1), (60, 60), (100, 10), (1000, 3600))
]


@pytest.mark.parametrize("hints", ["seconds", "none"])
@pytest.mark.parametrize(("kind", "limit"), LIMITS)
def test_the_allowed_rate_is_found(kind, limit, hints):
    run = Run(kind, limit, hints, clients=2, total=max(800, 13 * limit[0] // 10))
    outcome = run.simulate(Shared(1))
    assert outcome.accepted == run.total
    assert run.share(outcome) >= 0.8
    assert outcome.refused <= 0.04 * run.total


@pytest.mark.parametrize("excess", [1.1, 1.5])
@pytest.mark.parametrize(("kind", "limit"), [each for each in LIMITS if each[1] != (1, 1)])
def test_the_rate_is_found_by_a_list_that_is_hardly_too_quick_by_itself(kind, limit, excess):
    requests, seconds = limit
    latency = seconds / requests / excess
    run = Run(kind, limit, "seconds", clients=1, total=max(300, 3 * requests), threads=1, latency=latency)
    outcome = run.simulate(Shared(1))
    assert outcome.accepted == run.total
    assert run.share(outcome) >= 0.75
    assert outcome.refused <= 0.03 * run.total


def test_a_list_with_slow_answers_has_no_new_period_with_each_request():
    budget = Budgets().of("reads")
    for number in range(3):  # one after the other, 5 s each
        budget.ask(f"r{number}", NOW + 5 * number, Priority.LIST, no_jitter, 0.0)
        budget.record_success(f"r{number}", NOW + 5 * number + 5)
    assert budget.learned.accepted == 3
    assert budget.learned.since == NOW


@pytest.mark.parametrize("hint", [1800.0, None])
def test_a_refused_comment_does_not_delay_reads(hint):
    budgets = Budgets()
    refuse(budgets, "comments", hint=hint)
    assert ask(budgets, "comments", NOW + 0.1, "b").is_pause
    for number in range(1000):
        assert ask(budgets, "reads", NOW + 0.1, f"r{number}").delay == 0
        budgets.of("reads").record_success(f"r{number}", NOW + 0.1)


def test_kinds_that_are_refused_together_pause_everything():
    budgets = Budgets()
    refuse(budgets, "comments", hint=60.0)
    refuse(budgets, "reads", NOW + 1, hint=30.0)
    assert ask(budgets, "launches", NOW + 2).delay == pytest.approx(29.0)
    assert ask(budgets, "launches", NOW + 31).granted
    assert ask(budgets, "comments", NOW + 31, "b").is_pause


@pytest.mark.parametrize("hint", [1e9, 86_400.0, MAX_PAUSE + 1])
def test_every_pause_is_capped(hint):
    budgets = Budgets()
    refuse(budgets, hint=hint)
    assert ask(budgets, now=NOW, lease="b").delay <= MAX_PAUSE


def test_pauses_end_at_different_times_for_different_clients():
    budgets = Budgets()
    refuse(budgets, hint=30.0)
    early = budgets.ask("reads", "b", NOW, Priority.CALL, lambda low, high: low)
    late = budgets.ask("reads", "c", NOW, Priority.CALL, lambda low, high: high)
    assert early.delay < late.delay <= early.delay + 2


def test_after_a_pause_one_goes_first():
    budgets = Budgets()
    refuse(budgets, hint=5.0)
    assert ask(budgets, now=NOW + 5, lease="b").granted
    assert not ask(budgets, now=NOW + 5, lease="c").granted
    budgets.of("reads").record_success("b", NOW + 5.1)
    assert ask(budgets, now=NOW + 7, lease="c").granted


def test_what_was_sent_before_a_pause_lets_no_second_request_go_first_after_it():
    budgets = Budgets()
    budgets.of("reads").learned.rate = 10.0
    budgets.of("reads").window = 2.0
    ask(budgets, lease="refused")
    ask(budgets, lease="accepted")
    budgets.record_refusal("reads", "refused", NOW + 0.1, 1.0, no_jitter)
    budgets.of("reads").record_success("accepted", NOW + 0.2)
    assert ask(budgets, now=NOW + 2, lease="first").granted
    assert ask(budgets, now=NOW + 2, lease="second").is_full


def test_pauses_without_a_hint_double():
    budgets = Budgets()
    now, pauses = NOW, []
    for _ in range(5):
        refuse(budgets, now=now)
        pauses.append(budgets.of("reads").paused_until - now)
        now += pauses[-1]
    assert pauses == pytest.approx([0.5, 1, 2, 4, 8])


def test_the_end_of_a_pause_without_a_hint_is_looked_for_more_closely_once_one_is_known():
    budgets = Budgets()
    budgets.of("reads").learned.rate = 1.0
    budgets.of("reads").learned.price = 800.0  # seconds that the last pause took
    now, pauses = NOW, []
    while now < NOW + 1600:
        refuse(budgets, now=now)
        pauses.append(budgets.of("reads").paused_until - now)
        now += pauses[-1]
    assert max(pause for pause in pauses[:-1]) <= 800
    assert all(pause <= 100 for pause, end in zip(pauses, accumulate(pauses), strict=True) if end <= 800)


def test_a_turn_that_a_pause_overtook_is_given_back():
    budgets = Budgets()
    budgets.of("reads").learned.rate = budgets.of("reads").learned.ceiling = 1.0
    budgets.of("reads").window = 9
    assert ask(budgets, lease="a").delay == 0
    assert ask(budgets, lease="b").delay == pytest.approx(1.0)
    budgets.record_refusal("reads", "a", NOW + 0.5, 10.0, no_jitter)
    assert not budgets.confirm("reads", "b", NOW + 1)


def test_a_client_that_ended_without_a_word_loses_its_place():
    budgets = Budgets()
    assert ask(budgets, lease="killed").granted
    assert not ask(budgets, now=NOW + 20, lease="b").granted
    assert ask(budgets, now=NOW + 31, lease="b").granted


def test_a_wait_passes_many_exports():
    policy = Shared(1)
    run = Run("leaky", (1, 1.0), "seconds", clients=17, total=600, threads=4)
    policy.priorities = {client: Priority.EXPORT for client in range(16)} | {16: Priority.WAIT}
    outcome = run.simulate(policy)
    gaps = [later - earlier for earlier, later in zip(outcome.times[16], outcome.times[16][1:], strict=False)]
    assert max(gaps) < 15  # while the pace is learnt
    assert len(outcome.times[16]) > 0.6 * run.total  # four threads that always have something to ask


def test_exports_do_not_starve_where_waits_leave_room():
    outcome = Run("leaky", (10, 1.0), "none", clients=8, total=800).simulate(Shared(1))
    assert min(len(times) for times in outcome.times.values()) > 40


def test_a_storm_of_refusals_is_soon_forgotten():
    budgets = Budgets()
    now = NOW
    for _ in range(4):
        refuse(budgets, now=now, hint=1.0)
        now = budgets.of("reads").paused_until
    began = now
    for number in range(100):
        while not (turn := ask(budgets, now=now, lease=f"{number}")).granted:
            now += turn.delay
        now += turn.delay
        budgets.of("reads").record_success(f"{number}", now)
    assert now - began < 30


@pytest.mark.parametrize("remaining", [0, 3])
def test_a_number_of_remaining_requests_that_never_changes_is_not_believed(remaining):
    budgets = Budgets()
    for number in range(50):
        ask(budgets, lease=f"{number}")
        budgets.of("reads").record_success(f"{number}", NOW, remaining)
    assert budgets.of("reads").window > 5


def test_not_more_are_under_way_than_remain():
    budgets = Budgets()
    for number in range(50):
        ask(budgets, lease=f"{number}")
        budgets.of("reads").record_success(f"{number}", NOW, 53 - number)
    assert budgets.of("reads").window == 3


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("GET", "/organizations/o/runs", "reads"),
        ("GET", "/organizations/o/tasks/t/comments", "reads"),
        ("POST", "/organizations/o/runs", "launches"),
        ("POST", "/organizations/o/tasks/t/comment", "comments"),
        ("POST", "/organizations/o/runs/r/problem", "comments"),
        ("POST", "/organizations/o/tasks/t/resolved-threads", "comments"),
        ("PUT", "/organizations/o/runs/r", "writes"),
        ("POST", "/organizations/o/guests", "invitations"),
        ("POST", "/oauth/token", "tokens"),
        ("POST", "/applications/o/users/a@b.c/token", "tokens"),
    ],
)
def test_the_kind_of_a_request(method, path, kind):
    assert kind_of(method, path) == kind


def test_a_budget_survives_being_stored():
    policy = Shared(1)
    Run("fixed", (10, 1.0), "seconds", clients=2, total=60).simulate(policy)
    budgets = policy.budgets[0]
    assert Budgets.from_json(json.loads(json.dumps(budgets.to_json()))) == budgets


def test_a_lost_request_holds_nobody_back_for_as_long_as_the_clock_was_ahead():
    budgets = Budgets()
    refuse(budgets, hint=1.0)
    ask(budgets, now=NOW + 7200, lease="lost")
    set_back = now = NOW + 5400
    budgets.follow_clock(now)
    while not (turn := ask(budgets, now=now, lease="next")).granted:
        now += turn.delay
    assert now - set_back < 65
