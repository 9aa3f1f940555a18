"""Whose turn it is to complete a task that several claim."""

from __future__ import annotations

from typing import Any

import pytest

from tallyfy_emulator import Emulator, Fault, ManualClock
from tallyfy_provider.client.settings import ClientSettings, build_client
from tallyfy_provider.client.tasks import locks as claims
from tallyfy_provider.exceptions import TallyfyError

OWN = "c" * 32


def claimed(number: int, token: str, at: str) -> dict[str, Any]:
    return {"id": number, "content": f"<p>x [airflow-claim:{token * 32}]</p>", "created_at": at}


def test_the_first_claim_that_holds_has_the_turn():
    long_ago, just_now, now = "2026-10-31T09:00:00Z", "2026-10-31T09:09:00Z", "2026-10-31 09:10:00"
    assert claims.first_claim([claimed(9, "c", now), claimed(10, "d", now)], OWN) == OWN
    assert claims.first_claim([claimed(10, "c", now), claimed(9, "b", just_now)], OWN) == "b" * 32
    assert claims.first_claim([claimed(2, "a", long_ago), claimed(10, "c", now)], OWN) == OWN
    assert claims.first_claim([claimed(2, "a", now), {"id": 3, "content": None}], OWN) is None


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def emulator(clock):
    with Emulator(seed=False, clock=clock) as emulator:
        yield emulator


@pytest.fixture
def client(emulator):
    settings = ClientSettings(
        organization_id=emulator.organization_id,
        secret=emulator.token,
        base_url=emulator.base_url,
        max_attempts=1,
        where="connection 'x'",
    )
    return build_client(settings, on_secret=lambda secret: None)


@pytest.fixture
def task(emulator, client):
    checklist = emulator.add_checklist("One", steps=[{"title": "Step"}])
    run = client.runs.launch({"checklist_id": checklist["id"], "name": "One"})
    return emulator.task(run["id"], "Step")


@pytest.fixture
def claim(client, clock, task):
    """Claim the task, by the emulator's clock; ``meanwhile`` is called at each pause."""

    def claim(meanwhile=lambda: None):
        def sleep(seconds):
            clock.advance(seconds)
            meanwhile()

        return claims.claim_task(client.tasks, client.comments, task, "Somebody", sleep=sleep, clock=clock.now)

    return claim


def test_who_is_alone_has_the_turn(claim):
    assert claim() is True


def test_who_comes_second_waits_until_the_first_has_completed_it(emulator, client, claim, clock, task):
    client.comments.add_to_task(task["id"], f"[airflow-claim:{'a' * 32}]")
    begun = clock.now()
    assert claim(lambda: clock.now() - begun > 20 and client.tasks.complete(task["run_id"], task["id"])) is False
    assert clock.now() - begun < claims.LEASE


def test_the_claim_of_a_process_that_died_is_waited_out(client, claim, clock, task):
    client.comments.add_to_task(task["id"], f"[airflow-claim:{'a' * 32}]")
    begun = clock.now()
    assert claim() is True
    assert clock.now() - begun >= claims.LEASE


def test_a_claim_whose_answer_was_lost_counts(emulator, client, claim, task):
    emulator.order(Fault(kind="reset", method="POST", path="comment", when="after", times=1))
    assert claim() is True
    assert len(client.comments.list_of_task(task["id"])) == 1


def test_a_claim_that_was_lost_itself_is_made_again(emulator, client, claim, task):
    emulator.order(Fault(kind="reset", method="POST", path="comment", times=1))
    assert claim() is True
    assert len(client.comments.list_of_task(task["id"])) == 1


def test_who_never_has_the_turn_is_told_so(client, claim, task):
    def others():
        client.comments.add_to_task(task["id"], f"[airflow-claim:{'b' * 32}]")

    others()
    with pytest.raises(TallyfyError, match="claimed by others"):
        claim(others)
