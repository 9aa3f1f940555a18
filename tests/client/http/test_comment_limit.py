"""The hourly limit of comments stops comments, and nothing else of the connection."""

from __future__ import annotations

import pytest

from tallyfy_provider.exceptions import TallyfyRateLimitError


def test_a_refused_comment_holds_no_other_request_back(emulator, client_of):
    task = emulator.tasks(emulator.add_run()["id"])[0]["id"]
    emulator.comment_limit = "1/3600"
    waits = []
    client = client_of(waits)
    client.comments.add_to_task(task, "First")

    with pytest.raises(TallyfyRateLimitError) as raised:
        client.comments.report_problem_on_task(task, "Second")

    assert raised.value.retry_after == 3600
    for _ in range(5):
        client.tasks.get(task)
    assert waits == []


def test_a_short_wait_for_comments_is_waited_for_by_the_comment_alone(emulator, client_of):
    task = emulator.tasks(emulator.add_run()["id"])[0]["id"]
    emulator.comment_limit = "1/2"
    waits = []
    client = client_of(waits, max_rate_limit_wait=5)
    client.comments.add_to_task(task, "First")

    with pytest.raises(TallyfyRateLimitError):  # since the emulator's clock stands still
        client.comments.add_to_task(task, "Second")

    assert waits == [pytest.approx(2, abs=0.1)] * 2
    client.tasks.get(task)
    assert len(waits) == 2
