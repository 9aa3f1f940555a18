"""Reading many runs: few requests, and the true state of every run."""

from __future__ import annotations

import math

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tallyfy_emulator import Emulator, Fault, Quirks
from tallyfy_provider.client.runs.status import statuses_of
from tallyfy_provider.exceptions import (
    TallyfyAuthError,
    TallyfyConnectionError,
    TallyfyNotFoundError,
    TallyfyPermissionError,
    TallyfyRateLimitError,
    TallyfyServerError,
)
from tallyfy_provider.waiting.conditions import Outcome, StatusRule
from tallyfy_provider.waiting.run_reader import RunReader
from tests.conftest import THOROUGH

RULE = StatusRule()


def is_pending(run):
    return RULE.evaluate(run) is Outcome.WAITING


class Watcher:
    """Reads runs, round after round, and counts requests."""

    def __init__(self, emulator, client, run_ids):
        self.emulator, self.client, self.run_ids = emulator, client, list(run_ids)
        self.snapshots = {}
        self._reader = RunReader(self.snapshots.update)

    def round(self, run_ids=None, is_pending=is_pending):
        self.emulator.clear_requests()
        self.snapshots.clear()
        self._reader.read(self.client, dict.fromkeys(run_ids or self.run_ids, is_pending))
        return len(self.emulator.requests)

    def outcome(self, run_id):
        return RULE.evaluate(self.snapshots[run_id].run)


@pytest.fixture
def watch(emulator, connect):
    client = connect(extra={"max_attempts": 1, "max_rate_limit_wait": 0}).get_conn()
    return lambda run_ids: Watcher(emulator, client, run_ids)


def test_few_runs_are_requested_one_by_one(emulator, watch):
    watcher = watch(emulator.add_runs(3))
    assert watcher.round() == 3
    assert {request.path.rsplit("/", 1)[0][-4:] for request in emulator.requests} == {"runs"}


def test_many_runs_cost_a_request_for_each_hundred_that_are_unfinished(emulator, watch):
    ids = [
        *emulator.add_runs(640),
        *emulator.add_runs(120, status="delayed"),
        *emulator.add_runs(30, status="problem"),
        *emulator.add_runs(10, status="issue"),
    ]
    emulator.add_runs(500, status="complete")
    watcher = watch(ids)
    watcher.round()
    for _ in range(3):
        assert watcher.round() <= math.ceil(800 / 100) + 5
        assert set(watcher.snapshots) == set(ids)


def test_runs_that_changed_cost_a_request_each(emulator, watch):
    ids = emulator.add_runs(500)
    watcher = watch(ids)
    watcher.round()
    changed = ids[::25]
    for run_id in changed:
        emulator.complete_run(run_id)
    assert watcher.round() <= math.ceil(480 / 100) + len(changed) + 5
    assert [run_id for run_id in ids if watcher.outcome(run_id) is Outcome.SUCCEEDED] == changed


def test_a_list_too_long_to_save_requests_is_not_used(emulator, watch):
    emulator.add_runs(3000)
    mine = emulator.add_runs(10)
    watcher = watch(mine)
    watcher.round()
    assert watcher.round() == 10
    assert watcher.round() == 10


def test_a_run_in_a_status_that_ends_a_wait_is_confirmed_by_the_run_itself(emulator, watch):
    ids = emulator.add_runs(50)
    emulator.update_run(ids[7], status="problem")
    watcher = watch(ids)
    rule = StatusRule.build(failed=["problem"])
    watcher.round(is_pending=lambda run: rule.evaluate(run) is Outcome.WAITING)
    assert any(request.path.endswith(ids[7]) for request in emulator.requests)


@pytest.mark.parametrize("answer", [200, 404])
def test_archived_and_deleted_runs_are_distinguished_by_one_search_for_all(emulator, watch, answer):
    emulator.quirks = Quirks(archived_run_status=answer)
    ids = emulator.add_runs(50)
    watcher = watch(ids)
    for run_id in ids[:3]:
        emulator.archive_run(run_id)
    emulator.delete_run(ids[3])
    watcher.round()
    assert all(watcher.outcome(run_id) is Outcome.FAILED for run_id in ids[:3])
    assert isinstance(watcher.snapshots[ids[3]].fault, TallyfyNotFoundError)
    assert sum(request.query.get("archived") == "only" for request in emulator.requests) == 1


def test_lists_that_are_refused_are_not_used(emulator, watch, caplog):
    ids = emulator.add_runs(20)
    emulator.order(Fault(kind="status", status=403, path="status="))
    watcher = watch(ids)
    assert watcher.round() == 21
    assert set(watcher.snapshots) == set(ids)
    assert watcher.round() == 20
    assert caplog.text.count("each run is requested") == 1


def test_one_fault_of_a_list_does_not_turn_lists_off(emulator, watch):
    ids = emulator.add_runs(20)
    watcher = watch(ids)
    emulator.order(Fault(kind="status", status=500, path="status=", times=1))
    with pytest.raises(TallyfyServerError):
        watcher.round()
    assert watcher.round() <= 6


def test_a_list_that_fails_again_and_again_is_not_used(emulator, watch):
    ids = emulator.add_runs(20)
    watcher = watch(ids)
    emulator.order(Fault(kind="status", status=500, path="status="))
    for _ in range(2):
        with pytest.raises(TallyfyServerError):
            watcher.round()
    assert watcher.round() == 21
    assert set(watcher.snapshots) == set(ids)


def test_a_missing_run_is_not_searched_for_in_every_round(emulator, watch):
    watcher = watch(["a" * 32])
    assert watcher.round() == 3  # the run, the archive, and the run once more
    assert [watcher.round() for _ in range(5)] == [1] * 5
    assert isinstance(watcher.snapshots["a" * 32].fault, TallyfyNotFoundError)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(kind="status", status=401), TallyfyAuthError),
        (Fault(kind="status", status=429), TallyfyRateLimitError),
        (Fault(kind="reset"), TallyfyConnectionError),
        (Fault(kind="status", status=503), TallyfyServerError),
    ],
)
def test_a_round_is_abandoned_when_tallyfy_is_unreachable(emulator, watch, fault, kind):
    ids = emulator.add_runs(20)
    emulator.order(fault)
    with pytest.raises(kind):
        watch(ids).round()
    assert len(emulator.requests) <= 5


def test_the_error_of_one_run_concerns_that_run_only(emulator, watch):
    ids = emulator.add_runs(3)
    emulator.order(Fault(kind="status", status=403, path=ids[1]))
    watcher = watch(ids)
    watcher.round()
    assert isinstance(watcher.snapshots[ids[1]].fault, TallyfyPermissionError)
    assert watcher.snapshots[ids[0]].run
    assert watcher.snapshots[ids[2]].run


def test_a_list_that_is_behind_forever_cannot_keep_a_wait_alive(emulator, watch):
    ids = emulator.add_runs(10)
    watcher = watch(ids)
    emulator.quirks = Quirks(list_lag=10**6)
    emulator.complete_run(ids[4])
    seen = 0
    for _ in range(10):
        watcher.round()
        seen += watcher.outcome(ids[4]) is Outcome.SUCCEEDED
    assert seen >= 1


CHANGES = st.lists(
    st.tuples(st.integers(0, 19), st.sampled_from(["complete", "archived", "delayed", "problem", "active"])),
    max_size=12,
)


@settings(max_examples=60 if THOROUGH else 10, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(rounds=st.lists(CHANGES, min_size=1, max_size=4), cap=st.integers(3, 8), answer=st.sampled_from([200, 404]))
def test_whatever_changes_between_any_two_requests_every_run_is_seen_and_no_end_is_made_up(rounds, cap, answer):
    from tallyfy_provider.client.settings import ClientSettings, build_client

    with Emulator(seed=False, quirks=Quirks(per_page_cap=cap, archived_run_status=answer)) as emulator:
        ids = emulator.add_runs(20)
        client = build_client(
            ClientSettings(emulator.organization_id, emulator.token, base_url=emulator.base_url), sleep=lambda _: None
        )
        watcher = Watcher(emulator, client, ids)
        for changes in rounds:
            pending = list(changes)
            ever = {run_id: {statuses_of(emulator.run(run_id))} for run_id in ids}

            def change(record, pending=pending, ever=ever):
                if pending:
                    index, status = pending.pop()
                    if emulator.run(ids[index])["archived_at"]:  # nobody works on a run in the archive
                        ever[ids[index]].add(statuses_of(emulator.activate_run(ids[index])))
                    ever[ids[index]].add(statuses_of(emulator.update_run(ids[index], status=status)))

            emulator.listen(change)
            watcher.round()
            emulator.listen(None)
            assert set(watcher.snapshots) == set(ids)
            for run_id in ids:
                assert statuses_of(watcher.snapshots[run_id].run) in ever[run_id]
