"""ActivateRunOperator: bring one run back from the archive."""

from __future__ import annotations

from typing import Any

from tallyfy_provider.operators.runs.base import RunOperator


class ActivateRunOperator(RunOperator):
    """Bring a run back from the archive; succeed if it is not archived."""

    def _act(self, run_id: str) -> dict[str, Any]:
        run = self.hook.client.runs.activate(run_id)
        self.log.info("Run %s is not archived.", run_id)
        return run
